"""Buckets of tokens in the memory of one process.

Right wherever one process sees everything, as the embedded server does: a bucket is full again after its own window at
the latest, so a restart forgives at most what one window would have, and writing each token down would cost every
delivery a commit.
"""

from collections import OrderedDict

from chalicelib.kit.rates import Rate
from chalicelib.ports import Clock
from chalicelib.ports.limits import SECOND, milliseconds, price, wait_for

MOST_BUCKETS = 50_000
"""About 10 MB. Beyond it the one that was used the longest ago is forgotten, that is: full again."""


class MemoryLimits:
    """Fulfils `ports.Limits`."""

    def __init__(self, clock: Clock, most: int = MOST_BUCKETS) -> None:
        self._clock = clock
        self._most = most
        self._full_at: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def take(self, tenant: str, name: str, cost: int, rate: Rate) -> int:
        """Take so many tokens."""
        now = int(self._clock.now().timestamp() * SECOND)
        full_at = self._full_at.get((tenant, name), 0)
        cost = min(cost, rate.tokens)
        wait = wait_for(full_at, now, cost, rate)
        if not wait:
            self._full_at[tenant, name] = max(full_at, now) + price(cost, rate)
        if (tenant, name) in self._full_at:
            self._full_at.move_to_end((tenant, name))
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return milliseconds(wait)
