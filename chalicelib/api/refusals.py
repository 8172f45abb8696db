"""The deliveries that were refused, as counts."""

import asyncio
from collections.abc import Sequence
from typing import Final

from chalicelib.api.refusal_tally import DAY_MS
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.scopes import sees
from chalicelib.api.times import to_milliseconds, to_text
from chalicelib.api.tools import Call
from chalicelib.flow.values import Json
from chalicelib.ports import Refusal

_AT_ONCE: Final = 16


async def list_refusals(call: Call) -> Answer:
    """The counts of one flow or of all, by day, the newest first."""
    tally, days, named = call.tools.refusals, call.query.get("days"), call.query.get("flow")
    if tally is None:
        return json_answer({"items": [], "since": None})
    await tally.flush()
    today = to_milliseconds(call.tools.clock.now()) // DAY_MS
    since = today - (days if isinstance(days, int) else 7) + 1
    flows = (
        [named]
        if isinstance(named, str)
        else ["", *(live.flow for live in await call.tools.versions.flows(call.tenant))]
    )
    flows = [flow for flow in flows if sees(call.caller, flow)]
    found: list[Refusal] = []
    for start in range(0, len(flows), _AT_ONCE):
        some = [tally.store.of(call.tenant, flow, since) for flow in flows[start : start + _AT_ONCE]]
        found += [each for refusals in await asyncio.gather(*some) for each in refusals]
    return json_answer({"items": _to_json(found), "since": to_text(since * DAY_MS)[:10]})


def _to_json(refusals: Sequence[Refusal]) -> list[Json]:
    ordered = sorted(refusals, key=lambda each: (-each.day, each.flow, -each.count, each.trigger, each.reason))
    return [
        {
            "day": to_text(each.day * DAY_MS)[:10],
            "flow": each.flow or None,
            "trigger": each.trigger or None,
            "reason": each.reason,
            "count": each.count,
            "last": to_text(each.last),
        }
        for each in ordered
    ]
