"""Group commit: one thread writes, everything that waits goes into one transaction, and one sync serves it all.

The work of a batch is done together or not at all; if any of it fails, the batch is undone and each piece is done in a
transaction of its own, so that a bad one fails alone. Nobody is answered before the commit. What is read comes from a
second thread with a connection of its own: in WAL mode it waits for no writer.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from chalicelib.adapters.sqlite.schema import connect
from chalicelib.errors import StoreError

T = TypeVar("T")

MOST_IN_BATCH = 512
UNHURRIED_SECONDS = 0.02
"""How long work that nobody waits for waits for company, before it gets a sync of its own."""


class Batch(Protocol):
    """What the pieces of one transaction share: rows to write, and what they have changed so far."""

    def flush(self) -> None:
        """Write every row that is waiting."""
        ...

    def committed(self) -> None:
        """The transaction is on disk."""
        ...


_Piece: TypeAlias = tuple[Callable[[Any], Any], "asyncio.Future[Any] | None"]
_Verdict: TypeAlias = tuple["asyncio.Future[Any]", Any, Exception | None]


class Journal:
    """The two threads of a store. Made and used on one event loop."""

    def __init__(self, db: sqlite3.Connection, path: Path, begin: Callable[[bool], Batch]) -> None:
        """`begin` makes the batch of a new transaction, told whether it holds a single piece that stands alone.

        It is called, like all work, in the writing thread.
        """
        self._db = db
        self._path = path
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._writes: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._is_closed = False
        self.commits = 0
        self._threads = [
            threading.Thread(target=self._write_all, name="penstock-store-writer", daemon=True),
            threading.Thread(target=self._read_all, name="penstock-store-reader", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    async def write(self, work: Callable[[Any], T]) -> T:
        """Do this in the next transaction; return what it returns once it is on disk.

        The work may be done twice, the first time without effect. It happens even if the caller is cancelled.
        """
        return await self._ask(self._writes, work)

    def write_later(self, work: Callable[[Any], object]) -> None:
        """Do this in one of the next transactions; a crash may lose it."""
        if not self._is_closed:
            self._writes.put((work, None))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this on the reading connection: it sees everything that was acknowledged."""
        return await self._ask(self._reads, work)

    async def _ask(self, pieces: "queue.SimpleQueue[_Piece | None]", work: Callable[[Any], T]) -> T:
        if self._is_closed:
            raise StoreError(f"the store {self._path} is closed")
        done: asyncio.Future[T] = self._loop.create_future()
        pieces.put((work, done))
        return await done

    async def close(self) -> None:
        """Finish what was asked, and end both threads."""
        if self._is_closed:
            return
        self._is_closed = True
        self._writes.put(None)
        self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    # In the writing thread -----------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        is_open = True
        while is_open:
            pieces, is_open = self._collect()
            if pieces:
                self._answer(self._do(pieces))
        self._db.close()

    def _collect(self) -> tuple[list[_Piece], bool]:
        """Everything that waits, and whether more may come."""
        pieces: list[_Piece] = []
        piece = self._writes.get()
        patience = UNHURRIED_SECONDS
        while piece is not None:
            pieces.append(piece)
            is_hurried = piece[1] is not None
            if is_hurried:
                patience = 0.0
            if len(pieces) >= MOST_IN_BATCH:
                return pieces, True
            try:
                if patience > 0:
                    before = time.monotonic()
                    piece = self._writes.get(timeout=patience)
                    patience = max(0.0, patience - (time.monotonic() - before))
                else:
                    piece = self._writes.get_nowait()
            except queue.Empty:
                return pieces, True
        return pieces, False

    def _do(self, pieces: Sequence[_Piece], *, is_alone: bool = False) -> list[_Verdict]:
        """Do them in one transaction; if that fails, each in its own."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:  # locked by a stranger: there is no transaction for any of them
            return [(done, None, self._translated(error)) for _, done in pieces if done is not None]
        try:
            answers = self._transact(pieces, is_alone=is_alone)
        except Exception as error:  # noqa: BLE001  the thread must survive whatever a piece of work raises
            if not is_alone:
                return [verdict for piece in pieces for verdict in self._do([piece], is_alone=True)]
            done = pieces[0][1]
            return [] if done is None else [(done, None, self._translated(error))]
        return [(done, answer, None) for (_, done), answer in zip(pieces, answers, strict=True) if done is not None]

    def _transact(self, pieces: Sequence[_Piece], *, is_alone: bool) -> list[Any]:
        db = self._db
        try:
            batch = self._begin(is_alone)
            answers = [work(batch) for work, _ in pieces]
            batch.flush()
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self.commits += 1
        batch.committed()
        return answers

    def _translated(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        translated = StoreError(f"the store {self._path} refused a write: {error}")
        translated.__cause__ = error
        return translated

    # In the reading thread -----------------------------------------------------------------------------------------

    def _read_all(self) -> None:
        db: sqlite3.Connection | None = None
        while (piece := self._reads.get()) is not None:
            work, done = piece
            if done is None:
                continue
            try:
                # Opened at the first read, so that what prevents it (too many open files) is that read's error.
                db = db or self._open_to_read()
                verdict: _Verdict = (done, work(db), None)
            except Exception as error:  # noqa: BLE001  the thread must survive whatever a piece of work raises
                verdict = (done, None, self._translated(error))
            self._answer([verdict])
        if db is not None:
            db.close()

    def _open_to_read(self) -> sqlite3.Connection:
        db = connect(self._path)
        db.execute("PRAGMA query_only = ON")
        return db

    def _answer(self, verdicts: Sequence[_Verdict]) -> None:
        """Hand everything over at once. Where the loop has ended nobody is waiting any more."""
        if verdicts:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_settle, verdicts)


def _settle(verdicts: Sequence[_Verdict]) -> None:
    for done, answer, error in verdicts:
        if done.cancelled():
            continue
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(answer)
