"""Whether a request with a key or a session may go on: who asks, what they may, how often, and that it is on record."""

from typing import Final, NamedTuple

from chalicelib.api.audit_log import Deed
from chalicelib.api.auth import MAIN_TENANT, Caller, allow, authenticate
from chalicelib.api.rating import rate_key
from chalicelib.api.request import Request
from chalicelib.api.routes import Route
from chalicelib.api.tools import Tools
from chalicelib.api.watch import peer_of
from chalicelib.errors import PenstockError

LOOKING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing; no route of ours does otherwise."""
_DENIALS: Final = frozenset({401, 403, 429})


class Admitted(NamedTuple):
    """Somebody who may, and the entry that says so."""

    caller: Caller
    deed: Deed
    entry: str = ""
    """The audit log's entry; empty for those who only look."""

    async def failed(self, tools: Tools, code: str) -> None:
        """Add to the log that what was let through did not succeed."""
        if self.entry and tools.audit is not None:
            await tools.audit.failed(self.deed, self.entry, code)


async def admit(request: Request, tools: Tools, route: Route) -> Admitted:
    """Let somebody in; raises UnauthenticatedError, ForbiddenError, CrossSiteError, RateLimitedError.

    A change is written down before it is made: AuditUnwrittenError where that cannot be.
    """
    deed = Deed(MAIN_TENANT, "", "", "", action_of(route), request.path, peer_of(request, tools.settings.watch))
    try:
        via, caller = await _who(request, tools)
        deed = deed._replace(tenant=caller.tenant, who=caller.id, role=caller.role.name.lower(), via=via)
        if route.role is not None:
            allow(caller, route.role)
        if via == "session" and request.method not in LOOKING:
            from chalicelib.api.sessions import refuse_other_sites  # imported late: programs have keys

            refuse_other_sites(request, tools.settings)
        await rate_key(tools, caller)
    except PenstockError as error:
        if tools.audit is not None and error.status in _DENIALS:
            await tools.audit.denied(deed, error.code)
        raise
    if request.method in LOOKING or tools.audit is None:
        return Admitted(caller, deed)
    return Admitted(caller, deed, await tools.audit.allowed(deed))


def action_of(route: Route) -> str:
    """What the OpenAPI document calls it."""
    return route.handler.replace(":", "_")


async def _who(request: Request, tools: Tools) -> tuple[str, Caller]:
    """Whoever holds the key that was shown, or else the session."""
    if "authorization" not in request.headers and "cookie" in request.headers:
        from chalicelib.api.sessions import enter  # imported late: programs have keys

        caller = await enter(request, tools)
        if caller is not None:
            return "session", caller
    return "key", await authenticate(request, tools.keys)
