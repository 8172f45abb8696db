"""What a deployment knows about itself: one record of the table, written by `penstock deploy`, read once a process."""

from chalicelib.adapters.aws.addresses import Item
from chalicelib.adapters.aws.client import Aws

KEY: Item = {"pk": {"S": "SETTINGS"}, "sk": {"S": "SETTINGS"}}
"""No tenant stands before it: it is the deployment's."""


def settings_item(base_url: str) -> Item:
    """The record: where the deployment is reached, without a slash at its end."""
    return {**KEY, "v": {"N": "1"}, "url": {"S": base_url}}


async def read_base_url(aws: Aws, table: str) -> str:
    """Where the deployment is reached; empty before `penstock deploy` has written it."""
    found = await aws.dynamodb("GetItem", {"TableName": table, "Key": KEY})
    item: Item = found.get("Item") or {}
    return str(item["url"]["S"]) if "url" in item else ""
