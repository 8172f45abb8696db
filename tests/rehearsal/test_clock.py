"""Virtual time: it passes only when everything sleeps, and the same way on every run."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.rehearsal.clock import NothingToWaitForError, VirtualClock, VirtualLoop

START = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def on_virtual_time(work):
    """What a coroutine gives, and the clock it ran on."""
    clock = VirtualClock(START)
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(work(clock)), clock


def test_sleepers_wake_in_the_order_of_their_moments_and_time_is_theirs():
    async def work(clock):
        seen = []

        async def sleeper(seconds):
            await clock.sleep(seconds)
            seen.append((seconds, clock.now()))

        await asyncio.gather(sleeper(7200), sleeper(0.25), sleeper(60), sleeper(0))
        return seen

    seen, _ = on_virtual_time(work)
    assert seen == [(seconds, START + timedelta(seconds=seconds)) for seconds in (0, 0.25, 60, 7200)]


def test_time_stands_still_while_anything_can_run():
    async def work(clock):
        sleep = asyncio.ensure_future(clock.sleep(1))
        for _ in range(500):
            await asyncio.sleep(0)
            assert clock.now() == START
        await sleep
        return clock.now()

    assert on_virtual_time(work)[0] == START + timedelta(seconds=1)


def test_tenths_of_seconds_add_up_exactly():
    async def work(clock):
        for _ in range(1000):
            await clock.sleep(0.1)
        return clock.now()

    assert on_virtual_time(work)[0] == START + timedelta(seconds=100)


def test_a_year_and_a_time_out_behind_it_take_no_real_time_and_are_told_apart():
    async def work(clock):
        await clock.sleep(366 * 86_400)
        try:
            async with asyncio.timeout(5):
                await clock.sleep(6)
        except TimeoutError:
            return clock.now()
        return None

    assert on_virtual_time(work)[0] == START + timedelta(days=366, seconds=5)


def test_a_sleeper_that_was_cancelled_moves_no_time():
    async def work(clock):
        task = asyncio.ensure_future(clock.sleep(3600))
        await asyncio.sleep(0)
        task.cancel()
        await clock.sleep(1)
        return clock.now()

    assert on_virtual_time(work)[0] == START + timedelta(seconds=1)


def test_who_waits_for_what_can_never_come_is_told():
    async def work(clock):
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingToWaitForError):
        on_virtual_time(work)


def test_sets_of_tasks_are_gone_through_in_the_same_order_on_every_run():
    async def work(clock):
        async def nothing(number):
            return number

        tasks = [asyncio.create_task(nothing(number)) for number in range(50)]
        done, _ = await asyncio.wait(tasks)
        return [task.result() for task in done]

    assert on_virtual_time(work)[0] == on_virtual_time(work)[0]
