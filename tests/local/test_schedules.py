"""User schedules: which moments fire, with what, and what does not disturb them. The clock is moved by hand."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import catalogue
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.errors import NotFoundError, StoreError
from chalicelib.flow.check import check
from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan
from chalicelib.flow.text import read_yaml
from chalicelib.local.schedules import TimerHeap
from chalicelib.ports import Entered, Knock, Live
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.ticks import Ticks

START = datetime(2026, 11, 20, 6, 58, 30, tzinfo=UTC)


class HandClock:
    """Time passes only when a test says so."""

    def __init__(self) -> None:
        self.time = START
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + timedelta(seconds=seconds), future))
        await future

    async def pass_on(self, **delta: float) -> None:
        """Let so much time pass, and everybody who wakes do what they do."""
        self.time += timedelta(**delta)
        for due, future in self._sleepers:
            if due <= self.time and not future.done():
                future.set_result(None)
        self._sleepers = [each for each in self._sleepers if not each[1].done()]
        await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class World:
    """Plans as published, and a door that writes down who knocks; some knocks are refused."""

    def __init__(self) -> None:
        self.knocks: list[Knock] = []
        self.published: dict[str, tuple[Live, Plan]] = {}
        self.refusals: list[Exception] = []
        self.holds: dict[str, asyncio.Event] = {}
        self.facts = MemoryFacts()

    async def enter(self, knock: Knock) -> Entered:
        self.knocks.append(knock)
        if self.refusals:
            raise self.refusals.pop(0)
        if knock.plan.flow in self.holds:
            await self.holds[knock.plan.flow].wait()
        return Entered("0" * 26, is_new=True)

    async def live(self, tenant: str, flow: str) -> Live | None:
        return self.published[flow][0] if flow in self.published else None

    async def plan(self, tenant: str, flow: str, version: str) -> Plan:
        if flow not in self.published:
            raise NotFoundError
        return self.published[flow][1]

    def forget(self, tenant: str, flow: str) -> None:
        pass

    def told(self) -> list[tuple[str, str]]:
        """Who knocked, and for which moment, as the flow sees it."""
        return [(knock.plan.flow, str((knock.document or {})["at"])) for knock in self.knocks]

    def times(self) -> list[str]:
        """The same, where there is one flow, and one day."""
        return [at[11:19] for _, at in self.told()]


def plan_of(flow: str, schedule: str, zone: str = "UTC", policies: str = "") -> Plan:
    text = f"""
flow: {flow}
timezone: {zone}
triggers:
  clock: {{uses: schedule, with: {schedule}{policies}}}
steps:
  a: {{uses: set, with: {{x: 1}}}}
"""
    document = read_yaml(text, f"{flow}.yaml")
    assert check(document, catalogue.entries(), build=catalogue.build).problems == ()
    return make_plan(document.data, catalogue.entries())


class Stage:
    """A heap that fires, on a clock moved by hand."""

    def __init__(self) -> None:
        self.clock, self.world = HandClock(), World()
        self.heap = self._new()
        self._task: asyncio.Task[None] | None = None

    def _new(self) -> TimerHeap:
        world = self.world
        return TimerHeap(Ticks(world, world, world.facts, self.clock), self.clock)

    async def publish(
        self, flow: str, schedule: str, *, enabled: bool = True, zone: str = "UTC", policies: str = ""
    ) -> None:
        """A new version's publishing, or, where it is the same, its switch."""
        plan = plan_of(flow, schedule, zone, policies)
        known = self.world.published[flow][0] if flow in self.world.published else None
        now = to_milliseconds(self.clock.now())
        live = Live("main", flow, plan.version, enabled=enabled, published=now, rev=1)
        if known is not None and known.version == plan.version:
            since = now if enabled and not known.enabled else known.since
            live = replace(known, enabled=enabled, since=since)
        if known is not None:
            live = replace(live, rev=known.rev + 1)
        self.world.published[flow] = (live, plan)
        await self.heap.replace(live, plan)
        await settle()

    async def stop(self) -> None:
        """The server goes down."""
        assert self._task is not None
        assert not self._task.done(), "the heap has stopped firing"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def start(self) -> None:
        """A server comes up, and plans what is published."""
        self.heap = self._new()
        for live, plan in self.world.published.values():
            await self.heap.replace(live, plan)
        self._task = asyncio.create_task(self.heap.fire())
        await settle()

    async def __aenter__(self) -> "Stage":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def test_each_planned_moment_fires_once_with_its_time_and_the_one_before():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}')
            assert stage.heap.upcoming() == [("tick", "clock", datetime(2026, 11, 20, 7, 0, tzinfo=UTC))]
            await stage.clock.pass_on(seconds=89)
            assert stage.world.knocks == []
            await stage.clock.pass_on(seconds=1)
            await stage.clock.pass_on(seconds=0)
            await stage.clock.pass_on(minutes=5)
            documents: list[Mapping[str, object]] = [knock.document or {} for knock in stage.world.knocks]
            assert documents == [
                {"name": "clock", "at": "2026-11-20T07:00:00.000Z", "previous": None},
                {"name": "clock", "at": "2026-11-20T07:05:00.000Z", "previous": "2026-11-20T07:00:00.000Z"},
            ]
            assert [knock.key for knock in stage.world.knocks] == [each["at"] for each in documents]
            assert {knock.respond for knock in stage.world.knocks} == {"accepted"}

    asyncio.run(scene())


def test_the_flows_time_zone_decides_when_seven_is():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("berlin", '{cron: "0 8 * * *"}', zone="Europe/Berlin")
            await stage.publish("utc", '{cron: "0 8 * * *"}')
            await stage.publish("own", '{cron: "0 8 * * *", timezone: America/New_York}')
            assert [(flow, at.hour) for flow, _, at in stage.heap.upcoming()] == [
                ("berlin", 7),
                ("utc", 8),
                ("own", 13),
            ]

    asyncio.run(scene())


def test_publishing_again_drops_the_moments_of_the_version_before():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}')
            await stage.publish("tick", '{cron: "2 7 * * *"}')
            assert len(stage.heap.upcoming()) == 1
            await stage.clock.pass_on(minutes=2)
            assert stage.world.told() == []
            await stage.clock.pass_on(minutes=2)
            assert stage.world.told() == [("tick", "2026-11-20T07:02:00.000Z")]

    asyncio.run(scene())


def test_a_disabled_flow_has_no_moments_until_it_is_enabled():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}')
            await stage.publish("tick", '{every: "5m"}', enabled=False)
            assert stage.heap.upcoming() == []
            await stage.clock.pass_on(minutes=10)
            assert stage.world.told() == []
            await stage.publish("tick", '{every: "5m"}')
            await stage.clock.pass_on(minutes=2)
            assert stage.world.told() == [("tick", "2026-11-20T07:10:00.000Z")]

    asyncio.run(scene())


def test_a_new_earlier_moment_wakes_the_sleeper():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("late", '{cron: "0 9 * * *"}')
            await stage.publish("soon", '{cron: "59 6 * * *"}')
            await stage.clock.pass_on(seconds=30)
            assert stage.world.told() == [("soon", "2026-11-20T06:59:00.000Z")]

    asyncio.run(scene())


def test_a_machine_that_slept_through_moments_starts_only_what_is_still_in_time():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}')
            await stage.clock.pass_on(hours=3, minutes=2)
            assert stage.world.told() == [("tick", "2026-11-20T10:00:00.000Z")]
            await stage.clock.pass_on(minutes=5)
            assert stage.world.told()[1:] == [("tick", "2026-11-20T10:05:00.000Z")]

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("policy", "made_up_for"),
    [
        ("", []),
        (", catch_up: none", []),
        (", catch_up: last", ["09:00:00"]),
        (", catch_up: all", ["08:00:00", "09:00:00"]),
    ],
)
def test_a_server_that_was_down_makes_up_for_what_the_policy_says(policy, made_up_for, caplog):
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "1h"}', policies=policy)
            await stage.clock.pass_on(minutes=2)
            await stage.stop()
            await stage.clock.pass_on(hours=2, minutes=30)
            await stage.start()
            assert stage.world.times() == ["07:00:00", *made_up_for]
            await stage.stop()
            await stage.start()
            assert stage.world.times() == ["07:00:00", *made_up_for], "once"
            await stage.clock.pass_on(minutes=30)
            assert stage.world.times()[-1] == "10:00:00"

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert ("1 moments were missed" in caplog.text) is ("last" in policy)


def test_a_server_that_comes_up_soon_enough_starts_what_came_meanwhile_and_nothing_twice():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}')
            await stage.clock.pass_on(minutes=1)
            await stage.stop()
            await stage.clock.pass_on(minutes=2)
            await stage.start()
            assert stage.world.times() == ["07:00:00"]
            await stage.stop()
            await stage.start()
            assert {knock.key for knock in stage.world.knocks} == {"2026-11-20T07:00:00.000Z"}, "the same one again"

    asyncio.run(scene())


def test_what_was_planned_before_a_flow_was_enabled_again_does_not_fire():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}', enabled=False)
            await stage.clock.pass_on(minutes=3)
            await stage.publish("tick", '{every: "5m"}')
            assert stage.world.told() == []
            await stage.stop()
            await stage.start()
            assert stage.world.told() == [], "nor after a restart"

    asyncio.run(scene())


def test_the_same_version_again_disturbs_nothing_that_is_due():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}')
            stage.clock.time += timedelta(minutes=2)
            await stage.publish("tick", '{every: "5m"}')
            await stage.clock.pass_on(seconds=0)
            assert stage.world.times() == ["07:00:00"]
            await stage.publish("tick", '{every: "5m"}')
            assert stage.world.times() == ["07:00:00"], "nor does it fire again"

    asyncio.run(scene())


def test_an_older_pointer_that_is_told_of_late_changes_nothing():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}')
            old = stage.world.published["tick"]
            await stage.publish("tick", '{cron: "2 7 * * *"}')
            await stage.heap.replace(*old)
            assert [at.minute for _, _, at in stage.heap.upcoming()] == [2]

    asyncio.run(scene())


def test_a_moment_that_met_trouble_is_tried_again_while_it_is_in_time():
    async def scene() -> None:
        async with Stage() as stage:
            stage.world.refusals += [StoreError("the disk is full")] * 3
            await stage.publish("tick", '{cron: "0 7 * * *"}')
            await stage.clock.pass_on(seconds=90)
            for seconds in (1, 2, 4):
                await stage.clock.pass_on(seconds=seconds)
            assert stage.world.times() == ["07:00:00"] * 4
            assert [at.day for _, _, at in stage.heap.upcoming()] == [21]
            await stage.clock.pass_on(minutes=1)
            assert len(stage.world.knocks) == 4

    asyncio.run(scene())


def test_one_that_takes_long_makes_no_other_late():
    async def scene() -> None:
        async with Stage() as stage:
            stage.world.holds["slow"] = asyncio.Event()
            await stage.publish("slow", '{every: "1m"}')
            await stage.publish("tick", '{every: "5m"}')
            await stage.clock.pass_on(seconds=91)
            await stage.clock.pass_on(minutes=1)
            assert stage.world.told() == [
                ("slow", "2026-11-20T06:59:00.000Z"),
                ("tick", "2026-11-20T07:00:00.000Z"),
            ], "and itself it waits for"
            stage.world.holds["slow"].set()
            await settle()
            assert stage.world.told()[2:] == [
                ("slow", "2026-11-20T07:00:00.000Z"),
                ("slow", "2026-11-20T07:01:00.000Z"),
            ]

    asyncio.run(scene())


def test_seconds_fire_to_the_second():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{cron: "*/20 * * * * *"}')
            for _ in range(60):
                await stage.clock.pass_on(seconds=1)
            assert stage.world.times() == ["06:58:40", "06:59:00", "06:59:20"]

    asyncio.run(scene())


@pytest.mark.parametrize("trouble", [StoreError("the disk is full"), RuntimeError("a bug")])
def test_one_flows_trouble_stops_neither_the_others_nor_its_own_next_moment(trouble, caplog):
    async def scene() -> None:
        async with Stage() as stage:
            stage.world.refusals.append(trouble)
            await stage.publish("first", '{cron: "0 7 * * *"}')
            await stage.publish("second", '{cron: "0 7 * * *"}')
            await stage.clock.pass_on(minutes=2)
            assert sorted(flow for flow, _ in stage.world.told()) == ["first", "second"]
            await stage.clock.pass_on(days=1)
            assert len(stage.world.knocks) == 4

    asyncio.run(scene())
    assert "schedule `clock` of flow `first`" in caplog.text


def test_a_flow_that_is_gone_is_planned_no_more():
    async def scene() -> None:
        async with Stage() as stage:
            await stage.publish("tick", '{every: "5m"}')
            del stage.world.published["tick"]
            await stage.clock.pass_on(minutes=2)
            assert stage.world.told() == []
            assert stage.heap.upcoming() == []

    asyncio.run(scene())
