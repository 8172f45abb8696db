"""Says of an expression, by its text alone, whether it may take far more memory or time than what it is given.

JSONata's own limits are a clock that is looked at between two operations and a length of sequences. They do not hold a
function that doubles a structure, a value bound to a name and used twice by the next, a separator repeated for every
row, or a built-in function that compares every row with every other. So a host that must stay up evaluates apart
whatever is not known to be bounded.

Bounded is what makes at most a few copies of what it mentions, in time linear in it. The list below says what is
known; a function that is on neither list, and whatever else is not known here, may grow.
"""

from dataclasses import dataclass
from functools import lru_cache

from chalicelib.flow.mentions_words import FUNCTIONS
from chalicelib.flow.tokens import Token, tokens

LONGEST = 1_000
"""Characters: what stands in the text itself is repeated for every row at most."""

MOST_COPIES = 16
"""Values named in the text; each may be in the answer once."""

MOST_WIDENINGS = 3
"""Calls of what makes its argument wider: nested, their factors multiply."""

_SIMPLE = frozenset({
    "abs", "append", "assert", "average", "base64decode", "boolean", "ceil", "contains", "count", "decodeUrl",
    "decodeUrlComponent", "error", "exists", "floor", "formatBase", "formatInteger", "formatNumber", "keys", "length",
    "lookup", "lowercase", "max", "merge", "millis", "min", "not", "number", "parseInteger", "power", "random",
    "reverse", "round", "spread", "sqrt", "substring", "substringAfter", "substringBefore", "sum", "trim", "type",
    "uppercase", "zip",
    "between", "cents", "day", "default", "empty", "fixed", "hash", "list", "minus", "omit", "parse",
    "partition", "pick", "plus", "slug", "start_of", "time", "truncate", "uuid",
})  # fmt: skip
"""Functions whose answer is no larger than what they are given, or of a bounded size; each linear in it."""

_SIMPLE_WITH_ONE = frozenset({"fromMillis", "now", "single", "sort", "toMillis"})
"""Functions that are simple with one argument: a second one is a picture, or a function."""

_WIDENING = frozenset({"base64encode", "encodeUrl", "encodeUrlComponent", "html", "lines", "string"})
"""Functions of one argument whose answer may be several times as wide; a second one makes `$string` indent."""

_JOINING = frozenset({"join", "joined"})
"""Functions that repeat their second argument for every row."""

_BY_A_TEXT = _JOINING | {"date"}
"""Functions that are bounded where every argument behind the first is a text written out: separators, patterns."""

_GROWING_OPERATORS = frozenset({":=", "..", "~>", "@", "#", "|", "**"})
"""Bindings, ranges, functions applied to values, joins, transforms, and what reaches everything."""

_OPERANDS = frozenset({"name", "quoted", "string", "number", "value", "variable", "regex"})
_CLOSING = {")": "(", "]": "[", "}": "{"}


class _GrowsError(Exception):
    """It may grow: nothing more need be read."""


@dataclass(slots=True)
class _Bracket:
    """A bracket that is open: whether it stands for every row, whose call it is, and what the call was given so far."""

    is_map: bool
    function: str = ""
    commas: int = 0
    tokens_behind: int = 0
    is_written_out: bool = True

    def note(self, token: Token) -> None:
        """Note what stands directly in it, behind its first comma."""
        if self.commas:
            self.tokens_behind += 1
            self.is_written_out = self.is_written_out and token.kind == "string"


@lru_cache(maxsize=4096)
def may_grow(text: str) -> bool:
    """Whether the expression, as written, is not known to be bounded; never raises, linear in the text."""
    if len(text) > LONGEST:
        return True
    try:
        _Reading().read(text)
    except _GrowsError:
        return True
    return False


class _Reading:
    """One look along the tokens of an expression; no tree is made."""

    def __init__(self) -> None:
        self._open: list[_Bracket] = []
        self._before: Token | None = None
        self._copies = 0
        self._widenings = 0
        self._maps = 0

    def read(self, text: str) -> None:
        """Read it to its end, or up to what may grow."""
        for token in tokens(text):
            if self._open and token.text not in _CLOSING and token.text != ",":
                self._open[-1].note(token)
            match token.kind:
                case "op":
                    self._operator(token)
                case "variable":
                    self._variable(token)
                case "name" | "quoted":
                    if not self._follows("."):
                        self._copy()
                case "regex" | "broken" | "unknown":
                    raise _GrowsError
                case "string" | "number" | "value":
                    pass
            self._before = token
        if self._before is not None and self._before.kind == "variable":
            self._no_function(self._before)

    def _operator(self, token: Token) -> None:
        is_after_operand = self._is_after_operand()
        if self._before is not None and self._before.kind == "variable" and token.text != "(":
            self._no_function(self._before)
        match token.text:
            case text if text in _GROWING_OPERATORS:
                raise _GrowsError
            case "%" | "*" if not is_after_operand:
                if token.text == "%":
                    raise _GrowsError
                self._copy()
            case "?" if not is_after_operand:
                raise _GrowsError  # an argument left out makes a function
            case "(" | "[" | "{":
                self._opened(token, is_after_operand=is_after_operand)
            case ")" | "]" | "}":
                self._closed()
            case "," if self._open:
                self._open[-1].commas += 1
            case _:
                pass

    def _opened(self, token: Token, *, is_after_operand: bool) -> None:
        before = self._before
        if token.text == "(" and before is not None and before.kind == "variable":
            return  # the call was opened with its name
        if token.text == "(" and is_after_operand:
            raise _GrowsError  # a definition (`function(`), or a call of what is no name
        is_map = self._follows(".") or (token.text == "{" and is_after_operand)
        self._open.append(_Bracket(is_map))
        if is_map:
            self._map()

    def _closed(self) -> None:
        if not self._open:
            raise _GrowsError
        bracket = self._open.pop()
        given = bracket.commas + 1
        if given > 1 and (bracket.function in _SIMPLE_WITH_ONE or bracket.function in _WIDENING):
            raise _GrowsError
        is_written_out = bracket.is_written_out and bracket.tokens_behind == bracket.commas
        if bracket.function in _BY_A_TEXT and not is_written_out:
            raise _GrowsError

    def _variable(self, token: Token) -> None:
        name = token.text[1:]
        if not name:
            self._copy()
        elif name in FUNCTIONS:
            self._call(name)
        elif name.startswith("$") or any(bracket.is_map for bracket in self._open):
            raise _GrowsError  # for every row once more what lies outside of it
        else:
            self._copy()

    def _call(self, name: str) -> None:
        """A function's name, taken for a call; `_no_function` sees that a bracket follows."""
        if name in _WIDENING or name in _JOINING:
            self._widenings += 1
        elif name not in _SIMPLE and name not in _SIMPLE_WITH_ONE and name not in _BY_A_TEXT:
            raise _GrowsError
        if self._widenings > MOST_WIDENINGS:
            raise _GrowsError
        is_map = self._follows(".")
        self._open.append(_Bracket(is_map, name))
        if is_map:
            self._map()

    def _no_function(self, variable: Token) -> None:
        if variable.text[1:] in FUNCTIONS:
            raise _GrowsError  # the function itself, not a call of it

    def _copy(self) -> None:
        self._copies += 1
        if self._copies > MOST_COPIES:
            raise _GrowsError

    def _map(self) -> None:
        """One step for every row; of two, the second is taken for every row of the first."""
        self._maps += 1
        if self._maps > 1:
            raise _GrowsError

    def _follows(self, text: str) -> bool:
        return self._before is not None and self._before.kind == "op" and self._before.text == text

    def _is_after_operand(self) -> bool:
        before = self._before
        return before is not None and (before.kind in _OPERANDS or before.text in _CLOSING)
