"""`penstock flows`: what is published on a server."""

from typing import Annotated, Any

import typer

from chalicelib.cli.options import AsJson
from chalicelib.cli.printing import note, say, say_json, say_table

app = typer.Typer(help="The flows that a server has.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The flow's name.")]


@app.command("list")
def list_flows(as_json: AsJson = False) -> None:
    """List the published flows."""
    items = _ask("GET")["items"]
    if as_json:
        say_json(items)
        return
    rows = [(each["flow"], each["version"][:12], state_of(each), each["published"]) for each in items]
    say_table(("flow", "version", "", "published"), rows)


@app.command()
def show(
    name: _Name,
    text: Annotated[bool, typer.Option("--text", help="Write the published document, as YAML.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a flow: its triggers with their addresses, its inputs."""
    flow = _ask("GET", name)
    if as_json:
        say_json(flow)
        return
    if text:
        from chalicelib.flow.text import to_yaml  # imported late: only this option needs it

        say(to_yaml(flow["document"]).rstrip("\n"))
        return
    say(f"{flow['flow']}  {flow['version'][:12]}  {state_of(flow)}  published {flow['published']}")
    if flow["description"]:
        say(flow["description"])
    for trigger in flow["triggers"]:
        say(f"trigger {trigger['id']}  {trigger['uses']}  {_about(trigger)}".rstrip())
    for field, schema in flow["inputs"].items():
        say(f"input {field}  {schema.get('type', 'any')}")


@app.command()
def enable(name: _Name, as_json: AsJson = False) -> None:
    """Let a flow start executions."""
    _switched(_ask("POST", name, "enable"), as_json=as_json)


@app.command()
def disable(name: _Name, as_json: AsJson = False) -> None:
    """Let a flow start no more executions; those that run go on."""
    _switched(_ask("POST", name, "disable"), as_json=as_json)


@app.command()
def pause(name: _Name, as_json: AsJson = False) -> None:
    """Queue what a flow starts from now on; those that run go on."""
    _switched(_ask("POST", name, "pause"), as_json=as_json)


@app.command()
def resume(name: _Name, as_json: AsJson = False) -> None:
    """Let a paused flow start again, and wake what was queued."""
    answer = _ask("POST", name, "resume")
    _switched(answer, as_json=as_json)
    if answer["woken"] and not as_json:
        note(f"{answer['woken']} queued {'execution goes' if answer['woken'] == 1 else 'executions go'} on.")


@app.command()
def versions(name: _Name, as_json: AsJson = False) -> None:
    """List a flow's versions, newest first."""
    items = _ask("GET", name, "versions")["items"]
    if as_json:
        say_json(items)
        return
    rows = [(each["version"], each["stored"], "live" if each["live"] else "") for each in items]
    say_table(("version", "stored", ""), rows)


@app.command()
def rollback(
    name: _Name,
    version: Annotated[str, typer.Argument(help="A version's hash, or the first seven characters of it.")],
    as_json: AsJson = False,
) -> None:
    """Make a former version the published one."""
    answer = _ask("POST", name, "rollback", body={"version": version})
    if as_json:
        say_json(answer)
        return
    say(f"{answer['flow']}\t{answer['version'][:12]}\t{'published' if answer['changed'] else 'as it was'}")


@app.command()
def rotate(
    name: _Name,
    trigger: Annotated[str, typer.Argument(help="A webhook trigger that verifies nothing.")],
    as_json: AsJson = False,
) -> None:
    """Give an open hook a new address; the old one is gone at once."""
    answer = _ask("POST", name, "triggers", trigger, "rotate")
    if as_json:
        say_json(answer)
        return
    say(answer["url"])
    note("The former address answers no more.")


def _ask(method: str, *parts: str, body: Any = None) -> Any:
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx

    with client() as server:
        return server.ask(method, path_of("flows", *parts), body=body)


def _switched(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
        return
    say(f"{answer['flow']}\t{state_of(answer)}")


def state_of(flow: dict[str, Any]) -> str:
    """What a flow does with what would start it: `enabled`, `paused` (it is queued), `disabled` (it is refused)."""
    if not flow["enabled"]:
        return "disabled"
    return "paused" if flow["paused"] else "enabled"


def _about(trigger: dict[str, Any]) -> str:
    if trigger["uses"] == "webhook":
        url = trigger["url"] or "(its address needs a higher role)"
        return f"{'/'.join(trigger['methods'])} {url}  verify: {trigger['verify']}"
    return "  ".join(f"{key}: {value}" for key, value in trigger.get("with", {}).items())
