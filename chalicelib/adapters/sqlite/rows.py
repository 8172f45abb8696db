"""Records as rows: every statement on them, and the way to and from an image."""

import json
import sqlite3
from dataclasses import dataclass

from chalicelib.adapters.extras import birth_extras, with_birth_extras
from chalicelib.adapters.sqlite.bulk import Bulk, Row
from chalicelib.engine.facts import from_text
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.errors import NotFoundError

_STATE = ("status", "epoch", "rev", "busy", "next_check", "reason", "output_pack", "ended", "size", "expires")
_KEY = ("tenant", "execution", "part")
_BORN = (
    "flow",
    "version",
    "trigger_id",
    "started",
    "input_pack",
    "input_hash",
    "deadline",
    "parent",
    "retry_of",
    "keyed",
    "extras",
)
_ALL = ("id", *_STATE, *_KEY, *_BORN)
_UNBORN = (None,) * len(_BORN)

WRITE_RECORDS = Bulk(
    f"INSERT INTO records ({', '.join(_ALL)}) VALUES ",  # noqa: S608  column names of our own
    f"({', '.join('?' * len(_ALL))})",
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _STATE)}",
)
WRITE_FACTS = Bulk("INSERT OR REPLACE INTO facts (record, name, fact) VALUES ", "(?, ?, ?)")
# Not `(record, name) IN (VALUES ...)`: for that SQLite would read the whole table.
REMOVE_FACTS = Bulk("DELETE FROM facts WHERE ", "(record = ? AND name = ?)", between=" OR ")
WRITE_PACKS = Bulk("INSERT OR REPLACE INTO packs (record, name, is_inline, content) VALUES ", "(?, ?, ?, ?)")
_SELECT_RECORD = f"SELECT {', '.join(_ALL)} FROM records WHERE execution = ? AND tenant = ? AND part = ?"  # noqa: S608
_SELECT_FACTS = "SELECT name, fact FROM facts WHERE record = ?"
_SELECT_INLINE = "SELECT name, content FROM packs WHERE record = ? AND is_inline = 1"
_SELECT_PACK = """
SELECT content FROM packs JOIN records ON records.id = packs.record
WHERE execution = ? AND tenant = ? AND part = ? AND name = ?
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A record, the number of its row, and the epoch second when it may be forgotten (0: not yet known)."""

    number: int
    image: Image
    expires: int


def record_row(slot: Slot) -> Row:
    """A record as a row, in the order of `_ALL`; what belongs to a birth is null for a loop's record."""
    image = slot.image
    reason, key, birth = image.reason, image.key, image.birth
    state = (
        slot.number,
        image.status.value,
        image.epoch,
        image.rev,
        image.busy,
        image.next_check,
        None if reason is None else json.dumps([reason.how.value, reason.step, reason.code, reason.message]),
        image.output_pack,
        image.ended,
        image.size,
        slot.expires,
        key.tenant,
        key.execution,
        key.part,
    )
    if birth is None:
        return (*state, *_UNBORN)
    return (
        *state,
        birth.flow,
        birth.version,
        birth.trigger,
        birth.started,
        birth.input_pack,
        birth.input_hash,
        birth.deadline,
        birth.parent,
        birth.retry_of,
        int(birth.keyed),
        birth_extras(birth),
    )


def find_record(db: sqlite3.Connection, key: RecordKey) -> Slot | None:
    """The record as the tables have it."""
    row = db.execute(_SELECT_RECORD, (key.execution, key.tenant, key.part)).fetchone()
    if row is None:
        return None
    number, status, epoch, rev, busy, next_check, reason, output_pack, ended, size, expires = row[:11]
    *born, keyed, extras = row[14:]
    birth = None if born[0] is None else with_birth_extras(Birth(*born, keyed=bool(keyed)), extras)
    image = Image(
        key,
        Status(status),
        epoch,
        rev,
        birth,
        {name: from_text(fact) for name, fact in db.execute(_SELECT_FACTS, (number,))},
        {name: stored(content) for name, content in db.execute(_SELECT_INLINE, (number,))},
        busy,
        next_check,
        _reason(reason),
        output_pack,
        ended,
        size,
    )
    return Slot(number, image, expires)


def _reason(text: str | None) -> Reason | None:
    if text is None:
        return None
    how, step, code, message = json.loads(text)
    return Reason(Status(how), step, code, message)


def find_pack(db: sqlite3.Connection, key: RecordKey, name: str) -> str:
    """The text of a pack; raises NotFoundError."""
    row = db.execute(_SELECT_PACK, (key.execution, key.tenant, key.part, name)).fetchone()
    if row is None:
        raise NotFoundError(f"execution {key.execution} has no pack {name}")
    return stored(row[0])


def storable(text: str) -> str | bytes:
    """A text as SQLite takes it: one with lone surrogates, which is no UTF-8, as bytes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def stored(content: str | bytes) -> str:
    """The text behind `storable`."""
    return content if isinstance(content, str) else content.decode("utf-8", "surrogatepass")
