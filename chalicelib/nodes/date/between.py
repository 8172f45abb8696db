"""`date.between`."""

from datetime import datetime, tzinfo
from typing import Literal

from chalicelib.flow import dates
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.nodes.date.clocks import Time, in_zone, shift_calendar


class Between(Action):
    """How much time lies between two times, in one unit.

    Milliseconds to weeks are measured by the clock (a day is 24 hours) and may have a fraction. Calendar days, months
    and years are whole ones in the zone: from 31 January to 28 February is one month.
    """

    effect = "pure"
    example = Example(
        given={"start": "2026-11-20T07:00:00Z", "end": "2026-11-21T19:00:00Z", "unit": "days", "zone": "UTC"},
        returns=1.5,
    )
    more_examples = (
        Example(
            given={"start": "2026-01-31", "end": "2026-02-28", "unit": "months", "zone": "Europe/Berlin"},
            returns=1,
            about="Whole months of the calendar",
        ),
        Example(
            given={
                "start": "2026-11-20T23:30",
                "end": "2026-11-21T00:30",
                "unit": "calendar_days",
                "zone": "Europe/Berlin",
            },
            returns=1,
            about="Days of the calendar: midnight lies between",
        ),
        Example(
            given={"start": "2026-11-21T00:00Z", "end": "2026-11-20T23:00Z", "unit": "hours", "zone": "UTC"},
            returns=-1,
            about="Negative where the end comes first",
        ),
    )

    start: Time
    """The first time."""
    end: Time
    """The second time."""
    unit: Literal[
        "milliseconds", "seconds", "minutes", "hours", "days", "weeks", "calendar_days", "months", "years"
    ] = "days"
    """What to count."""
    zone: str | None = None
    """The time zone whose calendar counts; left out, the flow's."""

    def run(self) -> Conversation:
        """A number, negative where the end is earlier; fails with `date_invalid` where a time cannot be read."""
        return in_zone(self.zone, self._measure)

    def _measure(self, zone: tzinfo) -> Json:
        start, end = dates.read_time(self.start, zone), dates.read_time(self.end, zone)
        match self.unit:
            case "calendar_days":
                return end.astimezone(zone).toordinal() - start.astimezone(zone).toordinal()
            case "months":
                return _whole_months(start, end, zone)
            case "years":
                months = _whole_months(start, end, zone)
                return months // 12 if months >= 0 else -(-months // 12)
            case _:
                return dates.between(start, end, self.unit)


def _whole_months(start: datetime, end: datetime, zone: tzinfo) -> int:
    """Whole months from the earlier to the later, negative where the end is earlier."""
    if end < start:
        return -_whole_months(end, start, zone)
    first, last = start.astimezone(zone), end.astimezone(zone)
    months = 12 * (last.year - first.year) + last.month - first.month
    is_over = months and shift_calendar(start, zone, months=months, days=0) > end
    return months - 1 if is_over else months
