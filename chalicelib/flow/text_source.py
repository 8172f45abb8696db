"""A file's text before it is read: bytes to characters, what may not stand in it, and where each character stands."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from chalicelib.errors import FlowTextError, Problem
from chalicelib.flow.values import Json, Place, Pointer

LARGEST = 1_000_000
"""Bytes of a file; a thousand steps written out take about a quarter of it."""
DEEPEST = 100
MOST_DIGITS = 4300
"""What Python's `int` takes from text (`sys.int_info.default_max_str_digits`)."""
MOST_PROBLEMS = 50
"""What one error carries."""
MOST_NOTED = 500
"""What is noted before the file is given up; more than is told, for they are sorted by place afterwards."""

_BYTE_ORDER_MARK = "\ufeff"
_LINE_END = re.compile(r"\r\n|\n|\r")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
# JSON allows these inside strings, where JavaScript programs write them; YAML would take them for line ends.
_FORBIDDEN_IN_JSON = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found: the value, and where keys and values begin.

    Of a text with problems, `damaged` leads to the values that are not as they were meant; unless `is_whole`, more than
    values may be missing.
    """

    data: Json
    keys: dict[Pointer, Place]
    values: dict[Pointer, Place]
    damaged: frozenset[Pointer] = frozenset()
    is_whole: bool = True


class Lines:
    """The lines of a text; turns an index into a place and back."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in _LINE_END.finditer(text))]

    def place(self, index: int) -> Place:
        """Say on which line and column a character stands."""
        line = bisect_right(self._starts, index)
        return Place(line, index - self._starts[line - 1] + 1)

    def index(self, place: Place) -> int:
        """Say which character stands at a known place."""
        return self._starts[place.line - 1] + place.column - 1

    def start(self, line: int) -> int:
        """Say where a line begins, counted from 1."""
        return self._starts[line - 1]

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._starts)


@dataclass(slots=True)
class Source:
    """A text on its way to being read, with the problems found so far."""

    name: str
    text: str
    lines: Lines
    problems: list[Problem] = field(default_factory=list[Problem])
    is_clean_of_characters: bool = True
    """Whether every character may stand in a file; a byte order mark is forgiven."""

    @property
    def is_full(self) -> bool:
        """Whether so much is wrong that no more is noted."""
        return len(self.problems) >= MOST_NOTED

    def note(self, index: int, what: str, do: str) -> None:
        """Note a problem at a character."""
        if self.is_full:
            return
        place = self.lines.place(index)
        problem = Problem(self.name, place.line, place.column, what, do)
        if problem not in self.problems:
            self.problems.append(problem)

    def forget_behind(self, index: int) -> None:
        """Forget the problems noted behind a character: what stands there was misread, and is read again."""
        here = self.lines.place(index)
        self.problems[:] = [one for one in self.problems if (one.line, one.column) < (here.line, here.column)]

    def line_of(self, index: int) -> int:
        """Say on which line a character stands."""
        return self.lines.place(index).line

    def has_problem_on(self, line: int) -> bool:
        """Say whether a problem has been noted on a line."""
        return any(problem.line == line for problem in self.problems)

    def has_problem_within(self, start: int, end: int) -> bool:
        """Say whether a problem has been noted in a stretch of the text."""
        first, last = self.lines.place(start), self.lines.place(end)
        here = ((problem.line, problem.column) for problem in self.problems)
        return any((first.line, first.column) <= place <= (last.line, last.column) for place in here)

    def line_end(self, index: int) -> int:
        """Find where the line of a character ends."""
        found = _LINE_END.search(self.text, index)
        return found.start() if found else len(self.text)

    def end_reading(self) -> None:
        """Raise what has been noted, if anything, in the order of the file."""
        if self.problems:
            self.problems.sort(key=lambda problem: (problem.line, problem.column))
            count = len(self.problems)
            detail = f"{self.name} cannot be read: {count} problem{'s' if count > 1 else ''}."
            raise FlowTextError(detail, problems=self.problems[:MOST_PROBLEMS])


def open_source(text: str | bytes, name: str, *, is_json: bool = False) -> Source:
    """Decode a file and note what may not stand in it; FlowTextError when nothing of it can be read."""
    if isinstance(text, bytes):
        text = _decoded(text, name)
    if len(text) > LARGEST or len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        what = f"The file is larger than {LARGEST:,} bytes."
        raise FlowTextError(
            f"{name} is too large.", problems=[Problem(name, 0, 0, what, "Split it, or keep data out of the flow.")]
        )
    marked = text.startswith(_BYTE_ORDER_MARK)
    text = text.removeprefix(_BYTE_ORDER_MARK)
    source = Source(name, text, Lines(text))
    if marked:
        source.note(0, "The file begins with a byte order mark.", "Save it as UTF-8 without BOM.")
    forbidden = _FORBIDDEN_IN_JSON if is_json else _FORBIDDEN
    for count, found in enumerate(forbidden.finditer(text)):
        if count == MOST_PROBLEMS:
            break
        source.note(found.start(), *_why_forbidden(found[0]))
    if len(source.problems) > marked:
        source.is_clean_of_characters = False
        source.text = forbidden.sub("_", text)
    return source


def _decoded(text: bytes, name: str) -> str:
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        problem = Problem(name, 1, 1, "The file is UTF-16, not UTF-8.", "Save it as UTF-8.")
        raise FlowTextError(f"{name} is not UTF-8.", problems=[problem])
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        place = Lines(before := text[: error.start].decode("utf-8")).place(len(before))
        what = f"The byte 0x{text[error.start]:02x} is not UTF-8."
        problem = Problem(name, place.line, place.column, what, "Save the file as UTF-8.")
        raise FlowTextError(f"{name} is not UTF-8.", problems=[problem]) from error


def _why_forbidden(character: str) -> tuple[str, str]:
    code = ord(character)
    if code == 0:
        return "A NUL character stands here.", "Take it out."
    if 0xD800 <= code <= 0xDFFF:
        return f"Half a character (the lone surrogate U+{code:04X}) stands here.", "Write the whole character."
    if code in {0x85, 0x2028, 0x2029}:
        return (
            f"An invisible line separator (U+{code:04X}) stands here.",
            f'Take it out; if it is meant, write "\\u{code:04x}".',
        )
    what = f"An invisible control character (U+{code:04X}) stands here."
    return what, f'Take it out; if it is meant, write "\\u{code:04x}".'
