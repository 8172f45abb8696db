"""Lanes: so many executions at once, the others queued in the order in which they were accepted (design 4.8).

A lane is one record. A place is held, or waited for, under the execution's id and without an expiry: taking it is
idempotent, giving it up follows the end and hands it on in the same write, so nobody overtakes who waits in the lane.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.engine.controls import lane_key, leave, place
from chalicelib.engine.facts import Fact, Placed, place_name
from chalicelib.engine.ids import hashed_id
from chalicelib.engine.messages import Resume, Send
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.engine.writes import MOST_FACTS, Applied
from chalicelib.errors import StoreError
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.packing import json_text
from chalicelib.worker.tools import Tools

log = logging.getLogger("penstock.worker")

MOST_WAITING = 1_000
"""Places that a lane's record keeps for who waits. Further executions stay queued, and ask again now and then."""

TRIES = 50
"""How often somebody else may be first with a write to the lane."""

KEPT_SECONDS = 400 * 86_400
"""How long a lane that nobody enters is remembered: longer than any wait within an execution."""


def lane_of(cap: int, *parts: str) -> str:
    """A lane's name for `Birth.lanes`; `parts` tell it from every other lane of the tenant."""
    return f"{cap}:{hashed_id('lane', *parts)}"


async def lanes_for(tools: Tools, plan: Plan, tenant: str, given: Mapping[str, Json], received: int) -> tuple[str, ...]:
    """The lanes that the flow's `concurrency` puts an execution with this input in.

    Raises ExpressionError, MissingValueError, ParameterError where its `key` cannot be computed.
    """
    limit = plan.concurrency
    if limit is None:
        return ()
    if limit.key is None:
        return (lane_of(limit.most, tenant, plan.flow),)
    scope: dict[str, Json] = {**given, "vars": dict(plan.variables), "steps": {}, "errors": {}}
    moment = moment_for(plan.flow, "concurrency", (), received, plan.timezone)
    key = await evaluated(tools.evaluator, limit.key, scope, moment)
    return (lane_of(limit.most, tenant, plan.flow, json_text(key)),)


async def take_places(tools: Tools, tenant: str, execution: str, lanes: Sequence[str], since: int, epoch: int) -> bool:
    """Take a place in each lane, one after the other; False where it must wait in one of them."""
    for lane in lanes:
        cap, _, name = lane.partition(":")
        if not await _take(
            tools, lane_key(tenant, name), execution, int(cap), Placed(since, is_held=True, epoch=epoch)
        ):
            return False
    return True


async def _take(tools: Tools, key: RecordKey, execution: str, cap: int, wanted: Placed) -> bool:
    """Hold a place, or wait for one; which of the two."""
    name, since = place_name(execution), wanted.since
    lane = await tools.facts.read(key)
    for _ in range(TRIES):
        mine = lane.facts.get(name) if lane is not None else None
        if isinstance(mine, Placed) and mine.is_held and mine.epoch >= wanted.epoch:
            return True
        places = _places(lane)
        held = sum(each.is_held for each in places.values())
        first = min(_waiting(places), default=(since, execution))
        is_mine = isinstance(mine, Placed) and mine.is_held  # since an earlier epoch, and not given up yet
        is_free = is_mine or (held < cap and (since, execution) <= first)
        if not is_free and (isinstance(mine, Placed) or len(places) - held >= MOST_WAITING):
            if held < cap or not await _reap(tools, key, lane):
                return False
            lane = await tools.facts.read(key)
            continue
        now = to_milliseconds(tools.clock.now())
        write = place(lane, key, execution, replace(wanted, is_held=is_free), now, now // 1000 + KEPT_SECONDS)
        answer = await tools.facts.write(write)
        lane = answer.image
        if isinstance(answer, Applied) and is_free:
            return True
    raise StoreError(f"a lane of execution {execution} did not hold still in {TRIES} tries")


def _places(lane: Image | None) -> Mapping[str, Placed]:
    """By execution."""
    facts: Mapping[str, Fact] = lane.facts if lane is not None else {}
    return {name[1:]: fact for name, fact in facts.items() if isinstance(fact, Placed)}


def _waiting(places: Mapping[str, Placed]) -> list[tuple[int, str]]:
    """Who waits, by the moment of acceptance."""
    return [(each.since, execution) for execution, each in places.items() if not each.is_held]


async def _reap(tools: Tools, key: RecordKey, lane: Image | None) -> bool:
    """Give up the places of executions that have ended, or are long gone; whether there were any.

    Somebody may have died between an end and the telling of it: its own due entry would see to that, a little later.
    """
    if lane is None:
        return False
    gone: dict[str, int] = {}
    for execution, placed in _places(lane).items():
        if placed.is_held:
            head = await tools.facts.read(RecordKey(key.tenant, execution))
            is_old = to_milliseconds(tools.clock.now()) - placed.since > _LONG_GONE
            if (head is None and is_old) or (head is not None and head.status.is_terminal):
                gone[execution] = head.epoch if head is not None else placed.epoch
    for execution, epoch in gone.items():
        await _leave(tools, key, execution, epoch)
    return bool(gone)


_LONG_GONE = 15 * 86_400_000
"""Milliseconds after which an execution without a head has none any more: a start may create one for 14 days."""


async def leave_lanes(tools: Tools, tenant: str, execution: str, lanes: Sequence[str], epoch: int) -> None:
    """The execution has ended: its places go to who waits, and they are woken."""
    for lane in lanes:
        cap, _, name = lane.partition(":")
        await _leave(tools, lane_key(tenant, name), execution, epoch, int(cap))


async def _leave(tools: Tools, key: RecordKey, execution: str, epoch: int, cap: int = 0) -> None:
    """Give a place up; `cap` 0: hand it to the first who waits, whatever the cap."""
    lane = await tools.facts.read(key)
    heirs: dict[str, Placed] = {}
    for _ in range(TRIES):
        if lane is None:
            return
        places = dict(_places(lane))
        mine = places.pop(execution, None)
        if mine is not None and mine.epoch > epoch:
            return  # it was redriven since, and has taken its place anew
        held = sum(each.is_held for each in places.values())
        room = cap - held if cap else int(mine is not None and mine.is_held)
        heirs = {
            heir: Placed(since, is_held=True)
            for since, heir in sorted(_waiting(places))[: max(0, min(room, MOST_FACTS))]
        }
        if mine is None and not heirs:
            # Handed on by an earlier try: who was given a place may not have been told.
            heirs = {heir: each for heir, each in places.items() if each.is_held}
            break
        now = to_milliseconds(tools.clock.now())
        answer = await tools.facts.write(leave(lane, execution, heirs, now, now // 1000 + KEPT_SECONDS))
        if isinstance(answer, Applied):
            break
        lane = answer.image
    else:
        raise StoreError(f"a lane of execution {execution} did not hold still in {TRIES} tries")
    await _wake(tools, key.tenant, list(heirs))


async def _wake(tools: Tools, tenant: str, executions: Sequence[str]) -> None:
    """Those that are still queued: they have a place now."""
    sends: list[Send] = []
    for execution in executions:
        head = await tools.facts.read(RecordKey(tenant, execution))
        if head is not None and head.status is Status.QUEUED:
            sends.append(Send(Resume(tenant, execution, head.epoch)))
    if sends:
        await tools.queue.send(sends)
