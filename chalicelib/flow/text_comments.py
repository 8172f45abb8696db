"""What ` #` cuts off inside `{ }` and `[ ]`, where a comment eats the closing bracket too; and where a value ends."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(?P<open>[{\[])|(?P<close>[}\]])|(?P<next>,)"""
    r"""|(?P<colon>:(?=[\s,\[\]{}]))|(?P<comment>\#[^\r\n]*)|(?P<space>\s+)|(?P<text>[^\s])""",
    re.DOTALL,
)
_KEY = re.compile(r"""([\w.-]+|"[^"]*"|'[^']*')\s*:\s*\Z""")
_END_IN_FLOW = re.compile(r"[,\]}]|\s\#|\r|\n")
_END_IN_BLOCK = re.compile(r"\s\#|\r|\n")
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


def eaten_by_comment(text: str, opened: int, until: int) -> Eaten | None:
    """The first value between an open bracket and an index whose ` #` made a comment of the bracket that closes.

    A comment that holds no closing bracket eats nothing that is missed, and is one.
    """
    value = opened
    depth, before_space = 0, True
    for token in _TOKEN.finditer(text, opened, until):
        kind = token.lastgroup
        if kind == "comment" and before_space:
            if (eaten := _eaten(text, value, token)) is not None:
                return eaten
            continue
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth == 0:
                return None
        if kind in {"open", "close", "next", "colon"}:
            value = token.end()
        before_space = kind in {"space", "open", "next", "colon"}
    return None


def _eaten(text: str, value: int, comment: re.Match[str]) -> Eaten | None:
    line = comment[0]
    if not ("}" in line or "]" in line) or (line[1:2].isspace() and not text[value : comment.start()].strip()):
        return None
    start = value + len(text[value : comment.start()]) - len(text[value : comment.start()].lstrip())
    if "\n" in text[start : comment.start()]:
        return None
    closing = _CLOSING.search(text, comment.start())
    end = closing.start() if closing else len(text)
    key = _KEY.search(text, 0 if value < 200 else value - 200, value)
    return Eaten(start, comment.start(), start + len(text[start:end].rstrip()), key[1].strip("\"'") if key else "")
