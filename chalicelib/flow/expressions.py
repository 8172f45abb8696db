"""Evaluates expressions: JSONata, locked. The only file that imports jsonatapy, so that it can be swapped.

Every expression is compiled for its evaluation alone (2.6 us): jsonatapy's compiled form belongs to the thread that
made it, and panics on any other. The scope is one plain document, never bindings, which would be converted whole each
time. `{"v": (...)}` around the text tells missing (`{}`) from null.

What the locks hold: a time limit, a depth, a length of lists; no `$eval`, no `$shuffle`, no clock and no randomness but
the `Moment`'s; no infinity, NaN or function in a result. What they do not hold is memory, nor the time within one
operation: `growth.may_grow` says of which expressions that matters, so that a host can evaluate those apart.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import jsonatapy

from chalicelib.errors import ExpressionError, PenstockError, WorkerMishapError
from chalicelib.flow.complaints import compile_complaint, complaint
from chalicelib.flow.exactness import Screen
from chalicelib.flow.function_table import REGISTERED
from chalicelib.flow.functions import GUARDED_PREFIX, Function, NothingGivenError, Surroundings, host
from chalicelib.flow.mentions import Mistake
from chalicelib.flow.missing import shorten
from chalicelib.flow.moment import Moment, Stream
from chalicelib.flow.paths import MISSING, Missing, walk
from chalicelib.flow.templates import Expression
from chalicelib.flow.values import Json

__all__ = ["Moment", "answer", "answers", "compile_check", "evaluate", "own_jsonata", "took_too_much"]

TIMEOUT_MILLISECONDS = 100
MOST_DEPTH = 100
MOST_ROWS = 100_000

_OPENING = '{"v":('
_HOST_RAISED = "host function raised "
_NOTHING_GIVEN = _HOST_RAISED + NothingGivenError.__name__
_OUR_ERRORS = {"ExpressionError", "ParameterError"}
_OUT_OF_MEMORY = "MemoryError"
_NO_MEMORY = "PyObject pointer is null"
"""What pyo3 panics with where Python had no memory for a value."""

_WORD = re.compile(r"\w+")
_FUNCTION = re.compile(r"\$([A-Za-z]\w*)")
_MAY_OVERFLOW = re.compile(r"[-+*/]|\$(?:sum|average|power|number|parseInteger|reduce|abs|max|min)\b")
"""What can make an infinity or NaN of finite numbers."""

_MAY_BE_FUNCTION = re.compile(r"function|λ|/|\$\w+\s*(?![\w\s(])|[(,]\s*\?")
"""What can make a function, which jsonatapy hands over as null: a definition, a regular expression, a bare `$name`, a
partial application."""


@dataclass(frozen=True, slots=True)
class _Traits:
    """What an expression's text says about how to evaluate it."""

    wrapped: str
    words: frozenset[str]
    functions: tuple[tuple[str, Function], ...]
    may_overflow: bool
    may_be_function: bool

    @property
    def guarded(self) -> str:
        """The wrapped text behind the guards of the functions it calls, which give nothing for nothing."""
        guards = "".join(function.guard for _, function in self.functions if function.wants)
        return f"{_OPENING}{guards}\n{self.wrapped[len(_OPENING) :]}"


@lru_cache(maxsize=4096)
def _traits(text: str) -> _Traits:
    named = dict.fromkeys(_FUNCTION.findall(text))
    return _Traits(
        wrapped=_OPENING + text + "\n)}",
        words=frozenset(_WORD.findall(text)),
        functions=tuple((name, REGISTERED[name]) for name in named if name in REGISTERED),
        may_overflow=_MAY_OVERFLOW.search(text) is not None,
        may_be_function=_MAY_BE_FUNCTION.search(text) is not None,
    )


def compile_check(text: str) -> Mistake | None:
    """Compile an expression once, for the check: what is wrong with it, or None. Its offset is always 0.

    It is compiled by itself before it is ever wrapped, so it cannot break out of the wrapping.
    """
    try:
        jsonatapy.compile(text)
        jsonatapy.compile(_traits(text).wrapped)
    except (ValueError, TypeError, RecursionError) as error:
        return Mistake(0, *compile_complaint(str(error)))
    except BaseException as error:  # a Rust panic is no Exception
        if type(error).__name__ != "PanicException":
            raise
        return Mistake(0, "JSONata cannot read this.", "Split it over several steps.")
    return None


def evaluate(
    text: str, scope: Mapping[str, Json], moment: Moment, *, place: str = "", screen: Screen | None = None
) -> Json | Missing:
    """Evaluate an expression (`Analysis.rewritten`, which passed `compile_check`) over a scope.

    Args:
        text: the expression.
        scope: what its names stand for; never changed. The answer may be a part of it, so nobody may change that.
        moment: the step's time, randomness and zone.
        place: which expression of the step this is; two places draw different random numbers.
        screen: keep one for as long as the values live (an execution), and each is looked through only once for whole
            numbers beyond 2^53, which are text in here.

    Raises:
        ExpressionError: the expression cannot be evaluated over this scope; the same on every worker. Also where
            memory ended (see `took_too_much`).
        WorkerMishapError: it ran into the time limit, which another worker may not.
    """
    document = (screen or Screen()).view(scope, _traits(text).words)
    answer = _evaluate(text, document, moment, place)
    if answer is None or isinstance(answer, list | dict | float):
        _refuse_what_is_no_json(answer, text, document, moment, place)
    return answer


def answer(
    expression: Expression, scope: Mapping[str, Json], moment: Moment, screen: Screen | None = None
) -> Json | Missing:
    """The answer of one compiled expression: a plain path is walked, anything else evaluated. Raises as `evaluate`."""
    if expression.path is not None:
        return walk(expression.path, scope)
    place = f"{expression.where}:{expression.offset}"
    try:
        return evaluate(expression.rewritten, scope, moment, place=place, screen=screen)
    except PenstockError as error:
        located = type(error)(f"`{expression.where}`: {error.detail}", where=expression.where)
        raise located from error


def took_too_much(text: str) -> str:
    """What is said of an expression that was ended for its use of memory or of the processor."""
    return (
        f"this takes more memory or computing than an expression may: `{shorten(text)}`.  ->  Make less at a time: "
        "filter first, work in batches with `foreach`, or split it over several steps."
    )


def answers(
    asked: Sequence[Expression], scope: Mapping[str, Json], moment: Moment, screen: Screen | None = None
) -> list[Json | Missing]:
    """The answers of several expressions of one step, in order; what `fill` takes. Raises as `evaluate`."""
    screen = screen or Screen()
    return [answer(expression, scope, moment, screen) for expression in asked]


def _evaluate(text: str, document: Mapping[str, Json], moment: Moment, place: str) -> Json | Missing:
    """Evaluate, and once more behind the guards where a function was given nothing."""
    traits = _traits(text)
    try:
        try:
            return _call_jsonata(traits, document, moment, place, guarded=False)
        except ValueError as error:
            if not str(error).startswith(_NOTHING_GIVEN):
                raise
        return _call_jsonata(traits, document, moment, place, guarded=True)
    except (ValueError, TypeError) as error:
        message = str(error)
    except MemoryError:
        message = _OUT_OF_MEMORY
    except BaseException as error:  # a Rust panic is no Exception
        if type(error).__name__ != "PanicException":
            raise
        message = _OUT_OF_MEMORY if _NO_MEMORY in str(error) else None
    # Raised out here, so that ours holds nothing of jsonatapy's: its message may quote data, and its traceback holds
    # the compiled expression, which may be freed on no other thread than this one.
    if message == _OUT_OF_MEMORY:
        raise ExpressionError(took_too_much(text))
    if message is None:
        raise ExpressionError("JSONata gave up on this expression.  ->  Split it over several steps.")
    raise _translate(message, text, document)


def _call_jsonata(
    traits: _Traits, document: Mapping[str, Json], moment: Moment, place: str, *, guarded: bool
) -> Json | Missing:
    compiled = jsonatapy.compile(traits.guarded if guarded else traits.wrapped)
    if traits.functions:
        around = Surroundings(moment, Stream(moment.seed, place), own_jsonata)
        for name, function in traits.functions:
            behind_guard = guarded and function.wants > 0
            called = host(function, around, guarded=behind_guard)
            compiled.register_override(GUARDED_PREFIX + name if behind_guard else name, called)
    return _unwrap(compiled, document)


def _unwrap(compiled: jsonatapy.JsonataExpression, document: Mapping[str, Json]) -> Json | Missing:
    box = cast(
        "dict[str, Json]",
        compiled.evaluate(
            document,
            timeout=TIMEOUT_MILLISECONDS,
            max_stack_depth=MOST_DEPTH,
            max_sequence_length=MOST_ROWS,
        ),
    )
    return box.get("v", MISSING)


def own_jsonata(text: str, document: dict[str, Json]) -> Json:
    """Evaluate a text of our own, for what leans on JSONata: functions, and the patterns of nodes; None for nothing.

    Raises what jsonatapy raises: ValueError or TypeError, whose message may quote the document.
    """
    found = _unwrap(jsonatapy.compile(_OPENING + text + ")}"), document)
    return None if found is MISSING else found


def _translate(message: str, text: str, document: Mapping[str, Json]) -> ExpressionError | WorkerMishapError:
    """The error for what jsonatapy reports, in words and without data."""
    if message.startswith("D1012"):
        return WorkerMishapError(
            f"an expression ran longer than {TIMEOUT_MILLISECONDS} ms: `{shorten(text)}`.  ->  It is tried again; if "
            "it stays so, split the work with `foreach`."
        )
    if message.startswith(_HOST_RAISED):
        name, _, detail = message.removeprefix(_HOST_RAISED).partition(": ")
        if name in _OUR_ERRORS:
            return ExpressionError(detail)
        if name == _OUT_OF_MEMORY:
            return ExpressionError(took_too_much(text))
        message = detail if name == "ValueError" else f"{name}: {detail}"
    what, do = complaint(message, text, document)
    return ExpressionError(f"{what}  ->  {do}" if do else what)


def _refuse_what_is_no_json(answer: Json, text: str, document: Mapping[str, Json], moment: Moment, place: str) -> None:
    """Raise ExpressionError for infinities and NaN, and for functions, which jsonatapy hands over as null."""
    traits = _traits(text)
    if (traits.may_overflow or isinstance(answer, float)) and not _is_finite(answer):
        raise ExpressionError(
            "the result holds an infinity or NaN, which JSON does not know.  ->  Look for a division by zero."
        )
    if traits.may_be_function and _holds_null(answer):
        described = _evaluate(f"$string(({text}\n))", document, moment, place)
        try:
            has_function = isinstance(described, str) and _has_function(answer, described)
        except RecursionError as error:
            raise ExpressionError(
                "the result is nested too deeply to be looked through.  ->  Take out of it what is needed."
            ) from error
        if has_function:
            raise ExpressionError(
                "the result holds a function or a regular expression.  ->  Call it: write the brackets after its name."
            )


def _leaves(value: Json) -> Iterator[Json]:
    todo: list[Json] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
        else:
            yield item


def _is_finite(value: Json) -> bool:
    return all(not isinstance(leaf, float) or math.isfinite(leaf) for leaf in _leaves(value))


def _holds_null(value: Json) -> bool:
    return any(leaf is None for leaf in _leaves(value))


def _has_function(answer: Json, described: str) -> bool:
    """Whether a null of the answer is a function: `$string` writes those as empty text."""
    if answer is None:
        return described == ""
    pairs: list[tuple[Json, Json]] = [(answer, json.loads(described))]
    while pairs:
        one, other = pairs.pop()
        if one is None and other == "":
            return True
        if isinstance(one, dict) and isinstance(other, dict):
            pairs.extend((item, other.get(key)) for key, item in one.items())
        elif isinstance(one, list) and isinstance(other, list):
            pairs.extend(zip(one, other, strict=False))
    return False
