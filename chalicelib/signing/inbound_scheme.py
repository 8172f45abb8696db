"""The words in which a sender's way of signing its deliveries is written down.

A scheme is data: where the signature stands, what it covers, how it is computed, which time and which id the sender
gives. `inbound_table.py` holds one row per sender; `inbound.py` reads them all with the same code.

These are named tuples, not dataclasses: a dozen dataclasses take 5 ms to define, and every cold start of a hook pays.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from chalicelib.errors import UsageError

Algorithm = Literal["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512", "sha256", "ed25519", "ecdsa-p256-sha256"]
Encoding = Literal["hex", "base64"]
# How a secret's text becomes a key: as it is, decoded, or after the prefixes of Standard Webhooks.
KeyForm = Literal["text", "hex", "base64", "whsec", "whpk"]
TimeUnit = Literal["seconds", "milliseconds", "rfc3339"]
WINDOW_SECONDS = 300


class Way(NamedTuple):
    """One way to compute a signature, and the mark that announces it (`sha256=`, `v1,`, or the key of a pair)."""

    mark: str = ""
    algorithm: Algorithm = "hmac-sha256"
    encoding: Encoding = "hex"
    key_form: KeyForm = "text"


class Whole(NamedTuple):
    """Each of these headers, as far as it is there, is one signature after its mark."""

    headers: tuple[str, ...]


class Listed(NamedTuple):
    """One header lists signatures, each after its mark: `v1,abc v1,def`."""

    header: str
    separator: str


class Paired(NamedTuple):
    """One header holds pairs, the time among them: `t=1533204620,v1=abc,v1=def`."""

    header: str
    separator: str
    time_key: str


Place = Whole | Listed | Paired


class HeaderTime(NamedTuple):
    """The sender's time stands in a header of its own."""

    header: str
    unit: TimeUnit = "seconds"
    window_seconds: int = WINDOW_SECONDS


class PairTime(NamedTuple):
    """The sender's time is a pair beside the signature."""

    unit: TimeUnit = "seconds"
    window_seconds: int = WINDOW_SECONDS


class BodyTime(NamedTuple):
    """The sender's time is a number at the top of the signed JSON body; it is read after the signature was checked."""

    name: str
    unit: TimeUnit = "milliseconds"
    window_seconds: int = WINDOW_SECONDS


Time = HeaderTime | PairTime | BodyTime


class DeliveryId(NamedTuple):
    """The header with the delivery's id.

    Where the id is not signed, whoever replays a delivery can give it a new one, and whoever guesses ids can use one
    up: dedupe on it only together with the body.
    """

    header: str
    signed: bool = False


class Option(NamedTuple):
    """One thing a flow may say about a scheme in `verify`.

    Attributes:
        doc: one sentence.
        default: what holds if the flow says nothing; None where there is no such thing.
        required: the flow must say it.
        choices: the values allowed, where they are few.
    """

    doc: str
    default: str | int | None = None
    required: bool = False
    choices: tuple[str, ...] = ()


NO_OPTIONS: Final[Mapping[str, Option]] = MappingProxyType({})


class Signed(NamedTuple):
    """A sender that signs.

    Attributes:
        title: the sender's name, and where it says how it signs.
        place: where the signatures stand.
        ways: how they are computed; a delivery is good if one signature of one way fits one secret.
        content: what is signed; see `inbound_content.py` for the fields. A time or id that is trusted stands in it.
        time: the sender's time, if it signs one.
        delivery_id: the delivery's id, if it sends one in a header.
        options: what a flow may or must add.
        key_doc: what the credential's field `secret` holds.
    """

    title: str
    place: Place
    ways: tuple[Way, ...]
    content: str = "{body}"
    time: Time | None = None
    delivery_id: DeliveryId | None = None
    options: Mapping[str, Option] = NO_OPTIONS
    key_doc: str = "the signing secret, as the sender shows it"


class SharedToken(NamedTuple):
    """A sender that shows a secret token in a header instead of signing; the body is not protected."""

    title: str
    header: str
    prefix: str = ""
    field_name: str = "token"
    delivery_id: DeliveryId | None = None
    options: Mapping[str, Option] = NO_OPTIONS


class BasicPassword(NamedTuple):
    """A sender that shows a user name and a password (RFC 7617); the body is not protected."""

    title: str


class Own(NamedTuple):
    """A sender whose way of signing takes code of its own.

    Attributes:
        title: the sender's name, and where it says how it signs.
        check: the function that verifies, as `module:function` of this room; imported when it is first asked for.
        covers: what the proof covers, in words; what is not among it anybody on the way could have changed.
        field_name: the credential's field.
        options: what a flow may or must add.
        key_doc: what the credential's field holds.
        has_certificate: the sender signs with a certificate that has to be fetched.
    """

    title: str
    check: str
    covers: str = "the body"
    field_name: str = "secret"
    options: Mapping[str, Option] = NO_OPTIONS
    key_doc: str = "the signing secret, as the sender shows it"
    has_certificate: bool = False


Scheme = Signed | Own | SharedToken | BasicPassword

_FIELD = re.compile(r"\{([a-z_0-9]+)\}")
FIELDS = frozenset(
    {
        "body", "timestamp", "id", "method", "path", "query", "url", "decoded_url", "secret", "sorted_query",
        "body_sha256",
    }
)  # fmt: skip


@lru_cache(maxsize=256)
def content_parts(template: str) -> tuple[str | bytes, ...]:
    """Split a content template into literal bytes and the names of fields; raise UsageError on an unknown field."""
    parts: list[str | bytes] = []
    for number, piece in enumerate(_FIELD.split(template)):
        if number % 2 == 0:
            if "{" in piece or "}" in piece:
                raise UsageError(f"A brace stands alone in the template; fields are {_listed()}.")
            if piece:
                parts.append(_literal(piece))
        elif piece not in FIELDS:
            raise UsageError(f"The template has no field {{{piece}}}; there are {_listed()}.")
        else:
            parts.append(piece)
    return tuple(parts)


def _literal(piece: str) -> bytes:
    try:
        return piece.encode()
    except UnicodeEncodeError:
        raise UsageError("The template holds half a character (a lone surrogate). Write the whole one.") from None


def _listed() -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(FIELDS))
