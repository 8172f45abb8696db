"""What one transaction writes: records as they are at its end, rows for other tables, all just before the commit."""

import sqlite3

from chalicelib.adapters.sqlite.bulk import Bulk, Row
from chalicelib.adapters.sqlite.rows import (
    REMOVE_FACTS,
    WRITE_FACTS,
    WRITE_PACKS,
    WRITE_RECORDS,
    Slot,
    find_record,
    record_row,
    storable,
)
from chalicelib.engine.conditions import allows, apply
from chalicelib.engine.facts import to_text
from chalicelib.engine.records import RecordKey
from chalicelib.engine.writes import Answer, Applied, Commit, Refused, Write

MOST_REMEMBERED = 20_000
"""Records kept in memory, so that a commit on one that is running reads nothing."""


class Memory:
    """The records that are running, as they are on disk. The writing thread changes it, and only after a commit."""

    def __init__(self, last_record: int) -> None:
        self.slots: dict[RecordKey, Slot] = {}
        self.last_record = last_record
        self._parts: dict[tuple[str, str], set[RecordKey]] = {}
        """The records of loops that are remembered, by tenant and execution: they say themselves of no end."""

    def remember(self, changed: dict[RecordKey, Slot]) -> None:
        """Take over what a transaction has made of these; what has ended is forgotten, its loops with it."""
        slots = self.slots
        ended: list[RecordKey] = []
        for key, slot in changed.items():
            slots.pop(key, None)
            if slot.image.status.is_terminal:
                ended.append(key)
                continue
            slots[key] = slot
            if key.part:
                self._parts.setdefault((key.tenant, key.execution), set()).add(key)
        for key in ended:
            self.forget(key)
        while len(slots) > MOST_REMEMBERED:
            oldest = next(iter(slots))
            del slots[oldest]
            if oldest.part:
                self._parts[oldest.tenant, oldest.execution].discard(oldest)

    def forget(self, key: RecordKey) -> None:
        """Neither this record nor those of its loops need be remembered."""
        self.slots.pop(key, None)
        for part in self._parts.pop((key.tenant, key.execution), ()):
            self.slots.pop(part, None)


class SqliteBatch:
    """One transaction in the making. Lives in the writing thread."""

    def __init__(self, db: sqlite3.Connection, memory: Memory, *, is_alone: bool) -> None:
        """`is_alone`: one piece of work, after a batch with it has failed; nothing is taken for granted then."""
        self.db = db
        self._is_alone = is_alone
        self._memory = memory
        self._last_record = memory.last_record
        self._changed: dict[RecordKey, Slot] = {}
        self._facts: dict[tuple[int, str], str | None] = {}
        """By record and name: the fact's text at the end of the transaction; None where it goes."""
        self._packs: list[Row] = []
        self._rows: dict[Bulk, list[Row]] = {}

    def write(self, write: Write) -> Answer:
        """Carry a write out if its condition holds on the record as this transaction has made it so far."""
        key = write.key
        slot = self._changed.get(key) or self._memory.slots.get(key) or self._found(write)
        image = slot.image if slot is not None else None
        if not allows(image, write):
            # What was taken for granted below is looked up after all: a refusal says what is there.
            found = find_record(self.db, key) if slot is None else None
            return Refused(image if found is None else found.image)
        after = apply(image, write)
        expires = slot.expires if slot is not None else 0
        if slot is None:
            self._last_record += 1
            number = self._last_record
        else:
            number = slot.number
        if isinstance(write, Commit):
            expires = write.expires or expires
            facts, recorded = after.facts, self._facts
            for name in write.removes:
                recorded[number, name] = None
            for name in write.puts:
                recorded[number, name] = to_text(facts[name])
            for name, text in write.inline.items():
                self._packs.append((number, name, 1, storable(text)))
            for name, text in write.packs.items():
                self._packs.append((number, name, 0, storable(text)))
        self._changed[key] = Slot(number, after, expires)
        return Applied(after)

    def _found(self, write: Write) -> Slot | None:
        # An id made of randomness is new unless its start message came twice. Taking that for granted saves a query;
        # should it be wrong, the unique key fails the batch, and each piece is done alone.
        if isinstance(write, Commit) and write.birth is not None and not write.birth.keyed and not self._is_alone:
            return None
        return find_record(self.db, write.key)

    def has_written(self, key: RecordKey) -> bool:
        """Whether this transaction changes the record: what the tables say of it is old already."""
        return key in self._changed

    def forget(self, key: RecordKey) -> None:
        """The record goes with this transaction, and its loops' records with it."""
        self._memory.forget(key)

    def add(self, statement: Bulk, row: Row) -> None:
        """Write this row with the others of its statement, in no particular order among statements."""
        self._rows.setdefault(statement, []).append(row)

    def flush(self) -> None:
        """Write every row that is waiting."""
        db = self.db
        WRITE_RECORDS.write(db, [record_row(slot) for slot in self._changed.values()])
        facts = self._facts.items()
        WRITE_FACTS.write(db, [(number, name, text) for (number, name), text in facts if text is not None])
        REMOVE_FACTS.write(db, [place for place, text in facts if text is None])
        WRITE_PACKS.write(db, self._packs)
        for statement, rows in self._rows.items():
            statement.write(db, rows)

    def committed(self) -> None:
        """The transaction is on disk: what it says may be read from memory."""
        self._memory.last_record = self._last_record
        if self._changed:
            self._memory.remember(self._changed)
