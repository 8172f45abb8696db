import pytest

from chalicelib.engine.facts import How
from chalicelib.engine.retry import Again, Final, decide, delay, failure_of, is_named
from chalicelib.errors import (
    AnswerTooLargeError,
    CredentialMissingError,
    CutOffError,
    ExpressionError,
    NotSentError,
    ServiceError,
    StepFailedError,
    TimedOutError,
)
from chalicelib.flow.plan import Effect, RetryPolicy
from chalicelib.kit.values import Failure
from tests.engine.flows import step

POLICY = RetryPolicy(attempts=4, first_seconds=5, factor=2, cap_seconds=30)


def _decide(failure: Failure, attempt: int = 1, effect: Effect = Effect.READ, policy: RetryPolicy = POLICY):
    return decide(step("a", retry=policy), effect, failure, attempt, jitter=0.5)


TIMEOUT = Failure("timeout", "", is_retriable=True, sent="maybe")
NOT_SENT = Failure("connect", "", is_retriable=True, sent="no")
CUT_OFF = Failure("cut_off", "", is_retriable=True, sent="maybe")
BUSY = Failure("http_429", "", 429, is_retriable=True, sent="answered")
DOWN = Failure("http_503", "", 503, is_retriable=True, sent="answered")
MISSING = Failure("http_404", "", 404, sent="answered")
SLOW_DOWN = Failure("ratelimited", "", 200, is_retriable=True, retry_after_seconds=7, sent="answered")
PARAMETER = Failure("parameter", "")


def test_the_default_policy_tries_once() -> None:
    for failure in (TIMEOUT, NOT_SENT, DOWN):
        assert _decide(failure, policy=RetryPolicy()) == Final(How.FAILED)


def test_attempts_are_bounded() -> None:
    assert [type(_decide(DOWN, attempt)) for attempt in (1, 2, 3, 4, 5)] == [Again, Again, Again, Final, Final]


def test_the_wait_grows_is_capped_and_fully_jittered() -> None:
    assert [delay(POLICY, DOWN, attempt, 1.0) for attempt in (1, 2, 3, 4, 5, 4000)] == [5, 10, 20, 30, 30, 30]
    assert delay(POLICY, DOWN, 3, 0.0) == 0
    assert delay(POLICY, DOWN, 3, 0.25) == 5


def test_the_service_is_waited_for_as_it_asks_within_reason() -> None:
    assert delay(POLICY, SLOW_DOWN, 1, 0.0) == 7
    assert delay(POLICY, Failure("x", "", 503, is_retriable=True, retry_after_seconds=120), 1, 0.9) == 120
    assert delay(POLICY, Failure("x", "", 503, is_retriable=True, retry_after_seconds=864_000), 1, 0.9) == 86_400


@pytest.mark.parametrize(
    ("failure", "named_by"),
    [
        (TIMEOUT, {"timeout"}),
        (NOT_SENT, {"connect"}),
        (CUT_OFF, {"connect", "cut_off"}),
        (BUSY, {"429", "4xx", "http_429"}),
        (DOWN, {"5xx", "503", "http_503"}),
        (MISSING, {"404", "4xx", "http_404"}),
        (SLOW_DOWN, {"429", "200", "ratelimited"}),
        (Failure("service", "", is_retriable=True, sent="answered"), {"service", "5xx"}),
        (PARAMETER, set()),
    ],
)
def test_a_rule_names_classes_statuses_and_codes(failure: Failure, named_by: set[str]) -> None:
    rules = {"timeout", "connect", "cut_off", "429", "4xx", "5xx", "503", "404", "200", "500", "http_429", "http_503"}
    rules |= {"http_404", "ratelimited", "service", "parameter"}
    assert {rule for rule in rules if is_named(RetryPolicy(classes=(rule,)), failure)} == named_by


def test_what_the_caller_must_mend_is_never_repeated() -> None:
    everything = RetryPolicy(attempts=9, classes=("timeout", "connect", "4xx", "5xx", "expression", "parameter"))
    for error in (ExpressionError("x"), CredentialMissingError("x")):
        assert _decide(failure_of(error), policy=everything) == Final(How.FAILED)


@pytest.mark.parametrize("effect", [Effect.PURE, Effect.READ, Effect.IDEMPOTENT, Effect.AT_LEAST_ONCE])
def test_other_effects_may_be_repeated_whatever_was_sent(effect: Effect) -> None:
    for failure in (TIMEOUT, CUT_OFF, NOT_SENT, BUSY, DOWN):
        assert isinstance(_decide(failure, effect=effect), Again)
        assert _decide(failure, 4, effect) == Final(How.FAILED)


def test_at_most_once_is_repeated_only_where_nothing_can_have_happened() -> None:
    most = Effect.AT_MOST_ONCE
    assert isinstance(_decide(NOT_SENT, effect=most), Again)
    assert isinstance(_decide(BUSY, effect=most), Again)
    assert _decide(NOT_SENT, 4, most) == Final(How.FAILED)
    assert _decide(DOWN, effect=most) == Final(How.FAILED)
    assert _decide(MISSING, effect=most) == Final(How.FAILED)
    for failure in (TIMEOUT, CUT_OFF, Failure("http_429", "", 429, is_retriable=True, sent="maybe")):
        for attempt in (1, 4):
            assert _decide(failure, attempt, most) == Final(How.UNKNOWN)


def test_an_error_becomes_a_failure_that_says_what_was_sent() -> None:
    found = {
        type(error).__name__: (made.code, made.sent, made.is_retriable)
        for error in (
            NotSentError("x"),
            CutOffError("x"),
            TimedOutError("x"),
            TimeoutError(),
            AnswerTooLargeError("x"),
            ServiceError("x"),
            StepFailedError("x"),
            ExpressionError("x"),
        )
        for made in [failure_of(error)]
    }
    assert found == {
        "NotSentError": ("connect", "no", True),
        "CutOffError": ("cut_off", "maybe", True),
        "TimedOutError": ("timeout", "maybe", True),
        "TimeoutError": ("timeout", "maybe", True),
        "AnswerTooLargeError": ("answer_too_large", "answered", False),
        "ServiceError": ("service", "answered", True),
        "StepFailedError": ("step_failed", "answered", False),
        "ExpressionError": ("expression", "no", False),
    }


def test_a_failure_keeps_what_the_error_knows() -> None:
    error = ServiceError("No more.", retry_after=3, status=503, code="http_503", url="https://x/y")
    made = failure_of(error)
    assert made == Failure(
        "http_503",
        "No more.",
        503,
        is_retriable=True,
        retry_after_seconds=3,
        sent="answered",
        url="https://x/y",
    )


def test_a_bug_tells_its_type_and_nothing_else() -> None:
    made = failure_of(KeyError("secret"))
    assert (made.code, made.sent, made.is_retriable) == ("bug", "maybe", False)
    assert "KeyError" in made.message
    assert "secret" not in made.message
