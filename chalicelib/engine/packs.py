"""Where values lie. The head keeps facts without values: a write bills the whole item, every time (design 4.2).

A pack is the JSON text of what one commit brings: for each fact its value, its redacted input, its attempts, and its
failure. Its name says where it lies: `i<n>` in the record itself, `p<token>` an item of its own, `b<hash>` a blob.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from chalicelib.engine.shapes import record, rows, text, whole
from chalicelib.flow.values import Json

UNIT = 1024
"""Bytes of one write unit: a write bills every started one of the whole item (DynamoDB developer guide, write
capacity)."""

INLINE_LIMIT = 8192
"""Bytes that a record may have with what lies in it: every write and every read hands over all of it."""

PACK_LIMIT = 8192
"""Bytes above which one S3 PUT costs less than the write units of an item."""

ITEM_BYTES = 80
"""About what a pack of its own weighs beside its text: keys, names, version."""


class Placement(Enum):
    """The three places for a pack."""

    INLINE = "i"
    ITEM = "p"
    BLOB = "b"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the writes that follow on a record: the plan says how many there may be, not which will."""

    writes: int
    """So many, at most."""
    bytes_each: int
    """About what each adds to the record, values aside."""


LAST = Outlook(0, 0)
"""No write follows: the record ends with this one."""


def place(pack_bytes: int, record_bytes: int, outlook: Outlook) -> Placement:
    """Where a pack goes, by its size and the record's size (both in bytes, the record's without the pack).

    A pack of its own is billed once. In the record it is billed now, and again with each later write that it lifts
    over a KB: with none where the record stays small, with nearly all of them where it does not. Nobody knows which
    writes will follow, but the plan bounds them: we take what costs less should all of them come, and on a tie the
    record, which is a call less as well.
    """
    if record_bytes + pack_bytes <= INLINE_LIMIT:
        item = _units(ITEM_BYTES + pack_bytes)
        extra, size = 0, record_bytes
        for _ in range(outlook.writes + 1):
            extra += _units(size + pack_bytes) - _units(size)
            if extra > item:
                break
            size += outlook.bytes_each
        else:
            return Placement.INLINE
    return Placement.ITEM if pack_bytes <= PACK_LIMIT else Placement.BLOB


def _units(size: int) -> int:
    return max(1, -(-size // UNIT))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a step. Times are epoch milliseconds; `code` is empty where it succeeded."""

    number: int
    start: int
    end: int
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a pack holds of one fact."""

    value: Json
    input: Json
    attempts: Sequence[Attempt]
    failure: Mapping[str, Json] | None = None
    """{"code", "message", "status", "detail", "url"} as `errors.<step>` shows it."""


def entry_to_json(entry: Entry) -> Mapping[str, Json]:
    """An entry under short names, what says nothing left out: `v`, `i`, `a`, `e`; `b` is value and input in one.

    A step that succeeded at the first attempt has `a: [start, how long]`, any other a row for each attempt.
    """
    data: dict[str, Json] = {}
    value, given = entry.value, entry.input
    # Equal to the letter: 1 and true are equal, and are not the same JSON.
    if value is not None and value == given and repr(value) == repr(given):
        data["b"] = value
    else:
        if value is not None:
            data["v"] = value
        if given is not None:
            data["i"] = given
    data["a"] = _attempts_to_json(entry.attempts)
    if entry.failure is not None:
        data["e"] = dict(entry.failure)
    return data


def _attempts_to_json(attempts: Sequence[Attempt]) -> Json:
    if len(attempts) == 1:
        (one,) = attempts
        if one.number == 1 and not one.code and not one.message:
            return [one.start, one.end - one.start]
    return [[each.number, each.start, each.end, each.code, each.message] for each in attempts]


def entry_from_json(data: Mapping[str, Json]) -> Entry:
    """The entry behind its JSON; raises KeyError or TypeError for anything else."""
    failure = data.get("e")
    both = data.get("b")
    attempts = _attempts(rows(data["a"]))
    told = None if failure is None else record(failure)
    return Entry(data.get("v", both), data.get("i", both), attempts, told)


def _attempts(found: Sequence[Json]) -> Sequence[Attempt]:
    if len(found) == 2 and isinstance(found[0], int):
        start, took = whole(found[0]), whole(found[1])
        return (Attempt(1, start, start + took),)
    return tuple(_attempt(rows(each)) for each in found)


def _attempt(row: Sequence[Json]) -> Attempt:
    if len(row) != 5:
        raise TypeError(f"an attempt has 5 fields, not {len(row)}")
    return Attempt(whole(row[0]), whole(row[1]), whole(row[2]), text(row[3]), text(row[4]))
