"""`penstock nodes`: the catalogue, read from its file; no node is imported."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, cast

import typer

from chalicelib.catalogue import entries
from chalicelib.cli.checking import plugins_here
from chalicelib.cli.options import AsJson
from chalicelib.cli.printing import say, say_json, say_table, shown
from chalicelib.errors import NodeUnknownError

app = typer.Typer(help="The nodes that steps and triggers can use.", no_args_is_help=True)

_SHORT = ("type", "kind", "service", "title", "summary", "effect", "credential", "ports")


@app.command("list")
def list_nodes(
    words: Annotated[list[str] | None, typer.Argument(help="Only nodes that these words occur in.")] = None,
    kind: Annotated[str | None, typer.Option(help="action, control or trigger.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the nodes."""
    wanted = [word.lower() for word in words or ()]
    found = [
        entry
        for entry in _all().values()
        if (kind is None or entry["kind"] == kind)
        and all(word in f"{entry['type']} {entry['title']} {entry['summary']}".lower() for word in wanted)
    ]
    if as_json:
        say_json([{name: entry.get(name) for name in _SHORT} for entry in found])
        return
    say_table(("type", "kind", "effect", "what it does"), [_row(entry) for entry in found])


@app.command()
def show(node_type: Annotated[str, typer.Argument(metavar="TYPE")], as_json: AsJson = False) -> None:
    """Show a node: its parameters, its ports and an example."""
    entry = _find(node_type)
    if as_json:
        say_json(entry)
        return
    for line in lines_of(entry):
        say(shown(line))


def lines_of(entry: dict[str, Any]) -> Iterator[str]:
    """A node's entry as people read it."""
    yield f"{entry['type']}  {entry['summary']}"
    if entry.get("doc"):
        yield entry["doc"]
    ports = entry.get("ports")
    facts = {
        "kind": entry["kind"],
        "effect": _effect(entry.get("effect")),
        "credential": entry.get("credential") if entry.get("credential") != "none" else None,
        "ports": ", ".join(cast("list[str]", ports)) if isinstance(ports, list) else None,
        "docs": entry.get("docs"),
    }
    yield from (f"  {name:<11} {value}" for name, value in facts.items() if value)
    schema = cast("dict[str, Any]", entry.get("parameters") or {})
    fields = cast("dict[str, dict[str, Any]]", schema.get("properties", {}))
    if fields:
        yield "with:"
    for name, field in fields.items():
        needed = ", required" if name in schema.get("required", ()) else ""
        yield f"  {name:<16} {_type(field)}{needed}. {field.get('description', '')}".rstrip()
    for name, sentence in entry.get("not_built", {}).items():
        yield f"not yet: {'' if name == '*' else f'with.{name}: '}{sentence}"
    if entry.get("example"):
        yield f"example: {json.dumps(entry['example'], ensure_ascii=False)}"


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (entry["type"], entry["kind"], _effect(entry.get("effect")), entry["summary"])


def _effect(effect: Any) -> str:
    """An effect, or the parameter that decides it."""
    match effect:
        case str():
            return effect
        case dict():
            return f"by its {cast('dict[str, Any]', effect).get('by')}"
        case _:
            return ""


def _type(field: dict[str, Any]) -> str:
    given = field.get("type")
    if isinstance(given, list):
        return " or ".join(cast("list[str]", given))
    return str(given or "any")


def _find(node_type: str) -> dict[str, Any]:
    for entry in _all().values():
        if node_type == entry["type"] or node_type in entry["formerly"]:
            return entry
    from chalicelib.flow.findings import did_you_mean  # imported late: only mistakes need it

    raise NodeUnknownError(
        f"There is no node {node_type}.{did_you_mean(node_type, _all())} `penstock nodes list` shows them all."
    )


def _all() -> dict[str, Any]:
    """Our own nodes, and those of the plugins that lie here."""
    return {**plugins_here(), **entries()}
