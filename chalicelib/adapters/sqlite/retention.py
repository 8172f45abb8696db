"""What need not be kept any longer, and its removal: a few rows at a time, between the writes of executions.

An execution goes once its `expires` has passed and everybody was told of its end, with its values and the records of
its loops. Where it stood for a delivery's key its head stays a while longer as a *tombstone* (its `expires` negative):
nobody sees it any more, and the same delivery still does not start a second one (design 4.2).
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.adapters.sqlite.batch import SqliteBatch
from chalicelib.engine.records import RecordKey

TOMBSTONE_SECONDS = (14 + 2) * 86_400 + 900
"""From the start: as long as a start may still create its execution (14 days), a lease, and 48 hours."""

MOST_AT_ONCE = 64
"""Heads in one transaction: executions wait for the writer meanwhile."""

MOST_PARTS = 1_000
"""Records of loops in one transaction; where there are more, their heads go when all of them are gone."""

EXPIRED = """
SELECT id, tenant, execution, keyed, started FROM records
WHERE expires <> 0 AND expires > 0 AND expires <= ? AND part = '' AND next_check IS NULL
  AND status IN ('S', 'F', 'C', 'T')
ORDER BY expires LIMIT ?
"""
ORPHANS = """
SELECT id, tenant, execution, part FROM records
WHERE expires <> 0 AND expires > 0 AND expires <= ? AND part <> ''
  AND NOT EXISTS (SELECT 1 FROM records AS head
                  WHERE head.execution = records.execution AND head.tenant = records.tenant AND head.part = '')
  AND NOT EXISTS (SELECT 1 FROM facts WHERE record = records.id AND name >= 'L' AND name < 'M')
ORDER BY expires LIMIT ?
"""
"""Records of lanes where nobody has a place, and of schedules, and of loops whose head is gone."""
PARTS = """
SELECT records.id, tenant, execution, part FROM json_each(?) AS head JOIN records
  ON execution = json_extract(head.value, '$[1]') AND tenant = json_extract(head.value, '$[0]') AND part <> ''
LIMIT ?
"""
TOMBSTONES = "SELECT id FROM records WHERE expires <> 0 AND expires < 0 AND expires >= ? LIMIT ?"
FORGET_FACTS = "DELETE FROM facts WHERE record IN (SELECT value FROM json_each(?))"
FORGET_PACKS = "DELETE FROM packs WHERE record IN (SELECT value FROM json_each(?))"
FORGET_RECORDS = "DELETE FROM records WHERE id IN (SELECT value FROM json_each(?))"
BURY = "UPDATE records SET expires = -(started / 1000 + ?) WHERE id IN (SELECT value FROM json_each(?))"
"""The numbers come as one JSON text, so that each statement is one text and stays prepared."""


@dataclass(frozen=True, slots=True)
class _Head:
    number: int
    key: RecordKey
    stays_until: int
    """Epoch seconds; 0 where nothing of it stays."""


def forget(batch: SqliteBatch, now: int, most: int = MOST_AT_ONCE) -> int:
    """Remove what may go at `now` (epoch seconds), at most so many of a kind; the most there were of one.

    Runs in the writing thread, inside a transaction. What that transaction writes to is left for another time.
    """
    db = batch.db
    heads = [head for head in _heads(db, now, most) if not batch.has_written(head.key)]
    for head in heads:
        batch.forget(head.key)
    found = _parts(db, heads)
    parts = [number for number, key in found if not batch.has_written(key)]
    is_all = len(found) < MOST_PARTS
    kept = [head.number for head in heads if is_all and head.stays_until > now]
    gone = [head.number for head in heads if is_all and head.stays_until <= now]
    alone = [(number, key) for number, key in _orphans(db, now, most) if not batch.has_written(key)]
    for _, key in alone:
        batch.forget(key)
    orphans = [number for number, _ in alone]
    tombstones = [number for (number,) in db.execute(TOMBSTONES, (-now, most)).fetchall()]
    empty = json.dumps([*parts, *kept, *gone, *orphans])
    db.execute(FORGET_FACTS, (empty,))
    db.execute(FORGET_PACKS, (empty,))
    db.execute(FORGET_RECORDS, (json.dumps([*parts, *gone, *orphans, *tombstones]),))
    db.execute(BURY, (TOMBSTONE_SECONDS, json.dumps(kept)))
    return max(len(heads), len(orphans), len(tombstones)) if is_all else most


def _heads(db: sqlite3.Connection, now: int, most: int) -> list[_Head]:
    found: list[_Head] = []
    for number, tenant, execution, keyed, started in db.execute(EXPIRED, (now, most)).fetchall():
        stays_until = started // 1000 + TOMBSTONE_SECONDS if keyed else 0
        found.append(_Head(number, RecordKey(tenant, execution), stays_until))
    return found


def _parts(db: sqlite3.Connection, heads: Sequence[_Head]) -> list[tuple[int, RecordKey]]:
    """The records of these executions' loops."""
    executions = json.dumps([[head.key.tenant, head.key.execution] for head in heads])
    return [(row[0], RecordKey(*row[1:])) for row in db.execute(PARTS, (executions, MOST_PARTS)).fetchall()]


def _orphans(db: sqlite3.Connection, now: int, most: int) -> list[tuple[int, RecordKey]]:
    return [(row[0], RecordKey(*row[1:])) for row in db.execute(ORPHANS, (now, most)).fetchall()]
