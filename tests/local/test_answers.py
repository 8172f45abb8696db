"""Errors there and back: what the API says of an error becomes the same error again."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from chalicelib.api.problems import problem_of
from chalicelib.engine.records import Status
from chalicelib.errors import FlowCheckError, PenstockError, Problem, ServiceError
from chalicelib.local.answers import OPEN, error_from

ROOT = Path(__file__).parents[2]
ROOMS = [
    import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for path in sorted((ROOT / "chalicelib").rglob("errors.py"))
]
EVERY = {
    each for room in ROOMS for each in vars(room).values() if isinstance(each, type) and issubclass(each, PenstockError)
}


@pytest.mark.parametrize("kind", sorted(EVERY, key=lambda each: each.__name__))
def test_every_error_comes_back_as_itself(kind):
    answer = problem_of(kind("What happened."))
    back = error_from(answer.status, answer.body)
    assert (type(back), back.detail) == (kind, "What happened.")


def test_problems_keep_their_places():
    error = FlowCheckError("Two.", problems=[Problem("a.yaml", 3, 4, "What.", "Do."), Problem("b", 0, 0, "x", "")])
    assert error_from(422, problem_of(error).body).problems == error.problems


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b'"x"', b'{"code": 7}', b"\xff", b'{"message": "Forbidden"}'],
)
def test_what_is_none_of_ours_is_a_service_error(body):
    back = error_from(403, body)
    assert type(back) is ServiceError
    assert "The server answered 403" in back.detail


@pytest.mark.parametrize("errors_field", [None, 7, "x", [7, None], [{}], [{"line": "3", "where": 4}]])
def test_strange_problems_do_no_harm(errors_field):
    body = json.dumps({"code": "flow_check", "detail": "d" * 5000, "errors": errors_field}).encode()
    back = error_from(422, body)
    assert isinstance(back, FlowCheckError)
    assert len(back.detail) == 2000
    assert all(each.line == 0 for each in back.problems)


def test_an_unknown_code_is_a_service_error_with_its_sentence():
    assert error_from(500, b'{"code": "internal", "detail": "A fault of ours."}').detail == "A fault of ours."


def test_the_open_statuses_are_those_that_are_not_terminal():
    assert {status.word for status in Status if not status.is_terminal} == OPEN
