"""Scopes: a key for some flows does nothing to the others, and does not learn of them."""

import asyncio

import pytest

from chalicelib.api.auth import Caller, Grant, Role
from chalicelib.api.routes import TABLE
from chalicelib.api.scopes import grants_of, may_give
from chalicelib.errors import UsageError
from tests.api.house import House, loaded
from tests.stories.place import a_place

FLOWS = ("order-in", "order-out", "shop", "payroll")


def flow_named(name):
    return f"flow: {name}\ntriggers:\n  knock: {{uses: webhook, verify: none}}\nsteps:\n  a: {{uses: set, with: {{x: 1}}}}\n"


@pytest.mark.parametrize(
    ("scope", "grant"),
    [
        ("shop", Grant("shop", Role.ADMIN)),
        ("order-*", Grant("order-*", Role.ADMIN)),
        ("*", Grant("*", Role.ADMIN)),
        ("read:*", Grant("*", Role.VIEWER)),
        ("run:shop", Grant("shop", Role.OPERATOR)),
        ("publish:order-*", Grant("order-*", Role.EDITOR)),
    ],
)
def test_a_scope_says_which_flows_and_how_far(scope, grant):
    assert grants_of([scope]) == (grant,)


@pytest.mark.parametrize(
    "scope", ["", "Shop", "read:", "admin:shop", "*x", "a*b", "run:run:x", "read: shop", "shop\n", "ü", "**", ".*"]
)
def test_what_is_no_scope_is_refused(scope):
    with pytest.raises(UsageError):
        grants_of([scope])


@pytest.mark.parametrize(
    ("scopes", "flow", "role"),
    [
        ([], "shop", Role.OPERATOR),
        (["shop"], "shop", Role.OPERATOR),
        (["shop"], "shop2", None),
        (["shop"], "sho", None),
        (["order-*"], "order-in", Role.OPERATOR),
        (["order-*"], "order", None),
        (["*"], "shop", Role.OPERATOR),
        (["read:*", "run:shop"], "shop", Role.OPERATOR),
        (["read:*", "run:shop"], "payroll", Role.VIEWER),
        (["publish:*"], "shop", Role.OPERATOR),
    ],
)
def test_a_scope_narrows_a_role_and_never_widens_it(scopes, flow, role):
    assert Caller("key_a", Role.OPERATOR, grants=grants_of(scopes)).role_on(flow) == role


@pytest.mark.parametrize(
    ("own", "role", "scopes", "may"),
    [
        ([], Role.ADMIN, [], True),
        ([], Role.VIEWER, ["shop"], True),
        (["order-*"], Role.ADMIN, ["order-in"], True),
        (["order-*"], Role.ADMIN, ["order-*"], True),
        (["order-*"], Role.ADMIN, ["order-in-*"], True),
        (["order-*"], Role.ADMIN, [], False),
        (["order-*"], Role.ADMIN, ["*"], False),
        (["order-*"], Role.ADMIN, ["order*"], False),
        (["order-*"], Role.ADMIN, ["order-in", "shop"], False),
        (["read:*", "shop"], Role.VIEWER, ["*"], True),
        (["read:*", "shop"], Role.OPERATOR, ["*"], False),
        (["read:*", "shop"], Role.OPERATOR, ["read:*", "run:shop"], True),
    ],
)
def test_a_key_gives_what_it_has_and_no_more(own, role, scopes, may):
    caller = Caller("key_a", Role.ADMIN, grants=grants_of(own))
    assert may_give(caller, role, grants_of(scopes)) is may


def test_no_key_gives_a_role_above_its_own():
    for own in Role:
        for given in Role:
            assert may_give(Caller("key_a", own), given, ()) is (given <= own)


async def made(place, role, *scopes):
    status, told = await place.rest("POST", "keys", {"name": "n", "role": role, "scopes": list(scopes)})
    assert status == 201, told
    return told["key"]


async def with_flows(place):
    """Every flow published and started once; an execution of each."""
    executions = {}
    for name in FLOWS:
        await place.publish(flow_named(name))
        status, told = await place.rest("POST", f"flows/{name}/run?wait=10")
        assert status == 200, told
        executions[name] = told["execution"]
    return executions


def test_a_key_for_two_flows_works_on_those_and_knows_of_no_other():
    async def story():
        async with a_place("memory", None) as place:
            executions = await with_flows(place)
            key = await made(place, "admin", "order-*")

            async def ask(method, target, body=b""):
                return await place.rest(method, target, body, "application/json", key=key)

            assert [each["flow"] for each in (await ask("GET", "flows"))[1]["items"]] == ["order-in", "order-out"]
            listed = (await ask("GET", "executions"))[1]["items"]
            assert {each["flow"] for each in listed} == {"order-in", "order-out"}
            for query in ("flow=shop", "flow=shop&limit=1", "flow=payroll&status=succeeded"):
                assert (await ask("GET", f"executions?{query}"))[1]["items"] == []
            assert (await ask("GET", "flows/order-in"))[0] == 200
            assert (await ask("POST", "flows/order-out/run?wait=10"))[0] == 200
            assert (await ask("GET", f"executions/{executions['order-in']}"))[0] == 200
            there_is_none = (await ask("GET", "flows/none"))[1]["detail"].replace("none", "shop")
            assert (await ask("GET", "flows/shop"))[1]["detail"] == there_is_none
            nobodys = "0" * 26
            no_execution = (await ask("GET", f"executions/{nobodys}"))[1]["detail"]
            hidden = await ask("GET", f"executions/{executions['shop']}")
            assert hidden[0] == 404
            assert hidden[1]["detail"].replace(executions["shop"], nobodys) == no_execution
            publishing = [
                await ask("PUT", f"flows/{name}", flow_named(name).encode()) for name in ("shop", "not-there")
            ]
            assert [status for status, _ in publishing] == [403, 403]
            assert publishing[0][1]["detail"] == publishing[1][1]["detail"]

    asyncio.run(story())


def test_a_key_that_runs_one_flow_and_reads_the_others_does_no_more():
    async def story():
        async with a_place("memory", None) as place:
            executions = await with_flows(place)
            key = await made(place, "operator", "run:shop", "read:*")

            async def status(method, target, body=b""):
                return (await place.rest(method, target, body, key=key))[0]

            assert await status("POST", "flows/shop/run?wait=10") == 200
            assert await status("POST", f"executions/{executions['shop']}/retry") == 202
            assert await status("GET", "flows/payroll") == 200
            assert await status("GET", f"executions/{executions['payroll']}") == 200
            assert await status("POST", "flows/payroll/run") == 403
            for verb in ("retry", "cancel", "pause", "resume", "redrive", "steps/a/answer"):
                assert await status("POST", f"executions/{executions['payroll']}/{verb}", {}) == 403, verb
            # Whoever has a hook's address starts the flow: it is shown where the key may start it, and nowhere else.
            shown = {name: (await place.rest("GET", f"flows/{name}", key=key))[1] for name in ("shop", "payroll")}
            assert shown["shop"]["triggers"][0]["url"]
            assert shown["payroll"]["triggers"][0]["url"] is None

    asyncio.run(story())


def test_what_was_refused_is_counted_for_a_keys_own_flows_alone():
    house = House()
    for name in ("order-in", "shop"):
        house.publish(flow_named(name), name)
        house.send("POST", f"/hooks/{name}/knock/wrong")
    house.send("POST", "/hooks/none/knock")
    wish = {"name": "n", "scopes": ["order-*"]}
    headers = {"authorization": f"Bearer {loaded(house.send('POST', '/api/v1/keys', wish, role='admin'))['key']}"}
    for query, flows in (("", ["order-in"]), ("?flow=order-in", ["order-in"]), ("?flow=shop", [])):
        told = loaded(house.send("GET", f"/api/v1/refusals{query}", headers=headers))
        assert [each["flow"] for each in told["items"]] == flows
    assert len(loaded(house.send("GET", "/api/v1/refusals", role="viewer"))["items"]) == 3


SCOPED_BY_ITSELF = {
    "about:openapi",
    "flows:list_flows",
    "executions:list_executions",
    "refusals:list_refusals",
    "nodes:list_nodes",
    "nodes:show",
    "keys:list_keys",
    "keys:create",
    "keys:revoke",
    "keys:rotate",
    "sessions:open_session",
    "sessions:show",
    "sessions:close",
}


def test_each_route_is_about_a_flow_or_an_execution_or_looks_at_scopes_itself_or_takes_no_key_that_has_them():
    free = {route.handler for route in TABLE if route.takes_scoped_keys}
    assert free == SCOPED_BY_ITSELF  # each is tried with such a key here or in test_keys
    for route in TABLE:
        assert not (route.takes_scoped_keys and ("{flow}" in route.path or route.is_about_execution)), route.path
