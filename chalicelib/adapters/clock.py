"""The wall clock, and names nobody else has."""

import asyncio
import os
from datetime import UTC, datetime

from chalicelib.engine.ids import crockford, ulid


class SystemClock:
    """Fulfils `ports.Clock`."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        await asyncio.sleep(seconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RandomIds:
    """Fulfils `ports.Ids` from the system's randomness."""

    def execution(self, now: datetime) -> str:
        """A ULID of this moment."""
        return ulid(int((now - _EPOCH).total_seconds() * 1000), os.urandom(10))

    def token(self) -> str:
        """128 random bits as 26 characters."""
        return crockford(int.from_bytes(os.urandom(16), "big"))
