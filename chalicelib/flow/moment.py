"""The time and the randomness that an expression sees: arguments, and the same on every worker (design 4.4)."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Moment:
    """What `$now`, `$random` and the time zone are while a step's expressions are evaluated.

    `now` is the latest end in the facts the step sees, with a zone of its own; `seed` is the step's own randomness, a
    hash of its place in the execution; `zone` is the flow's time zone (`Europe/Berlin`).
    """

    now: datetime
    seed: bytes
    zone: str = "UTC"


class Stream:
    """Random numbers that depend on a seed and a place alone: SHA-256 over both and a counter.

    Each expression has a stream of its own, so what it draws does not depend on which one is evaluated first.
    """

    __slots__ = ("_count", "_place", "_seed")

    def __init__(self, seed: bytes, place: str) -> None:
        self._seed = seed
        self._place = place
        self._count = 0

    def random(self) -> float:
        """The next number from 0 up to but without 1, in steps of 2^-53."""
        return (int.from_bytes(self._block()[:8], "big") >> 11) / (1 << 53)

    def uuid(self) -> str:
        """The next random UUID (version 4)."""
        from uuid import UUID  # imported late: it asks the system about itself, and few expressions want one

        return str(UUID(bytes=self._block()[:16], version=4))

    def _block(self) -> bytes:
        self._count += 1
        lengths = len(self._seed).to_bytes(4, "big") + self._count.to_bytes(8, "big")
        return sha256(lengths + self._seed + self._place.encode("utf-8", "surrogatepass")).digest()
