"""What the catalogue says of a node, as the check and the plan read it: an entry of `catalogue.json`, by type.

An entry has `kind` (action, control, trigger), `parameters` (JSON Schema), `ports`, `ports_from` (the parameter whose
keys are further ports), `effect` (a word, or `{by, map, default}` where a parameter decides), `credential` (its kind,
null for none), `not_built` (a sentence by parameter, `*` for the whole node), `formerly` and, for triggers, `verifies`.
"""

from collections.abc import Mapping
from typing import TypeAlias

from chalicelib.flow.model import COMMON_PORTS, IDENTIFIER
from chalicelib.flow.plan import Effect
from chalicelib.flow.values import Json

Entry: TypeAlias = Mapping[str, Json]
Catalogue: TypeAlias = Mapping[str, Json]

NO_ENTRY: Entry = {}
ONLY_DONE = ("done",)
_EFFECTS = {effect.value: effect for effect in Effect}


def find_entry(catalogue: Catalogue, uses: str) -> tuple[str, Entry] | None:
    """A node's present type and its entry, also by a type it once had; None where there is no such node."""
    entry = catalogue.get(uses)
    if isinstance(entry, dict):
        return uses, entry
    for current, other in catalogue.items():
        if isinstance(other, dict) and isinstance(former := other.get("formerly"), list) and uses in former:
            return current, other
    return None


def entry_of(catalogue: Catalogue, uses: str) -> Entry:
    """A node's entry; an empty one where there is no such node."""
    found = find_entry(catalogue, uses)
    return found[1] if found else NO_ENTRY


def schema_of(entry: Entry) -> Mapping[str, Json]:
    """The JSON Schema of a node's parameters; one that allows anything where the entry has none."""
    schema = entry.get("parameters")
    return schema if isinstance(schema, dict) else {"type": "object", "additionalProperties": True}


def property_schemas(entry: Entry) -> Mapping[str, Json]:
    """The schema of each parameter."""
    properties = schema_of(entry).get("properties")
    return properties if isinstance(properties, dict) else {}


def ports_of(entry: Entry, parameters: Mapping[str, Json]) -> tuple[str, ...]:
    """The ports a step of this node can be left by: its own, in order, or only `done`."""
    fixed = entry.get("ports")
    source = entry.get("ports_from")
    named = parameters.get(source) if isinstance(source, str) else None
    dynamic = [name for name in named if IDENTIFIER.fullmatch(name)] if isinstance(named, dict) else []
    own = [*dynamic, *(port for port in (fixed if isinstance(fixed, list) else []) if isinstance(port, str))]
    ports = tuple(dict.fromkeys(port for port in own if port not in COMMON_PORTS or port == "done"))
    return ports or ONLY_DONE


def effect_of(entry: Entry, parameters: Mapping[str, Json]) -> Effect:
    """What running the node does to the world (design 4.4).

    Where a parameter decides and holds an expression, and where the catalogue says nothing, it is the careful answer:
    `at_least_once`, which is leased.
    """
    match entry.get("effect"):
        case str(word) if word in _EFFECTS:
            return _EFFECTS[word]
        case {"by": str(name), "map": dict(by_value), **rest}:
            value = parameters.get(name, rest.get("default"))
            word = by_value.get(value.upper()) if isinstance(value, str) else None
            return _EFFECTS.get(word, Effect.AT_LEAST_ONCE) if isinstance(word, str) else Effect.AT_LEAST_ONCE
        case _:
            return Effect.PURE if entry.get("kind") == "control" else Effect.AT_LEAST_ONCE


def plugin_of(entry: Entry) -> str:
    """The hash that pins the version of the plugin whose node this is; empty for a node of Penstock's own."""
    plugin = entry.get("plugin")
    pin = plugin.get("hash") if isinstance(plugin, dict) else None
    return pin if isinstance(pin, str) else ""
