"""slack.post_message."""

from datetime import UTC, datetime

import pytest

from chalicelib.catalogue import build
from chalicelib.errors import ParameterError
from chalicelib.kit.encode import encode
from chalicelib.kit.judge import judge
from chalicelib.kit.values import Request, Response
from chalicelib.nodes.slack import SLACK, PostMessage

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
ASK = Request("POST", "/chat.postMessage", json={})


def test_the_request_is_json_with_a_charset_as_slack_wants_it() -> None:
    node = build("slack.post_message", {"channel": "#ops", "text": "grüße", "unfurl_links": False})
    assert isinstance(node, PostMessage)
    encoded = encode(next(iter(node.run())), SLACK)  # pyright: ignore[reportArgumentType]
    assert encoded.url == "https://slack.com/api/chat.postMessage"
    assert encoded.body == '{"channel":"#ops","text":"grüße","unfurl_links":false}'.encode()
    assert dict(encoded.headers)["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("content", [{}, {"text": ""}, {"blocks": []}])
def test_a_message_needs_content(content: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match="Slack takes no empty message"):
        build("slack.post_message", {"channel": "#ops", **content})
    assert build("slack.post_message", {"channel": "#ops", "blocks": [{"type": "divider"}]})


def test_ok_false_is_a_failure_in_slacks_words() -> None:
    found = judge(ASK, Response.of({"ok": False, "error": "channel_not_found"}), SLACK, now=NOW)
    assert found is not None
    assert (found.code, found.message, found.is_retriable) == ("refused", "Slack refused: channel_not_found", False)
    assert found.detail == {"ok": False, "error": "channel_not_found"}
    detailed = {
        "ok": False,
        "error": "invalid_arguments",
        "response_metadata": {"messages": ["[ERROR] missing channel"]},
    }
    found = judge(ASK, Response.of(detailed), SLACK, now=NOW)
    assert found is not None
    assert found.message == "Slack refused: invalid_arguments: [ERROR] missing channel"


def test_some_complaints_pass() -> None:
    for word in ("ratelimited", "service_unavailable", "internal_error"):
        found = judge(ASK, Response.of({"ok": False, "error": word}), SLACK, now=NOW)
        assert found is not None
        assert found.is_retriable


@pytest.mark.parametrize("content", [b'{"ok": true}', b"[]", b"", b"ok", b'{"ok": 0}'])
def test_anything_else_is_no_complaint(content: bytes) -> None:
    assert judge(ASK, Response(200, content), SLACK, now=NOW) is None


def test_a_rate_limit_says_when() -> None:
    found = judge(ASK, Response(429, b"", {"retry-after": "30"}), SLACK, now=NOW)
    assert found is not None
    assert (found.code, found.is_retriable, found.retry_after_seconds) == ("http_429", True, 30.0)
