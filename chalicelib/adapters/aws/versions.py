"""Flow versions in DynamoDB, the long ones in S3, and the pointer to the one that is live."""

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.adapters.aws.addresses import Item, flow_partition, may_be_stored
from chalicelib.adapters.aws.answers import ConditionRefusedError
from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.directory import enter_flow, find_flows
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.aws.values import VERSION, check_version, number, number_in, text, text_in
from chalicelib.adapters.extras import live_extras, with_live_extras
from chalicelib.errors import CutOffError, NotFoundError, StoreError, TimedOutError
from chalicelib.ports import Blobs, Live, Version

LONGEST_TEXT = 300_000
"""Bytes of a version's text that an item holds; DynamoDB takes 400 KB in all."""


class AwsVersions:
    """Fulfils `ports.Versions` on the same table as `AwsFacts`."""

    def __init__(self, aws: Aws, table: str, blobs: Blobs) -> None:
        """`blobs` take the texts that are too long for an item."""
        self._table = Table(aws, table)
        self._blobs = blobs

    async def put(self, tenant: str, flow: str, version: str, text: str, now: int) -> None:
        """Store a version's canonical text; the same version again changes nothing.

        Raises TimedOutError or CutOffError where nobody knows: the same once more is safe.
        """
        item: Item = {**_key(tenant, flow, f"V#{version}"), "v": VERSION, "written": number(now)}
        item.update(await self._content(text))
        try:
            await self._put(item, "attribute_not_exists(pk)", {})
        except ConditionRefusedError:
            return

    async def _content(self, content: str) -> Item:
        encoded = content.encode("utf-8", "surrogatepass")
        if len(encoded) <= LONGEST_TEXT:
            return {"document": text(content)}
        return {"lies": {"S": await self._blobs.put(encoded)}}

    async def text(self, tenant: str, flow: str, version: str) -> str:
        """A version's text; raises NotFoundError."""
        found = await self._get(tenant, flow, f"V#{version}")
        if found is None:
            raise NotFoundError(f"flow {flow} has no version {version}")
        if "lies" in found:
            return (await self._blobs.get(found["lies"]["S"])).decode("utf-8", "surrogatepass")
        return text_in(found["document"])

    async def history(self, tenant: str, flow: str) -> Sequence[Version]:
        """A flow's versions, newest first."""
        if not may_be_stored(tenant, flow):
            return []
        query: dict[str, Any] = {
            "KeyConditionExpression": "pk=:p AND begins_with(sk,:v)",
            "ExpressionAttributeValues": {":p": {"S": flow_partition(tenant, flow)}, ":v": {"S": "V#"}},
            "ProjectionExpression": "sk,written",
            "ConsistentRead": True,
        }
        items = await self._table.query(query)
        versions = [Version(item["sk"]["S"].removeprefix("V#"), number_in(item, "written")) for item in items]
        return sorted(versions, key=lambda each: (each.stored, each.version), reverse=True)

    async def live(self, tenant: str, flow: str) -> Live | None:
        """The pointer, strongly consistent."""
        found = await self._get(tenant, flow, "LIVE")
        return None if found is None else _live(tenant, flow, found)

    async def set_live(self, live: Live) -> bool:
        """Write the pointer if its `rev` still is `live.rev - 1` (absent for 1); False where somebody was quicker."""
        if live.rev == 1:
            await enter_flow(self._table, live.tenant, live.flow, live.published)
        item: Item = {
            **_key(live.tenant, live.flow, "LIVE"),
            "v": VERSION,
            "version": {"S": live.version},
            "enabled": {"BOOL": live.enabled},
            "published": number(live.published),
            "rev": number(live.rev),
            "tokens": {"S": json.dumps(dict(live.tokens), separators=(",", ":"))},
        }
        if extras := live_extras(live):
            item["extras"] = {"S": extras}
        # Nobody has published this flow; or nobody since the writer looked, and it is a record we may replace.
        first, next_one = "attribute_not_exists(pk)", "rev=:seen AND v=:v"
        values = {} if live.rev == 1 else {":seen": number(live.rev - 1), ":v": VERSION}
        try:
            await self._put(item, first if live.rev == 1 else next_one, values)
        except ConditionRefusedError:
            return False
        except (TimedOutError, CutOffError):
            # Unknown: the pointer itself says whether it took place.
            if await self.live(live.tenant, live.flow) == live:
                return True
            raise
        return True

    async def flows(self, tenant: str) -> Sequence[Live]:
        """Every published flow, by name."""
        names = sorted(await find_flows(self._table, tenant))
        found: dict[str, Live] = {}
        for item in await self._table.get_many([_key(tenant, name, "LIVE") for name in names]):
            name = item["pk"]["S"].rpartition("#")[2]
            check_version(item, f"the pointer of flow {name}")
            found[name] = _live(tenant, name, item)
        return [found[name] for name in names if name in found]

    async def _get(self, tenant: str, flow: str, sort: str) -> Item | None:
        if not may_be_stored(tenant, flow, sort):
            return None
        item = await self._table.get(_key(tenant, flow, sort))
        if item is not None:
            check_version(item, f"flow {flow}, {sort}")
        return item

    async def _put(self, item: Item, condition: str, values: Item) -> None:
        payload: dict[str, Any] = {"Item": item, "ConditionExpression": condition}
        if values:
            payload["ExpressionAttributeValues"] = values
        await self._table.call("PutItem", payload)


def _key(tenant: str, flow: str, sort: str) -> Item:
    return {"pk": {"S": flow_partition(tenant, flow)}, "sk": {"S": sort}}


def _live(tenant: str, flow: str, item: Item) -> Live:
    try:
        live = Live(
            tenant,
            flow,
            item["version"]["S"],
            item["enabled"]["BOOL"],
            number_in(item, "published"),
            number_in(item, "rev"),
            json.loads(item["tokens"]["S"]),
        )
        return with_live_extras(live, item["extras"]["S"]) if "extras" in item else live
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(f"the pointer of flow {flow} is not readable: {error!r:.200}") from error
