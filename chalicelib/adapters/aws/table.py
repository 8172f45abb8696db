"""The one table, as everything here calls it: reads by key, queries to their end, and a missing table by name."""

from collections.abc import Sequence
from typing import Any

from chalicelib.adapters.aws.addresses import Item
from chalicelib.adapters.aws.client import Aws
from chalicelib.errors import NotFoundError, StoreError

_MOST_KEYS = 100
"""In one BatchGetItem (its API reference)."""

_TRIES = 10
"""How often what a BatchGetItem left out is asked for again."""


class Table:
    """Calls on one table; every item and key is DynamoDB's JSON."""

    __slots__ = ("_aws", "_name")

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._name = name

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """One call; raises what `Aws.dynamodb` raises, and StoreError where there is no such table."""
        return await self._ask(action, {"TableName": self._name, **payload})

    async def get(self, key: Item) -> Item | None:
        """The item now, strongly consistent."""
        return (await self.call("GetItem", {"Key": key, "ConsistentRead": True})).get("Item")

    async def get_many(self, keys: Sequence[Item], attributes: str = "") -> list[Item]:
        """Those of the items that exist, in no order, strongly consistent; whole, or these attributes alone."""
        found: list[Item] = []
        for start in range(0, len(keys), _MOST_KEYS):
            wanted: dict[str, Any] = {"Keys": list(keys[start : start + _MOST_KEYS]), "ConsistentRead": True}
            if attributes:
                wanted["ProjectionExpression"] = attributes
            asked: dict[str, Any] = {self._name: wanted}
            for _ in range(_TRIES):
                answer = await self._ask("BatchGetItem", {"RequestItems": asked})
                found += answer["Responses"].get(self._name, ())
                asked = answer.get("UnprocessedKeys") or {}
                if not asked:
                    break
            else:
                raise StoreError(
                    f"The table {self._name} is throttled: it left out keys {_TRIES} times. Try again later."
                )
        return found

    async def query(self, query: dict[str, Any], *, most: int | None = None) -> list[Item]:
        """Every item of a query, page by page, or those up to the page that makes them this many."""
        items: list[Item] = []
        while True:
            answer = await self.call("Query", query)
            items += answer["Items"]
            if "LastEvaluatedKey" not in answer or (most is not None and len(items) >= most):
                return items
            query = {**query, "ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def _ask(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._aws.dynamodb(action, payload)
        except NotFoundError as error:  # of the table: an item that is not there is no error
            raise StoreError(f"The table {self._name} does not exist. Check its name, or deploy again.") from error
