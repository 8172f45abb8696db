"""Carries writes out: packs first, then one conditional update; another where the due entry alone was in the way."""

import asyncio

from chalicelib.adapters.aws.addresses import Item, pack_key, record_key
from chalicelib.adapters.aws.answers import ConditionRefusedError
from chalicelib.adapters.aws.records import image_of
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.aws.updates import DueEntry, expression_of, moves_due_entry
from chalicelib.adapters.aws.values import VERSION, number, text
from chalicelib.engine.conditions import allows
from chalicelib.engine.writes import Answer, Applied, Commit, Refused, Write
from chalicelib.errors import CutOffError, StoreError, TimedOutError

LONGER_SECONDS = 400 * 86_400
"""So much longer than its record a pack is kept: the record may be redriven, and need it, until it ends once more."""

_TRIES = 8
"""How often a write may find the due entry moved while it was on its way; only the sweeper moves it later."""


class Writing:
    """Writes to one table; `partitions` are those of its `due` index."""

    __slots__ = ("_partitions", "_table")

    def __init__(self, table: Table, partitions: int) -> None:
        self._table = table
        self._partitions = partitions

    async def carry_out(self, write: Write) -> Answer:
        """As `AwsFacts.write` says."""
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
        payload = expression_of(write, due, self._partitions).to_payload(record_key(key), what)
        try:
            answer = await self._table.call("UpdateItem", payload)
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
        item["ttl"] = number((commit.expires or commit.now // 1000) + LONGER_SECONDS)
        try:
            await self._table.call("PutItem", {"Item": item})
        except StoreError as error:
            raise _named(error, f"pack {name} of execution {commit.key.execution}") from error


def _named(error: StoreError, what: str) -> StoreError:
    """DynamoDB's complaint about a size says so in words alone (API reference, ValidationException)."""
    if error.facts.get("aws_code") == "ValidationException" and "item size" in error.detail.lower():
        return StoreError(f"{what}: it would be larger than the 400 KB that DynamoDB takes. Nothing was written.")
    return error
