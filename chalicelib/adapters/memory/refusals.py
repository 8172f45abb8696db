"""Counts of refused deliveries in memory."""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.ports import DAYS_KEPT, Refusal


class MemoryRefusals:
    """Fulfils `ports.Refusals`."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], dict[tuple[str, str], Refusal]] = {}

    async def add(self, tenant: str, flow: str, day: int, refusals: Sequence[Refusal]) -> None:
        """Add to one flow's counts of one day."""
        counts = self._counts.setdefault((tenant, flow, day), {})
        for each in refusals:
            known = counts.get((each.trigger, each.reason))
            counts[each.trigger, each.reason] = replace(each, count=each.count + (known.count if known else 0))
        for key in [key for key in self._counts if key[2] < day - DAYS_KEPT]:
            del self._counts[key]

    async def of(self, tenant: str, flow: str, since: int) -> Sequence[Refusal]:
        """A flow's counts from this day on."""
        return [
            refusal
            for (owner, name, day), counts in self._counts.items()
            if (owner, name) == (tenant, flow) and day >= since
            for refusal in counts.values()
        ]
