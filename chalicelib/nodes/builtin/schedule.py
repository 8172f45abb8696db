"""A way in by the clock."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from chalicelib.kit import cron as timing
from chalicelib.kit.action import Trigger
from chalicelib.kit.fields import Duration, Zone


def _understood(text: object) -> object:
    """A cron expression that can fire."""
    if not isinstance(text, str):
        raise ValueError("must be text, such as 0 6 * * MON")  # noqa: TRY004 - pydantic reports ValueError only
    timing.parse_cron(text)
    return text


class Schedule(Trigger):
    """Start an execution at set times.

    Where clocks change, a time that does not exist that day is skipped, and a time that comes twice fires once; a
    schedule for every hour follows real time. `every` counts from the full hour (whole days: from midnight), so
    `every: 15m` fires at :00, :15, :30 and :45.

    Beside `with`, `overlap` says what a time does while the execution of an earlier one has not ended: `allow` (as if
    left out) starts another, `skip` lets this time pass, `queue` starts it afterwards. `catch_up` says which of the
    times that passed while nothing could be started are made up for: `none` (as if left out), the `last`, or `all`.
    """

    hands_over = {
        "name": "The trigger's id.",
        "at": "The planned time, in UTC.",
        "previous": "The planned time before this one; null the first time.",
    }
    example = {"cron": "0 6 * * MON"}

    cron: Annotated[str, BeforeValidator(_understood), Field(json_schema_extra={"widget": "cron"})] | None = None
    """When it fires: `minute hour day month weekday`, such as `0 6 * * MON`; of six fields, the first is seconds."""
    every: Duration | None = None
    """The interval, instead of `cron`: `15m`, `1h`, `1d`."""
    timezone: Zone | None = None
    """The time zone of `cron` and of whole days, such as `Europe/Berlin`; without it, the flow's."""

    @model_validator(mode="after")
    def _fires(self) -> Self:
        timing.schedule_of({"cron": self.cron, "every": self.every})
        return self

    def next_after(self, moment: datetime, zone: str) -> datetime:
        """The first time after `moment` at which it fires, in UTC; `zone` is the flow's."""
        return timing.next_time(self.schedule, moment, self.timezone or zone)

    @property
    def schedule(self) -> timing.Schedule:
        """What `kit.cron` works with."""
        return timing.schedule_of({"cron": self.cron, "every": self.every})
