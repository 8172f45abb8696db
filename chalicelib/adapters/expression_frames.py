"""What the server and its helper process say to each other about expressions: JSON in frames of a bounded size.

A frame is its length in four bytes, the most significant first, and so many bytes of JSON. A request carries the
expressions, the step's moment, and of the scope what the expressions spell, nothing else. An answer carries a value for
each, or one error; between the two, an empty frame says that one more expression is done with. JSON and not pickle:
what comes from a process that evaluated somebody's expression is data.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.errors import ExpressionError, PenstockError, WorkerMishapError
from chalicelib.flow.moment import Moment
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.templates import Expression
from chalicelib.flow.values import Json
from chalicelib.sandbox.frames import length_within

MOST_BYTES = 16_000_000
"""The largest frame, in each direction."""

_VALUE_BYTES = 8
"""What each value counts for at least, when a scope is weighed."""

_WORD = re.compile(r"\w+")
_SHELVES = ("steps", "errors")
_KINDS: Mapping[str, type[PenstockError]] = {"expression": ExpressionError, "worker_mishap": WorkerMishapError}


@dataclass(frozen=True, slots=True)
class Question:
    """What a helper is asked: the expressions of one step that may grow, over a scope, at a moment."""

    expressions: tuple[Expression, ...]
    scope: dict[str, Json]
    moment: Moment


@dataclass(frozen=True, slots=True)
class Answer:
    """What a helper answers. `is_spent` says that it has grown, and is to be replaced."""

    values: tuple[Json | Missing, ...] = ()
    error: PenstockError | None = None
    is_spent: bool = False


def length_of(header: bytes) -> int:
    """How many bytes follow a frame's header; raises ValueError where they are more than a frame may have."""
    return length_within(header, MOST_BYTES)


def to_question(expressions: Sequence[Expression], scope: Mapping[str, Json], moment: Moment) -> bytes:
    """A question as bytes; raises ExpressionError where the values are too many, or too deeply nested."""
    visible = _spelled(scope, " ".join(expression.rewritten for expression in expressions))
    if _weight(visible) > MOST_BYTES:
        raise _too_much_data(expressions[0].where)
    asked = {
        "expressions": [[one.text, one.rewritten, one.where, one.offset] for one in expressions],
        "scope": visible,
        "now": moment.now.isoformat(),
        "seed": moment.seed.hex(),
        "zone": moment.zone,
    }
    try:
        content = json.dumps(asked, separators=(",", ":")).encode()
    except RecursionError as error:
        where = expressions[0].where
        said = f"`{where}`: a value is nested too deeply for an expression.  ->  Pass it through a plain path."
        raise ExpressionError(said, where=where) from error
    if len(content) > MOST_BYTES:
        raise _too_much_data(expressions[0].where)
    return content


def from_question(content: bytes) -> Question:
    """What `to_question` made bytes of."""
    asked = json.loads(content)
    moment = Moment(datetime.fromisoformat(asked["now"]), bytes.fromhex(asked["seed"]), asked["zone"])
    expressions = tuple(Expression(text, rewritten, None, *place) for text, rewritten, *place in asked["expressions"])
    return Question(expressions, asked["scope"], moment)


def to_answer(answer: Answer) -> bytes:
    """An answer as bytes; raises RecursionError and MemoryError where the values cannot be written."""
    said: dict[str, Any] = {"spent": answer.is_spent}
    if answer.error is not None:
        where = answer.error.facts.get("where", "")
        said["error"] = {"kind": answer.error.code, "detail": answer.error.detail, "where": where}
    else:
        said["values"] = [[] if value is MISSING else [value] for value in answer.values]
    return json.dumps(said, separators=(",", ":")).encode()


def from_answer(content: bytes, count: int) -> Answer:
    """What `to_answer` made bytes of, with so many values; raises ValueError for anything else."""
    try:
        said = json.loads(content)
        error = said.get("error")
        if error is not None:
            raised = _KINDS[error["kind"]](error["detail"], where=error["where"])
            return Answer(error=raised, is_spent=said["spent"])
        values = tuple(each[0] if each else MISSING for each in said["values"])
        is_spent: bool = said["spent"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("this is no answer") from error
    if len(values) != count:
        raise ValueError("these are too many answers, or too few")
    return Answer(values, is_spent=is_spent)


def _spelled(scope: Mapping[str, Json], texts: str) -> dict[str, Json]:
    """The part of a scope that the expressions can reach: what they do not spell they cannot name."""
    if "\\" in texts:
        return dict(scope)  # a name may be spelled with escapes
    words = frozenset(_WORD.findall(texts))
    visible: dict[str, Json] = {}
    for name, part in scope.items():
        if name in words:
            is_shelf = name in _SHELVES and isinstance(part, dict)
            visible[name] = {key: value for key, value in part.items() if key in words} if is_shelf else part  # type: ignore[union-attr]
    return visible


def _weight(value: Json) -> int:
    """About how many bytes a value is as JSON; looking stops where it is too many, so it always ends."""
    weight = 0
    todo: list[Json] = [value]
    while todo and weight <= MOST_BYTES:
        item = todo.pop()
        weight += _VALUE_BYTES
        if isinstance(item, dict):
            weight += sum(map(len, item))
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, str):
            weight += len(item)
    return weight


def _too_much_data(where: str) -> ExpressionError:
    said = (
        f"`{where}`: this computes on more than {MOST_BYTES // 1_000_000} MB of data.  ->  Name what it needs more "
        "closely, or work in batches with `foreach`."
    )
    return ExpressionError(said, where=where)
