"""Documents in DynamoDB: one item each.

A removed one is overwritten at once by an item that says nothing but that it is gone, which DynamoDB removes a little
later: so no function needs the right to delete anything in the table.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.adapters.aws.addresses import Item, documents_partition
from chalicelib.adapters.aws.answers import ConditionRefusedError
from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.aws.values import VERSION, check_version, number, number_in
from chalicelib.adapters.documents import document_text, may_be_a_document
from chalicelib.errors import CutOffError, TimedOutError
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Document

_ABSENT = "attribute_not_exists(pk) OR attribute_exists(gone)"
_AS_SEEN = "rev=:seen AND v=:v AND attribute_not_exists(gone)"


class AwsDocuments:
    """Fulfils `ports.Documents` on the same table as `AwsFacts`."""

    def __init__(self, aws: Aws, table: str, clock: Clock) -> None:
        self._table = Table(aws, table)
        self._clock = clock

    async def get(self, tenant: str, kind: str, key: str) -> Document | None:
        """The document now, strongly consistent."""
        if not may_be_a_document(tenant, kind, key):
            return None
        item = await self._table.get(_key(tenant, kind, key))
        return None if item is None or "gone" in item else _document(kind, item)

    async def put(
        self, tenant: str, kind: str, key: str, value: Mapping[str, Json], *, seen: str | None, expires: int = 0
    ) -> str | None:
        """Write it where its `rev` still is the one seen."""
        item: Item = {"body": {"S": document_text(value, tenant, kind, key)}}
        if expires:
            item["ttl"] = number(expires)
        return await self._write(tenant, kind, key, item, seen)

    async def delete(self, tenant: str, kind: str, key: str, *, seen: str) -> bool:
        """Overwrite it where its `rev` still is the one seen."""
        gone: Item = {"gone": {"BOOL": True}, "ttl": number(int(self._clock.now().timestamp()))}
        return may_be_a_document(tenant, kind, key) and await self._write(tenant, kind, key, gone, seen) is not None

    async def page(
        self, tenant: str, kind: str, *, after: str = "", most: int = 100, backwards: bool = False
    ) -> Sequence[Document]:
        """Up to so many by key."""
        if not may_be_a_document(tenant, kind) or (after and not may_be_a_document(after)):
            return []
        values: Item = {":p": {"S": documents_partition(tenant, kind)}}
        condition = "pk=:p"
        if after:
            values[":a"] = {"S": after}
            condition += " AND sk<:a" if backwards else " AND sk>:a"
        query: dict[str, Any] = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "FilterExpression": "attribute_not_exists(gone)",
            "ConsistentRead": True,
            "ScanIndexForward": not backwards,
            "Limit": most,
        }
        return [_document(kind, item) for item in (await self._table.query(query, most=most))[:most]]

    async def _write(self, tenant: str, kind: str, key: str, content: Item, seen: str | None) -> str | None:
        rev = os.urandom(8).hex()  # the module `secrets` brings `random`, which a cold start can do without
        item: Item = {**_key(tenant, kind, key), "v": VERSION, "rev": {"S": rev}, **content}
        payload: dict[str, Any] = {"Item": item, "ConditionExpression": _ABSENT if seen is None else _AS_SEEN}
        if seen is not None:
            payload["ExpressionAttributeValues"] = {":seen": {"S": seen}, ":v": VERSION}
        try:
            await self._table.call("PutItem", payload)
        except ConditionRefusedError:
            return rev if await self._is_ours(item, rev) else None
        except (TimedOutError, CutOffError):
            # Unknown: the document itself says whether it took place.
            if await self._is_ours(item, rev):
                return rev
            raise
        return rev

    async def _is_ours(self, item: Item, rev: str) -> bool:
        """Whether this very write is what is there: a call that is repeated below us is refused the second time."""
        found = await self._table.get({"pk": item["pk"], "sk": item["sk"]})
        return found is not None and found.get("rev") == {"S": rev}


def _key(tenant: str, kind: str, key: str) -> Item:
    return {"pk": {"S": documents_partition(tenant, kind)}, "sk": {"S": key}}


def _document(kind: str, item: Item) -> Document:
    check_version(item, f"a document of kind {kind}")
    return Document(item["sk"]["S"], item["rev"]["S"], json.loads(item["body"]["S"]), number_in(item, "ttl"))
