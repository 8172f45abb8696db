"""One operand while an expression is read, and the table of how tightly operators bind."""

from dataclasses import dataclass
from typing import Literal

from chalicelib.flow.mentions_found import Shape
from chalicelib.flow.tokens import Token

PartKind = Literal[
    "path", "string", "number", "literal", "regex", "text", "variable", "call", "array", "object", "block", "function",
    "transform", "comparison", "default", "other",
]  # fmt: skip

# The table of jsonata.js 2.1 (`operators` in parser.js), plus spellings that are read on after being refused.
BINDING = {
    "(": 80, "[": 80, "@": 80, "#": 80, ".": 75, "{": 70, "*": 60, "/": 60, "%": 60, "+": 50, "-": 50, "&": 50,
    "=": 40, "!=": 40, "<": 40, "<=": 40, ">": 40, ">=": 40, "in": 40, "~>": 40, "^": 40, "?:": 40, "??": 40,
    "and": 30, "or": 25, "..": 20, "?": 20, ":=": 10,
    "==": 40, "===": 40, "!==": 40, "&&": 30, "||": 25, "=>": 85, "**": 60,
}  # fmt: skip
UNARY_BINDING = 70
STEP_BINDING = BINDING["."]
PIPE_BINDING = BINDING["~>"]
RANGE_BINDING = BINDING[".."]
# One less than its own: `$a := $b := 1` reads from the right.
ASSIGNED_BINDING = BINDING[":="] - 1
COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">=", "in", "==", "===", "!==", "and", "or", "&&", "||"})


@dataclass(slots=True)
class Part:
    """What has been read of one operand.

    Attributes:
        kind: what it is, as far as any rule asks.
        start: where it begins.
        end: where it ends, exclusive.
        shape: nothing, one or many by the number of rows; see `Shape`.
        path: its parts, while it is a plain path.
        last: where the last name of a path begins; -1 when it does not end in a name.
        bare: whether that name is written without quotes.
        spread: whether rows may already be many before the last step, so that `[0]` would be taken of each.
        word: the name of a variable, a function or a called function; the value of a string.
        index: the number, when it is a whole one.
    """

    kind: PartKind
    start: int
    end: int
    shape: Shape = "one"
    path: list[str | int] | None = None
    last: int = -1
    bare: bool = False
    spread: bool = False
    word: str = ""
    index: int | None = None


def binding(token: Token | None) -> int:
    """Say how tightly a token binds to the operand before it; 0 for what ends an operand."""
    return BINDING.get(token.text, 0) if token is not None and token.kind == "op" else 0


def either(one: Shape, other: Shape) -> Shape:
    """Combine the shapes of two values of which one is taken."""
    if "any" in (one, other):
        return "any"
    return "many" if one == other == "many" else "one"


def whole_number(token: Token) -> int | None:
    """Read a number token that can be an index."""
    return int(token.text) if token.text.isdecimal() and len(token.text) <= 15 else None
