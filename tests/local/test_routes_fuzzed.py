"""Every route, as everybody, with requests made from the description: no 5xx, and every answer as described."""

import re

import pytest

from chalicelib.api.routes import TABLE
from tests.local.route_fuzzing import Told, everywhere

EXAMPLES = 9


@pytest.mark.slow
def test_no_request_made_from_the_description_is_answered_by_anything_else(tmp_path, record_property):
    """`python -m tools.fuzz_routes --examples 500` does the same for long."""
    told = everywhere(tmp_path, examples=EXAMPLES, seed=0)
    assert told.problems == {}
    assert {name for name, count in told.cases.items() if count} == {"admin", "nobody", "viewer", "operator", "editor"}
    assert len(told.operations) == sum(len(route.methods) for route in TABLE)
    assert sum(told.cases.values()) >= 1_000
    assert {200, 202, 400, 401, 403, 404, 405} <= set(told.statuses)
    assert max(told.statuses) < 500
    record_property("covered", f"routes: {told.lines()[0]}; {told.lines()[1]}")


def test_a_problem_is_told_by_route_and_kind():
    told = Told()
    told.cases["admin"] += 2
    told.statuses[500] += 1
    told.operations.add("GET /a")
    told.problems["GET /a: ServerError 500"] = "it broke"
    first, second, third = told.lines()
    assert re.match(r"2 requests to 1 operations \(2 as admin\); 1 problems", first)
    assert second == "answers by status: 500: 1"
    assert third == "GET /a: ServerError 500: it broke"
