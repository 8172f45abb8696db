"""Finds the place of one character of a text value in the file it was written in, whatever its quotes."""

import re
from functools import lru_cache

from chalicelib.flow.text_source import Lines
from chalicelib.flow.values import UNKNOWN_PLACE, Place

# YAML 1.2 section 5.7; JSON's escapes are among them.
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u([0-9a-fA-F]{4})|U[0-9a-fA-F]{8}|(?:\r\n|\n|\r)[ \t]*|.)", re.DOTALL)
_FOLD = re.compile(r"[ \t]*(?:\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))*[ \t]*")
_BREAK = re.compile(r"\r\n|\n|\r")
_FIRST_LINE = re.compile(r"(?:[ \t]*(?:\r\n|\n|\r))*( *)")
_HEADER = re.compile(r"[|>]([-+0-9]*)[^\n\r]*(?:\r\n|\n|\r)")


@lru_cache(maxsize=4)
def lines_of(text: str) -> Lines:
    """The lines of a text; the check asks for many places of few files."""
    return Lines(text)


def place_within(text: str, start: Place, offset: int) -> Place:
    """Say where the character at `offset` of a text value stands, the value itself beginning at `start`.

    Exact for plain and quoted text and for literal blocks; in a folded block the place is as near as its lines allow.
    """
    if start == UNKNOWN_PLACE or offset <= 0:
        return start
    lines = lines_of(text)
    begin = lines.index(start)
    match text[begin : begin + 1]:
        case '"' | "'" as quote:
            index = _in_flow(text, begin + 1, offset, quote)
        case "|" | ">":
            index = _in_block(text, begin, offset)
        case _:
            index = _in_flow(text, begin, offset, "")
    return lines.place(min(index, len(text)))


def _in_flow(text: str, index: int, offset: int, quote: str) -> int:
    """Walk through quoted or plain text, undoing escapes and folded line ends, until `offset` characters are passed."""
    passed = 0
    while passed < offset and index < len(text):
        character = text[index]
        if quote == '"' and character == "\\" and (escape := _ESCAPE.match(text, index)):
            passed += _escaped_length(escape)
            index = escape.end()
        elif quote == "'" and text.startswith("''", index):
            passed, index = passed + 1, index + 2
        elif character == quote:
            break
        elif character in " \t\r\n" and (fold := _FOLD.match(text, index)):
            # One line end is a space; of several, all but the first stay.
            passed += max(1, len(_BREAK.findall(fold[0])) - 1)
            index = fold.end()
        else:
            passed, index = passed + 1, index + 1
    # A line end that was escaped away stands before the character, not behind it.
    while quote == '"' and (escape := _ESCAPE.match(text, index)) and escape[0][1] in "\r\n":
        index = escape.end()
    return index


def _escaped_length(escape: re.Match[str]) -> int:
    if escape[1]:
        # The second half of a surrogate pair is one character with the first.
        return 0 if 0xDC00 <= int(escape[1], 16) <= 0xDFFF else 1
    return 0 if escape[0][1] in "\r\n" else 1


def _in_block(text: str, index: int, offset: int) -> int:
    header = _HEADER.match(text, index)
    if header is None:
        return index
    position = header.end()
    indent = _block_indent(text, index, header)
    passed = 0
    while position < len(text):
        ending = _BREAK.search(text, position)
        line_end = ending.start() if ending else len(text)
        content = min(position + indent, line_end)
        length = line_end - content
        if passed + length >= offset or ending is None:
            return min(content + offset - passed, line_end)
        passed += length + 1
        position = ending.end()
    return position


def _block_indent(text: str, start: int, header: re.Match[str]) -> int:
    """The indentation of a block: that of its first line that is not empty, or as many more than its key as it says."""
    said = header[1].strip("+-")
    if not said:
        found = _FIRST_LINE.match(text, header.end())
        return len(found[1]) if found else 0
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    before = text[line_start:start].rstrip()
    parent = before.rindex("-") if before.endswith("-") else len(before) - len(before.lstrip(" -"))
    return parent + int(said)
