"""Buckets of tokens in DynamoDB: one item each, one conditional update for a lease of tokens.

A process that takes seldom leases what it needs, and every token is counted exactly. One that takes its tokens faster
than leases end doubles its next lease, so that a rush costs few writes; a refusal is remembered until there are tokens
again, so that who is refused costs none. Never more is given out than the rate allows; what a process had leased and
did not use when it ended is lost for one window.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from chalicelib.adapters.aws.addresses import Item, bucket_key, may_be_stored
from chalicelib.adapters.aws.answers import ConditionRefusedError
from chalicelib.adapters.aws.client import Aws
from chalicelib.adapters.aws.table import Table
from chalicelib.adapters.aws.values import VERSION, number, number_in
from chalicelib.errors import StoreError
from chalicelib.kit.rates import Rate
from chalicelib.ports import Clock
from chalicelib.ports.limits import SECOND, milliseconds, price, tokens_in, wait_for

_LEASES = 20
"""A lease holds for one part in so many of the rate's window, and is no larger than that part of its tokens."""
_TRIES = 4
_MOST_HELD = 10_000
_KEPT_SECONDS = 60
"""How long a bucket that is full again is kept for clocks that are late."""


@dataclass(slots=True)
class _Held:
    """What this process knows of a bucket."""

    left: int = 0
    """Tokens leased and not used."""
    until: int = 0
    """When the lease ends."""
    size: int = 1
    """Tokens of the last lease."""
    full_at: int = 0
    """As last seen."""
    refused_until: int = 0
    refused_cost: int = 0
    """So many tokens are not there before then."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One lease at a time: who waits for it may need none of its own."""


class AwsLimits:
    """Fulfils `ports.Limits` on the same table as `AwsFacts`."""

    def __init__(self, aws: Aws, table: str, clock: Clock) -> None:
        self._table = Table(aws, table)
        self._clock = clock
        self._held: OrderedDict[tuple[str, str], _Held] = OrderedDict()

    async def take(self, tenant: str, name: str, cost: int, rate: Rate) -> int:
        """Take so many tokens, of a lease where there is one."""
        if not may_be_stored(tenant, name):
            raise StoreError("A bucket's tenant and name are ASCII, not empty, and no longer than 1,000 characters.")
        held = self._of(tenant, name)
        async with held.lock:
            return await self._take(bucket_key(tenant, name), held, min(cost, rate.tokens), rate)

    async def _take(self, key: Item, held: _Held, cost: int, rate: Rate) -> int:
        now = int(self._clock.now().timestamp() * SECOND)
        if held.until <= now:
            held.left = 0
        if held.left >= cost:
            held.left -= cost
            return 0
        if held.refused_until > now and cost >= held.refused_cost:
            return milliseconds(held.refused_until - now)
        # Used up before its end: the next one is larger. Else one token at a time is cheap enough, and exact.
        size = held.size * 2 if held.until > now else cost
        wanted = max(cost, min(size, rate.tokens // _LEASES))
        got, wait = await self._lease(key, held, wanted, cost, rate, now)
        if wait:
            held.refused_until, held.refused_cost = now + wait, cost
            return milliseconds(wait)
        held.left += got - cost
        held.size, held.until = got, now + rate.seconds * SECOND // _LEASES
        return 0

    def _of(self, tenant: str, name: str) -> _Held:
        held = self._held.setdefault((tenant, name), _Held())
        self._held.move_to_end((tenant, name))
        if len(self._held) > _MOST_HELD:
            self._held.popitem(last=False)
        return held

    async def _lease(self, key: Item, held: _Held, wanted: int, cost: int, rate: Rate, now: int) -> tuple[int, int]:
        """The tokens that were leased, or the microseconds to wait; what was last seen decides what is tried first."""
        for _ in range(_TRIES):
            try:
                answer = await self._table.call("UpdateItem", _update(key, held.full_at, wanted, rate, now))
            except ConditionRefusedError as refusal:
                held.full_at = number_in(refusal.item or {}, "full_at")
                wait = wait_for(held.full_at, now, cost, rate)
                if wait:
                    return 0, wait
                wanted = max(cost, min(wanted, tokens_in(held.full_at, now, rate)))
                continue
            held.full_at = number_in(answer["Attributes"], "full_at")
            return wanted, 0
        raise StoreError("Others took from the same bucket each time. Try again.")


def _update(key: Item, seen: int, wanted: int, rate: Rate, now: int) -> dict[str, Any]:
    """Take tokens from a bucket that is full, or from one that is not: whichever it was when it was last seen."""
    cost = price(wanted, rate)
    most = now + rate.seconds * SECOND
    values: Item = {":v": VERSION, ":now": number(now), ":t": number(most // SECOND + _KEPT_SECONDS)}
    if seen > now:
        filling = "full_at=full_at+:cost"
        condition = "full_at>:now AND full_at<=:most"
        values |= {":cost": number(cost), ":most": number(most - cost)}
    else:
        filling = "full_at=:full"
        condition = "attribute_not_exists(full_at) OR full_at<=:now"
        values[":full"] = number(now + cost)
    return {
        "Key": key,
        "UpdateExpression": f"SET v=:v,#t=:t,{filling}",
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#t": "ttl"},
        "ExpressionAttributeValues": values,
        "ReturnValues": "UPDATED_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
