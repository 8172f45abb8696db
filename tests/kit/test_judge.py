"""Which answers are failures, and what they say."""

from datetime import UTC, datetime

import pytest

from chalicelib.kit.judge import PASSING, judge, retry_after
from chalicelib.kit.service import RateLimit, Service
from chalicelib.kit.values import Failure, Request, Response

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
GET = Request("GET", "/x")
JSON = {"content-type": "application/json"}


def failure(response: Response, service: Service | None = None, request: Request = GET) -> Failure:
    found = judge(request, response, service, now=NOW)
    assert found is not None
    return found


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_good_status_is_no_failure(status: int) -> None:
    assert judge(GET, Response(status), None, now=NOW) is None


@pytest.mark.parametrize("status", [*range(300, 600), 600, 999])
def test_every_other_status_is_one_and_only_some_may_pass(status: int) -> None:
    found = failure(Response(status))
    assert (found.code, found.status, found.sent) == (f"http_{status}", status, "answered")
    assert found.is_retriable is (status in {408, 425, 429, 500, 502, 503, 504})
    assert {408, 425, 429, 500, 502, 503, 504} == PASSING


def test_a_status_that_the_request_allows_is_none() -> None:
    assert judge(Request("GET", "/x", allow=(404,)), Response(404), None, now=NOW) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "no such card", "code": "card"}}', "no such card"),
        (b'{"message": "Not Found", "documentation_url": "x"}', "Not Found"),
        (b'{"error": "invalid_grant", "error_description": "Token expired"}', "Token expired"),
        (b'{"errors": [{"detail": "title is too long", "title": "Invalid"}]}', "title is too long"),
        (b'{"errors": ["a is missing", "b"]}', "a is missing"),
        (b'{"errors": {"message": "deep"}}', "deep"),
        (b'{"error": "nope"}', "nope"),
        (b'{"type": "urn:x", "title": "Out of stock", "status": 409}', "Out of stock"),
        (b'["first"]', "first"),
        (b'{"fault": {"faultstring": 1}, "detail": "d"}', "d"),
        (b'"just text"', "just text"),
    ],
)
def test_the_message_is_the_services_own_in_the_usual_shapes(body: bytes, said: str) -> None:
    assert failure(Response(409, body, JSON)).message == f"The service answered 409 Conflict: {said}"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><h1>Oops</h1></html>", b'{"error": ', b"{}", b"[]", b'{"a": NaN}', b"[" * 100_000, b'{"error": 7}'],
)
def test_without_one_the_reason_phrase_stands_alone(body: bytes) -> None:
    assert failure(Response(404, body, {"content-type": "text/html"})).message == "The service answered 404 Not Found."


def test_short_plain_text_is_a_message_and_html_and_long_text_are_not() -> None:
    plain = {"content-type": "text/plain"}
    assert failure(Response(400, b"bad  id\r\n", plain)).message == "The service answered 400 Bad Request: bad id"
    assert failure(Response(400, b"x" * 501, plain)).message == "The service answered 400 Bad Request."


def test_a_message_is_one_bounded_line() -> None:
    body = b'{"message": "' + b"line\\n" * 500 + b'"}'
    message = failure(Response(400, body, JSON)).message
    assert len(message) == 500
    assert "\n" not in message


def test_a_status_without_a_phrase_and_a_redirect_are_told_plainly() -> None:
    assert failure(Response(599)).message == "The service answered 599."
    assert "redirects are not followed here" in failure(Response(301)).message


def test_the_detail_is_the_body_where_it_is_small_json() -> None:
    assert failure(Response(400, b'{"field": "a"}', JSON)).detail == {"field": "a"}
    assert failure(Response(400, b"text", JSON)).detail is None
    assert failure(Response(400, b'{"a": "' + b"x" * 9000 + b'"}', JSON)).detail is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("999999999", 86_400.0),
        ("Fri, 20 Nov 2026 07:01:30 GMT", 90.0),
        ("Fri, 20 Nov 2026 06:00:00 GMT", 0.0),
        ("Friday, 20-Nov-26 07:00:05 GMT", 5.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("Fri, 99 Nov 2026 07:01:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": header}, NOW) == seconds
    assert failure(Response(503, headers={"retry-after": header})).retry_after_seconds == seconds


def test_a_service_says_it_in_its_own_words() -> None:
    service = Service("Shop", error_message=lambda response: f"word {response.status}")
    assert failure(Response(400, b'{"message": "other"}'), service).message == "Shop answered 400 Bad Request: word 400"


def test_a_complaint_makes_a_good_status_a_failure() -> None:
    service = Service("Shop", complaint=lambda _: "rate_limited: later", passing=frozenset({"rate_limited"}))
    found = failure(Response(200, b'{"ok": false}'), service)
    assert (found.code, found.status, found.message) == ("refused", 200, "Shop refused: rate_limited: later")
    assert found.is_retriable
    assert found.sent == "answered"
    assert not failure(Response(200), Service("Shop", complaint=lambda _: "no")).is_retriable
    assert judge(GET, Response(200), Service("Shop", complaint=lambda _: None), now=NOW) is None


def test_a_used_up_quota_may_pass_and_says_when() -> None:
    service = Service("Shop", rate_limit=RateLimit("x-left", "x-reset"))
    used_up = {"x-left": "0", "x-reset": str(NOW.timestamp() + 60)}
    found = failure(Response(403, headers=used_up), service)
    assert (found.is_retriable, found.retry_after_seconds) == (True, 60.0)
    assert not failure(Response(403, headers={**used_up, "x-left": "5"}), service).is_retriable
    assert not failure(Response(403, headers={"x-left": "0", "x-reset": "nan"}), service).is_retriable
    assert not failure(Response(404, headers=used_up), service).is_retriable


def test_half_a_character_gets_into_no_message_and_no_detail() -> None:
    found = failure(Response(400, b'{"message": "bad \\ud800"}', JSON))
    assert found.message == "The service answered 400 Bad Request."
    assert found.detail is None
    said = failure(Response(200), Service("Shop", complaint=lambda _: "no \ud800"))
    assert said.message == "Shop refused: no ?"
