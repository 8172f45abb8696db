"""Makes a case of a real execution, as the API shows it: what started it, what its steps gave, how it ended.

The API has masked every secret it knows. Beyond that, nothing that looks like a credential is written: no header and no
query parameter with such a name, no address of a hook, whose last part may be a token, and no link that answers a step.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from chalicelib.api.times import from_text
from chalicelib.errors import (
    ExpressionError,
    MissingValueError,
    NodeUnknownError,
    NotBuiltYetError,
    ParameterError,
    UsageError,
)
from chalicelib.flow.model import LINKED
from chalicelib.flow.plan import Effect, Plan, StepPlan
from chalicelib.flow.values import Json
from chalicelib.rehearsal.happened import Fate
from chalicelib.worker.redaction import MASK, SECRET_HEADERS

_SECRET_NAME: Final = re.compile(
    r"auth|token|secret|signature|cookie|passw|credential|session|jwt|(^|[-_])(key|sig|hmac|pin)($|[-_])", re.IGNORECASE
)
_LINK: Final = re.compile(r"((?:/|%2F)(?:callbacks|approvals)(?:/|%2F))[\w.%-]+", re.IGNORECASE)
"""A link by which a step is answered: whoever has it may."""

_NAMED: Final = frozenset({"headers", "query", "queries"})
"""Maps whose keys say what a value is, in what a trigger hands over, a step is given and a step gives."""

_ITS_OWN: Final = frozenset(
    {error.code for error in (ExpressionError, MissingValueError, ParameterError, NodeUnknownError, NotBuiltYetError)}
)
"""Codes of failures that a step comes to by itself: they come again in the test, without a mock."""

_OPEN: Final = frozenset({"queued", "running", "paused", "ending"})


def case_of(execution: Mapping[str, Any], plan: Plan) -> dict[str, Json]:
    """A case, as it stands below its name in a test file.

    `execution` is the answer of `GET /executions/{id}`. Raises UsageError for one that has not ended, or was cancelled.
    """
    status = str(execution["status"])
    if status in _OPEN:
        raise UsageError(f"Execution {execution['id']} has not ended: it is {status}. Record it once it has.")
    if status == "cancelled":
        raise UsageError(f"Execution {execution['id']} was cancelled, which no test can repeat. Record another.")
    steps = [step for step in execution["steps"] if step["id"] in plan.by_id]
    mocks: dict[str, Json] = {}
    for step in steps:
        mock = _mock(plan.by_id[step["id"]], step)
        if mock is not None:
            mocks[step["id"]] = mock
    case: dict[str, Json] = {"clock": str(execution["started"]), **_start(execution, plan)}
    if mocks:
        case["mocks"] = mocks
    case["expect"] = _expect(execution, plan, steps)
    return case


def with_bodies(case: Mapping[str, Json], plan: Plan, fates: Mapping[str, Fate]) -> dict[str, Json]:
    """The case with the steps of loops' bodies, of which the API tells nothing, as a rehearsal of it shows them."""
    inside = [name for name in plan.by_id if name not in {step.id for step in (*plan.steps, *plan.on_failure)}]
    expect = dict(cast("Mapping[str, Json]", case["expect"]))
    for word in ("ran", "skipped", "failed"):
        names = [*cast("list[Json]", expect.get(word, []))]
        names += [name for name in inside if getattr(fates[name], word)]
        if names:
            expect[word] = names
    return {**case, "expect": expect}


def _start(execution: Mapping[str, Any], plan: Plan) -> dict[str, Json]:
    """What started it: a trigger with what it handed over, or inputs alone."""
    trigger = plan.triggers.get(execution["trigger"] or "")
    inputs: dict[str, Json] = {"inputs": _clean(execution["inputs"] or {})}
    if trigger is None:
        return inputs
    document: dict[str, Json] = {}
    handed: dict[str, Json] = execution["document"] or {}
    for name, value in handed.items():
        is_default = value in (None, {}, [], "") or (name == "method" and value == "POST")
        is_derived = name == "at" and value == execution["started"]
        if name not in {"name", "path", "queries"} and not is_default and not is_derived:
            document[name] = value
    started: dict[str, Json] = {"trigger": {trigger.id: _clean(document)}}
    return started if trigger.inputs is not None or not execution["inputs"] else {**started, **inputs}


def _mock(step: StepPlan, shown: Mapping[str, Any]) -> Json:
    """What stands in for a step; None where it really runs in the test, or did not run at all."""
    if shown["status"] not in {"succeeded", "failed", "unknown"} or not _needs_mock(step):
        return None
    if step.uses in LINKED:
        return _answer(shown)
    earlier: list[Json] = [_error(each, {}) for each in shown["attempts"][:-1]]
    if shown["status"] == "succeeded":
        last: dict[str, Json] = {"returns": _clean(shown["output"])}
        if shown["port"] not in {None, "done"}:
            last["port"] = shown["port"]
    else:
        failure: Mapping[str, Any] = shown["failure"] or {"code": "failed"}
        if failure["code"] in _ITS_OWN:
            return None
        last = _error(failure, failure)
    return [*earlier, last] if earlier and step.body is None else last


def _needs_mock(step: StepPlan) -> bool:
    """Whether a step would reach the world: itself, by its credential, or by what is in its body."""
    if step.body is not None:
        return any(_needs_mock(each) for each in step.body.steps)
    return step.effect is not Effect.PURE or step.uses in LINKED or step.credential is not None


def _answer(shown: Mapping[str, Any]) -> dict[str, Json]:
    """Who answered a step that waited, and how long that took."""
    answer: dict[str, Json] = {"port": shown["port"]}
    if shown["port"] == "expired":
        return answer
    if shown["output"] is not None:
        answer["returns"] = _clean(shown["output"])
    if shown["started"] and shown["ended"]:
        seconds = (from_text(shown["ended"], "ended") - from_text(shown["started"], "started")) // 1000
        if seconds:
            answer["after"] = _duration(seconds)
    return answer


def _duration(seconds: int) -> str:
    """A duration in its largest whole unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _error(said: Mapping[str, Any], failure: Mapping[str, Any]) -> dict[str, Json]:
    """A failed attempt, with what more is known of the last one."""
    error: dict[str, Json] = {"code": said.get("code") or "failed"}
    if said.get("message"):
        error["message"] = _clean(str(said["message"]))
    if isinstance(failure.get("status"), int):
        error["status"] = failure["status"]
    if failure.get("detail") is not None:
        error["detail"] = _clean(failure["detail"])
    return {"error": error}


def _expect(execution: Mapping[str, Any], plan: Plan, steps: Iterable[Mapping[str, Any]]) -> dict[str, Json]:
    """How it ended, which steps ran, what those with an effect and those that ask were given, what came out."""
    ways: dict[str, list[Json]] = {"ran": [], "skipped": [], "failed": []}
    sent: dict[str, Json] = {}
    for shown in steps:
        name, status = shown["id"], shown["status"]
        word = {"succeeded": "ran", "skipped": "skipped", "failed": "failed", "unknown": "failed"}.get(status)
        if word is not None:
            ways[word].append(name)
        given: Json = shown["input"]
        says_something = plan.by_id[name].effect.needs_barrier or plan.by_id[name].uses in LINKED
        if given and says_something and word in {"ran", "failed"}:
            kept = _kept(_clean(given), execution)
            if kept:
                sent[name] = kept
    expect: dict[str, Json] = {"status": str(execution["status"])}
    expect |= {word: names for word, names in ways.items() if names}
    if sent:
        expect["sent"] = sent
    if execution["status"] == "succeeded":
        kept = _kept(_clean(execution["output"]), execution)
        if kept not in (None, {}):
            expect["output"] = kept
    return expect


def _kept(value: Json, execution: Mapping[str, Any]) -> Json:
    """What a test can expect of a value: without what was masked, and what names this very execution."""

    def is_another_time(text: str) -> bool:
        return MASK in text or str(execution["id"]) in text

    return _without(value, is_another_time)


def _without(value: Json, leaves_out: Callable[[str], bool]) -> Json:
    """The value without fields of such a text; None for a list that has one: a list is expected whole."""
    match value:
        case str():
            return None if leaves_out(value) else value
        case list():
            kept = [_without(item, leaves_out) for item in value]
            return None if kept != value else kept
        case dict():
            found: dict[str, Json] = {}
            for name, item in value.items():
                inner = _without(item, leaves_out)
                if inner is not None or item is None:
                    found[name] = inner
            return found
        case _:
            return value


def _clean(value: Json) -> Json:
    """The value without headers and query parameters that look like credentials, at any depth; links masked."""
    match value:
        case str():
            return _LINK.sub(rf"\1{MASK}", value)
        case list():
            return [_clean(item) for item in value]
        case dict():
            found: dict[str, Json] = {}
            for name, item in value.items():
                named = _without_secrets(item) if name in _NAMED and isinstance(item, dict) else item
                found[name] = _clean(named)
            return found
        case _:
            return value


def _without_secrets(named: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in named.items() if not _is_secret(name)}


def _is_secret(name: str) -> bool:
    return name.lower() in SECRET_HEADERS or _SECRET_NAME.search(name) is not None
