"""One behaviour in both worlds: the same schedules, told the same story, start the same executions."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.stories.clockwork import world_of

WORLDS = ("embedded", "aws")

SHORT = "steps: {note: {uses: set, with: {at: '${ trigger.at }'}}}"
LONG = "steps: {nap: {uses: wait, with: {for: 12m}}}"


def flow(schedule, steps=SHORT, zone="UTC"):
    return f"flow: digest\ntimezone: {zone}\ntriggers: {{clock: {{uses: schedule, with: {schedule}}}}}\n{steps}\n"


class Down:
    """An outage, up to this time."""

    def __init__(self, until, publish=""):
        self.until, self.publish = until, publish


async def tell(world, script):
    """Each entry is a time to let pass, a flow to publish, an outage, or a word to the flow."""
    day = world.clock.time.date().isoformat()

    def at(text):
        whole = text if "T" in text else f"{day}T{text}"
        return datetime.fromisoformat(whole).replace(tzinfo=UTC)

    for entry in script:
        if isinstance(entry, Down):
            await world.go_down()
            if entry.publish:
                await world.publish(entry.publish)
            await world.until(at(entry.until))
            await world.come_up()
        elif entry.startswith("flow:"):
            await world.publish(entry)
        elif entry[0].isdigit():
            await world.until(at(entry))
        else:
            await world.ask(entry, "digest")


TABLE = {
    "to the minute": ([flow("{every: 5m}"), "06:21"], ["06:05", "06:10", "06:15", "06:20"]),
    "in the flow's own zone": ([flow('{cron: "15 8 * * *"}', zone="Europe/Berlin"), "08:00"], ["07:15"]),
    "in the trigger's": ([flow('{cron: "15 8 * * *", timezone: Asia/Tokyo}'), "2026-11-21T06:00"], ["23:15"]),
    "to the second": (
        [flow('{cron: "*/20 * * * * *"}'), "06:02:35"],
        ["06:00:40", "06:01:00", "06:01:20", "06:01:40", "06:02:00", "06:02:20"],
    ),
    "at an interval of seconds": ([flow("{every: 90s}"), "06:06:30"], ["06:01:30", "06:03", "06:04:30", "06:06"]),
    "at one that fits no day": ([flow("{every: 7m}"), "06:30"], ["06:06", "06:13", "06:20", "06:27"]),
    "every second day": ([flow("{every: 2d}"), "2026-11-24T12:00"], ["2026-11-21T00:00", "2026-11-23T00:00"]),
    "on a day and a weekday at once": ([flow('{cron: "0 7 */2 * MON"}'), "2026-11-30T12:00"], ["2026-11-23T07:00"]),
    "published anew": (
        [flow("{every: 5m}"), "06:11", flow('{cron: "2,17 * * * *"}'), "06:25"],
        ["06:05", "06:10", "06:17"],
    ),
    "published anew as it was": (
        [flow("{every: 5m}"), "06:07", flow("{every: 5m}"), "06:07:30", flow("{every: 5m}", LONG), "06:11"],
        ["06:05", "06:10"],
    ),
    "disabled for a while": (
        [flow("{every: 5m}, catch_up: all"), "06:06", "disable", "06:22", "enable", "06:31"],
        ["06:05", "06:25", "06:30"],
    ),
    "down, and nothing made up for": ([flow("{every: 15m}"), "06:16", Down("07:10"), "07:16"], ["06:15", "07:15"]),
    "down, and the last made up for": (
        [flow("{every: 15m}, catch_up: last"), "06:16", Down("07:10"), "07:16"],
        ["06:15", "07:00", "07:15"],
    ),
    "down, and all made up for": (
        [flow("{every: 15m}, catch_up: all"), "06:16", Down("07:10"), "07:16"],
        ["06:15", "06:30", "06:45", "07:00", "07:15"],
    ),
    "down so shortly that nothing is missed": (
        [flow("{every: 5m}"), "06:04", Down("06:07"), "06:08"],
        ["06:05"],
    ),
    "down to the second": (
        [flow('{cron: "*/30 * * * * *"}, catch_up: all'), "06:01:15", Down("06:02:45"), "06:03:25"],
        ["06:01:00", "06:01:30", "06:02:00", "06:02:30", "06:03:00"],
    ),
    "published anew while it was down": (
        [
            flow("{every: 15m}, catch_up: all"),
            "06:16",
            Down("07:10", publish=flow("{every: 20m}, catch_up: all")),
            "07:21",
        ],
        ["06:15", "06:20", "06:40", "07:00", "07:20"],
    ),
    "not while the last one runs": (
        [flow("{every: 5m}, overlap: skip", LONG), "06:36"],
        ["06:05", "06:20", "06:35"],
    ),
    "down, and not while the last one runs": (
        [flow("{every: 15m}, overlap: skip, catch_up: all", LONG), "06:20", Down("07:10"), "07:40"],
        ["06:15", "06:30", "07:30"],
    ),
}


def whole(day, times):
    found = []
    for text in times:
        time = text.partition("T")[2] or text
        found.append(
            f"{text.partition('T')[0] if 'T' in text else day}T{time if time.count(':') == 2 else time + ':00'}.000Z"
        )
    return found


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("name", TABLE)
def test_both_worlds_start_the_same(kind, name, aws_url):
    script, expected = TABLE[name]

    async def story():
        async with world_of(kind, "2026-11-20T06:00:30", aws_url) as world:
            await tell(world, script)
            assert [at for at, *_ in await world.started()] == whole("2026-11-20", expected)

    asyncio.run(story())


DAYS_THAT_CHANGE = {
    "a time that spring leaves out": (
        "2027-03-27T00:00:30",
        '{cron: "30 2 * * *"}',
        "2027-03-29T12:00",
        ["2027-03-27T01:30", "2027-03-29T00:30"],
    ),
    "a time that autumn has twice": (
        "2026-10-24T12:00:30",
        '{cron: "30 2 * * *"}',
        "2026-10-26T12:00",
        ["2026-10-25T00:30", "2026-10-26T01:30"],
    ),
    "every hour in autumn": (
        "2026-10-24T22:30:30",
        '{cron: "0 * * * *"}',
        "2026-10-25T03:30",
        ["2026-10-24T23:00", "2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"],
    ),
    "every hour in spring": (
        "2027-03-27T23:30:30",
        '{cron: "0 * * * *"}',
        "2027-03-28T03:30",
        ["2027-03-28T00:00", "2027-03-28T01:00", "2027-03-28T02:00", "2027-03-28T03:00"],
    ),
    "midnights": (
        "2026-10-24T12:00:30",
        "{every: 1d}",
        "2026-10-26T12:00",
        ["2026-10-24T22:00", "2026-10-25T23:00"],
    ),
    "all of them, after a night without": (
        "2026-10-24T12:00:30",
        '{cron: "0,30 1-3 * * *"}, catch_up: all',
        Down("2026-10-25T06:00"),
        [f"2026-10-{day}" for day in ("24T23:00", "24T23:30", "25T00:00", "25T00:30", "25T02:00", "25T02:30")],
    ),
}


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("name", DAYS_THAT_CHANGE)
def test_both_worlds_do_the_same_where_clocks_change(kind, name, aws_url):
    start, schedule, end, expected = DAYS_THAT_CHANGE[name]

    async def story():
        async with world_of(kind, start, aws_url) as world:
            await tell(world, [flow(schedule, zone="Europe/Berlin"), end])
            await world.until(world.clock.time + timedelta(minutes=2))
            assert [at for at, *_ in await world.started()] == whole("", expected)

    asyncio.run(story())


@pytest.mark.parametrize("kind", WORLDS)
def test_the_moment_before_is_told_and_the_first_has_none(kind, aws_url):
    async def story():
        async with world_of(kind, "2026-11-20T06:00:30", aws_url) as world:
            script = [flow("{every: 5m}"), "06:11", flow("{every: 15m}, catch_up: all"), "06:16", Down("06:50")]
            await tell(world, [*script, "06:51"])
            told = [(at[11:16], previous and previous[11:16]) for at, previous, *_ in await world.started()]
            assert told == [
                ("06:05", None),
                ("06:10", "06:05"),
                ("06:15", None),
                ("06:30", "06:15"),
                ("06:45", "06:30"),
            ]

    asyncio.run(story())


@pytest.mark.parametrize("kind", WORLDS)
def test_a_queue_starts_one_after_the_other_and_loses_none(kind, aws_url):
    async def story():
        async with world_of(kind, "2026-11-20T06:00:30", aws_url) as world:
            await tell(world, [flow("{every: 5m}, overlap: queue", LONG)])
            seen = []
            for _ in range(16):
                await world.until(world.clock.time + timedelta(minutes=1))
                seen.append([status for _, _, status, _ in await world.started()])
            await tell(world, [flow("{every: 1d}"), "07:00"])
            assert all(statuses.count("running") <= 1 for statuses in seen)
            assert seen[-1] == ["running", "queued", "queued"]
            found = await world.started()
            assert [(at[11:16], status) for at, _, status, _ in found] == [
                ("06:05", "succeeded"),
                ("06:10", "succeeded"),
                ("06:15", "succeeded"),
            ]
            ended = [end for *_, end in found]
            assert ended == sorted(set(ended))

    asyncio.run(story())


@pytest.mark.parametrize("kind", WORLDS)
def test_a_paused_flows_moments_wait_in_the_queue(kind, aws_url):
    async def story():
        async with world_of(kind, "2026-11-20T06:00:30", aws_url) as world:
            await tell(world, [flow("{every: 5m}"), "06:06", "pause", "06:11"])
            assert [(at[11:16], status) for at, _, status, _ in await world.started()] == [
                ("06:05", "succeeded"),
                ("06:10", "queued"),
            ]
            await tell(world, ["resume", "06:12"])
            assert [status for _, _, status, _ in await world.started()] == ["succeeded", "succeeded"]

    asyncio.run(story())
