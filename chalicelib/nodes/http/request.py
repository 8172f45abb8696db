"""Any HTTP request."""

from base64 import b64decode
from binascii import Error as NotBase64Error
from collections.abc import Generator, Iterable, Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chalicelib.kit import values
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.address import scalar_text, utf8
from chalicelib.kit.answers import Form, body_of, file_name, json_of
from chalicelib.kit.encode import json_bytes
from chalicelib.kit.fields import AnyObject, Anything, FileReference, LongText, one_as_list
from chalicelib.kit.headers import checked_headers
from chalicelib.kit.outputs import ANYTHING, TEXTS_BY_NAME, WHOLE, YES_OR_NO, shape
from chalicelib.kit.values import ABSENT, Ask, Failed, Failure, GetFile, Json, Part, Response
from chalicelib.nodes.http.paging import Paging
from chalicelib.nodes.http.redirects import STATUSES, followed
from chalicelib.nodes.http.service import HTTP, Url

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


def _upper(method: Any) -> Any:
    """A method may be written in lower case."""
    return method.upper() if isinstance(method, str) else method


def statuses(rules: Iterable[int | str]) -> frozenset[int]:
    """The statuses that rules such as `404` and `4xx` name; ValueError for anything else."""
    found: set[int] = set()
    for rule in rules:
        text = str(rule).strip().lower()
        if len(text) == 3 and text[0] in "12345" and text.isascii():
            if text[1:] == "xx":
                found |= set(range(int(text[0]) * 100, int(text[0]) * 100 + 100))
                continue
            if text.isdecimal():
                found.add(int(text))
                continue
        raise ValueError("is not a status such as 404, or a class of them such as 4xx")
    return frozenset(found)


def _known(rules: list[int | str]) -> list[int | str]:
    """Rules that can be read."""
    statuses(rules)
    return rules


StatusRules = Annotated[
    list[int | str], BeforeValidator(one_as_list), AfterValidator(_known), Field(json_schema_extra={"x-one": True})
]


class Request(Action):
    """Call any HTTP API.

    The value is `{"status", "headers", "body"}`, header names in lower case. A JSON answer is parsed, text is text,
    anything else is kept as a file; `as` says otherwise. A 4xx or 5xx is a failure unless `accept` names it. With
    `paging`, `body` is the rows of all pages, `pages` their number, and `more` whether pages were left.

    A request with an effect carries an `Idempotency-Key`, the same in every attempt, unless `headers` gives one:
    services that know it act once, however often it comes.
    """

    service = HTTP
    effect_by = "method"
    output = shape(status=WHOLE, headers=TEXTS_BY_NAME, body=ANYTHING, pages=WHOLE, more=YES_OR_NO)
    example = Example(
        given={"url": "https://api.example/people", "query": {"email": "ann@shop.example"}},
        sends=(values.Request("GET", "https://api.example/people", query={"email": "ann@shop.example"}),),
        receives=(Response.of({"score": 72}),),
        returns={"status": 200, "headers": {"content-type": "application/json"}, "body": {"score": 72}},
    )
    more_examples = (
        Example(
            given={"method": "POST", "url": "https://stock.example/reserve", "json": {"sku": "A-1", "quantity": 2}},
            sends=(values.Request("POST", "https://stock.example/reserve", json={"sku": "A-1", "quantity": 2}),),
            receives=(Response.of({"id": "R7"}, status=201),),
            returns={"status": 201, "headers": {"content-type": "application/json"}, "body": {"id": "R7"}},
        ),
        Example(
            given={
                "url": "https://crm.example/contacts",
                "paging": {"by": "cursor", "from": "next", "items": "contacts"},
            },
            sends=(
                values.Request("GET", "https://crm.example/contacts"),
                values.Request("GET", "https://crm.example/contacts", query={"cursor": "p2"}),
            ),
            receives=(
                Response.of({"contacts": [{"id": 1}], "next": "p2"}),
                Response.of({"contacts": [{"id": 2}], "next": None}),
            ),
            returns={
                "status": 200,
                "headers": {"content-type": "application/json"},
                "body": [{"id": 1}, {"id": 2}],
                "pages": 2,
                "more": False,
            },
            about="Every page of a list, by a cursor in the body.",
        ),
        Example(
            given={"url": "https://api.example/users/17", "accept": 404},
            sends=(values.Request("GET", "https://api.example/users/17", allow=(404,)),),
            receives=(Response(404),),
            returns={"status": 404, "headers": {}, "body": None},
            about="A 404 that is an answer, not a failure.",
        ),
    )

    method: Annotated[Method, BeforeValidator(_upper)] = "GET"
    """The method. It decides the effect: GET reads, PUT and DELETE may repeat, POST and PATCH change something."""
    url: Url
    """The address, with https://; or a path below the credential's `base_url`."""
    query: AnyObject = {}
    """Query parameters by name. A list repeats its name, null leaves it out."""
    headers: Annotated[dict[str, Any], AfterValidator(checked_headers)] = {}
    """Headers by name. A secret belongs into a credential, not here."""
    json_: Anything = Field(default=None, alias="json")
    """The body as JSON: any value."""
    form: AnyObject | None = None
    """The body as a form (application/x-www-form-urlencoded): fields by name."""
    multipart: AnyObject | None = None
    """The body as multipart/form-data: by name a text, a file, an object (sent as JSON), or a list of these."""
    text: LongText | None = None
    """The body as text."""
    base64: str | None = None
    """The body as bytes, written in base64."""
    file: FileReference | None = None
    """The body as a file's bytes."""
    content_type: str | None = None
    """The body's content type, where the usual one is not meant."""
    accept: StatusRules = []
    """Statuses that are answers, not failures, such as `404` or `4xx`; or a list of them."""
    fail_on: StatusRules = []
    """Statuses that are failures although they are 2xx or accepted, such as `204`; or a list of them."""
    as_: Form = Field(default="auto", alias="as")
    """How the answer is read: by its content type, or as JSON, text or a file."""
    follow: Annotated[int, Field(ge=0, le=10)] = 0
    """How many redirects to follow. On another host the credential stays behind."""
    paging: Paging | None = None
    """How to read all pages of a list; without it, one request."""
    limit_bytes: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """The largest answer it takes, in bytes; without it, the deployment's limit."""
    own: bool = False
    """Whether it may call the deployment that runs it, which is refused otherwise."""

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        given = self._bodies()
        if len(given) > 1:
            raise ValueError(f"takes one body, not {' and '.join(given)}")
        if self.paging and self.as_ not in {"auto", "json"}:
            raise ValueError("paging reads JSON; leave out `as`")
        if self.paging and self.method == "HEAD":
            raise ValueError("paging needs bodies, and HEAD has none")
        self._bytes()
        return self

    def _bodies(self) -> list[str]:
        """The kinds of body that were given; `json: null` is one."""
        others = ("form", "multipart", "text", "base64", "file")
        given = ["json"] if "json_" in self.model_fields_set else []
        return [*given, *(name for name in others if getattr(self, name) is not None)]

    def _bytes(self) -> bytes | None:
        """The body that is text or base64; ValueError where it cannot be sent."""
        if self.text is not None:
            return utf8(self.text, "text")
        try:
            return b64decode(self.base64, validate=True) if self.base64 is not None else None
        except (NotBase64Error, ValueError) as error:
            raise ValueError("base64 holds something that is not base64") from error

    def run(self) -> Conversation:
        """One request, or as many as there are pages; redirects between."""
        request = yield from self._request()
        if self.paging is not None:
            return (yield from self._pages(self.paging, self.paging.opened(request)))
        request, response = yield from followed(request, self.follow, statuses(self.accept))
        if failure := self._failure(response):
            return Failed(failure)
        body = yield from body_of(response, self.as_, file_name(response, request.path))
        return {"status": response.status, "headers": dict(response.headers), "body": body}

    def _request(self) -> Generator[Ask, Any, values.Request]:
        """The request as the fields say it."""
        content, content_type = self._bytes(), self.content_type
        if self.text is not None:
            content_type = content_type or "text/plain; charset=utf-8"
        if self.file is not None:
            content = yield GetFile(self.file)
            content_type = content_type or str(self.file.get("type") or "application/octet-stream")
        parts: list[Part] = []
        for name, value in (self.multipart or {}).items():
            for one in one_as_list(value):
                part = yield from _part(name, one)
                parts += [part]
        headers = dict(self.headers)
        if content_type and self._bodies():
            headers["content-type"] = content_type
        allowed = statuses(self.accept) | frozenset(STATUSES if self.follow else ())
        return values.Request(
            self.method,
            self.url,
            query=self.query,
            headers=headers,
            json=self.json_ if "json_" in self.model_fields_set else ABSENT,
            form=self.form,
            parts=tuple(parts),
            content=content,
            allow=tuple(sorted(allowed)),
            limit_bytes=self.limit_bytes,
            to_own=self.own,
        )

    def _failure(self, response: Response) -> Failure | None:
        """What the status rules make of an answer that came through."""
        accepted = 200 <= response.status < 300 or response.status in statuses(self.accept)
        if accepted and response.status not in statuses(self.fail_on):
            return None
        reason = "names no address to go to" if not accepted else "counts as a failure here (fail_on)"
        message = f"The answer {response.status} {reason}."
        return Failure(f"http_{response.status}", message, status=response.status, sent="answered")

    def _pages(self, paging: Paging, request: values.Request) -> Conversation:
        """All pages, up to the most that are wanted."""
        rows: list[Json] = []
        pages = 0
        while True:
            answered, response = yield from followed(request, self.follow, statuses(self.accept))
            if failure := self._failure(response):
                return Failed(failure)
            body = json_of(response)
            found = paging.rows(body)
            rows += found
            pages += 1
            following = paging.following(request, answered, response, body, len(found))
            if following is None or pages == paging.max:
                return {
                    "status": response.status,
                    "headers": dict(response.headers),
                    "body": rows,
                    "pages": pages,
                    "more": following is not None,
                }
            request = following


def _part(name: str, value: Json) -> Generator[Ask, Any, Part]:
    """One part of a multipart body: a file with its name, an object as JSON, anything else as text."""
    match value:
        case {"file": str(), "name": str(filename), **rest}:
            content = yield GetFile(cast("Mapping[str, Json]", value))
            return Part(name, content, filename, str(rest.get("type") or "application/octet-stream"))
        case dict() | list():
            return Part(name, json_bytes(value), type="application/json")
        case _:
            return Part(name, utf8(scalar_text(value, f"with.multipart.{name}"), f"multipart.{name}"))
