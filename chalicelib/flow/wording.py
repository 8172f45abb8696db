"""How messages about data speak of it: by its kind and its keys, never by its values."""

from collections.abc import Iterable
from json import JSONDecodeError

from chalicelib.flow.paths import Missing
from chalicelib.flow.values import Json

_SHOWN_KEYS = 20
_SHOWN_LENGTH = 60


def kind_of(value: Json | Missing) -> str:
    """What a value is, with its article: `text`, `a number`, `a list`, `null`, `nothing`."""
    match value:
        case Missing():
            return "nothing"
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a file" if is_file(value) else "an object"


def is_file(value: Json | Missing) -> bool:
    """Whether a value is a reference to a file: `{"file", "name", "type", "size"}` (design 3.4)."""
    return isinstance(value, dict) and len(value) == 4 and value.keys() == {"file", "name", "type", "size"}


def list_keys(keys: Iterable[str]) -> str:
    """Keys of received data, bounded: `total, name, lines`; control characters are left out."""
    names = [_printable(key) for key in keys]
    shown = ", ".join(names[:_SHOWN_KEYS])
    return f"{shown}, and {len(names) - _SHOWN_KEYS} more" if len(names) > _SHOWN_KEYS else shown


def closest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, if one is near enough."""
    from difflib import get_close_matches  # imported late: only mistakes need it

    known = list(names)[:500]
    same = next((one for one in known if one.lower() == name.lower()), None)
    near = [same] if same is not None else get_close_matches(name, known, n=1, cutoff=0.6)
    return _printable(near[0]) if near else None


def _printable(key: str) -> str:
    return "".join(letter for letter in key[:_SHOWN_LENGTH] if letter.isprintable())


def place_in_json(error: JSONDecodeError) -> tuple[int, int]:
    """Line and column, both from 1, of what is no JSON: the same on every Python.

    Of a comma before `}` or `]`, Python 3.13 names the comma's own place, those before it the place of what follows.
    """
    if not error.msg.startswith("Illegal trailing comma"):
        return error.lineno, error.colno
    rest = error.doc[error.pos + 1 :]
    after = error.pos + 1 + len(rest) - len(rest.lstrip(" \t\n\r"))
    return error.doc.count("\n", 0, after) + 1, after - error.doc.rfind("\n", 0, after)
