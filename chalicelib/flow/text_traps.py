"""What people write that YAML cannot read, and what to write instead."""

import re
from dataclasses import dataclass
from typing import Any

from chalicelib.flow.scanner import NotClosed, ending_of
from chalicelib.flow.text_comments import eaten_by_comment, flow_value
from chalicelib.flow.text_quoting import cure, quoted
from chalicelib.flow.text_source import Source

_KEY = re.compile(r"""\s*(?:-\s+)*(?:"[^"]*"|'[^']*'|[^\s#&*!|>'"%@`{}\[\],][^:#]*?)\s*:\s+""")
_BEFORE_HOLE = re.compile(r"""(?:([\w.-]+|"[^"]*"|'[^']*')\s*:\s|[\[,]|\A)\s*((?:(?!:\s)[^,\[\]{}])*)\Z""")
_COMMENT = re.compile(r"\s+#")
_TABS = ("YAML does not take tabs for indentation.", "Indent with spaces, two for each level.")
_GLUED = re.compile(r"^[ ]*([\w-]+:)([^\s:/][^\r\n]*)\s*\Z", re.MULTILINE)
_BLOCK_ABOVE = re.compile(r":[ ]+[|>][-+0-9]*[ ]*(?:\#[^\r\n]*)?\s*\Z")
_WHOLE_QUOTED = "Put the whole value between quotes."
_MEANINGS = {"*": "an alias", "&": "an anchor", "!": "a tag", "|": "a block", ">": "a block", "?": "a key"}
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What ruamel says of a text it cannot read, and where (indexes of characters)."""

    index: int
    context_index: int
    context: str
    problem: str
    opened: int | None
    """Where the outermost `{` or `[` begins that was still open."""

    @staticmethod
    def of(error: Any, opened: int | None) -> "Trouble":
        """Take the facts out of ruamel's error."""
        mark = error.problem_mark or error.context_mark
        index: int = mark.index if mark is not None else 0
        context: int = error.context_mark.index if error.context_mark is not None else index
        return Trouble(index, context, error.context or "", error.problem or "", opened)


def explain(source: Source, text: str, trouble: Trouble) -> Span | None:
    """Note what is wrong in words; gives the stretch to blank out before reading on, None when that cannot be told."""
    if trouble.opened is not None and (eaten := eaten_by_comment(text, trouble.opened, trouble.index)):
        source.forget_behind(eaten.hash)
        source.note(
            eaten.hash if eaten.is_whole else eaten.start, eaten.what, cure(source.text[eaten.start : eaten.end])
        )
        return eaten.start, eaten.end
    line = source.line_of(trouble.index)
    finding = _Finding(source, text, trouble)
    what, do, index, span = finding.read()
    # What was noted on this line (an alias, say) has caused this; in a flow map each value has mistakes of its own.
    caused = source.has_problem_on(line) and not finding.is_unquoted_hole
    if trouble.opened is not None and span is not None:
        caused = source.has_problem_within(*span)
    if not caused:
        source.note(index, what, do)
    return span


class _Finding:
    """One trouble, looked at from all sides."""

    def __init__(self, source: Source, text: str, trouble: Trouble) -> None:
        self._source = source
        self._text = text
        self._trouble = trouble
        self._index = trouble.index
        line = source.line_of(min(trouble.index, max(len(text) - 1, 0)))
        self._start = source.lines.start(line)
        self._end = source.line_end(self._start)
        self._character = text[trouble.index : trouble.index + 1]

    @property
    def is_unquoted_hole(self) -> bool:
        """Whether this is `${` in a flow map or list, where YAML ends plain text at a brace."""
        return self._character == "{" and self._text[self._index - 1 : self._index] == "$"

    def read(self) -> tuple[str, str, int, Span | None]:
        """Say what, what to do, where, and what to blank out."""
        problem, context = self._trouble.problem, self._trouble.context
        if self.is_unquoted_hole:
            return self._unquoted_hole()
        if "cannot start any token" in problem:
            return self._tab() if self._character == "\t" else self._first_character()
        if "mapping values are not allowed" in problem:
            return self._colon()
        if context.startswith(("while scanning an alias", "while scanning an anchor", "while scanning a tag")):
            return self._first_character()
        if context.startswith("while scanning a block scalar") or "mapping keys are not allowed" in problem:
            return self._first_character()
        if context.startswith(("while scanning a quoted", "while scanning a double-quoted")):
            return self._in_quotes()
        return self._structure()

    def _unquoted_hole(self) -> tuple[str, str, int, Span | None]:
        opening = self._index - 1
        # In a list or a map that spans lines the opening bracket may be further up.
        before = _BEFORE_HOLE.search(self._text[self._start : opening])
        key = before[1] if before else None
        start = opening - len(before[2]) if before else opening
        try:
            end = ending_of(self._text, opening) + 1
        except NotClosed:
            end = self._end
        end = min(end, self._end)
        while end < self._end and self._text[end] not in ",]}":
            end += 1
        value = self._text[start:end].rstrip()
        in_list = "sequence" in self._trouble.context
        inside = "[ ]" if in_list else "{ }"
        shown = f"{key}: {quoted(value)}" if key else quoted(value)
        shown = f"[{shown}]" if in_list else f"{{{shown}}}"
        what = f"YAML cannot read this: an unquoted ${{ }} inside {inside}."
        each = "item on a line of its own" if in_list else "key on its own line"
        return what, f"Quote it: {shown}, or put each {each}.", start, (start, start + len(value))

    def _tab(self) -> tuple[str, str, int, Span | None]:
        before = self._text[self._start : self._index]
        if before.strip():
            return "YAML does not take this tab.", "Write a space.", self._index, (self._index, self._index + 1)
        for found in re.finditer(r"^ *\t\s*(?=\S)", self._text[self._start :], re.MULTILINE):
            index = self._start + found.start() + found[0].index("\t")
            self._source.note(index, *_TABS)
        return *_TABS, self._index, None

    def _first_character(self) -> tuple[str, str, int, Span | None]:
        start, end = self._value_span()
        value = self._text[start:end]
        meaning = _MEANINGS.get(value[:1])
        what = f"In YAML, a value cannot begin with `{value[:1]}`."
        if meaning:
            what = f"In YAML, `{value[:1]}` begins {meaning}."
        return what, cure(value), start, (start, end) if end > start else None

    def _behind_quote(self) -> tuple[str, str, int, Span | None]:
        span = self._value_span()
        is_on_line = self._text[span[0] : span[0] + 1] in {'"', "'"} and span[0] < self._index < span[1]
        return "Something stands behind the closing quote.", _WHOLE_QUOTED, self._index, span if is_on_line else None

    def _colon(self) -> tuple[str, str, int, Span | None]:
        start, end = self._value_span()
        if start >= self._index or not self._text[start:end].strip():
            if glued := _GLUED.search(self._text, 0, self._start):
                index = glued.start(1)
                return f"After `{glued[1]}` a space is missing.", f"Write `{glued[1]} {glued[2]}`.", index, None
            line = self._text[self._start : self._end]
            return (
                "A key stands here, indented under a value.",
                "Indent it like the key before it, or take that key's value away.",
                min(self._start + len(line) - len(line.lstrip()), self._index),
                None,
            )
        value = self._text[start:end]
        what = "YAML cannot read this: `: ` in a value without quotes."
        return what, cure(value), start, (start, end)

    def _in_quotes(self) -> tuple[str, str, int, Span | None]:
        escape = re.search(r"unknown escape character", self._trouble.problem)
        if escape or "hexadecimal" in self._trouble.problem:
            index = self._text.rfind("\\", 0, self._index + 1)
            written = self._text[index : index + 2]
            what = f"`{written}` is no escape of YAML's double quotes."
            span = (index, index + 2)
            blank = None if index < 0 else span
            return what, f"Write `\\{written}` for a backslash, or single quotes around the text.", max(index, 0), blank
        quote = self._text[self._trouble.context_index : self._trouble.context_index + 1]
        return (
            "A text in quotes begins here and never ends.",
            f"Close it with {quote}.",
            self._trouble.context_index,
            None,
        )

    def _structure(self) -> tuple[str, str, int, Span | None]:
        problem, context = self._trouble.problem, self._trouble.context
        begun = self._trouble.context_index
        if "sequence entries are not allowed" in problem:
            do = "Put each item on its own line, or write [a, b]."
            return "A list with `-` begins on a line of its own.", do, self._index, None
        if "flow mapping" in context or "flow sequence" in context:
            return self._in_flow()
        if "could not find expected ':'" in problem:
            if _BLOCK_ABOVE.search(self._text, 0, begun):
                return "The text of a block stands further in than its key.", "Indent these lines further.", begun, None
            return "This line is no `key: value`.", "Write a `:` and a space after the key.", begun, None
        if "stream end" in problem and "flow" in context:
            return "The file ends inside a `{` or `[`.", "Close it.", self._index, None
        if "expected <block end>" in problem and self._before in {'"', "'"}:
            return self._behind_quote()
        if "expected <block end>" in problem:
            what = "This line is indented unlike those it belongs to."
            return what, "Line it up with the keys around it.", self._index, None
        what = f"YAML cannot read this: {problem or 'no more is known'}."
        return what, "Compare it with the lines around it.", self._index, None

    def _in_flow(self) -> tuple[str, str, int, Span | None]:
        """A `{ }` or `[ ]` in which something stands that cannot."""
        problem, begun = self._trouble.problem, self._trouble.context_index
        opening = self._text[begun : begun + 1]
        closing = "}" if "mapping" in self._trouble.context else "]"
        is_new_line = begun < self._start and not self._text[self._start : self._index].strip()
        if "stream end" in problem or "document" in problem or (is_new_line and self._character != ":"):
            return f"The `{opening}` here is never closed.", f"Close it with `{closing}`.", begun, None
        if self._character == ":":
            return self._colon()
        if self._before in {'"', "'"}:
            return self._behind_quote()
        if self._character in {"}", "]"}:
            return f"The `{opening}` before is still open here.", f"Close it with `{closing}` first.", self._index, None
        what = f"A `,` or `{closing}` is missing before this."
        return what, "Put quotes around text that holds any of , [ ] { }.", self._index, None

    @property
    def _before(self) -> str:
        """The last character before the trouble that is no space."""
        return self._text[: self._index].rstrip(" \t")[-1:]

    def _value_span(self) -> Span:
        """Find the value that the trouble is in: from after its key (or from the character itself) to its end."""
        if self._trouble.opened is not None:
            return flow_value(self._text, self._trouble.opened, self._index)
        line = self._text[self._start : self._end]
        key = _KEY.match(line)
        start = self._start + key.end() if key else self._start + len(line) - len(line.lstrip(" -"))
        if not key:
            start = max(start, self._index) if self._character in "@`%*&!|>?" else start
        end = self._end
        comment = _COMMENT.search(self._text, start, end)
        end = comment.start() if comment else end
        return start, start + len(self._text[start:end].rstrip())
