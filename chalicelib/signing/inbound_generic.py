"""The schemes a flow describes itself: `hmac` with its options, and `token` in a header of its choice."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, cast

from chalicelib.errors import SigningError, UsageError
from chalicelib.signing.inbound_scheme import (
    WINDOW_SECONDS,
    Algorithm,
    DeliveryId,
    Encoding,
    HeaderTime,
    KeyForm,
    Option,
    SharedToken,
    Signed,
    TimeUnit,
    Way,
    Whole,
    content_parts,
)
from chalicelib.signing.refusals import header_name

# A window wider than a day is no protection against replays, and our memory of deliveries is not longer either.
_WIDEST_SECONDS: Final = 86_400

HMAC_OPTIONS: Final[Mapping[str, Option]] = {
    "header": Option("The header with the signature.", "x-signature"),
    "algorithm": Option("The hash function.", "sha256", choices=("sha1", "sha256", "sha384", "sha512")),
    "encoding": Option("How the signature is written.", "hex", choices=("hex", "base64")),
    "prefix": Option("What stands before the signature in its header, such as sha256=.", ""),
    "template": Option(
        "What is signed: {body}, and {timestamp}, {id}, {method}, {path}, {query}, {url} between other text.", "{body}"
    ),
    "timestamp_header": Option("The header with the time of signing; {timestamp} must stand in the template.", ""),
    "timestamp_unit": Option(
        "How the time is written.", "seconds", choices=("seconds", "milliseconds", "rfc3339")
    ),
    "window_seconds": Option("How old, or how far ahead, a delivery may be.", WINDOW_SECONDS),
    "id_header": Option("The header with the delivery's id; it is trusted alone if {id} stands in the template.", ""),
    "secret_encoding": Option("How the secret is written.", "text", choices=("text", "hex", "base64")),
    "url": Option("The hook's public URL, for {url}.", ""),
}  # fmt: skip

TOKEN_OPTIONS: Final[Mapping[str, Option]] = {
    "header": Option("The header with the token.", "authorization"),
    "prefix": Option("What stands before the token; `Bearer ` in the authorization header, else nothing."),
    "id_header": Option("The header with the delivery's id; it is not signed.", ""),
}


def checked_options(scheme: str, known: Mapping[str, Option], given: Mapping[str, object]) -> dict[str, str | int]:
    """The options with their defaults; raise UsageError naming the one that is unknown, missing or of another kind."""
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(f"The scheme {scheme} has no option {str(name)[:60]!r}; it has: {listed}.")
    return {name: _checked(scheme, name, option, given.get(name)) for name, option in known.items()}


def _checked(scheme: str, name: str, option: Option, value: object) -> str | int:
    if value is None:
        if option.required:
            raise UsageError(f"The scheme {scheme} needs the option {name}: {option.doc}")
        return "" if option.default is None else option.default
    if isinstance(option.default, int):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _WIDEST_SECONDS:
            raise UsageError(f"The option {name} of {scheme} is a whole number from 1 to {_WIDEST_SECONDS}.")
        return value
    if not isinstance(value, str) or (option.choices and value not in option.choices):
        wanted = f"one of {', '.join(option.choices)}" if option.choices else "text"
        raise UsageError(f"The option {name} of {scheme} is {wanted}.")
    return value


def hmac_scheme(options: Mapping[str, object]) -> Signed:
    """The row that a flow's options for `hmac` describe; raise UsageError if a time or the body would be unsigned."""
    return _hmac_row(**checked_options("hmac", HMAC_OPTIONS, options))


@lru_cache(maxsize=128)
def _hmac_row(**chosen: str | int) -> Signed:
    text = {name: str(value) for name, value in chosen.items()}
    fields = {part for part in content_parts(text["template"]) if isinstance(part, str)}
    for field, option in (("timestamp", "timestamp_header"), ("id", "id_header"), ("url", "url")):
        if field in fields and not text[option]:
            raise UsageError(f"The template of hmac has {{{field}}}; say the option {option} too.")
    if not fields & {"body", "body_sha256"}:
        raise UsageError("The template of hmac lacks {body}; without it anybody could change the body.")
    if text["timestamp_header"] and "timestamp" not in fields:
        raise UsageError("The template of hmac lacks {timestamp}; a time that is not signed proves nothing.")
    time, delivery_id = None, None
    if text["timestamp_header"]:
        unit, window = cast("TimeUnit", text["timestamp_unit"]), int(chosen["window_seconds"])
        time = HeaderTime(_header(text["timestamp_header"]), unit, window)
    if text["id_header"]:
        delivery_id = DeliveryId(_header(text["id_header"]), signed="id" in fields)
    way = Way(
        text["prefix"],
        cast("Algorithm", f"hmac-{text['algorithm']}"),
        cast("Encoding", text["encoding"]),
        cast("KeyForm", text["secret_encoding"]),
    )
    place = Whole((_header(text["header"]),))
    return Signed("Generic HMAC", place, (way,), text["template"], time, delivery_id, HMAC_OPTIONS)


def token_scheme(options: Mapping[str, object]) -> SharedToken:
    """The row that a flow's options for `token` describe."""
    chosen = checked_options("token", TOKEN_OPTIONS, options)
    header = _header(str(chosen["header"]))
    prefix = str(chosen["prefix"]) or ("Bearer " if header == "authorization" else "")
    identity = DeliveryId(_header(str(chosen["id_header"]))) if chosen["id_header"] else None
    return SharedToken("A token in a header", header, prefix, delivery_id=identity, options=TOKEN_OPTIONS)


def _header(name: str) -> str:
    try:
        return header_name(name)
    except SigningError as refused:
        raise UsageError(refused.detail) from None
