"""Schedules where the host fires to the minute: seconds go through the queue, and find out for themselves what is due."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.engine.messages import Tick, from_json, to_json
from chalicelib.errors import StoreError
from chalicelib.ports import Listing, Live
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.listener import work_off
from chalicelib.worker.minutes import hear, minute_came, replaced
from tests.worker.house import House, run
from tests.worker.porch import milliseconds, moment


class Tower:
    """A deployment whose host fires to the minute; its queue is worked off as time passes."""

    def __init__(self, time="06:00"):
        self.house = House()
        self.house.clock.time = moment(time)

    async def publish(self, schedule, *, zone="UTC", enabled=True):
        plan = await self.house.publish(
            f"flow: digest\ntimezone: {zone}\ntriggers: {{clock: {{uses: schedule, with: {schedule}}}}}\n"
            "steps: {a: {uses: set, with: {at: '${ trigger.at }'}}}\noutput: '${ steps.a.at }'\n"
        )
        live = await self.house.versions.live("main", "digest")
        if not enabled:
            live = replace(live, enabled=False, rev=live.rev + 1)
            assert await self.house.versions.set_live(live)
        return live, plan

    async def minute(self, at, now=""):
        self.house.clock.time = moment(now or at)
        return await minute_came(self.house.tools, "main", "digest", "clock", milliseconds(at))

    async def until(self, time):
        """Let time pass, and work the queue off as messages come up."""
        end = moment(time)
        while self.house.clock.time < end:
            self.house.clock.time += timedelta(seconds=1)
            for each in await self.house.queue.receive(10, 0):
                budget = Budget(to_milliseconds(self.house.clock.now()) + 290_000)
                assert await work_off(self.house.tools, each, budget) is None
                await self.house.queue.acknowledge([each])

    async def started(self):
        """Planned moments, and how many seconds later each began."""
        page = await self.house.facts.page(Listing("main", limit=200))
        found = []
        for each in reversed(page.items):
            planned = (await self.house.details(each.id)).output
            found.append((planned[11:19], (each.started - milliseconds(planned[:19])) // 1000))
        return found


def test_a_minutes_moment_starts_at_once():
    async def tell():
        tower = Tower()
        await tower.publish("{every: 5m}")
        (execution,) = await tower.minute("06:05", "06:05:40")
        assert await tower.minute("06:05", "06:05:50") == (execution,)
        await tower.until("06:06")
        assert await tower.started() == [("06:05:00", 40)]
        assert await tower.minute("06:06") == ()

    run(tell())


def test_seconds_come_when_they_are_due_however_late_the_minute_is():
    async def tell():
        tower = Tower()
        await tower.publish('{cron: "*/15 * * * * *"}')
        assert len(await tower.minute("06:01", "06:01:20")) == 2
        await tower.minute("06:01", "06:01:21")
        await tower.until("06:02:30")
        assert await tower.started() == [("06:01:00", 20), ("06:01:15", 5), ("06:01:30", 0), ("06:01:45", 0)]

    run(tell())


def test_a_message_is_held_back_until_its_moment_and_no_shorter():
    async def tell():
        tower = Tower()
        await tower.publish('{cron: "*/15 * * * * *"}')
        sends = []

        async def send(given):
            sends.extend(given)

        tower.house.tools.queue.send = send
        tower.house.clock.time = moment("06:01:20") + timedelta(milliseconds=400)
        await minute_came(tower.house.tools, "main", "digest", "clock", milliseconds("06:01"))
        ticks = [(each.message.at, each.delay_seconds) for each in sends if isinstance(each.message, Tick)]
        assert ticks == [(milliseconds("06:01:30"), 10), (milliseconds("06:01:45"), 25)]

    run(tell())


def test_a_moment_that_waits_in_the_queue_is_not_started_once_another_version_is_live():
    async def tell():
        tower = Tower()
        await tower.publish('{cron: "*/15 * * * * *"}')
        await tower.minute("06:01", "06:01:01")
        await tower.until("06:01:20")
        await tower.publish('{cron: "40,45 * * * * *"}')
        await tower.until("06:02")
        assert [planned for planned, _ in await tower.started()] == ["06:01:00", "06:01:15", "06:01:45"]

    run(tell())


def test_an_interval_of_seconds_starts_those_of_the_minute():
    async def tell():
        tower = Tower()
        await tower.publish("{every: 90s}")
        for minute in ("06:01", "06:02", "06:03", "06:04"):
            await tower.minute(minute)
            await tower.until(f"{minute}:59")
        assert await tower.started() == [("06:01:30", 0), ("06:03:00", 0), ("06:04:30", 0)]

    run(tell())


@pytest.mark.parametrize("happens", ["first", "second"])
def test_a_time_that_comes_twice_starts_once_whenever_scheduler_says_that_it_has_come(happens):
    """02:30 in Berlin on 25 October 2026 is 00:30 and 01:30 in UTC."""

    async def tell():
        tower = Tower("2026-10-24T12:00")
        await tower.publish('{cron: "30 2 * * *"}', zone="Europe/Berlin")
        at = {"first": "2026-10-25T00:30", "second": "2026-10-25T01:30"}[happens]
        (execution,) = await tower.minute(at)
        await tower.until(f"{at}:30")
        assert (await tower.house.details(execution)).output == "2026-10-25T00:30:00.000Z"

    run(tell())


def test_what_only_the_author_can_mend_is_logged_and_what_may_pass_is_raised(caplog):
    async def tell():
        tower = Tower()
        with caplog.at_level(logging.WARNING):
            assert await tower.minute("06:01") == ()
            await hear(tower.house.tools, Tick("main", "0" * 26, "digest", "clock", milliseconds("06:01")))
        assert caplog.text.count("`digest` is not published") == 2
        await tower.publish('{cron: "*/15 * * * * *"}')

        async def send(sends):
            raise StoreError("the queue is full")

        tower.house.tools.queue.send = send
        with pytest.raises(StoreError):
            await tower.minute("06:02")

    run(tell())


@pytest.mark.parametrize(
    ("schedule", "published", "now", "started"),
    [
        ('{cron: "*/15 * * * * *"}', "06:00:20", "06:00:22", ["06:00:30", "06:00:45"]),
        ('{cron: "*/15 * * * * *"}', "06:00:55", "06:01:05", ["06:01:00", "06:01:15", "06:01:30", "06:01:45"]),
        ('{cron: "0 6 * * *"}', "05:59:59", "06:00:02", ["06:00:00"]),
        ('{cron: "0 6 * * *"}', "06:00:00", "06:00:02", []),
        ('{cron: "0 6 * * *"}', "05:50:00", "06:00:02", []),
    ],
    ids=[
        "seconds of this minute",
        "and of the next, which has begun",
        "while it was replaced",
        "just before",
        "long ago",
    ],
)
def test_what_comes_while_schedules_are_replaced_is_seen_to(schedule, published, now, started):
    async def tell():
        tower = Tower(published)
        live, plan = await tower.publish(schedule)
        tower.house.clock.time = moment(now)
        await replaced(tower.house.tools, live, plan)
        await replaced(tower.house.tools, live, plan)
        await tower.until("06:02:59")
        assert [planned for planned, _ in await tower.started()] == started

    run(tell())


def test_a_disabled_flow_has_nothing_to_see_to():
    async def tell():
        tower = Tower("05:59:59")
        live, plan = await tower.publish('{cron: "0 6 * * *"}', enabled=False)
        tower.house.clock.time = moment("06:00:01")
        await replaced(tower.house.tools, live, plan)
        assert await tower.house.queue.receive(10, 0) == []

    run(tell())


def test_a_tick_travels_as_json():
    tick = Tick("main", "0" * 26, "digest", "clock", 1_795_155_630_000)
    assert from_json(to_json(tick)) == tick
    with pytest.raises(ValueError, match="not a message"):
        from_json({**to_json(tick), "at": "soon"})


def test_a_pointer_began_when_it_was_published_or_enabled_after_that():
    live = Live("main", "digest", "0" * 64, True, published=10, rev=1)
    assert live.begun == 10
    assert replace(live, since=20).begun == 20
    assert replace(live, since=5).begun == 10
