"""Messages in memory, by the moment they may be delivered: what the embedded queues share."""

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.engine.messages import Message
from chalicelib.ports import Clock, Received

DEFAULT_VISIBILITY_SECONDS = 960
"""How long a delivery is hidden from other receivers: longer than an invocation may work (worker settings, 840 s)."""

DEFAULT_MOST_RECEIVES = 10
"""How often a message is delivered before it is a dead letter."""


MOST_OUT_OF_DATE = 64
"""Moments of letters that are gone or moved; without a bound they would pile up for as long as a delivery is hidden."""


def milliseconds(clock: Clock) -> int:
    """The clock in epoch milliseconds."""
    return int(clock.now().timestamp() * 1000)


@dataclass(slots=True)
class Letter:
    """A message in the queue: how often it was delivered, and when (epoch milliseconds) it may be again."""

    number: int
    message: Message | None
    body: str
    visible_at: int
    count: int = 0
    is_old: bool = False
    """Left behind by an earlier boot: whatever killed that one may kill this one too."""

    @property
    def received(self) -> Received:
        """The delivery as the port says it."""
        return Received(f"{self.number}.{self.count}", self.count, self.message, self.body)


class DueList:
    """Letters by number, the next due first. One event loop; nothing here waits for a disk."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._letters: dict[int, Letter] = {}
        self._due: list[tuple[int, int]] = []
        self._waiting: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._letters)

    def add(self, letters: Sequence[Letter]) -> None:
        """Take letters in, and wake who waits for one."""
        for letter in letters:
            self._letters[letter.number] = letter
            self._plan(letter)
        if letters:
            self._wake()

    def take(self, most: int, hidden_until: int) -> list[Letter]:
        """Up to `most` letters that are due, each counted once more and hidden until then."""
        now = milliseconds(self._clock)
        taken: list[Letter] = []
        while self._due and self._due[0][0] <= now and len(taken) < most:
            moment, number = heapq.heappop(self._due)
            letter = self._letters.get(number)
            if letter is None or letter.visible_at != moment:
                continue  # acknowledged, or moved to another moment since
            letter.count += 1
            self._move(letter, hidden_until)
            taken.append(letter)
        return taken

    def remove(self, handle: str) -> Letter | None:
        """Forget a letter; also by the handle of an earlier delivery, as SQS does."""
        return self._letters.pop(_number(handle), None)

    def postpone(self, handle: str, until: int) -> None:
        """Deliver it again at this moment; nothing where it has been delivered anew since."""
        letter = self._letters.get(_number(handle))
        if letter is not None and handle.endswith(f".{letter.count}"):
            self._move(letter, until)
            self._wake()

    def _move(self, letter: Letter, moment: int) -> None:
        letter.visible_at = moment
        self._plan(letter)

    def _plan(self, letter: Letter) -> None:
        """Enter its moment; what is out of date is thrown away once there is more of that than of anything else."""
        if len(self._due) > 2 * len(self._letters) + MOST_OUT_OF_DATE:
            self._due = [(each.visible_at, each.number) for each in self._letters.values()]
            heapq.heapify(self._due)
        else:
            heapq.heappush(self._due, (letter.visible_at, letter.number))

    async def wait_for(self, take: Callable[[], Sequence[Letter]], wait_seconds: float) -> Sequence[Letter]:
        """What `take` gives, as soon as it gives something; nothing after this long."""
        until = milliseconds(self._clock) + round(wait_seconds * 1000)
        while True:
            found = take()
            left = until - milliseconds(self._clock)
            if found or left <= 0:
                return found
            await self._nap(min(left, self._until_next()) / 1000)

    def _until_next(self) -> int:
        """Milliseconds until the next letter may be due."""
        return max(0, self._due[0][0] - milliseconds(self._clock)) if self._due else 1 << 40

    async def _nap(self, seconds: float) -> None:
        """Sleep until the time is over or something came in."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        sleep.add_done_callback(lambda _: woken.done() or woken.set_result(None))
        self._waiting.append(woken)
        try:
            await woken
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(woken)
            sleep.cancel()

    def _wake(self) -> None:
        """Wake everybody: who finds nothing goes back to sleep."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)


def _number(handle: str) -> int:
    return int(handle.partition(".")[0])
