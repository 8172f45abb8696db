"""The records of executions in DynamoDB: one conditional write each, and the image comes back with the answer."""

import asyncio
from collections.abc import Sequence
from typing import Any

from chalicelib.adapters.aws.addresses import (
    DUE_INDEX,
    PARTITIONS,
    Item,
    has_place,
    head_in,
    may_be_stored,
    pack_key,
    record_key,
)
from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.records import image_of
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.aws.values import check_version, number, number_in, text_in
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.writes import Answer, Write
from chalicelib.errors import NotFoundError
from chalicelib.ports import Clock, Listing, Page


class AwsFacts:
    """Fulfils `ports.Facts` on one table."""

    def __init__(self, aws: Aws, table: str, clock: Clock, *, partitions: int = PARTITIONS) -> None:
        """`clock` says which day a listing begins with; `partitions` are those of the `due` index."""
        self._table = Table(aws, table)
        self._clock = clock
        self._partitions = partitions

    async def write(self, write: Write) -> Answer:
        """Carry the write out, or bring the record back as it is.

        Raises:
            TimedOutError, CutOffError: nobody knows whether it took place.
            StoreError: it certainly did not; also for a record over 400 KB, and one of a later version.
        """
        # Imported late, as below: who accepts a delivery writes no record.
        from chalicelib.adapters.aws.writing import Writing

        # Whoever is cancelled must not tear a request apart that may have its effect all the same.
        return await asyncio.shield(Writing(self._table, self._partitions).carry_out(write))

    async def read(self, key: RecordKey) -> Image | None:
        """The record now, strongly consistent."""
        item = await self._table.get(record_key(key)) if has_place(key) else None
        return None if item is None else image_of(key, item)

    async def pack(self, key: RecordKey, name: str) -> str:
        """The text of a pack item; raises NotFoundError."""
        item = await self._table.get(pack_key(key, name)) if has_place(key) and may_be_stored(name) else None
        if item is None:
            raise NotFoundError(f"execution {key.execution} has no pack {name}")
        check_version(item, f"pack {name} of execution {key.execution}")
        return text_in(item["t"])

    async def page(self, listing: Listing) -> Page:
        """Executions, newest first, along the `list` index, going back day by day.

        A page may be empty and still have a cursor: then nothing was found in the days it looked at, and there are
        more. Raises UsageError for a cursor that is none of ours.
        """
        # Imported late: who accepts a delivery lists nothing.
        from chalicelib.adapters.aws.pages import find_page

        return await find_page(self._table, listing, self._clock.now())

    async def due(self, now: int, limit: int) -> Sequence[RecordKey]:
        """Heads whose due entry is not after `now`, the earliest first, as the `due` index has them."""
        found = await self._due_entries(limit, by=now)
        return [head_in(entry["pk"]["S"]) for entry in found[:limit]]

    async def unfinished(self, limit: int) -> Sequence[tuple[RecordKey, int]]:
        """Heads that still have a due entry, with their epoch; the earliest due first."""
        due = await self._due_entries(limit)
        heads: list[tuple[RecordKey, int]] = []
        for start in range(0, len(due), limit):
            part = due[start : start + limit]
            epochs = await self._epochs([{"pk": entry["pk"], "sk": entry["sk"]} for entry in part])
            heads += [(head_in(pk), epochs[pk]) for entry in part if (pk := entry["pk"]["S"]) in epochs]
            if len(heads) >= limit:
                break
        return heads[:limit]

    async def _due_entries(self, limit: int, *, by: int | None = None) -> list[Item]:
        """The first due entries of every partition (`by`: those not after this moment), the earliest first."""
        parts = [self._due_in(str(partition), limit, by) for partition in range(self._partitions)]
        found = await asyncio.gather(*parts)
        return sorted((entry for entries in found for entry in entries), key=lambda entry: number_in(entry, "gs"))

    async def _due_in(self, partition: str, limit: int, by: int | None) -> list[Item]:
        query: dict[str, Any] = {
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": "gp=:p" if by is None else "gp=:p AND gs<=:g",
            "ExpressionAttributeValues": {":p": {"S": partition}, **({} if by is None else {":g": number(by)})},
            "Limit": limit,
        }
        return await self._table.query(query, most=limit)

    async def _epochs(self, keys: Sequence[Item]) -> dict[str, int]:
        """By partition key: the epochs of those heads that have a due entry still; the index may lag behind."""
        heads = await self._table.get_many(keys, "pk,ep,gs")
        return {head["pk"]["S"]: number_in(head, "ep") for head in heads if "gs" in head}
