"""What a deployment knows about itself: one record of the table, written by `penstock deploy`, read once a process."""

import base64
from typing import Any

from chalicelib.adapters.aws.addresses import Item
from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.table import Table

KEY: Item = {"pk": {"S": "SETTINGS"}, "sk": {"S": "SETTINGS"}}
"""No tenant stands before it: it is the deployment's."""


LINK_KEY_BYTES = 32
"""Of the key that resume links are made with."""


def settings_update(base_url: str, fresh_key: bytes) -> dict[str, Any]:
    """UpdateItem's payload: where the deployment is reached, without a slash at its end, and a key for its links.

    `fresh_key` counts where there is none yet: a key that were replaced would end every link that was given out.
    """
    return {
        "Key": KEY,
        "UpdateExpression": "SET v=:v,#u=:u,lk=if_not_exists(lk,:k)",
        "ExpressionAttributeNames": {"#u": "url"},
        "ExpressionAttributeValues": {":v": {"N": "1"}, ":u": {"S": base_url}, ":k": _key_value(fresh_key)},
    }


async def read_base_url(aws: Aws, table: str) -> str:
    """Where the deployment is reached; empty before `penstock deploy` has written it.

    Raises StoreError where the table cannot be asked.
    """
    found = await Table(aws, table).call("GetItem", {"Key": KEY})
    item: Item = found.get("Item") or {}
    return str(item["url"]["S"]) if "url" in item else ""


async def read_link_key(aws: Aws, table: str, fresh_key: bytes) -> bytes:
    """The key that resume links are made with, for ever the same.

    Where no deployment has written one (plain `chalice deploy` writes no settings), `fresh_key` becomes it, unless
    somebody else is quicker. Raises StoreError where the table cannot be asked.
    """
    here = Table(aws, table)
    item = await here.get(KEY) or {}
    if "lk" not in item:
        update = {
            "Key": KEY,
            "UpdateExpression": "SET v=if_not_exists(v,:v),lk=if_not_exists(lk,:k)",
            "ExpressionAttributeValues": {":v": {"N": "1"}, ":k": _key_value(fresh_key)},
            "ReturnValues": "ALL_NEW",
        }
        item = (await here.call("UpdateItem", update))["Attributes"]
    return base64.b64decode(item["lk"]["S"])


def _key_value(key: bytes) -> dict[str, str]:
    # As text: boto3, which deploys, takes bytes, and the engine's own calls take base64; a text is the same for both.
    return {"S": base64.b64encode(key).decode()}
