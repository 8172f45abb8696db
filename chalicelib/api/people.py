"""Whether a person or a program asks, on addresses that both open: a page for the one, JSON for the other."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from chalicelib.api.content import content_type
from chalicelib.api.request import Answer, Request
from chalicelib.api.tools import Call
from chalicelib.errors import PenstockError

_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_log = logging.getLogger("penstock.api")


def wants_page(request: Request, *, unless_said: bool) -> bool:
    """Whether a page is wanted rather than JSON, by the Accept header (RFC 9110, section 12.5.1).

    `unless_said` decides where it names neither: a body of JSON then means JSON.
    """
    page, data = -1.0, -1.0
    for each in request.headers.get("accept", "").split(",")[:50]:
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        if kind in _PAGES:
            page = max(page, _weight(parameters))
        elif kind in {"application/json", "application/problem+json"}:
            data = max(data, _weight(parameters))
    if page > 0 or data > 0:
        return page >= data
    return unless_said and not content_type(request.headers).is_json


async def told(call: Call, work: Callable[[Call], Awaitable[Answer]], *, unless_said: bool) -> Answer:
    """What the work answers; an error of ours as a page where a page is wanted, else raised as it is."""
    try:
        return await work(call)
    except PenstockError as error:
        if not wants_page(call.request, unless_said=unless_said):
            raise
        if error.status >= 500:
            _log.warning("refused: %s: %s", error.code, error.detail)
        from chalicelib.api.pages import error_page  # imported late: programs need no pages

        return error_page(error)


def _weight(parameters: list[str]) -> float:
    """`q=0.5`; 1 without one, 0 for what is no number."""
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
