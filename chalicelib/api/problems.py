"""Errors as answers: problem+json (RFC 9457), one shape for all of them."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final, cast

from chalicelib.api.errors import RateLimitedError
from chalicelib.api.request import Answer, json_bytes
from chalicelib.errors import PenstockError, Problem, UnauthenticatedError
from chalicelib.flow.values import Json

_HEADERS: Final = (
    ("content-type", "application/problem+json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
)


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    problems: Sequence[Problem] = (),
    facts: Mapping[str, object] | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    """An error's answer: `type`, `title`, `status`, `detail`, `code`, `errors`, and further facts beside them."""
    body: dict[str, Json] = {
        "type": f"urn:penstock:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [problem_to_json(each) for each in problems],
    }
    for name, value in (facts or {}).items():
        body.setdefault(name, _fact(value))
    return Answer(status, (*_HEADERS, *headers), json_bytes(body))


def problem_of(error: PenstockError) -> Answer:
    """The answer that says an error of ours, with Retry-After, Allow or WWW-Authenticate where they belong."""
    headers: list[tuple[str, str]] = []
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(0, -int(-error.retry_after // 1)))))  # whole seconds, rounded up
    allow = error.facts.get("allow")
    if isinstance(allow, Sequence) and not isinstance(allow, str):
        headers.append(("allow", ", ".join(str(method) for method in cast("Sequence[object]", allow))))
    if error.status == 401:
        scheme = "Bearer" if isinstance(error, UnauthenticatedError) else "Signature"
        headers.append(("www-authenticate", f'{scheme} realm="penstock"'))
    headers += _rate_headers(error)
    title = (type(error).__doc__ or "An error.").split(". ")[0].rstrip(".")
    return problem(
        error.status,
        error.code,
        title,
        error.detail,
        problems=error.problems,
        facts=error.facts,
        headers=tuple(headers),
    )


def _rate_headers(error: PenstockError) -> list[tuple[str, str]]:
    """The policy and what is left of it (draft-ietf-httpapi-ratelimit-headers-10), where that is why."""
    if error.status != 429 or not isinstance(error, RateLimitedError) or error.rate is None:
        return []
    wait = max(0, -int(-(error.retry_after or 0) // 1))
    return [
        ("ratelimit-policy", f'"{error.policy}";q={error.rate.tokens};w={error.rate.seconds}'),
        ("ratelimit", f'"{error.policy}";r=0;t={wait}'),
    ]


def problem_to_json(one: Problem) -> Json:
    """A mistake with its place."""
    return {"where": one.where, "line": one.line, "column": one.column, "what": one.what, "do": one.do}


def _fact(value: object) -> Json:
    match value:
        case float():
            return value if isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case list() | tuple():
            return [_fact(each) for each in cast("Sequence[object]", value)]
        case dict():
            return {str(name): _fact(each) for name, each in cast("Mapping[object, object]", value).items()}
        case _:
            return str(value)
