"""Whether a request with a key or a session may go on: who asks, what they may, how often, and that it is on record."""

from typing import Final, NamedTuple

from chalicelib.api.audit_log import Deed
from chalicelib.api.auth import MAIN_TENANT, Caller, allow, authenticate
from chalicelib.api.rating import rate_key
from chalicelib.api.request import Request
from chalicelib.api.routes import Route
from chalicelib.api.tools import Call, Tools
from chalicelib.api.watch import peer_of
from chalicelib.errors import PenstockError

LOOKING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing; no route of ours does otherwise."""
_DENIALS: Final = frozenset({401, 403, 429})
_NO_ADDRESS: Final = "no_address"
"""What is asked of an address, or with a method, that is not there."""


class Known(NamedTuple):
    """Somebody who has shown who they are."""

    caller: Caller
    via: str
    """`key` or `session`."""
    deed: Deed


class Admitted(NamedTuple):
    """Somebody who may, and the entry that says so."""

    call: Call
    """As it is let in: a key with scopes may have less of a role here."""
    deed: Deed
    entry: str = ""
    """The audit log's entry; empty for those who only look."""

    async def failed(self, code: str) -> None:
        """Add to the log that what was let through did not succeed."""
        audit = self.call.tools.audit
        if self.entry and audit is not None:
            await audit.failed(self.deed, self.entry, code)


async def identify(request: Request, tools: Tools, route: Route | None) -> Known:
    """Whoever asks; raises UnauthenticatedError. `route` is None where there is nothing."""
    action = action_of(route) if route is not None else _NO_ADDRESS
    deed = Deed(MAIN_TENANT, "", "", "", action, request.path, peer_of(request, tools.settings.watch))
    try:
        via, caller = await _who(request, tools)
    except PenstockError as error:
        await _denied(tools, deed, error)
        raise
    return Known(
        caller, via, deed._replace(tenant=caller.tenant, who=caller.id, role=caller.role.name.lower(), via=via)
    )


async def admit(call: Call, known: Known) -> Admitted:
    """Let somebody in; raises ForbiddenError, NotFoundError (for their key), CrossSiteError, RateLimitedError.

    A change is written down before it is made: AuditUnwrittenError where that cannot be.
    """
    request, tools, caller = call.request, call.tools, known.caller
    try:
        if call.route.role is not None:
            allow(caller, call.route.role)
        if known.via == "session" and request.method not in LOOKING:
            from chalicelib.api.sessions import refuse_other_sites  # imported late: programs have keys

            refuse_other_sites(request, tools.settings)
        await rate_key(tools, caller)
        if caller.grants:
            from chalicelib.api.scopes import held_to_scope  # imported late: most keys have no scopes

            call = await held_to_scope(call, caller)
    except PenstockError as error:
        await _denied(tools, known.deed, error)
        raise
    if request.method in LOOKING or tools.audit is None:
        return Admitted(call, known.deed)
    return Admitted(call, known.deed, await tools.audit.allowed(known.deed))


def action_of(route: Route) -> str:
    """What the OpenAPI document calls it."""
    return route.handler.replace(":", "_")


async def _denied(tools: Tools, deed: Deed, error: PenstockError) -> None:
    if tools.audit is not None and error.status in _DENIALS:
        await tools.audit.denied(deed, error.code)


async def _who(request: Request, tools: Tools) -> tuple[str, Caller]:
    """Whoever holds the key that was shown, or else the session."""
    if "authorization" not in request.headers and "cookie" in request.headers:
        from chalicelib.api.sessions import enter  # imported late: programs have keys

        caller = await enter(request, tools)
        if caller is not None:
            return "session", caller
    return "key", await authenticate(request, tools.keys)
