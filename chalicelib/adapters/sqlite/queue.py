"""A queue in SQLite: every message is on disk before `send` returns; when it is due is kept in memory.

Messages that are out for delivery are so in memory alone: after a crash they are visible at once. One that an earlier
boot left behind is counted on disk before it is delivered, so that a message which kills the process is a dead letter
in the end.
"""

import json
from collections.abc import Sequence

from chalicelib.adapters.dead_letters import DeadLetters
from chalicelib.adapters.due_list import (
    DEFAULT_MOST_RECEIVES,
    DEFAULT_VISIBILITY_SECONDS,
    DueList,
    Letter,
    milliseconds,
)
from chalicelib.adapters.sqlite.batch import SqliteBatch
from chalicelib.adapters.sqlite.bulk import Bulk
from chalicelib.adapters.sqlite.journal import Journal
from chalicelib.adapters.sqlite.rows import storable, stored
from chalicelib.adapters.sqlite.schema import Opened
from chalicelib.engine.messages import Message, Send, from_json, to_json
from chalicelib.ports import Clock, Received

_INSERT = Bulk("INSERT INTO messages (number, body, visible_at, count) VALUES ", "(?, ?, ?, 0)")
_COUNT = Bulk(
    "WITH counted (number, count) AS (VALUES ",
    "(?, ?)",
    ") UPDATE messages SET count = counted.count FROM counted WHERE messages.number = counted.number",
)
_DELETE = Bulk("DELETE FROM messages WHERE number IN (", "?", ")")
_EXHUME = Bulk("DELETE FROM dead_letters WHERE number IN (", "?", ")")
_BURY = """
INSERT OR IGNORE INTO dead_letters (number, body, count, died) SELECT number, body, ?, ? FROM messages WHERE number = ?
"""


class SqliteQueue:
    """Both sides of a queue (`Queue` and `Inbox`); `dead` is the receiving side of what came too often."""

    def __init__(
        self,
        journal: Journal,
        opened: Opened,
        clock: Clock,
        *,
        visibility_seconds: int = DEFAULT_VISIBILITY_SECONDS,
        most_receives: int = DEFAULT_MOST_RECEIVES,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._visibility = visibility_seconds * 1000
        self._most_receives = most_receives
        self._last = opened.last_message
        self._letters = DueList(clock)
        self._letters.add([_letter(*row) for row in opened.messages])
        self.dead = DeadLetters(clock, visibility_seconds, self._exhume)
        self.dead.bury([_letter(*row) for row in opened.dead_letters])

    async def send(self, sends: Sequence[Send]) -> None:
        """Return once every message is on disk."""
        now = milliseconds(self._clock)
        letters: list[Letter] = []
        rows: list[tuple[object, ...]] = []
        for each in sends:
            self._last += 1
            letter = Letter(self._last, each.message, "", now + each.delay_seconds * 1000)
            letters.append(letter)
            body = json.dumps(to_json(each.message), ensure_ascii=False, separators=(",", ":"))
            rows.append((letter.number, storable(body), letter.visible_at))

        def send(batch: SqliteBatch) -> None:
            for row in rows:
                batch.add(_INSERT, row)

        await self._journal.write(send)
        self._letters.add(letters)

    async def receive(self, most: int, wait_seconds: float) -> Sequence[Received]:
        """Up to `most` deliveries; waits for the first up to `wait_seconds`."""
        letters = await self._letters.wait_for(lambda: self._take(most), wait_seconds)
        if old := [letter for letter in letters if letter.is_old]:
            rows = [(letter.number, letter.count) for letter in old]
            await self._journal.write(lambda batch: [batch.add(_COUNT, row) for row in rows])
        if new := [(letter.number, letter.count) for letter in letters if not letter.is_old]:
            self._journal.write_later(lambda batch: [batch.add(_COUNT, row) for row in new])
        return [letter.received for letter in letters]

    def _take(self, most: int) -> Sequence[Letter]:
        now = milliseconds(self._clock)
        alive: list[Letter] = []
        for letter in self._letters.take(most, now + self._visibility):
            if letter.count > self._most_receives:
                self._letters.remove(letter.received.handle)
                self._bury(letter.number, letter.count, now)
                self.dead.bury([letter])
            else:
                alive.append(letter)
        return alive

    def _bury(self, number: int, count: int, now: int) -> None:
        def bury(batch: SqliteBatch) -> None:
            batch.db.execute(_BURY, (count, now, number))
            batch.add(_DELETE, (number,))

        self._journal.write_later(bury)

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """They are done with, dead letters too. Returns at once: a crash in the next moment may bring them again."""
        rows: list[tuple[int]] = []
        others: list[Received] = []
        for each in received:
            letter = self._letters.remove(each.handle)
            if letter is None:
                others.append(each)
            else:
                rows.append((letter.number,))
        if rows:
            self._journal.write_later(lambda batch: [batch.add(_DELETE, row) for row in rows])
        await self.dead.acknowledge(others)

    def _exhume(self, number: int) -> None:
        self._journal.write_later(lambda batch: batch.add(_EXHUME, (number,)))

    async def fail(self, received: Received, delay_seconds: int) -> None:
        """It comes again after this long."""
        self._letters.postpone(received.handle, milliseconds(self._clock) + delay_seconds * 1000)

    async def dead_letters(self, most: int) -> Sequence[Received]:
        """Messages that were delivered too often, the oldest first, until they are acknowledged."""
        return self.dead.listed(most)


def _letter(number: int, body: str | bytes, visible_at: int, count: int) -> Letter:
    """A stored message; one that is none of ours keeps its text."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")  # for people, should it be none of ours
    message: Message | None
    try:
        message, text = from_json(json.loads(stored(body))), ""
    except (ValueError, RecursionError):
        message = None
    return Letter(number, message, text, visible_at, count, is_old=True)
