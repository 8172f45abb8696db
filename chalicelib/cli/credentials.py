"""`penstock credentials`: what a server keeps in its vault. Values are typed or piped in, never arguments."""

from typing import Annotated, Any

import typer

from chalicelib.cli.exits import Exit
from chalicelib.cli.options import AsJson
from chalicelib.cli.printing import note, say, say_json, say_table
from chalicelib.errors import UsageError

app = typer.Typer(help="The credentials that a server keeps; values are never shown.", no_args_is_help=True)

_TAKING_VALUES = {"ignore_unknown_options": True, "allow_extra_args": True}
"""So that a value in an argument is answered with what to do instead."""

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The name that flows write.")]
_Field = Annotated[
    str | None, typer.Option("--field", metavar="FIELD", help="What is piped in is this field's text, not JSON.")
]


@app.command("set", context_settings=_TAKING_VALUES)
def set_credential(
    context: typer.Context,
    name: _Name,
    type_name: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Such as bearer or github; asked for where needed.")
    ] = None,
    field: _Field = None,
    role: Annotated[str | None, typer.Option(help="editor or admin: who may publish with it (admins say).")] = None,
    flow: Annotated[
        list[str] | None, typer.Option("--flow", metavar="FLOW", help="The only flows that may use it (admins say).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store a credential: typed at the prompt, or piped in as a JSON object of its fields."""
    _refuse_values(context, name)
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx
    from chalicelib.cli.typing_in import fields_from

    with client() as server:
        known = _known(server, name)
        wanted = type_name or (known or {}).get("type")
        fields, chosen = fields_from(name, wanted, field)
        body = {"fields": fields, "type": chosen, "role": role, "flows": flow}
        path = path_of("credentials", name)
        answer = server.ask("PUT", path, body={key: value for key, value in body.items() if value is not None})
    _tell(answer, "replaced" if known is not None and known["origin"] == "vault" else "stored", as_json=as_json)


@app.command("list")
def list_credentials(as_json: AsJson = False) -> None:
    """List the credentials: names, types, where they may go, who may use them."""
    items = _ask("GET")["items"]
    if as_json:
        say_json(items)
        return
    rows = [
        (
            *(each["name"], _origin(each), each["type"] or "", str(each["version"] or ""), ", ".join(each["hosts"])),
            *(_shared(each["share"]) if each["origin"] == "vault" else "", each["changed"] or ""),
        )
        for each in items
    ]
    say_table(("name", "from", "type", "version", "hosts", "shared with", "changed"), rows)


@app.command(context_settings=_TAKING_VALUES)
def rotate(
    context: typer.Context,
    name: _Name,
    field: _Field = None,
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help="How long deliveries signed with the former secret still count: 1h.")
    ] = "0s",
    as_json: AsJson = False,
) -> None:
    """Give a credential new values, as a new version; what is not secret stays unless it is given."""
    _refuse_values(context, name)
    from chalicelib.cli.client import client, path_of  # imported late, as above
    from chalicelib.cli.typing_in import fields_from

    body = {"overlap_seconds": _seconds(overlap)}
    with client() as server:
        known = server.ask("GET", path_of("credentials", name))
        fields, _ = fields_from(name, known["type"], field, only_secret=True)
        answer = server.ask("POST", path_of("credentials", name, "rotate"), body={"fields": fields, **body})
    _tell(answer, "rotated", as_json=as_json)
    if answer["former_until"] and not as_json:
        note(f"The former secret counts at hooks until {answer['former_until']}.")


@app.command()
def share(
    name: _Name,
    role: Annotated[str | None, typer.Option(help="editor or admin: the least role that publishes with it.")] = None,
    flow: Annotated[
        list[str] | None, typer.Option("--flow", metavar="FLOW", help="The only flows that may use it; repeatable.")
    ] = None,
    all_flows: Annotated[bool, typer.Option("--all-flows", help="Every flow may use it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say who may use a credential, and which flows."""
    if flow and all_flows:
        raise UsageError("--flow names the only flows, --all-flows says every flow: give one of them.")
    body: dict[str, Any] = {"role": role} if role else {}
    if flow or all_flows:
        body["flows"] = None if all_flows else flow
    if not body:
        raise UsageError("Say who may use it: --role editor or admin, --flow FLOW, --all-flows.")
    _tell(_ask("POST", name, "share", body=body), "shared", as_json=as_json)


@app.command()
def delete(name: _Name, as_json: AsJson = False) -> None:
    """Remove a credential for good."""
    answer = _ask("DELETE", name)
    if as_json:
        say_json(answer)
        return
    say(f"{answer['name']}\tremoved")
    if answer["environment"]:
        note("The server's environment has one of this name, which is used from now on.")


@app.command("test")
def try_out(
    name: _Name,
    url: Annotated[str | None, typer.Option(help="Ask this address with it, by GET.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open a credential, and ask its service whether it takes it. Exits with 1 if it does not."""
    answer = _ask("POST", name, "test", body={"url": url} if url else {})
    if as_json:
        say_json(answer)
    else:
        say(f"{answer['name']}\t{answer['said']}")
    if answer["works"] is False or (answer["asked"] and answer["works"] is None):
        raise typer.Exit(Exit.FAILED)


@app.command("rotate-key")
def rotate_key(
    resume: Annotated[
        bool, typer.Option("--resume", help="Make no new master key: go on where an earlier try ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a new master key, and bring every credential under it. Ended early, it goes on with --resume."""
    from chalicelib.cli.client import client  # imported late, as above

    done: dict[str, Any] = {"master_key": None, "looked_at": 0, "rewrapped": 0, "failed": []}
    cursor: str | None = ""
    is_first = not resume
    with client() as server:
        while cursor is not None:
            part = server.ask("POST", "/vault/rewrap", body={"new_key": is_first, "after": cursor})
            is_first, cursor = False, part["cursor"]
            done["master_key"] = done["master_key"] or part["master_key"]
            for name in ("looked_at", "rewrapped", "failed"):
                done[name] += part[name]
    if as_json:
        say_json(done)
    else:
        under = f" under {done['master_key']}" if done["master_key"] else ""
        say(f"{done['rewrapped']} of {done['looked_at']} credentials rewrapped{under}")
        for each in done["failed"]:
            note(f"{each['name']}: {each['why']}")
    if done["failed"]:
        raise typer.Exit(Exit.FAILED)


def _ask(method: str, *parts: str, body: Any = None) -> Any:
    from chalicelib.cli.client import client, path_of  # imported late, as above

    with client() as server:
        return server.ask(method, path_of("credentials", *parts), body=body)


def _known(server: Any, name: str) -> dict[str, Any] | None:
    from chalicelib.cli.client import path_of
    from chalicelib.errors import NotFoundError, PenstockError

    try:
        return server.ask("GET", path_of("credentials", name))
    except PenstockError as error:
        if error.code == NotFoundError.code:
            return None
        raise


def _refuse_values(context: typer.Context, name: str) -> None:
    """Refuse anything beyond the name and the options, without repeating it."""
    if context.args:
        raise UsageError(
            "Values never stand in arguments: other users of this machine and the shell's history would see them. "
            f"Type them at the prompt of `penstock credentials {context.info_name} {name}`, or pipe them in, as JSON "
            'such as {"token": "..."} or with --field. If the value was a real one, change it at its service.'
        )


def _seconds(text: str) -> int:
    from chalicelib.kit.durations import parse_duration

    try:
        return int(parse_duration(text).total_seconds())
    except ValueError as error:
        raise UsageError(f"--overlap {error}.") from error


def _tell(answer: dict[str, Any], done: str, *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
        return
    say(f"{answer['name']}\t{answer['type'] or ''}\tversion {answer['version']}\t{done}")
    if answer["hides"]:
        note("The server's environment has one of this name too; the vault's is used.")
    if not answer["hosts"] and answer["type"] not in {"secret", "topic"}:
        note("It names no hosts: it goes wherever a step sends it. Set `hosts` to bound that.")


def _origin(each: dict[str, Any]) -> str:
    if each["broken"]:
        return "vault, unreadable: set it again"
    return f"{each['origin']}, hides the environment's" if each["hides"] else each["origin"]


def _shared(given: dict[str, Any]) -> str:
    flows = "every flow" if given["flows"] is None else ", ".join(given["flows"]) or "no flow"
    return f"{flows}; admins publish" if given["role"] == "admin" else flows
