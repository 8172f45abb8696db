"""Documents in SQLite."""

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence

from chalicelib.adapters.documents import document_text, may_be_a_document
from chalicelib.adapters.sqlite.batch import SqliteBatch
from chalicelib.adapters.sqlite.journal import Journal
from chalicelib.flow.values import Json
from chalicelib.ports import Document

_GET = "SELECT key, rev, content, expires FROM documents WHERE tenant = ? AND kind = ? AND key = ?"
_INSERT = """
INSERT INTO documents (rev, content, expires, tenant, kind, key) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_UPDATE = """
UPDATE documents SET rev = ?, content = ?, expires = ? WHERE tenant = ? AND kind = ? AND key = ? AND rev = ?
"""
_DELETE = "DELETE FROM documents WHERE tenant = ? AND kind = ? AND key = ? AND rev = ?"
_FORWARDS = """
SELECT key, rev, content, expires FROM documents WHERE tenant = ? AND kind = ? AND key > ? ORDER BY key LIMIT ?
"""
_BACKWARDS = """
SELECT key, rev, content, expires FROM documents WHERE tenant = ?1 AND kind = ?2 AND (?3 = '' OR key < ?3)
ORDER BY key DESC LIMIT ?4
"""
_FORGET = """
DELETE FROM documents WHERE (tenant, kind, key) IN
  (SELECT tenant, kind, key FROM documents WHERE expires <> 0 AND expires <= ? ORDER BY expires LIMIT ?)
"""


class SqliteDocuments:
    """Fulfils `ports.Documents`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def get(self, tenant: str, kind: str, key: str) -> Document | None:
        """The document now."""
        if not may_be_a_document(tenant, kind, key):
            return None
        found = await self._journal.read(lambda db: _read(db, _GET, tenant, kind, key))
        return found[0] if found else None

    async def put(
        self, tenant: str, kind: str, key: str, value: Mapping[str, Json], *, seen: str | None, expires: int = 0
    ) -> str | None:
        """Write it where its `rev` still is the one seen."""
        text, rev = document_text(value, tenant, kind, key), secrets.token_hex(8)
        named = (rev, text, expires, tenant, kind, key)

        def write(batch: SqliteBatch) -> int:
            if seen is None:
                return batch.db.execute(_INSERT, named).rowcount
            return batch.db.execute(_UPDATE, (*named, seen)).rowcount

        return rev if await self._journal.write(write) else None

    async def delete(self, tenant: str, kind: str, key: str, *, seen: str) -> bool:
        """Remove it where its `rev` still is the one seen."""
        if not may_be_a_document(tenant, kind, key):
            return False

        def write(batch: SqliteBatch) -> int:
            return batch.db.execute(_DELETE, (tenant, kind, key, seen)).rowcount

        return bool(await self._journal.write(write))

    async def page(
        self, tenant: str, kind: str, *, after: str = "", most: int = 100, backwards: bool = False
    ) -> Sequence[Document]:
        """Up to so many by key."""
        if after and not may_be_a_document(after):
            return []
        query = _BACKWARDS if backwards else _FORWARDS
        return await self._journal.read(lambda db: _read(db, query, tenant, kind, after, most))

    async def forget(self, now: int, most: int) -> int:
        """Remove up to so many that have expired by `now` (epoch seconds); how many."""

        def write(batch: SqliteBatch) -> int:
            return batch.db.execute(_FORGET, (now, most)).rowcount

        return await self._journal.write(write)


def _read(db: sqlite3.Connection, query: str, *values: str | int) -> list[Document]:
    rows = db.execute(query, values).fetchall()
    return [Document(key, rev, json.loads(text), expires) for key, rev, text, expires in rows]
