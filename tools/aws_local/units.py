"""Makes moto's tables report what a write really consumes, by the rules DynamoDB bills by.

A write costs a unit for every started KB of the larger of the item before and after; an index costs its share only
where the entry it holds changes (DynamoDB Developer Guide, "Read and write operations", "Global secondary indexes").
moto itself reports a constant.
"""

import copy
from collections.abc import Callable
from typing import Any

_UNIT_BYTES = 1024
Item = dict[str, Any]


def patch() -> None:
    """Patch moto once, before its server is made."""
    from moto.dynamodb.responses import DynamoHandler

    handler: Any = DynamoHandler
    for name in ("put_item", "update_item", "delete_item"):
        setattr(handler, name, _metered(getattr(handler, name)))


def item_size(item: Item) -> int:
    """An item's size in bytes as DynamoDB counts it; the item in DynamoDB's JSON."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "B":
            return len(content) * 3 // 4
        case "SS":
            return sum(len(one.encode()) for one in content)
        case "NS":
            return sum(_number_size(one) for one in content)
        case "L":
            return 3 + sum(1 + _value_size(one) for one in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(one) for name, one in content.items())
        case _:
            return 1


def _number_size(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def _units(size: int) -> int:
    return max(1, -(-size // _UNIT_BYTES))


def _metered(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def metered(self: Any) -> Any:
        table = self.dynamodb_backend.get_table(self.body["TableName"])
        keys = {
            name: value for name, value in (self.body.get("Key") or self.body["Item"]).items() if name in _keys(table)
        }

        if keys.keys() != _keys(table):
            return write(self)  # refused there

        def now() -> Item:
            found = self.dynamodb_backend.get_item(self.body["TableName"], keys)
            return copy.deepcopy(found.to_json()["Attributes"]) if found else {}

        before = now()
        answer = write(self)
        after = now()
        wanted = self.body.get("ReturnConsumedCapacity", "NONE")
        answer.result.pop("ConsumedCapacity", None)
        if wanted != "NONE":
            answer.result["ConsumedCapacity"] = _consumed(table, before, after, wanted)
        return answer

    return metered


def _keys(table: Any) -> set[str]:
    return {entry["AttributeName"] for entry in table.schema}


def _consumed(table: Any, before: Item, after: Item, wanted: str) -> dict[str, Any]:
    of_table = _units(max(item_size(before), item_size(after)))
    of_indexes = {index.name: _index_units(table, index, before, after) for index in table.global_indexes}
    of_indexes = {name: units for name, units in of_indexes.items() if units}
    consumed: dict[str, Any] = {"TableName": table.name, "CapacityUnits": float(of_table + sum(of_indexes.values()))}
    if wanted == "INDEXES":
        consumed["Table"] = {"CapacityUnits": float(of_table)}
        if of_indexes:
            consumed["GlobalSecondaryIndexes"] = {
                name: {"CapacityUnits": float(units)} for name, units in of_indexes.items()
            }
    return consumed


def _index_units(table: Any, index: Any, before: Item, after: Item) -> int:
    keys = [entry["AttributeName"] for entry in index.schema]
    old, new = (_entry(table, index, keys, item) for item in (before, after))
    if old == new:
        return 0
    if old and new and [old[key] for key in keys] == [new[key] for key in keys]:
        return _units(max(item_size(old), item_size(new)))
    return sum(_units(item_size(entry)) for entry in (old, new) if entry)


def _entry(table: Any, index: Any, keys: list[str], item: Item) -> Item:
    """What the index holds of an item; nothing when the item lacks one of its keys."""
    if not all(key in item for key in keys):
        return {}
    projection: dict[str, Any] = index.projection or {}
    if projection.get("ProjectionType") == "ALL":
        return item
    names = {*keys, *_keys(table), *projection.get("NonKeyAttributes", [])}
    return {name: value for name, value in item.items() if name in names}
