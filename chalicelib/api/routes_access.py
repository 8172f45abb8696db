"""The rows of the table of routes that are about who may do what: keys, the audit log, sessions, plugins."""

from typing import Final

from chalicelib.api.auth import Role
from chalicelib.api.route import Route

_V1: Final = "/api/v1"
_KEY: Final = f"{_V1}/keys/{{id}}"
_PLUGINS: Final = f"{_V1}/plugins"
_PLUGIN: Final = ((200, "Plugin"),)

ACCESS: Final[tuple[Route, ...]] = (
    Route(
        ("GET",),
        f"{_V1}/keys",
        "keys:list_keys",
        Role.ADMIN,
        "List the keys, never the keys themselves.",
        ((200, "Keys"),),
        query="Keys",
        takes_scoped_keys=True,
    ),
    Route(
        ("POST",),
        f"{_V1}/keys",
        "keys:create",
        Role.ADMIN,
        "Make a key; it is shown in this answer and never again.",
        ((201, "NewKey"),),
        takes="Key",
        takes_scoped_keys=True,
    ),
    Route(
        ("POST",),
        f"{_KEY}/revoke",
        "keys:revoke",
        Role.ADMIN,
        "Let a key open nothing any more.",
        ((200, "KeyShown"),),
        query="Tenant",
        takes_scoped_keys=True,
    ),
    Route(
        ("POST",),
        f"{_KEY}/rotate",
        "keys:rotate",
        Role.ADMIN,
        "Give a key a new secret; the one before counts for as long as asked.",
        ((200, "NewKey"),),
        query="Tenant",
        takes="KeyRotation",
        takes_scoped_keys=True,
    ),
    Route(
        ("GET",),
        f"{_V1}/audit",
        "audit:list_entries",
        Role.ADMIN,
        "List who did what, when and from where, newest first.",
        ((200, "Audit"),),
        query="Audit",
    ),
    Route(
        ("POST",),
        f"{_V1}/session",
        "sessions:open_session",
        Role.VIEWER,
        "Open a session for the key that this is asked with; its cookie stands for the key.",
        ((201, "Session"),),
        takes_scoped_keys=True,
    ),
    Route(
        ("GET",),
        f"{_V1}/session",
        "sessions:show",
        Role.VIEWER,
        "Show the session: whose, until when, and the token that changes need.",
        ((200, "Session"),),
        takes_scoped_keys=True,
    ),
    Route(
        ("DELETE",),
        f"{_V1}/session",
        "sessions:close",
        Role.VIEWER,
        "End the session.",
        ((204, ""),),
        takes_scoped_keys=True,
    ),
    Route(("GET",), _PLUGINS, "plugins:list_plugins", Role.ADMIN, "List the plugins.", ((200, "Plugins"),)),
    Route(("POST",), _PLUGINS, "plugins:add", Role.ADMIN, "Install one.", ((201, "Plugin"),), takes="AddPlugin"),
    Route(
        ("POST",),
        f"{_V1}/plugin-parts",
        "plugins:keep_part",
        Role.ADMIN,
        "Keep a part of a package.",
        ((201, "PluginPart"),),
        takes="*",
    ),
    Route(
        ("POST",), f"{_PLUGINS}/{{name}}/grant", "plugins:grant", Role.ADMIN, "Let it do more.", _PLUGIN, takes="Grants"
    ),
    Route(
        ("POST",),
        f"{_PLUGINS}/{{name}}/revoke",
        "plugins:revoke",
        Role.ADMIN,
        "Let it do less.",
        _PLUGIN,
        takes="Grants",
    ),
    Route(
        ("DELETE",),
        f"{_PLUGINS}/{{name}}",
        "plugins:remove",
        Role.ADMIN,
        "Remove one, with what it kept.",
        ((200, "PluginRemoved"),),
        query="Force",
    ),
)
