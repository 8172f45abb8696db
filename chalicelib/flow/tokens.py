"""Cuts JSONata text into tokens the way jsonatapy 2.2.13 reads it; never raises, linear in the text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "quoted", "string", "number", "value", "variable", "regex", "op", "broken", "unknown"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text as written, and where it begins and ends.

    `quoted` is a name in back-ticks, `value` is true, false or null, `broken` is a string, comment, name or regular
    expression that never ends, `unknown` a character JSONata has no use for.
    """

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """What a string or a quoted name says, and what any other token is written as."""
        match self.kind:
            case "string":
                return unescaped(self.text[1:-1])
            case "quoted":
                return self.text[1:-1]
            case _:
                return self.text


# Possessive quantifiers keep a string that never ends linear. A regular expression ends at the first slash that is not
# escaped: jsonatapy, unlike jsonata.js, does not look at its brackets.
_TOKEN = re.compile(
    r"""
    (?P<space>\s++)
  | (?P<comment>/\*.*?\*/)
  | (?P<string>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')
  | (?P<quoted>`[^`]*+`)
  | (?P<number>(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)
  | (?P<variable>\$[\w$]*+)
  | (?P<name>[^\W\d][\w$]*+)
  | (?P<broken>["'`].*|/\*.*)
  | (?P<op>===|!==|==|=>|&&|\|\||:=|!=|<=|>=|~>|\?\?|\?:|\*\*|\.\.|[-.\[\]{}(),@\#;:?+*/%|=<>^&!~])
  | (?P<unknown>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:[^/\\]|\\.)++/[im]*+", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORD_OPERATORS = frozenset({"and", "or", "in"})
_VALUES = frozenset({"true", "false", "null"})
_OPERAND_OR_OPERATOR = frozenset({"*", "**", "%"})
_CLOSING = frozenset({")", "]", "}"})


def unescaped(text: str) -> str:
    """Replace the escapes of a JSON string by what they stand for."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPED.get(m[2], m[2]), text)


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens from an offset on, white space and comments left out.

    `and`, `or`, `in`, `*`, `**`, `%` and `/` mean one thing where a value is expected (names, wildcards, the parent, a
    regular expression) and another after one (operators): what came before decides.
    """
    position, length = start, len(text)
    wants_value = True
    while position < length:
        found = _TOKEN.match(text, position)
        if found is None:  # The last alternative takes any character; this satisfies the type checker.
            return
        kind, word, end = found.lastgroup or "unknown", found[0], found.end()
        if kind in {"space", "comment"}:
            position = end
            continue
        if word == "/" and wants_value:
            regex = _REGEX.match(text, position)
            kind, end = ("regex", regex.end()) if regex else ("broken", length)
            word = text[position:end]
        token = Token(_kind(kind, word, wants_value=wants_value), word, position, end)
        if token.kind == "op":
            wants_value = word not in _CLOSING and not (wants_value and word in _OPERAND_OR_OPERATOR)
        else:
            wants_value = False
        yield token
        position = end


def _kind(group: str, word: str, *, wants_value: bool) -> Kind:
    match group:
        case "name" if word in _VALUES:
            return "value"
        case "name" if word in _WORD_OPERATORS and not wants_value:
            return "op"
        case "name" | "quoted" | "string" | "number" | "variable" | "regex" | "op" | "broken":
            return group
        case _:
            return "unknown"
