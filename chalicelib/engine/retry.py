"""Whether a failed attempt is repeated, and when. A policy is a value; the answer is data."""

from dataclasses import dataclass
from typing import TypeAlias

from chalicelib.engine.facts import How
from chalicelib.errors import (
    AnswerTooLargeError,
    CutOffError,
    NotSentError,
    PenstockError,
    ServiceError,
    StepFailedError,
    TimedOutError,
)
from chalicelib.flow.plan import Effect, RetryPolicy, StepPlan
from chalicelib.kit.values import Failure

RETRY_AFTER_CAP_SECONDS = 86_400.0
"""The longest wait a service may ask for: a day; quotas that are asked about are by the minute, the hour or the day."""

_CONNECT = frozenset({"connect", "cut_off"})

_CODES: dict[type[Exception], tuple[str, str]] = {
    NotSentError: ("connect", "no"),
    CutOffError: ("cut_off", "maybe"),
    TimedOutError: ("timeout", "maybe"),
    AnswerTooLargeError: ("answer_too_large", "answered"),
    ServiceError: ("service", "answered"),
    StepFailedError: ("step_failed", "answered"),
}
"""For what a step can meet: the code that flows and retry rules name, and whether the request had an effect."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try once more after this long."""

    delay_seconds: float


@dataclass(frozen=True, slots=True)
class Final:
    """It stays so: FAILED, or UNKNOWN where nobody can tell whether the effect happened."""

    how: How


Decision: TypeAlias = Again | Final


def decide(
    step: StepPlan, effect: Effect, failure: Failure, attempt: int, *, jitter: float, spent_seconds: float = 0.0
) -> Decision:
    """What follows a failed attempt.

    Args:
        step: its retry policy counts.
        effect: what the step does to the world; differs from `step.effect` where a parameter decided it.
        failure: why the attempt failed.
        attempt: the number of the attempt that failed, from 1.
        jitter: a random number, at least 0 and below 1.
        spent_seconds: since the first attempt began.
    """
    policy = step.retry
    how = How.FAILED
    may_repeat = True
    if effect is Effect.AT_MOST_ONCE:
        # Only what certainly left no trace may be sent again (design 4.4): it did not leave, or the service refused
        # it for being one too many.
        how = How.UNKNOWN if failure.sent == "maybe" else How.FAILED
        may_repeat = failure.sent == "no" or (failure.status == 429 and failure.sent == "answered")
    if attempt >= policy.attempts or not may_repeat or not is_named(policy, failure):
        return Final(how)
    pause = delay(policy, failure, attempt, jitter)
    if policy.within_seconds is not None and spent_seconds + pause > policy.within_seconds:
        return Final(how)
    return Again(pause)


def delay(policy: RetryPolicy, failure: Failure, attempt: int, jitter: float) -> float:
    """Seconds until the next attempt: exponential, capped, with full jitter, never before the service's Retry-After.

    Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    try:
        longest = min(policy.cap_seconds, policy.first_seconds * policy.factor ** (attempt - 1))
    except OverflowError:
        longest = policy.cap_seconds
    asked = min(failure.retry_after_seconds or 0.0, RETRY_AFTER_CAP_SECONDS)
    return max(longest * jitter, asked)


def is_named(policy: RetryPolicy, failure: Failure) -> bool:
    """Whether the policy's `for` names this failure.

    What the caller must mend (a bad parameter, an expression, a missing credential) is never repeated. An answer of
    the service is where the policy names its status or its code in so many words.
    """
    if not failure.is_retriable:
        return failure.status is not None and any(_says(each, failure) for each in policy.classes)
    return any(_says(each, failure) or each == _class_of(failure) for each in policy.classes)


def _says(name: str, failure: Failure) -> bool:
    """Whether a retry rule names the failure's code, or its status as `503` or `5xx`."""
    if name == failure.code:
        return True
    status = str(failure.status) if failure.status is not None else ""
    return len(name) == 3 and len(status) == 3 and (name == status or (name[1:] == "xx" and name[0] == status[0]))


def _class_of(failure: Failure) -> str:
    """The class of a failure that may pass and has no bad status: the connection's, or the service's own trouble."""
    if failure.code == "timeout":
        return "timeout"
    if failure.code in _CONNECT:
        return "connect"
    if failure.status is not None and failure.status >= 400:
        return ""
    # A service that says "slow down" in an answer with a good status (Slack's `ok: false`, GraphQL's `errors`).
    return "429" if failure.retry_after_seconds is not None else "5xx"


def failure_of(error: Exception) -> Failure:
    """An error as a step's failure: a code for programs, a sentence for people.

    Errors may carry `status`, `sent`, `url` and `code` among their facts. An error that is none of ours is a
    bug; its text may hold anything, so only its type is told.
    """
    if isinstance(error, TimeoutError):
        return Failure("timeout", "No answer in time.", is_retriable=True, sent="maybe")
    if not isinstance(error, PenstockError):
        said = f"An unforeseen error ({type(error).__name__}); this is a bug, and the log says more."
        return Failure("bug", said, sent="maybe")
    code, sent = next((found for kind, found in _CODES.items() if isinstance(error, kind)), (error.code, "no"))
    facts = error.facts
    status = facts.get("status")
    url = facts.get("url")
    return Failure(
        code=str(facts.get("code", code)),
        message=error.detail,
        status=status if isinstance(status, int) else None,
        is_retriable=error.retry,
        retry_after_seconds=error.retry_after,
        sent=str(facts.get("sent", sent)),
        url=str(url) if url is not None else None,
    )
