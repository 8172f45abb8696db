"""How often somebody may, as a Protocol, and the arithmetic that every store of it shares.

A bucket of tokens, kept as one moment: when it is full again (the generic cell rate algorithm; ITU-T I.371, annex A,
in its form as virtual scheduling). Moments are epoch microseconds, so that a million a second can be told apart.
"""

from typing import Final, Protocol

from chalicelib.kit.rates import Rate

SECOND: Final = 1_000_000
"""Microseconds."""


class Limits(Protocol):
    """Buckets of tokens by tenant and name; one that nobody has taken from is full."""

    async def take(self, tenant: str, name: str, cost: int, rate: Rate) -> int:
        """Take so many tokens (no more than the bucket holds): 0, or the milliseconds after which they will be there.

        Where it is not 0, nothing was taken. Raises StoreError, TimedOutError or CutOffError where the bucket cannot
        be asked; whether that is to stop anybody is the caller's to say.
        """
        ...


def price(cost: int, rate: Rate) -> int:
    """The microseconds in which so many tokens come back."""
    return rate.seconds * SECOND * cost // rate.tokens


def wait_for(full_at: int, now: int, cost: int, rate: Rate) -> int:
    """The microseconds until so many tokens are there, in a bucket that is full again at `full_at`; 0: they are."""
    return max(0, max(full_at, now) + price(cost, rate) - now - rate.seconds * SECOND)


def tokens_in(full_at: int, now: int, rate: Rate) -> int:
    """How many tokens are there now."""
    return max(0, (rate.seconds * SECOND - max(0, full_at - now)) * rate.tokens // (rate.seconds * SECOND))


def milliseconds(wait: int) -> int:
    """Microseconds as milliseconds, rounded up: who waits that long does not come too early."""
    return -(-wait // 1000)
