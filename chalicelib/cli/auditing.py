"""`penstock audit`: who did what on a server, when, from where."""

import datetime
from typing import Annotated, Any

import typer

from chalicelib.cli.options import AsJson
from chalicelib.cli.printing import note, say_json, say_table
from chalicelib.errors import UsageError

_PAGE = 100


def audit(
    since: Annotated[
        str | None, typer.Option(help="Entries of this time or later: 2026-11-20T07:00:00Z, or 2d for two days ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Entries of this time or earlier, written alike.")] = None,
    who: Annotated[str | None, typer.Option(help="Only of this key, by its id.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, such as publishing_publish.")] = None,
    outcome: Annotated[str | None, typer.Option(help="allowed, denied or failed.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most, the newest first.", min=1, max=100_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List who did what, when and from where: every change, and every denial. Needs an admin's key."""
    given = {
        "since": _moment(since, "--since"),
        "until": _moment(until, "--until"),
        "who": who,
        "action": action,
        "outcome": outcome,
    }
    query = {name: value for name, value in given.items() if value is not None}
    found = _pages(query, limit)
    if as_json:
        say_json(found)
        return
    columns = ("at", "who", "role", "action", "outcome", "code", "count", "from", "target")
    say_table(columns, [_row(each) for each in found])
    if not found:
        note("The audit log has no such entry.")


def _pages(query: dict[str, str], limit: int) -> list[dict[str, Any]]:
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx

    found: list[dict[str, Any]] = []
    with client() as server:
        while len(found) < limit:
            page = server.ask("GET", path_of("audit"), query={**query, "limit": str(min(_PAGE, limit - len(found)))})
            found += page["items"]
            if page["cursor"] is None:
                break
            query = {**query, "cursor": page["cursor"]}
    return found


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        entry["at"],
        entry["who"] or "-",
        entry["role"] or "-",
        entry["action"],
        entry["outcome"],
        entry["code"] or "-",
        str(entry["count"]),
        entry["peer"] or ", ".join(entry["peers"]) or "-",
        entry["target"] or "-",
    )


def _moment(text: str | None, option: str) -> str | None:
    """A time as the API takes it: as it was given, or so long ago."""
    if text is None:
        return None
    from chalicelib.kit.durations import parse_duration  # imported late, with what it needs

    try:
        return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC).isoformat()
    except ValueError:
        pass
    try:
        ago = parse_duration(text)
    except ValueError:
        raise UsageError(f"{option} is a time such as 2026-11-20T07:00:00Z, or so long ago, such as 2d.") from None
    return (datetime.datetime.now(datetime.UTC) - ago).isoformat()
