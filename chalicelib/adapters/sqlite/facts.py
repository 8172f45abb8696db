"""The records of executions in SQLite."""

import sqlite3
from collections.abc import Sequence

from chalicelib.adapters.listing import from_cursor, to_cursor
from chalicelib.adapters.sqlite.batch import Memory
from chalicelib.adapters.sqlite.journal import Journal
from chalicelib.adapters.sqlite.retention import MOST_AT_ONCE, forget
from chalicelib.adapters.sqlite.rows import find_pack, find_record
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.engine.writes import Answer, Write
from chalicelib.ports import Listing, Page, Summary

_SELECT_SUMMARY = """
SELECT execution, flow, version, status, trigger_id, started, ended FROM records
WHERE part = '' AND expires >= 0
"""

UNFINISHED = """
SELECT tenant, execution, epoch FROM records WHERE part = '' AND next_check IS NOT NULL ORDER BY next_check LIMIT ?
"""

DUE = """
SELECT tenant, execution FROM records WHERE part = '' AND next_check IS NOT NULL AND next_check <= ?
ORDER BY next_check LIMIT ?
"""


class SqliteFacts:
    """Every write is durable before it is answered, together with whatever else was waiting."""

    def __init__(self, journal: Journal, memory: Memory) -> None:
        self._journal = journal
        self._memory = memory

    async def write(self, write: Write) -> Answer:
        """Carry the write out whole, or bring the record back as it is."""
        return await self._journal.write(lambda batch: batch.write(write))

    async def read(self, key: RecordKey) -> Image | None:
        """The record as it is on disk."""
        # Only committed images are in memory, and a running record's is always the newest.
        slot = self._memory.slots.get(key) or await self._journal.read(lambda db: find_record(db, key))
        return slot.image if slot is not None and slot.expires >= 0 else None  # below 0: a tombstone

    async def forget(self, now: int, most: int = MOST_AT_ONCE) -> int:
        """Remove what need not be kept at `now` (epoch seconds), a few at a time; so many, `most` if there is more."""
        return await self._journal.write(lambda batch: forget(batch, now, most))

    async def pack(self, key: RecordKey, name: str) -> str:
        """The text of a pack item; raises NotFoundError."""
        return await self._journal.read(lambda db: find_pack(db, key, name))

    async def page(self, listing: Listing) -> Page:
        """Executions, newest first, along an index."""
        query, values = page_query(listing)
        rows = await self._journal.read(lambda db: db.execute(query, values).fetchall())
        items = [Summary(row[0], row[1], row[2], Status(row[3]), *row[4:]) for row in rows[: listing.limit]]
        return Page(items, to_cursor(items[-1]) if len(rows) > len(items) and items else None)

    async def due(self, now: int, limit: int) -> Sequence[RecordKey]:
        """Heads whose due entry is not after `now`, the earliest first."""

        def found(db: sqlite3.Connection) -> list[tuple[str, str]]:
            return db.execute(DUE, (now, limit)).fetchall()

        return [RecordKey(tenant, execution) for tenant, execution in await self._journal.read(found)]

    async def unfinished(self, limit: int) -> Sequence[tuple[RecordKey, int]]:
        """Heads that still have a due entry, with their epoch; the earliest due first."""

        def found(db: sqlite3.Connection) -> list[tuple[str, str, int]]:
            return db.execute(UNFINISHED, (limit,)).fetchall()

        return [(RecordKey(tenant, execution), epoch) for tenant, execution, epoch in await self._journal.read(found)]


def page_query(listing: Listing) -> tuple[str, list[object]]:
    """The query of a listing, one row longer than asked, and its values."""
    conditions = ["tenant = ?"]
    values: list[object] = [listing.tenant]
    if listing.flow is not None:
        conditions.append("flow = ?")
        values.append(listing.flow)
    if listing.status is not None:
        conditions.append("status = ?")
        values.append(listing.status.value)
    if listing.since is not None:
        conditions.append("started >= ?")
        values.append(listing.since)
    if listing.until is not None:
        conditions.append("started <= ?")
        values.append(listing.until)
    if listing.cursor is not None:
        conditions.append("(started, execution) < (?, ?)")
        values.extend(from_cursor(listing.cursor))
    values.append(listing.limit + 1)
    where = " AND ".join(conditions)
    return f"{_SELECT_SUMMARY} AND {where} ORDER BY started DESC, execution DESC LIMIT ?", values
