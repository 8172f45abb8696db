"""The records of executions in DynamoDB: one conditional write each, and the image comes back with the answer."""

import asyncio
from collections.abc import Sequence
from typing import Any

from chalicelib.adapters.aws.addresses import (
    DUE_INDEX,
    PARTITIONS,
    Item,
    head_in,
    may_be_stored,
    pack_key,
    record_key,
)
from chalicelib.adapters.aws.answers import ConditionRefusedError
from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.records import image_of
from chalicelib.adapters.aws.updates import DueEntry, Layout, expression_of, moves_due_entry
from chalicelib.adapters.aws.values import VERSION, check_version, number, number_in, text, text_in
from chalicelib.engine.conditions import allows
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.writes import Answer, Applied, Commit, Refused, Write
from chalicelib.errors import CutOffError, NotFoundError, StoreError, TimedOutError
from chalicelib.ports import Clock, Listing, Page

_TRIES = 8
"""How often a write may find the due entry moved while it was on its way; only the sweeper moves it later."""

_MOST_KEYS = 100
"""In one BatchGetItem (its API reference)."""


class AwsFacts:
    """Fulfils `ports.Facts` on one table."""

    def __init__(self, aws: Aws, table: str, clock: Clock, *, partitions: int = PARTITIONS) -> None:
        """`clock` says which day a listing begins with; `partitions` are those of the `due` index."""
        self._aws = aws
        self._table = table
        self._clock = clock
        self._layout = Layout(partitions)

    async def write(self, write: Write) -> Answer:
        """Carry the write out, or bring the record back as it is.

        Raises:
            TimedOutError, CutOffError: nobody knows whether it took place.
            StoreError: it certainly did not; also for a record over 400 KB, and one of a later version.
        """
        if isinstance(write, Commit) and write.packs:
            await self._put_packs(write)
        due = DueEntry.MOVES
        for _ in range(_TRIES):
            answer = await self._update(write, due)
            image = answer.image
            if isinstance(answer, Applied) or image is None:
                return answer
            if not moves_due_entry(write) or not allows(image, write):
                return answer
            # Nothing but the due entry stood in the way: the same again, by what the record says of it.
            is_early = image.next_check is not None and image.next_check <= (write.next_check or 0)
            if is_early is (due is DueEntry.STAYS):
                return answer
            due = DueEntry.STAYS if is_early else DueEntry.MOVES
        raise StoreError(f"the due entry of execution {write.key.execution} did not hold still in {_TRIES} tries")

    async def _update(self, write: Write, due: DueEntry) -> Answer:
        key = write.key
        what = f"execution {key.execution}"
        payload = expression_of(write, due, self._layout).to_payload(self._table, record_key(key), what)
        try:
            answer = await self._aws.dynamodb("UpdateItem", payload)
        except ConditionRefusedError as refused:
            return Refused(None if refused.item is None else image_of(key, refused.item))
        except StoreError as error:
            raise _named(error, what) from error
        return Applied(image_of(key, answer["Attributes"]))

    async def _put_packs(self, commit: Commit) -> None:
        """Before the record names them; the same pack twice is one pack."""
        puts = [self._put_pack(commit, name, content) for name, content in commit.packs.items()]
        try:
            await asyncio.gather(*puts)
        except (TimedOutError, CutOffError) as error:
            where = f"execution {commit.key.execution}"
            raise StoreError(
                f"{where}: its values could not be stored ({error.detail}); nothing names them."
            ) from error

    async def _put_pack(self, commit: Commit, name: str, content: str) -> None:
        item: Item = {**pack_key(commit.key, name), "v": VERSION, "t": text(content)}
        if commit.expires:
            item["ttl"] = number(commit.expires)
        try:
            await self._aws.dynamodb("PutItem", {"TableName": self._table, "Item": item})
        except StoreError as error:
            raise _named(error, f"pack {name} of execution {commit.key.execution}") from error

    async def read(self, key: RecordKey) -> Image | None:
        """The record now, strongly consistent."""
        item = await self._get(record_key(key)) if may_be_stored(key.tenant, key.execution) else None
        return None if item is None else image_of(key, item)

    async def pack(self, key: RecordKey, name: str) -> str:
        """The text of a pack item; raises NotFoundError."""
        item = await self._get(pack_key(key, name)) if may_be_stored(key.tenant, key.execution, name) else None
        if item is None:
            raise NotFoundError(f"execution {key.execution} has no pack {name}")
        check_version(item, f"pack {name} of execution {key.execution}")
        return text_in(item["t"])

    async def _get(self, key: Item) -> Item | None:
        asked = {"TableName": self._table, "Key": key, "ConsistentRead": True}
        return (await self._aws.dynamodb("GetItem", asked)).get("Item")

    async def page(self, listing: Listing) -> Page:
        """Executions, newest first, along the `list` index, going back day by day.

        A page may be empty and still have a cursor: then nothing was found in the days it looked at, and there are
        more. Raises UsageError for a cursor that is none of ours.
        """
        # Imported late: the delivery of a hook lists nothing.
        from chalicelib.adapters.aws.pages import find_page

        return await find_page(self._aws, self._table, listing, self._clock.now())

    async def unfinished(self, limit: int) -> Sequence[tuple[RecordKey, int]]:
        """Heads that still have a due entry, with their epoch; the earliest due first."""
        partitions = range(self._layout.partitions)
        found = await asyncio.gather(*(self._due_in(str(partition), limit) for partition in partitions))
        due = sorted((entry for entries in found for entry in entries), key=lambda entry: number_in(entry, "gs"))
        heads: list[tuple[RecordKey, int]] = []
        for start in range(0, len(due), _MOST_KEYS):
            if len(heads) >= limit:
                break
            part = due[start : start + _MOST_KEYS]
            epochs = await self._epochs([{"pk": entry["pk"], "sk": entry["sk"]} for entry in part])
            heads += [(head_in(pk), epochs[pk]) for entry in part if (pk := entry["pk"]["S"]) in epochs]
        return heads[:limit]

    async def _due_in(self, partition: str, limit: int) -> list[Item]:
        """A partition's first due entries."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": "gp=:p",
            "ExpressionAttributeValues": {":p": {"S": partition}},
            "Limit": limit,
        }
        found: list[Item] = []
        while len(found) < limit:
            answer = await self._aws.dynamodb("Query", query)
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                break
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    async def _epochs(self, keys: Sequence[Item]) -> dict[str, int]:
        """By partition key: the epochs of those heads that have a due entry still; the index may lag behind."""
        epochs: dict[str, int] = {}
        wanted = {"Keys": list(keys), "ConsistentRead": True, "ProjectionExpression": "pk,ep,gs"}
        asked: dict[str, Any] = {self._table: wanted}
        while asked:
            answer = await self._aws.dynamodb("BatchGetItem", {"RequestItems": asked})
            for item in answer["Responses"].get(self._table, ()):
                if "gs" in item:
                    epochs[item["pk"]["S"]] = number_in(item, "ep")
            asked = answer.get("UnprocessedKeys") or {}
        return epochs


def _named(error: StoreError, what: str) -> StoreError:
    """DynamoDB's complaint about a size says so in words alone (API reference, ValidationException)."""
    if error.facts.get("aws_code") == "ValidationException" and "size" in error.detail.lower():
        return StoreError(f"{what}: it would be larger than the 400 KB that DynamoDB takes. Nothing was written.")
    return error
