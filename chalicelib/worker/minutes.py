"""Schedules where the host fires to the minute: what comes later within it goes through the queue, held back so long.

EventBridge Scheduler has minutes, and no seconds ("60 second precision", its user guide); SQS holds a message back for
whole seconds. So a schedule with seconds needs one invocation for each minute in which it fires, and two messages more
for each moment: a `Tick`, which finds out at its own moment what is due, and the start that follows from it.
"""

import logging

from chalicelib.engine.messages import LONGEST_DELAY_SECONDS, Send, Tick
from chalicelib.engine.ticking import GRACE, schedule_id
from chalicelib.errors import CallerError
from chalicelib.flow.plan import Plan
from chalicelib.ports import Live
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Ends
from chalicelib.worker.ticks import Ticks, schedules_in, timing_of
from chalicelib.worker.tools import Tools

log = logging.getLogger("penstock.schedules")

MINUTE = 60_000


async def minute_came(tools: Tools, tenant: str, flow: str, trigger: str, at: int, until: int = 0) -> tuple[str, ...]:
    """The minute of this moment has come, and those up to `until` (epoch milliseconds).

    Returns the executions that stand for what was due already. What only the flow's author can mend is logged, since
    the same minute again would meet it again; what may pass is raised, and the host comes again.
    """
    first = at - at % MINUTE
    last = max(at, until)
    try:
        came = await _ticks(tools).come(tenant, flow, trigger, first, last - last % MINUTE + MINUTE - first)
    except CallerError as error:
        log.warning("The schedule `%s` of flow `%s`: %s", trigger, flow, error.detail, extra={"code": error.code})
        return ()
    if came.later:
        now, execution = to_milliseconds(tools.clock.now()), schedule_id(flow, trigger)
        ticks = [Tick(tenant, execution, flow, trigger, moment) for moment in came.later]
        await tools.queue.send([Send(each, _seconds(each.at - now)) for each in ticks])
    return came.executions


async def replaced(tools: Tools, live: Live, plan: Plan) -> None:
    """A flow's schedules were replaced: see to what came meanwhile, and what comes before a whole minute begins."""
    now = to_milliseconds(tools.clock.now())
    if not live.enabled or now - live.begun > GRACE:
        return
    for trigger in schedules_in(plan):
        if timing_of(live, plan, trigger).next_after(live.begun) < now - now % MINUTE + MINUTE:
            await minute_came(tools, live.tenant, live.flow, trigger.id, live.begun, now)


async def hear(tools: Tools, tick: Tick) -> None:
    """A moment within a minute has come by the queue; raises what may pass."""
    try:
        await _ticks(tools).come(tick.tenant, tick.flow, tick.trigger, tick.at)
    except CallerError as error:
        said = (tick.trigger, tick.flow, error.detail)
        log.warning("The schedule `%s` of flow `%s`: %s", *said, extra={"code": error.code})


def _ticks(tools: Tools) -> Ticks:
    """Whoever starts something on a schedule waits for nothing, so nobody is told of its end."""
    return Ticks(FrontDoor(tools, Ends()), tools.plans, tools.facts, tools.clock)


def _seconds(milliseconds: int) -> int:
    """Whole seconds to hold a message back, never too few of them."""
    return min(LONGEST_DELAY_SECONDS, max(0, -(-milliseconds // 1000)))
