"""One delivery of a message: create or find the execution, work on it, and say what becomes of the message."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from chalicelib.engine.looking import deadline_of
from chalicelib.engine.messages import LONGEST_DELAY_SECONDS, Chunk, Go, Message, Resume, Send, Start, Tick
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.writes import ANYWHERE, Commit, Finish
from chalicelib.errors import NotFoundError, PenstockError, StoreError, WorkerMishapError
from chalicelib.flow.plan import Effect, Plan
from chalicelib.flow.values import Json
from chalicelib.worker.admission import admitted, must_queue
from chalicelib.worker.budget import Budget, to_milliseconds, to_text
from chalicelib.worker.children import heed_parent
from chalicelib.worker.course import Course
from chalicelib.worker.followers import tell_again
from chalicelib.worker.ledger import CameBeforeError, Ledger
from chalicelib.worker.looks import GRACE
from chalicelib.worker.packing import refuse_another_body
from chalicelib.worker.report import Report, Went
from chalicelib.worker.run import run
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values

log = logging.getLogger("penstock.worker")

MOST_STEPS_AT_ONCE = 20
"""Steps of an execution that may run before its delivery is answered."""

YOUNG = 14 * 86_400_000
"""Milliseconds for which a start message may create its execution: what SQS keeps a message at most."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Done with: it need not come again."""

    report: Report | None = None


@dataclass(frozen=True, slots=True)
class GiveBack:
    """It must come again, at the earliest after this long."""

    delay_seconds: int
    report: Report | None = None


Verdict = Acknowledge | GiveBack


OnCourse = Callable[[Course], None]
"""Told when the work on an execution begins here."""


async def deliver(
    tools: Tools, message: Message, budget: Budget, *, is_first: bool = True, on_course: OnCourse | None = None
) -> Verdict:
    """Work a message off. `is_first` says that it was not delivered before: a start then looks for no record.

    Raises StoreError, WorkerMishapError and their like where nothing can be said of it: it must come again.
    DeliveryConflictError says that it need not: its delivery key stands for another body.
    """
    key = RecordKey(message.tenant, message.execution)
    match message:
        case Start():
            image = None if is_first else await tools.facts.read(key)
            if image is None and to_milliseconds(tools.clock.now()) > message.born + YOUNG:
                return await stillborn(tools, key, message.birth, "expired", "The start came more than 14 days late.")
            if image is not None and _has_ended(image):
                return Acknowledge(Report(Went.ENDED, image))
            return await _start(tools, key, message, image, budget, on_course)
        case Go(_, _, epoch, _) | Resume(_, _, epoch):
            image = await tools.facts.read(key)
            if image is None or _has_ended(image) or image.epoch != epoch:
                return Acknowledge(Report(Went.ENDED, image) if image else None)
            if image.status.is_terminal:
                tools.announce(image)
                await tell_again(tools, image)
                return Acknowledge(Report(Went.ENDED, image))
            named = frozenset(message.steps) if isinstance(message, Go) else None
            verdict = await _go_on(tools, key, image, budget, named, on_course)
            if isinstance(message, Resume) and isinstance(verdict, GiveBack):
                # The due entry stands for it: were each of the sweeper's messages to come back for as long as somebody
                # else is at it, they would end as dead letters of an execution that is well.
                await _leave_to_due_entry(tools, verdict.report)
                return Acknowledge(verdict.report)
            return verdict
        case Chunk(_, _, epoch, _, _):
            image = await tools.facts.read(key)
            if image is None or image.status is not Status.RUNNING or image.epoch != epoch:
                return Acknowledge(Report(Went.HANDED_OVER, image) if image else None)
            from chalicelib.worker.chunks import run_chunk  # imported late: most deliveries are of another kind

            return _verdict(tools, await run_chunk(await take_up(tools, key, image, budget), message))
        case Tick():
            raise TypeError("a tick is about no execution: `worker.listener` hears it")


def _has_ended(image: Image) -> bool:
    return image.status.is_terminal and image.next_check is None


async def _start(
    tools: Tools, key: RecordKey, message: Start, image: Image | None, budget: Budget, on_course: OnCourse | None
) -> Verdict:
    if image is not None:
        return await _go_on(tools, key, image, budget, None, on_course)
    birth = message.birth
    try:
        plan = await tools.plans.plan(key.tenant, birth.flow, birth.version)
    except NotFoundError:
        said = f"Version {birth.version[:12]} of the flow `{birth.flow}` is not stored."
        return await stillborn(tools, key, birth, "version_missing", said)
    course = new_course(tools, message, plan, await _input(tools, birth, message.input), budget)
    if on_course is not None:
        on_course(course)
    is_queued = await must_queue(tools, key.tenant, birth)
    if birth.keyed or is_queued:
        committed = await course.head.create(Status.QUEUED if is_queued else None)
        if committed.existed and course.head.image is not None:
            return await _came_before(tools, key, message, course.head.image, budget, on_course)
    return await _run(course)


async def _run(course: Course) -> Verdict:
    """Run it, if it may; where it may not, whoever makes room wakes it."""
    await heed_parent(course)
    if not await admitted(course):
        return Acknowledge(Report(Went.HANDED_OVER, course.head.image))
    return _verdict(course.tools, await run(course))


def new_course(
    tools: Tools, start: Start, plan: Plan, given: Mapping[str, Json], budget: Budget | None = None
) -> Course:
    """The work on an execution that has no record yet; its first write makes one."""
    key, birth = RecordKey(start.tenant, start.execution), start.birth
    if budget is None:
        budget = Budget(to_milliseconds(tools.clock.now()) + int(tools.settings.invocation_seconds * 1000))
    ledger = Ledger(tools, key, budget, None, birth=birth, input_text=start.input)
    ledger.plan = plan
    document = _document(tools, plan, key, birth, given)
    return Course(tools, plan, ledger, budget, document, birth.started, birth.trigger, deadline=birth.deadline)


def is_short(plan: Plan) -> bool:
    """Whether an execution only computes, and briefly: then it is recorded whole, in the very write that accepts it."""
    return (
        len(plan.steps) <= MOST_STEPS_AT_ONCE
        and not plan.on_failure
        and all(
            step.effect is Effect.PURE and step.body is None and step.uses != "wait" and not step.apart
            for step in plan.steps
        )
    )


async def at_once(course: Course) -> tuple[Image, bool] | None:
    """Create, run and end a short execution in one write: its record, and whether it is a new one.

    None where this worker met a mishap before anything was recorded: accept it first, and try again afterwards.
    """
    course.head.must_create = True
    try:
        await run(course)
    except CameBeforeError as error:
        return error.image, False
    except WorkerMishapError:
        if course.head.image is None:
            return None
        raise
    if course.head.image is None:
        raise TypeError("a run without a mishap leaves a record")
    return course.head.image, True


async def go_on_with(course: Course) -> None:
    """Run an execution that has been accepted here. Whatever goes wrong, it comes again by the queue."""
    try:
        verdict = await _run(course)
        if isinstance(verdict, Acknowledge):
            return
        delay = verdict.delay_seconds
    except PenstockError as error:
        log.warning("Execution %s: %s It will be tried again.", course.execution, error.detail)
        delay = 2
    except Exception:  # one execution's bug must not end the others: it comes again, and ends as a dead letter
        log.exception("Execution %s met a bug; it will be tried again.", course.execution)
        delay = 30
    await course.tools.queue.send([Send(Resume(course.tenant, course.execution, course.head.epoch), delay)])


async def _came_before(
    tools: Tools, key: RecordKey, message: Start, image: Image, budget: Budget, on_course: OnCourse | None
) -> Verdict:
    """The same delivery key: the first body wins. What an earlier life left lying is taken up again."""
    refuse_another_body(image, message)
    if image.status.is_terminal and image.next_check is None:
        return Acknowledge(Report(Went.ENDED, image, is_known=True))
    left = image.busy - to_milliseconds(tools.clock.now())
    if left > 0:
        # Somebody may be at it. Should that one have died, this delivery is what moves it: losing a race is never by
        # itself a reason to acknowledge.
        return GiveBack(
            min(LONGEST_DELAY_SECONDS, left // 1000 + 1), Report(Went.HELD, image, image.busy, is_known=True)
        )
    return await _go_on(tools, key, image, budget, None, on_course)


async def _go_on(
    tools: Tools,
    key: RecordKey,
    image: Image,
    budget: Budget,
    named: frozenset[str] | None,
    on_course: OnCourse | None,
) -> Verdict:
    """Work on an execution that has a record."""
    course = await take_up(tools, key, image, budget, named)
    if on_course is not None:
        on_course(course)
    return await _run(course)


async def take_up(
    tools: Tools, key: RecordKey, image: Image, budget: Budget, named: frozenset[str] | None = None
) -> Course:
    """The work on an execution that has a record; raises StoreError, NotFoundError where it cannot be understood."""
    birth = image.birth
    if birth is None:
        raise StoreError(f"the record of execution {key.execution} has no birth")
    plan = await tools.plans.plan(key.tenant, birth.flow, birth.version)
    given = await Values(tools.facts, tools.blobs, key).pack(image, birth.input_pack)
    document = _document(tools, plan, key, birth, given)
    ledger = Ledger(tools, key, budget, image)
    ledger.plan = plan
    if named is not None:
        named = frozenset(step for step in named if step in plan.by_id)
    return Course(
        *(tools, plan, ledger, budget, document, birth.started, birth.trigger, named),
        deadline=deadline_of(plan, image),
        is_continued=True,
    )


def _verdict(tools: Tools, report: Report) -> Verdict:
    if report.went is not Went.HELD:
        return Acknowledge(report)
    left = report.held_until - to_milliseconds(tools.clock.now())
    return GiveBack(min(LONGEST_DELAY_SECONDS, max(1, -(-left // 1000))), report)


async def _leave_to_due_entry(tools: Tools, report: Report | None) -> None:
    """See to it that somebody looks once the lease of whoever is at it has run out: a wait's entry may be days away."""
    image = report.image if report is not None else None
    if report is None or image is None or image.status.is_terminal:
        return
    by = report.held_until + GRACE
    if image.next_check is None or image.next_check > by:
        now = to_milliseconds(tools.clock.now())
        await tools.facts.write(Commit(image.key, image.epoch, now, allowed=ANYWHERE, next_check=by))


async def _input(tools: Tools, birth: Birth, text: str) -> dict[str, Json]:
    if not text:
        text = (await tools.blobs.get(birth.input_pack[1:])).decode()
    return cast("dict[str, Json]", json.loads(text))


def _document(tools: Tools, plan: Plan, key: RecordKey, birth: Birth, given: Mapping[str, Json]) -> dict[str, Json]:
    """What every expression of the execution may name."""
    url = f"{tools.settings.base_url}/api/v1/executions/{key.execution}"
    execution: Json = {"id": key.execution, "started_at": to_text(birth.started), "url": url}
    return {
        "trigger": given.get("trigger"),
        "inputs": given.get("inputs"),
        "vars": dict(plan.variables),
        "execution": execution,
    }


async def stillborn(tools: Tools, key: RecordKey, birth: Birth, code: str, message: str) -> Verdict:
    """An execution that cannot run is a visible failure, not a lost message."""
    now = to_milliseconds(tools.clock.now())
    reason = Reason(Status.FAILED, "", code, message)
    keep = int(now / 1000 + tools.settings.retention_seconds)
    commit = Commit(
        key, 0, now, birth=birth, ending=reason, finish=Finish(Status.FAILED, told=False), next_check=now, expires=keep
    )
    image = (await tools.facts.write(commit)).image
    if image is None:
        raise StoreError(f"the failure of execution {key.execution} was not recorded")
    if image.status.is_terminal:
        tools.announce(image)
        await tell_again(tools, image)
    return Acknowledge(Report(Went.ENDED if image.status.is_terminal else Went.HANDED_OVER, image))
