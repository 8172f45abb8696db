"""Some steps of one record, and all that is known of them here: a flow's steps, its `on_failure`, a turn of a loop."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from chalicelib.engine.ending import facts_by_id
from chalicelib.engine.facts import Counted, Done, Fact, How, fact_name, redrive_name, wiped_name
from chalicelib.engine.needs import State
from chalicelib.engine.readiness import Board, Run
from chalicelib.engine.records import Status
from chalicelib.engine.writes import Put
from chalicelib.flow.moment import Moment
from chalicelib.flow.plan import Body, StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.values import Outcome
from chalicelib.ports import Link
from chalicelib.worker.absences import Absences
from chalicelib.worker.attempt import Surroundings
from chalicelib.worker.course import Course, Later
from chalicelib.worker.evaluating import moment_for
from chalicelib.worker.flight import Landing, attempt_of, fly
from chalicelib.worker.ledger import Finished, Ledger, Open
from chalicelib.worker.together import Together
from chalicelib.worker.values import Values

LoopRunner = Callable[["Stage", Landing], Awaitable[Outcome]]
"""Runs a loop's body for a prepared `foreach`; raises nothing but a mishap of this worker."""


def keeps_facts(body: Body) -> bool:
    """Whether a loop's turns need facts of their own: one may have an effect or wait for long; rounds always do."""
    return body.until is not None or any(
        step.effect.needs_barrier
        or step.uses in {"wait", "callback", "approval"}
        or (step.body is not None and keeps_facts(step.body))
        for step in body.steps
    )


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
    since: int = 0
    """When a turn or a round began, in epoch milliseconds: the moment of its loop, the end of the round before."""
    loop: str = ""
    """The outermost loop around these steps; empty for a flow's own."""


@dataclass(slots=True)
class Opening:
    """A step that is about to be claimed, or to wait, once the write is through."""

    landing: Landing
    put: Put
    attempt: int
    due: int = 0
    text: str = ""
    """What is kept with it: the attempts so far."""

    def to_open(self) -> Open:
        """What the ledger writes of it."""
        return Open(self.put, self.landing.prepared.step, self.text)


class Stage:
    """What one place of an execution knows and has under way. `driving.drive` runs it."""

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
        above: "Stage | None" = None,
    ) -> None:
        """`ledger` is None for a loop's turn that only computes and reads: it keeps nothing of its own.

        `starts` says which of the steps that are ready at the beginning are this invocation's to start; what becomes
        ready by its own work always is. `above` is the stage that the loop of this turn stands in.
        """
        self.course = course
        self.grounds = grounds
        self.ledger = ledger
        if ledger is not None:
            ledger.below = course.below
        self.values = values
        self.pending: list[Finished] = []
        self.loops = loops
        self.starts = starts
        self.is_failure_handling = is_failure_handling
        self.above = above
        self.together: Together | None = None
        """Whom a loop's turn records with, where others write to the same record beside it."""
        self.flights: dict[asyncio.Task[Landing], StepPlan] = {}
        self.abandoned: set[asyncio.Task[Landing]] = set()
        """Flights whose result nobody wants any more."""
        self.openings: dict[str, Opening] = {}
        self.behind: list[Landing] = []
        self.urgent = False
        self.was_called_back = False
        """Something here was not begun, because it was ending or paused."""
        self.answers: list[tuple[str, Json]] = []
        """What `respond` steps said, by fact name."""
        self.mishap: Exception | None = None
        self._links: dict[str, Json] | None = None
        self.ready: list[Run] = []
        self.done: dict[str, Done] = {}
        self.board = self.set_up()
        self.ready = self.take_ours()

    def name_of(self, step: StepPlan) -> str:
        """The attribute this step's fact goes by, here."""
        return fact_name(step.ordinal, self.grounds.path)

    def fact_of(self, step: StepPlan) -> Fact | None:
        """What the record says of a step; None where it says nothing."""
        image = self.ledger.image if self.ledger else None
        return image.facts.get(self.name_of(step)) if image else None

    def set_up(self) -> Board:
        """The board as the record, and what is finished here on top of it, say."""
        image = self.ledger.image if self.ledger else None
        self.done = facts_by_id(self.grounds.steps, image, self.grounds.path) if image else {}
        for each in self.pending:
            self.done[each.step.id] = each.done
        grounds, triggers = self.grounds, self.course.plan.triggers
        return Board(grounds.steps, self.done, grounds.outside, triggers=triggers, started_by=grounds.started_by)

    def take_ours(self) -> list[Run]:
        """What is ready and this invocation's to start, where the board is new."""
        return [each for each in self.board.take_ready() if self.starts is None or self.starts(each.step)]

    def answers_for(self, step: StepPlan) -> bool:
        """Whether the message in hand is for this step: no other message would bring it about."""
        if step.apart and self.above is None and step.id not in (self.course.named or ()):
            return False
        return self.starts is None or self.starts(step)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more may be started here."""
        if self.mishap is not None or self.board.unhandled is not None:
            return True
        image = self.ledger.image if self.ledger else None
        if self.above is not None:
            return self.above.is_stopped or (image is not None and image.status is not Status.RUNNING)
        if self.is_failure_handling:
            return image is not None and image.status.is_terminal
        is_held = image is not None and image.status is not Status.RUNNING
        return self.course.is_stopped or is_held or self.course.is_overdue

    def latest_end(self) -> int:
        """When the last of what is settled here ended; when the execution began where nothing is."""
        return max((each.ended for each in self.done.values()), default=self.since)

    @property
    def since(self) -> int:
        """When this place began: the execution, or the turn or round of a loop; the same on every worker."""
        return self.grounds.since or self.course.started

    def moment(self, step: StepPlan, sees: Sequence[str]) -> Moment:
        """The time and the randomness of a step that sees these others (design 4.4)."""
        ended = max((self.done[each].ended for each in sees if each in self.done), default=self.since)
        return moment_for(self.course.execution, step.id, self.grounds.path, ended, self.course.plan.timezone)

    @property
    def absences(self) -> Absences:
        """Why the steps here have no value, where they have none."""
        plan = self.course.plan
        return Absences(plan.by_id, self.done, triggers=plan.triggers, started_by=self.grounds.started_by)

    async def scope(self, sees: tuple[str, ...]) -> dict[str, Json]:
        """What a step that sees these others may name: one plain document, values shared and never changed."""
        values: dict[str, Json] = dict(self.grounds.outer_values)
        errors: dict[str, Json] = dict(self.grounds.outer_errors)
        ordinals = {each: self.name_of(self.course.plan.by_id[each]) for each in sees if each in self.done}
        unread = {name: self.done[each] for each, name in ordinals.items() if name not in self.values.entries}
        if unread and self.ledger and self.ledger.image:
            await self.values.load(self.ledger.image, unread)
        for each, name in ordinals.items():
            done = self.done[each]
            entry = self.values.entries.get(name)
            if entry is None or done.how is How.SKIPPED:
                continue
            if done.how is How.SUCCEEDED:
                values[each] = entry.value
                continue
            errors[each] = dict(entry.failure or {})
            if self.course.plan.by_id[each].on_error is not None:
                values[each] = entry.value
        found: dict[str, Json] = {**self.course.document, **self.grounds.names, "steps": values, "errors": errors}
        if self.course.plan.linked:
            found["execution"] = {**cast("dict[str, Json]", found["execution"]), "links": await self.links()}
        return found

    async def links(self) -> dict[str, Json]:
        """Where the steps that wait for an answer here, or around this place, are answered; made once."""
        if self._links is None:
            course, maker = self.course, self.course.tools.links
            links: dict[str, Json] = dict(await self.above.links()) if self.above is not None else {}
            part = self.ledger.key.part if self.ledger is not None else ""
            for step in self.grounds.steps:
                if maker is not None and step.id in course.plan.linked:
                    link = Link(course.tenant, course.execution, part, step.id, self.grounds.path)
                    links[step.id] = await maker.address(step.uses, link)
            self._links = links
        return self._links

    def around(self, step: StepPlan) -> Surroundings:
        """Where an attempt of a step takes place."""
        course, path = self.course, self.grounds.path
        image = self.ledger.image if self.ledger else None
        counted = image.facts.get(redrive_name(step.ordinal, path)) if image else None
        birth = course.head.birth
        loop, head = self.grounds.loop, course.head.image
        wiped = head.facts.get(wiped_name(course.plan.by_id[loop].ordinal)) if loop and head else None
        redrives = ".".join(
            f"{letter}{each.number}" for letter, each in (("r", counted), ("w", wiped)) if isinstance(each, Counted)
        )
        return Surroundings(
            *(course.tenant, course.execution, path, course.plan.timezone, course.secrets),
            part=self.ledger.key.part if self.ledger else "",
            depth=birth.depth if birth is not None else 0,
            redrive=redrives,
            flow=course.plan.flow,
        )

    def take_off(self, landing: Landing, attempt: int) -> None:
        """The step begins: a task of its own, beside the others."""
        step = landing.prepared.step
        if step.body is not None:
            work = self._loop(landing)
        else:
            work = fly(self.course, landing, self.around(step), attempt, is_stopped=lambda: self.is_stopped)
        self.flights[asyncio.get_running_loop().create_task(work)] = step

    async def _loop(self, landing: Landing) -> Landing:
        start = self.course.now()
        landing.outcome = await self.loops(self, landing)
        landing.attempts = (attempt_of(self.course, landing.outcome, 1, start, self.course.now()),)
        return landing

    def sleep(self, step: StepPlan, landing: Landing, due: int) -> None:
        """A flight that only waits until `due`, in epoch milliseconds."""

        async def slept() -> Landing:
            await self.course.tools.clock.sleep(max(0.0, (due - self.course.now()) / 1000))
            return landing

        self.flights[asyncio.get_running_loop().create_task(slept())] = step

    def abandon(self, task: asyncio.Task[Landing]) -> None:
        """Whatever this flight brings is not wanted, even if it has come back already."""
        del self.flights[task]
        self.abandoned.add(task)
        task.cancel()

    def put_off(self, step: StepPlan, due: int, *, is_known: bool = False) -> None:
        """Another invocation goes on with it, at the earliest at `due` (epoch milliseconds); see `Later`."""
        self.course.later.append(Later(self.grounds.loop or step.id, due, is_known))

    def answer(self) -> None:
        """Tell whoever waits what the `respond` steps said; only once that is recorded."""
        answers, self.answers = self.answers, []
        for _, answer in answers:
            self.course.tools.respond(self.course.execution, answer)
