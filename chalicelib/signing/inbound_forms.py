"""Twilio and Mandrill: an HMAC-SHA1 over the URL and a form's fields, sorted.

The fields are signed without what stands between them, so a form counts only in the one spelling that a sender writes:
every pair with one `=`, escapes in capitals, nothing that is not UTF-8. Then each byte of it matters.
"""

import re
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from chalicelib.errors import SignatureWrongError
from chalicelib.signing.inbound_content import Asked, Verified, public_url
from chalicelib.signing.inbound_headers import present, to_bytes, unsigned_id
from chalicelib.signing.inbound_keys import is_signed, keys_for, secrets_of
from chalicelib.signing.inbound_scheme import DeliveryId, Way

_WAY: Final = Way(algorithm="hmac-sha1", encoding="base64")
_TWILIO_ID: Final = DeliveryId("i-twilio-idempotency-token")
_MOST_FIELDS: Final = 1000
# Printable ASCII without a space, `%`, `&` and `=`; escapes in capitals, as RFC 3986 section 2.1 wants them written.
_WRITTEN: Final = re.compile(rb"(?:[!-$'-<>-~]|%[0-9A-F]{2})*")
_PORTS: Final = {"https": 443, "http": 80}


def verify_twilio(asked: Asked) -> Verified:
    """Twilio signs its form, or, of any other body, the URL with the body's SHA-256 in it."""
    url = _with_query(asked)
    digests = _body_digests(url)
    if digests:
        given = to_bytes(digests[0])
        if len(digests) > 1 or not compare_digest(sha256(asked.delivery.body).hexdigest().encode(), given):
            raise SignatureWrongError("The body is not the one whose SHA-256 stands in the URL (bodySHA256).")
        text = b""
    else:
        text = _form_text(asked.delivery.body)
    # Twilio signs the port, or leaves it out: both are tried, as its own libraries do.
    _require(asked, "x-twilio-signature", [to_bytes(each) + text for each in _spellings(url)])
    return Verified(unsigned_id(_TWILIO_ID, asked.delivery.headers), None)


def verify_mandrill(asked: Asked) -> Verified:
    """Mandrill signs the URL, as it was given to it, and the form."""
    _require(asked, "x-mandrill-signature", [to_bytes(_with_query(asked)) + _form_text(asked.delivery.body)])
    return Verified(None, None)


def _require(asked: Asked, header: str, contents: list[bytes]) -> None:
    shown = [to_bytes(present(asked.delivery.headers, header))]
    keys = keys_for(_WAY, secrets_of(asked.secret, "secret"))
    if not sum(is_signed(_WAY, key, content, shown) for key in keys for content in contents):
        raise SignatureWrongError


def _with_query(asked: Asked) -> str:
    url, query = public_url(asked.options, asked.delivery), asked.delivery.query
    return f"{url}?{query}" if query and "?" not in url else url


def _body_digests(url: str) -> list[str]:
    try:
        fields = parse_qsl(url.partition("?")[2], keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise SignatureWrongError("The URL has more fields than a sender writes.") from None
    return [value for name, value in fields if name == "bodySHA256"]


def _form_text(body: bytes) -> bytes:
    """Names and values in order of the names, of several values of one name those that differ, in order."""
    pairs: dict[str, set[str]] = {}
    pieces = body.split(b"&", _MOST_FIELDS) if body else []
    for piece in pieces:
        name, equals, value = piece.partition(b"=")
        if not equals or not _WRITTEN.fullmatch(name) or not _WRITTEN.fullmatch(value):
            raise SignatureWrongError("The body is not a form as the sender writes it.")
        pairs.setdefault(_read(name), set()).add(_read(value))
    return "".join(name + value for name in sorted(pairs) for value in sorted(pairs[name])).encode()


def _read(text: bytes) -> str:
    try:
        return unquote_plus(text.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise SignatureWrongError("The body's form is not UTF-8.") from None


def _spellings(url: str) -> list[str]:
    """The URL as it is, and with or without its port."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.netloc.rpartition("@")[2]
    except ValueError:
        return [url]
    usual = _PORTS.get(parts.scheme)
    if usual is None:
        return [url]
    head, tail = url.split(parts.netloc, 1)
    netloc = parts.netloc.removesuffix(f":{port}") if port is not None else f"{parts.netloc}:{usual}"
    return [url, f"{head}{netloc}{tail}"] if host else [url]
