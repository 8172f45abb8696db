"""The turns of a loop that write to its record beside one another: what comes in the same moment is one write."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.worker.ledger import Committed, Finished, Ledger, Open, Part


@dataclass(slots=True, eq=False)
class _Asked:
    """What one turn wants recorded, and what became of it."""

    part: Part
    woken: asyncio.Future[None]
    """Done when it is settled, or when this one is to write for all that have asked."""
    committed: Committed | None = None
    error: Exception | None = None


class Together:
    """Gathers what several turns have to record, and what the last of them may leave to the end of the record itself.

    Nothing waits for a turn that is still under way: what has an effect is recorded as soon as its outcome is known
    (design 4.5). Only what comes within one round of the event loop, or while a write is in flight, goes together.
    """

    def __init__(self, ledger: Ledger, turns: int = 0) -> None:
        """`turns`: so many write here, and the record ends once all of them have; 0: it does not end with them."""
        self.ended = 0
        """Turns that are over and have left nothing."""
        self.left: list[list[Finished]] = []
        """What turns have left to be recorded with the end."""
        self._ledger = ledger
        self._turns = turns
        self._asked: list[_Asked] = []
        self._writer: _Asked | None = None
        """Who writes for all."""

    async def commit(self, finished: Sequence[Finished], opens: Mapping[str, Open]) -> Committed:
        """As `Ledger.commit`; what is dropped of other turns' facts is named too."""
        mine = _Asked(Part(finished, opens), asyncio.get_running_loop().create_future())
        self._asked.append(mine)
        try:
            if self._writer is None:
                self._writer = mine
            else:
                await mine.woken
            if self._writer is mine:
                await self._write()
        finally:
            # Also where it was cancelled: then the next one writes again what is not known to be recorded.
            self._asked = [each for each in self._asked if each is not mine]
            if self._writer is mine:
                self._writer = self._asked[0] if self._asked else None
                self._wake(self._asked[:1])
        if mine.committed is None:
            raise mine.error or TypeError("a write has an outcome")
        return mine.committed

    async def _write(self) -> None:
        await asyncio.sleep(0)  # who has landed in this very moment writes along
        group = list(self._asked)
        try:
            committed = await self._ledger.commit_together([each.part for each in group])
        except Exception as error:  # noqa: BLE001  raised by each of those that asked
            for each in group:
                each.error = error
        else:
            for each in group:
                each.committed = committed
        self._asked = [each for each in self._asked if each not in group]
        self._wake(group)
        await asyncio.sleep(0)  # all go on in the same moment, and so may come back in one

    def _wake(self, those: Sequence[_Asked]) -> None:
        for each in those:
            if not each.woken.done():
                each.woken.set_result(None)

    async def leave(self, facts: list[Finished]) -> bool:
        """Leave a turn's last facts to the end of the record, if every other turn has come as far in this moment."""
        if not self._turns:
            return False
        self.left.append(facts)
        await asyncio.sleep(0)
        if self.ended + len(self.left) == self._turns:
            return True
        self.left = [each for each in self.left if each is not facts]
        return False
