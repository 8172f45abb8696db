"""Starting a step that is ready: at once, behind the barrier, or under a lease (design 4.4)."""

from dataclasses import replace

from chalicelib.engine.conditions import is_live
from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Waiting
from chalicelib.engine.packs import Attempt, Entry, entry_from_json
from chalicelib.engine.readiness import Run
from chalicelib.engine.writes import Absent, Exactly, Free, Guard, NotDone, Put
from chalicelib.errors import PenstockError
from chalicelib.flow.plan import Body, Effect, StepPlan
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded, Unknown
from chalicelib.worker.attempt import Prepared, SkippedByIf, prepare
from chalicelib.worker.cuts import go_on_with_cut, is_wide, open_cut
from chalicelib.worker.flight import Landing, compute, finished
from chalicelib.worker.landings import land
from chalicelib.worker.ledger import Finished
from chalicelib.worker.settling import settle
from chalicelib.worker.stage import Opening, Stage, keeps_facts
from chalicelib.worker.turns import Turns, is_slow, read_turns
from chalicelib.worker.waits import go_on_waiting, is_about_now

TOKEN_LENGTH = 13
"""65 random bits tell the leases of one step apart; a record with many claims in it is billed with every write."""

MOST_LOST = 5
"""Workers that may vanish with a step in hand, beyond its own retries, before it counts as failed."""

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
    if isinstance(fact, Waiting) and fact.kind == "cut":
        await go_on_with_cut(stage, ready, fact)
        return
    if isinstance(fact, Waiting) and fact.kind != "loop":
        await go_on_waiting(stage, ready, fact, now)
        return
    if isinstance(fact, Retrying) and fact.due > now:
        stage.put_off(step, fact.due, is_known=not is_about_now(stage, step, fact.due))
        return
    if step.effect is not Effect.PURE and not course.budget.fits(now, course.timeout_of(step)):
        stage.put_off(step, 0)
        return
    await _prepare(stage, ready, fact)


async def _prepare(stage: Stage, ready: Run, fact: Fact | None) -> None:
    step, course = ready.step, stage.course
    scope = await stage.scope(ready.sees)
    moment = stage.moment(step, ready.sees)
    prepared = await prepare(course.tools, step, scope, moment, stage.absences)
    if isinstance(prepared, Prepared):
        await _dispatch(stage, Landing(prepared, ready.sees, scope, NOT_DONE, _NOTHING, ()), fact)
        return
    match prepared:
        case SkippedByIf():
            done = Done(How.SKIPPED, "skipped", 1, course.now())
            await settle(stage, Finished(step, stage.name_of(step), done, "", NOT_DONE, Entry(None, None, ())))
        case Failure():
            landing = Landing(Prepared(step, {}, moment), ready.sees, scope, NOT_DONE, Failed(prepared), ())
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
    if isinstance(fact, Claimed) and (outcome := _lost(step, fact)) is not None:
        landing.outcome, landing.guard = outcome, Exactly(fact)
        await settle(stage, await finished(course, landing, stage.name_of(step)), urgent=True)
    elif step.body is not None:
        await _begin_loop(stage, landing, step.body, fact)
    elif step.effect is Effect.PURE:
        await land(stage, step, await compute(course, landing, stage.around(step)))
    elif step.effect is Effect.READ or _is_durable(stage):
        if step.effect.is_leased:
            _claim(stage, landing, fact, attempt)
        else:
            stage.take_off(landing, attempt)
    elif step.effect.is_leased:
        _claim(stage, landing, fact, attempt)
    else:
        stage.behind.append(landing)


def _lost(step: StepPlan, claim: Claimed) -> Outcome | None:
    """What becomes of a step whose worker vanished with it; None where it is run again."""
    said = f"The worker that ran `{step.id}` vanished; whether its request had its effect is unknown."
    if step.effect is Effect.AT_MOST_ONCE:
        return Unknown(Failure("lease_lost", said, sent="maybe"))
    if step.effect.is_leased and claim.attempt >= step.retry.attempts + MOST_LOST:
        said = f"{claim.attempt} workers that ran `{step.id}` vanished, one after another: it may be what ends them."
        return Failed(Failure("lease_lost", said, sent="maybe"))
    return None


async def _begin_loop(stage: Stage, landing: Landing, body: Body, fact: Fact | None) -> None:
    """A loop with effects begins once what it was computed from is recorded, and also that it is under way."""
    turns = _turns(stage, landing, body)
    may_be_cut = stage.ledger is stage.course.head and not stage.is_failure_handling and not isinstance(fact, Waiting)
    if may_be_cut and turns is not None and is_wide(stage.course, body, turns):
        failed = open_cut(stage, landing, turns, FREE)
        if failed is not None:
            landing.outcome = failed
            await settle(stage, await finished(stage.course, landing, stage.name_of(landing.prepared.step)))
    elif isinstance(fact, Waiting):
        # Whoever goes on with it says for how long: nobody need look before that.
        mine = replace(fact, due=stage.course.budget.lease_until)
        stage.openings[stage.name_of(landing.prepared.step)] = Opening(landing, Put(mine, Exactly(fact)), 1)
    elif not keeps_facts(body) and not (turns is not None and is_slow(stage.course, turns)):
        stage.take_off(landing, 1)
    elif stage.grounds.path:
        if stage.ledger is None or _is_durable(stage):
            stage.take_off(landing, 1)
        else:
            stage.behind.append(landing)
    else:
        under_way = Waiting("loop", stage.course.budget.lease_until, stage.course.now())
        stage.openings[stage.name_of(landing.prepared.step)] = Opening(landing, Put(under_way, Free()), 1)


def _turns(stage: Stage, landing: Landing, body: Body) -> Turns | None:
    """What a `foreach` goes through; None for a `repeat`, and where its parameters do not fit: the loop says so."""
    if body.until is not None:
        return None
    try:
        return read_turns(stage.course, landing.prepared.step, landing.prepared.parameters)
    except PenstockError:
        return None


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
    token = course.tools.ids.token()[-TOKEN_LENGTH:]
    claim = Claimed(token, course.budget.lease_until, attempt, course.tools.settings.boot)
    landing.guard = Exactly(claim)
    step = landing.prepared.step
    guard: Guard = Exactly(fact) if isinstance(fact, Retrying) else Free()
    if fact is None and step.effect is Effect.AT_MOST_ONCE:
        guard = Absent()  # a claim that has run out since was somebody's attempt: it must be seen
    stage.openings[stage.name_of(step)] = Opening(landing, Put(claim, guard), attempt)
