"""Statements that take many rows at once.

Each step of a statement gives the interpreter lock away, and a busy event loop returns it only after the switch
interval (5 ms): a batch must take few steps, however many rows it has.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

Row: TypeAlias = Sequence[object]

_SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows per step. Few sizes, so that every statement stays prepared; 64 rows keep below SQLite's 32,766 variables."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """A statement in pieces: before the rows, one row, after the rows; and what stands between two rows."""

    head: str
    row: str
    tail: str = ""
    between: str = ", "

    def of(self, rows: int) -> str:
        """The statement for this many rows."""
        return self.head + self.between.join([self.row] * rows) + self.tail

    def write(self, db: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """Write the rows, in as few steps as may be."""
        done = 0
        while done < len(rows):
            size = next(size for size in _SIZES if size <= len(rows) - done)
            db.execute(_text(self, size), list(chain.from_iterable(rows[done : done + size])))
            done += size


_texts: dict[tuple[str, int], str] = {}


def _text(bulk: Bulk, size: int) -> str:
    """The statement's text, always the same object: the driver finds its prepared statement by it."""
    known = _texts.get((bulk.head, size))
    if known is None:
        known = _texts[bulk.head, size] = bulk.of(size)
    return known
