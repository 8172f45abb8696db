"""The table of routes: every row leads somewhere, and API Gateway can hold it."""

import inspect
import subprocess
import sys

import pytest

from chalicelib.api.app import handler_of
from chalicelib.api.router import Router
from chalicelib.api.routes import TABLE
from chalicelib.api.schemas import ANSWERS, BODIES, PARAMETERS


@pytest.mark.parametrize("route", TABLE, ids=lambda route: route.path)
def test_a_route_names_a_handler_and_schemas_that_there_are(route):
    assert inspect.iscoroutinefunction(handler_of(route))
    assert route.query in {"", "*", *PARAMETERS}
    assert route.takes in {"", "*", *BODIES}
    assert all(schema in {"", *ANSWERS} for _, schema in route.gives)


@pytest.mark.parametrize("route", TABLE, ids=lambda route: route.path)
def test_a_route_is_found_by_its_path_with_its_names(route):
    values = iter("abcdef")
    path = "/".join(next(values) if part.startswith("{") else part for part in route.path.split("/"))
    match = Router().match(path)
    assert match is not None
    assert {match.routes[method] for method in route.methods} == {route}
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    assert match.names == dict(zip(names, "abcdef", strict=False))


def test_siblings_name_their_parameter_alike():
    named = {}
    for route in TABLE:
        parts = route.path.split("/")
        for index, part in enumerate(parts):
            if part.startswith("{"):
                before = tuple(parts[:index])
                assert named.setdefault(before, part) == part


def test_no_two_routes_are_the_same():
    pairs = [(method, route.path) for route in TABLE for method in route.methods]
    assert len(pairs) == len(set(pairs))


def test_names_are_decoded_once_and_must_be_utf_8():
    router = Router()
    match = router.match("/api/v1/flows/a%2525%C3%BC")
    assert match is not None
    assert match.names == {"flow": "a%25ü"}
    assert router.match("/api/v1/flows/%ff") is None
    assert router.match("/api/v1/flows/") is None


HEAVY = (
    *("pydantic", "ruamel", "jsonatapy", "cryptography", "httpx", "aiohttp", "chalicelib.nodes"),
    *("chalicelib.catalogue", "chalicelib.flow.check", "chalicelib.worker", "chalicelib.api.schemas"),
)


def imported(*modules):
    """Everything that is there once these have been imported."""
    program = f"import sys, {', '.join(modules)}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_hook_imports_nothing_of_what_pages_and_links_need():
    there = imported("chalicelib.api.app", "chalicelib.api.hooks")
    unneeded = {"people", "pages", "approvals", "approval_form", "callbacks", "answering", "executions", "publishing"}
    assert there & {f"chalicelib.api.{name}" for name in unneeded} == set()
    assert "html" not in there


def test_a_hook_imports_nothing_of_what_keys_and_tokens_need():
    there = imported("chalicelib.api.app", "chalicelib.api.hooks", "chalicelib.api.gate")
    unneeded = {"stored_keys", "keys", "scopes", "tokens", "issuer_keys"}
    assert there & {f"chalicelib.api.{name}" for name in unneeded} == set()
    assert there & {"jwt", "random", "secrets"} == set()


def test_a_link_is_answered_without_pydantic_and_without_a_node():
    assert imported("chalicelib.api.app", "chalicelib.api.callbacks", "chalicelib.api.approvals") & set(HEAVY) == set()


def test_a_hook_imports_neither_pydantic_nor_a_node_nor_what_reads_yaml():
    assert imported("chalicelib.api.app", "chalicelib.api.hooks") & set(HEAVY) == set()
