"""EventBridge Scheduler's cron expressions, read by another reader than ours: when it says that they fire."""

import re
from zoneinfo import ZoneInfo


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


def fires_at(expression, zone, instant):
    """Whether it fires at this minute in a zone, as Scheduler says of clocks that change: a time that comes twice counts
    once; one that is left out, not at all."""
    wall = instant.astimezone(ZoneInfo(zone))
    return wall.fold == 0 and fires(expression, wall)
