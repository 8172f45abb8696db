"""How often deliveries were refused, as a Protocol, and the value that crosses it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

DAYS_KEPT: Final = 30
"""Counts of a day are gone after this many more."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How often deliveries to one trigger were refused for one reason on one day.

    Attributes:
        flow: its name; empty for addresses of no flow.
        trigger: its id; empty for addresses of no trigger.
        reason: an error's code, such as `signature_wrong`.
        day: in UTC, counted from 1970-01-01.
        count: how often.
        last: the last time, in epoch milliseconds.
    """

    flow: str
    trigger: str
    reason: str
    day: int
    count: int
    last: int


class Refusals(Protocol):
    """Counts by flow, trigger, reason and day; nothing of the deliveries themselves."""

    async def add(self, tenant: str, flow: str, day: int, refusals: Sequence[Refusal]) -> None:
        """Add to one flow's counts of one day, in one write; a former `last` may be replaced by an earlier one.

        Raises StoreError where it certainly did not take place, TimedOutError or CutOffError where nobody knows.
        """
        ...

    async def of(self, tenant: str, flow: str, since: int) -> Sequence[Refusal]:
        """A flow's counts from this day on, in no order."""
        ...
