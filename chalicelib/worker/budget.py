"""How long an invocation may still work. Times are epoch milliseconds."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SKEW = 5_000
"""By how much two clocks of one deployment may differ, and how long a last write may take."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MILLISECOND = timedelta(milliseconds=1)


def to_milliseconds(moment: datetime) -> int:
    """Epoch milliseconds of an aware moment."""
    return (moment - EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """The moment, aware, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_text(milliseconds: int) -> str:
    """RFC 3339 in UTC, with three decimals and `Z`."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    """A second of the epoch as text; most of what is asked for lies in the last few."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@dataclass(frozen=True, slots=True)
class Budget:
    """When this invocation must be over, and so how long its leases last: no heartbeats, a step's time-out must fit."""

    deadline: int

    @property
    def lease_until(self) -> int:
        """When a lease taken by this invocation runs out."""
        return self.deadline + SKEW

    def fits(self, now: int, seconds: float) -> bool:
        """Whether work of this length, and the write after it, still fits."""
        return now + seconds * 1000 + 1_000 <= self.deadline

    def remaining_seconds(self, now: int) -> float:
        """What is left, never below zero."""
        return max(0.0, (self.deadline - now) / 1000)
