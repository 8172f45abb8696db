r"""Regular expressions that cannot hang: the same ones that expressions know (`$match(text, /\d+/)`), for nodes.

The engine of expressions matches in time linear in the text (Rust's `regex` crate: no backtracking, so no pattern and
no text can make it explode). The price is its dialect: no look-around, no back-references; both are refused by name.
Python's own `re` is not an option for patterns that users write: `(a+)+b` on thirty letters never ends, and even `.*x`
is quadratic. What is left to bound is the product of both sizes:
hence the limits below.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import ParameterError
from chalicelib.flow.expressions import own_jsonata

LONGEST_PATTERN = 1_000
LONGEST_TEXT = 100_000
MOST_WORK = 50_000_000
"""Characters times parts of the pattern; the worst pattern we found takes two seconds for as much."""

_PART = re.compile(
    r"""\\[pP]\{[^}]*\} | \\.                                     # an escape
    | \( (?: \?P?<(?P<named>[A-Za-z_][A-Za-z0-9_.\[\]]*)> | \? )?  # a group opens
    | \{ (?:(?P<least>[0-9]{1,9}),)? (?P<most>[0-9]{1,9}) ,? \}     # a counted repetition
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_CLASS = re.compile(r"\\.|\[\^?\]?|\]|[^\\\[\]]+", re.DOTALL)
"""What a class `[...]` consists of: classes may be nested, and a bracket that closes at once stands for itself."""

_SAID_ON = re.compile(r"\nerror: ([^\n]{1,200})")


@dataclass(frozen=True, slots=True)
class Match:
    """One place where the pattern matches: characters `start` to `end`, and its groups (None: took no part)."""

    text: str
    start: int
    end: int
    groups: tuple[str | None, ...]


class Pattern:
    """A regular expression, understood anew each time it is asked (30 us)."""

    __slots__ = ("_literal", "_weight", "names")

    def __init__(
        self, pattern: str, *, ignore_case: bool = False, multiline: bool = False, dot_all: bool = False
    ) -> None:
        """Take the pattern as the user wrote it; raises ParameterError where it can be no pattern at all."""
        if not pattern:
            raise ParameterError("The pattern is empty. Write a regular expression.")
        if len(pattern) > LONGEST_PATTERN:
            raise ParameterError(f"The pattern has {len(pattern)} characters; {LONGEST_PATTERN} are allowed.")
        if pattern[0] in "*+?":
            raise ParameterError(f"The pattern begins with `{pattern[0]}`, and there is nothing before it to repeat.")
        _check_unicode(pattern, "pattern")
        literal = _as_literal(pattern)
        flags = "i" * ignore_case + "m" * multiline + "s" * dot_all
        self._literal = f"/{literal}/{flags}"
        self.names, self._weight = _survey(pattern)
        """The name of each group in order, None where it has none."""

    def occurs_in(self, text: str) -> bool:
        """Whether it matches anywhere; raises ParameterError for a bad pattern or a text over the limit."""
        return self._ask(f"$contains(t, {self._literal})", text) is True

    def find(self, text: str, limit: int | None = None) -> list[Match]:
        """Every place where it matches, from left to right, not overlapping, at most `limit`.

        Raises ParameterError for a bad pattern, a text over the limit, and a pattern that matches the empty text in
        between (what that should mean, no two languages agree on).
        """
        found: list[dict[str, Any]] | dict[str, Any] | None = self._ask(
            f"$match(t, {self._literal}{'' if limit is None else f', {limit}'})", text
        )
        if found is None:
            return []
        matches = list(_matches(text, found if isinstance(found, list) else [found]))
        if matches and len(matches[0].groups) != len(self.names):
            raise ParameterError("The groups of this pattern cannot be told apart. Write it without comments, (?x).")
        return matches

    def _ask(self, expression: str, text: str) -> Any:
        if len(text) > LONGEST_TEXT:
            raise ParameterError(
                f"The text has {len(text)} characters; a pattern is tried on at most {LONGEST_TEXT}. Split it first."
            )
        if len(text) * self._weight > MOST_WORK:
            raise ParameterError(
                f"The pattern is too large for a text of {len(text)} characters, its repetitions written out. "
                "Use smaller counts, or split the text."
            )
        _check_unicode(text, "text")
        try:
            return own_jsonata(expression, {"t": text})
        except (ValueError, TypeError) as error:
            refusal = _refusal(str(error))
        except BaseException as error:
            # A panic of the Rust engine derives from BaseException; its class cannot be imported.
            if type(error).__name__ != "PanicException":
                raise
            refusal = ParameterError("This pattern cannot be tried. Write it in another way.")
        # Out here it holds nothing of the engine's: its message may quote the text, its form belongs to this thread.
        raise refusal


def _check_unicode(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParameterError(f"The {name} has a lone surrogate, which no text in Unicode has.") from error


def _as_literal(pattern: str) -> str:
    """The pattern between slashes: every slash that is not escaped yet is."""
    pieces: list[str] = []
    is_escaped = False
    for letter in pattern:
        pieces.append("\\/" if letter == "/" and not is_escaped else letter)
        is_escaped = letter == "\\" and not is_escaped
    if is_escaped:
        raise ParameterError("The pattern ends in a lone backslash. Write two for a backslash.")
    return "".join(pieces)


def _survey(pattern: str) -> tuple[tuple[str | None, ...], int]:
    """The name of each group, and about how many places the engine keeps in mind: the parts, repeats written out."""
    names: list[str | None] = []
    outside: list[int] = []
    weight = last = position = 0
    while position < len(pattern):
        part = _PART.match(pattern, position)
        if pattern[position] == "[":
            last = 1
            weight += 1
            position = _after_class(pattern, position)
            continue
        text = part[0] if part is not None else pattern[position]
        if text.startswith("(") and part is not None:
            if part["named"] is not None or text == "(":
                names.append(part["named"])
            outside.append(weight)
            weight = 0
        elif text == ")":
            last = weight
            weight += outside.pop() if outside else 0
        elif part is not None and part["most"] is not None:
            times = max(int(part["most"]), int(part["least"] or 0), 1)
            weight += last * (times - 1)
            last *= times
        elif text not in "*+?":
            last = 1
            weight += 1
        position += len(text)
    return tuple(names), weight


def _after_class(pattern: str, position: int) -> int:
    depth = 0
    while part := _IN_CLASS.match(pattern, position):
        depth += {"[": 1, "]": -1}.get(part[0][0], 0)
        position = part.end()
        if not depth:
            break
    return position if not depth else len(pattern)


def _matches(text: str, found: list[dict[str, Any]]) -> Iterator[Match]:
    # JSONata counts UTF-16 units: a character beyond U+FFFF is two of them.
    is_plain = text.isascii() or max(text) <= "\uffff"
    characters, units = 0, 0
    for one in found:
        index = int(one["index"])
        if is_plain:
            characters = index
        else:
            while units < index:
                units += 2 if text[characters] > "\uffff" else 1
                characters += 1
        yield Match(one["match"], characters, characters + len(one["match"]), tuple(one["groups"]))


def _refusal(said: str) -> ParameterError:
    if "look-around" in said:
        return ParameterError("The pattern looks around itself, (?=...) or (?<=...), which is not supported.")
    if "backreferences" in said:
        return ParameterError("The pattern refers back to a group, as \\1 does, which is not supported.")
    if "size limit" in said:
        return ParameterError("The pattern is too large once its repetitions are written out. Use smaller counts.")
    if "D1004" in said:
        return ParameterError("The pattern also matches the empty text. Write + where * or ? lets it match nothing.")
    if "D1012" in said:
        return ParameterError("Matching took too long. Use a simpler pattern or a shorter text.")
    reason = _SAID_ON.search(said)
    return ParameterError(f"The pattern is not a regular expression{f': {reason[1]}' if reason else ''}.")
