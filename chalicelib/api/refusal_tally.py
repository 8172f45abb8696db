"""Refused deliveries, counted by flow, trigger and reason; of the deliveries themselves nothing is kept.

Strangers decide how often something is refused, so it must cost little: the first few are written at once, and beyond
those the counts are gathered in memory and written one time in ten seconds. What a process had not written when it
ended is not counted.
"""

import logging
from dataclasses import replace
from typing import Final

from chalicelib.api.times import to_milliseconds
from chalicelib.errors import PenstockError, StoreError
from chalicelib.ports import Clock, Refusal, Refusals

BURST: Final = 20
"""Writes that a process may do at once."""
WRITE_MS: Final = 10_000
"""After this long it may do one more."""
MOST_PENDING: Final = 1_000
DAY_MS: Final = 86_400_000

_log = logging.getLogger("penstock.hooks")


class RefusalTally:
    """Counts refusals, and writes them down within bounds; one for the life of a process."""

    def __init__(self, store: Refusals, clock: Clock) -> None:
        self.store = store
        self._clock = clock
        self._pending: dict[tuple[str, Refusal], tuple[int, int]] = {}
        """By tenant and refusal (without its count and its time): the count, the last time."""
        self._left = BURST
        self._refilled = to_milliseconds(clock.now())

    async def note(self, tenant: str, flow: str, trigger: str, reason: str) -> None:
        """Count one; never raises because it cannot be written."""
        now = to_milliseconds(self._clock.now())
        key = (tenant, Refusal(flow, trigger, reason, now // DAY_MS, 0, 0))
        if key not in self._pending and len(self._pending) >= MOST_PENDING:
            return
        self._pending[key] = (self._pending.get(key, (0, 0))[0] + 1, now)
        await self.flush()

    async def flush(self, *, is_last: bool = False) -> None:
        """Write what is pending, as far as more writes are allowed now; all of it where there will be no other time."""
        while self._pending and (is_last or self._may_write()):
            tenant, first = next(iter(self._pending))
            keys = [
                key for key in self._pending if (key[0], key[1].flow, key[1].day) == (tenant, first.flow, first.day)
            ]
            taken = {key: self._pending.pop(key) for key in keys}  # taken before the wait: nobody else writes them
            counted = [replace(key[1], count=count, last=last) for key, (count, last) in taken.items()]
            try:
                await self.store.add(tenant, first.flow, first.day, counted)
            except PenstockError as error:
                _log.warning("refused deliveries could not be counted: %s", error.detail)
                if isinstance(error, StoreError):  # it certainly did not take place
                    self._put_back(taken)
                return

    def _put_back(self, taken: dict[tuple[str, Refusal], tuple[int, int]]) -> None:
        for key, (count, last) in taken.items():
            known = self._pending.get(key, (0, 0))
            self._pending[key] = (known[0] + count, max(known[1], last))

    def _may_write(self) -> bool:
        now = to_milliseconds(self._clock.now())
        more = (now - self._refilled) // WRITE_MS
        if more > 0:
            self._left = min(BURST, self._left + more)
            self._refilled += more * WRITE_MS
        if self._left < 1:
            return False
        self._left -= 1
        return True
