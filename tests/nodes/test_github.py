"""github.create_issue."""

from datetime import UTC, datetime

import pytest

from chalicelib.catalogue import build
from chalicelib.errors import ParameterError
from chalicelib.kit.action import Action
from chalicelib.kit.encode import encode
from chalicelib.kit.judge import judge
from chalicelib.kit.values import Request, Response
from chalicelib.nodes.github import GITHUB
from tests.talk import talk

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def test_the_request_names_githubs_version_and_who_asks() -> None:
    node = build("github.create_issue", {"repository": "octo/my.shop_2", "title": "T", "milestone": 3, "type": "Bug"})
    assert isinstance(node, Action)
    asked, value = talk(node, Response.of({"number": 1}, status=201))
    encoded = encode(asked[0], GITHUB)
    assert encoded.url == "https://api.github.com/repos/octo/my.shop_2/issues"
    assert encoded.body == b'{"title":"T","milestone":3,"type":"Bug"}'
    headers = dict(encoded.headers)
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["user-agent"]
    assert value == {"number": 1}


@pytest.mark.parametrize(
    "repository", ["shop", "octo/shop/x", "octo/", "/shop", "octo/sh op", "octo/..%2f", "a/b?c", "a/b#c", "ü/x"]
)
def test_a_repository_is_an_owner_and_a_name(repository: str) -> None:
    with pytest.raises(ParameterError, match=r"with\.repository"):
        build("github.create_issue", {"repository": repository, "title": "T"})


def test_a_repository_of_dots_cannot_climb() -> None:
    node = build("github.create_issue", {"repository": "../..", "title": "T"})
    assert isinstance(node, Action)
    with pytest.raises(ParameterError, match=r"with\.repository: is empty or only dots"):
        talk(node)


def test_a_used_up_quota_passes_when_it_is_filled_again() -> None:
    ask = Request("POST", "/x")
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 90)}
    found = judge(ask, Response(403, b'{"message": "API rate limit exceeded"}', headers), GITHUB, now=NOW)
    assert found is not None
    assert (found.is_retriable, found.retry_after_seconds) == (True, 90.0)
    assert found.message == "GitHub answered 403 Forbidden: API rate limit exceeded"
    slow_down = judge(ask, Response(403, b"{}", {"retry-after": "60"}), GITHUB, now=NOW)
    assert slow_down is not None
    assert (slow_down.is_retriable, slow_down.retry_after_seconds) == (True, 60.0)
    forbidden = judge(ask, Response(403, b'{"message": "Resource not accessible"}'), GITHUB, now=NOW)
    assert forbidden is not None
    assert not forbidden.is_retriable


def test_validation_errors_are_told() -> None:
    body = b'{"message": "Validation Failed", "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}]}'
    found = judge(Request("POST", "/x"), Response(422, body), GITHUB, now=NOW)
    assert found is not None
    assert found.message.startswith("GitHub answered 422")
    assert found.detail["errors"][0]["field"] == "title"
