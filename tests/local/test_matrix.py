"""Every cell of who x route x tenant, asked of a running embedded server."""

import asyncio

import httpx
import pytest

from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.api.routes import TABLE
from tests import matrix
from tests.cli.calling import GOOD, write
from tests.dev_server import dev_server


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A server, what its keys and addresses are, and a way to ask it as anybody."""
    place = tmp_path_factory.mktemp("matrix")
    folder, store = write(place / "flows", greet=GOOD), place / "penstock" / "store.db"

    async def leave_an_expired_key():
        opened = await SqliteStore.open(store, SystemClock())
        tenant, kind, key, value = matrix.expired_record()
        assert await opened.documents.put(tenant, kind, key, value, seen=None)
        await opened.close()

    asyncio.run(leave_an_expired_key())
    with dev_server(folder, store) as dev, httpx.Client(trust_env=False, timeout=30, base_url=dev.url) as client:

        def rest(method, path, body):
            answer = client.request(method, f"/api/v1{path}", json=body, headers=dev.authorization)
            return answer.status_code, answer.json()

        def ask(method, path, key):
            client.cookies.clear()  # of the session that the cell before opened
            return client.request(method, path, headers={"authorization": f"Bearer {key}"} if key else {}).status_code

        yield matrix.settle_in(rest, "greet"), ask, client
        assert "incident" not in dev.errors


def test_every_cell_is_answered_as_the_table_of_routes_says(asked):
    world, ask, _ = asked
    count, wrong = matrix.ask_all(world, ask)
    assert wrong == []
    methods = sum(len(route.methods) for route in TABLE)
    assert count >= methods * len(matrix.WHO)
    print(f"{count} cells")


def test_without_a_key_everything_is_closed_but_what_is_named(asked):
    """A fresh deployment answers 401 everywhere but hooks, signed links, health and the front page."""
    world, _, client = asked
    client.cookies.clear()
    open_to_all = {route.path for route in TABLE if route.handler in matrix.PUBLIC}
    assert open_to_all == {route.path for route in TABLE if route.role is None}
    for route in TABLE:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            path = matrix._address(route, world, is_real=True)
            status = client.request(method, path).status_code
            assert (status == 401) is (route.path not in open_to_all), (method, path, status)
    for path in ("/api/v1", "/api/v1/", "/api/v2/flows", "/api/v1/nothing", "/api/v1/flows/greet/nothing", "/api/"):
        assert client.get(path).status_code == 401, path
    for path in ("/api", "/nothing", "/docs", "/admin", "/.env", "/metrics"):
        assert client.get(path).status_code == 404, path
    assert client.get("/").status_code == 200


def test_a_public_route_that_nobody_named_is_a_complaint():
    world = matrix.World({}, "greet", "0" * 26)
    for cell in matrix.cells(world):
        if cell.route.role is None:
            unnamed = cell._replace(route=cell.route._replace(handler="about:everything"))
            assert (unnamed.complaint(200) != "") is (
                cell.who in {*matrix.WITHOUT_KEY, *matrix.ROLES, matrix.SCOPED, matrix.OTHER}
            )
        for status in (401, 403, 500):
            expected = {True: 0, False: 403}[cell.is_let_in] if cell.who not in matrix.WITHOUT_KEY else 401
            if cell.route.role is not None and status != expected:
                assert cell.complaint(status), (cell, status)
