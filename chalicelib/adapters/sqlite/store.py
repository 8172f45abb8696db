"""The embedded store: one file, one process, everything durable before it is acknowledged."""

import asyncio
from pathlib import Path

from chalicelib.adapters.due_list import DEFAULT_MOST_RECEIVES, DEFAULT_VISIBILITY_SECONDS
from chalicelib.adapters.sqlite.batch import Memory, SqliteBatch
from chalicelib.adapters.sqlite.blobs import SqliteBlobs
from chalicelib.adapters.sqlite.documents import SqliteDocuments
from chalicelib.adapters.sqlite.facts import SqliteFacts
from chalicelib.adapters.sqlite.journal import Journal
from chalicelib.adapters.sqlite.queue import SqliteQueue
from chalicelib.adapters.sqlite.refusals import SqliteRefusals
from chalicelib.adapters.sqlite.schema import Opened, open_store
from chalicelib.adapters.sqlite.versions import SqliteVersions
from chalicelib.ports import Clock


class SqliteStore:
    """What `open` gives: the four ports that one file fulfils, and the number of this boot.

    Claims of an earlier boot are void at once, and its messages that were out for delivery are visible again.
    """

    def __init__(
        self,
        opened: Opened,
        path: Path,
        clock: Clock,
        *,
        visibility_seconds: int = DEFAULT_VISIBILITY_SECONDS,
        most_receives: int = DEFAULT_MOST_RECEIVES,
    ) -> None:
        self.boot = opened.boot
        self.path = path
        self._lock = opened.lock
        self._db = opened.db
        self._memory = Memory(opened.last_record)
        self._journal = Journal(
            opened.db, path, lambda is_alone: SqliteBatch(opened.db, self._memory, is_alone=is_alone)
        )
        self.facts = SqliteFacts(self._journal, self._memory)
        self.versions = SqliteVersions(self._journal)
        self.blobs = SqliteBlobs(self._journal)
        self.refusals = SqliteRefusals(self._journal)
        self.documents = SqliteDocuments(self._journal)
        self.queue = SqliteQueue(
            self._journal, opened, clock, visibility_seconds=visibility_seconds, most_receives=most_receives
        )

    @classmethod
    async def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        visibility_seconds: int = DEFAULT_VISIBILITY_SECONDS,
        most_receives: int = DEFAULT_MOST_RECEIVES,
    ) -> "SqliteStore":
        """Open or create the store, on the running event loop.

        Raises SettingError where another process holds it or a newer Penstock wrote it, StoreError where it is no
        store of ours.
        """
        opened = await asyncio.to_thread(open_store, path)
        return cls(opened, path, clock, visibility_seconds=visibility_seconds, most_receives=most_receives)

    def _begin(self, is_alone: bool) -> SqliteBatch:  # noqa: FBT001  the journal calls it, by position
        return SqliteBatch(self._db, self._memory, is_alone=is_alone)

    @property
    def commits(self) -> int:
        """How many transactions were committed: fewer than writes, where they come together."""
        return self._journal.commits

    async def close(self) -> None:
        """Finish what was asked, and let other processes in."""
        await self._journal.close()
        self._lock.release()
