"""Mistakes as the check finds them: by their way into the document, before a file gives them a line and a column."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.errors import Problem
from chalicelib.flow.values import Json, Pointer

if TYPE_CHECKING:  # who fits inputs at run time reads no file
    from chalicelib.flow.text import Document


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake or warning: where it stands in the document, what it is, and what to do about it."""

    pointer: Pointer
    what: str
    do: str = ""
    offset: int = 0
    """The character of the text that `pointer` leads to."""
    at_key: bool = False
    """Whether the key is at fault rather than its value."""

    def in_document(self, document: "Document") -> Problem:
        """The same mistake with its line and column."""
        place = document.keys.get(self.pointer) if self.at_key else None
        place = place or document.place(self.pointer, self.offset)
        return Problem(document.name, place.line, place.column, self.what, self.do)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean `x`?` where something known looks like the name, else nothing."""
    from chalicelib.flow.wording import closest  # imported late: difflib is for mistakes only

    near = closest(name[:80], known)
    return f" Did you mean `{near}`?" if near else ""


def shown(value: Json, limit: int = 40) -> str:
    """What stands in the file, short enough to be quoted in a sentence."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value) if not isinstance(value, int) or value.bit_length() < 200 else "a very large number"
        case str():
            text = value.replace("\n", " ")
            return f'the text "{text if len(text) <= limit else text[:limit] + "…"}"'
        case list():
            return "a list"
        case dict():
            return "a map"


def either(names: Sequence[str], word: str = "or") -> str:
    """`a, b or c`."""
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else "".join(names)


def quoted(names: Iterable[str], word: str = "and") -> str:
    """The names in back-ticks: `a`, `b` and `c`."""
    return either([f"`{name}`" for name in names], word)
