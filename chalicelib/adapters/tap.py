"""The receiving side of a queue with a tap on it: shut, nothing more comes, and what was taken is waited for."""

import asyncio
from collections.abc import Sequence

from chalicelib.ports import Inbox, Received


class Tap:
    """Fulfils `ports.Inbox` by another one. Made and used on one event loop."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._is_shut = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._taken = 0

    async def receive(self, most: int, wait_seconds: float) -> Sequence[Received]:
        """As the inbox does; never again once the tap is shut: then it lasts until it is cancelled."""
        if not self._is_shut:
            received = await self._inbox.receive(most, wait_seconds)
            if not self._is_shut:
                self._count(len(received))
                return received
            for each in received:  # it came while the tap was being shut: it is for the next start
                await self._inbox.fail(each, 0)
        await asyncio.Event().wait()
        return ()

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """As the inbox does."""
        try:
            await self._inbox.acknowledge(received)
        finally:
            self._count(-len(received))

    async def fail(self, received: Received, delay_seconds: int) -> None:
        """As the inbox does."""
        try:
            await self._inbox.fail(received, delay_seconds)
        finally:
            self._count(-1)

    async def shut(self) -> None:
        """Let nothing more through, and return once everything that was taken is given back."""
        self._is_shut = True
        await self._idle.wait()

    def _count(self, change: int) -> None:
        self._taken += change
        if self._taken:
            self._idle.clear()
        else:
            self._idle.set()
