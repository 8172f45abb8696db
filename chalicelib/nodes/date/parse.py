"""`date.parse`."""

from datetime import tzinfo

from chalicelib.flow import dates
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.nodes.date.clocks import Time, in_zone
from chalicelib.nodes.date.reading import read_with


class Parse(Action):
    """Read a time as services write it, and return it as ISO 8601 in UTC.

    Without a pattern it reads ISO 8601, RFC 2822 (mails, HTTP headers) and milliseconds since 1970.
    """

    effect = "pure"
    example = Example(
        given={"time": "20.11.2026 08:00", "pattern": "dd.MM.yyyy HH:mm", "zone": "Europe/Berlin"},
        returns="2026-11-20T07:00:00.000Z",
    )
    more_examples = (
        Example(
            given={"time": "Fri, 20 Nov 2026 07:00:00 +0000", "zone": "UTC"},
            returns="2026-11-20T07:00:00.000Z",
            about="From a mail",
        ),
        Example(given={"time": 1795158000000, "zone": "UTC"}, returns="2026-11-20T07:00:00.000Z", about="Milliseconds"),
    )

    time: Time
    """The time to read."""
    pattern: str | None = None
    """How it is written, in Luxon's letters, such as `dd.MM.yyyy HH:mm`; names of months are English."""
    zone: str | None = None
    """The time zone it is in, unless it says so itself; left out, the flow's."""

    def run(self) -> Conversation:
        """The time; fails with `date_invalid` where it cannot be read."""
        return in_zone(self.zone, self._read)

    def _read(self, zone: tzinfo) -> Json:
        if self.pattern is None:
            return dates.iso(dates.read_time(self.time, zone))
        return dates.iso(read_with(self.pattern, str(self.time), zone))
