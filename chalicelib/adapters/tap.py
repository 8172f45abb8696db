"""The receiving side of a queue with a tap on it: shut, nothing more comes, and what was taken is waited for."""

import asyncio
from collections.abc import Sequence

from chalicelib.ports import Inbox, Received


class Tap:
    """Fulfils `ports.Inbox` by another one. Made and used on one event loop."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._shut = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._taken = 0

    async def receive(self, most: int, wait_seconds: float) -> Sequence[Received]:
        """As the inbox does; never again once the tap is shut."""
        asking = asyncio.ensure_future(self._inbox.receive(most, wait_seconds))
        shut = asyncio.ensure_future(self._shut.wait())
        try:
            await asyncio.wait({asking, shut}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                asking.cancel()
                await asyncio.Event().wait()  # until whoever listens is cancelled
            received = asking.result()
        finally:
            asking.cancel()
            shut.cancel()
        self._count(len(received))
        return received

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
        self._shut.set()
        await self._idle.wait()

    def _count(self, change: int) -> None:
        self._taken += change
        if self._taken:
            self._idle.clear()
        else:
            self._idle.set()
