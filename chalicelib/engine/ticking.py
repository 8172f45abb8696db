"""Which of a schedule's moments are to start something, and what is remembered of it from one to the next. Pure.

A *moment* is when a schedule is planned to fire; a *tick* is the news that one has come. A tick says only which moments
it is about: what is due follows from the live version's schedule, the policies, the clock and the memory. So a tick of
an older version's schedule starts nothing that the live version has not planned itself, one that comes twice starts
nothing the second time, and whatever was missed is found by the next one that comes. Times are epoch milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib.engine.facts import Counted, Fact, Waiting, fact_name, redrive_name
from chalicelib.engine.ids import hashed_id
from chalicelib.engine.records import Image, RecordKey
from chalicelib.engine.writes import Commit, NotDone, Put
from chalicelib.kit.cron import Schedule, next_time, previous_time

GRACE = 180_000
"""A moment is missed if it could not start anything for so long. EventBridge Scheduler takes up to a minute by itself,
and where our function failed Lambda tries again a minute later (their guides: "60 second precision", "retry
behavior")."""

MOST = 1_000
"""So many missed moments are made up for at most, and so many executions wait in the lane of an `overlap: queue`."""

FARTHEST = 14 * 86_400_000
"""Moments older than this are never made up for: as long as a start may take to create its execution."""

_PART = "schedule"
_HANDLED, _STARTED, _SKIPPED, _SKIPS = fact_name(0), fact_name(1), fact_name(2), redrive_name(2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """The schedule of a live version's trigger, with its policies."""

    schedule: Schedule
    zone: str
    overlap: str
    catch_up: str
    published: int
    """When the version was; the first moment after it has no previous one."""
    begun: int
    """When it was published, or enabled after that: only moments after it count."""

    @property
    def is_remembered(self) -> bool:
        """Whether what became of one moment matters to the next."""
        return self.overlap == "skip" or self.catch_up != "none"

    def next_after(self, moment: int) -> int:
        """The first moment after this one; raises ValueError where there is none."""
        return _milliseconds(next_time(self.schedule, _moment(moment), self.zone))

    def previous(self, moment: int) -> int | None:
        """The version's moment before this one; None where this is its first."""
        try:
            found = _milliseconds(previous_time(self.schedule, _moment(moment), self.zone))
        except ValueError:
            return None
        return found if found > self.published else None

    def between(self, after: int, until: int, most: int = MOST) -> tuple[list[int], bool]:
        """The moments after one time, up to another, in order: of too many the last, and whether there were more."""
        found: list[int] = []
        moment = _moment(until + 1)
        while len(found) <= most:
            try:
                moment = previous_time(self.schedule, moment, self.zone)
            except ValueError:
                break
            if _milliseconds(moment) <= after:
                break
            found.append(_milliseconds(moment))
        return found[:most][::-1], len(found) > most


@dataclass(frozen=True, slots=True)
class Memory:
    """What a schedule's record says."""

    handled: int = 0
    """Every moment up to this one is decided."""
    execution: str = ""
    """What was started last; empty where that came to nothing. Only for `overlap: skip`."""
    moment: int = 0
    """Which moment started it."""
    claimed: int = 0
    """When that was decided."""
    skipped: int = 0
    """The last moment that started nothing because of it."""
    skips: int = 0
    """How many did so, ever."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a tick is about."""

    moments: tuple[int, ...] = ()
    """What is to start something, the oldest first."""
    missed: tuple[int, ...] = ()
    """What came too late and is not made up for."""
    is_cut: bool = False
    """There were more, further back: they are not made up for either."""

    @property
    def last(self) -> int:
        """The last moment of all; 0 where there is none."""
        return max([*self.moments[-1:], *self.missed[-1:]], default=0)


def schedule_id(flow: str, trigger: str) -> str:
    """What the record of a flow's schedule goes by."""
    return hashed_id(_PART, flow, trigger)


def schedule_key(tenant: str, flow: str, trigger: str) -> RecordKey:
    """The record of a flow's schedule."""
    return RecordKey(tenant, schedule_id(flow, trigger), _PART)


def schedule_lane(flow: str, trigger: str) -> str:
    """The lane, of cap 1, in which the executions of an `overlap: queue` follow one another."""
    return schedule_id(flow, trigger)


def due(timing: Timing, memory: Memory, first: int, end: int, now: int) -> Due:
    """What is to be done about a tick.

    Args:
        timing: the live version's schedule.
        memory: what is remembered, where the timing says that it matters.
        first: the first moment that the tick is about; it has come, whatever our clock says.
        end: just after the last one. Where nothing is remembered, others have ticks of their own.
        now: moments up to now have come.
    """
    until = max(now, first)
    if timing.is_remembered:
        after = max(memory.handled, until - FARTHEST)
    else:
        after, until = first - 1, min(until, end - 1)
    found, is_cut = timing.between(max(timing.begun, after), until)
    late = [each for each in found if now - each > GRACE]
    kept = {"all": late, "last": late[-1:]}.get(timing.catch_up, [])
    moments = tuple(each for each in found if each not in late or each in kept)
    is_cut = is_cut or (timing.is_remembered and _goes_farther_back(timing, memory, until))
    return Due(moments, tuple(each for each in late if each not in kept), is_cut)


def _goes_farther_back(timing: Timing, memory: Memory, until: int) -> bool:
    """Whether moments were missed that lie too far back to be made up for."""
    since = max(timing.begun, memory.handled)
    return since < until - FARTHEST and timing.next_after(since) <= until - FARTHEST


def planned_after(timing: Timing, memory: Memory, now: int) -> int:
    """After when a host that has just begun plans its first moment: what is still to be made up for is planned too."""
    if not timing.is_remembered:
        return max(timing.begun, now - GRACE - 1)
    reach = GRACE if timing.catch_up == "none" else FARTHEST
    after = max(memory.handled, now - reach - 1)
    if memory.execution and memory.moment > now - FARTHEST:
        # That one again: whoever decided to start it may have died before it did.
        after = min(after, memory.moment - 1)
    return max(timing.begun, after)


def memory_of(image: Image | None) -> Memory:
    """What a schedule's record says; nothing where there is none."""
    facts: Mapping[str, Fact] = image.facts if image is not None else {}
    handled, started, skipped = (facts.get(name) for name in (_HANDLED, _STARTED, _SKIPPED))
    skips = facts.get(_SKIPS)
    begun = started if isinstance(started, Waiting) else Waiting("", 0, 0)
    return Memory(
        handled=handled.since if isinstance(handled, Waiting) else 0,
        execution=begun.detail,
        moment=begun.due,
        claimed=begun.since,
        skipped=skipped.since if isinstance(skipped, Waiting) else 0,
        skips=skips.number if isinstance(skips, Counted) else 0,
    )


def remember(key: RecordKey, image: Image | None, memory: Memory, now: int) -> Commit:
    """Write the memory down, if nobody has written since the record looked like this.

    It is kept for ever: it is small, and who forgot it would take every moment since the publishing for missed.
    """
    facts: dict[str, Fact] = {_HANDLED: Waiting("handled", 0, memory.handled)}
    if memory.moment:
        facts[_STARTED] = Waiting("started", memory.moment, memory.claimed, memory.execution)
    if memory.skips:
        facts[_SKIPPED] = Waiting("skipped", 0, memory.skipped)
        facts[_SKIPS] = Counted(memory.skips)
    puts = {name: Put(fact, NotDone()) for name, fact in facts.items()}
    if image is None:
        return Commit(key, 0, now, creates=True, puts=puts)
    return Commit(key, image.epoch, now, puts=puts, seen_rev=image.rev)


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
