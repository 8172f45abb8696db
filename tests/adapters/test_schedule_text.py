"""Schedules in EventBridge Scheduler's words: they fire when ours do, or are refused by name."""

import random
import re
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.aws.schedule_text import spoken
from chalicelib.errors import NotBuiltYetError
from chalicelib.kit.cron import next_time, parse_cron

NOW = datetime(2026, 11, 20, 10, 7, 30, tzinfo=UTC)


def expressions(cron, zone="UTC"):
    return [each.expression for each in spoken(parse_cron(cron), zone, NOW, "triggers.t")]


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 6 * * MON", ["cron(0 6 ? * 2 *)"]),
        ("0 7 * * MON-FRI", ["cron(0 7 ? * 2-6 *)"]),
        ("*/15 * * * *", ["cron(0,15,30,45 * * * ? *)"]),
        ("0 0 1 1 *", ["cron(0 0 1 1 ? *)"]),
        ("30 8-17 * * *", ["cron(30 8-17 * * ? *)"]),
        ("0 0 * * 0", ["cron(0 0 ? * 1 *)"]),
        ("0 0 * * 7", ["cron(0 0 ? * 1 *)"]),
        ("0 0 * * SUN,SAT", ["cron(0 0 ? * 1,7 *)"]),
        ("0 12 13 * FRI", ["cron(0 12 13 * ? *)", "cron(0 12 ? * 6 *)"]),
        ("@daily", ["cron(0 0 * * ? *)"]),
        ("0 0 9 * * *", ["cron(0 9 * * ? *)"]),
    ],
)
def test_a_cron_is_said_in_six_fields(cron, said):
    assert expressions(cron) == said


def test_the_time_zone_is_handed_on():
    (found,) = spoken(parse_cron("0 6 * * *"), "Europe/Berlin", NOW, "triggers.t")
    assert (found.zone, found.start) == ("Europe/Berlin", 0)


@pytest.mark.parametrize(
    ("interval", "zone", "said", "first"),
    [
        (timedelta(minutes=5), "UTC", "rate(5 minutes)", datetime(2026, 11, 20, 10, 10, tzinfo=UTC)),
        (timedelta(minutes=1), "UTC", "rate(1 minute)", datetime(2026, 11, 20, 10, 8, tzinfo=UTC)),
        (timedelta(hours=1), "Europe/Berlin", "rate(1 hour)", datetime(2026, 11, 20, 11, 0, tzinfo=UTC)),
        (timedelta(minutes=90), "UTC", "rate(90 minutes)", datetime(2026, 11, 20, 10, 30, tzinfo=UTC)),
        (timedelta(days=2), "UTC", "rate(2 days)", datetime(2026, 11, 21, 0, 0, tzinfo=UTC)),
        (timedelta(days=7), "Asia/Kolkata", "rate(7 days)", datetime(2026, 11, 25, 18, 30, tzinfo=UTC)),
    ],
)
def test_an_interval_is_a_rate_that_begins_where_ours_is_due_next(interval, zone, said, first):
    (found,) = spoken(interval, zone, NOW, "triggers.t")
    assert (found.expression, found.zone) == (said, zone)
    assert datetime.fromtimestamp(found.start, UTC) == first == next_time(interval, NOW, zone)


def test_a_day_is_a_cron_since_a_rate_would_drift_when_clocks_change():
    (found,) = spoken(timedelta(days=1), "Europe/Berlin", NOW, "triggers.t")
    assert found == ("cron(0 0 * * ? *)", "Europe/Berlin", 0)


@pytest.mark.parametrize(
    ("schedule", "zone", "said"),
    [
        (parse_cron("30 0 6 * * *"), "UTC", r"triggers\.t: .* to the minute"),
        (parse_cron("0 0 */2 * MON"), "UTC", r"triggers\.t: .* a day of the month and a weekday"),
        (timedelta(seconds=90), "UTC", r"triggers\.t: .* whole minutes"),
        (timedelta(days=2), "Europe/Berlin", r"triggers\.t: .* 24 hours, and in Europe/Berlin clocks change"),
        (
            parse_cron(
                ",".join(map(str, range(0, 60, 2)))
                + " "
                + ",".join(map(str, range(0, 24, 2)))
                + " "
                + ",".join(map(str, range(1, 32, 2)))
                + " 1,3,5,7,9,11 *"
            ),
            "UTC",
            None,
        ),
    ],
    ids=["seconds", "day and weekday", "90 s", "days where clocks change", "long, but it fits"],
)
def test_what_cannot_be_said_is_refused_by_name(schedule, zone, said):
    if said is None:
        assert len(spoken(schedule, zone, NOW, "triggers.t")) == 1
        return
    with pytest.raises(NotBuiltYetError, match=said):
        spoken(schedule, zone, NOW, "triggers.t")


def numbers(field, low, high):
    """The numbers of one field of AWS's cron, read by another reader than ours."""
    if field in {"*", "?"}:
        return set(range(low, high + 1))
    found = set()
    for part in field.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def fires(expression, moment):
    """Whether AWS's cron expression fires at a minute (guide, "Cron-based schedules": weekday 1 is Sunday)."""
    minute, hour, day, month, weekday, year = re.fullmatch(r"cron\((.*)\)", expression)[1].split()
    assert (day == "?") != (weekday == "?"), "one of the two days is ?, the other is not"
    assert year == "*"
    return (
        moment.minute in numbers(minute, 0, 59)
        and moment.hour in numbers(hour, 0, 23)
        and moment.day in numbers(day, 1, 31)
        and moment.month in numbers(month, 1, 12)
        and moment.isoweekday() % 7 + 1 in numbers(weekday, 1, 7)
    )


def test_random_crons_fire_at_the_very_same_minutes(record_property):
    chance = random.Random(11)

    def field(low, high, steps=True):
        kind = chance.randrange(4 if steps else 3)
        first = chance.randint(low, high)
        if kind == 0:
            return "*"
        if kind == 1:
            return str(first)
        if kind == 2:
            return f"{first}-{chance.randint(first, high)}"
        return f"*/{chance.randint(1, high - low)}"

    said = refused = 0
    for _ in range(300):
        text = f"{field(0, 59)} {field(0, 23)} {field(1, 28, False)} {field(1, 12)} {field(0, 6, False)}"
        cron = parse_cron(text)
        try:
            found = [each.expression for each in spoken(cron, "UTC", NOW, "t")]
        except NotBuiltYetError:
            refused += 1
            continue
        said += 1
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(500_000))
        for _ in range(3):
            ours = next_time(cron, moment, "UTC")
            assert any(fires(each, ours) for each in found), (text, found, ours)
            before = ours - timedelta(minutes=1)
            if before > moment:
                assert not any(fires(each, before) for each in found), (text, found, before)
            moment = ours
    assert said > 200
    assert refused < 50
    record_property("covered", f"schedules on AWS: {said} random crons said, firing as ours do; {refused} refused")
