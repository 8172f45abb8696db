"""Bytes in SQLite, by their hash."""

import hashlib

from chalicelib.adapters.sqlite.batch import SqliteBatch
from chalicelib.adapters.sqlite.bulk import Bulk
from chalicelib.adapters.sqlite.journal import Journal
from chalicelib.errors import NotFoundError

_PUT = Bulk("INSERT OR IGNORE INTO blobs (name, content) VALUES ", "(?, ?)")


class SqliteBlobs:
    """What is put twice lies there once."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def put(self, content: bytes) -> str:
        """Keep them; return their name."""
        name = hashlib.sha256(content).hexdigest()

        def put(batch: SqliteBatch) -> None:
            batch.add(_PUT, (name, content))

        await self._journal.write(put)
        return name

    async def get(self, name: str) -> bytes:
        """The bytes; raises NotFoundError."""
        query = "SELECT content FROM blobs WHERE name = ?"
        row = await self._journal.read(lambda db: db.execute(query, (name,)).fetchone())
        if row is None:
            raise NotFoundError(f"no blob is named {name}")
        return row[0]
