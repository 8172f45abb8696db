"""Starting a step that is ready: at once, behind the barrier, or under a lease (design 4.4)."""

from chalicelib.engine.conditions import is_live
from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Waiting
from chalicelib.engine.packs import Attempt, Entry, entry_from_json
from chalicelib.engine.readiness import Run
from chalicelib.engine.writes import Exactly, Free, Guard, NotDone, Put
from chalicelib.flow.plan import Body, Effect, StepPlan
from chalicelib.kit.values import Failed, Failure, Succeeded, Unknown
from chalicelib.worker.attempt import Prepared, SkippedByIf, prepare
from chalicelib.worker.evaluating import moment_for
from chalicelib.worker.flight import Landing, compute, finished, nothing_done
from chalicelib.worker.landings import go_on_waiting, land, settle
from chalicelib.worker.ledger import Finished
from chalicelib.worker.stage import Opening, Stage, keeps_facts

NOT_DONE = NotDone()
FREE = Free()
_NOTHING = Succeeded()


async def consider(stage: Stage, ready: Run) -> None:
    """Look at what the record says of a ready step, and start it, leave it to another, or put it off."""
    step, course = ready.step, stage.course
    fact = stage.fact_of(step)
    now = course.now()
    if step.apart and stage.ledger is course.head and step.id not in (course.named or ()):
        stage.put_off(step, 0)
        return
    if isinstance(fact, Claimed) and _is_held(stage, fact, now):
        course.held[step.id] = fact.expires
        return
    if isinstance(fact, Waiting) and fact.kind == "timer":
        await go_on_waiting(stage, ready, fact, now)
        return
    if isinstance(fact, Retrying) and fact.due > now:
        stage.put_off(step, fact.due)
        return
    if step.effect is not Effect.PURE and not course.budget.fits(now, course.timeout_of(step)):
        stage.put_off(step, 0)
        return
    await _prepare(stage, ready, fact)


async def _prepare(stage: Stage, ready: Run, fact: Fact | None) -> None:
    step, course = ready.step, stage.course
    scope = await stage.scope(ready.sees)
    ended = max((stage.done[each].ended for each in ready.sees if each in stage.done), default=course.started)
    moment = moment_for(course.execution, step.id, stage.grounds.path, ended, course.plan.timezone)
    prepared = await prepare(course.tools, step, scope, moment, stage.absences)
    if isinstance(prepared, Prepared):
        await _dispatch(stage, Landing(prepared, ready.sees, scope, NOT_DONE, _NOTHING, ()), fact)
        return
    match prepared:
        case SkippedByIf():
            done = Done(How.SKIPPED, "skipped", 1, course.now())
            await settle(
                stage, Finished(step, stage.name_of(step), done, "", NOT_DONE, ready.sees, Entry(None, None, ()))
            )
        case Failure():
            landing = Landing(nothing_done(step), ready.sees, scope, NOT_DONE, Failed(prepared), ())
            await settle(stage, await finished(course, landing, stage.name_of(step)))


async def _dispatch(stage: Stage, landing: Landing, fact: Fact | None) -> None:
    """By its effect: at once, behind the barrier, or under a lease."""
    step, course = landing.prepared.step, stage.course
    attempt = 1
    if isinstance(fact, Retrying | Claimed):
        attempt = fact.attempt + 1
    if isinstance(fact, Retrying):
        landing.attempts = await _earlier(stage, step, fact)
    if not step.effect.is_leased:
        # A failure counts only where no other worker has tried since (design 4.3, "exactly this attempt on record").
        landing.guard_of_failure = Exactly(fact) if isinstance(fact, Retrying) else FREE
    if isinstance(fact, Claimed):
        now = course.now()
        said = f"The worker that ran `{step.id}` vanished; whether its request had its effect is unknown."
        landing.attempts = (Attempt(fact.attempt, now, now, "lease_lost", said),)
    if isinstance(fact, Claimed) and step.effect is Effect.AT_MOST_ONCE:
        failure = Failure("lease_lost", landing.attempts[0].message, sent="maybe")
        landing.outcome, landing.guard = Unknown(failure), Exactly(fact)
        await settle(stage, await finished(course, landing, stage.name_of(step)), urgent=True)
    elif step.body is not None:
        _begin_loop(stage, landing, step.body, fact)
    elif step.effect is Effect.PURE:
        await land(stage, step, await compute(course, landing, stage.grounds.path))
    elif step.effect is Effect.READ or _is_durable(stage):
        if step.effect.is_leased:
            _claim(stage, landing, fact, attempt)
        else:
            stage.take_off(landing, attempt)
    elif step.effect.is_leased:
        _claim(stage, landing, fact, attempt)
    else:
        stage.behind.append(landing)


def _begin_loop(stage: Stage, landing: Landing, body: Body, fact: Fact | None) -> None:
    """A loop with effects begins once what it was computed from is recorded, and also that it is under way."""
    if isinstance(fact, Waiting):
        landing.guard = Exactly(fact)
        stage.take_off(landing, 1)
    elif not keeps_facts(body):
        stage.take_off(landing, 1)
    elif stage.grounds.path:
        if _is_durable(stage):
            stage.take_off(landing, 1)
        else:
            stage.behind.append(landing)
    else:
        under_way = Waiting("loop", stage.course.budget.lease_until, stage.course.now())
        stage.openings[stage.name_of(landing.prepared.step)] = Opening(landing, Put(under_way, Free()), 1)


def _is_held(stage: Stage, claim: Claimed, now: int) -> bool:
    return is_live(claim, now, stage.course.tools.settings.boot)


def _is_durable(stage: Stage) -> bool:
    """Whether everything it was computed from is recorded (the barrier of design 4.4)."""
    return stage.ledger is not None and stage.ledger.image is not None and not stage.pending


async def _earlier(stage: Stage, step: StepPlan, fact: Retrying) -> tuple[Attempt, ...]:
    if not fact.pack or stage.ledger is None or stage.ledger.image is None:
        return ()
    pack = await stage.values.pack(stage.ledger.image, fact.pack)
    entry = pack.get(stage.name_of(step))
    return tuple(entry_from_json(entry).attempts) if isinstance(entry, dict) else ()


def _claim(stage: Stage, landing: Landing, fact: Fact | None, attempt: int) -> None:
    course = stage.course
    claim = Claimed(course.tools.ids.token(), course.budget.lease_until, attempt, course.tools.settings.boot)
    landing.guard = Exactly(claim)
    guard: Guard = Exactly(fact) if isinstance(fact, Retrying) else Free()
    step = landing.prepared.step
    stage.openings[stage.name_of(step)] = Opening(landing, Put(claim, guard), attempt)
