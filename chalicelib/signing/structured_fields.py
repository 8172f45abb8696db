"""Structured header fields (RFC 9651, before RFC 8941): dictionaries, as far as signatures and digests use them.

Read strictly: what a second reader could read otherwise (a name twice, base64 in another spelling) is refused. Dates
and display strings are not read; no signature has them.
"""

import re
from base64 import b64decode, b64encode
from typing import Final, NamedTuple, TypeAlias

_KEY: Final = re.compile(r"[a-z*][a-z0-9_.*-]*", re.ASCII)
_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?![0-9])(?:\.[0-9]{1,3}(?![0-9]))?", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*", re.ASCII)
_BYTES: Final = re.compile(r":([A-Za-z0-9+/=]*):", re.ASCII)
_FLAG: Final = re.compile(r"\?([01])", re.ASCII)
_GAP: Final = re.compile(r"[ \t]*,[ \t]*", re.ASCII)
_MOST: Final = 256


class Word(NamedTuple):
    """A token, or a number with decimals: text without quotes."""

    text: str


Bare: TypeAlias = int | str | bytes | bool | Word
Parameters: TypeAlias = tuple[tuple[str, Bare], ...]


class Item(NamedTuple):
    """A value with its parameters."""

    value: Bare
    parameters: Parameters = ()


class InnerList(NamedTuple):
    """Items in parentheses, and the list's own parameters."""

    items: tuple[Item, ...]
    parameters: Parameters = ()


def read_dictionary(text: str) -> dict[str, Item | InnerList]:
    """A dictionary's members by name; raises ValueError for what is none, or has more than 256 members."""
    return _Reader(text.strip(" ")).dictionary()


def written(member: Item | InnerList) -> str:
    """A member in its one canonical form (RFC 9651 section 4.1)."""
    if isinstance(member, InnerList):
        return f"({' '.join(written(item) for item in member.items)}){_written_parameters(member.parameters)}"
    return _written_bare(member.value) + _written_parameters(member.parameters)


def _written_parameters(parameters: Parameters) -> str:
    return "".join(f";{name}" if value is True else f";{name}={_written_bare(value)}" for name, value in parameters)


def _written_bare(value: Bare) -> str:
    match value:
        case bool():
            return f"?{int(value)}"
        case int():
            return str(value)
        case bytes():
            return f":{b64encode(value).decode()}:"
        case Word(text=text):
            return text
        case _:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'


class _Reader:
    """A place in a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def dictionary(self) -> dict[str, Item | InnerList]:
        members: dict[str, Item | InnerList] = {}
        while self._at < len(self._text):
            if members:
                self._take(_GAP)
            name = self._take(_KEY)[0]
            if name in members or len(members) == _MOST:
                raise ValueError("a name stands twice, or there are too many")
            members[name] = self._member() if self._skip("=") else Item(True, self._parameters())  # noqa: FBT003
        return members

    def _member(self) -> Item | InnerList:
        if not self._skip("("):
            return self._item()
        items: list[Item] = []
        while True:
            while self._skip(" "):
                pass
            if self._skip(")"):
                return InnerList(tuple(items), self._parameters())
            if (items and self._text[self._at - 1] != " ") or len(items) == _MOST:
                raise ValueError("no space between items, or too many of them")
            items.append(self._item())

    def _item(self) -> Item:
        return Item(self._bare(), self._parameters())

    def _parameters(self) -> Parameters:
        found: dict[str, Bare] = {}
        while self._skip(";"):
            while self._skip(" "):
                pass
            name = self._take(_KEY)[0]
            if name in found or len(found) == _MOST:
                raise ValueError("a parameter stands twice, or there are too many")
            found[name] = self._bare() if self._skip("=") else True
        return tuple(found.items())

    def _bare(self) -> Bare:
        match self._text[self._at : self._at + 1]:
            case '"':
                return re.sub(r"\\(.)", r"\1", self._take(_STRING)[1])
            case ":":
                return _bytes(self._take(_BYTES)[1])
            case "?":
                return self._take(_FLAG)[1] == "1"
            case "-" | "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9":
                number = self._take(_NUMBER)[0]
                return Word(number) if "." in number else int(number)
            case _:
                return Word(self._take(_TOKEN)[0])

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"not readable at character {self._at + 1}")
        self._at = match.end()
        return match

    def _skip(self, character: str) -> bool:
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True


def _bytes(text: str) -> bytes:
    raw = b64decode(text, validate=True)
    if b64encode(raw).decode() != text:
        raise ValueError("base64 in another spelling than its own")
    return raw
