"""A tenant's flows: one item each, written once, so that nothing needs a scan to find them.

The item says since when the flow is published; the pointer beside its versions says the rest. It is written before the
first pointer, so a name without a pointer was never live.
"""

from typing import Any

from chalicelib.adapters.aws.addresses import Item, flows_partition, may_be_stored
from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.values import VERSION, number, number_in


async def enter_flow(aws: Aws, table: str, tenant: str, flow: str, now: int) -> None:
    """Write the flow's name down, with the moment (epoch milliseconds) of its first time."""
    await aws.dynamodb(
        "UpdateItem",
        {
            "TableName": table,
            "Key": _key(tenant, flow),
            "UpdateExpression": "SET v=if_not_exists(v,:v),published=if_not_exists(published,:now)",
            "ExpressionAttributeValues": {":v": VERSION, ":now": number(now)},
        },
    )


async def find_flows(aws: Aws, table: str, tenant: str, flow: str | None = None) -> dict[str, int]:
    """When each flow of the tenant, or this one alone, was first published, by name."""
    if not may_be_stored(tenant, flow or "any"):
        return {}
    if flow is not None:
        found = await aws.dynamodb("GetItem", {"TableName": table, "Key": _key(tenant, flow)})
        return {flow: number_in(found["Item"], "published")} if "Item" in found else {}
    query: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk=:p",
        "ExpressionAttributeValues": {":p": {"S": flows_partition(tenant)}},
        "ConsistentRead": True,
    }
    items = await query_all(aws, query)
    return {item["sk"]["S"]: number_in(item, "published") for item in items}


async def query_all(aws: Aws, query: dict[str, Any]) -> list[Item]:
    """Every page of a query."""
    items: list[Item] = []
    while True:
        answer = await aws.dynamodb("Query", query)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return items
        query = {**query, "ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _key(tenant: str, flow: str) -> Item:
    return {"pk": {"S": flows_partition(tenant)}, "sk": {"S": flow}}
