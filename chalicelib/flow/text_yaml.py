"""Reads the strict subset of YAML that is losslessly JSON: ruamel.yaml makes the events, we make the values.

Own resolution of plain text (a date, `010` and `no` stay text), own composition (duplicate keys, places, depth, all
problems at once). What YAML itself cannot read is explained by `text_traps`, blanked out, and reading begins again, so
that one file shows all its mistakes. Importing this imports ruamel.yaml; the Lambda reads JSON and never does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from chalicelib.flow.scanner import NotClosed, has_hole, scan
from chalicelib.flow.text_comments import next_indent, value_end
from chalicelib.flow.text_quoting import NUMBER, WORDS, cure
from chalicelib.flow.text_source import DEEPEST, MOST_DIGITS, Reading, Source
from chalicelib.flow.text_traps import Span, Trouble, explain
from chalicelib.flow.values import Json, Place, Pointer

NOTHING_LOST: Mapping[int, str] = {}
_SHALLOW = 3
"""An alias in place of a step or more: what it stands for is missed elsewhere too."""

_MOST_ROUNDS = 20
_MOST_WORK = 2_000_000
"""Characters read in all rounds: a large file with many mistakes shows the first ones only."""


@dataclass(slots=True)
class _Open:
    """A list or map that is being read; `key` is None while a map waits for its next key."""

    value: "dict[str, Json] | list[Json]"
    pointer: Pointer
    in_flow: bool
    start: int
    key: str | None = None
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A text value with `${` in it, as it stands in the file: from `start` to `end`, `style` its quote or None."""

    value: str
    pointer: Pointer
    start: int
    end: int
    style: str | None
    in_flow: bool


class _Stop(Exception):  # noqa: N818
    """Reading on makes no sense; the problem has been noted."""


class _Again(Exception):  # noqa: N818
    """Reading on makes sense without this stretch only; the problem has been noted."""

    def __init__(self, span: Span) -> None:
        super().__init__()
        self.span = span


def read_yaml_source(source: Source) -> Reading:
    """Read a YAML text; every problem that could be found is noted in the source."""
    text, reading, lost = source.text, Reading({}, {}, {}), dict[int, str]()
    may_mean_all = source.is_clean_of_characters
    rounds = max(1, min(_MOST_ROUNDS, _MOST_WORK // max(1, len(text))))
    for _ in range(rounds):
        composer = _Composer(source, text, lost)
        trouble = composer.compose()
        reading = composer.reading
        blank = explain(source, text, trouble) if isinstance(trouble, Trouble) else trouble
        if blank is None:
            return replace(reading, is_whole=trouble is None and reading.is_whole and may_mean_all)
        start, end = blank
        lost[start] = source.text[start:end]
        text = text[:start] + _filler(end - start) + text[end:]
    return replace(reading, is_whole=False)


def written_expressions(source: Source) -> list[WrittenText]:
    """Find where the texts with expressions stand in a file that has no problems, in its order."""
    composer = _Composer(source, source.text)
    composer.compose()
    source.end_reading()
    return composer.expressions


def _filler(length: int) -> str:
    return f'"{"_" * (length - 2)}"' if length > 1 else "_"


class _Composer:
    """Makes values of events, without recursion."""

    def __init__(self, source: Source, text: str, lost: Mapping[int, str] = NOTHING_LOST) -> None:
        self._source = source
        self._text = text
        self._lost = lost
        self._damaged: set[Pointer] = set()
        self._shifted: set[Pointer] = set()
        """Maps in which a value is empty whose lines seem to follow it: what follows may not be what it seems."""
        self._is_whole = True
        self._stack: list[_Open] = []
        self._root: Json = None
        self._keys: dict[Pointer, Place] = {}
        self._values: dict[Pointer, Place] = {}
        self._documents = 0
        self.expressions: list[WrittenText] = []

    @property
    def reading(self) -> Reading:
        """What has been read."""
        return Reading(self._root, self._keys, self._values, frozenset(self._damaged), self._is_whole)

    def compose(self) -> Trouble | Span | None:
        """Read all events; gives what YAML could not read, if anything, or what to blank out before reading again."""
        yaml = YAML(typ="safe", pure=True)
        try:
            for event in yaml.parse(self._text):  # pyright: ignore[reportUnknownMemberType]
                self._take(event)
        except _Stop:
            self._is_whole = False
            return None
        except _Again as again:
            return again.span
        except MarkedYAMLError as error:
            return Trouble.of(error, self._opened)
        except (YAMLError, ValueError, OverflowError, IndexError) as error:
            # ruamel 0.19 lets Python's own errors through for a few impossible escapes.
            return Trouble(0, 0, "", str(error).split("\n", 1)[0], None)
        if not self._documents:
            self._source.note(0, "The file is empty.", "Begin with `flow: <name>`.")
        elif not isinstance(self._root, dict) and not self._source.problems:
            self._source.note(0, "A flow file is a map of keys and values.", "Begin with `flow: <name>`.")
        return None

    @property
    def _opened(self) -> int | None:
        """Where the outermost `{` or `[` begins that is still open."""
        return next((one.start for one in self._stack if one.in_flow), None)

    def _take(self, event: Any) -> None:
        if self._source.is_full:
            raise _Stop
        match type(event).__name__:
            case "ScalarEvent":
                self._scalar(event)
            case "MappingStartEvent":
                self._open({}, event)
            case "SequenceStartEvent":
                self._open([], event)
            case "MappingEndEvent" | "SequenceEndEvent":
                self._close()
            case "AliasEvent":
                self._alias(event)
            case "DocumentStartEvent":
                self._document(event)
            case _:
                pass

    def _document(self, event: Any) -> None:
        self._documents += 1
        start: int = event.start_mark.index
        if self._documents > 1:
            self._source.note(
                start,
                "A second document begins here.",
                "One file holds one flow: take the `---` out, or split the file.",
            )
            raise _Stop
        if event.version or event.tags:
            index = self._text.rfind("%", 0, start + 1)
            self._source.note(max(index, 0), "A line that begins with `%` instructs YAML.", "Take the line out.")

    def _open(self, value: "dict[str, Json] | list[Json]", event: Any) -> None:
        start: int = event.start_mark.index
        self._refuse_marks(event, start)
        if is_key := self._wants_key():
            self._is_whole = False
            self._source.note(
                start, "A key is a name, not a list or a map.", "Write `name: value`; for text use quotes."
            )
        pointer = self._place(start, value)
        if len(self._stack) >= DEEPEST:
            self._source.note(start, f"This is nested more than {DEEPEST} deep.", "Keep data out of the flow.")
            raise _Stop
        self._stack.append(_Open(value, pointer, in_flow=bool(event.flow_style), start=start, is_key=is_key))

    def _close(self) -> None:
        closed = self._stack.pop()
        self._placed()
        if closed.is_key:
            # It was refused; what follows is its value all the same.
            self._stack[-1].key = ""

    def _scalar(self, event: Any) -> None:
        start: int = event.start_mark.index
        self._refuse_marks(event, start)
        text: str = self._whole_characters(event.value, start)
        plain = event.style is None
        if self._wants_key():
            self._key(text, start, plain=plain)
            return
        if plain and (event.anchor is not None or event.tag is not None):
            text, plain = self._written(start), False
        if start in self._lost:
            text, plain = self._lost[start], False
        value: Json = text
        if plain:
            value = self._plain(text, start, event.end_mark.index)
        pointer = self._place(start, value)
        if isinstance(value, str) and "${" in value:
            in_flow = bool(self._stack) and self._stack[-1].in_flow
            end: int = event.end_mark.index
            self.expressions.append(WrittenText(value, pointer, start, end, event.style, in_flow))
        self._placed()

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None

    def _key(self, key: str, start: int, *, plain: bool) -> None:
        top = self._stack[-1]
        note = self._source.note
        if plain and key == "<<":
            self._is_whole = False
            note(start, "`<<` merges maps in YAML; flows have no merging.", "Write the keys out.")
        elif plain and (key in WORDS or NUMBER.match(key)):
            kind = "a number" if key not in WORDS else "null" if key == "null" else "true or false"
            note(start, f"The key `{key[:40]}` is {kind}, not text.", f'Put quotes around it: "{key[:40]}".')
        elif plain and not key:
            note(start, "A key is missing before `:`.", "Write `name: value`.")
        elif has_hole(key):
            do = "Write the name out, or make the whole object in one expression: ${ {'name': value} }."
            note(start, "A key is never an expression.", do)
        pointer = (*top.pointer, key)
        if key in cast("dict[str, Json]", top.value):
            first = self._keys.get(pointer)
            do = f"Keep one; the first is on line {first.line}." if first else "Keep one."
            note(start, f"The key `{key[:40]}` stands here a second time.", do)
        else:
            self._keys[pointer] = self._source.lines.place(start)
        if len(pointer) > 1 and top.pointer in self._shifted:
            self._damaged.add(pointer)
        top.key = key

    def _place(self, start: int, value: Json) -> Pointer:
        """Put a value where it belongs; gives its pointer."""
        if not self._stack:
            self._root, pointer = value, ()
        else:
            top = self._stack[-1]
            if isinstance(top.value, list):
                pointer = (*top.pointer, len(top.value))
                top.value.append(value)
            else:
                pointer = (*top.pointer, top.key or "")
                top.value[top.key or ""] = value
        self._values[pointer] = self._source.lines.place(start)
        return pointer

    def _placed(self) -> None:
        """Wait for the next key."""
        if self._stack:
            self._stack[-1].key = None

    def _plain(self, text: str, start: int, end: int) -> Json:
        if not text:
            return self._refuse_empty(start)
        if text in WORDS:
            return WORDS[text]
        if number := NUMBER.match(text):
            return self._number(text, start, whole=number[1] is None and number[2] is None)
        if "${" in text:
            return self._refuse_cut(text, start, end)
        return text

    def _number(self, text: str, start: int, *, whole: bool) -> Json:
        if whole and len(text) > MOST_DIGITS:
            self._source.note(start, f"A number of more than {MOST_DIGITS:,} digits.", "Put quotes around it.")
            return 0
        value = int(text) if whole else float(text)
        if isinstance(value, float) and math.isinf(value):
            self._source.note(start, "This number is too large.", "Put quotes around it.")
        return value

    def _refuse_empty(self, start: int) -> Json:
        """Say that a value is missing; `# ` is a comment, but `#orders` was meant. Gives the value that was meant."""
        top = self._stack[-1] if self._stack else None
        pointer = (*top.pointer, top.key or "") if top else ()
        key = self._keys.get(pointer)
        if top is None or key is None or not top.key:
            self._is_whole = False
            self._source.note(max(start - 1, 0), "This item of the list is empty.", "Write a value, or take it out.")
            return None
        colon = self._text.find(":", self._source.lines.index(key) + len(top.key))
        after = colon + 1 if colon >= 0 else start
        rest = self._text[after : self._source.line_end(after)]
        cut = rest.strip()
        if cut.startswith("#") and cut[1:2].strip():
            index = after + len(rest) - len(rest.lstrip())
            what = f"The value of `{top.key}` is empty: in YAML, ` #` begins a comment."
            self._source.note(index, what, cure(cut))
            return cut
        self._damaged.add(pointer)
        do = 'Write a value; "" is an empty text, [] an empty list, null nothing.'
        if not top.in_flow and next_indent(self._source.text, after) == key.column - 1:
            self._shifted.add(top.pointer)
            do = f"Indent the lines that belong to it further than `{top.key}`; if there are none, write a value."
        self._source.note(self._source.lines.index(key), f"The value of `{top.key}` is empty.", do)
        return None

    def _refuse_cut(self, text: str, start: int, end: int) -> str:
        """Say that ` #` cut an expression; what stands open for another reason is the check's to say."""
        line_end = self._source.line_end(end)
        if not self._text[end:line_end].lstrip().startswith("#"):
            return text
        try:
            scan(text)
        except NotClosed:
            top = self._stack[-1]
            whose = f"The value of `{top.key}`" if top.key else "This value"
            whole = self._text[start:line_end].rstrip()
            self._source.note(start, f"{whose} is cut off: in YAML, ` #` begins a comment.", cure(whole))
            return whole
        return text

    def _refuse_marks(self, event: Any, start: int) -> None:
        """Refuse anchors and tags."""
        if event.anchor is None and event.tag is None:
            return
        written = cure(self._written(start))
        if event.anchor is not None:
            what = f"In YAML, `&` begins an anchor (`&{event.anchor}`); flows have none."
            self._source.note(start, what, f"Take it out; if it is text, p{written[1:]}")
        if event.tag is not None:
            what = "In YAML, `!` begins a tag; flows have none."
            self._source.note(start, what, f"Take it out; if it is text, p{written[1:]}")

    def _alias(self, event: Any) -> None:
        start: int = event.start_mark.index
        written = self._written(start)
        only_alias = written == f"*{event.anchor}"
        do = f"Write the value out; if it is text, p{cure(written)[1:]}" if only_alias else cure(written)
        self._source.note(start, "In YAML, `*` begins an alias; flows have none.", do)
        if self._wants_key():
            self._is_whole = False
            self._stack[-1].key = written
            return
        if not only_alias:
            raise _Again((start, start + len(written)))
        self._damaged.add(self._place(start, None))
        self._is_whole = self._is_whole and len(self._stack) > _SHALLOW
        self._placed()

    def _written(self, start: int) -> str:
        """A value as it stands in the file, from its first character to its end on this line."""
        in_flow = bool(self._stack) and self._stack[-1].in_flow
        return self._source.text[start : value_end(self._source.text, start, in_flow=in_flow)]

    def _whole_characters(self, text: str, start: int) -> str:
        """Join surrogate pairs written as two escapes; a lone half is a problem."""
        if not any("\ud800" <= character <= "\udfff" for character in text):
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            what = "The text holds half a character (a lone surrogate)."
            self._source.note(start, what, "Write the whole character.")
            return text.encode("utf-8", "replace").decode("utf-8")
