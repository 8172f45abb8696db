"""What a key is for: scopes as text, and how a key that has them is held to its flows.

A scope is a flow's name, or the beginning of names and `*`; before it may stand how far the key goes there: `read:`,
`run:` or `publish:`. Each includes those before it, none goes beyond the key's role, and without one it is the role.
A key without scopes is for every flow of its tenant. A flow outside a key's scopes is not there for it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from chalicelib.api.auth import Caller, Grant, Role
from chalicelib.api.tools import Call
from chalicelib.engine.records import RecordKey
from chalicelib.errors import ForbiddenError, NotFoundError, UsageError

MOST_SCOPES: Final = 50
SCOPE: Final = re.compile(r"(?:(read|run|publish):)?([a-z][a-z0-9_-]{0,63}|(?:[a-z][a-z0-9_-]{0,62})?\*)")
_ROLES: Final[Mapping[str, Role]] = {"read": Role.VIEWER, "run": Role.OPERATOR, "publish": Role.EDITOR}


def grants_of(scopes: Iterable[str]) -> tuple[Grant, ...]:
    """Scopes understood; raises UsageError for what is none."""
    found: list[Grant] = []
    for scope in scopes:
        match = SCOPE.fullmatch(scope)
        if match is None:
            raise UsageError(
                f"`{scope[:80]}` is no scope. Write a flow's name, or the beginning of it and `*`; before it `read:`, "
                "`run:` or `publish:` where the key is to do less there than its role allows."
            )
        found.append(Grant(match[2], _ROLES.get(match[1] or "", Role.ADMIN)))
    return tuple(found)


def may_give(caller: Caller, role: Role, grants: Sequence[Grant]) -> bool:
    """Whether a key with this role and these grants could do nothing that the caller cannot."""
    if role > caller.role:
        return False
    if not caller.grants:
        return True
    return bool(grants) and all(
        any(own.covers(each.flows) and min(own.role, caller.role) >= min(each.role, role) for own in caller.grants)
        for each in grants
    )


def sees(caller: Caller | None, flow: str) -> bool:
    """Whether a flow is there for the caller: for handlers that leave out the others."""
    return caller is not None and caller.role_on(flow) is not None


async def held_to_scope(call: Call, caller: Caller) -> Call:
    """The call with the role that a key with scopes has on what it is about.

    Raises NotFoundError where that is not there for the key, ForbiddenError where the key may do less with it, or where
    it is about the whole tenant.
    """
    route = call.route
    if route.takes_scoped_keys:
        return call
    flow = call.names.get("flow")
    missing = f"No flow {flow} is published. GET /api/v1/flows lists those there are."  # as where it is not there
    if route.is_about_execution:
        image = await call.tools.facts.read(RecordKey(caller.tenant, call.names["id"]))
        flow = image.birth.flow if image is not None and image.birth is not None else ""
        missing = f"There is no execution {call.names['id']}."
    elif flow is None:
        raise ForbiddenError("This is about all flows of the tenant, and the key is for some of them.")
    role = caller.role_on(flow) if flow else None
    if role is None and call.request.method == "PUT":  # whether the flow is there or not
        raise ForbiddenError("The key's scopes do not allow a flow of this name.")
    if role is None:
        raise NotFoundError(missing)
    if route.role is not None and role < route.role:
        raise ForbiddenError(
            f"This needs the role {route.role.name.lower()}; for this flow the key's scopes allow {role.name.lower()}."
        )
    return call._replace(caller=caller._replace(role=role))
