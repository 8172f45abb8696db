"""Senders whose signature stands inside the body: Mailgun and Adyen's standard notifications.

Here the body is read before its proof is known; strictly, within bounds, and nothing of it is used otherwise. What the
proof does not cover comes from whoever sent it.
"""

import json
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import parse_qsl

from chalicelib.errors import SignatureMissingError, SignatureWrongError
from chalicelib.signing.inbound_content import Asked, Verified
from chalicelib.signing.inbound_headers import is_plain, to_bytes
from chalicelib.signing.inbound_keys import is_signed, keys_for, secrets_of
from chalicelib.signing.inbound_scheme import WINDOW_SECONDS, Way
from chalicelib.signing.inbound_time import refuse_stale, time_from

_HEX: Final = Way()
_ADYEN: Final = Way(encoding="base64", key_form="hex")
_MOST_ITEMS: Final = 100
_LONGEST_FORM: Final = 1000
Json = dict[str, object]


def signed_object(body: bytes) -> Json:
    """The JSON object that a body is; raises SignatureWrongError where it is none, or says one thing twice."""
    try:
        read: object = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise SignatureWrongError("The body is not the JSON object that this sender signs.") from None
    if not isinstance(read, dict):
        raise SignatureWrongError("The body is not the JSON object that this sender signs.")
    return cast("Json", read)


def _once(pairs: list[tuple[str, object]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def verify_mailgun(asked: Asked) -> Verified:
    """Mailgun signs a time and a token, and neither the event nor anything else in the body."""
    signature = _mailgun_signature(asked.delivery.headers, asked.delivery.body)
    if not signature:
        raise SignatureMissingError("The body has no `signature` with timestamp, token and signature.")
    fields = [signature.get(name) for name in ("timestamp", "token", "signature")]
    texts = [str(field) for field in fields if isinstance(field, (str, int)) and not isinstance(field, bool)]
    if len(texts) < 3 or not all(text and is_plain(text) for text in texts):
        raise SignatureWrongError("The body's timestamp, token or signature is malformed.")
    timestamp, token, shown = texts
    keys = keys_for(_HEX, secrets_of(asked.secret, "secret"))
    if not sum(is_signed(_HEX, key, to_bytes(timestamp + token), [to_bytes(shown)]) for key in keys):
        raise SignatureWrongError
    signed_at = time_from(timestamp, "seconds")
    if signed_at is None:
        raise SignatureWrongError("The time that the sender signed cannot be read; is the scheme the right one?")
    refuse_stale(signed_at, WINDOW_SECONDS, asked.now)
    return Verified(token, signed_at, id_is_signed=True)


def _mailgun_signature(headers: Mapping[str, str], body: bytes) -> Json:
    if not headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
        return _object(signed_object(body).get("signature"))
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_LONGEST_FORM)
        return _once([pair for pair in pairs if pair[0] in {"timestamp", "token", "signature"}])
    except ValueError:
        raise SignatureWrongError("The body is not a form that this sender signs.") from None


def verify_adyen(asked: Asked) -> Verified:
    """Adyen signs eight fields of each notification, with a signature beside them; every one must fit."""
    items = signed_object(asked.delivery.body).get("notificationItems")
    if not isinstance(items, list) or not 1 <= len(cast("list[object]", items)) <= _MOST_ITEMS:
        raise SignatureMissingError("The body has no notificationItems, or more than a hundred.")
    keys = keys_for(_ADYEN, secrets_of(asked.secret, "secret"))
    identity = ""
    for item in cast("list[object]", items):
        notification = _object(_object(item).get("NotificationRequestItem"))
        shown = _object(notification.get("additionalData")).get("hmacSignature")
        if not isinstance(shown, str) or not shown:
            raise SignatureMissingError("A notification has no additionalData.hmacSignature. Set the key at Adyen.")
        text = _adyen_text(notification)
        if not sum(is_signed(_ADYEN, key, to_bytes(text), [to_bytes(shown)]) for key in keys):
            raise SignatureWrongError
        identity = f"{notification.get('pspReference')}:{notification.get('eventCode')}"
    # The same event may come again with more to say: the id counts together with the body.
    single = len(cast("list[object]", items)) == 1 and is_plain(identity)
    return Verified(identity if single else None, None)


def _adyen_text(notification: Json) -> str:
    amount = _object(notification.get("amount"))
    fields = [
        *(notification.get(name) for name in ("pspReference", "originalReference", "merchantAccountCode")),
        notification.get("merchantReference"),
        amount.get("value"),
        amount.get("currency"),
        notification.get("eventCode"),
        notification.get("success"),
    ]
    if not all(field is None or isinstance(field, (str, int)) for field in fields):
        raise SignatureWrongError("A notification's signed fields are texts and whole numbers.")
    return ":".join("" if field is None else _written(field) for field in fields)


def _written(field: object) -> str:
    return str(field).lower() if isinstance(field, bool) else str(field)
