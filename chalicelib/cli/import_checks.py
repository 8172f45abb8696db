"""What `penstock credentials import` makes of what it has read: names, types and fields, each checked."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from chalicelib.cli.import_sources import Found
from chalicelib.errors import CredentialUnfitError, PenstockError, UsageError
from chalicelib.flow.model import IDENTIFIER
from chalicelib.vault.types import CredentialType, check_fields, find_type, guessed_type

_DEFAULT: Final = "bearer"
"""What a single text is taken for where nobody says its type."""

_KINDS: Final = frozenset({"bearer", "basic", "header", "query", "aws"})
"""What a credential of the environment may say it is; the types of these are called the same."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A credential as it is to be stored."""

    name: str
    source: str
    type: str
    fields: Mapping[str, str] = field(repr=False)


def wanted_from(text: str) -> tuple[str, str]:
    """A name as flows write it, and as it is called where it lies now."""
    name, sign, elsewhere = text.partition("=")
    if not IDENTIFIER.fullmatch(name) or (sign and not elsewhere):
        raise UsageError(
            "A credential's name is what flows write: small letters, digits and _, a letter first, at most 40. Where "
            "it is called otherwise now: NAME=ELSEWHERE."
        )
    return name, elsewhere


def field_from(text: str, type_name: str | None) -> tuple[str, str]:
    """A field given as an argument, which every process on this machine can read: so it is no secret."""
    name, sign, value = text.partition("=")
    known = find_type(type_name) if type_name else None
    is_public = known is not None and any(each.name == name and not each.is_secret for each in known.fields)
    if not sign or not is_public:
        raise UsageError(
            "--field takes FIELD=VALUE of a field that is not secret, and wants --type: secrets are no arguments, they "
            "come from the source."
        )
    return name, value


def checked(
    found: Sequence[Found], type_name: str | None, given: Mapping[str, str]
) -> tuple[list[Ready], list[tuple[Found, PenstockError]]]:
    """What can be stored, and what cannot and why."""
    ready: list[Ready] = []
    refusals: list[tuple[Found, PenstockError]] = []
    for each in found:
        try:
            ready.append(_ready(each, type_name, given))
        except PenstockError as error:
            refusals.append((each, error))
    twice = {one.name for one in ready if sum(other.name == one.name for other in ready) > 1}
    same = UsageError("Another one here gets the same name. Say NAME=ELSEWHERE for each.")
    refusals.extend((each, same) for each in found if _name_of(each) in twice)
    return ready, refusals


def _ready(found: Found, type_name: str | None, given: Mapping[str, str]) -> Ready:
    name = _name_of(found)
    if not IDENTIFIER.fullmatch(name):
        raise UsageError("Its name cannot be one of ours. Give it one: NAME=ELSEWHERE.")
    read = _object_of(found.text)
    if type_name is None and read is not None and read.get("type") == "service_account":
        type_name = "google_service_account"
    kind = find_type(type_name) if type_name else None
    if read is None or (kind is not None and kind.name == "google_service_account" and "private_key" in read):
        kind = kind or find_type(_DEFAULT)
        fields: dict[str, str] = {_only_secret(kind): found.text.strip("\r\n")}
    else:
        fields = {key: _text_of(key, value) for key, value in read.items() if value is not None}
        said = fields.get("kind", "")
        kind = kind or find_type(said if said in _KINDS else guessed_type(fields))
        if kind.name != "custom":
            fields.pop("kind", None)
    return Ready(name, found.source, kind.name, check_fields(kind, {**fields, **given}))


def _name_of(found: Found) -> str:
    """The name it was asked for by, else one made of where it lies: `prod/Crm-Key` becomes `crm_key`."""
    if found.name:
        return found.name
    last = re.split(r"[/:]", found.elsewhere.rstrip("/"))[-1]
    return re.sub(r"[^a-z0-9_]", "_", last.lower())


def _object_of(text: str) -> dict[str, Any] | None:
    try:
        read: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", read) if isinstance(read, dict) else None


def _text_of(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise CredentialUnfitError(f"The field {name[:40] if name.isidentifier() else '(no name)'} is no text.")


def _only_secret(kind: CredentialType) -> str:
    """The field that a single text is meant for."""
    secret = [each.name for each in kind.fields if each.is_secret and each.is_required]
    if len(secret) != 1:
        raise CredentialUnfitError(f"A single text is not enough for the type {kind.name}. Make it a JSON object.")
    return secret[0]
