"""User schedules in the embedded server: one heap of moments, one sleeper."""

import asyncio
import heapq
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.errors import NotFoundError, PenstockError
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.kit.cron import Schedule, next_time, schedule_of
from chalicelib.ports import Clock, Door, Live, Plans
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.ticks import tick

log = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 30.0
"""However far off the next moment is, the clock is looked at this often: it may be set, and machines sleep."""


@dataclass(order=True, slots=True)
class _Moment:
    """A schedule's next planned moment."""

    at: datetime
    key: tuple[str, str, str]
    schedule: Schedule = field(compare=False)
    zone: str = field(compare=False)
    rev: int = field(compare=False)
    previous: datetime | None = field(compare=False, default=None)


class TimerHeap:
    """Fulfils `ports.Schedules`: what was planned while the server was down does not fire (`catch_up: none`)."""

    def __init__(self, door: Door, plans: Plans, clock: Clock) -> None:
        self._door = door
        self._plans = plans
        self._clock = clock
        self._heap: list[_Moment] = []
        self._revs: dict[tuple[str, str], int] = {}
        self._changed = asyncio.Event()

    async def replace(self, live: Live, plan: Plan) -> None:
        """A flow's schedules are those of this version; an older version's moments are dropped when they come up."""
        rev = self._revs[live.tenant, live.flow] = self._revs.get((live.tenant, live.flow), 0) + 1
        if live.enabled:
            for trigger in plan.triggers.values():
                if trigger.uses == "schedule":
                    self._plan_first((live.tenant, live.flow, trigger.id), trigger, plan.timezone, rev)
        self._changed.set()

    def _plan_first(self, key: tuple[str, str, str], trigger: TriggerPlan, zone: str, rev: int) -> None:
        parameters: Mapping[str, object] = trigger.parameters
        schedule = schedule_of({"cron": parameters.get("cron"), "every": parameters.get("every")})
        zone = str(parameters.get("timezone") or zone)
        at = next_time(schedule, self._clock.now(), zone)
        heapq.heappush(self._heap, _Moment(at, key, schedule, zone, rev))

    def upcoming(self) -> list[tuple[str, str, datetime]]:
        """What fires next: flow, trigger and moment, the earliest first."""
        current = [each for each in self._heap if self._is_current(each)]
        return [(each.key[1], each.key[2], each.at) for each in sorted(current)]

    def _is_current(self, moment: _Moment) -> bool:
        return self._revs.get(moment.key[:2]) == moment.rev

    async def fire(self) -> None:
        """Start what is due, for ever; cancel it to stop."""
        while True:
            now = self._clock.now()
            while self._heap and self._heap[0].at <= now:
                moment = heapq.heappop(self._heap)
                if self._is_current(moment):
                    await self._start(moment)
            self._changed.clear()
            left = (self._heap[0].at - now).total_seconds() if self._heap else LONGEST_SLEEP_SECONDS
            sleep = asyncio.ensure_future(self._clock.sleep(max(0.0, min(left, LONGEST_SLEEP_SECONDS))))
            change = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({sleep, change}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleep.cancel()
                change.cancel()

    async def _start(self, moment: _Moment) -> None:
        """Start the flow, and plan the next moment from this one, or from now where the machine slept through some."""
        tenant, flow, trigger = moment.key
        previous = to_milliseconds(moment.previous) if moment.previous is not None else None
        try:
            await tick(self._door, self._plans, tenant, flow, trigger, to_milliseconds(moment.at), previous)
        except NotFoundError:
            return
        except PenstockError as error:
            log.warning("The schedule `%s` of flow `%s` did not start: %s", trigger, flow, error.detail)
        except Exception:  # one flow's bug must not stop every other schedule
            log.exception("The schedule `%s` of flow `%s` met a bug.", trigger, flow)
        after = max(moment.at, self._clock.now())
        at = next_time(moment.schedule, after, moment.zone)
        heapq.heappush(self._heap, _Moment(at, moment.key, moment.schedule, moment.zone, moment.rev, moment.at))
