"""The one table of routes: hosts register it, `router` finds a path in it, `openapi` describes it.

A handler is named, not imported: `flows:publish` is `chalicelib.api.flows.publish`, imported when it is first asked
for, so that a hook's cold start pays for hooks alone. Siblings name their parameter alike: API Gateway wants it so.
"""

from typing import Final, NamedTuple

from chalicelib.api.auth import Role
from chalicelib.api.routes_consents import CONSENTS
from chalicelib.api.routes_credentials import CREDENTIALS

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
        takes_scoped_keys: keys with scopes may come, though neither a flow nor an execution stands in the path: the
            handler leaves out what is not there for them. Else they are refused.
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
    takes_scoped_keys: bool = False

    @property
    def is_about_execution(self) -> bool:
        """Whether an execution's id stands in its path."""
        return self.path.startswith(_EXECUTION)

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
_KEY: Final = f"{_V1}/keys/{{id}}"
_CALLBACK: Final = "/callbacks/{link}"
_APPROVAL: Final = "/approvals/{link}"
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
    Route(
        ("GET",),
        f"{_V1}/openapi.json",
        "about:openapi",
        Role.VIEWER,
        "This description.",
        ((200, "Anything"),),
        takes_scoped_keys=True,
    ),
    Route(
        ("GET",),
        f"{_V1}/flows",
        "flows:list_flows",
        Role.VIEWER,
        "List the published flows.",
        ((200, "Flows"),),
        takes_scoped_keys=True,
    ),
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
        takes_scoped_keys=True,
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
        takes_scoped_keys=True,
    ),
    Route(
        ("GET",),
        f"{_V1}/nodes",
        "nodes:list_nodes",
        Role.VIEWER,
        "List the nodes.",
        ((200, "Nodes"),),
        query="Nodes",
        takes_scoped_keys=True,
    ),
    Route(
        ("GET",),
        f"{_V1}/nodes/{{type}}",
        "nodes:show",
        Role.VIEWER,
        "Show a node.",
        ((200, "Node"),),
        takes_scoped_keys=True,
    ),
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
    *(Route(*row) for row in CREDENTIALS),
    *(Route(*row) for row in CONSENTS),
)
