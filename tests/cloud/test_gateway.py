"""API Gateway's events as requests, and answers as it wants them: bytes are the same on both sides."""

import base64

import pytest

from chalicelib.api.request import Answer
from chalicelib.cloud.gateway import MOST_ANSWER_BYTES, from_gateway, to_gateway


def event(**changes):
    return {
        "resource": "/{proxy+}",
        "path": "/hooks/a/b",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "X-Twice": "2"},
        "multiValueHeaders": {"Content-Type": ["application/json"], "X-Twice": ["1", "2"]},
        "queryStringParameters": {"a": "2"},
        "multiValueQueryStringParameters": {"a": ["1", "2"], "b": [""]},
        "pathParameters": {"proxy": "hooks/a/b"},
        "requestContext": {"path": "/live/hooks/a/b", "stage": "live", "identity": {"sourceIp": "203.0.113.9"}},
        "body": None,
        "isBase64Encoded": False,
        **changes,
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"\xff\xfe\x00 not UTF-8", bytes(range(256)), "ü€😀".encode(), b"\x89PNG\r\n\x1a\n\x00"],
    ids=["empty", "json", "not utf-8", "every byte", "text", "png"],
)
def test_the_body_is_byte_for_byte_what_was_sent(body):
    given = event(body=base64.b64encode(body).decode(), isBase64Encoded=True)
    assert from_gateway(given, 0).body == body


def test_a_body_as_text_is_taken_too():
    assert from_gateway(event(body='{"a": "ü"}'), 0).body == '{"a": "ü"}'.encode()


def test_the_path_has_no_stage_and_stays_encoded():
    assert from_gateway(event(path="/api/v1/flows/a%2Fb"), 0).path == "/api/v1/flows/a%2Fb"


def test_repeated_query_keys_are_all_there_in_order():
    assert from_gateway(event(), 0).query == (("a", "1"), ("a", "2"), ("b", ""))


def test_header_names_are_lower_case_and_the_first_of_several_counts():
    request = from_gateway(event(), 0)
    assert request.headers == {"content-type": "application/json", "x-twice": "1"}
    assert request.raw_headers == (("content-type", "application/json"), ("x-twice", "1"), ("x-twice", "2"))


def test_an_event_with_single_values_alone_is_understood():
    given = event(multiValueHeaders=None, multiValueQueryStringParameters=None)
    request = from_gateway(given, 0)
    assert request.headers["x-twice"] == "2"
    assert request.query == (("a", "2"),)


def test_the_sender_and_the_time_are_handed_on():
    request = from_gateway(event(), 1_760_000_000_000)
    assert (request.method, request.peer, request.received) == ("POST", "203.0.113.9", 1_760_000_000_000)


def test_an_event_from_a_console_with_next_to_nothing_in_it_is_a_request():
    request = from_gateway({"httpMethod": "get", "path": "/"}, 0)
    assert (request.method, request.path, request.query, dict(request.headers), request.body) == (
        "GET",
        "/",
        (),
        {},
        b"",
    )


@pytest.mark.parametrize("accept", ["image/png", "application/json", "*/*", ""])
def test_a_picture_goes_out_as_its_bytes_whatever_is_accepted(accept):
    from_gateway(event(headers={"Accept": accept}, multiValueHeaders={"Accept": [accept]}), 0)
    picture = b"\x89PNG\r\n\x1a\n\x00\xff"
    given = to_gateway(Answer(200, (("content-type", "image/png"),), picture))
    assert given["isBase64Encoded"] is True
    assert base64.b64decode(given["body"]) == picture


def test_two_cookies_are_two_headers():
    answer = Answer(200, (("set-cookie", "a=1"), ("x", "y"), ("set-cookie", "b=2")))
    assert to_gateway(answer)["multiValueHeaders"] == {"set-cookie": ["a=1", "b=2"], "x": ["y"]}
    assert "headers" not in to_gateway(answer)


def test_an_answer_larger_than_lambda_carries_is_a_problem_instead():
    fits = to_gateway(Answer(200, (), b"x" * MOST_ANSWER_BYTES))
    assert fits["statusCode"] == 200
    given = to_gateway(Answer(200, (("content-type", "text/plain"),), b"x" * (MOST_ANSWER_BYTES + 1)))
    assert given["statusCode"] == 502
    assert given["multiValueHeaders"]["content-type"] == ["application/problem+json"]
    assert b"answer_too_large" in base64.b64decode(given["body"])


def test_an_event_that_lies_about_its_encoding_is_refused():
    with pytest.raises(ValueError, match="base64"):
        from_gateway(event(body="!!", isBase64Encoded=True), 0)
