"""Which version of a plugin a flow gets: the one that it names, else the one that is installed when it is published."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from chalicelib.api.tools import Call
from chalicelib.flow.entries import plugin_of
from chalicelib.flow.reading_steps import read_model
from chalicelib.flow.values import Json
from chalicelib.sandbox.errors import PluginMissingError, PluginsNotHereError
from chalicelib.sandbox.manifest import PREFIX

NO_PLUGINS: Final[Mapping[str, Json]] = MappingProxyType({})


async def plugins_for(call: Call, data: Mapping[str, Json]) -> Mapping[str, Json]:
    """The nodes of plugins that a flow may use, by type: of each plugin one version.

    Raises PluginsNotHereError where the flow uses one, or a program, and none runs here, PluginMissingError for a
    version that was never installed here.
    """
    used, plugins = used_by(data), call.tools.plugins
    if plugins is None and (programs := _programs_in(data)):
        raise PluginsNotHereError(
            f"The flow uses `{programs[0]}`: this deployment has no sandbox to run programs in, the embedded server "
            "alone has. Write it as an expression, or run the flow there."
        )
    if not used:
        return NO_PLUGINS
    if plugins is None:
        raise PluginsNotHereError(
            f"The flow uses `{PREFIX}{min(used)}`: this deployment runs no plugins, the embedded server alone does."
        )
    installed = await plugins.entries(call.tenant)
    given = data.get("plugins")
    pins = {name: pin for name, pin in given.items() if isinstance(pin, str)} if isinstance(given, dict) else {}
    wanted = await plugins.pinned(call.tenant, pins)
    there = {name for entry in wanted.values() if (name := _plugin_name(entry))}
    for name in pins.keys() & used - there:
        raise PluginMissingError(f"This version of the plugin `{name[:60]}` was never installed here. Leave it out.")
    return {**{kind: entry for kind, entry in installed.items() if _plugin_name(entry) not in there}, **wanted}


def _programs_in(data: Mapping[str, Json]) -> list[str]:
    """The types of the code nodes in a flow."""
    flow, _ = read_model(data)
    return sorted({step.uses for step in flow.walk() if step.uses.startswith("code.")})


def pinned(data: Mapping[str, Json], plugins: Mapping[str, Json]) -> Mapping[str, Json]:
    """The document with the version of each plugin that it uses: what is published means the same for ever."""
    used = used_by(data)
    if not used:
        return data
    pins: dict[str, Json] = {}
    for entry in plugins.values():
        name = _plugin_name(entry)
        if name in used and isinstance(entry, dict):
            pins[name] = plugin_of(entry)
    return {**data, "plugins": dict(sorted(pins.items()))}


def used_by(data: Mapping[str, Json]) -> set[str]:
    """The plugins whose nodes stand in a flow, by name."""
    flow, _ = read_model(data)
    return {name for step in flow.walk() if (name := plugin_named(step.uses))}


def plugin_named(uses: str) -> str:
    """The plugin whose node this type is; empty for a node of Penstock's own."""
    return uses.removeprefix(PREFIX).partition(".")[0] if uses.startswith(PREFIX) else ""


def _plugin_name(entry: Json) -> str:
    plugin = entry.get("plugin") if isinstance(entry, dict) else None
    name = plugin.get("name") if isinstance(plugin, dict) else None
    return name if isinstance(name, str) else ""
