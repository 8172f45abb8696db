"""openai.chat."""

from typing import Any

import pytest

from chalicelib.catalogue import build
from chalicelib.errors import ParameterError, StepFailedError
from chalicelib.kit.action import Action
from chalicelib.kit.encode import encode
from chalicelib.kit.values import Failed, Response
from chalicelib.nodes.openai import OPENAI
from tests.talk import talk


def answer(content: Any, finish_reason: str = "stop", **message: Any) -> Response:
    return Response.of(
        {
            "model": "m-1",
            "choices": [
                {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish_reason}
            ],
            "usage": {"total_tokens": 5},
        }
    )


def asked_and_told(reply: Response, **parameters: Any) -> tuple[dict[str, Any], Any]:
    node = build("openai.chat", {"model": "m", "prompt": "Hi", **parameters})
    assert isinstance(node, Action)
    asked, value = talk(node, reply)
    return asked[0].json, value


def test_system_messages_and_prompt_come_in_that_order() -> None:
    body, value = asked_and_told(
        answer("Hello"),
        system="Be brief.",
        messages=[{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": "b"}],
    )
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["messages"][1]["content"] == [{"type": "text", "text": "a"}]
    assert value["text"] == "Hello"
    assert value["usage"] == {"total_tokens": 5}
    assert value["model"] == "m-1"


def test_only_what_was_given_is_sent() -> None:
    body, _ = asked_and_told(answer("x"))
    assert body == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    body, _ = asked_and_told(
        answer("x"), temperature=0, top_p=0.5, max_completion_tokens=9, stop=["\n"], seed=0, extra={"top_k": 4}
    )
    assert (body["temperature"], body["top_p"], body["max_completion_tokens"]) == (0, 0.5, 9)
    assert (body["stop"], body["seed"], body["top_k"]) == (["\n"], 0, 4)
    assert asked_and_told(answer("x"), max_tokens=7)[0]["max_tokens"] == 7


def test_any_compatible_service_is_reached_through_the_credentials_address() -> None:
    node = build("openai.chat", {"model": "m", "prompt": "Hi"})
    assert isinstance(node, Action)
    asked, _ = talk(node, answer("x"))
    assert (
        encode(asked[0], OPENAI, base_url="http://127.0.0.1:11434/v1/").url
        == "http://127.0.0.1:11434/v1/chat/completions"
    )
    assert encode(asked[0], OPENAI).url == "https://api.openai.com/v1/chat/completions"


def test_a_schema_asks_for_json_and_its_answer_is_parsed() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    body, value = asked_and_told(answer('{"n": 12345678901234567890}'), schema=schema, strict=False)
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": False, "schema": schema},
    }
    assert value["data"] == {"n": 12345678901234567890}
    body, value = asked_and_told(answer("[1]"), json=True)
    assert body["response_format"] == {"type": "json_object"}
    assert value["data"] == [1]


@pytest.mark.parametrize(
    ("reply", "parameters", "code", "said"),
    [
        (answer("no"), {"json": True}, "answer", "is not JSON."),
        (answer('{"a": ', "length"), {"json": True}, "answer", "cut off"),
        (answer("[" * 100_000), {"json": True}, "answer", "is not JSON"),
        (answer(None, refusal="I cannot help"), {}, "refused", "I cannot help"),
        (Response.of({"choices": []}), {}, "answer", "no message"),
        (Response.of({"choices": [{"text": "old"}]}), {}, "answer", "no message"),
        (Response.of([1]), {}, "answer", "no message"),
        (Response(200), {}, "answer", "no message"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_a_failure(
    reply: Response, parameters: dict[str, Any], code: str, said: str
) -> None:
    _, value = asked_and_told(reply, **parameters)
    assert isinstance(value, Failed)
    assert value.failure.code == code
    assert said in value.failure.message
    assert value.failure.sent == "answered"


def test_an_answer_without_text_is_empty_text() -> None:
    _, value = asked_and_told(answer(None, tool_calls=[{"id": "c1"}]))
    assert value["text"] == ""
    assert value["message"]["tool_calls"] == [{"id": "c1"}]


def test_an_answer_that_is_no_json_fails_the_step() -> None:
    with pytest.raises(StepFailedError):
        asked_and_told(Response(200, b"<html>"))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"prompt": None}, "needs `prompt` or `messages`"),
        ({"prompt": "", "messages": []}, "needs `prompt` or `messages`"),
        ({"json": True, "schema": {}}, "not both"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "not both"),
        ({"temperature": 3}, r"with\.temperature"),
        ({"messages": [{"role": "robot", "content": "x"}]}, r"with\.messages\[0\]\.role"),
        ({"tools": []}, "is not a parameter"),
    ],
)
def test_what_makes_no_sense_is_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        build("openai.chat", {"model": "m", "prompt": "Hi", **parameters})
