"""`date.convert`."""

from datetime import tzinfo

from chalicelib.flow import dates
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.nodes.date.clocks import Time, in_zone, with_offset


class Convert(Action):
    """Write a time as clocks in another time zone show it, with their offset from UTC."""

    effect = "pure"
    example = Example(
        given={"time": "2026-11-20 08:00", "zone": "Europe/Berlin", "to": "America/New_York"},
        returns="2026-11-20T02:00:00.000-05:00",
    )

    time: Time
    """The time."""
    to: str
    """The time zone to write it in, such as `America/New_York` or `+05:30`."""
    zone: str | None = None
    """The time zone it is in, unless it says so itself; left out, the flow's."""

    def run(self) -> Conversation:
        """The time as ISO 8601 with its offset; fails with `date_invalid` where time or zone cannot be understood."""
        return in_zone(self.zone, self._convert)

    def _convert(self, zone: tzinfo) -> Json:
        return with_offset(dates.read_time(self.time, zone), dates.zone_of(self.to))
