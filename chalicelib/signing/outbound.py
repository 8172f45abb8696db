"""Put a credential on an outgoing request: a value in, a value out, by the credential's kind.

The only place where a secret meets a request. Whatever is refused is refused before that, and no message or repr
shows a field of the credential.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote_plus

from chalicelib.errors import CredentialUnfitError, SigningError
from chalicelib.signing.canonical import split_url
from chalicelib.signing.forms import AwsKeys
from chalicelib.signing.outbound_hosts import aws_scope, refuse_other_hosts
from chalicelib.signing.refusals import header_name, method_name, refuse_value
from chalicelib.signing.sigv4 import sign_headers


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it will be sent; the URL byte for byte, the headers in order."""

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)


def authorize(kind: str, fields: Mapping[str, str], request: Outgoing, *, now: datetime) -> Outgoing:
    """Put a credential on a request.

    Args:
        kind: `none`, `bearer` {token}, `basic` {username, password}, `header` {name, value}, `query` {name, value}, or
            `aws` {access_key_id, secret_access_key, session_token?, region?, service?} (SigV4; region and service are
            read from an amazonaws.com host where they are not given).
        fields: the opened credential. In each kind `hosts` may name where it may go: `api.example.com,
            *.example.com`; a pattern without a port stands for every port.
        request: as the node made it.
        now: an aware time, for `aws`.

    Raises:
        CredentialUnfitError: no such kind, a field is missing or malformed, or the host is none of `hosts`.
        SigningError: the request itself cannot be sent so (a line break in a header, a URL with a user name ...).
    """
    apply = _KINDS.get(kind)
    if apply is None:
        raise CredentialUnfitError(f"There is no credential kind {kind[:40]!r}; there are {', '.join(_KINDS)}.")
    method_name(request.method)
    host, _, _ = split_url(request.url)
    for name, value in request.headers:
        refuse_value(header_name(name), value)
    if kind != "none":
        refuse_other_hosts(fields, host)
    return apply(fields, request, now)


def credential_fields(kind: str) -> tuple[str, ...]:
    """The fields that a kind cannot do without; raise CredentialUnfitError if there is no such kind."""
    if kind not in _FIELDS:
        raise CredentialUnfitError(f"There is no credential kind {kind[:40]!r}; there are {', '.join(_KINDS)}.")
    return _FIELDS[kind]


def _field(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    # Stored credentials are JSON, so that a number can stand where the type says text.
    if not isinstance(value, str) or not value:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CredentialUnfitError(f"The credential needs the field {name}, a text that is not empty.")
    return value


def _sendable(fields: Mapping[str, str], name: str) -> str:
    value = _field(fields, name)
    if not (value.isascii() and value.isprintable()) or value != value.strip(" "):
        raise CredentialUnfitError(
            f"The credential's field {name} has a line break, a space at an end, or a character that no header can "
            "carry; copy it again."
        )
    return value


def _with_header(request: Outgoing, name: str, value: str) -> Outgoing:
    lowered = name.lower()
    kept = [header for header in request.headers if header[0].lower() != lowered]
    return replace(request, headers=(*kept, (name, value)))


def _none(_fields: Mapping[str, str], request: Outgoing, _now: datetime) -> Outgoing:
    return request


def _bearer(fields: Mapping[str, str], request: Outgoing, _now: datetime) -> Outgoing:
    return _with_header(request, "Authorization", f"Bearer {_sendable(fields, 'token')}")


def _basic(fields: Mapping[str, str], request: Outgoing, _now: datetime) -> Outgoing:
    username = _field(fields, "username")
    # Many services take a key as the user name and no password at all.
    password = fields.get("password", "")
    if ":" in username or any(ord(character) < 32 or ord(character) == 127 for character in f"{username}{password}"):
        raise CredentialUnfitError("The credential's username has a colon, or one of its fields a control character.")
    try:
        pair = f"{username}:{password}".encode()
    except UnicodeEncodeError:
        raise CredentialUnfitError("The credential's username or password is not text; set it again.") from None
    return _with_header(request, "Authorization", f"Basic {b64encode(pair).decode()}")


def _header(fields: Mapping[str, str], request: Outgoing, _now: datetime) -> Outgoing:
    try:
        name = _sendable(fields, "name")
        header_name(name)
    except SigningError:
        raise CredentialUnfitError("The credential's field name is not the name of a header.") from None
    if name.lower() in {"host", "content-length", "transfer-encoding", "connection"}:
        raise CredentialUnfitError("The credential's field name is a header that the connection itself needs.")
    return _with_header(request, name, _sendable(fields, "value"))


def _query(fields: Mapping[str, str], request: Outgoing, _now: datetime) -> Outgoing:
    name, value = _field(fields, "name"), _field(fields, "value")
    address, hash_sign, fragment = request.url.partition("#")
    _, _, query = address.partition("?")
    if any(unquote_plus(pair.partition("=")[0]) == name for pair in query.split("&") if pair):
        raise SigningError("The URL already has the query parameter that the credential sets; leave it out.")
    joint = "?" if "?" not in address else "" if address.endswith(("?", "&")) else "&"
    try:
        pair = f"{quote(name, safe='')}={quote(value, safe='')}"
    except UnicodeEncodeError:
        raise CredentialUnfitError("The credential's name or value is not text; set it again.") from None
    return replace(request, url=f"{address}{joint}{pair}{hash_sign}{fragment}")


def _aws(fields: Mapping[str, str], request: Outgoing, now: datetime) -> Outgoing:
    region, service = aws_scope(fields, request.url)
    token = _sendable(fields, "session_token") if fields.get("session_token") else None
    key_id = _sendable(fields, "access_key_id")
    if not key_id.isidentifier():
        raise CredentialUnfitError("The credential's access_key_id holds more than letters and digits; copy it again.")
    keys = AwsKeys(key_id, _sendable(fields, "secret_access_key"), token)
    headers = sign_headers(
        request.method, request.url, request.headers, request.body, keys=keys, region=region, service=service, now=now
    )
    return replace(request, headers=tuple(headers))


_KINDS: Final[Mapping[str, Callable[[Mapping[str, str], Outgoing, datetime], Outgoing]]] = {
    "none": _none,
    "bearer": _bearer,
    "basic": _basic,
    "header": _header,
    "query": _query,
    "aws": _aws,
}
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "none": (),
    "bearer": ("token",),
    "basic": ("username",),
    "header": ("name", "value"),
    "query": ("name", "value"),
    "aws": ("access_key_id", "secret_access_key"),
}
