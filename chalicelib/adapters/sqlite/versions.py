"""Flow versions in SQLite."""

import json
import sqlite3
from collections.abc import Sequence

from chalicelib.adapters.extras import live_extras, with_live_extras
from chalicelib.adapters.sqlite.batch import SqliteBatch
from chalicelib.adapters.sqlite.bulk import Bulk
from chalicelib.adapters.sqlite.journal import Journal
from chalicelib.adapters.sqlite.rows import storable, stored
from chalicelib.errors import NotFoundError
from chalicelib.ports import Live, Version

_PUT = Bulk("INSERT OR IGNORE INTO versions (tenant, flow, version, content, stored) VALUES ", "(?, ?, ?, ?, ?)")
_FIRST_LIVE = """
INSERT OR IGNORE INTO live (version, enabled, published, rev, tokens, extras, tenant, flow)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_NEXT_LIVE = """
UPDATE live SET version = ?, enabled = ?, published = ?, rev = ?, tokens = ?, extras = ?
WHERE tenant = ? AND flow = ? AND rev = ?
"""
_LIVE = "SELECT tenant, flow, version, enabled, published, rev, tokens, extras FROM live WHERE tenant = ?"


class SqliteVersions:
    """Texts for good, and the pointer to the one that is live."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def put(self, tenant: str, flow: str, version: str, text: str, now: int) -> None:
        """Store a version's canonical text; the same version again changes nothing."""
        row = (tenant, flow, version, storable(text), now)

        def put(batch: SqliteBatch) -> None:
            batch.add(_PUT, row)

        await self._journal.write(put)

    async def text(self, tenant: str, flow: str, version: str) -> str:
        """A version's text; raises NotFoundError."""
        query = "SELECT content FROM versions WHERE tenant = ? AND flow = ? AND version = ?"
        row = await self._journal.read(lambda db: db.execute(query, (tenant, flow, version)).fetchone())
        if row is None:
            raise NotFoundError(f"flow {flow} has no version {version}")
        return stored(row[0])

    async def history(self, tenant: str, flow: str) -> Sequence[Version]:
        """A flow's versions, newest first."""
        query = "SELECT version, stored FROM versions WHERE tenant = ? AND flow = ? ORDER BY stored DESC, version DESC"
        rows = await self._journal.read(lambda db: db.execute(query, (tenant, flow)).fetchall())
        return [Version(version, when) for version, when in rows]

    async def live(self, tenant: str, flow: str) -> Live | None:
        """The pointer."""
        rows = await self._journal.read(lambda db: db.execute(f"{_LIVE} AND flow = ?", (tenant, flow)).fetchall())
        return _live(rows[0]) if rows else None

    async def set_live(self, live: Live) -> bool:
        """Write the pointer if its `rev` still is `live.rev - 1` (absent for 1); False where somebody was quicker."""
        texts = (json.dumps(dict(live.tokens)), live_extras(live))
        row = (live.version, int(live.enabled), live.published, live.rev, *texts)

        def write(batch: SqliteBatch) -> bool:
            if live.rev == 1:
                done = batch.db.execute(_FIRST_LIVE, (*row, live.tenant, live.flow))
            else:
                done = batch.db.execute(_NEXT_LIVE, (*row, live.tenant, live.flow, live.rev - 1))
            return done.rowcount == 1

        return await self._journal.write(write)

    async def flows(self, tenant: str) -> Sequence[Live]:
        """Every published flow, by name."""

        def found(db: sqlite3.Connection) -> Sequence[Live]:
            return [_live(row) for row in db.execute(f"{_LIVE} ORDER BY flow", (tenant,))]

        return await self._journal.read(found)

    async def tenants(self) -> Sequence[str]:
        """Everybody who has published a flow here."""
        rows = await self._journal.read(lambda db: db.execute("SELECT DISTINCT tenant FROM live").fetchall())
        return sorted(tenant for (tenant,) in rows)


def _live(row: tuple[str, str, str, int, int, int, str, str | None]) -> Live:
    tenant, flow, version, enabled, published, rev, tokens, extras = row
    return with_live_extras(Live(tenant, flow, version, bool(enabled), published, rev, json.loads(tokens)), extras)
