"""The dead letters of an embedded queue: messages that came too often, until somebody has dealt with them."""

from collections.abc import Callable, Sequence

from chalicelib.adapters.due_list import DueList, Letter, milliseconds
from chalicelib.ports import Clock, Received


class DeadLetters:
    """Fulfils `ports.Inbox`. A letter's count goes on from where it died, as it does in SQS."""

    def __init__(self, clock: Clock, visibility_seconds: int, forget: Callable[[int], None]) -> None:
        """`forget` is told the number of each letter that was acknowledged."""
        self._clock = clock
        self._visibility = visibility_seconds * 1000
        self._forget = forget
        self._letters: dict[int, Letter] = {}
        self._due = DueList(clock)

    def bury(self, letters: Sequence[Letter]) -> None:
        """Take letters in; they may be received at once."""
        now = milliseconds(self._clock)
        for letter in letters:
            letter.visible_at = now
            self._letters[letter.number] = letter
        self._due.add(letters)

    async def receive(self, most: int, wait_seconds: float) -> Sequence[Received]:
        """Up to `most` of them; waits for the first up to `wait_seconds`."""
        letters = await self._due.wait_for(self._taking(most), wait_seconds)
        return [letter.received for letter in letters]

    def _taking(self, most: int) -> Callable[[], Sequence[Letter]]:
        return lambda: self._due.take(most, milliseconds(self._clock) + self._visibility)

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """They are dealt with, and gone."""
        for each in received:
            letter = self._due.remove(each.handle)
            if letter is not None:
                del self._letters[letter.number]
                self._forget(letter.number)

    async def fail(self, received: Received, delay_seconds: int) -> None:
        """It comes again after this long."""
        self._due.postpone(received.handle, milliseconds(self._clock) + delay_seconds * 1000)

    def listed(self, most: int) -> Sequence[Received]:
        """The oldest of them, whoever has received them meanwhile."""
        return [self._letters[number].received for number in sorted(self._letters)[:most]]
