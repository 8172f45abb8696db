"""Listings: executions newest first, along the `list` index, day by day back to the flow's first publication.

A query reads one flow's one day. Without a flow every flow of the tenant is read side by side and merged. The days are
taken one at first, then two, four ...: a tenant with much to show pays for one day, an idle one does not wait for each.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.adapters.aws.addresses import DAY, LIST_INDEX, Item, day_of, list_partition, list_sort
from chalicelib.adapters.aws.directory import find_flows
from chalicelib.adapters.aws.records import place_in, summary_in
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.listing import cursor_behind, from_cursor
from chalicelib.errors import UsageError
from chalicelib.ports import Listing, Page, Summary

AT_ONCE = 16
"""Queries under way at once."""

MOST_QUERIES = 256
"""Of one page; then it ends with a cursor, whatever it has found."""

_PAGES_OF_A_DAY = 8
"""Read of one flow's one day for one page of a listing, where a status leaves most of it out."""

_ROWS = 500
"""Read at once where a status is asked for: a query's limit counts what is read, not what its filter lets through."""

_SKEW = timedelta(minutes=5)
"""How far ahead another worker's clock may be."""

_LAST = "~"
"""Sorts behind every character of an id."""

_Place = tuple[int, str]
"""Start and id: what a listing is ordered by."""


@dataclass(frozen=True, slots=True)
class _Slice:
    """What one flow's one day gave, newest first; what lies below `cut` was not read (None: all was)."""

    found: Sequence[Summary]
    cut: _Place | None


@dataclass(frozen=True, slots=True)
class _Window:
    """What is asked, as moments: from `newest` down to `oldest`, strictly behind `behind`."""

    newest: int
    oldest: int
    behind: _Place | None
    rows: int
    """Read at once where a status is asked for."""


async def find_page(table: Table, listing: Listing, now: datetime, *, rows: int = _ROWS) -> Page:
    """One page; `now` says where the newest executions may lie. See `AwsFacts.page`."""
    behind = None if listing.cursor is None else _place_behind(listing.cursor)
    flows = await find_flows(table, listing.tenant, listing.flow)
    if not flows:
        return Page([], None)
    window = _window(listing, flows, now, behind, rows)
    if window.newest < window.oldest:
        return Page([], None)
    asked, span = 0, 1
    day, last = day_of(window.newest), day_of(window.oldest)
    found: list[Summary] = []
    while day >= last:
        days = range(day, max(last - 1, day - span), -1)
        partitions = [
            list_partition(listing.tenant, flow, each)
            for each in days
            for flow, published in flows.items()
            if each >= day_of(published) - 1
        ]
        slices = await _read(table, partitions, listing, window)
        page = _cut(found, slices, listing.limit)
        if page is not None:
            return page
        found = _sorted(found, slices)
        day = days[-1] - 1
        asked += len(partitions)
        if asked >= MOST_QUERIES and day >= last:
            return Page(found, cursor_behind((day + 1) * DAY, ""))
        span = min(span * 2, max(1, AT_ONCE // len(flows)))
    return Page(found, None)


def _place_behind(cursor: str) -> _Place:
    """What the cursor says, if it can be an execution's place."""
    started, execution = from_cursor(cursor)
    if not 0 <= started < 10**13 or len(execution) > 64 or not (execution + "0").isalnum() or not execution.isascii():
        raise UsageError("This is not a cursor of ours. Take it from the page before, unchanged.")
    return started, execution


def _window(listing: Listing, flows: Mapping[str, int], now: datetime, behind: _Place | None, rows: int) -> _Window:
    newest = int((now + _SKEW).timestamp() * 1000)
    if listing.until is not None:
        newest = min(newest, listing.until)
    if behind is not None:
        newest = min(newest, behind[0])
    # A worker whose clock lags may have started one on the day before the flow was published.
    oldest = (day_of(min(flows.values())) - 1) * DAY
    return _Window(newest, max(oldest, listing.since or 0, 0), behind, rows)


def _sorted(found: Sequence[Summary], slices: Sequence[_Slice]) -> list[Summary]:
    return sorted([*found, *(each for one in slices for each in one.found)], key=_place, reverse=True)


def _place(summary: Summary) -> _Place:
    return summary.started, summary.id


def _cut(found: Sequence[Summary], slices: Sequence[_Slice], limit: int) -> Page | None:
    """The page, if there is enough for one, or something was left unread; else None."""
    together = _sorted(found, slices)
    cuts = [one.cut for one in slices if one.cut is not None]
    if cuts:
        lowest = max(cuts)
        together = [each for each in together if _place(each) >= lowest]
        if len(together) <= limit:
            return Page(together, cursor_behind(*lowest))
    if len(together) > limit:
        return Page(together[:limit], cursor_behind(*_place(together[limit - 1])))
    return None


async def _read(table: Table, partitions: Sequence[str], listing: Listing, window: _Window) -> Sequence[_Slice]:
    slices: list[_Slice] = []
    for start in range(0, len(partitions), AT_ONCE):
        part = partitions[start : start + AT_ONCE]
        slices += await asyncio.gather(*(_read_one(table, each, listing, window) for each in part))
    return slices


async def _read_one(table: Table, partition: str, listing: Listing, window: _Window) -> _Slice:
    """One flow's one day, newest first, until there is one more than the page takes."""
    wanted = listing.limit + 1
    behind = window.behind
    upper = (
        list_sort(window.newest, _LAST) if behind is None else min(list_sort(window.newest, _LAST), list_sort(*behind))
    )
    values: dict[str, Any] = {
        ":p": {"S": partition},
        ":a": {"S": list_sort(window.oldest, "")},
        ":b": {"S": upper},
    }
    query: dict[str, Any] = {
        "IndexName": LIST_INDEX,
        "KeyConditionExpression": "lp=:p AND ls BETWEEN :a AND :b",
        "ExpressionAttributeValues": values,
        "ScanIndexForward": False,
        "Limit": wanted + (behind is not None),
    }
    if listing.status is not None:
        query["FilterExpression"] = "st=:s"
        values[":s"] = {"S": listing.status.value}
        query["Limit"] = max(wanted, window.rows)
    found: list[Summary] = []
    last: Item | None = None
    for _ in range(_PAGES_OF_A_DAY):
        answer = await table.call("Query", query)
        found += [each for each in map(summary_in, answer["Items"]) if behind is None or _place(each) != behind]
        last = answer.get("LastEvaluatedKey")
        if last is None or len(found) >= wanted:
            break
        query["ExclusiveStartKey"] = last
    return _Slice(found, None if last is None else place_in(last))
