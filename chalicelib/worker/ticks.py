"""A schedule's moment has come: start the flow, once for each planned moment, as its overlap and catch-up policies say.

Both hosts come in here: the embedded server's heap for each moment, EventBridge Scheduler for each minute. What a tick
is about, and what was missed before it, is `engine.ticking`'s to judge; this room reads, writes and knocks.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.engine.controls import lane_key
from chalicelib.engine.facts import Placed
from chalicelib.engine.ids import hashed_id
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.ticking import (
    FARTHEST,
    GRACE,
    MOST,
    Due,
    Memory,
    Timing,
    due,
    memory_of,
    planned_after,
    remember,
    schedule_key,
    schedule_lane,
)
from chalicelib.engine.writes import Applied
from chalicelib.errors import CallerError, ConflictError, NotFoundError, UsageError
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.flow.values import Json
from chalicelib.kit.cron import first_of_two, schedule_of
from chalicelib.ports import Clock, Door, Entered, Facts, Knock, Live, Plans, TurnedAway
from chalicelib.worker.budget import SKEW, from_milliseconds, to_milliseconds, to_text

log = logging.getLogger("penstock.schedules")

_TOGETHER = 25
"""Made up for between two writes of the record: who dies in between finds so many executions there already."""

_TRIES = 8
"""How often the record may have been written by another between our look and our write."""

_LOST = 900_000
"""After so long an execution that has no record is not on its way through the queue any more."""


@dataclass(frozen=True, slots=True)
class Came:
    """What a tick came to."""

    executions: tuple[str, ...] = ()
    """Those that were started, now or by an earlier tick that may not have brought it about; the oldest first."""
    later: tuple[int, ...] = ()
    """Moments that the tick is about and that are still to come."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """A live version's schedule, as one tick finds it."""

    tenant: str
    plan: Plan
    trigger: TriggerPlan
    timing: Timing
    first: int
    end: int
    now: int
    """The moments up to here have come; where a wall clock shows a time for the second time, as it was the first."""

    @property
    def name(self) -> str:
        return f"The schedule `{self.trigger.id}` of flow `{self.plan.flow}`"

    @property
    def key(self) -> RecordKey:
        return schedule_key(self.tenant, self.plan.flow, self.trigger.id)

    def execution(self, moment: int) -> str:
        """What the door will call the execution of this moment."""
        return hashed_id(self.tenant, self.plan.flow, self.trigger.id, "", to_text(moment))


def timing_of(live: Live, plan: Plan, trigger: TriggerPlan) -> Timing:
    """When a schedule of a published version fires, and how; raises ValueError where it is none."""
    parameters: Mapping[str, Json] = trigger.parameters
    return Timing(
        schedule_of(parameters),
        str(parameters.get("timezone") or plan.timezone),
        trigger.overlap,
        trigger.catch_up,
        live.published,
        live.begun,
    )


def schedules_in(plan: Plan) -> list[TriggerPlan]:
    """The triggers of a version that are schedules."""
    return [trigger for trigger in plan.triggers.values() if trigger.uses == "schedule"]


class Ticks:
    """Hears of moments, and starts what is due."""

    def __init__(self, door: Door, plans: Plans, facts: Facts, clock: Clock) -> None:
        self._door = door
        self._plans = plans
        self._facts = facts
        self._clock = clock

    async def come(self, tenant: str, flow: str, trigger: str, at: int, span: int = 1) -> Came:
        """The moment `at` has come; with `span` (milliseconds) those that follow so closely are the tick's own too.

        A disabled flow starts nothing. Raises NotFoundError where the flow or the trigger is gone, UsageError for a
        moment that has not come, StoreError and its like where it must come again.
        """
        self._plans.forget(tenant, flow)  # a pointer that is a few seconds old could start an older version
        live = await self._plans.live(tenant, flow)
        if live is None:
            raise NotFoundError(f"The flow `{flow}` is not published.")
        plan = await self._plans.plan(tenant, flow, live.version)
        entry = plan.triggers.get(trigger)
        if entry is None or entry.uses != "schedule":
            raise NotFoundError(f"The flow `{flow}` has no schedule `{trigger}`.")
        now = to_milliseconds(self._clock.now())
        if at > now + SKEW:
            raise UsageError(f"{to_text(at)} is still to come: it is {to_text(now)}. A tick is never ahead of time.")
        if not live.enabled:
            return Came()
        timing = timing_of(live, plan, entry)
        first = to_milliseconds(first_of_two(timing.schedule, from_milliseconds(at), timing.zone))
        now -= at - first
        visit = _Visit(tenant, plan, entry, timing, first, first + span, now)
        started = await (self._remembered(visit) if timing.is_remembered else self._each_by_itself(visit))
        later, _ = timing.between(max(now, first, timing.begun), first + span - 1)
        return Came(tuple(started), tuple(each + at - first for each in later))

    async def planned_after(self, live: Live, plan: Plan, trigger: TriggerPlan) -> int:
        """After when a host that has just begun plans this schedule's first moment (epoch milliseconds)."""
        timing = timing_of(live, plan, trigger)
        memory = Memory()
        if timing.is_remembered:
            memory = memory_of(await self._facts.read(schedule_key(live.tenant, live.flow, trigger.id)))
        return planned_after(timing, memory, to_milliseconds(self._clock.now()))

    async def _each_by_itself(self, visit: _Visit) -> list[str]:
        """Nothing is remembered: the moment's execution itself tells that it has been here."""
        found = due(visit.timing, Memory(), visit.first, visit.end, visit.now)
        _tell(visit, found)
        return [entered.execution for moment in found.moments if (entered := await self._start(visit, moment))]

    async def _remembered(self, visit: _Visit) -> list[str]:
        """What is due by the record; from the start again where somebody else wrote there first."""
        for _ in range(_TRIES):
            image = await self._facts.read(visit.key)
            found = due(visit.timing, memory_of(image), visit.first, visit.end, visit.now)
            if visit.timing.overlap == "skip":
                started = await self._unless_running(visit, image, found)
            else:
                started = await self._in_order(visit, image, found)
            if started is not None:
                _tell(visit, found)
                return started
        raise ConflictError(f"{visit.name} is being written by others. It comes again.")

    async def _in_order(self, visit: _Visit, image: Image | None, found: Due) -> list[str] | None:
        """Start them all, and only then remember: who dies in between finds them there. None: somebody was quicker."""
        started: list[str] = []
        memory, moments = memory_of(image), found.moments
        for begin in range(0, len(moments), _TOGETHER):
            part = moments[begin : begin + _TOGETHER]
            for place, moment in enumerate(part, begin):
                entered = await self._start(visit, moment, place)
                started += [entered.execution] if entered is not None else []
            image = await self._remember(visit, image, replace(memory, handled=part[-1]))
            if image is None:
                return None
            memory = memory_of(image)
        if found.last > memory.handled:
            image = await self._remember(visit, image, replace(memory, handled=found.last))
            return None if image is None else started
        return started

    async def _unless_running(self, visit: _Visit, image: Image | None, found: Due) -> list[str] | None:
        """Start one only where the last one has ended. None: somebody was quicker.

        The record decides before the door is knocked at, so of two ticks at once only one starts something.
        """
        before = memory = memory_of(image)
        started: list[str] = []
        if not found.last and memory.moment != visit.first:
            return started
        if again := await self._last(visit, memory):
            started += again.started
        is_running = again is not None and again.is_running
        if again is not None and again.came_to_nothing:
            memory = replace(memory, execution="")
        for moment in found.moments:
            memory = replace(memory, handled=moment)
            if is_running:
                memory = replace(memory, skipped=moment, skips=memory.skips + 1)
                log.info("%s: %s starts nothing: %s runs.", visit.name, to_text(moment), memory.execution)
                continue
            claimed = to_milliseconds(self._clock.now())
            memory = replace(memory, execution=visit.execution(moment), moment=moment, claimed=claimed)
            image = await self._remember(visit, image, memory)
            if image is None:
                return None
            before = memory
            entered = await self._start(visit, moment)
            if entered is None:
                memory = replace(memory, execution="")
            else:
                started.append(entered.execution)
                is_running = entered.image is None or not entered.image.status.is_terminal
        memory = replace(memory, handled=max(memory.handled, found.last))
        if memory != before and await self._remember(visit, image, memory) is None:
            return None
        return started

    async def _last(self, visit: _Visit, memory: Memory) -> "_Last | None":
        """What became of the execution that was decided on last; None where there was none.

        One without a record is on its way through the queue, or whoever was to start it died: nobody can tell. So it
        is started again, and is the same execution either way; but not a moment that would not be made up for either.
        """
        if not memory.execution:
            return None
        head = await self._facts.read(RecordKey(visit.tenant, memory.execution))
        if head is not None:
            return _Last(is_running=not head.status.is_terminal)
        age = visit.now - memory.claimed
        # A record that its flow keeps only briefly may be gone again.
        retention = visit.plan.retention_seconds
        kept = FARTHEST if retention is None else min(FARTHEST, retention * 1000)
        is_ours = memory.moment > visit.timing.begun and age < kept
        is_wanted = visit.timing.catch_up != "none" or visit.now - memory.moment <= GRACE
        if is_ours and (is_wanted or memory.moment == visit.first):
            entered = await self._start(visit, memory.moment)
            if entered is None:
                return _Last(is_running=False, came_to_nothing=True)
            is_running = entered.image is None or not entered.image.status.is_terminal
            return _Last(is_running, (entered.execution,))
        return _Last(is_running=age < min(_LOST, kept))

    async def _remember(self, visit: _Visit, image: Image | None, memory: Memory) -> Image | None:
        """Write the memory down; the record after it, or None where somebody else wrote first."""
        now = to_milliseconds(self._clock.now())
        answer = await self._facts.write(remember(visit.key, image, memory, now))
        return answer.image if isinstance(answer, Applied) else None

    async def _start(self, visit: _Visit, moment: int, place: int = 0) -> Entered | None:
        """Knock for one moment, the `place`-th of several that are made up for, so that a lane keeps their order.

        None where its `if` is false, where too many wait already, and where only the flow's author can mend what is
        wrong: the same moment again would meet it again.
        """
        plan, trigger = visit.plan, visit.trigger
        if trigger.overlap == "queue" and not await self._has_room(visit):
            log.warning("%s: %s starts nothing: %d executions wait already.", visit.name, to_text(moment), MOST)
            return None
        at, previous = to_text(moment), visit.timing.previous(moment)
        document: dict[str, Json] = {
            "name": trigger.id,
            "at": at,
            "previous": to_text(previous) if previous is not None else None,
        }
        received = max(moment, to_milliseconds(self._clock.now())) + place
        # The moment alone says what is the same tick.
        knock = Knock(visit.tenant, plan, trigger, document, None, "accepted", received, key=at, fingerprint=at)
        try:
            entered = await self._door.enter(knock)
        except CallerError as error:
            log.warning("%s: %s starts nothing: %s", visit.name, at, error.detail, extra={"code": error.code})
            return None
        return None if isinstance(entered, TurnedAway) else entered

    async def _has_room(self, visit: _Visit) -> bool:
        lane = await self._facts.read(lane_key(visit.tenant, schedule_lane(visit.plan.flow, visit.trigger.id)))
        facts = lane.facts.values() if lane is not None else ()
        return sum(isinstance(fact, Placed) and not fact.is_held for fact in facts) < MOST


@dataclass(frozen=True, slots=True)
class _Last:
    """The execution that a schedule started last."""

    is_running: bool
    started: tuple[str, ...] = ()
    """It was started just now."""
    came_to_nothing: bool = False


def _tell(visit: _Visit, found: Due) -> None:
    if found.missed or found.is_cut:
        more = " and more before" if found.is_cut else ""
        since = f", the first for {to_text(found.missed[0])}" if found.missed else ""
        log.warning("%s: %d moments%s were missed and start nothing%s.", visit.name, len(found.missed), more, since)
