"""Where values lie. The head keeps facts without values: a write bills the whole item, every time (design 4.2).

A pack is the JSON text of what one commit brings: for each fact its value, its redacted input, its attempts, and its
failure. Its name says where it lies: `i<n>` in the record itself, `p<token>` an item of its own, `b<hash>` a blob.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from chalicelib.engine.shapes import record, rows, text, whole
from chalicelib.flow.values import Json

INLINE_LIMIT = 1024
"""Bytes up to which the head stays one write unit (a unit is 1 KB; DynamoDB developer guide, write capacity)."""

INLINE_LIMIT_OF_ONE_WRITE = 8192
"""The same for the write that ends the execution: its values are then billed once, as they would be in a pack."""

PACK_LIMIT = 8192
"""Bytes above which one S3 PUT costs less than the write units of an item."""


class Placement(Enum):
    """The three places for a pack."""

    INLINE = "i"
    ITEM = "p"
    BLOB = "b"


def place(pack_bytes: int, record_bytes: int, *, creates_and_ends: bool) -> Placement:
    """Where a pack goes, by its size and the record's size, both in bytes and without the pack."""
    limit = INLINE_LIMIT_OF_ONE_WRITE if creates_and_ends else INLINE_LIMIT
    if record_bytes + pack_bytes <= limit:
        return Placement.INLINE
    return Placement.ITEM if pack_bytes <= PACK_LIMIT else Placement.BLOB


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
    """An entry under short names: `v`, `i`, `a`, `e`."""
    data: dict[str, Json] = {
        "v": entry.value,
        "i": entry.input,
        "a": [[a.number, a.start, a.end, a.code, a.message] for a in entry.attempts],
    }
    if entry.failure is not None:
        data["e"] = dict(entry.failure)
    return data


def entry_from_json(data: Mapping[str, Json]) -> Entry:
    """The entry behind its JSON; raises KeyError or TypeError for anything else."""
    failure = data.get("e")
    attempts = tuple(_attempt(rows(each)) for each in rows(data["a"]))
    return Entry(data["v"], data["i"], attempts, None if failure is None else record(failure))


def _attempt(row: Sequence[Json]) -> Attempt:
    if len(row) != 5:
        raise TypeError(f"an attempt has 5 fields, not {len(row)}")
    return Attempt(whole(row[0]), whole(row[1]), whole(row[2]), text(row[3]), text(row[4]))
