"""`date.subtract`."""

from datetime import tzinfo
from typing import Annotated

from pydantic import Field

from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.nodes.date.clocks import Time, in_zone, moved

_Count = Annotated[int, Field(ge=0, le=1_000_000)]


class Subtract(Action):
    """Find the time so much earlier.

    Years, months and days follow the calendar of the zone: the time of day stays, and a day that a month does not have
    becomes its last. Then the `duration` follows, in which a day is 24 hours.
    """

    effect = "pure"
    example = Example(
        given={"time": "2026-03-31T09:00:00Z", "months": 1, "zone": "UTC"}, returns="2026-02-28T09:00:00.000Z"
    )
    more_examples = (
        Example(
            given={"time": "2026-03-29T07:00:00Z", "days": 1, "zone": "Europe/Berlin"},
            returns="2026-03-28T08:00:00.000Z",
            about="A day of 23 hours: nine o'clock stays nine o'clock",
        ),
        Example(
            given={"time": "2026-11-20T07:00:00Z", "duration": "1h30m", "zone": "UTC"},
            returns="2026-11-20T05:30:00.000Z",
            about="Hours and minutes",
        ),
    )

    time: Time
    """The time to start from."""
    years: _Count = 0
    """How many years earlier."""
    months: _Count = 0
    """How many months earlier."""
    days: _Count = 0
    """How many days earlier, by the calendar."""
    duration: str | None = None
    """How much earlier, by the clock: `90s`, `15m`, `1h30m`, `2d`, `1w`."""
    zone: str | None = None
    """The time zone whose calendar counts; left out, the flow's."""

    def run(self) -> Conversation:
        """The time as ISO 8601 in UTC; fails with `date_invalid` where there is none."""
        return in_zone(self.zone, self._shift)

    def _shift(self, zone: tzinfo) -> Json:
        months = 12 * self.years + self.months
        return moved(self.time, zone, -1, months=months, days=self.days, duration=self.duration)
