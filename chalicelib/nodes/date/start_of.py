"""`date.start_of`."""

from datetime import tzinfo

from chalicelib.flow import dates
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.nodes.date.clocks import Time, Unit, in_zone


class StartOf(Action):
    """Find the beginning of the day, week, month and so on that a time lies in; a week begins on Monday."""

    effect = "pure"
    example = Example(
        given={"time": "2026-11-20T07:00:00Z", "unit": "month", "zone": "Europe/Berlin"},
        returns="2026-10-31T23:00:00.000Z",
    )

    time: Time
    """The time."""
    unit: Unit = "day"
    """What to find the beginning of."""
    zone: str | None = None
    """The time zone whose clocks and calendar count; left out, the flow's."""

    def run(self) -> Conversation:
        """The first moment, as ISO 8601 in UTC; fails with `date_invalid` where the time cannot be read."""
        return in_zone(self.zone, self._begin)

    def _begin(self, zone: tzinfo) -> Json:
        return dates.iso(dates.start_of(dates.read_time(self.time, zone), self.unit, zone))
