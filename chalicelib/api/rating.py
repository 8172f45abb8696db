"""Whether somebody may once more, by the rates that hold: of a hook, of an address at a hook, of a key.

Where the bucket cannot be asked, the request goes on: a rate keeps load away and is no right to anything, and a
delivery lost because a counter could not be written would be lost for good. If the table is in trouble, the delivery
itself cannot be recorded either, and its sender is told to come again.
"""

import logging
from typing import Final

from chalicelib.api.auth import Caller
from chalicelib.api.errors import RateLimitedError
from chalicelib.api.request import Request
from chalicelib.api.tools import Tools
from chalicelib.api.watch import bucket_of, peer_of
from chalicelib.errors import WorldError
from chalicelib.flow.plan import TriggerPlan
from chalicelib.kit.rates import Rate, parse_rate
from chalicelib.ports import Limits

_UNITS: Final = {1: "second", 60: "minute", 3_600: "hour", 86_400: "day"}
_log = logging.getLogger("penstock.api")


async def rate_peer(tools: Tools, request: Request, tenant: str, flow: str, trigger: str) -> None:
    """Count a delivery of an address to a hook, whatever becomes of it; raises RateLimitedError.

    In this process alone: strangers choose their addresses, and must not make the table write.
    """
    rate = tools.settings.watch.peer_rate
    if rate is None or tools.peer_limits is None:
        return
    peer = bucket_of(peer_of(request, tools.settings.watch))
    name = f"peer/{flow}/{trigger}/{peer}"
    await _take(tools.peer_limits, tenant, name, rate, "peer", "Deliveries from this address to this hook")


async def rate_hook(tools: Tools, tenant: str, flow: str, trigger: TriggerPlan) -> None:
    """Count a delivery that was let in; raises RateLimitedError.

    Of each hook by itself, and after its sender was verified: who may not deliver cannot use up the bucket of those
    who may.
    """
    given = trigger.parameters.get("rate")
    rate = parse_rate(given.strip()) if isinstance(given, str) else tools.settings.watch.hook_rate
    if rate is not None and tools.limits is not None:
        await _take(tools.limits, tenant, f"hook/{flow}/{trigger.id}", rate, "hook", "Deliveries to this hook")


async def rate_key(tools: Tools, caller: Caller) -> None:
    """Count a request with a key; raises RateLimitedError."""
    rate = caller.rate or tools.settings.watch.key_rate
    if rate is not None and tools.limits is not None:
        await _take(tools.limits, caller.tenant, f"key/{caller.id}", rate, "key", "Requests with this key")


async def _take(limits: Limits, tenant: str, name: str, rate: Rate, policy: str, what: str) -> None:
    try:
        wait = await limits.take(tenant, name, 1, rate)
    except WorldError as error:
        _log.warning("a rate could not be asked for, and was not applied: %s", error.detail)
        return
    if wait:
        often = f"{rate.tokens:,} a {_UNITS.get(rate.seconds, f'{rate.seconds} s')}"
        raise RateLimitedError(
            f"{what} come more often than {often}. Try again in {-(-wait // 1000):,} s.",
            policy=policy,
            rate=rate,
            wait=wait,
        )
