"""`penstock credentials import`: credentials that lie elsewhere, into a server's vault. No value is ever printed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chalicelib.cli.exits import exit_of
from chalicelib.cli.options import IMPORT_SOURCES, AsJson, To
from chalicelib.cli.printing import note, say_json, say_table
from chalicelib.errors import NotFoundError, PenstockError

if TYPE_CHECKING:
    from chalicelib.cli.client import Client
    from chalicelib.cli.import_checks import Ready
    from chalicelib.cli.import_sources import Found


def import_credentials(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"One of: {IMPORT_SOURCES}")],
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
    from chalicelib.cli.import_checks import checked, field_from, wanted_from
    from chalicelib.cli.import_sources import entries_of, read_source

    wanted = [wanted_from(text) for text in names or ()]
    found = entries_of(read_source(source, wanted, region), wanted, is_each=each)
    given = dict(field_from(text, type_name) for text in fields or ())
    ready, refusals = checked(found, type_name, given)
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


def _refuse(refusals: "Sequence[tuple[Found, PenstockError]]", *, as_json: bool) -> None:
    told = [{"from": found.source, "code": error.code, "detail": error.detail} for found, error in refusals]
    if as_json:
        say_json(told)
    for each in told:
        note(f"{each['from']}: {each['detail']}")
    note("Nothing was stored.")
    raise typer.Exit(max(exit_of(error) for _, error in refusals))


def _stored(server: "Client", ready: "Ready", there: set[str], *, replace: bool, dry_run: bool) -> dict[str, Any]:
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
