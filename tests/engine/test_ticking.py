"""Which moments of a schedule are due, missed, made up for; and what its record says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.engine.conditions import allows, apply
from chalicelib.engine.ticking import (
    FARTHEST,
    GRACE,
    MOST,
    Due,
    Memory,
    Timing,
    due,
    memory_of,
    planned_after,
    remember,
    schedule_key,
)
from chalicelib.kit.cron import schedule_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def at(text: str) -> int:
    """Epoch milliseconds of a time on 20 November 2026, or of a whole one; in UTC."""
    whole = text if "T" in text else f"2026-11-20T{text}"
    return int((datetime.fromisoformat(whole).replace(tzinfo=UTC) - EPOCH) / timedelta(milliseconds=1))


def clock(*moments: int) -> list[str]:
    return [f"{EPOCH + timedelta(milliseconds=moment):%H:%M:%S}" for moment in moments]


def timing(
    every: str = "5m", *, overlap: str = "allow", catch_up: str = "none", begun: str = "05:02", **more
) -> Timing:
    parameters = more or {"every": every}
    return Timing(schedule_of(parameters), "UTC", overlap, catch_up, at(begun), at(begun))


def judged(given: Timing, first: str, now: str, *, handled: str = "", span: int = 1) -> tuple[list[str], list[str]]:
    memory = Memory(handled=at(handled)) if handled else Memory()
    found = due(given, memory, at(first), at(first) + span, at(now))
    return clock(*found.moments), clock(*found.missed)


def test_a_tick_that_comes_in_time_starts_its_own_moment():
    assert judged(timing(), "06:00", "06:00:01") == (["06:00:00"], [])
    assert judged(timing(), "06:00", "06:02:59") == (["06:00:00"], [])


def test_where_nothing_is_remembered_a_tick_is_about_its_own_moments_alone():
    assert judged(timing("1m"), "06:00", "06:02:30") == (["06:00:00"], [])
    assert judged(timing("20s"), "06:00", "06:00:30", span=MINUTE) == (["06:00:00", "06:00:20"], [])
    assert judged(timing("20s"), "06:00", "06:02:30", span=MINUTE) == (["06:00:00", "06:00:20", "06:00:40"], [])


def test_a_tick_of_another_schedule_than_the_live_one_is_about_nothing():
    assert judged(timing("5m"), "06:01", "06:01:01") == ([], [])
    assert judged(timing(cron="0 7 * * *"), "06:00", "06:00:01") == ([], [])


def test_a_moment_before_the_version_was_published_never_was():
    assert judged(timing(begun="06:00:00"), "06:00", "06:00:01") == ([], [])
    assert judged(timing(begun="05:59:59", catch_up="all"), "06:10", "06:10:01")[0] == [
        "06:00:00",
        "06:05:00",
        "06:10:00",
    ]


def test_a_senders_clock_that_is_ahead_of_ours_is_believed_for_its_own_moment():
    assert judged(timing(), "06:00", "05:59:58") == (["06:00:00"], [])
    assert judged(timing(catch_up="all"), "06:00", "05:59:58", handled="05:55") == (["06:00:00"], [])


@pytest.mark.parametrize(
    ("catch_up", "started", "missed"),
    [
        ("none", ["06:10:00"], ["05:55:00", "06:00:00", "06:05:00"]),
        ("last", ["06:05:00", "06:10:00"], ["05:55:00", "06:00:00"]),
        ("all", ["05:55:00", "06:00:00", "06:05:00", "06:10:00"], []),
    ],
)
def test_what_was_missed_is_made_up_for_as_the_policy_says(catch_up, started, missed):
    given = timing(catch_up=catch_up, overlap="skip")
    assert judged(given, "06:10", "06:10:30", handled="05:50") == (started, missed)
    # Whichever of the late ones comes first: it finds them all, and those behind it nothing.
    assert judged(given, "05:55", "06:10:30", handled="05:50") == (started, missed)
    assert judged(given, "05:55", "06:10:30", handled="06:10") == ([], [])


@pytest.mark.parametrize("catch_up", ["none", "last", "all"])
def test_missed_is_what_is_more_than_the_grace_late(catch_up):
    given = timing(catch_up=catch_up, overlap="skip")
    in_time = judged(given, "06:00", "06:03:00", handled="05:55")
    late = due(given, Memory(handled=at("05:55")), at("06:00"), at("06:00") + 1, at("06:00") + GRACE + 1)
    assert in_time == (["06:00:00"], [])
    assert (clock(*late.moments), clock(*late.missed)) == (
        ([], ["06:00:00"]) if catch_up == "none" else (["06:00:00"], [])
    )


def test_of_too_many_missed_moments_the_last_are_made_up_for():
    found = due(timing("1s", catch_up="all"), Memory(handled=at("06:00")), at("07:00"), at("07:00") + 1, at("07:00"))
    assert len(found.moments) == MOST
    assert found.moments[-1] == at("07:00")
    assert found.is_cut
    assert not due(timing("1s", catch_up="all"), Memory(at("06:50")), at("07:00"), at("07:00") + 1, at("07:00")).is_cut


@pytest.mark.parametrize("catch_up", ["last", "all"])
def test_what_is_older_than_a_start_may_be_is_not_made_up_for(catch_up):
    given = replace(timing("7d", catch_up=catch_up, begun="2026-01-01T00:00"), published=0)
    now = at("2026-11-20T12:00")
    found = due(given, Memory(handled=at("2026-10-01T00:00")), now, now + 1, now)
    assert all(moment > now - FARTHEST for moment in found.moments)
    assert len(found.moments) == (2 if catch_up == "all" else 1)
    assert found.is_cut


def test_a_yearly_schedule_has_missed_nothing_in_between():
    given = timing(cron="0 0 1 1 *", catch_up="all", begun="2025-06-01T00:00")
    now = at("2027-01-01T00:00:01")
    found = due(given, Memory(handled=at("2026-01-01T00:00")), at("2027-01-01T00:00"), now, now)
    assert found == Due((at("2027-01-01T00:00"),))


def test_the_moment_before_is_this_versions_or_none():
    given = timing("5m", begun="06:02")
    assert given.previous(at("06:05")) is None
    assert given.previous(at("06:10")) == at("06:05")
    enabled_later = replace(given, begun=at("06:07"))
    assert enabled_later.previous(at("06:10")) == at("06:05")


@pytest.mark.parametrize(
    ("given", "memory", "expected"),
    [
        (timing(), Memory(), "06:00:00"),
        (timing(begun="06:07:30"), Memory(), "06:07:30"),
        (timing(catch_up="all"), Memory(handled=at("05:20")), "05:20"),
        (timing(catch_up="last", begun="05:40"), Memory(handled=at("05:20")), "05:40"),
        (timing(overlap="skip"), Memory(handled=at("05:20")), "06:00:00"),
        (timing(overlap="skip"), Memory(handled=at("06:07")), "06:07"),
    ],
    ids=["in time", "just published", "missed", "missed by this version", "not made up for", "just handled"],
)
def test_a_host_that_begins_plans_what_may_still_have_to_start(given, memory, expected):
    # Three minutes of grace, to the millisecond.
    now = at("06:03:00") if expected == "06:00:00" else at("06:08:00")
    wanted = at(expected) - 1 if expected == "06:00:00" else at(expected)
    assert planned_after(given, memory, now) == wanted


def test_a_host_that_begins_looks_again_at_what_its_predecessor_may_not_have_started():
    memory = Memory(handled=at("05:55"), execution="0" * 26, moment=at("05:45"), claimed=at("05:45"))
    given = timing(overlap="skip")
    assert given.next_after(planned_after(given, memory, at("06:20"))) == at("05:45")
    ended = replace(memory, execution="")
    assert given.next_after(planned_after(given, ended, at("06:20"))) == at("06:20")


def test_the_record_says_what_was_remembered_and_only_who_saw_it_may_write():
    key = schedule_key("main", "digest", "night")
    memory = Memory(at("06:00"), "0" * 26, at("05:55"), at("05:55:01"), at("06:00"), 3)
    first = remember(key, None, memory, 5)
    assert allows(None, first)
    image = apply(None, first)
    assert memory_of(image) == memory
    assert not allows(image, first), "it is there already"
    later = replace(memory, handled=at("06:05"), execution="")
    second = remember(key, image, later, 6)
    after = apply(image, second)
    assert memory_of(after) == later
    assert not allows(after, remember(key, image, memory, 7)), "somebody wrote since"
    assert memory_of(None) == Memory()


def test_a_schedules_record_is_its_own():
    keys = {schedule_key(tenant, flow, trigger) for tenant in "ab" for flow in "fg" for trigger in "xy"}
    assert len(keys) == 8
