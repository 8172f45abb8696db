"""Schedules in EventBridge Scheduler's words: they fire whenever ours do, and mostly not in other minutes."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.aws.schedule_text import spoken
from chalicelib.kit.cron import next_time, parse_cron, schedule_of
from tests.scheduler import fires, fires_at

NOW = datetime(2026, 11, 20, 10, 7, 30, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def said(text, zone="UTC"):
    """What a cron or an interval becomes: its expressions, and the zone they share."""
    given = {"cron": text} if " " in text or text.startswith("@") else {"every": text}
    found = spoken(schedule_of(given), zone, NOW)
    (one,) = {each.zone for each in found}
    return [each.expression for each in found], one


@pytest.mark.parametrize(
    ("cron", "expressions"),
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
def test_a_cron_is_said_in_six_fields(cron, expressions):
    assert said(cron) == (expressions, "UTC")


def test_a_cron_keeps_its_zone():
    assert said("0 6 * * *", BERLIN) == (["cron(0 6 * * ? *)"], BERLIN)


@pytest.mark.parametrize(
    ("cron", "zone", "expression"),
    [
        ("*/10 * * * * *", "UTC", "cron(* * * * ? *)"),
        ("30 0 6 * * *", "UTC", "cron(0 6 * * ? *)"),
        ("0 0 */2 * MON", "UTC", "cron(0 0 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 * ? *)"),
    ],
    ids=["each minute for its seconds", "the one minute for its second", "days, of which some are Mondays"],
)
def test_what_scheduler_has_no_words_for_fires_in_more_minutes(cron, zone, expression):
    assert said(cron, zone) == ([expression], zone)


@pytest.mark.parametrize(
    ("cron", "zone", "expressions"),
    [
        ("0 * * * *", BERLIN, (["cron(0 * * * ? *)"], "UTC")),
        ("0 */6 * * MON", BERLIN, (["cron(0 * * * ? *)"], "UTC")),
        ("0 * * * *", "Australia/Lord_Howe", (["cron(0,30 * * * ? *)"], "UTC")),
        ("0 * * * *", "Asia/Kolkata", (["cron(0 * * * ? *)"], "Asia/Kolkata")),
    ],
)
def test_what_follows_real_time_where_clocks_change_is_said_in_utc(cron, zone, expressions):
    assert said(cron, zone) == expressions


@pytest.mark.parametrize(
    ("interval", "zone", "expressions"),
    [
        ("5m", BERLIN, (["cron(0,5,10,15,20,25,30,35,40,45,50,55 * * * ? *)"], "UTC")),
        ("1m", "UTC", (["cron(* * * * ? *)"], "UTC")),
        ("1h", BERLIN, (["cron(0 * * * ? *)"], "UTC")),
        ("6h", BERLIN, (["cron(0 0,6,12,18 * * ? *)"], "UTC")),
        ("5h", "UTC", (["cron(0 * * * ? *)"], "UTC")),
        ("90m", "UTC", (["cron(0,30 * * * ? *)"], "UTC")),
        ("7m", "UTC", (["cron(* * * * ? *)"], "UTC")),
        ("90s", "UTC", (["cron(* * * * ? *)"], "UTC")),
        ("10s", "UTC", (["cron(* * * * ? *)"], "UTC")),
        ("1d", BERLIN, (["cron(0 0 * * ? *)"], BERLIN)),
        ("2d", BERLIN, (["cron(0 0 * * ? *)"], BERLIN)),
        ("1d", "Africa/Cairo", (["cron(0 0-1 * * ? *)"], "Africa/Cairo")),
    ],
)
def test_an_interval_is_a_cron_that_fires_at_least_as_often(interval, zone, expressions):
    assert said(interval, zone) == expressions


def test_the_longest_expression_is_one_that_scheduler_takes():
    by_twos = [",".join(f"{n}-{n + 1}" for n in range(low, high, 3)) for low, high in ((0, 59), (0, 23), (1, 31))]
    minutes, hours, days = by_twos
    ((expression,), _) = said(f"{minutes} {hours} {days} 1-2,4-5,7-8,10-11 *")
    assert 200 < len(expression) <= 256, "CreateSchedule takes 256 characters (its API reference)"


def test_random_crons_of_five_fields_fire_at_the_very_same_minutes(record_property):
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

    for _ in range(300):
        text = f"{field(0, 59)} {field(0, 23)} {field(1, 28, False)} {field(1, 12)} {field(0, 6, False)}"
        cron = parse_cron(text)
        found = [each.expression for each in spoken(cron, "UTC", NOW)]
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(500_000))
        for _ in range(3):
            ours = next_time(cron, moment, "UTC")
            assert any(fires(each, ours) for each in found), (text, found, ours)
            before = ours - timedelta(minutes=1)
            if before > moment:
                assert not any(fires(each, before) for each in found), (text, found, before)
            moment = ours
    record_property("covered", "schedules on AWS: 300 random crons, firing as ours do")


def random_schedule(chance):
    def field(low, high):
        kind, first = chance.randrange(4), chance.randint(low, high)
        if kind == 0:
            return "*"
        if kind == 1:
            return str(first)
        if kind == 2:
            return f"{first}-{chance.randint(first, high)}"
        return f"*/{chance.randint(1, high - low)}"

    if chance.randrange(3) == 0:
        unit, most = chance.choice([("s", 7200), ("m", 1440), ("h", 24), ("d", 5)])
        return {"every": f"{chance.randint(1, most)}{unit}"}
    seconds = f"{field(0, 59)} " if chance.randrange(3) == 0 else ""
    return {"cron": f"{seconds}{field(0, 59)} {field(0, 23)} {field(1, 28)} {field(1, 12)} {field(0, 6)}"}


ZONES = ("UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo", "America/Santiago")
CHANGES = (  # instants about which clocks change, in one of the zones or another
    datetime(2027, 3, 14, 7, tzinfo=UTC),
    datetime(2027, 3, 28, 1, tzinfo=UTC),
    datetime(2027, 4, 3, 15, tzinfo=UTC),
    datetime(2027, 4, 29, 22, tzinfo=UTC),
    datetime(2027, 9, 5, 4, tzinfo=UTC),
    datetime(2027, 10, 31, 1, tzinfo=UTC),
    datetime(2027, 11, 7, 6, tzinfo=UTC),
)


def test_scheduler_fires_in_every_minute_in_which_a_random_schedule_does(record_property):
    chance = random.Random(11)
    checked = 0
    for _ in range(500):
        given, zone = random_schedule(chance), chance.choice(ZONES)
        try:
            schedule = schedule_of(given)
        except ValueError:
            continue
        found = spoken(schedule, zone, NOW)
        start = chance.choice(CHANGES) if chance.randrange(2) else NOW + timedelta(minutes=chance.randrange(500_000))
        moment = start - timedelta(hours=chance.randrange(30))
        for _ in range(12):
            moment = next_time(schedule, moment, zone)
            assert any(fires_at(each.expression, each.zone, moment) for each in found), (given, zone, found, moment)
            checked += 1
    assert checked > 4000
    record_property("covered", f"schedules on AWS: {checked} moments of random schedules, each in a minute that fires")
