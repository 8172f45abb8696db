"""The tables, and the opening of a store: lock, version, boot number."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chalicelib.adapters.sqlite.lock import FileLock
from chalicelib.errors import SettingError, StoreError

SCHEMA_VERSION = 4
"""Kept in `PRAGMA user_version`. A store of a newer version is refused; an older one is brought up to date."""

_PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA busy_timeout = 5000;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA temp_store = MEMORY;
"""
"""FULL in WAL: every commit is synced before it is acknowledged (sqlite.org/pragma.html#pragma_synchronous)."""

_TABLES = """
CREATE TABLE boots (number INTEGER PRIMARY KEY) STRICT;

CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL, execution TEXT NOT NULL, part TEXT NOT NULL,
  status TEXT NOT NULL, epoch INTEGER NOT NULL, rev INTEGER NOT NULL, busy INTEGER NOT NULL, next_check INTEGER,
  reason TEXT, output_pack TEXT NOT NULL, ended INTEGER NOT NULL, size INTEGER NOT NULL, expires INTEGER NOT NULL,
  flow TEXT, version TEXT, trigger_id TEXT, started INTEGER, input_pack TEXT, input_hash TEXT, deadline INTEGER,
  parent TEXT, retry_of TEXT, keyed INTEGER, extras TEXT,
  UNIQUE (execution, tenant, part)
) STRICT;
CREATE INDEX records_by_start ON records (tenant, started, execution) WHERE part = '';
CREATE INDEX records_by_flow ON records (tenant, flow, started, execution) WHERE part = '';
CREATE INDEX records_by_status ON records (tenant, status, started, execution) WHERE part = '';
CREATE INDEX records_due ON records (next_check) WHERE part = '' AND next_check IS NOT NULL;
CREATE INDEX records_expiring ON records (expires) WHERE expires <> 0;

CREATE TABLE facts (record INTEGER, name TEXT, fact TEXT NOT NULL, PRIMARY KEY (record, name)) STRICT, WITHOUT ROWID;
CREATE TABLE packs (record INTEGER, name TEXT, is_inline INTEGER NOT NULL, content ANY NOT NULL,
  PRIMARY KEY (record, name)) STRICT, WITHOUT ROWID;

CREATE TABLE versions (tenant TEXT, flow TEXT, version TEXT, content ANY NOT NULL, stored INTEGER NOT NULL,
  PRIMARY KEY (tenant, flow, version)) STRICT, WITHOUT ROWID;
CREATE TABLE live (tenant TEXT, flow TEXT, version TEXT NOT NULL, enabled INTEGER NOT NULL, published INTEGER NOT NULL,
  rev INTEGER NOT NULL, tokens TEXT NOT NULL, extras TEXT, PRIMARY KEY (tenant, flow)) STRICT, WITHOUT ROWID;

CREATE TABLE refusals (tenant TEXT, flow TEXT, day INTEGER, trigger_id TEXT, reason TEXT, count INTEGER NOT NULL,
  last INTEGER NOT NULL, PRIMARY KEY (tenant, flow, day, trigger_id, reason)) STRICT, WITHOUT ROWID;

CREATE TABLE documents (tenant TEXT, kind TEXT, key TEXT, rev TEXT NOT NULL, content TEXT NOT NULL,
  expires INTEGER NOT NULL, PRIMARY KEY (tenant, kind, key)) STRICT, WITHOUT ROWID;
CREATE INDEX documents_expiring ON documents (expires) WHERE expires <> 0;

CREATE TABLE messages (number INTEGER PRIMARY KEY, body ANY NOT NULL, visible_at INTEGER NOT NULL,
  count INTEGER NOT NULL) STRICT;
CREATE TABLE dead_letters (number INTEGER PRIMARY KEY, body ANY NOT NULL, count INTEGER NOT NULL,
  died INTEGER NOT NULL) STRICT;

CREATE TABLE blobs (name TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""

_UPDATES = {
    1: """
ALTER TABLE records ADD COLUMN extras TEXT;
ALTER TABLE live ADD COLUMN extras TEXT;
CREATE INDEX records_expiring ON records (expires) WHERE expires <> 0;
""",
    2: """
CREATE TABLE refusals (tenant TEXT, flow TEXT, day INTEGER, trigger_id TEXT, reason TEXT, count INTEGER NOT NULL,
  last INTEGER NOT NULL, PRIMARY KEY (tenant, flow, day, trigger_id, reason)) STRICT, WITHOUT ROWID;
""",
    3: """
CREATE TABLE documents (tenant TEXT, kind TEXT, key TEXT, rev TEXT NOT NULL, content TEXT NOT NULL,
  expires INTEGER NOT NULL, PRIMARY KEY (tenant, kind, key)) STRICT, WITHOUT ROWID;
CREATE INDEX documents_expiring ON documents (expires) WHERE expires <> 0;
""",
}
"""What brings a store of this version to the next one; rows keep what they say, and what they lack has its default."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open store, and what has to be known before the first write."""

    db: sqlite3.Connection
    lock: FileLock
    boot: int
    last_record: int
    last_message: int
    messages: Sequence[tuple[int, str | bytes, int, int]]
    """Number, body, visible_at, count: what earlier boots left in the queue."""
    dead_letters: Sequence[tuple[int, str | bytes, int, int]]
    """The same of what came too often, and nobody has dealt with."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that any one thread at a time may use, with no transactions of its own making."""
    db = sqlite3.connect(path, isolation_level=None, cached_statements=256, check_same_thread=False)
    try:
        db.executescript(_PRAGMAS)
    except BaseException:
        db.close()
        raise
    return db


def open_store(path: Path) -> Opened:
    """Lock the store, create or recognise it, and count this boot.

    Raises SettingError where another process holds it or a newer Penstock wrote it, StoreError where it is no store.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        db = connect(path)
        try:
            return _opened(db, lock, _begin(db, path))
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        lock.release()
        raise StoreError(f"{path} cannot be opened as a store: {error}. Move it away, or choose another.") from error
    except BaseException:
        lock.release()
        raise


def _opened(db: sqlite3.Connection, lock: FileLock, boot: int) -> Opened:
    return Opened(
        db,
        lock,
        boot,
        _number(db, "SELECT max(id) FROM records"),
        _number(db, "SELECT max(number) FROM (SELECT number FROM messages UNION ALL SELECT number FROM dead_letters)"),
        db.execute("SELECT number, body, visible_at, count FROM messages ORDER BY number").fetchall(),
        db.execute("SELECT number, body, 0, count FROM dead_letters ORDER BY number").fetchall(),
    )


def _begin(db: sqlite3.Connection, path: Path) -> int:
    version = _number(db, "PRAGMA user_version")
    if version > SCHEMA_VERSION:
        raise SettingError(
            f"{path} was written by a newer Penstock (schema {version}; this one knows {SCHEMA_VERSION}). "
            "Install that version, or choose another directory."
        )
    db.execute("BEGIN IMMEDIATE")
    if version < SCHEMA_VERSION:
        for script in [_TABLES] if version == 0 else [_UPDATES[step] for step in range(version, SCHEMA_VERSION)]:
            for statement in script.split(";"):
                if statement.strip():
                    db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    boot = _number(db, "SELECT max(number) FROM boots") + 1
    db.execute("DELETE FROM boots")
    db.execute("INSERT INTO boots VALUES (?)", (boot,))
    db.execute("COMMIT")
    return boot


def _number(db: sqlite3.Connection, query: str) -> int:
    """A number, 0 for null."""
    return int(db.execute(query).fetchone()[0] or 0)
