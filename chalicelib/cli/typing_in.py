"""Values of a credential as somebody types or pipes them in: seen by nobody, and in no argument."""

import json
import sys
from typing import Any, Final, cast

from chalicelib.cli.printing import note
from chalicelib.errors import UsageError
from chalicelib.vault.type_words import CredentialType

_MOST: Final = 100_000


def fields_from(
    name: str, type_name: str | None, field: str | None, *, only_secret: bool = False
) -> tuple[dict[str, Any], str | None]:
    """The fields, and the type where one was named or chosen.

    On a terminal each is asked for, secret ones without echo; `only_secret` asks for these alone. Else stdin holds a
    JSON object of them, or, with `field`, the text of that one.
    """
    if sys.stdin.isatty():
        return _asked(name, type_name, field, only_secret=only_secret)
    content = sys.stdin.buffer.read(_MOST + 1)
    if len(content) > _MOST:
        raise UsageError(f"What was piped in is over {_MOST:,} bytes.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"What was piped in is not UTF-8: the byte at offset {error.start} does not fit.") from None
    if field is not None:
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            raise UsageError(f"Nothing was piped in for {field}.")
        return {field: text}, type_name
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        # Not chained and not quoted: what cannot be read may be the secret itself.
        raise UsageError(
            'What was piped in is no JSON object such as {"token": "..."}. For one text as it is, say --field token.'
        )
    return cast("dict[str, Any]", fields), type_name


def _asked(
    name: str, type_name: str | None, field: str | None, *, only_secret: bool
) -> tuple[dict[str, Any], str | None]:
    from chalicelib.vault.types import find_type, types

    if type_name is None:
        note(f"Types: {', '.join(each.name for each in types())}")
        type_name = _line("Type [bearer]: ") or "bearer"
    kind = find_type(type_name)
    note(f"{kind.label}: {name}. An empty answer leaves a field out.")
    wanted = [
        each for each in kind.fields if each.name == field or (field is None and (each.is_secret or not only_secret))
    ]
    fields: dict[str, Any] = {}
    for each in wanted:
        needed = "" if each.is_required else ", if any"
        note(each.help)
        value = _unseen(f"{each.name}{needed} (not shown): ") if each.is_secret else _line(f"{each.name}{needed}: ")
        if value:
            fields[each.name] = value
    if kind.takes_any or field is not None:
        fields |= _further(kind, field, fields)
    return fields, type_name


def _further(kind: CredentialType, field: str | None, known: dict[str, Any]) -> dict[str, Any]:
    """Fields that the type does not name."""
    found: dict[str, Any] = {}
    if field is not None:
        is_known = field in known or any(each.name == field for each in kind.fields)
        return {} if is_known else {field: _unseen(f"{field} (not shown): ")}
    while field := _line("Another field's name, or nothing: "):
        found[field] = _unseen(f"{field} (not shown): ")
    return found


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _unseen(prompt: str) -> str:
    from getpass import getpass

    try:
        return getpass(prompt, stream=sys.stderr)
    except EOFError:
        return ""
