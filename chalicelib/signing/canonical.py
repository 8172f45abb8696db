"""The canonical request of Signature Version 4: one text for a request, however it was written.

The rules are those of the AWS General Reference ("Create a canonical request") and of the published suites in
`tests/vectors/sigv4.json`. The request is signed as it is sent: nothing here changes the URL.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple, NewType
from urllib.parse import quote, unquote_to_bytes

from chalicelib.errors import SigningError
from chalicelib.signing.refusals import header_name, method_name, refuse_own_header, refuse_own_parameters, refuse_value

# A SHA-256 as 64 lower-case hexadecimal digits, or one of the markers below.
PayloadHash = NewType("PayloadHash", str)
UNSIGNED_PAYLOAD: Final = PayloadHash("UNSIGNED-PAYLOAD")
STREAMING_PAYLOAD: Final = PayloadHash("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
STREAMING_PAYLOAD_TRAILER: Final = PayloadHash("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
STREAMING_EVENTS: Final = PayloadHash("STREAMING-AWS4-HMAC-SHA256-EVENTS")
STREAMING_PAYLOAD_V4A: Final = PayloadHash("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
STREAMING_PAYLOAD_TRAILER_V4A: Final = PayloadHash("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER")
STREAMING_UNSIGNED_TRAILER: Final = PayloadHash("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
_MARKERS = frozenset(
    {
        UNSIGNED_PAYLOAD,
        STREAMING_PAYLOAD,
        STREAMING_PAYLOAD_TRAILER,
        STREAMING_EVENTS,
        STREAMING_PAYLOAD_V4A,
        STREAMING_PAYLOAD_TRAILER_V4A,
        STREAMING_UNSIGNED_TRAILER,
    }
)
EMPTY_HASH: Final = PayloadHash(sha256(b"").hexdigest())

# Proxies and tracers change these on the way, so the SDKs leave them unsigned (botocore.auth, aws-c-auth).
UNSIGNED_HEADERS = frozenset(
    {
        "baggage",
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    }
)
_HASH = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]*))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPACES = re.compile(r"[ \t\r\n]+")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Rules(NamedTuple):
    """How a service wants its requests signed; the default holds for every service but S3.

    Attributes:
        normalize_path: remove `.`, `..` and repeated slashes before signing.
        double_encode_path: encode the path as sent once more; without it the path is brought into its one encoded form.
        content_sha256_header: send the payload's hash as a header. A marker in place of a hash is always sent.
        sign_session_token: sign the token; without it the token is appended afterwards.
        add_date_header: send X-Amz-Date; without it the caller's Date header stands for it.
        unsigned_headers: lower-case names of further headers to leave unsigned.
    """

    normalize_path: bool = True
    double_encode_path: bool = True
    content_sha256_header: bool = False
    sign_session_token: bool = True
    add_date_header: bool = True
    unsigned_headers: frozenset[str] = frozenset()


USUAL_RULES: Final = Rules()
S3_RULES: Final = Rules(normalize_path=False, double_encode_path=False, content_sha256_header=True)
_S3_FAMILY = frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts"})


def rules_for(service: str) -> Rules:
    """The rules of a service by its signing name: S3 and its relatives encode once and never normalize."""
    return S3_RULES if service in _S3_FAMILY else USUAL_RULES


class Address(NamedTuple):
    """Where a request goes: the Host header it needs, and its canonical path and query."""

    host: str
    path: str
    query: str
    raw_query: str


@lru_cache(maxsize=512)
def read_address(url: str, normalize_path: bool, double_encode_path: bool) -> Address:  # noqa: FBT001 - a cache key
    """Read an http(s) URL as it will be sent; raise SigningError if it cannot be, or holds the signer's parameters."""
    host, path, query = split_url(url)
    try:
        refuse_own_parameters(pair.partition("=")[0] for pair in query.split("&"))
        canonical = canonical_path(path, normalize=normalize_path, double_encode=double_encode_path)
        return Address(host, canonical, canonical_query(query), query)
    except UnicodeEncodeError:
        raise SigningError("The URL holds half a surrogate pair, which has no bytes; mend the text.") from None


def split_url(url: str) -> tuple[str, str, str]:
    """The host as the Host header has it (lower-case, the port unless it is the scheme's own), the path, the query.

    Raises SigningError on what cannot be sent as it is: control characters, a user name, another scheme. There is one
    reading of what is left, so that nobody is shown one host and sent to another.
    """
    if _CONTROL.search(url):
        raise SigningError("The URL has a line break or a control character; percent-encode it.")
    parts = _URL.fullmatch(url)
    authority = _AUTHORITY.fullmatch(parts[2]) if parts else None
    if parts is None or authority is None:
        raise SigningError("The URL must read http(s)://host/path, without a user name and with an ASCII host.")
    host, port = authority[1].lower(), authority[2]
    if port and port != _DEFAULT_PORTS[parts[1].lower()]:
        host = f"{host}:{port}"
    return host, parts[3], parts[4] or ""


def canonical_path(path: str, *, normalize: bool, double_encode: bool) -> str:
    """The path as it is signed: segments encoded by RFC 3986, `%2F` staying within its segment."""
    if path in ("", "/"):
        return "/"
    if normalize:
        path = _without_dots(path)
    if double_encode:
        return quote(path, safe="/~")
    if "%" not in path:
        return quote(path, safe="/~")
    return "/".join(quote(unquote_to_bytes(segment), safe="~") for segment in path.split("/"))


def _without_dots(path: str) -> str:
    # RFC 3986 section 5.2.4, and repeated slashes count as one.
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def canonical_query(query: str) -> str:
    """The query as it is signed: every name and value encoded once, sorted by name, then by value.

    A `+` is a plus sign (S3 and the suites read it so), a name without `=` has an empty value, and nothing between
    two `&` is nothing.
    """
    if not query:
        return ""
    return "&".join(f"{name}={value}" for name, value in sorted(_encoded(pair) for pair in query.split("&") if pair))


def _encoded(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return encoded_once(name), encoded_once(value)


def encoded_once(text: str) -> str:
    """Percent-encode a query's name or value, whether or not it already was: only RFC 3986's unreserved stay."""
    return quote(unquote_to_bytes(text) if "%" in text else text, safe="~")


def _trimmed(name: str, value: str) -> str:
    # Only ASCII white space is trimmed and collapsed: U+00A0 belongs to the value (smithy-rs, headers-space-trimming).
    if value.isascii() and value.isprintable():
        return " ".join(value.split()) if "  " in value else value.strip()
    refuse_value(name, value)
    return _SPACES.sub(" ", value).strip(" ")


def canonical_headers(headers: Sequence[tuple[str, str]], unsigned: frozenset[str]) -> tuple[str, str]:
    """The headers' block as it is signed (one `name:value` line each, sorted), and the names joined by `;`.

    The values of a repeated header are joined by commas in the order in which they came.
    """
    values: dict[str, str] = {}
    for name, value in headers:
        lowered = header_name(name)
        trimmed = _trimmed(name, value)
        if lowered in UNSIGNED_HEADERS or lowered in unsigned:
            continue
        values[lowered] = f"{values[lowered]},{trimmed}" if lowered in values else trimmed
    names = sorted(values)
    return "".join([f"{name}:{values[name]}\n" for name in names]), ";".join(names)


def canonical_request(method: str, path: str, query: str, block: str, names: str, payload_hash: str) -> str:
    """The text whose SHA-256 is signed; every part in its canonical form."""
    return f"{method_name(method)}\n{path}\n{query}\n{block}\n{names}\n{payload_hash}"


def payload_hash_of(body: bytes | PayloadHash) -> PayloadHash:
    """The hash of a body, or the hash or marker that was given; raise SigningError on any other text."""
    if isinstance(body, str):
        if body not in _MARKERS and not _HASH.fullmatch(body):
            raise SigningError("The payload must be bytes, its SHA-256 in lower-case hexadecimal, or a known marker.")
        return body
    return PayloadHash(sha256(body).hexdigest())


def text_hash(text: str) -> str:
    """The SHA-256 of a text as UTF-8; raise SigningError if it has no bytes."""
    try:
        return sha256(text.encode()).hexdigest()
    except UnicodeEncodeError:
        raise SigningError("A header holds half a surrogate pair, which has no bytes; mend the text.") from None


def checked_headers(headers: Sequence[tuple[str, str]], host: str) -> list[tuple[str, str]]:
    """The caller's headers with a Host if there was none; raise SigningError on the signer's own, or on two Hosts."""
    hosts = 0
    for name, _ in headers:
        lowered = header_name(name)
        refuse_own_header(lowered)
        hosts += lowered == "host"
    if hosts > 1:
        raise SigningError("The request has two Host headers; send one.")
    return list(headers) if hosts else [("Host", host), *headers]
