"""Documents of a store that another process may be working on: read, never written."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from chalicelib.errors import StoreError
from chalicelib.flow.values import Json
from chalicelib.ports import Document

_GET = "SELECT key, rev, content, expires FROM documents WHERE tenant = ? AND kind = ? AND key = ?"
_PAGE = """
SELECT key, rev, content, expires FROM documents WHERE tenant = ? AND kind = ? AND key > ? ORDER BY key LIMIT ?
"""


class GlancedDocuments:
    """Fulfils what reads in `ports.Documents`; where there is no store, there are no documents."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def get(self, tenant: str, kind: str, key: str) -> Document | None:
        """The document as it was committed last."""
        found = await asyncio.to_thread(self._read, _GET, tenant, kind, key)
        return found[0] if found else None

    async def page(
        self, tenant: str, kind: str, *, after: str = "", most: int = 100, backwards: bool = False
    ) -> Sequence[Document]:
        """Up to so many by key, forwards."""
        if backwards:
            raise StoreError("Here documents are read forwards alone.")
        return await asyncio.to_thread(self._read, _PAGE, tenant, kind, after, most)

    async def put(
        self, tenant: str, kind: str, key: str, value: Mapping[str, Json], *, seen: str | None, expires: int = 0
    ) -> str | None:
        """Refuse."""
        raise StoreError(f"{self._path} is only read here. Start `penstock dev`, and ask that.")

    async def delete(self, tenant: str, kind: str, key: str, *, seen: str) -> bool:
        """Refuse."""
        raise StoreError(f"{self._path} is only read here. Start `penstock dev`, and ask that.")

    def _read(self, query: str, *values: str | int) -> list[Document]:
        if not self._path.is_file():
            return []
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as db:
                if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'documents'").fetchall():
                    return []  # an older Penstock wrote it
                rows = db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be read: {error}.") from error
        return [Document(key, rev, json.loads(text), expires) for key, rev, text, expires in rows]
