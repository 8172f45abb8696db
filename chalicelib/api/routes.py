"""The one table of routes: hosts register it, `app` answers by it, `openapi` describes it.

A handler is named, not imported: `flows:publish` is `chalicelib.api.flows.publish`, imported when it is first asked
for, so that a hook's cold start pays for hooks alone. Siblings name their parameter alike: API Gateway wants it so.
"""

from typing import Final, NamedTuple
from urllib.parse import unquote

from chalicelib.api.auth import Role

ANY_METHOD: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Route(NamedTuple):
    """One address and what it does.

    Attributes:
        methods: those that lead here; HEAD is answered where GET is, OPTIONS everywhere.
        path: the template; `{name}` takes one segment.
        handler: `module:function` in this room.
        role: the least role that may; None: public.
        summary: one sentence.
        gives: each status it answers with, and the schema of that answer's body in `schemas`, empty for none.
        query: the schema of its query parameters, empty for none; `*`: query and body are a stranger's, and the
            handler reads both itself.
        takes: the schema of its JSON body; empty for none, `*` for bytes that the handler reads itself.
        is_page: people open it too: the answer is a page, the body a form, where they ask for that.
    """

    methods: tuple[str, ...]
    path: str
    handler: str
    role: Role | None
    summary: str
    gives: tuple[tuple[int, str], ...]
    query: str = ""
    takes: str = ""
    is_page: bool = False

    @property
    def is_hook(self) -> bool:
        """Whether deliveries come here: what the trigger says decides which methods it takes."""
        return self.handler == "hooks:receive"

    @property
    def reads_itself(self) -> bool:
        """Whether strangers knock here: the query and the body are theirs, and the handler's to read."""
        return self.query == "*"


_V1: Final = "/api/v1"
_FLOW: Final = f"{_V1}/flows/{{flow}}"
_EXECUTION: Final = f"{_V1}/executions/{{id}}"
_CALLBACK: Final = "/callbacks/{link}"
_APPROVAL: Final = "/approvals/{link}"
_PLUGINS: Final = f"{_V1}/plugins"
_PLUGIN: Final = ((200, "Plugin"),)
_HOOK_ANSWERS: Final = ((200, ""), (202, "Accepted"))


def _hook(path: str, summary: str) -> Route:
    return Route(ANY_METHOD, path, "hooks:receive", None, summary, _HOOK_ANSWERS, query="*", takes="*")


TABLE: Final[tuple[Route, ...]] = (
    _hook("/hooks/{flow}/{trigger}", "Deliver to a webhook trigger that verifies its sender."),
    _hook("/hooks/{flow}/{trigger}/{token}", "Deliver to a webhook trigger that verifies nothing, by its token."),
    _hook("/t/{tenant}/hooks/{flow}/{trigger}", "Deliver to another tenant's webhook trigger."),
    _hook("/t/{tenant}/hooks/{flow}/{trigger}/{token}", "Deliver to another tenant's trigger, by its token."),
    Route(
        ("GET",),
        _CALLBACK,
        "callbacks:show",
        None,
        "Say what the address is for; a callback is never answered by looking.",
        ((405, "Problem"),),
        query="*",
        is_page=True,
    ),
    Route(
        ("POST", "PUT"),
        _CALLBACK,
        "callbacks:receive",
        None,
        "Answer a callback, once, by its link.",
        ((200, "Received"),),
        query="*",
        takes="*",
    ),
    Route(
        ("POST",),
        f"{_CALLBACK}/heartbeat",
        "callbacks:heartbeat",
        None,
        "Say that the work behind a callback goes on.",
        ((200, "Expiry"),),
        query="*",
    ),
    Route(
        ("GET",),
        _APPROVAL,
        "approvals:show",
        None,
        "Show what is asked; nothing is decided by looking.",
        ((200, "Approval"),),
        query="*",
        is_page=True,
    ),
    Route(
        ("POST",),
        _APPROVAL,
        "approvals:decide",
        None,
        "Approve or reject, once, by the link.",
        ((200, "Decided"),),
        query="*",
        takes="Decision",
        is_page=True,
    ),
    Route(("GET",), f"{_V1}/health", "about:health", None, "Say that the server answers.", ((200, "Health"),)),
    Route(("GET",), f"{_V1}/openapi.json", "about:openapi", None, "This description.", ((200, "Anything"),)),
    Route(("GET",), f"{_V1}/flows", "flows:list_flows", Role.VIEWER, "List the published flows.", ((200, "Flows"),)),
    Route(("GET",), _FLOW, "flows:show", Role.VIEWER, "Show a flow as it is published.", ((200, "Flow"),)),
    Route(
        ("PUT",),
        _FLOW,
        "publishing:publish",
        Role.EDITOR,
        "Check a flow file (YAML or JSON) and publish it.",
        ((200, "Published"), (201, "Published")),
        query="Publish",
        takes="*",
    ),
    Route(("GET",), f"{_FLOW}/versions", "flows:versions", Role.VIEWER, "List its versions.", ((200, "Versions"),)),
    Route(
        ("GET",),
        f"{_FLOW}/versions/{{version}}",
        "flows:show_version",
        Role.VIEWER,
        "Show one of its versions.",
        ((200, "Version"),),
    ),
    Route(
        ("POST",),
        f"{_FLOW}/rollback",
        "publishing:roll_back",
        Role.EDITOR,
        "Make a version that was published before the published one.",
        ((200, "Published"),),
        takes="Rollback",
    ),
    Route(
        ("POST",),
        f"{_FLOW}/enable",
        "publishing:enable",
        Role.OPERATOR,
        "Let it start executions.",
        ((200, "Switched"),),
    ),
    Route(
        ("POST",),
        f"{_FLOW}/disable",
        "publishing:disable",
        Role.OPERATOR,
        "Start no more executions; those that run go on.",
        ((200, "Switched"),),
    ),
    Route(
        ("POST",),
        f"{_FLOW}/pause",
        "publishing:pause",
        Role.OPERATOR,
        "Queue what it starts from now on; those that run go on.",
        ((200, "Switched"),),
    ),
    Route(
        ("POST",),
        f"{_FLOW}/resume",
        "publishing:resume",
        Role.OPERATOR,
        "Queue no more, and wake those that were queued.",
        ((200, "Resumed"),),
    ),
    Route(
        ("POST",),
        f"{_FLOW}/triggers/{{trigger}}/rotate",
        "publishing:rotate",
        Role.EDITOR,
        "Give a trigger that verifies nothing a new address; the old one is gone at once.",
        ((200, "Trigger"),),
    ),
    Route(
        ("POST",),
        f"{_FLOW}/run",
        "running:start",
        Role.OPERATOR,
        "Start an execution.",
        ((200, "Ran"), (202, "Accepted")),
        query="Wait",
        takes="Start",
    ),
    Route(
        ("GET",),
        f"{_V1}/executions",
        "executions:list_executions",
        Role.VIEWER,
        "List executions, newest first.",
        ((200, "Executions"),),
        query="Executions",
    ),
    Route(
        ("GET",),
        _EXECUTION,
        "executions:show",
        Role.VIEWER,
        "Show an execution with every step's input, output, attempts and times.",
        ((200, "Execution"),),
    ),
    Route(
        ("POST",),
        f"{_EXECUTION}/cancel",
        "executions:cancel",
        Role.OPERATOR,
        "Stop an execution: nothing new is started.",
        ((200, "Standing"),),
        takes="Cancel",
    ),
    Route(
        ("POST",),
        f"{_EXECUTION}/pause",
        "executions:pause",
        Role.OPERATOR,
        "Start nothing more in an execution until it is resumed; what is under way is recorded.",
        ((200, "Standing"),),
    ),
    Route(
        ("POST",),
        f"{_EXECUTION}/resume",
        "executions:resume",
        Role.OPERATOR,
        "Go on with an execution that was paused.",
        ((200, "Standing"),),
    ),
    Route(
        ("POST",),
        f"{_EXECUTION}/redrive",
        "executions:redrive",
        Role.OPERATOR,
        "Go on with one that failed, was cancelled or timed out, from its failed steps; what succeeded is kept.",
        ((200, "Standing"),),
        takes="Redrive",
    ),
    Route(
        ("POST",),
        f"{_EXECUTION}/steps/{{step}}/answer",
        "answering:answer",
        Role.OPERATOR,
        "Answer a step that waits: an approval, or a callback.",
        ((200, "Standing"),),
        takes="Answer",
    ),
    Route(
        ("POST",),
        f"{_EXECUTION}/retry",
        "executions:retry",
        Role.OPERATOR,
        "Start a new execution of the same version with the same input.",
        ((202, "Retried"),),
    ),
    Route(
        ("GET",),
        f"{_V1}/refusals",
        "refusals:list_refusals",
        Role.VIEWER,
        "Count the deliveries that were refused, by day, flow, trigger and reason.",
        ((200, "Refusals"),),
        query="Refusals",
    ),
    Route(
        ("GET",), f"{_V1}/nodes", "nodes:list_nodes", Role.VIEWER, "List the nodes.", ((200, "Nodes"),), query="Nodes"
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
    Route(("GET",), f"{_V1}/nodes/{{type}}", "nodes:show", Role.VIEWER, "Show a node.", ((200, "Node"),)),
)


class Match(NamedTuple):
    """An address that exists: what it does by method, and what stands in its path, decoded."""

    routes: dict[str, Route]
    names: dict[str, str]


class Router:
    """Finds a path's routes, one dictionary per segment."""

    def __init__(self, table: tuple[Route, ...] = TABLE) -> None:
        self._root = _Node()
        for route in table:
            node, names = self._root, list[str]()
            for segment in route.path.split("/")[1:]:
                if segment.startswith("{"):
                    names.append(segment[1:-1])
                    node.any = node.any or _Node()
                    node = node.any
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.names = tuple(names)
            for method in route.methods:
                node.routes[method] = route

    def match(self, path: str) -> Match | None:
        """The routes at a percent-encoded path; None where there is nothing."""
        node, values = self._root, list[str]()
        for segment in path.split("/")[1:]:
            literal = node.literal.get(segment)
            if literal is not None:
                node = literal
                continue
            if node.any is None or not segment:
                return None
            node = node.any
            values.append(segment)
        if not node.routes or not path.startswith("/"):
            return None
        try:
            decoded = [unquote(value, errors="strict") if "%" in value else value for value in values]
        except UnicodeDecodeError:
            return None
        return Match(node.routes, dict(zip(node.names, decoded, strict=True)))


class _Node:
    """A place in the tree of paths."""

    __slots__ = ("any", "literal", "names", "routes")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.names: tuple[str, ...] = ()
        self.routes: dict[str, Route] = {}


def allowed(routes: dict[str, Route]) -> list[str]:
    """The methods that an address takes, as the Allow header names them."""
    return [*routes, *(["HEAD"] if "GET" in routes and not routes["GET"].is_hook else []), "OPTIONS"]
