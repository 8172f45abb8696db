"""Counts of refused deliveries in SQLite."""

from collections.abc import Sequence

from chalicelib.adapters.sqlite.batch import SqliteBatch
from chalicelib.adapters.sqlite.journal import Journal
from chalicelib.ports import DAYS_KEPT, Refusal

_ADD = """
INSERT INTO refusals (tenant, flow, day, trigger_id, reason, count, last) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count, last = excluded.last
"""
_FORGET = "DELETE FROM refusals WHERE tenant = ? AND flow = ? AND day < ?"
_OF = "SELECT trigger_id, reason, day, count, last FROM refusals WHERE tenant = ? AND flow = ? AND day >= ?"


class SqliteRefusals:
    """Fulfils `ports.Refusals`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def add(self, tenant: str, flow: str, day: int, refusals: Sequence[Refusal]) -> None:
        """Add to one flow's counts of one day; those that are kept no longer go with it."""
        rows = [(tenant, flow, day, each.trigger, each.reason, each.count, each.last) for each in refusals]

        def write(batch: SqliteBatch) -> None:
            batch.db.executemany(_ADD, rows)
            batch.db.execute(_FORGET, (tenant, flow, day - DAYS_KEPT))

        await self._journal.write(write)

    async def of(self, tenant: str, flow: str, since: int) -> Sequence[Refusal]:
        """A flow's counts from this day on."""
        rows = await self._journal.read(lambda db: db.execute(_OF, (tenant, flow, since)).fetchall())
        return [Refusal(flow, *row) for row in rows]
