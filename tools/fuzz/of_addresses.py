"""Parsers of addresses, URLs and lists of hosts, and of what services answer."""

from importlib import import_module
from typing import Any, Final

from chalicelib.errors import AddressRefusedError, PenstockError, SettingError
from tools.fuzz import corpus
from tools.fuzz.of_requests import answered, json_texts, packed_texts
from tools.fuzz.parser import Parser, Take, text_of

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
        "\uff11\uff12\uff17".encode(),
    ),
)


def _address() -> Take:
    addresses: Any = import_module("chalicelib.adapters.http_addresses")

    def take(content: bytes) -> object:
        found = addresses.read_address(text_of(content))
        return found is not None and (addresses.is_public(found), addresses.is_metadata(found))

    return take


def _url() -> Take:
    """A URL, held against the lists of a deployment."""
    read: Any = import_module("chalicelib.adapters.http_url").read_url
    hosts: Any = import_module("chalicelib.adapters.http_hosts")
    patterns = [hosts.HostPattern.read(each) for each in ("*.example.com", "192.0.2.1", "[2001:db8::1]:8443")]
    own = hosts.OwnAddresses.read(["https://penstock.example", "http://localhost:8700"])

    def take(content: bytes) -> object:
        origin = read(text_of(content))
        return origin.authority, [each.holds(origin) for each in patterns], own.has_name(origin)

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

        return answered(read(pieces(), coding.decode("latin-1"), 1_000_000, str(len(body))))

    return take


def _answer_json() -> Take:
    return import_module("chalicelib.kit.answers").read_json


def _refusal() -> Take:
    """What a service of AWS answers where it refuses, in JSON and in XML."""
    answers: Any = import_module("chalicelib.adapters.aws.answers")
    answer: Any = import_module("chalicelib.ports").HttpAnswer

    def take(content: bytes) -> object:
        given = answer(400, (("x-amzn-errortype", text_of(content[:80])),), content)
        return answers.read_json_refusal(given), answers.read_xml_refusal(given)

    return take


def _header() -> Take:
    read: Any = import_module("chalicelib.adapters.http_wire").read_header
    return lambda content: read(*content.partition(b":")[::2])


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    webs = corpus.addresses("url", "name") + [
        f"https://{each}/a?b=c" for each in corpus.addresses("address") if ":" not in each
    ]
    return (
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
            packed_texts,
            _answer_body,
            (PenstockError,),
            100,
            words=(b"gzip\n", b"br\n", b"deflate\n"),
        ),
        Parser(
            "answer_json",
            "kit.answers.read_json",
            json_texts,
            _answer_json,
            (ValueError, RecursionError),
            2000,
            words=(b"[", b"\\ud800"),
        ),
        Parser(
            "refusal",
            "adapters.aws.answers.read_json_refusal, read_xml_refusal",
            lambda: [
                *corpus.as_json({"__type": "com.amazonaws.dynamodb.v20120810#Conditional", "message": "m", "Item": {}}),
                b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>a &amp; b</Message></Error>",
            ],
            _refusal,
            (),
            400,
            words=(b"<Code>", b"</Code>", b"&#x;", b"[", b'{"a":', b"#"),
        ),
        Parser(
            "header",
            "adapters.http_wire.read_header",
            lambda: [b"Content-Type: text/plain"],
            _header,
            (),
            500,
            words=_WEB,
        ),
    )
