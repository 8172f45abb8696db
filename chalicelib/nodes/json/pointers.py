"""JSON Pointer (RFC 6901): the way to one value inside another."""

import re

from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.values import Json

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def read_pointer(text: str) -> tuple[str, ...]:
    """The parts of a pointer, `/lines/0/sku`; the empty text is the whole value. ValueError where it is no pointer."""
    if not text:
        return ()
    if not text.startswith("/"):
        raise ValueError("a pointer begins with a slash, or is empty")
    parts = text[1:].split("/")
    if any(re.search(r"~(?![01])", part) for part in parts):
        raise ValueError("in a pointer ~ is written ~0, and a slash inside a name ~1")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def index_of(part: str, length: int) -> int | None:
    """The index that a part means in a list of this length, or None: no leading zeros, nothing beyond its end."""
    return int(part) if _INDEX.fullmatch(part) and int(part) < length else None


def step(value: Json, part: str) -> Json | Missing:
    """What lies one part further down."""
    if isinstance(value, dict):
        return value.get(part, MISSING)
    if isinstance(value, list):
        index = index_of(part, len(value))
        return MISSING if index is None else value[index]
    return MISSING


def follow(value: Json, parts: tuple[str, ...]) -> Json | Missing:
    """What lies at the end of the pointer."""
    found: Json | Missing = value
    for part in parts:
        if found is MISSING:
            return MISSING
        found = step(found, part)
    return found
