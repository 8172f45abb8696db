"""Who may come where, as a table to hold a server against: every route, every method, every kind of key.

The expectations are made of `routes.TABLE` alone. An address names a flow and an execution of tenant `main` where
another tenant's key asks (so that finding one would be seen), else some that nobody has (so that nothing is changed).
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from chalicelib.api.auth import MAIN_TENANT, Role, key_hash
from chalicelib.api.routes import TABLE, Route
from chalicelib.api.stored_keys import KIND, KeyRecord, to_document

PUBLIC = {
    *("hooks:receive", "callbacks:show", "callbacks:receive", "callbacks:heartbeat"),
    *("approvals:show", "approvals:decide", "about:health", "consents:finish"),
}
"""The handlers that anybody may ask: each knows whom it serves by a signature, a token or a signed link, or says only
that the server answers. Whoever adds one says here, by its name, that it is meant."""

WITHOUT_KEY = ("nobody", "a wrong key", "an expired key", "a revoked key")
EXPIRED = "penstock_main.expired00000.an-expired-key"
OTHER = "the admin of another tenant"
SCOPED = "an admin of one flow"
ROLES = [role.name.lower() for role in Role]
WHO = (*WITHOUT_KEY, *ROLES, SCOPED, OTHER)


def expired_record() -> tuple[str, str, str, Any]:
    """Where a key lies that has expired, and what lies there: no route makes one."""
    record = KeyRecord("expired00000", MAIN_TENANT, "old", Role.ADMIN, (), key_hash(EXPIRED), 1, "key_test", 1, 2)
    return MAIN_TENANT, KIND, record.id, to_document(record)


class World(NamedTuple):
    """What the addresses name: a flow and an execution that tenant `main` has."""

    keys: dict[str, str]
    flow: str
    execution: str


def settle_in(rest: Callable[..., tuple[int, Any]], flow: str) -> World:
    """Make every kind of key, and an execution of a flow that is published. `rest` asks as the deployment's admin."""
    keys = {"nobody": "", "a wrong key": "penstock_main.aaaaaaaaaaaa.wrong", "an expired key": EXPIRED}
    wishes: dict[str, dict[str, Any]] = {role: {"role": role} for role in ROLES}
    wishes["a revoked key"] = {"role": "admin"}
    wishes[SCOPED] = {"role": "admin", "scopes": ["another-flow"]}
    wishes[OTHER] = {"role": "admin", "tenant": "other"}
    for who, wish in wishes.items():
        status, made = rest("POST", "/keys", {"name": who, **wish})
        assert status == 201, made
        keys[who] = made["key"]
        if who == "a revoked key":
            assert rest("POST", f"/keys/{made['id']}/revoke", {})[0] == 200
    status, started = rest("POST", f"/flows/{flow}/run", {})
    assert status == 202, started
    return World(keys, flow, started["execution"])


class Cell(NamedTuple):
    """One question."""

    who: str
    method: str
    path: str
    route: Route
    is_let_in: bool
    must_find: bool = True
    """False: whatever stands in the path is there, and not for this key."""

    def complaint(self, status: int) -> str:
        """What is wrong with the answer; empty where nothing is."""
        if self.route.handler in PUBLIC:
            wrong = status in {401, 403, 500}
        elif self.who in WITHOUT_KEY:
            wrong = status != 401
        elif not self.is_let_in:
            wrong = status != 403
        else:
            wrong = status in {401, 403, 500} or (not self.must_find and status not in {400, 404})
        return f"{self.who}: {self.method} {self.path} was answered {status}" if wrong else ""


def cells(world: World) -> Iterator[Cell]:
    """Every question there is."""
    for route in TABLE:
        for method in dict.fromkeys([*route.methods, *(["HEAD"] if route.methods == ("GET",) else [])]):
            for who in WHO:
                role = Role.ADMIN if who in {SCOPED, OTHER} else Role[who.upper()] if who in ROLES else None
                is_let_in = role is not None and route.role is not None and role >= route.role
                path = _address(route, world, is_real=who in {SCOPED, OTHER})
                is_named = "{flow}" in route.path or route.is_about_execution
                may_find, creates = True, method == "PUT" and who == SCOPED
                if who in {SCOPED, OTHER} and is_named:
                    is_let_in = not creates
                    # Another tenant's admin publishes a flow of this name for that tenant: an empty file is refused.
                    may_find = False
                elif who == SCOPED and not route.takes_scoped_keys:
                    is_let_in = False
                yield Cell(who, method, path, route, is_let_in, may_find)


def _address(route: Route, world: World, *, is_real: bool) -> str:
    names = {"{flow}": world.flow if is_real else "a" * 26, "{id}": world.execution if is_real else "0" * 26}
    parts = [names.get(part, "a" * 26 if part.startswith("{") else part) for part in route.path.split("/")]
    return "/".join(parts)


def ask_all(world: World, ask: Callable[[str, str, str], int]) -> tuple[int, list[str]]:
    """How many questions there were, and what is wrong with the answers. `ask` takes method, path and key."""
    asked, wrong = 0, []
    for cell in cells(world):
        asked += 1
        if complaint := cell.complaint(ask(cell.method, cell.path, world.keys[cell.who])):
            wrong.append(complaint)
    return asked, wrong
