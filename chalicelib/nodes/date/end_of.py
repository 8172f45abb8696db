"""`date.end_of`."""

from datetime import timedelta, tzinfo

from chalicelib.flow import dates
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.nodes.date.clocks import Time, Unit, in_zone

_BEYOND = {
    "day": timedelta(hours=36),
    "week": timedelta(days=10),
    "month": timedelta(days=40),
    "quarter": timedelta(days=110),
    "year": timedelta(days=400),
}
"""From the beginning of a unit this leads into the next one, however long it is."""


class EndOf(Action):
    """Find the last millisecond of the day, week, month and so on that a time lies in; a week ends on Sunday."""

    effect = "pure"
    example = Example(
        given={"time": "2026-11-20T07:00:00Z", "unit": "month", "zone": "Europe/Berlin"},
        returns="2026-11-30T22:59:59.999Z",
    )

    time: Time
    """The time."""
    unit: Unit = "day"
    """What to find the end of."""
    zone: str | None = None
    """The time zone whose clocks and calendar count; left out, the flow's."""

    def run(self) -> Conversation:
        """The last millisecond, as ISO 8601 in UTC; fails with `date_invalid` where the time cannot be read."""
        return in_zone(self.zone, self._end)

    def _end(self, zone: tzinfo) -> Json:
        begin = dates.start_of(dates.read_time(self.time, zone), self.unit, zone)
        if self.unit in _BEYOND:
            following = dates.start_of(dates.shift(begin, _BEYOND[self.unit]), self.unit, zone)
        else:
            following = dates.shift(begin, timedelta(**{f"{self.unit}s": 1}))
        return dates.iso(following - timedelta(milliseconds=1))
