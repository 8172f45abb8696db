"""`date.format`."""

from datetime import tzinfo

from chalicelib.flow import dates
from chalicelib.flow.date_patterns import format_time
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.values import GetMoment
from chalicelib.nodes.date.clocks import AT_EIGHT, Time, in_zone


class Format(Action):
    """Write a time as people read it, by a pattern; names of months and days are English."""

    effect = "pure"
    example = Example(
        given={"time": "2026-11-20T07:00:00Z", "pattern": "cccc, d MMMM yyyy 'at' HH:mm"},
        sends=(GetMoment(),),
        receives=(AT_EIGHT,),
        returns="Friday, 20 November 2026 at 08:00",
    )
    more_examples = (
        Example(
            given={"time": "2026-11-20T07:00:00Z", "pattern": "yyyy-MM-dd HH:mm ZZ", "zone": "Asia/Tokyo"},
            returns="2026-11-20 16:00 +09:00",
            about="As clocks elsewhere show it",
        ),
    )

    time: Time
    """The time to write; text without an offset is in the zone."""
    pattern: str = "yyyy-MM-dd"
    """How to write it, in Luxon's letters; text goes in 'single quotes'."""
    zone: str | None = None
    """The time zone, such as `Europe/Berlin`; left out, the flow's."""

    def run(self) -> Conversation:
        """The text; fails with `date_invalid` where the time, the pattern or the zone cannot be understood."""
        return in_zone(self.zone, self._write)

    def _write(self, zone: tzinfo) -> Json:
        return format_time(dates.read_time(self.time, zone), self.pattern, zone)
