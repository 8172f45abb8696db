"""Writes plain data as YAML: block style, and text in quotes wherever it could be taken for something else."""

import json
import math
import re
from collections.abc import Iterator

from chalicelib.flow.values import Json

DEEPEST = 100
"""As many levels as are read."""

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@%+-]*(?: [A-Za-z0-9_./@%+-]+)*")
"""Text that stands for itself in every version of YAML: no sign that means something there, no digit at its start."""

_TAKEN = re.compile(r"(?:y|n|yes|no|on|off|true|false|null|nan|inf)\Z|[-+.0-9]", re.IGNORECASE)
"""Words of YAML 1.1 and 1.2 that are not text."""

_BLOCK_LINE = re.compile("[\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
"""A line that needs no escape; line ends other than the plain one are not kept by every reader."""

_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class UnfitError(Exception):
    """What cannot be written as YAML, and why."""


def write(value: Json, indent: int) -> str:
    """The text, ending in a line end; UnfitError for lone surrogates, infinities and nesting beyond the limit."""
    return "\n".join(_lines(value, indent, 0)) + "\n"


def _lines(value: Json, indent: int, depth: int) -> Iterator[str]:
    """The lines of a value; the first one is to stand behind what introduces it, if that takes a line of its own."""
    if depth > DEEPEST:
        raise UnfitError(f"it is nested deeper than {DEEPEST} levels")
    margin = " " * indent
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from _entry(_key(key) + ":", item, indent, depth)
        case list() if value:
            for item in value:
                lines = _lines(item, indent, depth + 1)
                if isinstance(item, list | dict):
                    # What is inside begins on the same line, and lines up below itself.
                    yield "- " + next(lines)
                    yield from (f"  {line}" if line else line for line in lines)
                else:
                    yield from _entry("-", item, indent, depth)
        case str():
            block = _block(value)
            if block is None:
                yield _scalar(value)
            else:
                header, *rest = block
                yield header
                yield from (f"{margin}{line}" if line else line for line in rest)
        case _:
            yield _scalar(value)


def _entry(introduction: str, item: Json, indent: int, depth: int) -> Iterator[str]:
    """A key or a dash, and what belongs to it."""
    lines = _lines(item, indent, depth + 1)
    if isinstance(item, list | dict) and item:
        yield introduction
        margin = " " * indent
        yield from (f"{margin}{line}" if line else line for line in lines)
    else:
        yield f"{introduction} {next(lines)}"
        yield from lines


def _scalar(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            if not math.isfinite(value):
                raise UnfitError("it has a number that JSON does not know")
            text = repr(value)
            # YAML 1.1 wants a point in a number with an exponent.
            return text if "." in text else text.replace("e", ".0e")
        case str():
            return value if _PLAIN.fullmatch(value) and not _TAKEN.match(value) else _quoted(value)
        case list():
            return "[]"
        case dict():
            return "{}"


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and not _TAKEN.match(key) and len(key) <= 100 else _quoted(key)


def _quoted(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnfitError("it has text with a lone surrogate") from error
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _block(text: str) -> list[str] | None:
    """The text as a block (`|`), line by line, or None where quotes are safer."""
    lines = text.split("\n")
    if len(lines) < 2 or lines[0][:1] in ("", " ", "\t") or not all(_BLOCK_LINE.fullmatch(line) for line in lines):
        return None
    if text.endswith("\n\n") or text.isspace() or any(line.isspace() for line in lines):
        return None
    return ["|", *lines[:-1]] if text.endswith("\n") else ["|-", *lines]
