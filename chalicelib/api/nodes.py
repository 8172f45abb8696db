"""The catalogue, as the palette and the forms read it; no node is imported."""

from collections.abc import Mapping
from typing import Any

from chalicelib.api.request import Answer, json_answer
from chalicelib.api.tools import Call
from chalicelib.catalogue import entries
from chalicelib.errors import NodeUnknownError
from chalicelib.flow.findings import did_you_mean
from chalicelib.flow.values import Json

_SHORT = ("type", "kind", "service", "title", "summary", "effect", "credential", "ports")


async def list_nodes(call: Call) -> Answer:
    """Every node in short, by type; `kind` and `service` narrow it."""
    found: list[Json] = [
        {name: entry.get(name) for name in _SHORT}
        for entry in (await _catalogue(call)).values()
        if all(entry.get(name) == wanted for name, wanted in call.query.items())
    ]
    return json_answer({"items": found})


async def show(call: Call) -> Answer:
    """One node with everything that the catalogue knows of it; a former type leads to its node too."""
    node_type, catalogue = call.names["type"], await _catalogue(call)
    entry = catalogue.get(node_type)
    if entry is None:
        entry = next((each for each in catalogue.values() if node_type in each["formerly"]), None)
    if entry is None:
        raise NodeUnknownError(
            f"There is no such node.{did_you_mean(node_type, catalogue)} GET /api/v1/nodes lists those there are."
        )
    return json_answer(entry)


async def _catalogue(call: Call) -> Mapping[str, Any]:
    """Our own nodes, and those of the plugins that are installed."""
    if call.tools.plugins is None:
        return entries()
    return {**await call.tools.plugins.entries(call.tenant), **entries()}
