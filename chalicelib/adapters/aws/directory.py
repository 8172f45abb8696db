"""A tenant's flows: one item each, written once, so that nothing needs a scan to find them.

The item says since when the flow is published; the pointer beside its versions says the rest. It is written before the
first pointer, so a name without a pointer was never live.
"""

from typing import Any

from chalicelib.adapters.aws.addresses import Item, flows_partition, may_be_stored
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.aws.values import VERSION, number, number_in


async def enter_flow(table: Table, tenant: str, flow: str, now: int) -> None:
    """Write the flow's name down, with the moment (epoch milliseconds) of its first time."""
    await table.call(
        "UpdateItem",
        {
            "Key": _key(tenant, flow),
            "UpdateExpression": "SET v=if_not_exists(v,:v),published=if_not_exists(published,:now)",
            "ExpressionAttributeValues": {":v": VERSION, ":now": number(now)},
        },
    )


async def find_flows(table: Table, tenant: str, flow: str | None = None) -> dict[str, int]:
    """When each flow of the tenant, or this one alone, was first published, by name."""
    if not may_be_stored(tenant, flow or "any"):
        return {}
    if flow is not None:
        found = await table.get(_key(tenant, flow))
        return {} if found is None else {flow: number_in(found, "published")}
    query: dict[str, Any] = {
        "KeyConditionExpression": "pk=:p",
        "ExpressionAttributeValues": {":p": {"S": flows_partition(tenant)}},
        "ConsistentRead": True,
    }
    items = await table.query(query)
    return {item["sk"]["S"]: number_in(item, "published") for item in items}


def _key(tenant: str, flow: str) -> Item:
    return {"pk": {"S": flows_partition(tenant)}, "sk": {"S": flow}}
