"""A pause in the flow."""

from datetime import UTC, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from chalicelib.errors import NotBuiltYetError, ParameterError
from chalicelib.flow.dates import iso
from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import Duration
from chalicelib.kit.values import Moment, Outcome, Succeeded, Waits

LONGEST: Final = timedelta(minutes=15)
"""What one queue delay can hold (SQS, DelaySeconds: 900)."""


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

    A moment that has passed does not wait. For now a wait lasts at most 15 minutes.
    """

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
    )

    for_: Duration | None = Field(default=None, alias="for", json_schema_extra={"x-maximum": "15m"})
    """How long, such as `30s`, `10m`; at most `15m` for now."""
    until: str | None = Field(default=None, json_schema_extra={"widget": "time"})
    """Until when, as ISO 8601, such as `2026-11-20T09:00`; without an offset it is in the flow's time zone."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.for_ is None) == (self.until is None):
            raise ValueError("needs either `for` or `until`, not both")
        if self.for_ is not None and self.for_ > LONGEST:
            raise NotBuiltYetError("with.for: a wait of more than 15 minutes cannot be done yet; write at most 15m")
        return self

    def decide(self, moment: Moment) -> Outcome:
        """When to go on, counted from the step's own time."""
        until = moment.now + self.for_ if self.for_ is not None else read_time(self.until or "", moment.zone)
        value = {"until": iso(until)}
        if until <= moment.now:
            return Succeeded(value)
        if until - moment.now > LONGEST:
            raise NotBuiltYetError("with.until: a wait of more than 15 minutes cannot be done yet")
        return Waits(until, value)
