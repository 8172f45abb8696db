"""Deliberate mistakes in the protocol, each switched on by itself: the simulation must find every one of them.

Each is what a plausible change of the engine or the worker would be, put in from the outside. Those of the small models
of the protocol are among them, under the names they have there.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from chalicelib.adapters.memory import facts as memory_facts
from chalicelib.engine import conditions, needs, readiness, salvage, writes
from chalicelib.engine import controls as engine_controls
from chalicelib.engine.cut import Marks
from chalicelib.engine.facts import Claimed, Done, fact_name
from chalicelib.engine.messages import Go, Send
from chalicelib.engine.records import Status
from chalicelib.engine.writes import ANYWHERE, Exactly
from chalicelib.errors import DeliveryConflictError
from chalicelib.flow.plan import Effect
from chalicelib.worker import (
    asks,
    chunks,
    controls,
    cuts,
    deliver,
    finishing,
    flight,
    handing,
    knocking,
    lanes,
    launching,
    ledger,
    recording,
    redaction,
    stage,
    sweeper,
)
from chalicelib.worker.values import Values
from tests.simulation import schedule
from tests.simulation.flows import LARGE, POOL

Patch = tuple[Any, str, Callable[[Any], Any]]
"""Where, what, and what it becomes: a function of what it was."""


@dataclass(frozen=True)
class Mutation:
    """A mistake, what is to find it, and within how many seeds."""

    patches: tuple[Patch, ...]
    found_by: tuple[str, ...]
    within: int = 100
    """Seeds."""
    storm: tuple[str, ...] = ()
    """The only faults, and many of them: for what needs several that seldom meet."""
    is_large: bool = False
    """Only flows with many steps: for what needs several of them that few have."""

    def schedule(self, seed: int) -> schedule.Schedule:
        """What a seed stands for here."""
        number = LARGE + seed % (POOL - LARGE) if self.is_large else None
        return schedule.Schedule(seed, number=number, storm=self.storm)

    @contextmanager
    def on(self) -> Iterator[None]:
        with ExitStack() as stack:
            for place, name, make in self.patches:
                before = getattr(place, name)
                setattr(place, name, make(before))
                stack.callback(setattr, place, name, before)
            yield


def always(value: Any) -> Callable[[Any], Any]:
    """A function that gives this, whatever it is asked."""
    return lambda _: lambda *_arguments, **_named: value


def always_later(value: Any) -> Callable[[Any], Any]:
    async def answer(*_: Any, **__: Any) -> Any:
        return value

    return lambda _: answer


# Acknowledging and sending --------------------------------------------------------------------------------------------


def ack_before_send(before: Any) -> Any:
    async def later(course: Any) -> None:
        async def soon() -> None:
            await asyncio.sleep(0.05)
            await before(course)

        asyncio.get_running_loop().create_task(soon())

    return later


def send_before_commit(before: Any) -> Any:
    def put_off(self: Any, step: Any, due: int, **more: Any) -> None:
        head = self.course.head
        if step.apart and not due and head.image is not None:
            go = Go(self.course.tenant, self.course.execution, head.epoch, (step.id,))
            asyncio.get_running_loop().create_task(self.course.tools.queue.send([Send(go)]))
        before(self, step, due, **more)

    return put_off


def loser_forgets_what_follows(before: Any) -> Any:
    """Whoever lost the race takes the other's fact in, and starts nothing that follows from it."""

    def adopt(at: Any, *more: Any) -> None:
        before(at, *more)
        at.ready = []

    return adopt


def winner_alone_goes_on(before: Any) -> Any:
    """What follows from facts that others recorded is theirs to start, even if they had this very message."""

    def join(at: Any, image: Any, done: Any) -> Any:
        ours = at.course.below({each.step.id for each in done})
        return [each for each in before(at, image, done) if each.step.id in ours]

    return join


def ack_on_live_lease(before: Any) -> Any:
    def verdict(tools: Any, report: Any) -> Any:
        return deliver.Acknowledge(report)

    return verdict


def fenced_out_acks(before: Any) -> Any:
    def left(commit: Any, image: Any, *more: Any) -> Any:
        for name, put in commit.puts.items():
            lost = isinstance(put.guard, Exactly) and isinstance(put.guard.fact, Claimed)
            if lost and not isinstance(image.facts.get(name), Done) and image.facts.get(name) != put.guard.fact:
                raise DeliveryConflictError("somebody else has it")
        return before(commit, image, *more)

    return left


# What a write may do --------------------------------------------------------------------------------------------------


def no_fence(before: Any) -> Any:
    def allows(guard: Any, fact: Any, now: int, boot: int) -> bool:
        return isinstance(guard, Exactly) or before(guard, fact, now, boot)

    return allows


def facts_are_overwritten(before: Any) -> Any:
    def allows(guard: Any, fact: Any, now: int, boot: int) -> bool:
        return isinstance(guard, writes.NotDone) or before(guard, fact, now, boot)

    return allows


def existing_is_created(before: Any) -> Any:
    def allows(image: Any, write: Any) -> bool:
        if isinstance(write, writes.Commit) and write.birth is not None:
            return True
        return before(image, write)

    return allows


def created_anew(before: Any) -> Any:
    def apply(image: Any, write: Any) -> Any:
        return before(None if getattr(write, "birth", None) is not None else image, write)

    return apply


def ends_are_not_final(before: Any) -> Any:
    def allows(image: Any, write: Any) -> bool:
        if isinstance(write, writes.Commit) and image is not None and image.status.is_terminal and not write.redrives:
            return image.epoch == write.epoch and before(replace(image, status=Status.RUNNING), write)
        return before(image, write)

    return allows


def stale_image(before: Any) -> Any:
    """Readiness from an image that may be old: what others recorded since is not in it."""

    def join(at: Any, image: Any, done: Any) -> Any:
        ours = {each.name for each in done}
        known = {fact_name(step.ordinal, at.grounds.path) for step in at.grounds.steps if step.id in at.done}
        seen = {name: fact for name, fact in image.facts.items() if name in ours | known or not isinstance(fact, Done)}
        return before(at, replace(image, facts=seen), done)

    return join


def claims_anywhere(_: Any) -> Any:
    return lambda puts, finish: ANYWHERE


def drops_refused_group(before: Any) -> Any:
    """A refused write is lost as a whole, leased outcomes too."""

    def left(commit: Any, image: Any, origins: Any, so_far: Any) -> Any:
        _, committed = before(commit, image, origins, so_far)
        dropped = committed.dropped | frozenset(
            name for name, put in commit.puts.items() if image.facts.get(name) != put.fact
        )
        return None, replace(committed, dropped=dropped)

    return left


def overwrites_due_entry(_: Any) -> Any:
    return lambda one, other: one if other is None else other


def only_when_due(before: Any) -> Any:
    """The due entry becomes the moment that the write is about, however far it is."""

    def commit(*given: Any, **named: Any) -> Any:
        dues = [due for put in named.get("puts", {}).values() if (due := getattr(put.fact, "due", 0))]
        if dues and named.get("next_check") is not None:
            named["next_check"] = min(dues)
        return before(*given, **named)

    return commit


def looks_when_due(before: Any) -> Any:
    """The next look is at the earliest open moment, however far it is."""

    def look(plan: Any, image: Any, now: int, boot: int) -> Any:
        found = before(plan, image, now, boot)
        dues = [due for fact in image.facts.values() if (due := getattr(fact, "due", 0)) and due > now]
        return replace(found, next_check=min(dues)) if dues and not found.is_due else found

    return look


def bumps_without_rev(before: Any) -> Any:
    return lambda *given: replace(before(*given), seen_rev=None)


def due_entry_goes_with_the_end(before: Any) -> Any:
    def committed(image: Any, commit: Any) -> Any:
        after = before(image, commit)
        return replace(after, next_check=None) if commit.finish is not None else after

    return committed


# Wide loops -----------------------------------------------------------------------------------------------------------


def mark_before_result(before: Any) -> Any:
    async def finish(place: Any, own: Any, turns: Any, results: Any, *more: Any) -> Any:
        failed = sum(each.failure is not None for each in results)
        await chunks._mark(place, chunks.Marked(failed))
        return await before(place, own, turns, results, *more)

    return finish


class _Answered:
    """The store, whose refusals a caller is to meet."""

    def __init__(self, inner: Any, stops: Callable[[Any], bool]) -> None:
        self._inner, self._stops = inner, stops

    async def write(self, write: Any) -> Any:
        answer = await self._inner.write(write)
        if isinstance(answer, writes.Refused) and self._stops(write):
            raise _StopError
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _StopError(Exception):
    pass


def duplicate_stops(where: str) -> Callable[[Any], Any]:
    """Who finds a rung taken goes home, though nobody may have gone on from there."""

    def stops(write: Any) -> bool:
        return write.key.part.endswith("/r") == (where == "root") and any(name[0] == "M" for name in write.puts)

    def make(before: Any) -> Any:
        async def mark(place: Any, marked: Any) -> Any:
            course = place.course
            tools = replace(course.tools, facts=_Answered(course.tools.facts, stops))
            changed = replace(place, course=_WithTools(course, tools))
            try:
                return await before(changed, marked)
            except _StopError:
                return None

        return mark

    return make


class _WithTools:
    def __init__(self, course: Any, tools: Any) -> None:
        self._course, self.tools = course, tools

    def __getattr__(self, name: str) -> Any:
        return getattr(self._course, name)


_counter = iter(range(1_000, 1_000_000_000))


def counts_every_mark(before: Any) -> Any:
    """A bare counter: whoever comes twice counts twice."""

    def mark(key: Any, epoch: int, number: int, *more: Any) -> Any:
        return before(key, epoch, next(_counter), *more)

    return mark


def joins_too_early(before: Any) -> Any:
    def marks(facts: Any) -> Marks:
        found = before(facts)
        return Marks(found.count + 1, found.failed, found.all_ran)

    return marks


# Effects --------------------------------------------------------------------------------------------------------------


def repeats_what_was_unknown(before: Any) -> Any:
    def decide(step: Any, effect: Any, failure: Any, attempt: int, **more: Any) -> Any:
        return before(step, Effect.AT_LEAST_ONCE, failure, attempt, **more)

    return decide


def other_words(_: Any) -> Any:
    """Effects as a module knows them, without the one that acts at most once."""
    return SimpleNamespace(PURE=Effect.PURE, READ=Effect.READ, AT_MOST_ONCE=None)


def key_of_each_try(before: Any) -> Any:
    def key(execution: str, step: str, path: Any, ask: int, redrive: int = 0) -> str:
        return before(execution, step, path, next(_counter), redrive)

    return key


def own_clock(before: Any) -> Any:
    def moment(execution: str, step: str, path: Any, ended: int, zone: str) -> Any:
        return before(execution, step, path, ended + next(_counter), zone)

    return moment


def commits_without_order(before: Any) -> Any:
    """Every fact counts at once and alike, recorded or not: the document's order decides."""
    return lambda step, done: before(step, replace(done, order=0))


# Lanes, answers -------------------------------------------------------------------------------------------------------


def no_cap(before: Any) -> Any:
    async def take(tools: Any, key: Any, execution: str, cap: int, since: int) -> bool:
        return await before(tools, key, execution, 99, since)

    return take


def answers_overwrite(before: Any) -> Any:
    def signal(*given: Any) -> Any:
        write = before(*given)
        puts = {name: replace(put, guard=writes.NotDone()) for name, put in write.puts.items()}
        return replace(write, puts=puts)

    return signal


def judged_too_early(before: Any) -> Any:
    """An end that does not look whether somebody has claimed something since."""

    def commit(*given: Any, **named: Any) -> Any:
        if named.get("finish") is not None:
            named.pop("seen_rev", None)
        return before(*given, **named)

    return commit


def one_pack_one_loop(before: Any) -> Any:
    """Items are remembered by the pack alone: two loops that are cut in one write share it."""
    remembered: dict[tuple[str, str], Any] = {}

    async def items_of(tools: Any, head: Any, name: str, fact: Any) -> Any:
        key = (head.key.execution, fact.pack)
        if key not in remembered:
            remembered[key] = await before(tools, head, name, fact)
        return remembered[key]

    return items_of


def never_the_same(before: Any) -> Any:
    return lambda *parts: before(*parts, str(next(_counter)))


TWO_AT_ONCE = ("two_workers", "visibility_expired", "crash_after", "stale_holder", "timeout_after_write")
SLOW = ("two_workers", "visibility_expired", "http_late", "http_slow")
STALE = ("stale_holder", "crash_between", "http_slow", "visibility_expired")

MUTATIONS: dict[str, Mutation] = {
    # fanin_model
    "ack before send": Mutation(((handing, "_send_for_later", ack_before_send),), ("I8", "L1")),
    "loser acks without dispatch": Mutation(
        ((recording, "_adopt", loser_forgets_what_follows),), ("L1", "L2"), within=250, storm=TWO_AT_ONCE
    ),
    "winner alone goes on": Mutation(((recording, "_join", winner_alone_goes_on),), ("L1", "L2"), within=1500),
    "no fence": Mutation(
        ((conditions, "guard_allows", no_fence), (salvage, "guard_allows", no_fence)), ("I6", "I1", "I2")
    ),
    "send before commit": Mutation(((stage.Stage, "put_off", send_before_commit),), ("I8",)),
    "ack on live lease": Mutation(((deliver, "_verdict", ack_on_live_lease),), ("L1", "L2"), within=250),
    "fenced-out loser acks": Mutation(
        ((ledger, "_left", fenced_out_acks),), ("L1", "L2", "I6"), within=2500, storm=STALE
    ),
    "stale read": Mutation(((recording, "_join", stale_image),), ("L1", "L2", "I2"), within=250),
    "naive counter": Mutation(((chunks, "mark", counts_every_mark),), ("I7", "I1")),
    # join_model
    "mark before result": Mutation(((chunks, "_finish", mark_before_result),), ("I7",)),
    "duplicate mark stops": Mutation(
        ((chunks, "_mark", duplicate_stops("shard")),), ("L1", "L2"), within=1000, is_large=True
    ),
    "duplicate root stops": Mutation(((chunks, "_mark", duplicate_stops("root")),), ("L1", "L2"), within=1000),
    "join before every mark": Mutation(((cuts, "marks_in", joins_too_early),), ("I7",), within=1000),
    # group
    "dropping a leased result with a refused group": Mutation(
        ((ledger, "_left", drops_refused_group),), ("I6", "L1", "L2"), within=500
    ),
    "effect before its inputs are durable": Mutation(((launching, "_is_durable", always(True)),), ("I2", "I3")),
    # due
    "overwriting the due entry": Mutation(
        ((conditions, "_earlier", overwrites_due_entry), (ledger, "Commit", only_when_due)), ("L1", "L2"), within=1000
    ),
    "bump without rev": Mutation(
        ((sweeper, "recheck", bumps_without_rev), (sweeper, "look", looks_when_due)),
        ("L1", "L2", "I5", "L6"),
        within=1500,
    ),
    # ending
    "removing the due entry too early": Mutation(
        ((conditions, "_committed", due_entry_goes_with_the_end),), ("L6", "L1")
    ),
    # stride
    "a dead letter only notes itself": Mutation(
        ((schedule, "bury", always_later(True)),), ("L4", "L1", "L2"), within=250
    ),
    "a resume that knows only the head": Mutation(
        ((cuts, "_mend", always_later(None)), (cuts, "_never_begun", always_later([]))), ("L1", "L2"), within=500
    ),
    # needs
    "no commit order for numbered groups": Mutation(
        ((needs, "state_of", commits_without_order), (readiness, "state_of", commits_without_order)),
        ("I2", "I11", "I5"),
    ),
    # others
    "facts are overwritten": Mutation(
        ((conditions, "guard_allows", facts_are_overwritten), (salvage, "guard_allows", facts_are_overwritten)), ("I1",)
    ),
    "an execution is created twice": Mutation(
        ((memory_facts, "allows", existing_is_created), (memory_facts, "apply", created_anew)), ("I1", "I6", "I9", "I5")
    ),
    "an end is not final": Mutation(((memory_facts, "allows", ends_are_not_final),), ("I5", "I9", "I1")),
    "claims whatever the status": Mutation(((writes, "_as_wide_as", claims_anywhere),), ("I12",), within=500),
    "claims over live leases": Mutation(
        ((conditions, "is_live", always(False)), (launching, "is_live", always(False))), ("I6",)
    ),
    "results of what was dropped stay": Mutation(
        ((ledger._Origins, "resting_on", always(frozenset())),), ("I2", "I11", "I4")
    ),
    "old values after another's fact": Mutation(
        ((Values, "forget", always(None)),), ("I2", "I11"), within=500, storm=SLOW, is_large=True
    ),
    "an unknown outcome is tried again": Mutation(
        ((flight, "decide", repeats_what_was_unknown),), ("I3",), within=1500
    ),
    "a vanished worker's effect is repeated": Mutation(((launching, "Effect", other_words),), ("I3",), within=1500),
    "an end judged too early": Mutation(((ledger, "Commit", judged_too_early),), ("I6",), is_large=True),
    "one pack, one loop": Mutation(
        ((chunks, "items_of", one_pack_one_loop),), ("I2", "I11"), within=500, is_large=True
    ),
    "a key for each try": Mutation(((asks, "idempotency_key", key_of_each_try),), ("I4",)),
    "a moment of the worker's own": Mutation(((stage, "moment_for", own_clock),), ("I11", "I2")),
    "two deliveries, two executions": Mutation(((knocking, "hashed_id", never_the_same),), ("L5",)),
    "a cancel tells no loop": Mutation(
        ((controls, "tell_parts", always_later([])),), ("I12",), within=500, is_large=True
    ),
    "nobody is told of an end": Mutation(((finishing, "has_followers", always_later(False)),), ("L6", "L1")),
    "no cap": Mutation(((lanes, "_take", no_cap),), ("I10",)),
    "a secret is recorded": Mutation(((redaction.Secrets, "mask", lambda _: lambda self, value: value),), ("I13",)),
    "the last answer counts": Mutation(((engine_controls, "signal", answers_overwrite),), ("L5", "I1")),
}
