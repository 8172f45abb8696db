"""Following redirects: where to, by which method, and what may go along. Pure."""

from collections.abc import Collection, Generator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urljoin

from chalicelib.errors import StepFailedError
from chalicelib.kit.address import is_absolute, joined, origin, query_text
from chalicelib.kit.values import ABSENT, Ask, Request, Response

STATUSES: Final = (301, 302, 303, 307, 308)
_HARMLESS: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Headers that may go to another host: any other might be a secret."""


def whole_url(request: Request) -> str:
    """The address of a request; empty where it is a path below a base URL that the node does not know."""
    if not is_absolute(request.path):
        return ""
    return joined("", request.path, query_text(request.query) if request.query else "")


def resolved(url: str, link: str) -> str:
    """The whole, checked address that a link in an answer means, read from the request's own address.

    Raises:
        StepFailedError: the service wrote a link that is no address.
    """
    try:
        return joined("", urljoin(url, link) if url else link)
    except ValueError as error:
        raise StepFailedError("The answer names an address that cannot be read.") from error


def followed(
    request: Request, most: int, accepted: Collection[int] = ()
) -> Generator[Ask, Any, tuple[Request, Response]]:
    """Send a request and follow at most so many redirects: the request answered in the end, and its answer.

    The request must allow the statuses of redirects; those in `accepted` are answers. StepFailedError beyond `most`.
    """
    for _ in range(most + 1):
        response: Response = yield request
        moved = redirected(request, response) if most and response.status not in accepted else None
        if moved is None:
            return request, response
        request = moved
    raise StepFailedError(f"There were more than {most} redirects.")


def redirected(request: Request, response: Response) -> Request | None:
    """The request a redirect asks for, or None where the answer is none.

    303, and 301 or 302 after a POST, become a GET without a body (RFC 9110, section 15.4); on another host the
    credential and all but a few headers stay behind. StepFailedError for a step down from https to http.
    """
    location = response.headers.get("location", "").strip()
    if response.status not in STATUSES or not location:
        return None
    url = whole_url(request)
    if not url and not is_absolute(location):
        raise StepFailedError(
            "The answer redirects to a path; to follow it, write the step's `url` as a whole address."
        )
    target = resolved(url, location)
    if url.startswith("https:") and not target.startswith("https:"):
        raise StepFailedError("The answer is a redirect from https to http, which is not followed.")
    same_host = bool(url) and origin(url) == origin(target)
    headers: Mapping[str, str] = request.headers
    if not same_host:
        headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
    moved = replace(
        request,
        path=target,
        query={},
        headers=headers,
        signed=request.signed and same_host,
        to_own=request.to_own and same_host,
    )
    if (response.status == 303 and request.method != "HEAD") or (
        response.status in {301, 302} and request.method == "POST"
    ):
        kept = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        return replace(moved, method="GET", headers=kept, json=ABSENT, form=None, parts=(), content=None)
    return moved
