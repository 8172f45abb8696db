"""Counts of refused deliveries in DynamoDB: one item per flow and day, which DynamoDB removes by itself."""

from collections.abc import Sequence
from typing import Any

from chalicelib.adapters.aws.addresses import Item, flow_partition, may_be_stored
from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.aws.values import VERSION, check_version, number
from chalicelib.ports import DAYS_KEPT, Refusal

_DAY_SECONDS = 86_400
_MOST = 40
"""Counts in one update: its expression may be 4 KB long (DynamoDB developer guide, service quotas)."""


class AwsRefusals:
    """Fulfils `ports.Refusals` on the same table as `AwsVersions`."""

    def __init__(self, aws: Aws, table: str) -> None:
        self._table = Table(aws, table)

    async def add(self, tenant: str, flow: str, day: int, refusals: Sequence[Refusal]) -> None:
        """Add to one flow's counts of one day: an update, or one for each forty counts."""
        for start in range(0, len(refusals), _MOST):
            await self._table.call("UpdateItem", _update(tenant, flow, day, refusals[start : start + _MOST]))

    async def of(self, tenant: str, flow: str, since: int) -> Sequence[Refusal]:
        """A flow's counts from this day on."""
        if flow and not may_be_stored(tenant, flow):
            return []
        query: dict[str, Any] = {
            "KeyConditionExpression": "pk=:p AND sk BETWEEN :since AND :last",
            "ExpressionAttributeValues": {
                ":p": {"S": flow_partition(tenant, flow)},
                ":since": {"S": _sort(max(since, 0))},
                ":last": {"S": _sort(999_999)},
            },
        }
        return [refusal for item in await self._table.query(query) for refusal in _read(flow, item)]


def _sort(day: int) -> str:
    return f"N#{day:06d}"


def _update(tenant: str, flow: str, day: int, refusals: Sequence[Refusal]) -> dict[str, Any]:
    names: dict[str, str] = {"#t": "ttl"}
    values: Item = {":v": VERSION, ":t": number((day + 1 + DAYS_KEPT) * _DAY_SECONDS)}
    adds: list[str] = []
    sets = ["v=:v", "#t=:t"]
    for place, each in enumerate(refusals):
        # A trigger's id holds no colon, so what stands before the last one is its own.
        names[f"#c{place}"], names[f"#l{place}"] = f"c:{each.trigger}:{each.reason}", f"l:{each.trigger}:{each.reason}"
        values[f":c{place}"], values[f":l{place}"] = number(each.count), number(each.last)
        adds.append(f"#c{place} :c{place}")
        sets.append(f"#l{place}=:l{place}")
    return {
        "Key": {"pk": {"S": flow_partition(tenant, flow)}, "sk": {"S": _sort(day)}},
        "UpdateExpression": f"SET {','.join(sets)} ADD {','.join(adds)}",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _read(flow: str, item: Item) -> list[Refusal]:
    check_version(item, f"the refusals of flow {flow}")
    day = int(item["sk"]["S"].removeprefix("N#"))
    found: list[Refusal] = []
    for name, value in item.items():
        if name.startswith("c:"):
            _, trigger, reason = name.split(":", 2)
            last = item.get(f"l:{trigger}:{reason}", {"N": "0"})
            found.append(Refusal(flow, trigger, reason, day, int(value["N"]), int(last["N"])))
    return found
