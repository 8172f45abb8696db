"""Parsers of what strangers send: deliveries and their proofs, requests and their bodies, addresses, answers of services."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

from chalicelib.errors import (
    AddressRefusedError,
    BodyTooLargeError,
    BodyUnreadableError,
    CredentialUnfitError,
    DeliveryStaleError,
    PenstockError,
    SettingError,
    SignatureMissingError,
    SignatureWrongError,
    UnauthenticatedError,
    UsageError,
)
from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, Unfit, object_of, text_of

_NOW: Final = datetime(2026, 11, 20, 7, tzinfo=UTC)
_PROOF: Final = (SignatureMissingError, SignatureWrongError, DeliveryStaleError, CredentialUnfitError)
_FIELDS: Final = (
    b"sig1=",
    b"t=",
    b"v1=",
    b"v0=",
    b"sha256=",
    b";created=1795158000",
    b'("@method" "@path")',
    b":AAAA:",
    b"?1",
    b"(",
    b")",
)
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
_WEB: Final = (
    *(
        b"http://",
        b"https://",
        b"@",
        b":",
        b"/",
        b"//",
        b"\\",
        b"?",
        b"#",
        b"[::1]",
        b"[",
        b"]",
        b"%2f",
        b"0x7f.1",
        b"127.1",
    ),
    *(
        b"169.254.169.254",
        b"::ffff:127.0.0.1",
        b"localhost",
        b".",
        b"..",
        b"xn--",
        b":443",
        b":99999",
        "１２７".encode(),
    ),
)
_MARK: Final = b"\r\n\r\n"


def _delivery() -> Take:
    """A delivery with any of its parts changed, verified as every scheme that it was made for.

    An input is a specimen's name, its method, path, query and headers on lines, an empty line as HTTP has it, and the
    body; where the name is none, it is some specimen.
    """
    mutations: Any = import_module("tests.signing.mutations")
    inbound: Any = import_module("chalicelib.signing.inbound")
    specimens: dict[str, Any] = mutations.specimens()
    others = tuple(specimens.values())

    def take(content: bytes) -> object:
        head, _, body = content.partition(_MARK)
        lines = [*text_of(head).split("\n"), "", "", ""]
        specimen = specimens.get(lines[0]) or others[len(content) % len(others)]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[4:])}
        changed = replace(specimen.delivery, method=lines[1], path=lines[2], query=lines[3], headers=headers, body=body)
        inbound.certificate_url(specimen.scheme, specimen.secret, changed)
        arguments = (specimen.scheme, specimen.options, specimen.secret, changed)
        return inbound.verify(*arguments, now=mutations.NOW, certificate=specimen.certificate)

    return take


def _deliveries() -> list[bytes]:
    found: list[bytes] = []
    for name, specimen in import_module("tests.signing.mutations").specimens().items():
        sent = specimen.delivery
        lines = [name, sent.method, sent.path, sent.query, *(f"{key}: {value}" for key, value in sent.headers.items())]
        found.append("\n".join(lines).encode("utf-8", "surrogatepass") + _MARK + sent.body)
    return found


def _certificate() -> Take:
    """What lies at a certificate's address, whatever it is: of SNS and of PayPal."""
    mutations: Any = import_module("tests.signing.mutations")
    inbound: Any = import_module("chalicelib.signing.inbound")
    signed = [each for each in mutations.specimens().values() if each.certificate]

    def take(content: bytes) -> object:
        for each in signed:
            with suppress(*_PROOF):
                inbound.verify(
                    each.scheme, each.options, each.secret, each.delivery, now=mutations.NOW, certificate=content
                )
        return None

    return take


def _certificates() -> list[bytes]:
    return [
        each.certificate for each in import_module("tests.signing.mutations").specimens().values() if each.certificate
    ]


def _secret() -> Take:
    """A credential's text as the key of every scheme: what an author pastes there."""
    mutations: Any = import_module("tests.signing.mutations")
    inbound: Any = import_module("chalicelib.signing.inbound")
    specimens: dict[str, Any] = mutations.specimens()
    others = tuple(specimens.values())

    def take(content: bytes) -> object:
        name, _, text = text_of(content).partition("\n")
        each = specimens.get(name) or others[len(content) % len(others)]
        secret = dict.fromkeys(each.secret, text)
        return inbound.verify(
            each.scheme, each.options, secret, each.delivery, now=mutations.NOW, certificate=each.certificate
        )

    return take


def _secrets() -> list[bytes]:
    specimens: dict[str, Any] = import_module("tests.signing.mutations").specimens()
    return corpus.as_bytes(
        *(f"{name}\n{text}" for name, each in specimens.items() for text in corpus.strings(each.secret))
    )


def _verify_options() -> Take:
    """What a flow says below `verify`."""
    row: Any = import_module("chalicelib.signing.inbound").scheme_row

    def take(content: bytes) -> object:
        given = object_of(content)
        return row(str(given.pop("scheme", "hmac")), given)

    return take


def _options() -> list[bytes]:
    inbound: Any = import_module("chalicelib.signing.inbound")
    specimens = import_module("tests.signing.mutations").specimens().values()
    named = [
        {"scheme": name, **{key: one.default for key, one in inbound.scheme_options(name).items()}}
        for name in inbound.scheme_names()
    ]
    return corpus.as_json(*named, *({"scheme": each.scheme, **each.options} for each in specimens))


def _structured() -> Take:
    fields: Any = import_module("chalicelib.signing.structured_fields")

    def take(content: bytes) -> object:
        read = fields.read_dictionary(text_of(content))
        return [fields.written(member) for member in read.values()]

    return take


def _structured_texts() -> list[bytes]:
    found = [text for text in corpus.strings(corpus.vectors("rfc9421")) if "=(" in text or "=:" in text]
    return corpus.as_bytes(
        *found, 'sig1=("@method" "content-digest";req);created=1;keyid="a"', "a=1.5, b=?1, c=:AA==:, d=tok/en;q"
    )


def _confirmation() -> Take:
    url: Any = import_module("chalicelib.signing.inbound_certificates").confirmation_url

    return lambda content: url(object_of(content))


def _confirmations() -> list[bytes]:
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:1:t&Token=2336412f"
    return corpus.as_json(
        {
            "Type": "SubscriptionConfirmation",
            "SubscribeURL": url,
            "TopicArn": "arn:aws:sns:eu-central-1:1:t",
            "Token": "t",
        }
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


def _packed_texts() -> list[bytes]:
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
        return read(asked, schemas[len(content) % len(schemas)])

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
        return _answered(auth.authenticate(asked, keys))

    return take


def _moment() -> Take:
    times: Any = import_module("chalicelib.api.times")
    return lambda content: times.from_text(text_of(content), "since")


def _whole_api() -> Take:
    """The whole API in memory: a request line, headers, a blank line and a body; no answer may be a 5xx."""
    house: Any = import_module("tests.api.house").House()
    request: Any = import_module("chalicelib.api.request")
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
        answer: Any = _answered(house.api(asked))
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
    names = {"flow": "shop", "trigger": "placed", "token": "t" * 26, "id": "01h" + "0" * 23, "version": "v" * 64, "type": "csv.parse",
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


def _address() -> Take:
    addresses: Any = import_module("chalicelib.adapters.http_addresses")

    def take(content: bytes) -> object:
        found = addresses.read_address(text_of(content))
        return found is not None and (addresses.is_public(found), addresses.is_metadata(found))

    return take


def _url() -> Take:
    """A URL, against the policies a deployment may have."""
    read: Any = import_module("chalicelib.adapters.http_url").read_url
    policy: Any = import_module("chalicelib.adapters.http_guard").EgressPolicy
    listed = policy(only_hosts=("*.example.com",), own=("https://penstock.example",))

    def take(content: bytes) -> object:
        origin = read(text_of(content))
        return (
            listed.own and [each.holds(origin) for each in listed._listed],
            listed._own.has_name(origin),
            origin.authority,
        )  # noqa: SLF001

    return take


def _hosts() -> Take:
    hosts: Any = import_module("chalicelib.adapters.http_hosts")

    def take(content: bytes) -> object:
        text = text_of(content)
        hosts.OwnAddresses.read([f"https://{text}"])
        return hosts.HostPattern.read(text)

    return take


def _answer_body() -> Take:
    """What a service answers, compressed or not, in pieces."""
    read: Any = import_module("chalicelib.adapters.http_body").read_body

    def take(content: bytes) -> object:
        coding, _, body = content.partition(b"\n")

        async def pieces() -> Any:
            for start in range(0, len(body), 700):
                yield body[start : start + 700]

        return _answered(read(pieces(), coding.decode("latin-1"), 1_000_000, str(len(body))))

    return take


def _answer_json() -> Take:
    return import_module("chalicelib.kit.answers").read_json


def _answered(coroutine: Any) -> object:
    """What a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited for something")


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    unreadable, sizes = (BodyUnreadableError,), (BodyUnreadableError, BodyTooLargeError)
    json_texts = corpus.as_bytes(
        '{"a": [1, 2.5, "x", null, true, {"b": "\\u00e9"}]}', "[]", '"\\ud83d\\ude00"', "-1.5e3"
    )
    parts = corpus.as_bytes(
        '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\n'
        'Content-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nx\r\n--b--\r\n'
    )
    webs = corpus.addresses("url", "name") + [
        f"https://{each}/a?b=c" for each in corpus.addresses("address") if ":" not in each
    ]
    return (
        Parser(
            "delivery",
            "signing.inbound.verify, certificate_url: every scheme",
            _deliveries,
            _delivery,
            _PROOF,
            800,
            words=_FIELDS,
        ),
        Parser(
            "certificate",
            "signing.inbound.verify: the certificates of SNS and PayPal",
            _certificates,
            _certificate,
            (),
            100,
            words=(b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n", b"\n", b"MII"),
        ),
        Parser(
            "secret",
            "signing.inbound.verify: a credential's text",
            _secrets,
            _secret,
            _PROOF,
            300,
            words=(b"whsec_", b"==", b"-----BEGIN PUBLIC KEY-----"),
        ),
        Parser("verify_options", "signing.inbound.scheme_row", _options, _verify_options, (UsageError,), 400, "json"),
        Parser(
            "structured_field",
            "signing.structured_fields.read_dictionary, written",
            _structured_texts,
            _structured,
            (ValueError,),
            700,
            words=_FIELDS,
            most_bytes=20_000,
        ),
        Parser(
            "sns_confirmation",
            "signing.inbound_certificates.confirmation_url",
            _confirmations,
            _confirmation,
            (SignatureWrongError,),
            500,
            "json",
            (b"amazonaws.com", b".cn", b"@", b"#"),
        ),
        Parser(
            "json_body",
            "api.json_body.read_json",
            lambda: json_texts,
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
            _packed_texts,
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
            "address",
            "adapters.http_addresses.read_address, is_public, is_metadata",
            lambda: corpus.as_bytes(*corpus.addresses("address")),
            _address,
            (),
            2500,
            words=_WEB,
            most_bytes=5_000,
        ),
        Parser(
            "url",
            "adapters.http_url.read_url, adapters.http_hosts",
            lambda: corpus.as_bytes(*webs),
            _url,
            (AddressRefusedError,),
            900,
            words=_WEB,
            most_bytes=20_000,
        ),
        Parser(
            "hosts",
            "adapters.http_hosts.HostPattern.read, OwnAddresses.read",
            lambda: corpus.as_bytes("api.example.com", "*.example.com:8443", "[::1]:80"),
            _hosts,
            (SettingError,),
            600,
            words=_WEB,
            most_bytes=5_000,
        ),
        Parser(
            "answer_body",
            "adapters.http_body.read_body",
            _packed_texts,
            _answer_body,
            (PenstockError,),
            100,
            words=(b"gzip\n", b"br\n", b"deflate\n"),
        ),
        Parser(
            "answer_json",
            "kit.answers.read_json",
            lambda: json_texts,
            _answer_json,
            (ValueError, RecursionError),
            2000,
            words=(b"[", b"\\ud800"),
        ),
    )
