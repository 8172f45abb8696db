"""Where everything lies in the one table (design 4.2): partition and sort keys, and the keys of its two indexes.

    head of an execution      <tenant>#E#<id>                   H
    a loop in one invocation  <tenant>#E#<id>#J#<step>@#0       B#0
    chunk i of a wide loop    <tenant>#E#<id>#J#<step>@#<g>     B#<i>
    shard n of its marks      <tenant>#E#<id>#J#<step>@#<n+1>   J
    the root of its shards    <tenant>#E#<id>#J#<step>@         R
    a lane                    <tenant>#L#<hash>                 H
    a schedule's memory       <tenant>#E#<hash>#J#schedule@#0   B#0
    a pack of a chunk         (the chunk's partition)           O#B#<i>#<name>
    a pack of any other       (the same partition)              O#<name>
    a flow's version          <tenant>#F#<flow>                 V#<hash>
    a flow's pointer          <tenant>#F#<flow>                 LIVE
    a flow's refusals, a day  <tenant>#F#<flow>                 N#<day>
    a tenant's flows          <tenant>#FLOWS                    <flow>
    a document                <tenant>#D#<kind>                 <key>
    a rate's bucket           <tenant>#T#<name>                 B

Groups of a wide loop are counted from 1, `g` is `1 + i // 128`: group 0 is the loop's that runs in one invocation.
Index `due`: `gp` is one of a few partitions, `gs` the moment of the next check. Index `list`: `lp` is
`<tenant>#<flow>#<day>`, `ls` is `<started>#<id>`. A tenant's, flow's or step's name holds no `#`, a pack's begins with
`p`.
"""

import re
from binascii import crc32
from datetime import date
from typing import Any, NamedTuple, TypeAlias

from chalicelib.engine.controls import LANE
from chalicelib.engine.records import RecordKey
from chalicelib.errors import StoreError

Item: TypeAlias = dict[str, dict[str, Any]]
"""An item, or a part of one, in DynamoDB's JSON: {"name": {"S": "text"}}."""

DUE_INDEX = "due"
LIST_INDEX = "list"
PARTITIONS = 16
"""Of the `due` index: each takes about 1,000 writes a second (DynamoDB developer guide, partition throughput)."""

DAY = 86_400_000
"""Milliseconds."""

_LONGEST_NAME = 1000
"""Below DynamoDB's 1,024 bytes for a sort key and 2,048 for a partition key; none of our names comes near."""


def may_be_stored(*names: str) -> bool:
    """Whether something can lie under these names at all: what comes in an address of the API may be any text."""
    return all(name and name.isascii() and len(name) <= _LONGEST_NAME for name in names)


def has_place(key: RecordKey) -> bool:
    """Whether there can be such a record at all: its part is one of those above."""
    return may_be_stored(key.tenant, key.execution) and _place_of(key) is not None


def record_key(key: RecordKey) -> Item:
    """The table key of a record; raises StoreError for a part that no record has."""
    place = _place(key)
    return {"pk": {"S": place.partition}, "sk": {"S": place.sort}}


def pack_key(key: RecordKey, name: str) -> Item:
    """The table key of a pack of a record; raises StoreError for a part that no record has."""
    place = _place(key)
    return {"pk": {"S": place.partition}, "sk": {"S": f"O#{place.packs}{name}"}}


class _Place(NamedTuple):
    """Where a record lies."""

    partition: str
    sort: str
    packs: str = ""
    """What stands before the names of its packs, where it shares the partition with records that have packs too."""


_PART = re.compile(r"([a-z][a-z0-9_]{0,39})(?:/(?:(b|s)(0|[1-9][0-9]{0,8})|(r)))?")
_CHUNKS_TOGETHER = 128
"""Chunks in one partition: as many as have their marks in one shard (design 4.2)."""


def _place(key: RecordKey) -> _Place:
    found = _place_of(key)
    if found is None:
        raise StoreError(f"execution {key.execution} has no record {key.part[:60]!r}.")
    return found


def _place_of(key: RecordKey) -> _Place | None:
    if key.is_head:
        return _Place(f"{key.tenant}#E#{key.execution}", "H")
    if key.part == LANE:
        return _Place(f"{key.tenant}#L#{key.execution}", "H")
    match = _PART.fullmatch(key.part)
    if match is None:
        return None
    step, kind, digits, root = match.groups()
    loop = f"{key.tenant}#E#{key.execution}#J#{step}@"
    if root:
        return _Place(loop, "R")
    if kind is None:
        return _Place(f"{loop}#0", "B#0")
    number = int(digits)
    if kind == "s":
        return _Place(f"{loop}#{number + 1}", "J")
    return _Place(f"{loop}#{1 + number // _CHUNKS_TOGETHER}", f"B#{number}", f"B#{number}#")


def head_in(partition: str) -> RecordKey:
    """The execution whose head lies in this partition."""
    tenant, _, execution = partition.split("#", 2)
    return RecordKey(tenant, execution)


def due_partition(execution: str, partitions: int) -> str:
    """Which part of the `due` index an execution's entry lies in: the same in every process, for ever."""
    return str(crc32(execution.encode()) % partitions)


def day_of(moment: int) -> int:
    """The day of a moment in epoch milliseconds, in UTC, counted from 1970."""
    return moment // DAY


def list_partition(tenant: str, flow: str, day: int) -> str:
    """`lp`: a flow's executions of one day."""
    return f"{tenant}#{flow}#{date.fromordinal(719_163 + day).isoformat()}"  # 719,163 is 1970-01-01


def list_sort(started: int, execution: str) -> str:
    """`ls`: thirteen digits hold every millisecond until the year 2286."""
    return f"{started:013d}#{execution}"


def flow_partition(tenant: str, flow: str) -> str:
    """Where a flow's versions and its pointer lie."""
    return f"{tenant}#F#{flow}"


def flows_partition(tenant: str) -> str:
    """Where a tenant's flows are listed."""
    return f"{tenant}#FLOWS"


def documents_partition(tenant: str, kind: str) -> str:
    """Where a tenant's documents of a kind lie."""
    return f"{tenant}#D#{kind}"


def bucket_key(tenant: str, name: str) -> Item:
    """The table key of a rate's bucket of tokens: each a partition of its own, so that one's rush slows no other."""
    return {"pk": {"S": f"{tenant}#T#{name}"}, "sk": {"S": "B"}}
