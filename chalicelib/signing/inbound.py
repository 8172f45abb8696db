"""Verify a delivery: whether the sender that a trigger names really sent these bytes, and just now.

Over the raw bytes, before anything is parsed; in constant time; with several secrets while one is being rotated, and
several signatures where the sender sends them. Whatever is in the headers, only the errors named below are raised.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Final, assert_never, cast

from chalicelib.errors import CredentialUnfitError, SignatureMissingError, SignatureWrongError, UsageError
from chalicelib.signing.inbound_content import Asked, Delivery, Stated, Verified, content_of, public_url
from chalicelib.signing.inbound_generic import (
    HMAC_OPTIONS,
    TOKEN_OPTIONS,
    checked_options,
    hmac_scheme,
    token_scheme,
)
from chalicelib.signing.inbound_headers import bounded, plain, present, to_bytes, unsigned_id
from chalicelib.signing.inbound_keys import is_shown, is_signed, keys_for, secrets_of
from chalicelib.signing.inbound_scheme import (
    BasicPassword,
    BodyTime,
    HeaderTime,
    Listed,
    Option,
    Own,
    Paired,
    PairTime,
    Place,
    Scheme,
    SharedToken,
    Signed,
    Way,
    Whole,
)
from chalicelib.signing.inbound_table import SCHEMES
from chalicelib.signing.inbound_time import refuse_stale, time_from

__all__ = ["Delivery", "Verified", "certificate_url", "scheme_fields", "scheme_names", "scheme_options", "verify"]

_MOST_SIGNATURES: Final = 32


def scheme_names() -> tuple[str, ...]:
    """Every scheme that `verify` knows, sorted."""
    return tuple(sorted({*SCHEMES, "hmac", "token"}))


def scheme_options(scheme: str) -> Mapping[str, Option]:
    """What a flow may say beside `scheme` and `credential`; raise UsageError if there is no such scheme."""
    if scheme == "hmac":
        return HMAC_OPTIONS
    if scheme == "token":
        return TOKEN_OPTIONS
    row = _row(scheme, SCHEMES.get(scheme))
    return {} if isinstance(row, BasicPassword) else row.options


def scheme_fields(scheme: str) -> tuple[str, ...]:
    """The fields that a scheme's credential must have; raise UsageError if there is no such scheme."""
    if scheme in {"hmac", "token"}:
        return ("secret",) if scheme == "hmac" else ("token",)
    match _row(scheme, SCHEMES.get(scheme)):
        case Signed():
            return ("secret",)
        case Own(field_name=name) | SharedToken(field_name=name):
            return (name,)
        case BasicPassword():
            return ("username", "password")


def verify(
    scheme: str,
    options: Mapping[str, object],
    secret: Mapping[str, object],
    delivery: Delivery,
    *,
    now: datetime,
    certificate: bytes = b"",
) -> Verified:
    """Verify one delivery.

    Args:
        scheme: one of `scheme_names()`.
        options: what the flow says beside it; see `scheme_options`.
        secret: the opened credential: `secret`, or `token`, or `username` and `password`; former ones in `previous`.
        delivery: the request as it came.
        now: an aware time.
        certificate: what lies at `certificate_url(scheme, secret, delivery)`, where that names one.

    Raises:
        SignatureMissingError: a header that carries the proof is not there.
        SignatureWrongError: the proof does not fit the bytes and the secrets, or is malformed.
        DeliveryStaleError: the proof fits, but its time lies outside the window.
        CredentialUnfitError: the credential lacks a field, or its secret cannot be a key of this scheme.
        UsageError: no such scheme, or an option that it does not have.
    """
    row = scheme_row(scheme, options)
    match row:
        case Signed():
            return _verify_signed(row, options, secret, delivery, now)
        case Own():
            return _own(row)(Asked(checked_options(scheme, row.options, options), secret, delivery, now, certificate))
        case SharedToken():
            _verify_token(row, secret, delivery)
            return Verified(unsigned_id(row.delivery_id, delivery.headers), None)
        case BasicPassword():
            _verify_basic(secret, delivery)
            return Verified(None, None)
        case _:
            assert_never(row)


def certificate_url(scheme: str, secret: Mapping[str, object], delivery: Delivery) -> str | None:
    """Where the certificate lies that this delivery was signed with; None for a scheme that has none.

    The address is one of the sender's own hosts, whatever the delivery says: raises SignatureMissingError or
    SignatureWrongError otherwise, and where nothing needs to be fetched to see that the delivery is not for us.
    """
    row = SCHEMES.get(scheme)
    if not isinstance(row, Own) or not row.has_certificate:
        return None
    from chalicelib.signing.inbound_certificates import address_of  # imported late: two senders of many

    return address_of(scheme, secret, delivery)


def _own(row: Own) -> Callable[[Asked], Verified]:
    module, _, function = row.check.partition(":")
    return cast("Callable[[Asked], Verified]", getattr(import_module(f"chalicelib.signing.{module}"), function))


def scheme_row(scheme: str, options: Mapping[str, object]) -> Scheme:
    """The row that a scheme's name and options stand for; raise UsageError if they stand for none."""
    if scheme == "hmac":
        return hmac_scheme(options)
    if scheme == "token":
        return token_scheme(options)
    row = _row(scheme, SCHEMES.get(scheme))
    checked_options(scheme, {} if isinstance(row, BasicPassword) else row.options, options)
    return row


def _row(scheme: str, row: Scheme | None) -> Scheme:
    if row is None:
        raise UsageError(f"There is no scheme {scheme[:60]!r}; there are {', '.join(scheme_names())}.")
    return row


def _verify_signed(
    row: Signed, options: Mapping[str, object], secret: Mapping[str, object], delivery: Delivery, now: datetime
) -> Verified:
    secrets = secrets_of(secret, "secret")
    marked, pair_time = _signatures(row.place, row.ways, delivery.headers)
    timestamp = pair_time
    if isinstance(row.time, HeaderTime):
        timestamp = plain(delivery.headers, row.time.header)
    identity = row.delivery_id
    delivery_id = ""
    if identity is not None and identity.signed:
        delivery_id = plain(delivery.headers, identity.header)
    url = public_url(options, delivery) if "url}" in row.content else ""
    stated = Stated(timestamp, delivery_id, url)
    if not _fits(row, secrets, marked, delivery, stated):
        raise SignatureWrongError
    signed_at = _signed_at(row, timestamp, delivery.body)
    if row.time is not None and signed_at is not None:
        refuse_stale(signed_at, row.time.window_seconds, now)
    if identity is not None and not identity.signed:
        return Verified(unsigned_id(identity, delivery.headers), signed_at)
    return Verified(delivery_id or None, signed_at, id_is_signed=bool(delivery_id))


def _fits(row: Signed, secrets: list[str], marked: list[tuple[Way, bytes]], delivery: Delivery, stated: Stated) -> bool:
    keyed, fits = False, False
    for way in row.ways:
        texts = [text for found, text in marked if found is way]
        for secret in secrets:
            for key in keys_for(way, (secret,)):
                keyed = True
                if texts:
                    content = content_of(row.content, delivery, stated, secret)
                    fits |= is_signed(way, key, content, texts)
    if not keyed:
        raise CredentialUnfitError(f"The credential's secret is of another kind; it should be {row.key_doc}.")
    return fits


def _signatures(place: Place, ways: tuple[Way, ...], headers: Mapping[str, str]) -> tuple[list[tuple[Way, bytes]], str]:
    """The signatures with the way of each, and the time that stands beside them (empty if none does)."""
    match place:
        case Whole(headers=names):
            values = [bounded(headers, name) for name in names if headers.get(name)]
            if not values:
                raise SignatureMissingError(f"The delivery has no header {names[0]}. Set the secret at the sender.")
            return _marked(ways, values), ""
        case Listed(header=name, separator=separator):
            return _marked(ways, [item.strip(" ") for item in present(headers, name).split(separator)]), ""
        case Paired(header=name, separator=separator, time_key=time_key):
            pairs = [item.strip(" ").partition("=") for item in present(headers, name).split(separator)]
            times = [value for key, _, value in pairs if key == time_key]
            if len(times) != 1:
                raise SignatureWrongError(f"The header {name} must hold one {time_key}=.")
            found = [(way, to_bytes(value)) for key, _, value in pairs for way in ways if key == way.mark]
            return _counted(found, [name]), times[0]


def _marked(ways: tuple[Way, ...], items: list[str]) -> list[tuple[Way, bytes]]:
    found = [(way, to_bytes(item[len(way.mark) :])) for item in items for way in ways if item.startswith(way.mark)]
    return _counted(found, [way.mark for way in ways])


def _counted(found: list[tuple[Way, bytes]], wanted: list[str]) -> list[tuple[Way, bytes]]:
    if not 1 <= len(found) <= _MOST_SIGNATURES:
        expected = " or ".join(wanted)
        raise SignatureWrongError(f"Between 1 and {_MOST_SIGNATURES} signatures are read (as {expected}...).")
    return found


def _signed_at(row: Signed, timestamp: str, body: bytes) -> datetime | None:
    time = row.time
    match time:
        case None:
            return None
        case HeaderTime() | PairTime():
            text = timestamp
        case BodyTime():
            text = _body_time(time.name, body)
    signed_at = time_from(text, time.unit)
    if signed_at is None:
        raise SignatureWrongError("The time that the sender signed cannot be read; is the scheme the right one?")
    return signed_at


def _body_time(name: str, body: bytes) -> str:
    # The signature was checked before; a body nested too deeply is the sender's, and still only a wrong delivery.
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(cast("dict[str, object]", parsed).get(name, "")) if isinstance(parsed, dict) else ""


def _verify_token(row: SharedToken, secret: Mapping[str, object], delivery: Delivery) -> None:
    tokens = secrets_of(secret, row.field_name)
    given = present(delivery.headers, row.header)
    # The scheme's name is not case-sensitive (RFC 9110 section 11.1); what follows is.
    if given[: len(row.prefix)].lower() != row.prefix.lower():
        raise SignatureWrongError(f"The header {row.header} must begin with {row.prefix.strip()}.")
    shown = to_bytes(given[len(row.prefix) :])
    if not is_shown([to_bytes(token) for token in tokens], [shown]):
        raise SignatureWrongError("The token is not the one of the credential.")


def _verify_basic(secret: Mapping[str, object], delivery: Delivery) -> None:
    user = secret.get("username")
    if not isinstance(user, str) or not user or ":" in user:
        raise CredentialUnfitError("The credential needs the field username, a text without a colon.")
    passwords = secrets_of(secret, "password")
    given = present(delivery.headers, "authorization")
    if given[:6].lower() != "basic ":
        raise SignatureWrongError("The header authorization must begin with Basic.")
    # Compared as base64, so that there is one spelling only (RFC 7617 section 2).
    expected = [b64encode(to_bytes(f"{user}:{password}")) for password in passwords]
    if not is_shown(expected, [to_bytes(given[6:].strip(" "))]):
        raise SignatureWrongError("The user name or the password is not that of the credential.")
