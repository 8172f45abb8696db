"""Reads JSON with the place of every key and value, and says everything that is wrong with it where it can go on."""

import json
import math
import re
from collections.abc import Iterator, Mapping

from chalicelib.flow.text_source import DEEPEST, MOST_DIGITS, Reading, Source, open_source
from chalicelib.flow.values import Json, Place, Pointer

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\n\r]|\\.)*+"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![\w.+-])")
_WORD = re.compile(r"[-+\w.]+")
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|#[^\n]*", re.DOTALL)


class _Stop(Exception):  # noqa: N818
    """The text makes no sense from here on; the problem has been noted."""


class _Double(Exception):  # noqa: N818
    """A key stands twice in one object."""


def read_json_text(text: str | bytes, name: str) -> tuple[Source, Json, "JsonPlaces", "JsonPlaces"]:
    """Read a JSON file; FlowTextError carries every problem found.

    The fast way is Python's own reader; only a text that it or a look at its result refuses, or whose places are asked
    for, is read character by character.
    """
    source = open_source(text, name, is_json=True)
    data = None if source.problems else _quickly(source.text)
    if data is None:
        reading = _Reader(source).read()
        source.end_reading()
        data = reading.data
    places = _Places(source)
    return source, data, JsonPlaces(places, keys=True), JsonPlaces(places, keys=False)


class _Places:
    """The places of a JSON text, found when they are first asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reading: Reading | None = None

    def reading(self) -> Reading:
        if self._reading is None:
            self._reading = _Reader(self._source).read()
        return self._reading


class JsonPlaces(Mapping[Pointer, Place]):
    """The places of all keys, or of all values, of a JSON text."""

    def __init__(self, places: _Places, *, keys: bool) -> None:
        self._places = places
        self._keys = keys

    def _all(self) -> dict[Pointer, Place]:
        reading = self._places.reading()
        return reading.keys if self._keys else reading.values

    def __getitem__(self, pointer: Pointer) -> Place:
        return self._all()[pointer]

    def __iter__(self) -> Iterator[Pointer]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _quickly(text: str) -> Json:
    """Read a text that has nothing wrong with it; None for any other (and for a lone null, which is wrong too)."""
    if "\\ud" in text or "\\uD" in text:
        return None
    try:
        data: Json = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, _Double):
        return None
    return data if isinstance(data, dict) and _is_plain(data) else None


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Double
    return result


def _refuse_constant(word: str) -> Json:
    raise ValueError(word)


def _is_plain(data: Json) -> bool:
    """Say whether a value is within the depth allowed and has no infinity in it."""
    layer: list[Json] = [data]
    for depth in range(DEEPEST + 1):
        below: list[Json] = []
        for value in layer:
            if isinstance(value, dict | list):
                if depth == DEEPEST:
                    return False
                below.extend(value.values() if isinstance(value, dict) else value)
            elif isinstance(value, float) and math.isinf(value):
                return False
        layer = below
    return True


class _Reader:
    """Reads one text, recursively up to the depth allowed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._at = 0
        self._keys: dict[Pointer, Place] = {}
        self._values: dict[Pointer, Place] = {}

    def read(self) -> Reading:
        data: Json = {}
        try:
            self._space()
            if self._at == len(self._text):
                self._stop(0, "The file is empty.", 'Begin with {"flow": "<name>"}.')
            data = self._value(())
            self._space()
            if self._at < len(self._text):
                self._stop(self._at, "Something stands behind the end of the document.", "Take it out.")
            if not isinstance(data, dict):
                self._stop(0, "A flow is an object.", 'Begin with {"flow": "<name>"}.')
        except _Stop:
            pass
        return Reading(data, self._keys, self._values)

    def _stop(self, index: int, what: str, do: str) -> None:
        self._source.note(index, what, do)
        raise _Stop

    def _space(self) -> None:
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            comment = _COMMENT.match(self._text, self._at)
            if comment is None:
                return
            self._source.note(self._at, "JSON has no comments.", "Take it out, or write the flow as YAML.")
            self._at = comment.end()

    def _value(self, pointer: Pointer) -> Json:
        self._values[pointer] = self._source.lines.place(self._at)
        match self._text[self._at : self._at + 1]:
            case "{" | "[" if len(pointer) >= DEEPEST:
                self._stop(self._at, f"This is nested more than {DEEPEST} deep.", "Keep data out of the flow.")
                return None
            case "{":
                return self._members(pointer)
            case "[":
                return self._items(pointer)
            case '"':
                return self._string()
            case "":
                self._stop(self._at, "The file ends too early.", "Write what is missing at its end.")
                return None
            case _:
                return self._word()

    def _members(self, pointer: Pointer) -> dict[str, Json]:
        result: dict[str, Json] = {}
        self._at += 1
        while not self._ends("}"):
            start = self._at
            if self._text[start : start + 1] != '"':
                self._stop(start, "A key in double quotes is missing here.", 'Write "key": value.')
            key = self._string()
            if key in result:
                first = self._keys[*pointer, key].line
                self._source.note(
                    start, f"The key `{key}` stands here a second time.", f"The first is on line {first}."
                )
            else:
                self._keys[*pointer, key] = self._source.lines.place(start)
            self._space()
            if self._text[self._at : self._at + 1] != ":":
                self._stop(self._at, f"After the key `{key}` a `:` is missing.", 'Write "key": value.')
            self._at += 1
            self._space()
            result[key] = self._value((*pointer, key))
            self._comma("}")
        return result

    def _items(self, pointer: Pointer) -> list[Json]:
        result: list[Json] = []
        self._at += 1
        while not self._ends("]"):
            result.append(self._value((*pointer, len(result))))
            self._comma("]")
        return result

    def _ends(self, closing: str) -> bool:
        self._space()
        if self._text[self._at : self._at + 1] == closing:
            self._at += 1
            return True
        return False

    def _comma(self, closing: str) -> None:
        self._space()
        match self._text[self._at : self._at + 1]:
            case ",":
                comma = self._at
                self._at += 1
                self._space()
                if self._text[self._at : self._at + 1] == closing:
                    self._source.note(comma, f"A comma stands before the closing `{closing}`.", "Take it out.")
            case character if character != closing:
                self._stop(self._at, f"A `,` or `{closing}` is missing here.", "Compare it with what stands before it.")
            case _:
                pass

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            self._stop(
                self._at, "A text begins here and does not end on its line.", 'Close it with `"`; a line end is \\n.'
            )
            return ""
        start, self._at = self._at, found.end()
        try:
            value: str = json.loads(found[0])
        except json.JSONDecodeError as error:
            what, do = "This is no escape of JSON.", 'Write \\\\ for a backslash, \\" for a quote.'
            if found[0][error.pos : error.pos + 1] < " ":
                what, do = "A tab or another control character stands in a text.", "Write a tab as \\t."
            self._source.note(start + error.pos, what, do)
            return found[0]
        for index, character in enumerate(value):
            if "\ud800" <= character <= "\udfff":
                what = f"The text holds half a character (the lone surrogate \\u{ord(character):04x}), at {index}."
                self._source.note(start, what, "Write the whole character.")
                break
        return value

    def _word(self) -> Json:
        start = self._at
        number = _NUMBER.match(self._text, start)
        if number is not None:
            self._at = number.end()
            return self._number(number)
        found = _WORD.match(self._text, start)
        word = found[0] if found else self._text[start]
        self._at = start + len(word)
        if word in _WORDS:
            return _WORDS[word]
        if word.lstrip("+-") in {"NaN", "Infinity", "nan", "inf"}:
            self._source.note(start, f"`{word}` is not a number of JSON.", "Write null, or a text in quotes.")
        elif found:
            self._source.note(start, f"`{word[:40]}` is no value of JSON.", "Put double quotes around a text.")
        else:
            self._stop(start, f"JSON does not expect `{word}` here.", "Write a value: text in double quotes, a number.")
        return None

    def _number(self, found: re.Match[str]) -> Json:
        if found[1] is None and found[2] is None:
            if len(found[0]) > MOST_DIGITS:
                self._source.note(found.start(), f"A number of more than {MOST_DIGITS:,} digits.", "Write it as text.")
                return 0
            return int(found[0])
        value = float(found[0])
        if math.isinf(value):
            self._source.note(found.start(), "This number is too large.", "Write it as text, in quotes.")
        return value
