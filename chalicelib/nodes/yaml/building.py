"""Builds plain data from the events of the YAML parser, within bounds."""

import json
import re
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
)

from chalicelib.flow.values import Json

DEEPEST = 100
MOST_VALUES = 100_000
"""More values than this are not taken, every alias written out: nine lines of aliases can mean a billion."""

LONGEST_TEXT = 1_000_000
"""Characters; the parser is written in Python and reads about 100,000 of them in a second."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,4000})(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS: dict[str, Json] = {"": None, "~": None, "null": None, "true": True, "false": False}
_MERGE = "<<"
_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SURROGATE = re.compile("[\ud800-\udfff]")


class RefusedError(Exception):
    """Why a text is not taken, without showing it."""


_Weighed: TypeAlias = tuple[Json, int, int]
"""A value, how many values it consists of, and how deeply they are nested, every alias written out."""


def read(text: str) -> list[Json]:
    """Every document in the text; RefusedError where it is not YAML, or not what is taken."""
    text = text.removeprefix("\ufeff")
    if len(text) > LONGEST_TEXT:
        raise RefusedError(f"it has more than {LONGEST_TEXT} characters")
    if _ILLEGAL.search(text):
        raise RefusedError("it has a character that YAML does not allow, such as a control character")
    parser: Any = YAML(typ="safe", pure=True)
    builder = _Builder()
    try:
        for event in parser.parse(text):
            builder.take(event)
    except MarkedYAMLError as error:
        marked: Any = error
        mark = marked.problem_mark or marked.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise RefusedError(f"it is not well-formed{place}") from None
    except (
        YAMLError,
        ValueError,
        OverflowError,
        LookupError,
        AttributeError,
        TypeError,
        AssertionError,
        RecursionError,
    ):
        # The parser lets these escape for some broken texts: an escape beyond Unicode, a directive without a version.
        raise RefusedError("it is not well-formed") from None
    return builder.documents


class _Open:
    """A list or an object that is still being read."""

    __slots__ = ("anchor", "depth", "is_mapping", "items", "key", "merged", "merges", "pairs", "weight")

    def __init__(self, *, is_mapping: bool, anchor: str | None) -> None:
        self.is_mapping = is_mapping
        self.anchor = anchor
        self.items: list[Json] = []
        self.pairs: dict[str, Json] = {}
        self.merged: dict[str, Json] = {}
        self.merges = False
        self.key: str | None = None
        self.weight = 1
        self.depth = 1


class _Builder:
    """Takes the events one by one; nothing here recurses."""

    def __init__(self) -> None:
        self.documents: list[Json] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, _Weighed] = {}
        self._where = ""
        self._weight = 0

    def take(self, event: Any) -> None:
        anchored: Any = event
        mark = event.start_mark
        self._where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        match event:
            case DocumentStartEvent():
                self._anchors = {}
            case AliasEvent():
                self._alias(anchored.anchor)
            case CollectionStartEvent():
                self._check_tag(event)
                if len(self._open) >= DEEPEST:
                    raise self._refusal(f"it is nested deeper than {DEEPEST} levels")
                self._open.append(_Open(is_mapping=isinstance(event, MappingStartEvent), anchor=anchored.anchor))
            case CollectionEndEvent():
                self._close()
            case ScalarEvent():
                self._check_tag(event)
                self._scalar(event)
            case _:
                pass

    def _refusal(self, why: str) -> RefusedError:
        return RefusedError(why + self._where)

    def _check_tag(self, event: Any) -> None:
        # A lone `!` is a tag as well.
        if event.ctag is not None:
            raise self._refusal("it has a tag (!...), which is refused")

    def _alias(self, anchor: str) -> None:
        if anchor not in self._anchors:
            raise self._refusal("an alias names an anchor that is not complete before it")
        self._place(self._anchors[anchor])

    def _scalar(self, event: Any) -> None:
        top = self._open[-1] if self._open else None
        is_key = top is not None and top.is_mapping and top.key is None and not top.merges
        value: Json = event.value
        if is_key and event.style is None and event.value == _MERGE and top is not None:
            top.merges = True
            return
        if event.style == '"' and _SURROGATE.search(event.value):
            value = self._joined_surrogates(event.value)
        if not is_key and event.style is None:
            value = self._plain(event.value)
        weighed = (value, 1, 0)
        if event.anchor is not None:
            self._anchors[event.anchor] = weighed
        self._place(weighed)

    def _joined_surrogates(self, text: str) -> str:
        """As JSON writes what lies beyond U+FFFF: two escapes are one character."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._refusal("it has a lone surrogate, which no text in Unicode has") from None

    def _plain(self, text: str) -> Json:
        if text in _WORDS:
            return _WORDS[text]
        number = _NUMBER.fullmatch(text)
        if number is None:
            return text
        if number[1] is None and number[2] is None:
            return int(text)
        value = json.loads(text)
        if value in (float("inf"), float("-inf")):
            raise self._refusal("a number is too large")
        return value

    def _close(self) -> None:
        done = self._open.pop()
        value: Json = done.items
        if done.is_mapping:
            value = {**done.merged, **done.pairs} if done.merged else done.pairs
        weighed = (value, done.weight, done.depth)
        if done.anchor is not None:
            self._anchors[done.anchor] = weighed
        self._place(weighed)

    def _place(self, weighed: _Weighed) -> None:
        """Put a finished value where it belongs."""
        value, weight, depth = weighed
        if not self._open:
            self._weight += weight
            self._bound(self._weight, depth)
            self.documents.append(value)
            return
        top = self._open[-1]
        top.weight += weight
        top.depth = max(top.depth, depth + 1)
        self._bound(self._weight + top.weight, len(self._open) + depth)
        if not top.is_mapping:
            top.items.append(value)
        elif top.merges:
            for one in value if isinstance(value, list) else [value]:
                self._merge(one, top)
            top.merges = False
        elif top.key is None:
            top.key = self._key(value, top)
        else:
            top.pairs[top.key] = value
            top.key = None

    def _bound(self, weight: int, depth: int) -> None:
        if weight > MOST_VALUES:
            raise self._refusal(f"it holds more than {MOST_VALUES} values, every alias written out")
        if depth > DEEPEST:
            raise self._refusal(f"it is nested deeper than {DEEPEST} levels, every alias written out")

    def _key(self, value: Json, top: _Open) -> str:
        if not isinstance(value, str):
            raise self._refusal("a key is not text")
        if value in top.pairs:
            raise self._refusal("a key occurs twice")
        return value

    def _merge(self, value: Json, top: _Open) -> None:
        if not isinstance(value, dict):
            raise self._refusal("a merge key (<<) takes an object, or a list of them")
        for key, item in value.items():
            # Of several the first counts (YAML merge keys, draft of 2005), and what is written out before all.
            top.merged.setdefault(key, item)
