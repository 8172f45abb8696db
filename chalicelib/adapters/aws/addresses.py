"""Where everything lies in the one table (design 4.2): partition and sort keys, and the keys of its two indexes.

    head of an execution      <tenant>#E#<id>               H
    a loop in one invocation  <tenant>#E#<id>#J#<step>@#0   B#0
    a pack of either          (the same partition)          O#<name>
    a flow's version          <tenant>#F#<flow>             V#<hash>
    a flow's pointer          <tenant>#F#<flow>             LIVE
    a tenant's flows          <tenant>#FLOWS                <flow>

Index `due`: `gp` is one of a few partitions, `gs` the moment of the next check. Index `list`: `lp` is
`<tenant>#<flow>#<day>`, `ls` is `<started>#<id>`. A tenant's, flow's or step's name holds no `#`.
"""

from binascii import crc32
from datetime import date
from typing import Any, TypeAlias

from chalicelib.engine.records import RecordKey

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


def record_key(key: RecordKey) -> Item:
    """The table key of a record."""
    sort = "H" if key.is_head else "B#0"
    return {"pk": {"S": _partition(key)}, "sk": {"S": sort}}


def pack_key(key: RecordKey, name: str) -> Item:
    """The table key of a pack of a record."""
    return {"pk": {"S": _partition(key)}, "sk": {"S": f"O#{name}"}}


def _partition(key: RecordKey) -> str:
    loop = "" if key.is_head else f"#J#{key.part}@#0"
    return f"{key.tenant}#E#{key.execution}{loop}"


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
