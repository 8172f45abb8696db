"""What a tick starts, by which policy, whoever else ticks at the same time, and whoever dies in between."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from itertools import chain

import pytest

from chalicelib.engine.controls import lane_key, place
from chalicelib.engine.facts import Placed
from chalicelib.engine.records import RecordKey
from chalicelib.engine.ticking import MOST, schedule_lane
from chalicelib.errors import NotFoundError, ParameterError, StoreError, UsageError
from chalicelib.ports import TurnedAway
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.ticks import Ticks
from tests.worker.house import House, run
from tests.worker.porch import Porch, milliseconds, moment


def told(tell):
    """Run an async test."""
    asyncio.run(tell())


def test_a_moment_starts_one_execution_however_often_its_tick_comes():
    async def tell():
        porch = Porch()
        porch.clock.time = moment("05:58")
        porch.publish("{every: 5m}")
        first = await porch.tick("06:00")
        again = await porch.tick("06:00", "06:02")
        assert first.executions == again.executions
        await porch.tick("06:05")
        assert porch.started() == ["06:00:00", "06:05:00"]
        documents = [dict(knock.document) for knock in porch.knocks]
        assert documents[0] == {"name": "clock", "at": "2026-11-20T06:00:00.000Z", "previous": None}
        assert documents[-1]["previous"] == "2026-11-20T06:00:00.000Z"
        assert {knock.respond for knock in porch.knocks} == {"accepted"}

    told(tell)


def test_where_nothing_is_to_be_remembered_nothing_is_written():
    async def tell():
        porch = Porch(is_queue=True)
        porch.publish("{every: 5m}")
        await porch.tick("06:05")
        assert porch.facts.inner._images == {}

    told(tell)


def test_an_older_versions_tick_starts_nothing_that_the_live_one_has_not_planned():
    async def tell():
        porch = Porch()
        porch.publish("{every: 5m}")
        await porch.tick("06:05")
        porch.clock.time = moment("06:07")
        porch.publish('{cron: "30 6 * * *"}')
        assert (await porch.tick("06:10")).executions == ()
        await porch.tick("06:30")
        assert porch.started() == ["06:05:00", "06:30:00"]
        assert [knock.plan.version for knock in porch.knocks][-1] == porch.published["digest"][0].version
        assert porch.knocks[-1].document["previous"] is None, "the new version's first moment"

    told(tell)


@pytest.mark.parametrize("policy", ["", ", overlap: skip", ", catch_up: last", ", catch_up: all"])
def test_a_moment_of_the_version_before_is_nobodys_after_publishing(policy):
    async def tell():
        porch = Porch()
        porch.publish(f"{{every: 5m}}{policy}")
        await porch.tick("06:05")
        porch.clock.time = moment("06:10:01")
        porch.publish(f"{{every: 10m}}{policy}")
        await porch.end_all()
        assert (await porch.tick("06:10", "06:10:02")).executions == ()
        await porch.tick("06:20")
        assert porch.started() == ["06:05:00", "06:20:00"]

    told(tell)


def test_the_pointer_is_read_at_each_tick_and_not_remembered():
    async def tell():
        house = House()
        house.plans = RememberedPlans(house.versions, house.entries, house.clock)
        ticks = Ticks(house.door, house.plans, house.facts, house.clock)
        house.clock.time = moment("06:00:57")
        first = "flow: digest\ntriggers: {clock: {uses: schedule, with: {every: 1m}}}\nsteps: {a: {uses: set}}\n"
        await house.publish(first)
        assert await house.plans.live("main", "digest") is not None
        house.clock.time = moment("06:00:59")
        await house.publish(first.replace("1m", "1h"))
        house.clock.time = moment("06:01")
        assert (await ticks.come("main", "digest", "clock", milliseconds("06:01"))).executions == ()

    run(tell())


def test_the_execution_is_the_one_that_the_door_makes_of_the_moment():
    async def tell():
        house = House()
        house.clock.time = moment("05:58")
        await house.publish(
            "flow: digest\ntriggers: {clock: {uses: schedule, with: {every: 5m}, overlap: skip}}\n"
            "steps: {a: {uses: set, with: {at: '${ trigger.at }'}}}\noutput: '${ steps.a.at }'\n"
        )
        ticks = Ticks(house.door, house.plans, house.facts, house.clock)
        house.clock.time = moment("06:00:01")
        (execution,) = (await ticks.come("main", "digest", "clock", milliseconds("06:00"))).executions
        await house.drain()
        details = await house.details(execution)
        assert details.output == "2026-11-20T06:00:00.000Z"
        # The record names the same one: the next tick asks its head, which has ended.
        house.clock.time = moment("06:05:01")
        (second,) = (await ticks.come("main", "digest", "clock", milliseconds("06:05"))).executions
        assert second != execution

    run(tell())


def test_what_is_gone_disabled_or_still_to_come_starts_nothing():
    async def tell():
        porch = Porch()
        with pytest.raises(NotFoundError, match="`digest` is not published"):
            await porch.tick("06:00")
        porch.publish("{every: 5m}")
        with pytest.raises(NotFoundError, match="no schedule `night`"):
            await porch.ticks.come("main", "digest", "night", milliseconds("06:00"))
        with pytest.raises(UsageError, match="is still to come: it is 2026-11-20T06:05"):
            await porch.tick("06:10", "06:05")
        porch.publish("{every: 5m}", enabled=False)
        assert (await porch.tick("06:10")).executions == ()
        assert porch.knocks == []

    told(tell)


# Overlap


def test_skip_starts_nothing_while_the_last_one_runs():
    async def tell():
        porch = Porch()
        porch.publish("{every: 5m}, overlap: skip")
        (execution,) = (await porch.tick("06:05")).executions
        assert (await porch.tick("06:10")).executions == ()
        assert (await porch.tick("06:15")).executions == ()
        memory = await porch.memory()
        assert (memory.skipped, memory.skips) == (milliseconds("06:15"), 2)
        await porch.end(execution)
        await porch.tick("06:20")
        assert porch.started() == ["06:05:00", "06:20:00"]
        assert (await porch.tick("06:15", "06:21")).executions == (), "it was skipped, and stays so"

    told(tell)


def test_skip_looks_at_what_the_version_before_started_too():
    async def tell():
        porch = Porch()
        porch.publish("{every: 5m}, overlap: skip")
        await porch.tick("06:05")
        porch.clock.time = moment("06:07")
        porch.publish("{every: 10m}, overlap: skip")
        assert (await porch.tick("06:10")).executions == ()
        await porch.end_all()
        await porch.tick("06:20")
        assert porch.started() == ["06:05:00", "06:20:00"]

    told(tell)


def test_skip_takes_what_is_still_in_the_queue_for_running():
    async def tell():
        porch = Porch(is_queue=True)
        porch.publish("{every: 20s}, overlap: skip")
        first = await porch.tick("06:00:20")
        assert await porch.tick("06:00:40") == first, (
            "nobody knows whether it began: it is the one that is started again"
        )
        await porch.take_in()
        assert (await porch.tick("06:01")).executions == ()
        await porch.end_all()
        await porch.tick("06:01:20")
        await porch.take_in()
        assert porch.started() == ["06:00:20", "06:01:20"]

    told(tell)


@pytest.mark.parametrize("refusal", [ParameterError("`inputs.n` is missing."), TurnedAway()])
def test_skip_waits_for_nothing_that_never_began(refusal, caplog):
    async def tell():
        porch = Porch()
        porch.publish("{every: 5m}, overlap: skip")
        if isinstance(refusal, Exception):
            porch.refusals.append(refusal)
            assert (await porch.tick("06:05")).executions == ()
        else:
            enter = porch.enter

            async def turn_away(knock):
                del knock
                return refusal

            porch.enter = turn_away
            assert (await porch.tick("06:05")).executions == ()
            porch.enter = enter
        await porch.tick("06:10")
        assert porch.started() == ["06:10:00"]

    told(tell)
    assert ("`inputs.n` is missing" in caplog.text) is isinstance(refusal, Exception)


def test_a_record_that_is_kept_only_briefly_is_not_taken_for_one_that_never_was():
    async def tell():
        porch = Porch()
        porch.publish("{every: 5m}, overlap: skip", more="retention: 1m")
        (execution,) = (await porch.tick("06:05")).executions
        await porch.end(execution)
        del porch.facts.inner._images[RecordKey("main", execution)]
        await porch.tick("06:05", "06:07:30")
        assert len(porch.knocks) == 1
        await porch.tick("06:10")
        assert porch.started() == ["06:10:00"]

    told(tell)


def test_queue_starts_every_moment_until_too_many_wait(caplog):
    async def tell():
        porch = Porch()
        porch.publish("{every: 5m}, overlap: queue")
        await porch.tick("06:05")
        key, lane = lane_key("main", schedule_lane("digest", "clock")), None
        for number in range(MOST + 1):
            write = place(lane, key, f"{number:026d}", Placed(number, is_held=number == 0), 0, 0)
            lane = (await porch.facts.inner.write(write)).image
            if number == MOST - 1:
                await porch.tick("06:10")
        assert (await porch.tick("06:15")).executions == ()
        assert porch.started() == ["06:05:00", "06:10:00"]

    told(tell)
    assert "1000 executions wait already" in caplog.text


# Catch-up


def missed(policy: str) -> tuple[list[str], str]:
    """What a tick starts after an hour in which none came; and the log."""

    async def tell():
        porch = Porch()
        porch.publish(f"{{every: 15m}}, {policy}")
        await porch.tick("06:15")
        await porch.end_all()
        await porch.tick("07:15")
        await porch.tick("06:45", "07:15:02")
        assert (await porch.memory()).handled == milliseconds("07:15")
        started = porch.started()
        received = [knock.received for knock in porch.knocks]
        assert received == sorted(set(received)), "a lane keeps their order"
        return started

    return asyncio.run(tell())


@pytest.mark.parametrize(
    ("policy", "started"),
    [
        ("overlap: skip", ["06:15:00", "07:15:00"]),
        ("catch_up: last", ["06:15:00", "07:00:00", "07:15:00"]),
        ("catch_up: all", ["06:15:00", "06:30:00", "06:45:00", "07:00:00", "07:15:00"]),
        ("catch_up: all, overlap: queue", ["06:15:00", "06:30:00", "06:45:00", "07:00:00", "07:15:00"]),
        ("catch_up: all, overlap: skip", ["06:15:00", "06:30:00"]),
        ("catch_up: last, overlap: skip", ["06:15:00", "07:00:00"]),
    ],
)
def test_the_next_tick_makes_up_for_what_was_missed(policy, started):
    assert missed(policy) == started


def test_what_is_not_made_up_for_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        missed("catch_up: last")
    assert "schedule `clock` of flow `digest`: 2 moments were missed and start nothing" in caplog.text
    assert "the first for 2026-11-20T06:30:00.000Z" in caplog.text


def test_what_was_missed_before_publishing_or_while_disabled_is_nobodys():
    async def tell():
        porch = Porch()
        live = porch.publish("{every: 15m}, catch_up: all")
        await porch.tick("06:15")
        _, plan = porch.published["digest"]
        porch.published["digest"] = (replace(live, enabled=False, rev=2), plan)
        await porch.tick("06:30")
        porch.published["digest"] = (replace(live, rev=3, since=milliseconds("06:50")), plan)
        await porch.tick("07:15")
        assert porch.started() == ["06:15:00", "07:00:00", "07:15:00"]
        assert porch.knocks[1].document["previous"] == "2026-11-20T06:45:00.000Z", "of this version, though disabled"

    told(tell)


def test_more_than_a_batch_is_remembered_as_it_goes():
    async def tell():
        porch = Porch()
        porch.publish("{every: 1m}, catch_up: all")
        await porch.tick("06:01")
        count = 0
        enter = porch.enter

        async def dies_at_the_sixtieth(knock):
            nonlocal count
            count += 1
            if count == 60:
                raise StoreError("the disk is full")
            return await enter(knock)

        porch.enter = dies_at_the_sixtieth
        with pytest.raises(StoreError):
            await porch.tick("08:01")
        assert (await porch.memory()).handled == milliseconds("06:51"), "two batches of 25"
        await porch.tick("08:01")
        expected = [f"{moment('06:01') + timedelta(minutes=n):%H:%M:%S}" for n in range(121)]
        assert porch.started() == expected

    told(tell)


# Two at once


POLICIES = [
    f"overlap: {overlap}, catch_up: {catch_up}"
    for overlap in ("allow", "skip", "queue")
    for catch_up in ("none", "last", "all")
]


@pytest.mark.parametrize("policy", POLICIES)
def test_however_ticks_come_at_once_each_moment_starts_once_and_skip_never_overlaps(policy):
    rounds = [["06:01", "06:02", "06:03"], ["06:04", "06:05", "06:06"]]  # the record is made in the first one

    async def tell(seed):
        porch = Porch(seed=seed, is_queue=seed % 3 == 0)
        porch.publish(f"{{every: 1m}}, {policy}")
        for number, moments in enumerate(rounds, 1):
            await asyncio.gather(*(porch.tick(each, f"{moments[-1]}:01") for each in moments * 2))
            await porch.take_in()
            started = porch.started()
            assert len(set(started)) == len(started)
            if "skip" in policy:
                assert porch.overlaps == 0
                assert len(started) == number
                assert (await porch.memory()).handled == milliseconds(moments[-1])
            await porch.end_all()
        if "skip" not in policy:
            assert sorted(started) == [f"{each}:00" for each in chain(*rounds)]

    for seed in range(120):
        asyncio.run(tell(seed))


def test_skip_never_overlaps_where_the_last_one_ends_while_others_look():
    async def tell(seed):
        porch = Porch(seed=seed)
        porch.publish("{every: 1m}, overlap: skip, catch_up: all")
        await porch.tick("06:01")

        async def end():
            await porch.facts.give_way()
            await porch.facts.give_way()
            await porch.end_all()

        for minute in range(2, 9):
            ticks = [porch.tick(f"06:0{minute}", f"06:0{minute}:01") for _ in range(3)]
            await asyncio.gather(*ticks, *([end()] if minute % 2 == 0 else []))
        assert porch.overlaps == 0
        started = porch.started()
        assert len(set(started)) == len(started) > 1
        assert started == sorted(started)

    for seed in range(300):
        asyncio.run(tell(seed))


# Dying in between


class DeadError(Exception):
    """The process is gone."""


class Mortal:
    """Dies at the n-th call of a port: just before it, or just after it took effect."""

    def __init__(self, porch: Porch, at: int, *, after: bool) -> None:
        self._left, self._after, self._immortal = at, after, False
        self._call(porch.facts, "read")
        self._call(porch.facts, "write")
        self._call(porch, "enter")
        self._call(porch, "live")

    def _call(self, target, name):
        inner = getattr(target, name)

        async def call(*given):
            if self._immortal:
                return await inner(*given)
            self._left -= 1
            if self._left == 0 and not self._after:
                raise DeadError
            answer = await inner(*given)
            if self._left == 0:
                raise DeadError
            return answer

        setattr(target, name, call)

    def live_again(self):
        """Another process, which lives."""
        self._immortal = True


@pytest.mark.parametrize("is_queue", [False, True], ids=["embedded", "queue"])
@pytest.mark.parametrize("policy", POLICIES)
def test_whoever_dies_at_any_call_the_tick_that_comes_again_starts_it_once(policy, is_queue):
    async def tell(at, *, after):
        porch = Porch(is_queue=is_queue)
        porch.publish(f"{{every: 15m}}, {policy}")
        await porch.tick("06:15")
        await porch.take_in()
        await porch.end_all()
        mortal = Mortal(porch, at, after=after)
        died = False
        try:
            await porch.tick("07:15")
        except DeadError:
            died = True
        mortal.live_again()
        await porch.tick("07:15", "07:15:30")
        await porch.take_in()
        return died, porch.started()

    _, undisturbed = asyncio.run(tell(10_000, after=False))
    points = 0
    for after in (False, True):
        for at in range(1, 200):
            died, started = asyncio.run(tell(at, after=after))
            assert started == undisturbed, (at, after)
            if not died:
                break
            points += 1
    assert points >= 4


def test_a_start_that_was_decided_and_never_made_is_made_by_the_next_tick_where_that_would_make_up_for_it():
    async def tell(policy, later):
        porch = Porch()
        porch.publish(f"{{every: 15m}}, overlap: skip{policy}")
        porch.refusals.append(DeadError())
        with pytest.raises(DeadError):
            await porch.tick("06:15")
        await porch.tick(later)
        return porch.started()

    assert asyncio.run(tell("", "06:30")) == ["06:30:00"]
    assert asyncio.run(tell(", catch_up: all", "06:30")) == ["06:15:00"]
    assert asyncio.run(tell(", catch_up: last", "06:30")) == ["06:15:00"]
