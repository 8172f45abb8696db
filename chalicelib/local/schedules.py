"""User schedules in the embedded server: one heap of moments, one sleeper, and a task for each moment that has come."""

import asyncio
import heapq
import logging
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.engine.ticking import GRACE, Timing
from chalicelib.errors import NotFoundError, PenstockError
from chalicelib.flow.plan import Plan
from chalicelib.ports import Clock, Live
from chalicelib.worker.budget import from_milliseconds, to_milliseconds
from chalicelib.worker.ticks import Ticks, schedules_in, timing_of

log = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 30.0
"""However far off the next moment is, the clock is looked at this often: it may be set, and machines sleep."""

LONGEST_PAUSE = 60_000
"""Milliseconds between two tries of a moment that met trouble; the first pause is a second."""


@dataclass(order=True, slots=True)
class _Moment:
    """A schedule's next planned moment, in epoch milliseconds."""

    due: int
    """When to see to it: later than `at` where it met trouble before."""
    key: tuple[str, str, str]
    at: int = field(compare=False)
    timing: Timing = field(compare=False)
    version: int = field(compare=False)
    """Of the heap's own: an older one's moments are dropped when they come up."""
    tries: int = field(compare=False, default=0)


class TimerHeap:
    """Fulfils `ports.Schedules`: every schedule has one moment in the heap, or is being seen to."""

    def __init__(self, ticks: Ticks, clock: Clock) -> None:
        self._ticks = ticks
        self._clock = clock
        self._heap: list[_Moment] = []
        self._planned: dict[tuple[str, str], tuple[int, Live]] = {}
        self._changed = asyncio.Event()
        self._working: set[asyncio.Task[None]] = set()

    async def replace(self, live: Live, plan: Plan) -> None:
        """A flow's schedules are those of this version; what it planned before and is the same stays as it is.

        A host that has just begun tells of every flow so: then what was missed meanwhile comes first.
        """
        whose = (live.tenant, live.flow)
        triggers = schedules_in(plan) if live.enabled else []
        starts = [await self._ticks.planned_after(live, plan, trigger) for trigger in triggers]
        version, known = self._planned.get(whose, (0, None))
        if known is not None and (known.rev > live.rev or _fires_alike(known, live)):
            return
        version += 1
        self._planned[whose] = (version, live)
        for trigger, after in zip(triggers, starts, strict=True):
            self._plan((*whose, trigger.id), timing_of(live, plan, trigger), after, version)

    def _plan(self, key: tuple[str, str, str], timing: Timing, after: int, version: int) -> None:
        try:
            at = timing.next_after(after)
        except ValueError:
            log.warning("The schedule `%s` of flow `%s` never fires any more.", key[2], key[1])
            return
        self._push(_Moment(at, key, at, timing, version))

    def _push(self, moment: _Moment) -> None:
        heapq.heappush(self._heap, moment)
        self._changed.set()

    def upcoming(self) -> list[tuple[str, str, datetime]]:
        """What fires next: flow, trigger and moment, the earliest first."""
        current = sorted((each.at, each.key) for each in self._heap if self._is_current(each))
        return [(flow, trigger, from_milliseconds(at)) for at, (_, flow, trigger) in current]

    def _is_current(self, moment: _Moment) -> bool:
        return self._planned[moment.key[:2]][0] == moment.version

    async def fire(self) -> None:
        """Start what is due, for ever; cancel it to stop."""
        try:
            while True:
                self._changed.clear()
                now = to_milliseconds(self._clock.now())
                while self._heap and self._heap[0].due <= now:
                    self._begin(heapq.heappop(self._heap))
                left = (self._heap[0].due - now) / 1000 if self._heap else LONGEST_SLEEP_SECONDS
                await self._sleep(min(left, LONGEST_SLEEP_SECONDS))
        finally:
            for task in self._working:
                task.cancel()
            await asyncio.gather(*self._working, return_exceptions=True)

    async def _sleep(self, seconds: float) -> None:
        """Until then, or until something is planned."""
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        change = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({sleep, change}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            change.cancel()

    def _begin(self, moment: _Moment) -> None:
        """See to a moment beside the others: one schedule that makes up for much must not make the others late."""
        if self._is_current(moment):
            task = asyncio.get_running_loop().create_task(self._see_to(moment))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def _see_to(self, moment: _Moment) -> None:
        """Start what is due at a moment, and plan the next one."""
        tenant, flow, trigger = moment.key
        now = to_milliseconds(self._clock.now())
        try:
            await self._ticks.come(tenant, flow, trigger, moment.at)
        except NotFoundError:
            return
        except PenstockError as error:
            log.warning("The schedule `%s` of flow `%s` did not start: %s", trigger, flow, error.detail)
            pause = min(LONGEST_PAUSE, 1_000 * 2**moment.tries)
            again = _Moment(now + pause, moment.key, moment.at, moment.timing, moment.version, moment.tries + 1)
            self._push(again)
            return
        except Exception:  # one flow's bug must not stop every other schedule
            log.exception("The schedule `%s` of flow `%s` met a bug.", trigger, flow)
        timing = moment.timing
        # What is remembered was all seen to, up to now; of the others, what is missed already need not come up at all.
        after = max(moment.at, now if timing.is_remembered else now - GRACE - 1)
        self._plan(moment.key, timing, after, moment.version)


def _fires_alike(one: Live, other: Live) -> bool:
    return (one.version, one.enabled, one.begun) == (other.version, other.enabled, other.begun)
