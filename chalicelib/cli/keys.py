"""`penstock keys`: the keys of a server's API."""

from typing import Annotated, Any

import typer

from chalicelib.cli.options import AsJson
from chalicelib.cli.printing import note, say, say_json, say_table

app = typer.Typer(help="The keys of a server's API: who may do what, with which flows.", no_args_is_help=True)

_Id = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")]
_Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="NAME", help="Another tenant's, with the deployment's own admin key.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    role: Annotated[str, typer.Option(help="viewer, operator, editor or admin.")] = "viewer",
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="Only these flows: shop, order-*, run:shop, read:*; repeatable."),
    ] = None,
    days: Annotated[int | None, typer.Option(help="How long it counts.", show_default="90", min=1, max=3650)] = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="It counts until it is revoked.")] = False,
    tenant: _Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once: on stdout, alone, for a script to keep."""
    wish: dict[str, Any] = {"name": name, "role": role, "never_expires": never_expires}
    given = {"scopes": scope or None, "days": days, "tenant": tenant}
    wish |= {field: value for field, value in given.items() if value is not None}
    _made(_ask("POST", body=wish), as_json=as_json)


@app.command("list")
def list_keys(tenant: _Tenant = None, as_json: AsJson = False) -> None:
    """List the keys: what each may do, how long it counts, when it was last used. Never the keys themselves."""
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = _ask("GET", tenant=tenant, cursor=cursor)
        items += page["items"]
        cursor = page["cursor"]
    if as_json:
        say_json(items)
        return
    columns = ("id", "name", "role", "scopes", "status", "expires", "last used", "made by")
    say_table(
        columns,
        [
            (
                *(each["id"], each["name"], each["role"], " ".join(each["scopes"] or ["all"]), each["status"]),
                *(each["expires"] or "never", each["last_used"] or "never", each["created_by"]),
            )
            for each in items
        ],
    )
    if not items:
        note("No key was made yet. The server's admin key is none of these: penstock keys create NAME")


@app.command()
def revoke(key_id: _Id, tenant: _Tenant = None, as_json: AsJson = False) -> None:
    """Let a key open nothing any more."""
    answer = _ask("POST", key_id, "revoke", tenant=tenant)
    if as_json:
        say_json(answer)
        return
    say(f"{answer['id']}\t{answer['status']}")


@app.command()
def rotate(
    key_id: _Id,
    overlap: Annotated[
        int, typer.Option(metavar="SECONDS", help="How long the former one still counts.", min=0, max=604_800)
    ] = 0,
    tenant: _Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret. It is shown this once, as by `create`."""
    _made(_ask("POST", key_id, "rotate", body={"overlap_seconds": overlap}, tenant=tenant), as_json=as_json)


def _made(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
        return
    say(answer["key"])
    until = f"until {answer['expires']}" if answer["expires"] else "until it is revoked"
    flows = f"the flows {' '.join(answer['scopes'])}" if answer["scopes"] else "every flow"
    note(f"Key {answer['id']}: {answer['role']} of {flows} of tenant {answer['tenant']}, {until}.")
    note("It is not shown again. Keep it where secrets are kept: export PENSTOCK_KEY=...")


def _ask(method: str, *parts: str, body: Any = None, tenant: str | None = None, cursor: str = "") -> Any:
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx

    query = {name: value for name, value in (("tenant", tenant), ("cursor", cursor)) if value}
    with client() as server:
        return server.ask(method, path_of("keys", *parts), query=query, body=body)
