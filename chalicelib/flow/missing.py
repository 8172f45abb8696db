"""Says why an expression found nothing: which name is not there, what is, and how to live without it.

Keys of received data may be shown in a message, values never.
"""

import re
from collections.abc import Mapping

from chalicelib.errors import MissingValueError
from chalicelib.flow.paths import MISSING, Missing, Path, spell, walk
from chalicelib.flow.places import way_out
from chalicelib.flow.targets import Target
from chalicelib.flow.values import Json
from chalicelib.flow.wording import closest, kind_of, list_keys

_QUIET = re.compile(r"""/\*.*?\*/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_STEP = r"""(?:\.(?:[A-Za-z_]\w*|'[^']*'|"[^"]*"|`[^`]*`)|\[-?\d+\])"""
_PATH = re.compile(rf"""(?<![\w.$'"`])\$?\$?\.?([A-Za-z_]\w*)({_STEP}*)""")
_PIECE = re.compile(r"""\.([A-Za-z_]\w*)|\.(?:'([^']*)'|"([^"]*)"|`([^`]*)`)|\[(-?\d+)\]""")


def missing_value(
    text: str,
    path: Path | None,
    scope: Mapping[str, Json],
    target: Target,
    where: str,
    absent: Mapping[str, str] | None = None,
) -> MissingValueError:
    """The error for an expression that found nothing where a value is needed.

    `absent` says of steps that have no value why: `{"review": "was skipped (switch `size` took `small`)"}`.
    """
    for candidate in (path,) if path else paths_in(text, scope):
        if walk(candidate, scope) is MISSING:
            return MissingValueError(f"{_nothing_at(candidate, scope, target, absent or {})}", where=where)
    return MissingValueError(
        f"nothing came of the expression `{shorten(text)}`.  ->  If that may be so: $default(..., {way_out(target)}).",
        where=where,
    )


def paths_in(text: str, scope: Mapping[str, Json]) -> list[Path]:
    """The plain paths an expression's text spells that begin with a name of the scope, for messages only.

    What stands in strings and comments is left out; a path after a bracket may be a field of a row, and is then not
    one of the scope's names.
    """
    quiet = _QUIET.sub(lambda found: found[0] if _is_name(text, found.start()) else " ", text)
    paths: list[Path] = []
    for found in _PATH.finditer(quiet):
        if found[1] in scope:
            pieces = [_piece(piece) for piece in _PIECE.finditer(found[2])]
            paths.append((found[1], *pieces))
    return paths


def shorten(text: str) -> str:
    """An expression's text on one line, for messages."""
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:79] + "…"


def _is_name(text: str, start: int) -> bool:
    return start > 0 and text[start - 1] == "."


def _piece(found: re.Match[str]) -> str | int:
    bare, single, double, ticks, index = found.groups()
    return int(index) if index is not None else next(name for name in (bare, single, double, ticks) if name is not None)


def _nothing_at(path: Path, scope: Mapping[str, Json], target: Target, absent: Mapping[str, str]) -> str:
    default = way_out(target)
    shown = spell(path)
    if len(path) > 1 and path[0] in ("steps", "errors") and walk(path[:2], scope) is MISSING:
        if path[0] == "errors":
            return f"`{spell(path[:2])}` did not fail, so there is no error.  ->  ${{ $default({shown}, {default}) }}."
        why = absent.get(str(path[1]), "did not run, or was skipped")
        return f"`{spell(path[:2])}` {why}, so it has no value.  ->  ${{ {shown} ?? {default} }}."
    known, holder = _last_found(path, scope)
    key = path[len(known)]
    way = f"If it may be missing: $default({shown}, {default})."
    if isinstance(holder, dict) and isinstance(key, str):
        near = closest(key, holder)
        has = f"`{spell(known)}` has: {list_keys(holder)}." if holder else f"`{spell(known)}` is empty."
        meant = f"Did you mean `{near}`? " if near else ""
        return f"nothing at `{shown}`.  {has}  ->  {meant}{way}"
    if isinstance(holder, list):
        rows = f"{len(holder)} row{'' if len(holder) == 1 else 's'}"
        return f"nothing at `{shown}`.  `{spell(known)}` has {rows}.  ->  {way}"
    return f"nothing at `{shown}`.  `{spell(known)}` is {kind_of(holder)}.  ->  {way}"


def _last_found(path: Path, scope: Mapping[str, Json]) -> tuple[Path, Json | Missing]:
    """The longest beginning of the path at which something lies, and what lies there."""
    for length in range(len(path) - 1, 0, -1):
        if (found := walk(path[:length], scope)) is not MISSING:
            return path[:length], found
    return (), dict(scope)
