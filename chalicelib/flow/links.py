"""Links to steps: `execution.links.<step>`, the address by which somebody answers a `callback` or an `approval`.

Naming a link is no mention: it does not wait for the step, whose link is there before it begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.flow.tokens import Token, tokens

_WORD = "links"


@dataclass(frozen=True, slots=True)
class Link:
    """A link that an expression names, and where `execution` begins in it; no step where it names all of them."""

    step: str
    offset: int


def links_in(expression: str) -> Iterator[Link]:
    """Every link that an expression names; strings, comments and fields of the same name do not count."""
    if _WORD not in expression:
        return
    cut = list(tokens(expression))
    for index, token in enumerate(cut):
        is_root = token.kind in {"name", "variable"} and token.text.removeprefix("$") == "execution"
        if is_root and not _is(cut, index - 1, ".") and _is(cut, index + 1, ".") and _name(cut, index + 2) == _WORD:
            yield Link(_name(cut, index + 4) if _is(cut, index + 3, ".") else "", token.start)


def _is(cut: list[Token], index: int, text: str) -> bool:
    return 0 <= index < len(cut) and cut[index].kind not in {"string", "quoted"} and cut[index].text == text


def _name(cut: list[Token], index: int) -> str:
    """The name at this place; empty where none stands there."""
    if index < len(cut) and cut[index].kind in {"name", "string", "quoted"}:
        return cut[index].value
    return ""
