"""Parsers of what strangers send: requests and their bodies, keys, addresses, answers of services."""

import asyncio
import atexit
import json
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from chalicelib.errors import (
    BodyTooLargeError,
    BodyUnreadableError,
    UnauthenticatedError,
    UsageError,
)
from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, Unfit, object_of, text_of

_FORM: Final = (
    b"--b",
    b"--b--",
    b"\r\n\r\n",
    b'; name="a"',
    b'; filename="x"',
    b"Content-Disposition: form-data",
    b"&",
    b"=",
    b"+",
    b"%C3%28",
)


def _body() -> Take:
    return import_module("chalicelib.api.json_body").read_json


def _form(name: str, announced: str) -> Callable[[], Take]:
    def opened() -> Take:
        forms: Any = import_module("chalicelib.api.forms")
        content: Any = import_module("chalicelib.api.content")
        read, kinds = getattr(forms, name), [content.read_content_type(each) for each in announced.split("|")]
        return lambda given: read(given, kinds[len(given) % len(kinds)])

    return opened


def _content_type() -> Take:
    """A Content-Type, and a body in the charset that it names."""
    content: Any = import_module("chalicelib.api.content")

    def take(given: bytes) -> object:
        kind = content.read_content_type(given.decode("latin-1"))
        return kind.is_json, kind.is_text, content.decode(given, kind)

    return take


def _packed() -> Take:
    unpack: Any = import_module("chalicelib.api.content").unpack

    def take(content: bytes) -> object:
        encoding, _, body = content.partition(b"\n")
        return unpack(body, encoding.decode("latin-1"), 1_000_000)

    return take


def packed_texts() -> list[bytes]:
    """Compressed bodies, the name of the coding on a line before each, a bomb among them."""
    gzip, zlib = import_module("gzip"), import_module("zlib")
    raw = b'{"a": [1, 2, 3]}' * 20
    return [
        b"gzip\n" + gzip.compress(raw, mtime=0),
        b"deflate\n" + zlib.compress(raw),
        b"gzip\n" + gzip.compress(bytes(3_000_000), mtime=0),
    ]


def _query() -> Take:
    """A raw query, as the parameters of every route that takes some."""
    request: Any = import_module("chalicelib.api.request")
    read: Any = import_module("chalicelib.api.reading").read_parameters
    schemas: tuple[str, ...] = tuple(import_module("chalicelib.api.schemas").PARAMETERS)

    def take(content: bytes) -> object:
        query = request.read_query(content.decode("latin-1"))
        asked = request.Request("GET", "/", query, {}, b"", 1)
        for schema in schemas:
            with suppress(UsageError):
                read(asked, schema)
        return query

    return take


def _fields() -> Take:
    """A JSON body, as that of the route it names: `{"schema": ..., "body": ...}`."""
    request: Any = import_module("chalicelib.api.request")
    read: Any = import_module("chalicelib.api.reading").read_body
    schemas: Any = import_module("chalicelib.api.schemas").BODIES

    def take(content: bytes) -> object:
        given = object_of(content)
        if given.get("schema") not in tuple(schemas):
            raise Unfit
        body = json.dumps(given.get("body")).encode()
        return read(request.Request("POST", "/", (), {"content-type": "application/json"}, body, 1), given["schema"])

    return take


def _bodies() -> list[bytes]:
    schemas: Any = import_module("chalicelib.api.schemas").BODIES
    values: dict[str, Any] = {
        "string": "a",
        "integer": 3,
        "number": 1.5,
        "boolean": True,
        "object": {"a": 1},
        "array": [1],
    }
    return corpus.as_json(
        *(
            {"schema": name, "body": {field: values.get(str(one.get("type")), "a") for field, one in fields.items()}}
            for name, fields in schemas.items()
        )
    )


def _key() -> Take:
    """An Authorization header, also twice."""
    request: Any = import_module("chalicelib.api.request")
    auth: Any = import_module("chalicelib.api.auth")
    keys = auth.AdminKeys([auth.key_hash("a key")])

    def take(content: bytes) -> object:
        lines = content.decode("latin-1").split("\n")
        raw = tuple(("authorization", line) for line in lines)
        asked = request.Request("GET", "/", (), {"authorization": lines[0]}, b"", 1, "", raw)
        return answered(auth.authenticate(asked, keys))

    return take


def _moment() -> Take:
    times: Any = import_module("chalicelib.api.times")
    return lambda content: times.from_text(text_of(content), "since")


def _whole_api() -> Take:
    """The whole API in memory: a request line, headers, a blank line and a body; no answer may be a 5xx."""
    house: Any = import_module("tests.api.house").House()
    request: Any = import_module("chalicelib.api.request")
    runner = asyncio.Runner()  # some handlers ask several things at once
    atexit.register(runner.close)
    flows: tuple[str, ...] = (import_module("tests.api.house").SIGNED, import_module("tests.api.house").OPEN)
    for text in flows:
        house.publish(text + import_module("tests.api.house").STEPS)

    def take(content: bytes) -> object:
        head, _, body = content.partition(b"\n\n")
        first, *rest = head.decode("latin-1").split("\n")
        method, _, target = first.partition(" ")
        path, _, query = target.partition("?")
        pairs = tuple((name.lower(), value) for name, _, value in (line.partition(": ") for line in rest))
        headers = dict(reversed(pairs))
        asked = request.Request(method, path, request.read_query(query), headers, body, 1795158000000, "", pairs, query)
        answer: Any = runner.run(house.api(asked))
        if answer.status >= 500:
            raise AssertionError(f"{answer.status}: {answer.body[:300]!r}")
        if answer.body and answer.header("content-type") in {"application/json", "application/problem+json"}:
            json.loads(answer.body)
        return answer

    return take


def _requests() -> list[bytes]:
    """One for each method of each route, with an admin's key, so that routes that are added are tried too."""
    table: Any = import_module("chalicelib.api.routes").TABLE
    key = import_module("tests.api.house").KEYS["admin"]
    names = {"flow": "shop", "trigger": "placed", "token": "t" * 26, "id": "01h" + "0" * 23,
             "version": "v" * 64, "type": "csv.parse",
             "tenant": "main", "link": "W10.AAAA", "step": "note"}  # fmt: skip
    found: list[bytes] = []
    for route in table:
        path = route.path
        for name, value in names.items():
            path = path.replace(f"{{{name}}}", value)
        for method in route.methods:
            head = f"{method} {path}?limit=5\nauthorization: Bearer {key}\ncontent-type: application/json\naccept: */*"
            found.append(head.encode() + b'\n\n{"inputs": {}}')
    return found


def answered(coroutine: Any) -> object:
    """What a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited for something")


def _decision() -> Take:
    """What somebody answers an approval, by a form or as JSON."""
    read: Any = import_module("chalicelib.api.approval_form").read_answer
    return lambda content: [read(object_of(content), people) for people in ((), ("ann", "bob@example.com"))]


def json_texts() -> list[bytes]:
    """Some JSON."""
    return corpus.as_bytes('{"a": [1, 2.5, "x", null, true, {"b": "\\u00e9"}]}', "[]", '"\\ud83d\\ude00"', "-1.5e3")


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    unreadable, sizes = (BodyUnreadableError,), (BodyUnreadableError, BodyTooLargeError)
    parts = corpus.as_bytes(
        '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\n'
        'Content-Disposition: form-data; name="f"; filename="x.txt"\r\n'
        "Content-Type: text/plain; charset=utf-16\r\n\r\nx\r\n--b--\r\n"
    )
    return (
        Parser(
            "json_body",
            "api.json_body.read_json",
            json_texts,
            _body,
            unreadable,
            2500,
            words=(b"[", b'{"a":', b"\\u", b"1e9", b"NaN"),
        ),
        Parser(
            "form",
            "api.forms.read_urlencoded",
            lambda: corpus.as_bytes("a=1&b=%20x&a=2", "a=b+c"),
            _form("read_urlencoded", "application/x-www-form-urlencoded|a/b; charset=latin-1|a/b; charset=utf-16"),
            unreadable,
            1500,
            words=_FORM,
        ),
        Parser(
            "multipart",
            "api.forms.read_multipart",
            lambda: parts,
            _form("read_multipart", "multipart/form-data; boundary=b"),
            unreadable,
            1500,
            words=_FORM,
        ),
        Parser(
            "content_type",
            "api.content.read_content_type, decode",
            lambda: corpus.as_bytes(
                'application/json; charset="utf-8"',
                "text/plain;charset=UTF-16LE",
                'multipart/form-data; boundary="a b"',
            ),
            _content_type,
            unreadable,
            1500,
            words=(b";", b"charset=", b'"', b"windows-1250", b"iso-8859-12", b"utf-16"),
            most_bytes=20_000,
        ),
        Parser(
            "packed_body",
            "api.content.unpack",
            packed_texts,
            _packed,
            sizes,
            150,
            words=(b"gzip\n", b"deflate\n", b"\x1f\x8b\x08"),
        ),
        Parser(
            "query",
            "api.request.read_query, api.reading.read_parameters",
            lambda: corpus.as_bytes("limit=5&status=failed&since=2026-11-20T07:00:00Z", "flow=a&after=abc", "wait=5"),
            _query,
            (UsageError,),
            500,
            words=(b"&", b"=", b"limit=", b"since=", b"wait=", b"%00"),
            most_bytes=20_000,
        ),
        Parser("fields", "api.reading.read_body", _bodies, _fields, (UsageError, BodyUnreadableError), 400, "json"),
        Parser(
            "key",
            "api.auth.authenticate",
            lambda: corpus.as_bytes("Bearer a key", "Basic YTpi", "Bearer x\nBearer y"),
            _key,
            (UnauthenticatedError,),
            1500,
            words=(b"Bearer ", b"\n", b" "),
            most_bytes=20_000,
        ),
        Parser(
            "moment",
            "api.times.from_text",
            lambda: corpus.as_bytes("2026-11-20T07:00:00Z", "2026-11-20T07:00:00.123+01:00"),
            _moment,
            (UsageError,),
            2500,
            words=(b"Z", b"+00:00", b"-23:59:59.999999", b"0001-01-01", b"9999-12-31", b"T", b"W"),
            most_bytes=2_000,
        ),
        Parser(
            "api",
            "api.app.Api: every route, in memory",
            _requests,
            _whole_api,
            (),
            400,
            words=(b"\n\n", b"?", b"/", b"%2F", b"HEAD ", b"POST ", b"%"),
            seconds=3.0,
        ),
        Parser(
            "decision",
            "api.approval_form.read_answer",
            lambda: corpus.as_json(
                {"decision": "approved", "by": "ann", "comment": "a\r\nb"}, {"decision": ["rejected"]}
            ),
            _decision,
            (),
            400,
            "json",
        ),
    )
