"""Reading JSON that we wrote ourselves: the type is what we wrote, or the text is none of ours (TypeError)."""

from collections.abc import Mapping, Sequence

from chalicelib.flow.values import Json


def whole(value: Json) -> int:
    """A whole number."""
    if type(value) is not int:
        raise TypeError(f"a whole number was expected, not {type(value).__name__}")
    return value


def text(value: Json) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {type(value).__name__}")
    return value


def flag(value: Json) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise TypeError(f"true or false was expected, not {type(value).__name__}")
    return value


def rows(value: Json) -> Sequence[Json]:
    """A list."""
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {type(value).__name__}")
    return value


def record(value: Json) -> Mapping[str, Json]:
    """An object."""
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {type(value).__name__}")
    return value
