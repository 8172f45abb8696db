"""Steps that wait: for a moment, for somebody's answer, for another execution's end. All of it survives any restart."""

from collections.abc import Mapping
from typing import cast

from chalicelib.engine.facts import Signalled, Waiting, signal_name
from chalicelib.engine.packs import Attempt, Entry, entry_from_json, entry_to_json
from chalicelib.engine.readiness import Run
from chalicelib.engine.writes import Exactly, Free, Guard, Put
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.durations import parse_duration
from chalicelib.kit.values import Outcome, Succeeded, Waits
from chalicelib.worker.attempt import Prepared
from chalicelib.worker.budget import SKEW, to_milliseconds, to_text
from chalicelib.worker.children import outcome_of_child
from chalicelib.worker.course import Later
from chalicelib.worker.cuts import send_window
from chalicelib.worker.flight import Landing, finished
from chalicelib.worker.packing import json_text
from chalicelib.worker.redaction import mask_headers
from chalicelib.worker.settling import settle
from chalicelib.worker.stage import Opening, Stage

LOST_AFTER = 15 * 86_400_000
"""Milliseconds after which an execution that was called and has no record will never have one: it was forgotten."""


async def begin_waiting(stage: Stage, step: StepPlan, landing: Landing, waits: Waits) -> None:
    """A step that waits: recorded first, then slept through, or left to whoever wakes it."""
    now = stage.course.now()
    due = _due(landing, waits, now)
    name = stage.name_of(step)
    if waits.for_ == "timer":
        landing.outcome = Succeeded({"until": to_text(due)}, waits.port)
        landing.ended = 0  # it ends when its moment has come, wherever that is
        if stage.ledger is None:
            stage.sleep(step, landing, due)
            return
        fact = Waiting("timer", due, now)
        landing.guard = Exactly(fact)
        stage.openings[name] = Opening(landing, Put(fact, Free()), 1, due)
        return
    course = stage.course
    given = course.secrets.mask(mask_headers(landing.prepared.parameters))
    text = json_text(entry_to_json(Entry(waits.value, given, landing.attempts)))
    # A call may have been tried before, under whatever guard its attempt had; an answer is only ever waited for once.
    guard: Guard = landing.guard if waits.for_ == "call" else Free()
    fact = Waiting(waits.for_, due, now, _detail(landing, waits, now))
    stage.openings[name] = Opening(landing, Put(fact, guard), 1, due, text)


def _due(landing: Landing, waits: Waits, now: int) -> int:
    """The moment it waits for at the latest, in epoch milliseconds; 0: there is none.

    A length of time counts from when the step really begins: it may have been queued, or paused, since what it follows
    ended. The moment is recorded before anything is waited for, so no other worker need come to the same one.
    """
    if waits.until is None:
        return 0
    due, prepared = to_milliseconds(waits.until), landing.prepared
    if prepared.parameters.get("until") is not None:
        return due
    return due + max(0, now - to_milliseconds(prepared.moment.now))


def _detail(landing: Landing, waits: Waits, now: int) -> str:
    """Of a call the other execution; of a callback with a heartbeat `<milliseconds>.<when it expires at last>`."""
    if waits.for_ == "call":
        return str(cast("Mapping[str, Json]", waits.value)["id"])
    if waits.heartbeat is None:
        return ""
    prepared = landing.prepared
    written = prepared.parameters.get("expires")
    last = 0
    if isinstance(written, str):
        last = now + int(parse_duration(written).total_seconds() * 1000)
    return f"{int(waits.heartbeat.total_seconds() * 1000)}.{last}"


async def recorded(stage: Stage, opening: Opening) -> None:
    """The wait is recorded, and may be over already: an answer may have come before."""
    step, landing = opening.landing.prepared.step, opening.landing
    fact = stage.fact_of(step)
    if not isinstance(fact, Waiting):
        return
    landing.guard = Exactly(fact)
    if fact.kind == "timer":
        until(stage, step, landing, fact.due, stage.course.now())
        return
    if fact.kind == "cut":
        await send_window(stage, step, fact)
        return
    if not await _has_come(stage, Run(step, landing.sees), fact) and not stage.is_stopped:
        stage.put_off(step, fact.due or Later.NEVER)


async def go_on_waiting(stage: Stage, ready: Run, fact: Waiting, now: int) -> None:
    """A wait that an earlier invocation recorded."""
    if fact.kind != "timer":
        if await _has_come(stage, ready, fact):
            return
        is_early = bool(fact.due) and is_about_now(stage, ready.step, fact.due)
        if stage.grounds.path or is_early:
            # The loop around it must know when to look again.
            # Of one that heartbeats move, no message was sent for the moment it has now.
            is_known = not is_early and not (fact.kind == "callback" and fact.detail)
            stage.put_off(ready.step, fact.due or Later.NEVER, is_known=is_known)
        return
    outcome = Succeeded({"until": to_text(fact.due)})
    attempts = (Attempt(1, fact.since, max(now, fact.due)),)
    prepared = Prepared(ready.step, {}, stage.moment(ready.step, ready.sees))
    landing = Landing(prepared, ready.sees, {}, Exactly(fact), outcome, attempts)
    if fact.due <= now:
        await settle(stage, await finished(stage.course, landing, stage.name_of(ready.step)))
    else:
        until(stage, ready.step, landing, fact.due, now, is_known=not is_about_now(stage, ready.step, fact.due))


def is_about_now(stage: Stage, step: StepPlan, due: int) -> bool:
    """Whether the message in hand is the one for this moment, come early because two clocks differ."""
    named = stage.course.named or frozenset[str]()
    return (stage.grounds.loop or step.id) in named and due - stage.course.now() <= SKEW


async def _has_come(stage: Stage, ready: Run, fact: Waiting) -> bool:
    """Settle the step if what it waits for has come, or its moment has."""
    outcome = await _what_came(stage, ready.step, fact)
    if outcome is None:
        return False
    course, step = stage.course, ready.step
    given = await _asked(stage, step, fact)
    attempts = (Attempt(1, fact.since, course.now()),)
    scope = await stage.scope(ready.sees)
    prepared = Prepared(step, given, stage.moment(step, ready.sees))
    landing = Landing(prepared, ready.sees, scope, Exactly(fact), outcome, attempts)
    await settle(stage, await finished(course, landing, stage.name_of(step)))
    return True


async def _what_came(stage: Stage, step: StepPlan, fact: Waiting) -> Outcome | None:
    if fact.kind == "call":
        course = stage.course
        is_old = course.now() - fact.since > LOST_AFTER
        return await outcome_of_child(course.tools, course.tenant, fact.detail, is_old=is_old)
    image = stage.ledger.image if stage.ledger is not None else None
    if image is None:
        return None
    signalled = image.facts.get(signal_name(step.ordinal, stage.grounds.path))
    if isinstance(signalled, Signalled):
        said = await stage.values.pack(image, signalled.pack)
        return Succeeded(stage.course.secrets.mask(said.get("value")), str(said["port"]))
    return Succeeded(None, "expired") if 0 < fact.due <= stage.course.now() else None


async def _asked(stage: Stage, step: StepPlan, fact: Waiting) -> Mapping[str, Json]:
    """The parameters that were kept with the wait, masked."""
    image = stage.ledger.image if stage.ledger is not None else None
    if image is None or not fact.pack:
        return {}
    entry = (await stage.values.pack(image, fact.pack)).get(stage.name_of(step))
    given = entry_from_json(entry).input if isinstance(entry, dict) else None
    return cast("Mapping[str, Json]", given) if isinstance(given, dict) else {}


def until(stage: Stage, step: StepPlan, landing: Landing, due: int, now: int, *, is_known: bool = False) -> None:
    """Sleep through a short wait, in a loop's turn through whatever fits; leave a long one to the queue."""
    seconds = max(0.0, (due - now) / 1000)
    is_short = bool(stage.grounds.path) or seconds <= stage.course.tools.settings.inline_wait_seconds
    if is_short and stage.course.budget.fits(now, seconds):
        stage.sleep(step, landing, due)
    else:
        stage.put_off(step, due, is_known=is_known)
