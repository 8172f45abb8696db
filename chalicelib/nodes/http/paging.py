"""Ways through a list that an API hands out in pages: what the next request is, from the last answer. Pure.

Each style says what is asked next from the page just read: a link, a cursor, an address, a number, an offset.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, Self, cast
from urllib.parse import urljoin

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.errors import StepFailedError
from chalicelib.kit.address import is_absolute, origin
from chalicelib.kit.answers import at
from chalicelib.kit.values import Json, Request, Response
from chalicelib.nodes.http.redirects import whole_url

_LINK = re.compile(r"""<([^>]*)>((?:\s*;\s*[^\s;,=]+\s*(?:=\s*(?:"[^"]*"|[^\s;,"]*))?)*)""")
_REL = re.compile(r""";\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))""", re.IGNORECASE)


class Paging(BaseModel):
    """How the pages of a list follow each other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["link", "cursor", "url", "page", "offset"]
    """By the Link header (`link`), a cursor from the body into the query, an address in the body (`url`), or a counted
    `page` or `offset` in the query."""
    from_: str | None = Field(default=None, alias="from")
    """Where in the body the cursor or address of the next page stands, such as `meta.next_cursor`."""
    to: str | None = None
    """The query parameter that says which page: `cursor`, `page` or `offset` unless given."""
    items: str | None = None
    """Where in the body the rows stand, such as `data.items`; without it the body itself, where it is a list."""
    first: Annotated[int, Field(ge=0)] | None = None
    """The first page's number (1 unless given), or the first offset (0)."""
    size: Annotated[int, Field(ge=1)] | None = None
    """How many rows a full page has: a shorter one is the last."""
    size_to: str | None = None
    """The query parameter that asks for `size` rows, such as `limit`."""
    max: Annotated[int, Field(ge=1, le=1000)] = 100
    """The most pages; `more` in the value says whether there were others."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.by in {"cursor", "url"} and not self.from_:
            raise ValueError(f"by {self.by} needs `from`: where in the body the next page is named")
        if self.size_to and not self.size:
            raise ValueError("size_to needs `size`")
        return self

    def opened(self, request: Request) -> Request:
        """The request for the first page."""
        query = dict(request.query)
        if self.size_to:
            query[self.size_to] = self.size
        if self.by in {"page", "offset"}:
            query[self.name] = self.start
        return _with_query(request, query)

    @property
    def name(self) -> str:
        """The query parameter that says which page."""
        return self.to or ("cursor" if self.by == "cursor" else self.by)

    @property
    def start(self) -> int:
        """The first page's number, or the first offset."""
        return self.first if self.first is not None else int(self.by == "page")

    def rows(self, body: Json) -> list[Json]:
        """The rows of a page; StepFailedError where there is no list."""
        found = at(body, self.items) if self.items else body
        if found is None and self.items:
            return []
        if not isinstance(found, list):
            where = f"`{self.items}` of a page" if self.items else "a page's body"
            raise StepFailedError(f"Paging: {where} is not a list of rows. Say in `items` where they stand.")
        return cast("list[Json]", found)

    def following(
        self, request: Request, answered: Request, response: Response, body: Json, count: int
    ) -> Request | None:
        """The request for the next page, or None after the last.

        Args:
            request: the one for this page.
            answered: the one that was answered in the end, which differs after a redirect.
            response: the answer.
            body: the answer's body, read.
            count: how many rows this page had.
        """
        match self.by:
            case "link":
                link = next_link(response.headers.get("link", ""))
                return _elsewhere(answered, link) if link else None
            case "url":
                link = at(body, self.from_ or "")
                return _elsewhere(answered, link) if isinstance(link, str) and link else None
            case "cursor":
                cursor = at(body, self.from_ or "")
                if cursor in (None, "", False):
                    return None
                if str(request.query.get(self.name)) == str(cursor):
                    raise StepFailedError("Paging: a page names itself as the next one, so there would be no end.")
                return _with_query(request, {**request.query, self.name: cursor})
            case "page" | "offset":
                if not count or (self.size and count < self.size):
                    return None
                step = count if self.by == "offset" else 1
                return _with_query(request, {**request.query, self.name: int(request.query[self.name]) + step})


def next_link(header: str) -> str | None:
    """The target of rel="next" in a Link header (RFC 8288)."""
    for target, parameters in _LINK.findall(header):
        match = _REL.search(parameters)
        if match and "next" in (match[1] or match[2] or "").lower().split():
            return target
    return None


def _elsewhere(request: Request, link: str) -> Request:
    """The same request at the address a page names; StepFailedError where that is on another host."""
    url = whole_url(request)
    try:
        target = urljoin(url, link) if url else link
        is_elsewhere = bool(url) and origin(target) != origin(url)
    except ValueError as error:
        raise StepFailedError("Paging: the next page's address cannot be read.") from error
    if is_elsewhere:
        raise StepFailedError("Paging: the next page is on another host, which would be sent this step's credential.")
    if not url and is_absolute(target):
        raise StepFailedError("Paging: the next page is a whole address; write this step's `url` as one too.")
    if target == url:
        raise StepFailedError("Paging: a page names itself as the next one, so there would be no end.")
    return _with_query(request, {}, target)


def _with_query(request: Request, query: Mapping[str, Json], path: str | None = None) -> Request:
    """The same request with another query, and maybe another address."""
    return replace(request, query=query, path=request.path if path is None else path)
