"""API Gateway's events (REST, version 1 of the payload) as requests, and answers as it wants them: bytes stay bytes.

What a gateway does not hand over cannot be kept: the order of headers among different names, and the query's own text.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.api.request import Answer, Request

MOST_ANSWER_BYTES = 4_400_000
"""Lambda's answers end at 6 MB as JSON (quotas, "Invocation payload"); base64 makes three bytes four characters."""


def from_gateway(event: Mapping[str, Any], received: int) -> Request:
    """The request an event stands for; `received` in epoch milliseconds.

    The path comes without the gateway's stage and still percent-encoded; the query comes decoded.
    """
    raw_headers = _pairs(event.get("multiValueHeaders"), event.get("headers"), lower=True)
    headers: dict[str, str] = {}
    for name, value in raw_headers:
        headers.setdefault(name, value)
    context: Mapping[str, Any] = event.get("requestContext") or {}
    identity: Mapping[str, Any] = context.get("identity") or {}
    return Request(
        str(event.get("httpMethod") or "GET").upper(),
        str(event.get("path") or "/"),
        _pairs(event.get("multiValueQueryStringParameters"), event.get("queryStringParameters"), lower=False),
        headers,
        _body(event),
        received,
        str(identity.get("sourceIp") or ""),
        raw_headers,
    )


def to_gateway(answer: Answer) -> dict[str, Any]:
    """The answer as an event's reply: always base64, so that no gateway turns bytes into text; headers may repeat."""
    if len(answer.body) > MOST_ANSWER_BYTES:
        answer = _too_large(len(answer.body))
    headers: dict[str, list[str]] = {}
    for name, value in answer.headers:
        headers.setdefault(name, []).append(value)
    return {
        "statusCode": answer.status,
        "multiValueHeaders": headers,
        "body": base64.b64encode(answer.body).decode("ascii"),
        "isBase64Encoded": True,
    }


def _too_large(size: int) -> Answer:
    from chalicelib.api.answer_headers import guarded  # imported late: an answer is rarely that large
    from chalicelib.api.problems import problem_of
    from chalicelib.errors import AnswerTooLargeError

    error = AnswerTooLargeError(
        f"The answer has {size:,} bytes; Lambda carries {MOST_ANSWER_BYTES:,}. Ask for less, or store it in a file."
    )
    return guarded(problem_of(error), is_encrypted=True)


def _body(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError("the event says its body is base64, and it is not") from error


def _pairs(
    many: Mapping[str, Sequence[str]] | None, single: Mapping[str, str] | None, *, lower: bool
) -> tuple[tuple[str, str], ...]:
    """Names with their values, repeated ones too; a console's test event may have the single ones alone."""
    if many:
        return tuple(
            (name.lower() if lower else name, value) for name, values in many.items() for value in values or ()
        )
    return tuple((name.lower() if lower else name, value) for name, value in (single or {}).items())
