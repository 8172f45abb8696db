"""Values as they stand in YAML: where each ends, in `{ }` and `[ ]` too, and what ` #` cut off there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.flow.scanner import NotClosed, ending_of

_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(?P<open>[{\[])|(?P<close>[}\]])|(?P<next>,)"""
    r"""|(?P<colon>:(?=[\s,\[\]{}]))|(?P<comment>\#[^\r\n]*)|(?P<space>\s+)|(?P<text>[^\s])""",
    re.DOTALL,
)
_KEY = re.compile(r"""([\w.-]+|"[^"]*"|'[^']*')\s*:\s*\Z""")
_END_IN_FLOW = re.compile(r"[,\]}]|\s\#|\r|\n")
_END_IN_BLOCK = re.compile(r"\s\#|\r|\n")
_NEXT_LINE = re.compile(r"[\r\n]( *+)([^\s\#])")
_BEFORE_VALUE = frozenset({"open", "next", "colon"})
_CLOSING_LINE = re.compile(r"\r|\n|\Z")
_CLOSING = re.compile(r"[,\]}]|\r|\n")


@dataclass(frozen=True, slots=True)
class Eaten:
    """A value that holds ` #`: from `start` to `end`, the `#` at `hash`; `key` is empty in a list."""

    start: int
    hash: int
    end: int
    key: str

    @property
    def is_whole(self) -> bool:
        """Whether the value begins with the `#`, so that nothing of it is left."""
        return self.start == self.hash

    @property
    def what(self) -> str:
        """The mistake in words."""
        whose = f"The value of `{self.key}`" if self.key else "This value"
        return f"{whose} is {'empty' if self.is_whole else 'cut off'}: in YAML, ` #` begins a comment."


def value_end(text: str, start: int, *, in_flow: bool) -> int:
    """Where an unquoted value on one line ends, a comment behind it and spaces left out."""
    found = (_END_IN_FLOW if in_flow else _END_IN_BLOCK).search(text, start)
    end = found.start() if found else len(text)
    return start + len(text[start:end].rstrip())


def next_indent(text: str, index: int) -> int | None:
    """How far the next line with something on it is indented; None where there is none, or a list begins there."""
    found = _NEXT_LINE.search(text, index)
    return None if found is None or found[2] == "-" else len(found[1])


def flow_value(text: str, opened: int, index: int) -> tuple[int, int]:
    """The value within `{ }` or `[ ]` in which a character stands: where it begins, and where it ends on its line."""
    start = opened + 1
    for kind, _, end in _pieces(text, opened, index):
        if kind in _BEFORE_VALUE:
            start = end
    start += len(text[start:]) - len(text[start:].lstrip(" \t\r\n"))
    return start, _end_of_value(text, max(start, index))


def _end_of_value(text: str, index: int) -> int:
    """From a character of an unquoted value to its end: before `,`, a closing bracket or the line's end."""
    end = index
    while end < len(text) and text[end] not in ",]}\r\n":
        if text.startswith("${", end):
            try:
                end = ending_of(text, end)
            except NotClosed:
                return _CLOSING_LINE.search(text, end).start()  # pyright: ignore[reportOptionalMemberAccess]
        end += 1
    return index + len(text[index:end].rstrip())


def eaten_by_comment(text: str, opened: int, until: int) -> Eaten | None:
    """The first value between an open bracket and an index whose ` #` made a comment of what closes it.

    A comment that takes away neither a closing bracket nor a value is one.
    """
    value, depth = opened, 0
    for kind, start, end in _pieces(text, opened, until):
        match kind:
            case "comment":
                if (eaten := _eaten(text, value, start, end)) is not None:
                    return eaten
                continue
            case "open":
                depth += 1
            case "close":
                depth -= 1
                if depth == 0:
                    return None
            case _:
                pass
        if kind in _BEFORE_VALUE or kind == "close":
            value = end
    return None


def _pieces(text: str, start: int, until: int) -> Iterator[tuple[str, int, int]]:
    """Cut a flow map or list into what structures it, up to an index: kind, beginning, end."""
    position, before = start, "next"
    while position < until and (found := _TOKEN.match(text, position)) is not None:
        kind, end = found.lastgroup or "text", found.end()
        is_text = (kind == "quoted" and before not in _BEFORE_VALUE) or (
            kind == "comment" and not text[position - 1].isspace() and before not in _BEFORE_VALUE
        )
        if is_text:  # an apostrophe in a word, a # in an address
            kind, end = "text", position + 1
        if kind != "space":
            before = kind if kind != "comment" else before
            yield kind, position, end
        position = end


def _eaten(text: str, value: int, comment: int, line_end: int) -> Eaten | None:
    written, line = text[value:comment], text[comment:line_end]
    start = value + len(written) - len(written.lstrip())
    is_whole = not written.strip()
    is_comment = line[1:2].isspace() if is_whole else not ("}" in line or "]" in line)
    is_beside = is_whole and text[value - 1 : value] != ":" and not ("}" in line or "]" in line)
    if is_comment or is_beside or "\n" in text[start:comment]:
        return None
    closing = _CLOSING.search(text, comment)
    end = closing.start() if closing else len(text)
    key = _KEY.search(text, max(0, value - 200), value)
    return Eaten(start, comment, start + len(text[start:end].rstrip()), key[1].strip("\"'") if key else "")
