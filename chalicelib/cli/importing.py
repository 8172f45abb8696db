"""`penstock credentials import`: credentials that lie elsewhere, into a server's vault. No value is ever printed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from chalicelib.cli.exits import exit_of
from chalicelib.cli.import_sources import SOURCES, Found, entries_of, read_source
from chalicelib.cli.options import AsJson, To
from chalicelib.cli.printing import note, say_json, say_table
from chalicelib.errors import CredentialUnfitError, NotFoundError, PenstockError, UsageError
from chalicelib.flow.model import IDENTIFIER
from chalicelib.vault.types import CredentialType, check_fields, find_type, guessed_type

if TYPE_CHECKING:
    from chalicelib.cli.client import Client

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


def import_credentials(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"One of: {SOURCES}")],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Only these; NAME=ELSEWHERE where it is called otherwise there."),
    ] = None,
    *,
    type_name: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Of all of them; else what their fields look like.")
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--field", metavar="FIELD=VALUE", help="A field that is not secret, for all: scope=..., hosts=..."
        ),
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="A JSON object holds several: every entry is a credential.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Over those that the vault has already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check; nothing is stored.")] = False,
    region: Annotated[str | None, typer.Option(help="The AWS region; else AWS_REGION, or your profile's.")] = None,
    to: To = None,
    as_json: AsJson = False,
) -> None:
    """Take credentials from the environment, AWS Secrets Manager or SSM Parameter Store into a server's vault.

    What is read is a JSON object of fields, or a single text: a token, or the secret field of --type. All are checked
    before any is stored; nothing that is there is overwritten without --replace.
    """
    from chalicelib.cli.client import client  # imported late: it brings httpx

    wanted = [_wanted(text) for text in names or ()]
    found = entries_of(read_source(source, wanted, region), wanted, is_each=each)
    given = dict(_field(text, type_name) for text in fields or ())
    ready, refusals = _checked(found, type_name, given)
    if refusals:
        _refuse(refusals, as_json=as_json)
    with client(to) as server:
        there = {one["name"] for one in server.ask("GET", "/credentials")["items"] if one["origin"] == "vault"}
        done = [_stored(server, one, there, replace=replace, dry_run=dry_run) for one in ready]
    if as_json:
        say_json(done)
    else:
        rows = [(one["name"], one["type"], ", ".join(one["fields"]), one["from"], one["done"]) for one in done]
        say_table(("name", "type", "fields", "from", "done"), rows)
    if any(one["done"] == "kept" for one in done):
        note("What is marked as kept was in the vault already, and stays as it is; --replace takes the new values.")


def _wanted(text: str) -> tuple[str, str]:
    """A name as flows write it, and as it is called where it lies now."""
    name, sign, elsewhere = text.partition("=")
    if not IDENTIFIER.fullmatch(name) or (sign and not elsewhere):
        raise UsageError(
            "A credential's name is what flows write: small letters, digits and _, a letter first, at most 40. Where "
            "it is called otherwise now: NAME=ELSEWHERE."
        )
    return name, elsewhere


def _field(text: str, type_name: str | None) -> tuple[str, str]:
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


def _checked(
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


def _refuse(refusals: Sequence[tuple[Found, PenstockError]], *, as_json: bool) -> None:
    told = [{"from": found.source, "code": error.code, "detail": error.detail} for found, error in refusals]
    if as_json:
        say_json(told)
    for each in told:
        note(f"{each['from']}: {each['detail']}")
    note("Nothing was stored.")
    raise typer.Exit(max(exit_of(error) for _, error in refusals))


def _stored(server: "Client", ready: Ready, there: set[str], *, replace: bool, dry_run: bool) -> dict[str, Any]:
    from chalicelib.cli.client import path_of  # imported late, as above

    is_there = ready.name in there
    done = "kept" if is_there and not replace else "replaced" if is_there else "stored"
    if done != "kept" and not dry_run:
        try:
            server.ask(
                "PUT", path_of("credentials", ready.name), body={"type": ready.type, "fields": dict(ready.fields)}
            )
        except NotFoundError as error:
            raise NotFoundError("The server has no vault to store credentials in. Is it of this version?") from error
    if dry_run and done != "kept":
        done = f"would be {done}"
    return {
        "name": ready.name,
        "type": ready.type,
        "fields": sorted(ready.fields),
        "from": ready.source,
        "done": done,
    }
