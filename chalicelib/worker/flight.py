"""A step in the air: attempts one after another, until an outcome stands or another invocation must go on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from chalicelib.engine.facts import Done, How
from chalicelib.engine.packs import Attempt, Entry, entry_to_json
from chalicelib.engine.retry import Again, Final, decide
from chalicelib.engine.writes import Guard
from chalicelib.errors import ExpressionError, MissingValueError, ParameterError
from chalicelib.flow.values import Json
from chalicelib.kit.values import Failed, Failure, Outcome, Succeeded, Unknown, Waits
from chalicelib.worker.attempt import Prepared, Surroundings, act
from chalicelib.worker.course import Course
from chalicelib.worker.evaluating import evaluated
from chalicelib.worker.ledger import Finished
from chalicelib.worker.packing import json_text
from chalicelib.worker.redaction import mask_headers


@dataclass(slots=True)
class Landing:
    """What a flight brings home."""

    prepared: Prepared
    sees: tuple[str, ...]
    scope: dict[str, Json]
    guard: Guard
    outcome: Outcome
    attempts: Sequence[Attempt]
    delay_seconds: float | None = None
    """Set where the last attempt failed and is due again after this long, in another invocation."""
    ended: int = 0
    """When the last attempt ended, in epoch milliseconds; 0: now."""
    was_stopped: bool = False
    """A loop gave up its place, because the execution is ending or another invocation goes on with it: that is no
    outcome of its own."""
    guard_of_failure: Guard | None = None
    """The guard of a failure where it differs from that of a success."""


async def compute(course: Course, landing: Landing, around: Surroundings) -> Landing:
    """A pure step: one attempt, on the spot. Trying again would give the same."""
    start = course.now()
    step = landing.prepared.step
    outcome = landing.outcome = await act(course.tools, landing.prepared, around, step.timeout_seconds)
    landing.ended = course.now()
    landing.attempts = (attempt_of(course, outcome, 1, start, landing.ended),)
    return landing


def attempt_of(course: Course, outcome: Outcome, number: int, start: int, end: int) -> Attempt:
    """One try as it is kept, from `start` to `end` in epoch milliseconds: secrets masked, as in all that is kept."""
    if isinstance(outcome, Failed | Unknown):
        message = course.secrets.mask_text(outcome.failure.message)
        return Attempt(number, start, end, outcome.failure.code, message)
    return Attempt(number, start, end)


async def fly(
    course: Course, landing: Landing, around: Surroundings, first: int, *, is_stopped: Callable[[], bool]
) -> Landing:
    """Try until it succeeds, may not be tried again, or the next try is too far off for this invocation.

    `landing` comes in with the attempts of earlier invocations; `first` is the number of the next attempt. Once
    `is_stopped`, there is no further one here.
    """
    prepared = landing.prepared
    step = prepared.step
    attempts = list(landing.attempts)
    number = first
    while True:
        start = course.now()
        outcome = await act(course.tools, prepared, around, course.timeout_of(step), number)
        await course.learn()
        attempts.append(attempt_of(course, outcome, number, start, course.now()))
        if not isinstance(outcome, Failed):
            return replace(landing, outcome=outcome, attempts=attempts)
        failed = replace(landing, outcome=outcome, attempts=attempts, guard=landing.guard_of_failure or landing.guard)
        spent = (course.now() - attempts[0].start) / 1000
        verdict = decide(
            step, step.effect, outcome.failure, number, jitter=_jitter(prepared, number), spent_seconds=spent
        )
        match verdict:
            case Final(How.UNKNOWN):
                return replace(failed, outcome=Unknown(outcome.failure))
            case Final():
                return failed
            case Again(delay):
                # In a loop's turn whatever fits is slept through: its siblings go on meanwhile.
                is_short = bool(around.path) or delay <= course.tools.settings.inline_wait_seconds
                fits = course.budget.fits(course.now(), delay + course.timeout_of(step))
                if not is_short or not fits or is_stopped():
                    return replace(failed, delay_seconds=delay)
                await course.tools.clock.sleep(delay)
                if is_stopped():
                    return replace(failed, delay_seconds=0.0)
                number += 1


def _jitter(prepared: Prepared, number: int) -> float:
    """A number from 0 to 1, of the step and the attempt alone."""
    place = number % 16
    return int.from_bytes(prepared.moment.seed[place : place + 4], "big") / 2**32


async def finished(course: Course, landing: Landing, name: str) -> Finished:
    """The fact that an outcome becomes, with what is kept of it. Not for an outcome that waits."""
    await course.learn()
    step = landing.prepared.step
    now = landing.ended or course.now()
    number = landing.attempts[-1].number if landing.attempts else 1
    given = course.secrets.mask(mask_headers(landing.prepared.parameters))
    match landing.outcome:
        case Succeeded(value, port):
            entry = Entry(course.secrets.mask(value), given, landing.attempts)
            how = How.SUCCEEDED
        case Failed(failure) | Unknown(failure):
            how = How.UNKNOWN if isinstance(landing.outcome, Unknown) else How.FAILED
            port = "error"
            value = await _stand_in(course, landing)
            if isinstance(value, Failure):
                failure, value = value, None
            told = cast("dict[str, Json]", course.secrets.mask(_told(failure)))
            entry = Entry(course.secrets.mask(value), given, landing.attempts, told)
        case Waits():
            raise TypeError(f"step {step.id} waits: that is no final fact")
    try:
        text = json_text(entry_to_json(entry))
    except (ValueError, RecursionError):
        said = f"The value of `{step.id}` is not JSON: it holds NaN, an infinity, or nests too deeply."
        how, port = How.FAILED, "error"
        entry = Entry(None, None, landing.attempts, _told(Failure("value", said)))
        text = json_text(entry_to_json(entry))
    done = Done(how, port, number, now)
    return Finished(step, name, done, text, landing.guard, entry)


async def _stand_in(course: Course, landing: Landing) -> Json | Failure:
    """What stands in for the value of a failed step: what `on_error` says, or nothing."""
    step = landing.prepared.step
    if step.on_error is None:
        return None
    try:
        return await evaluated(course.tools.evaluator, step.on_error.value, landing.scope, landing.prepared.moment)
    except (ExpressionError, MissingValueError, ParameterError) as error:
        return Failure(error.code, f"`on_error` of `{step.id}`: {error.detail}")


def _told(failure: Failure) -> dict[str, Json]:
    """A failure as a flow reads it under `errors`."""
    told: dict[str, Json] = {"code": failure.code, "message": failure.message}
    if failure.status is not None:
        told["status"] = failure.status
    if failure.detail is not None:
        told["detail"] = failure.detail
    if failure.url is not None:
        told["url"] = failure.url
    return told
