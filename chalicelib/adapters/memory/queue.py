"""A queue in memory: delivered at least once, in about the order of sending."""

from collections.abc import Sequence

from chalicelib.adapters.dead_letters import DeadLetters
from chalicelib.adapters.due_list import (
    DEFAULT_MOST_RECEIVES,
    DEFAULT_VISIBILITY_SECONDS,
    DueList,
    Letter,
    milliseconds,
)
from chalicelib.engine.messages import Send
from chalicelib.ports import Clock, Received


class MemoryQueue:
    """Both sides of a queue (`Queue` and `Inbox`); `dead` is the receiving side of what came too often."""

    def __init__(
        self,
        clock: Clock,
        *,
        visibility_seconds: int = DEFAULT_VISIBILITY_SECONDS,
        most_receives: int = DEFAULT_MOST_RECEIVES,
    ) -> None:
        self._clock = clock
        self._visibility = visibility_seconds * 1000
        self._most_receives = most_receives
        self._letters = DueList(clock)
        self.dead = DeadLetters(clock, visibility_seconds, lambda _: None)
        self._sent = 0

    async def send(self, sends: Sequence[Send]) -> None:
        """Take the messages in."""
        now = milliseconds(self._clock)
        letters: list[Letter] = []
        for each in sends:
            self._sent += 1
            letters.append(Letter(self._sent, each.message, "", now + each.delay_seconds * 1000))
        self._letters.add(letters)

    async def receive(self, most: int, wait_seconds: float) -> Sequence[Received]:
        """Up to `most` deliveries; waits for the first up to `wait_seconds`."""
        letters = await self._letters.wait_for(lambda: self._take(most), wait_seconds)
        return [letter.received for letter in letters]

    def _take(self, most: int) -> Sequence[Letter]:
        taken = self._letters.take(most, milliseconds(self._clock) + self._visibility)
        alive: list[Letter] = []
        for letter in taken:
            if letter.count > self._most_receives:
                self._letters.remove(letter.received.handle)
                self.dead.bury([letter])
            else:
                alive.append(letter)
        return alive

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """They are done with; dead letters too."""
        await self.dead.acknowledge([each for each in received if self._letters.remove(each.handle) is None])

    async def fail(self, received: Received, delay_seconds: int) -> None:
        """It comes again after this long."""
        self._letters.postpone(received.handle, milliseconds(self._clock) + delay_seconds * 1000)

    async def dead_letters(self, most: int) -> Sequence[Received]:
        """Messages that were delivered too often, the oldest first, until they are acknowledged."""
        return self.dead.listed(most)
