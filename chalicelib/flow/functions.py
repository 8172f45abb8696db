"""The functions an expression may call beyond JSONata's own, and how they are handed to it.

JSONata passes "missing" and null alike as None, and takes a returned None for null. So a function whose argument may be
missing is called in two ways: first directly, which costs nothing; if a needed argument is then None, it raises
`NothingGivenError`, and the expression is evaluated once more behind `guard`, a JSONata function that asks `$exists`
first and gives nothing for nothing. So `$day(x.gone) ?? "never"` is "never", and null is an error that names the
function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache, partial
from typing import Protocol, TypeAlias

from chalicelib.errors import ExpressionError
from chalicelib.flow.dates import zone_of
from chalicelib.flow.moment import Moment, Stream
from chalicelib.flow.values import Json

GUARDED_PREFIX = "penstock_"
"""Goes before a function's name where the guard calls it; no name a user would give a variable."""


class NothingGivenError(Exception):
    """A needed argument is None: missing or null, which only JSONata can tell apart."""


class Jsonata(Protocol):
    """Evaluates a small JSONata text of our own over a document; None for nothing."""

    def __call__(self, text: str, document: dict[str, Json]) -> Json: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a function may use besides its arguments."""

    moment: Moment
    stream: Stream
    jsonata: Jsonata

    @property
    def zone(self) -> tzinfo:
        """The flow's time zone."""
        return zone_of(self.moment.zone)


Host: TypeAlias = Callable[..., Json]
"""A function as JSONata calls it: JSON values in, a JSON value out."""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """One function: how it is written, what it does, an example that is run as its test, and the code.

    `least` and `most` count its arguments. The first `wants` of them must be there: if one is missing, so is the
    answer. A function that `looks_around` is given the `Surroundings` before its arguments; one that `may_find_nothing`
    answers None for nothing.
    """

    signature: str
    doc: str
    example: str
    result: Json
    call: Callable[..., Json]
    least: int = 1
    most: int = 1
    wants: int = 1
    looks_around: bool = False
    may_find_nothing: bool = False

    @property
    def name(self) -> str:
        """The name, without its `$`."""
        return self.signature[1 : self.signature.index("(")]

    @property
    def guard(self) -> str:
        """A JSONata definition of the function that gives nothing for nothing and calls the real one otherwise."""
        there = " and ".join(f"$exists(${letter})" for letter in "abc"[: self.wants])
        call = f"${GUARDED_PREFIX}{self.name}($a,$b,$c,$d)"
        if self.may_find_nothing:
            call = f"($r:={call};$type($r)='null'?$penstock_nothing:$r)"
        return f"${self.name}:=function($a,$b,$c,$d){{{there}?{call}}};"


def host(function: Function, surroundings: Surroundings, *, guarded: bool) -> Host:
    """The function as JSONata is to call it; `guarded` where the guard has already looked for missing arguments."""
    checked = _behind_guard(function) if guarded else _direct(function)
    return partial(checked, surroundings) if function.looks_around else checked


@cache
def _direct(function: Function) -> Host:
    before, call, may_find_nothing = int(function.looks_around), function.call, function.may_find_nothing
    least, most, wanted = function.least + before, function.most + before, function.wants + before

    def direct(*given: Json) -> Json:
        if not least <= len(given) <= most:
            given = _as_callback(function, given)
        if None in given[before:wanted]:
            raise NothingGivenError
        try:
            answer = call(*given)
        except (OverflowError, RecursionError) as error:
            raise ExpressionError(_too_large(function)) from error
        if answer is None and may_find_nothing:
            raise NothingGivenError
        return answer

    return direct


@cache
def _behind_guard(function: Function) -> Host:
    least = function.least + function.looks_around

    def behind_guard(*given: Json) -> Json:
        # The guard passes four arguments whatever the author wrote; those not written come as None.
        while len(given) > least and given[-1] is None:
            given = given[:-1]
        if len(given) > function.most + function.looks_around:
            given = _as_callback(function, given)
        try:
            return function.call(*given)
        except (OverflowError, RecursionError) as error:
            raise ExpressionError(_too_large(function)) from error

    return behind_guard


def _as_callback(function: Function, given: tuple[Json, ...]) -> tuple[Json, ...]:
    """What a function named as a callback works on: `$map(names, $slug)` gives value, index, list; keep the value."""
    before, arguments = given[: function.looks_around], given[function.looks_around :]
    match arguments:
        case (value, int(index), list(rows)) if 0 <= index < len(rows) and rows[index] == value:
            arguments = (value,)
        case (value, str(key), dict(fields)) if key in fields and fields[key] == value:
            arguments = (value,)
        case _:
            pass
    if not function.least <= len(arguments) <= function.most:
        raise ExpressionError(_count_message(function, len(arguments)))
    return (*before, *arguments)


def _count_message(function: Function, given: int) -> str:
    wanted = str(function.least) if function.least == function.most else f"{function.least} to {function.most}"
    noun = "argument" if wanted == "1" else "arguments"
    return f"`${function.name}` wants {wanted} {noun}, and was given {given}.  ->  Write {function.signature}."


def _too_large(function: Function) -> str:
    return (
        f"`${function.name}` was given something too large, too deeply nested, or outside the years 1 to 9999.  ->  "
        "Give it less."
    )


def table(*functions: Function) -> Mapping[str, Function]:
    """The functions by their names, in this order."""
    return {function.name: function for function in functions}
