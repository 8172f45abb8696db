"""Some steps of one record, each run as soon as its needs hold: a flow's steps, its `on_failure`, a turn of a loop."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Waiting, fact_name
from chalicelib.engine.needs import State
from chalicelib.engine.packs import Attempt, Entry, entry_from_json, entry_to_json
from chalicelib.engine.readiness import Board, Run
from chalicelib.engine.records import Image
from chalicelib.engine.writes import Exactly, Free, Guard, NotDone, Put
from chalicelib.flow.plan import Effect, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded, Unknown, Waits
from chalicelib.worker.attempt import Prepared, SkippedByIf, moment_for, prepare
from chalicelib.worker.budget import to_milliseconds, to_text
from chalicelib.worker.course import Course, Later
from chalicelib.worker.flight import Landing, finished, fly, nothing_done
from chalicelib.worker.ledger import Committed, Finished, Ledger, is_over
from chalicelib.worker.values import Values

MOST_DELAY = 900_000
"""Milliseconds: the longest that SQS holds a message back (API reference, SendMessage, DelaySeconds)."""

LoopRunner = Callable[["Stage", Landing], Awaitable[Outcome]]
"""Runs a loop's body for a prepared `foreach`; raises nothing but a mishap of this worker."""


@dataclass(slots=True)
class Grounds:
    """Where a stage stands: its steps, its place in a loop, and what its steps may name."""

    steps: tuple[StepPlan, ...]
    path: tuple[int, ...] = ()
    names: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """Names beyond the course's document: `item`, `index`, `failure`."""
    outer_values: Mapping[str, Json] = field(default_factory=dict[str, Json])
    outer_errors: Mapping[str, Json] = field(default_factory=dict[str, Json])
    outside: Mapping[str, State] = field(default_factory=dict[str, State])
    """How sources stand that are none of these steps."""
    started_by: str = ""
    """The trigger that started the execution: it counts as done, every other as skipped."""


@dataclass(slots=True)
class _Opening:
    """A step that is about to be claimed, or to wait, once the write is through."""

    landing: Landing
    put: Put
    attempt: int
    due: int = 0
    text: str = ""
    """What is kept with it: the attempts so far."""


class Stage:
    """Runs the steps of one place until nothing more can be done here."""

    def __init__(
        self,
        course: Course,
        grounds: Grounds,
        ledger: Ledger | None,
        values: Values,
        *,
        loops: LoopRunner,
        starts: Callable[[StepPlan], bool] | None = None,
        is_failure_handling: bool = False,
    ) -> None:
        """`ledger` is None for a loop's turn that only computes and reads: it keeps nothing of its own.

        `starts` says which of the steps that are ready at the beginning are this invocation's to start; what becomes
        ready by its own work always is.
        """
        self.course = course
        self.grounds = grounds
        self.ledger = ledger
        self.values = values
        self.pending: list[Finished] = []
        self._loops = loops
        self._is_failure_handling = is_failure_handling
        self._flights: dict[asyncio.Task[Landing], StepPlan] = {}
        self._openings: dict[str, _Opening] = {}
        self._behind: list[Landing] = []
        self._urgent = False
        self._answers: list[Json] = []
        self._mishap: Exception | None = None
        self._ready: list[Run] = []
        self._done: dict[str, Done] = {}
        self.board = self._set_up()
        self._ready = [each for each in self.board.take_ready() if starts is None or starts(each.step)]

    # What is known -------------------------------------------------------------------------------------------------

    def name_of(self, step: StepPlan) -> str:
        """The attribute this step's fact goes by, here."""
        return fact_name(step.ordinal, self.grounds.path)

    def _fact(self, step: StepPlan) -> Fact | None:
        image = self.ledger.image if self.ledger else None
        return image.facts.get(self.name_of(step)) if image else None

    def _set_up(self) -> Board:
        """The board as the record, and what is finished here on top of it, say."""
        self._done = {}
        for step in self.grounds.steps:
            if isinstance(fact := self._fact(step), Done):
                self._done[step.id] = fact
        for each in self.pending:
            self._done[each.step.id] = each.done
        grounds, triggers = self.grounds, self.course.plan.triggers
        return Board(grounds.steps, self._done, grounds.outside, triggers=triggers, started_by=grounds.started_by)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more may be started here."""
        image = self.ledger.image if self.ledger else None
        if self._mishap is not None:
            return True
        if self._is_failure_handling:
            return self.board.unhandled is not None or (image is not None and image.status.is_terminal)
        return self.course.is_stopped or self.board.unhandled is not None or (image is not None and is_over(image))

    def latest_end(self) -> int:
        """When the last of what is settled here ended; when the execution began where nothing is."""
        return max((each.ended for each in self._done.values()), default=self.course.started)

    async def scope(self, sees: tuple[str, ...]) -> dict[str, Json]:
        """What a step that sees these others may name: one plain document, values shared and never changed."""
        values: dict[str, Json] = dict(self.grounds.outer_values)
        errors: dict[str, Json] = dict(self.grounds.outer_errors)
        ordinals = {each: self.name_of(self.course.plan.by_id[each]) for each in sees if each in self._done}
        unread = {name: self._done[each] for each, name in ordinals.items() if name not in self.values.entries}
        if unread and self.ledger and self.ledger.image:
            await self.values.load(self.ledger.image, unread)
        for each, name in ordinals.items():
            done = self._done[each]
            entry = self.values.entries.get(name)
            if entry is None or done.how is How.SKIPPED:
                continue
            if done.how is How.SUCCEEDED:
                values[each] = entry.value
                continue
            errors[each] = dict(entry.failure or {})
            if self.course.plan.by_id[each].on_error is not None:
                values[each] = entry.value
        return {**self.course.document, **self.grounds.names, "steps": values, "errors": errors}

    # The loop ------------------------------------------------------------------------------------------------------

    async def drive(self) -> None:
        """Run what is ready, record what must be, until nothing is ready and nothing is in the air.

        What is finished and not recorded stays in `pending`: the caller records it with the end, or with a hand-over.
        """
        try:
            while True:
                await self._launch()
                if self.is_stopped:
                    self._call_back()
                if self._openings or self._behind or (self._urgent and not self._is_last()):
                    await self.record()
                    continue
                if not self._flights:
                    break
                landed, _ = await asyncio.wait(self._flights, return_when=asyncio.FIRST_COMPLETED)
                for task in landed:
                    await self._take_in(task)
            if self._mishap is not None:
                if self.pending:
                    await self.record()
                raise self._mishap
        finally:
            for task in self._flights:
                task.cancel()
            if self._flights:
                await asyncio.gather(*self._flights, return_exceptions=True)

    def _is_last(self) -> bool:
        """Whether nothing is left to do here: what is finished is then recorded together with the end."""
        is_judged = self.board.is_finished or self.board.unhandled is not None
        return not self._flights and not self._ready and is_judged and self._mishap is None

    async def _take_in(self, task: asyncio.Task[Landing]) -> None:
        """A flight is over. A mishap of this worker stops it, once what may have had an effect is recorded."""
        step = self._flights.pop(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            await self._land(step, task.result())
        elif isinstance(error, Exception):
            self._mishap = self._mishap or error
        else:
            raise error

    def _call_back(self) -> None:
        """Stopped: reads are not waited for; what may have an effect is, so that its outcome is recorded."""
        self._ready.clear()
        self._behind.clear()
        self._openings = {name: each for name, each in self._openings.items() if not isinstance(each.put.fact, Claimed)}
        for task, step in self._flights.items():
            if not step.effect.needs_barrier and step.body is None:
                task.cancel()

    async def _launch(self) -> None:
        """Start everything that is ready; a pure step is finished on the spot, and what it makes ready follows."""
        while self._ready and not self.is_stopped:
            ready, self._ready = self._ready, []
            for each in ready:
                await self._consider(each)
            self._ready.extend(self.board.take_ready())

    async def _consider(self, ready: Run) -> None:
        step, course = ready.step, self.course
        fact = self._fact(step)
        now = course.now()
        if step.apart and self.ledger is course.head and step.id not in (course.named or ()):
            course.later.append(Later(step.id, 0))
            return
        if isinstance(fact, Claimed) and self._is_held(fact, now):
            course.held[step.id] = fact.expires
            return
        if isinstance(fact, Waiting) and fact.kind == "timer":
            await self._go_on_waiting(ready, fact, now)
            return
        if isinstance(fact, Retrying) and fact.due > now:
            course.later.append(Later(step.id, fact.due))
            return
        if step.effect is not Effect.PURE and not course.budget.fits(now, step.timeout_seconds):
            course.later.append(Later(step.id, 0))
            return
        await self._prepare(ready, fact)

    def _is_held(self, claim: Claimed, now: int) -> bool:
        return claim.expires > now and claim.boot == self.course.tools.settings.boot

    async def _prepare(self, ready: Run, fact: Fact | None) -> None:
        step, course = ready.step, self.course
        scope = await self.scope(ready.sees)
        ended = max((self._done[each].ended for each in ready.sees if each in self._done), default=course.started)
        moment = moment_for(course.execution, step.id, self.grounds.path, ended, course.plan.timezone)
        prepared = await prepare(course.tools, step, scope, moment)
        landing = Landing(nothing_done(step), ready.sees, scope, NotDone(), Succeeded(), ())
        match prepared:
            case SkippedByIf():
                done = Done(How.SKIPPED, "skipped", 1, course.now())
                await self._settle(
                    Finished(step, self.name_of(step), done, "", NotDone(), ready.sees, Entry(None, None, ()))
                )
            case Failure():
                landing.outcome = Failed(prepared)
                await self._settle(await finished(course, landing, self.name_of(step)))
            case Prepared():
                landing.prepared = prepared
                await self._dispatch(landing, fact)

    async def _dispatch(self, landing: Landing, fact: Fact | None) -> None:
        """By its effect: at once, behind the barrier, or under a lease."""
        step, course = landing.prepared.step, self.course
        attempt = 1
        if isinstance(fact, Retrying | Claimed):
            attempt = fact.attempt + 1
        if isinstance(fact, Retrying):
            landing.attempts = await self._earlier(step, fact)
        if isinstance(fact, Claimed) and step.effect is Effect.AT_MOST_ONCE:
            said = f"The worker that ran `{step.id}` vanished. Whether its request had its effect is unknown."
            landing.outcome, landing.guard = Unknown(Failure("lease_lost", said, sent="maybe")), Exactly(fact)
            landing.attempts = (Attempt(fact.attempt, course.started, course.now(), "lease_lost", said),)
            await self._settle(await finished(course, landing, self.name_of(step)), urgent=True)
        elif step.body is not None:
            self._take_off(landing, attempt)
        elif step.effect is Effect.PURE:
            landing = await fly(course, landing, self.grounds.path, attempt)
            await self._land(step, landing)
        elif step.effect is Effect.READ or self._is_durable(landing):
            if step.effect.is_leased:
                self._claim(landing, fact, attempt)
            else:
                self._take_off(landing, attempt)
        elif step.effect.is_leased:
            self._claim(landing, fact, attempt)
        else:
            self._behind.append(landing)

    def _is_durable(self, landing: Landing) -> bool:
        """Whether everything it was computed from is recorded (the barrier of design 4.4)."""
        return self.ledger is not None and self.ledger.image is not None and not self.pending

    async def _earlier(self, step: StepPlan, fact: Retrying) -> tuple[Attempt, ...]:
        if not fact.pack or self.ledger is None or self.ledger.image is None:
            return ()
        pack = await self.values.pack(self.ledger.image, fact.pack)
        entry = pack.get(self.name_of(step))
        return tuple(entry_from_json(entry).attempts) if isinstance(entry, dict) else ()

    def _claim(self, landing: Landing, fact: Fact | None, attempt: int) -> None:
        course = self.course
        claim = Claimed(course.tools.ids.token(), course.budget.lease_until, attempt, course.tools.settings.boot)
        landing.guard = Exactly(claim)
        guard: Guard = Exactly(fact) if isinstance(fact, Retrying) else Free()
        step = landing.prepared.step
        self._openings[self.name_of(step)] = _Opening(landing, Put(claim, guard), attempt)

    def _take_off(self, landing: Landing, attempt: int) -> None:
        step = landing.prepared.step
        work = self._loop(landing) if step.body is not None else fly(self.course, landing, self.grounds.path, attempt)
        self._flights[asyncio.get_running_loop().create_task(work)] = step

    async def _loop(self, landing: Landing) -> Landing:
        start = self.course.now()
        landing.outcome = await self._loops(self, landing)
        failure = landing.outcome.failure if isinstance(landing.outcome, Failed | Unknown) else None
        code, message = (failure.code, failure.message) if failure else ("", "")
        landing.attempts = (Attempt(1, start, self.course.now(), code, message),)
        return landing

    async def _land(self, step: StepPlan, landing: Landing) -> None:
        """What a flight brought: a fact, a wait, or another try later."""
        name, now = self.name_of(step), self.course.now()
        if landing.delay_seconds is not None:
            number, code = landing.attempts[-1].number, landing.attempts[-1].code
            due = now + min(int(landing.delay_seconds * 1000), MOST_DELAY)
            told = json.dumps(entry_to_json(Entry(None, None, landing.attempts)))
            self._openings[name] = _Opening(landing, Put(Retrying(due, number, code), landing.guard), number, due, told)
        elif isinstance(landing.outcome, Waits):
            await self._wait(step, landing, landing.outcome, now)
        elif step.body is not None and landing.was_stopped:
            return
        else:
            is_urgent = step.effect.is_leased or self.course.plan.durability == "every"
            await self._settle(await finished(self.course, landing, name), urgent=is_urgent)

    async def _settle(self, each: Finished, *, urgent: bool = False) -> None:
        """A step is settled here: others may be ready now."""
        step, done = each.step, each.done
        if self.ledger is None:
            # A turn that keeps nothing has no record to order its facts: they count as they come.
            done = replace(done, order=len(self._done))
        else:
            self.pending.append(each)
            if step.uses == "respond" and done.how is How.SUCCEEDED:
                self._answers.append(each.entry.value)
            self._urgent |= urgent or step.feeds_count or bool(self._answers)
        self._done[step.id] = done
        self.values.entries[each.name] = each.entry
        self.board.settle(step.id, done)
        self._ready.extend(self.board.take_ready())

    async def _wait(self, step: StepPlan, landing: Landing, waits: Waits, now: int) -> None:
        """A step that goes on at a moment: recorded first, then slept through or left to the queue."""
        due = to_milliseconds(waits.until)
        landing.outcome = Succeeded(waits.value)
        if self.ledger is None or self.grounds.path:
            self._sleep(step, landing, due)
            return
        fact = Waiting("timer", due, now)
        landing.guard = Exactly(fact)
        self._openings[self.name_of(step)] = _Opening(landing, Put(fact, Free()), 1, due)

    async def _go_on_waiting(self, ready: Run, fact: Waiting, now: int) -> None:
        """A wait that an earlier invocation recorded."""
        outcome = Succeeded({"until": to_text(fact.due)})
        attempts = (Attempt(1, fact.since, max(now, fact.due)),)
        landing = Landing(nothing_done(ready.step), ready.sees, {}, Exactly(fact), outcome, attempts)
        if fact.due <= now:
            await self._settle(await finished(self.course, landing, self.name_of(ready.step)))
        else:
            self._until(ready.step, landing, fact.due, now)

    def _until(self, step: StepPlan, landing: Landing, due: int, now: int) -> None:
        """Sleep through a short wait; leave a long one to the queue."""
        if due - now <= self.course.tools.settings.inline_wait_seconds * 1000:
            self._sleep(step, landing, due)
        else:
            self.course.later.append(Later(step.id, due))

    def _sleep(self, step: StepPlan, landing: Landing, due: int) -> None:
        async def slept() -> Landing:
            await self.course.tools.clock.sleep(max(0.0, (due - self.course.now()) / 1000))
            return landing

        self._flights[asyncio.get_running_loop().create_task(slept())] = step

    async def record_with(self, opens: Mapping[str, Put]) -> None:
        """Record what is finished, and these facts with it."""
        done, self.pending = self.pending, []
        if self.ledger is None:
            raise TypeError("a turn that keeps nothing has nothing to record")
        committed = await self.ledger.commit(done, opens)
        if committed.adopted:
            self._adopt(committed, done)

    async def record(self) -> None:
        """One write: all that is finished, and the claims and waits of what follows. Then those may begin."""
        if self.ledger is None:
            raise TypeError("a turn that keeps nothing has nothing to record")
        done, self.pending = self.pending, []
        openings, self._openings = self._openings, {}
        behind, self._behind = self._behind, []
        answers, self._answers = self._answers, []
        self._urgent = False
        committed = await self.ledger.commit(
            done,
            {name: each.put for name, each in openings.items()},
            texts={name: each.text for name, each in openings.items() if each.text},
        )
        image = self.ledger.image
        if committed.adopted:
            self._adopt(committed, done)
        elif image is not None:
            self._ready.extend(self._join(image, done))
        now = self.course.now()
        for name, each in openings.items():
            step = each.landing.prepared.step
            fact = image.facts.get(name) if image else None
            if not _is_ours(fact, each.put.fact):
                if isinstance(fact, Claimed):
                    self.course.held[step.id] = fact.expires
            elif isinstance(each.put.fact, Claimed):
                if not self.is_stopped:
                    self._take_off(each.landing, each.attempt)
            elif isinstance(each.put.fact, Waiting):
                self._until(step, each.landing, each.due, now)
            else:
                self.course.later.append(Later(step.id, each.due))
        for landing in behind:
            if landing.prepared.step.id not in self._done and not self.is_stopped and not committed.adopted:
                self._take_off(landing, 1)
        self._answers = answers
        self.answer()

    def answer(self) -> None:
        """Tell whoever waits what the `respond` steps said; only once that is recorded."""
        answers, self._answers = self._answers, []
        for answer in answers:
            if self.course.on_response is not None:
                self.course.on_response(answer)

    def _join(self, image: Image, done: list[Finished]) -> list[Run]:
        """Take in what others recorded. What that alone makes ready is theirs to start; what needs ours too is ours."""
        for step in self.grounds.steps:
            fact = image.facts.get(self.name_of(step))
            if isinstance(fact, Done) and self._done.get(step.id) != fact:
                self._done[step.id] = fact
                self.board.settle(step.id, fact)
        below = self.course.below({each.step.id for each in done})
        return [each for each in self.board.take_ready() if each.step.id in below]

    def _adopt(self, committed: Committed, done: list[Finished]) -> None:
        """Another worker was first with some facts: what we computed from our own is dropped, and computed again."""
        self.values.forget(committed.adopted)
        self.board = self._set_up()
        replaced = {each.step.id for each in done if each.name in committed.adopted}
        stale = self.course.below(replaced)
        for task, step in self._flights.items():
            if step.id in stale and not step.effect.needs_barrier:
                task.cancel()
        flying = {step.id for task, step in self._flights.items() if not task.cancelling()}
        ours = self.course.below({each.step.id for each in done}) | replaced
        taken = self.board.take_ready()
        self._ready = [each for each in taken if each.step.id in ours and each.step.id not in flying]


def _is_ours(recorded: Fact | None, written: Fact) -> bool:
    """Whether the record shows what was written; a retry's pack is named by the write."""
    if isinstance(recorded, Retrying) and isinstance(written, Retrying):
        return replace(recorded, pack="") == replace(written, pack="")
    return recorded == written
