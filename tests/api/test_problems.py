"""Errors as answers."""

import math

from chalicelib import errors
from chalicelib.api.problems import problem_of
from chalicelib.errors import MethodNotAllowedError, PenstockError, Problem, StoreError, UsageError
from tests.api.house import conforms, loaded, refused


def test_an_error_says_all_that_rfc_9457_and_the_design_want():
    error = UsageError(
        "Say it otherwise.", problems=[Problem("a.yaml", 3, 4, "It is wrong.", "Mend it.")], step="charge"
    )
    answer = problem_of(error)
    assert conforms(answer, "Problem") == {
        "type": "urn:penstock:error:usage",
        "title": "The request is not one we understand",
        "status": 400,
        "detail": "Say it otherwise.",
        "code": "usage",
        "errors": [{"where": "a.yaml", "line": 3, "column": 4, "what": "It is wrong.", "do": "Mend it."}],
        "step": "charge",
    }


def test_every_error_of_the_tree_makes_a_well_formed_answer():
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, PenstockError)]
    assert len(kinds) > 35
    for kind in kinds:
        refused(problem_of(kind()), kind.status, kind.code)


def test_facts_do_not_replace_what_every_problem_has():
    problem = loaded(problem_of(UsageError("Right.", status=200, code="x", title="y", type="z", errors=1)))
    assert (problem["status"], problem["code"], problem["errors"]) == (400, "usage", [])


def test_facts_of_any_kind_can_be_written():
    facts = {"a": math.nan, "b": {1: (2, object)}, "c": None, "d": True, "e": "\ud800"}
    problem = loaded(problem_of(UsageError("Right.", **facts)))
    assert (problem["a"], problem["b"]["1"][0], problem["c"], problem["d"]) == (None, 2, None, True)


def test_seconds_to_wait_are_rounded_up():
    for given, said in ((0, "0"), (0.1, "1"), (2, "2"), (2.5, "3"), (-1, "0")):
        assert problem_of(StoreError(retry_after=given)).header("retry-after") == said
    assert problem_of(StoreError()).header("retry-after") is None


def test_what_is_allowed_stands_in_its_header():
    assert problem_of(MethodNotAllowedError(allow=["GET", "PUT"])).header("allow") == "GET, PUT"


def test_an_unauthenticated_caller_is_told_what_to_send():
    assert problem_of(errors.UnauthenticatedError()).header("www-authenticate") == 'Bearer realm="penstock"'
    assert problem_of(errors.SignatureWrongError()).header("www-authenticate") == 'Signature realm="penstock"'
