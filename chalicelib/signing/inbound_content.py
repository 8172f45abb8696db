"""What a delivery's signature covers, put together from a template's fields over the raw bytes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from chalicelib.errors import UsageError
from chalicelib.signing.inbound_headers import to_bytes
from chalicelib.signing.inbound_scheme import content_parts


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request as it came in.

    Attributes:
        method: such as `POST`.
        path: still encoded, without the query.
        query: the raw query without its `?`.
        headers: lower-case names; a repeated header's values joined by commas.
        body: the raw bytes; never parsed before the signature was checked.
        url: the address that senders know, without a query; empty where the deployment does not know it. A gateway may
            have put a stage before the path, or taken one away.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    url: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good delivery says of itself.

    Attributes:
        delivery_id: the sender's id for the delivery, if it has one; see `DeliveryId` on when it may be trusted alone.
        signed_at: when it was signed, if the sender signs that; within the window.
        id_is_signed: whether the signature covers the id; if not, dedupe on the id together with the body.
    """

    delivery_id: str | None
    signed_at: datetime | None
    id_is_signed: bool = False


class Asked(NamedTuple):
    """What a scheme with code of its own is asked: the arguments of `inbound.verify`, the options with defaults."""

    options: Mapping[str, str | int]
    secret: Mapping[str, object]
    delivery: Delivery
    now: datetime
    certificate: bytes


def public_url(options: Mapping[str, object], delivery: Delivery) -> str:
    """The hook's address as senders know it: what the flow says, else what the deployment knows.

    Raises UsageError where nobody says it.
    """
    url = str(options.get("url") or "") or delivery.url
    if not url:
        raise UsageError("The sender signs the hook's public URL. Set PENSTOCK_URL, or the scheme's option url.")
    return url


class Stated(NamedTuple):
    """What the sender states beside the body, as text: its time, its id, and the public URL the flow knows."""

    timestamp: str
    delivery_id: str
    url: str


def content_of(template: str, delivery: Delivery, stated: Stated, secret: str) -> bytes:
    """The bytes that were signed; `secret` counts only where the sender hashes it together with them."""
    if template == "{body}":
        return delivery.body
    return b"".join(
        [
            part if isinstance(part, bytes) else _FIELDS[part](delivery, stated, secret)
            for part in content_parts(template)
        ]
    )


def _url(delivery: Delivery, stated: Stated) -> str:
    return f"{stated.url}?{delivery.query}" if delivery.query and "?" not in stated.url else stated.url


# HubSpot signs its URL with these escapes undone (developers.hubspot.com, Validating requests, version 3).
_UNDONE: Final = {
    f"%{ord(character):02X}": character for character in ":/?@!$'()*,;"
}  # fmt: skip
_ESCAPE: Final = re.compile("|".join(_UNDONE), re.IGNORECASE)


def _decoded_url(delivery: Delivery, stated: Stated) -> str:
    return _ESCAPE.sub(lambda escape: _UNDONE[escape[0].upper()], _url(delivery, stated))


def _sorted_query(delivery: Delivery) -> str:
    try:
        return urlencode(sorted(parse_qsl(delivery.query, keep_blank_values=True)))
    except (ValueError, UnicodeError):
        # Too many fields or half a character: nobody signed that, and the raw text fails the comparison.
        return delivery.query


_FIELDS: Final[Mapping[str, Callable[[Delivery, Stated, str], bytes]]] = {
    "body": lambda delivery, _stated, _secret: delivery.body,
    "body_sha256": lambda delivery, _stated, _secret: sha256(delivery.body).digest(),
    "timestamp": lambda _delivery, stated, _secret: to_bytes(stated.timestamp),
    "id": lambda _delivery, stated, _secret: to_bytes(stated.delivery_id),
    "method": lambda delivery, _stated, _secret: to_bytes(delivery.method),
    "path": lambda delivery, _stated, _secret: to_bytes(delivery.path),
    "query": lambda delivery, _stated, _secret: to_bytes(delivery.query),
    "sorted_query": lambda delivery, _stated, _secret: to_bytes(_sorted_query(delivery)),
    "url": lambda delivery, stated, _secret: to_bytes(_url(delivery, stated)),
    "decoded_url": lambda delivery, stated, _secret: to_bytes(_decoded_url(delivery, stated)),
    "secret": lambda _delivery, _stated, secret: to_bytes(secret),
}
