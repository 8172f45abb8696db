"""Keys and roles: nobody gets in by default, and nobody does more than the key's role allows."""

import asyncio

import pytest

from chalicelib.api.auth import AdminKeys, Role, hashes_from, key_hash
from chalicelib.api.routes import TABLE
from chalicelib.errors import SettingError
from tests.api.house import KEYS, House, loaded, refused

GUARDED = [(method, route) for route in TABLE if route.role is not None for method in route.methods]
CELLS = [(method, route, role) for method, route in GUARDED for role in Role]


def address(route):
    return "/".join("a" * 26 if part.startswith("{") else part for part in route.path.split("/"))


def name_of(value):
    return value.name.lower() if isinstance(value, Role) else getattr(value, "handler", value)


def test_the_routes_that_are_public_are_these():
    public = {route.handler for route in TABLE if route.role is None}
    assert public == {
        "hooks:receive",
        "callbacks:show",
        "callbacks:receive",
        "callbacks:heartbeat",
        "approvals:show",
        "approvals:decide",
        "about:health",
        "consents:finish",
    }


def test_the_public_routes_that_answer_for_a_step_are_known_by_their_link_alone():
    linked = [route for route in TABLE if route.handler.partition(":")[0] in {"callbacks", "approvals"}]
    assert all("{link}" in route.path and route.role is None for route in linked)
    for route in linked:
        for method in route.methods:
            answer = House().send(method, address(route), b"{}", headers={"authorization": f"Bearer {KEYS['admin']}"})
            assert answer.status == 404, (method, route.path)


@pytest.mark.parametrize(("method", "route"), GUARDED, ids=name_of)
def test_without_a_valid_key_every_other_route_is_closed(method, route):
    house = House()
    for headers in (
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer wrong-key-that-nobody-has"},
        {"authorization": f"Basic {KEYS['admin']}"},
        {"authorization": KEYS["admin"]},
        {"x-api-key": KEYS["admin"]},
    ):
        answer = house.send(method, address(route), b"{", headers=headers)
        refused(answer, 401, "unauthenticated")
        assert answer.header("www-authenticate") == 'Bearer realm="penstock"'
    refused(house.send(method, f"{address(route)}?key={KEYS['admin']}", b""), 401, "unauthenticated")


@pytest.mark.parametrize(("method", "route", "role"), CELLS, ids=name_of)
def test_a_role_may_do_what_the_table_says_and_no_more(method, route, role):
    answer = House().send(method, address(route), b"", role=role.name.lower())
    if role >= route.role:
        assert answer.status not in {401, 403}
    else:
        refused(answer, 403, "forbidden")


def test_viewers_only_look_and_operators_do_not_publish():
    roles = {route.handler: route.role for route in TABLE}
    for handler in (
        *("running:start", "executions:cancel", "executions:retry", "publishing:disable"),
        *("executions:pause", "executions:resume", "executions:redrive", "answering:answer"),
        *("publishing:pause", "publishing:resume"),
    ):
        assert roles[handler] == Role.OPERATOR
    for handler in ("publishing:publish", "publishing:roll_back", "publishing:rotate"):
        assert roles[handler] == Role.EDITOR


def test_the_scheme_is_read_in_any_case():
    answer = House().send("GET", "/api/v1/flows", headers={"authorization": f"bearer  {KEYS['viewer']}"})
    assert answer.status == 200


def test_two_keys_in_one_request_are_refused():
    key = f"Bearer {KEYS['admin']}"
    raw = (("authorization", key), ("authorization", "Bearer other"))
    answer = House().send("GET", "/api/v1/flows", headers={"authorization": key}, raw_headers=raw)
    refused(answer, 401, "unauthenticated")


def caller(keys, key):
    return asyncio.run(keys.caller(key))


def test_an_admin_key_is_known_by_its_hash_and_by_nothing_else():
    keys = AdminKeys(hashes_from(f" {key_hash('first')} , {key_hash('second')},"))
    for key in ("first", "second"):
        found = caller(keys, key)
        assert found is not None
        assert (found.role, found.tenant) == (Role.ADMIN, "main")
        assert key not in found.id
    for key in ("", "third", key_hash("first"), "First", "first ", "\ud800"):
        assert caller(keys, key) is None


def test_without_a_hash_nobody_gets_in():
    keys = AdminKeys(hashes_from(""))
    assert caller(keys, "") is None
    assert caller(keys, "dev") is None


@pytest.mark.parametrize("setting", ["dev", "a" * 63, "A" * 64, key_hash(""), f"{key_hash('a')};{key_hash('b')}"])
def test_a_setting_that_holds_no_hashes_is_refused_without_repeating_it(setting):
    with pytest.raises(SettingError) as refusal:
        AdminKeys(hashes_from(setting))
    assert setting not in refusal.value.detail


def test_the_tenant_is_the_keys_own_whatever_the_request_says():
    house = House()
    refused(house.send("GET", "/api/v1/flows?tenant=other", role="admin"), 400, "usage")
    refused(house.send("POST", "/api/v1/flows/shop/run", {"tenant": "other"}, role="admin"), 400, "usage")
    assert loaded(house.send("GET", "/api/v1/flows", role="viewer")) == {"items": []}
