"""A pause in the flow."""

from datetime import UTC, datetime
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from chalicelib.errors import ParameterError
from chalicelib.flow.dates import iso
from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import LONGEST_WAIT, Pause
from chalicelib.kit.outputs import TEXT, shape
from chalicelib.kit.values import Moment, Outcome, Succeeded, Waits


def read_time(text: str, zone: str) -> datetime:
    """A moment in UTC, written as ISO 8601: with an offset, or in the zone; a bare date is its midnight."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the offset may lead beyond the years 1 to 9999
        raise ParameterError(
            "with.until: is not a time; write ISO 8601, such as 2026-11-20T09:00 or 2026-11-20"
        ) from error


class Wait(Control):
    """Wait for a length of time, or until a moment; then go on.

    It lasts up to 366 days, through restarts and new versions of the flow. A moment that has passed does not wait. The
    value is `{"until"}`: the moment, in UTC.
    """

    output = shape(until=TEXT)
    example = Example(
        given={"for": "10m"},
        returns=Waits(datetime(2026, 11, 20, 7, 10, tzinfo=UTC), {"until": "2026-11-20T07:10:00.000Z"}),
    )
    more_examples = (
        Example(
            given={"until": "2026-11-20T08:05"},
            returns=Waits(datetime(2026, 11, 20, 7, 5, tzinfo=UTC), {"until": "2026-11-20T07:05:00.000Z"}),
            about="In the flow's time zone, here Europe/Berlin.",
        ),
        Example(
            given={"until": "2026-11-01"},
            returns={"until": "2026-10-31T23:00:00.000Z"},
            about="Already past: the step is done at once.",
        ),
        Example(
            given={"for": "30d"},
            returns=Waits(datetime(2026, 12, 20, 7, 0, tzinfo=UTC), {"until": "2026-12-20T07:00:00.000Z"}),
            about="A day is 24 hours, whatever the clocks do.",
        ),
    )

    for_: Pause | None = Field(default=None, alias="for")
    """How long, such as `30s`, `10m` or `14d`; at most `366d`."""
    until: str | None = Field(default=None, json_schema_extra={"widget": "time"})
    """Until when, as ISO 8601, such as `2026-11-20T09:00`; without an offset it is in the flow's time zone."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.for_ is None) == (self.until is None):
            raise ValueError("needs either `for` or `until`, not both")
        return self

    def decide(self, moment: Moment) -> Outcome:
        """When to go on, counted from the step's own time."""
        until = moment.now + self.for_ if self.for_ is not None else read_time(self.until or "", moment.zone)
        value = {"until": iso(until)}
        if until <= moment.now:
            return Succeeded(value)
        if until - moment.now > LONGEST_WAIT:
            raise ParameterError("with.until: is more than 366 days away; a step waits a year at most")
        return Waits(until, value)
