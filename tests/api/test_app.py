"""The API as one callable: methods, errors, and what must not be said."""

import asyncio

import pytest

from chalicelib.api.request import Request
from tests.api.house import SIGNED, STEPS, House, loaded, opened_hook, refused


def test_an_address_where_nothing_is_is_not_found():
    house = House()
    for path in ("/", "/api", "", "flows", "//", "/%"):
        refused(house.send("GET", path), 404, "not_found")
    for path in ("/api/v1", "/api/v1/flow", "/api/v1/flows/", "/api/v1/health/x"):
        refused(house.send("GET", path), 401, "unauthenticated")
        refused(house.send("GET", path, role="viewer"), 404, "not_found")


def test_a_method_that_an_address_does_not_take_is_told_which_it_takes():
    house = House()
    answer = house.send("DELETE", "/api/v1/flows/shop", role="admin")
    refused(answer, 405, "method_not_allowed")
    assert answer.header("allow") == "GET, PUT, HEAD, OPTIONS"
    refused(house.send("BREW", "/api/v1/health"), 405, "method_not_allowed")


def test_options_names_the_methods():
    house = House()
    answer = house.send("OPTIONS", "/api/v1/flows/shop", role="viewer")
    assert (answer.status, answer.header("allow"), answer.body) == (204, "GET, PUT, HEAD, OPTIONS", b"")
    assert "POST" in (house.send("OPTIONS", "/hooks/shop/placed").header("allow") or "")
    assert house.send("OPTIONS", "/api/v1/health").status == 204


def test_without_a_key_nothing_is_learned_of_a_closed_address_not_even_its_methods():
    house = House(limit_bytes=10)
    for method in ("OPTIONS", "DELETE", "BREW", "HEAD", "POST"):
        answer = house.send(method, "/api/v1/flows/shop", b"a body that is over the limit")
        assert (answer.status, answer.header("allow")) == (401, None), method


def test_head_says_what_get_says_without_its_body():
    house = House()
    got, headed = house.send("GET", "/api/v1/flows", role="viewer"), house.send("HEAD", "/api/v1/flows", role="viewer")
    assert (headed.status, headed.body) == (200, b"")
    assert headed.headers == (*got.headers, ("content-length", str(len(got.body))))
    assert house.send("HEAD", "/api/v1/flows").status == 401


def test_a_bug_is_answered_without_its_message_and_logged_by_its_place(caplog):
    house = House()
    target = opened_hook(house)
    house.door.raises = KeyError("canary-in-a-message")
    problem = refused(house.send("POST", target, b"canary-in-a-body"), 500, "internal")
    assert problem["incident"] in caplog.text
    assert "KeyError" in caplog.text
    assert "house.py" in caplog.text
    assert "canary" not in caplog.text + str(problem)
    assert house.is_up()
    house.door.raises = None
    assert house.send("POST", target, b"1").status == 202


def test_running_out_of_recursion_is_a_bug_like_any_other():
    house = House()
    target = opened_hook(house)
    house.door.raises = RecursionError("canary")
    refused(house.send("POST", target, b"1"), 500, "internal")
    assert house.is_up()


def test_being_cancelled_is_not_answered():
    house = House()
    target = opened_hook(house)
    house.door.raises = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        house.send("POST", target, b"1")


def test_rest_answers_are_kept_by_no_cache_and_sniffed_by_no_browser():
    house = House()
    for answer in (house.send("GET", "/api/v1/health"), house.send("GET", "/api/v1/flows")):
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-content-type-options") == "nosniff"


def test_the_limit_holds_for_rest_too():
    house = House(limit_bytes=100)
    answer = house.send("PUT", "/api/v1/flows/shop", (SIGNED + STEPS).encode(), role="editor")
    refused(answer, 413, "body_too_large")


def test_a_request_of_nonsense_is_answered():
    house = House()
    nonsense = [
        Request("GET", "/api/v1/flows/\ud800", (("\ud800", "\udfff"),), {"authorization": "\ud800"}, b"\xff", 0),
        Request("", "", (), {}, b"", 0),
        Request("POST", "/hooks/" + "a" * 100_000, (), {"content-length": "9" * 5000}, b"", 0),
        Request("POST", "/hooks/%zz/%", (), {"content-length": "-1"}, b"", -1),
        Request("GET", "/" * 50_000, (), {}, b"", 0),
    ]
    for request in nonsense:
        answer = asyncio.run(house.api(request))
        assert 400 <= answer.status < 500
        assert loaded(answer)["status"] == answer.status
    assert house.is_up()
