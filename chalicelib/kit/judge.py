"""Whether an answer is a failure, and what it says of itself. Pure; `now` is an argument."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, cast

from chalicelib.kit.answers import read_json
from chalicelib.kit.service import Service
from chalicelib.kit.values import Failure, Json, Request, Response

PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be gone next time (RFC 9110, section 15; 425: RFC 8470; 429: RFC 6585)."""

LONGEST_MESSAGE: Final = 500
LARGEST_DETAIL: Final = 8_192
_LARGEST_READ: Final = 262_144
_LONGEST_PAUSE: Final = 86_400.0
_SECONDS = re.compile(r"\d+(\.\d+)?")
_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+")
_TEXT_KEYS: Final = ("message", "error_description", "detail", "title", "description", "error", "msg", "reason", "code")
_NESTED_KEYS: Final = ("error", "errors", "fault", "Error")


def judge(request: Request, response: Response, service: Service | None, *, now: datetime) -> Failure | None:
    """The failure an answer amounts to, or None where the node may have it.

    A status outside 2xx is one unless the request allows it; an answer with a good status is one where the service
    complains in it. Codes are `http_404`, or `refused` for a complaint. The message has at most 500 characters;
    what it quotes is not yet redacted.
    """
    name = service.name if service else "The service"
    if response.status in request.allow:
        return None
    if 200 <= response.status < 300:
        return _complaint(response, service, name)
    said = (service.error_message(response) if service else None) or own_words(response)
    pause = retry_after(response.headers, now)
    is_passing = response.status in PASSING
    if service and service.rate_limit and response.status in {403, 429}:
        reset = _quota_reset(response.headers, service.rate_limit.remaining, service.rate_limit.reset, now)
        pause = pause if pause is not None else reset
        is_passing = is_passing or pause is not None
    status = f"{response.status} {reason_of(response.status)}".rstrip()
    if 300 <= response.status < 400:
        said = said or "it points elsewhere, and redirects are not followed here"
    return Failure(
        code=f"http_{response.status}",
        message=bounded(f"{name} answered {status}: {said}" if said else f"{name} answered {status}."),
        status=response.status,
        is_retriable=is_passing,
        retry_after_seconds=pause,
        sent="answered",
        detail=detail_of(response),
    )


def _complaint(response: Response, service: Service | None, name: str) -> Failure | None:
    """What an answer with a good status complains of."""
    said = service.complaint(response) if service else None
    if service is None or said is None:
        return None
    is_passing = said.partition(":")[0].strip() in service.passing
    return Failure(
        code="refused",
        message=bounded(f"{name} refused: {said}"),
        status=response.status,
        is_retriable=is_passing,
        sent="answered",
        detail=detail_of(response),
    )


def own_words(response: Response) -> str | None:
    """The sentence in an error's body, by the shapes that JSON APIs commonly use; short plain text as it is."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = _json_of(response)
    if body is not None:
        return _sentence(body, 4)
    if kind in {"text/plain", ""} and 0 < len(response.content) <= LONGEST_MESSAGE:
        text = _SPACES.sub(" ", response.text).strip()
        return text if text and "\ufffd" not in text and text[0] not in "<{[" else None
    return None


def _sentence(value: Json, depth: int) -> str | None:
    """The first text that an error's value offers: `error.message`, `message`, `error`, `errors[0]` and their like."""
    match value:
        case str() if value.strip():
            return value
        case list() if value and depth:
            return _sentence(cast("list[Json]", value)[0], depth - 1)
        case dict() if depth:
            found = cast("Mapping[str, Json]", value)
            for key in _NESTED_KEYS:
                if isinstance(found.get(key), dict | list) and (inner := _sentence(found[key], depth - 1)):
                    return inner
            for key in _TEXT_KEYS:
                text = found.get(key)
                if isinstance(text, str) and text.strip():
                    return text
            return None
        case _:
            return None


def detail_of(response: Response) -> Json:
    """An error's body as JSON where it is JSON and small; a flow reads it as `errors.<step>.detail`."""
    return _json_of(response) if len(response.content) <= LARGEST_DETAIL else None


def _json_of(response: Response) -> Any:
    """The body as JSON, or None where it is none or too large to look at."""
    if not response.content or len(response.content) > _LARGEST_READ:
        return None
    if response.content.lstrip()[:1] not in {b"{", b"[", b'"'}:
        return None
    try:
        return read_json(response.content)
    except (ValueError, RecursionError):
        return None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the service asks to be left alone, in seconds: at most a day (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_PAUSE)
    from email.utils import parsedate_to_datetime  # imported late: dates are rare here, and it is large

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_PAUSE)


def _quota_reset(headers: Mapping[str, str], remaining: str, reset: str, now: datetime) -> float | None:
    """How long until a used-up quota is filled again, in seconds; None where it is not used up."""
    if headers.get(remaining, "").strip() != "0":
        return None
    try:
        moment = float(headers.get(reset, ""))
    except ValueError:
        return None
    if not math.isfinite(moment):
        return None
    return min(max(moment - now.timestamp(), 0.0), _LONGEST_PAUSE)


def reason_of(status: int) -> str:
    """The registered phrase of a status; empty for one that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def bounded(text: str) -> str:
    """One line of at most 500 characters, each of them whole."""
    line = _SPACES.sub(" ", text[: 4 * LONGEST_MESSAGE]).strip().encode("utf-8", "replace").decode()
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"
