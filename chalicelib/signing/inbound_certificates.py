"""Senders that sign with a certificate of their own: Amazon SNS and PayPal.

The delivery says where the certificate lies, so the address is held against the sender's own hosts before anybody
fetches it. Who answers there over TLS is the sender; the certificate's name, key and dates are checked here.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error, crc32
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from chalicelib.errors import SignatureMissingError, SignatureWrongError
from chalicelib.signing.inbound_bodies import signed_object
from chalicelib.signing.inbound_content import Asked, Delivery, Verified
from chalicelib.signing.inbound_headers import is_plain, plain, present, to_bytes
from chalicelib.signing.inbound_keys import is_shown, secrets_of
from chalicelib.signing.inbound_time import refuse_stale, time_from

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_MOST_BYTES: Final = 20_000
_LEAST_BITS: Final = 2048
# A region, and not just any label: a bucket called `sns` once answered at sns.s3-us-west-2.amazonaws.com.
_SNS_HOST: Final = r"sns\.[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?"
_SNS_CERTIFICATE: Final = re.compile(rf"https://{_SNS_HOST}/[A-Za-z0-9_.-]{{1,120}}\.pem", re.ASCII)
_SNS_CONFIRMATION: Final = re.compile(rf"https://{_SNS_HOST}/\?([!-~]{{1,2000}})", re.ASCII)
# sns.amazonaws.com; sns-signing.<region>... of younger regions; sns-<region>... of China and GovCloud (aws-sdk-java-v2,
# SnsHostProvider.java).
_SNS_NAME: Final = re.compile(
    r"sns(?:-signing\.[a-z0-9-]{4,30}|-[a-z]{2}(?:-[a-z0-9]+){2,3})?\.amazonaws\.com(?:\.cn)?", re.ASCII
)
_PAYPAL_CERTIFICATE: Final = re.compile(
    r"https://api(?:-m)?\.(?:sandbox\.)?paypal\.com/v1/notifications/certs/CERT-[A-Za-z0-9-]{1,100}", re.ASCII
)
_PAYPAL_NAME: Final = re.compile(r"(?:[a-z0-9-]+\.){1,4}paypal\.com", re.ASCII)

# Which fields are signed, in order; those that a message lacks are left out.
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_OPTIONAL: Final = frozenset({"Subject"})
_SNS_FIELDS: Final = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}


def address_of(scheme: str, secret: Mapping[str, object], delivery: Delivery) -> str:
    """Where the certificate of a delivery lies; raises SignatureMissingError or SignatureWrongError."""
    message: Mapping[str, object] = {}
    if scheme == "paypal":
        url, pattern = present(delivery.headers, "paypal-cert-url"), _PAYPAL_CERTIFICATE
    else:
        message = signed_object(delivery.body)
        given = message.get("SigningCertURL")
        if not isinstance(given, str) or not given:
            raise SignatureMissingError(
                "The body has no SigningCertURL. Turn raw message delivery off at the subscription: it is not signed."
            )
        url, pattern = given, _SNS_CERTIFICATE
    if not pattern.fullmatch(url):
        raise SignatureWrongError("The certificate does not lie at an address of the sender's own.")
    if scheme == "aws-sns":
        _require_topic(secret, message)  # whoever does not know the topic does not make us fetch anything
    return url


def _require_topic(secret: Mapping[str, object], message: Mapping[str, object]) -> None:
    topics = [to_bytes(topic) for topic in secrets_of(secret, "topic")]
    if not is_shown(topics, [to_bytes(str(message.get("TopicArn")))]):
        raise SignatureWrongError("The message comes from another topic than the credential's.")


def verify_paypal(asked: Asked) -> Verified:
    """PayPal signs its id, its time, the webhook's id and a checksum of the body."""
    headers = asked.delivery.headers
    identity, timestamp = plain(headers, "paypal-transmission-id"), plain(headers, "paypal-transmission-time")
    if plain(headers, "paypal-auth-algo") != "SHA256withRSA":
        raise SignatureWrongError("The header paypal-auth-algo must be SHA256withRSA.")
    signature = _base64(present(headers, "paypal-transmission-sig"))
    signed_at = time_from(timestamp, "rfc3339")
    if "|" in identity or signed_at is None:
        raise SignatureWrongError("The id or the time that the sender signed cannot be read.")
    key = _key_in(asked.certificate, _PAYPAL_NAME, asked.now)
    checksum = crc32(asked.delivery.body)
    texts = [f"{identity}|{timestamp}|{webhook}|{checksum}" for webhook in secrets_of(asked.secret, "webhook_id")]
    if not sum(_is_rsa(key, signature, to_bytes(text), "2") for text in texts):
        raise SignatureWrongError
    refuse_stale(signed_at, int(asked.options["window_seconds"]), asked.now)
    return Verified(identity, signed_at, id_is_signed=True)


def verify_sns(asked: Asked) -> Verified:
    """SNS signs fields of its JSON; the topic must be one of the credential's, for anybody may have a topic."""
    message = signed_object(asked.delivery.body)
    if not isinstance(message.get("Signature"), str) or "SignatureVersion" not in message:
        raise SignatureMissingError("The body has no Signature. Turn raw message delivery off at the subscription.")
    names = _SNS_FIELDS.get(str(message.get("Type")))
    version = message["SignatureVersion"]
    if names is None or version not in ("1", "2"):
        raise SignatureWrongError("The message's Type or its SignatureVersion is none that SNS documents.")
    key = _key_in(asked.certificate, _SNS_NAME, asked.now)
    if not _is_rsa(key, _base64(str(message["Signature"])), _sns_text(message, names), str(version)):
        raise SignatureWrongError
    _require_topic(asked.secret, message)
    signed_at = time_from(str(message["Timestamp"]), "rfc3339")
    identity = str(message["MessageId"])
    if signed_at is None or not is_plain(identity):
        raise SignatureWrongError("The message's Timestamp or MessageId cannot be read.")
    refuse_stale(signed_at, int(asked.options["window_seconds"]), asked.now)
    return Verified(identity, signed_at, id_is_signed=True)


def confirmation_url(message: dict[str, object]) -> str:
    """Where a verified SubscriptionConfirmation is confirmed; raises SignatureWrongError for any other address."""
    url, topic = message.get("SubscribeURL"), message.get("TopicArn")
    match = _SNS_CONFIRMATION.fullmatch(url) if isinstance(url, str) else None
    query = parse_qsl(match[1]) if match else []
    # What is confirmed must be the topic that was verified, and nothing but confirmed.
    if match is None or ("Action", "ConfirmSubscription") not in query or ("TopicArn", topic) not in query:
        raise SignatureWrongError("The SubscribeURL does not confirm this topic at a host of SNS.")
    if len({name for name, _ in query}) < len(query) or urlsplit(str(url)).fragment:
        raise SignatureWrongError("The SubscribeURL says one thing twice.")
    return str(url)


def _sns_text(message: dict[str, object], names: tuple[str, ...]) -> bytes:
    parts: list[str] = []
    for name in names:
        value = message.get(name)
        if value is None and name in _OPTIONAL:
            continue
        if not isinstance(value, str):
            raise SignatureWrongError(f"The message's {name} is not a text.")
        parts.append(f"{name}\n{value}\n")
    return to_bytes("".join(parts))


def _base64(text: str) -> bytes:
    try:
        raw = b64decode(to_bytes(text), validate=True)
    except (Error, ValueError):
        raw = b""
    # One spelling only: base64 can write the same bytes in several ways.
    if not raw or b64encode(raw) != to_bytes(text):
        raise SignatureWrongError("The signature is not base64.")
    return raw


def _is_rsa(key: "RSAPublicKey", signature: bytes, content: bytes, version: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    try:
        key.verify(signature, content, PKCS1v15(), SHA256() if version == "2" else SHA1())  # noqa: S303 - SNS's first
    except InvalidSignature:
        return False
    return True


def _key_in(certificate: bytes, name: re.Pattern[str], now: datetime) -> "RSAPublicKey":
    """The key of a certificate that is the sender's and good now."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate
    from cryptography.x509.oid import NameOID

    try:
        found = load_pem_x509_certificate(certificate[:_MOST_BYTES])
        names = [str(each.value) for each in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        key = found.public_key()
    except Exception:  # noqa: BLE001 - cryptography raises a dozen kinds for what is no certificate
        raise SignatureWrongError("What lies at the certificate's address is no certificate.") from None
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise SignatureWrongError("The certificate is out of date, or not valid yet.")
    if len(names) != 1 or not name.fullmatch(names[0]):
        raise SignatureWrongError("The certificate is not the sender's.")
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise SignatureWrongError(f"The certificate's key is not RSA of at least {_LEAST_BITS} bits.")
    return key
