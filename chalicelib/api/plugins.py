"""Plugins: added in parts, listed, granted and revoked thing by thing, removed where no published flow uses them."""

import re
from typing import Final

from chalicelib.api.pins import plugin_named
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.times import to_milliseconds, to_text
from chalicelib.api.tools import Call
from chalicelib.errors import BodyUnreadableError, NotFoundError, UsageError
from chalicelib.flow.values import Json
from chalicelib.ports.plugins import Installed, Plugins
from chalicelib.sandbox.errors import PluginsNotHereError, PluginUsedError
from chalicelib.sandbox.manifest import Asks
from chalicelib.sandbox.package import MOST_PACKAGE_BYTES

MOST_PARTS: Final = 64
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_MOST_NAMED = 10


async def list_plugins(call: Call) -> Answer:
    """Every plugin: what it asks for, and what it was granted."""
    items: list[Json] = [plugin_to_json(each) for each in await _plugins(call).all(call.tenant)]
    return json_answer({"items": items})


async def keep_part(call: Call) -> Answer:
    """Keep a part of a package until it is added: a body has a limit, and a module may be larger."""
    _plugins(call)
    if not call.request.body:
        raise BodyUnreadableError("The body is empty. Send a part of the package's bytes.")
    return json_answer({"part": await call.tools.blobs.put(call.request.body)}, 201)


async def add(call: Call) -> Answer:
    """Install the package that these parts make, or another version of it. It is granted what is said here alone."""
    plugins, parts = _plugins(call), call.body["parts"]
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_PARTS:
        raise UsageError(f"`parts` names 1 to {MOST_PARTS} parts, in order.")
    content = b""
    for part in parts:
        if not isinstance(part, str) or not _HASH.fullmatch(part):
            raise UsageError("A part is named by what POST /api/v1/plugin-parts answered.")
        content += await call.tools.blobs.get(part)
        if len(content) > MOST_PACKAGE_BYTES:
            raise UsageError(f"A package has up to {MOST_PACKAGE_BYTES:,} bytes.")
    granted = call.body.get("grant", {})
    now = to_milliseconds(call.tools.clock.now())
    asks = Asks.of(granted if isinstance(granted, dict) else {})
    return json_answer(plugin_to_json(await plugins.add(call.tenant, content, asks, now)), 201)


async def grant(call: Call) -> Answer:
    """Let a plugin do more of what it asks for."""
    return json_answer(plugin_to_json(await _plugins(call).grant(call.tenant, call.names["name"], Asks.of(call.body))))


async def revoke(call: Call) -> Answer:
    """Let a plugin do less, from its next call on."""
    return json_answer(plugin_to_json(await _plugins(call).revoke(call.tenant, call.names["name"], Asks.of(call.body))))


async def remove(call: Call) -> Answer:
    """Take a plugin away, with what it kept. Raises PluginUsedError where published flows use it, unless forced."""
    plugins, name = _plugins(call), call.names["name"]
    await plugins.get(call.tenant, name)
    users = await _users(call, name)
    if users and not call.query.get("force"):
        shown = ", ".join(users[:_MOST_NAMED]) + (" and more" if len(users) > _MOST_NAMED else "")
        do = "Publish them without it first, or force it: then they fail."
        raise PluginUsedError(f"Published flows use the plugin `{name}`: {shown}. {do}")
    await plugins.remove(call.tenant, name)
    return json_answer({"name": name, "used_by": list[Json](users)})


def plugin_to_json(plugin: Installed) -> dict[str, Json]:
    """A plugin as the API shows it."""
    manifest = plugin.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "hash": plugin.hash,
        "summary": manifest.summary,
        "asks": manifest.asks.to_json(),
        "granted": plugin.granted.to_json(),
        "nodes": list[Json](manifest.entries(plugin.hash)),
        "added": to_text(plugin.added),
        "versions": [{"hash": pin, "version": version} for pin, version in plugin.versions.items()],
    }


def _plugins(call: Call) -> Plugins:
    if call.tools.plugins is None:
        raise PluginsNotHereError
    return call.tools.plugins


async def _users(call: Call, name: str) -> list[str]:
    """The published flows that use a plugin, by name."""
    found: list[str] = []
    for live in await call.tools.versions.flows(call.tenant):
        try:
            plan = await call.tools.plans.plan(call.tenant, live.flow, live.version)
        except NotFoundError:
            continue
        if any(plugin_named(step.uses) == name for step in plan.by_id.values()):
            found.append(live.flow)
    return found
