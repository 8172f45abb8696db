"""What the senders with a way of their own do when they sign, written by hand from their documentation."""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from chalicelib.signing.inbound import Delivery
from tests.signing.senders import HEX_RAW, NOW, SECRET, URL, WHSEC_RAW, b64ed, hexed

PATH = "/hooks/orders/placed"
RSA: RSAPrivateKey = generate_private_key(65537, 2048)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:orders"
CERT_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
PAYPAL_CERT_URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
FORM = [("To", "+18005551212"), ("Body", "grün & gut = 1/2"), ("From", "+14158675309"), ("Empty", "")]
HMAC_KEY = base64.b64encode(WHSEC_RAW).decode()


def certificate(name, *, begins=NOW - timedelta(days=30), ends=NOW + timedelta(days=30), key=RSA) -> bytes:
    """A certificate with this name, in PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, RSA.public_key(), 7, begins, ends)
    if key is not RSA:
        builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, begins, ends)
    return builder.sign(RSA, SHA256()).public_bytes(Encoding.PEM)


SNS_CERTIFICATE = certificate("sns.amazonaws.com")
PAYPAL_CERTIFICATE = certificate("messageverificationcerts.paypal.com")


def form_text(pairs):
    return "".join(name + value for name, value in sorted(pairs))


def _twilio_form(at):
    signature = b64ed((URL + form_text(FORM)).encode(), "sha1")
    return Delivery("POST", PATH, "", {"x-twilio-signature": signature}, urlencode(FORM).encode(), URL)


def _twilio_json(at):
    body = b'{"property": "value"}'
    query = f"a=1&bodySHA256={hashlib.sha256(body).hexdigest()}"
    return Delivery("POST", PATH, query, {"x-twilio-signature": b64ed(f"{URL}?{query}".encode(), "sha1")}, body, URL)


def _mandrill(at):
    pairs = [("mandrill_events", json.dumps([{"event": "send", "msg": {"email": "ä@example.com"}}]))]
    signature = b64ed((URL + form_text(pairs)).encode(), "sha1")
    return Delivery("POST", PATH, "", {"x-mandrill-signature": signature}, urlencode(pairs).encode(), URL)


def _mailgun(at):
    timestamp, token = str(int(at.timestamp())), "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    signature = {"timestamp": timestamp, "token": token, "signature": hexed((timestamp + token).encode())}
    body = json.dumps({"signature": signature, "event-data": {"event": "opened"}}).encode()
    return Delivery("POST", PATH, "", {"content-type": "application/json"}, body, URL)


def adyen_item(**changes):
    item = {
        "additionalData": {},
        "amount": {"currency": "EUR", "value": 1130},
        "eventCode": "AUTHORISATION",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "Order-7",
        "originalReference": "",
        "pspReference": "7914073381342284",
        "success": "true",
        "reason": "not signed",
        **changes,
    }
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    parts = [*(item[name] for name in names), str(item["amount"]["value"]), item["amount"]["currency"]]
    text = ":".join([*parts, item["eventCode"], item["success"]])
    item["additionalData"] = {"hmacSignature": b64ed(text.encode(), key=HEX_RAW)}
    return item


def adyen(items):
    body = {"live": "false", "notificationItems": [{"NotificationRequestItem": item} for item in items]}
    return Delivery("POST", PATH, "", {"content-type": "application/json"}, json.dumps(body).encode(), URL)


def _contentful(at):
    body, stamp = b'{"sys": {"type": "Entry"}}', str(int(at.timestamp() * 1000))
    listed = "content-type,x-contentful-topic,x-contentful-signed-headers,x-contentful-timestamp"
    headers = {
        "content-type": "application/vnd.contentful.management.v1+json",
        "x-contentful-topic": "ContentManagement.Entry.publish",
        "x-contentful-signed-headers": listed,
        "x-contentful-timestamp": stamp,
    }
    lines = ";".join(f"{name}:{headers[name]}" for name in sorted(listed.split(",")))
    headers["x-contentful-signature"] = hexed(f"POST\n{PATH}?a%253D1\n{lines}\n".encode() + body)
    return Delivery("POST", PATH, "a=1", headers, body, URL)


def _paypal(at):
    body, stamp = b'{"id": "WH-1", "event_type": "PAYMENT.SALE.COMPLETED"}', at.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"69cd13f0-d67a|{stamp}|1JE4291016473214C|{zlib.crc32(body)}"
    signature = RSA.sign(text.encode(), PKCS1v15(), SHA256())
    headers = {
        "paypal-transmission-id": "69cd13f0-d67a",
        "paypal-transmission-time": stamp,
        "paypal-transmission-sig": base64.b64encode(signature).decode(),
        "paypal-cert-url": PAYPAL_CERT_URL,
        "paypal-auth-algo": "SHA256withRSA",
    }
    return Delivery("POST", PATH, "", headers, body, URL)


def sns(at=NOW, *, version="2", kind="Notification", **changes):
    message = {
        "Type": kind,
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Größe",
        "Message": '{"id": 1}\nand more',
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERT_URL,
    }
    if kind != "Notification":
        del message["Subject"]
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": TOPIC, "Token": "2336412f37"})
        message |= {"Token": "2336412f37", "SubscribeURL": f"https://sns.eu-central-1.amazonaws.com/?{query}"}
    message |= changes
    # In the order of their names, which is how the documentation lists them.
    signed = [name for name in sorted(message) if name not in {"SignatureVersion", "SigningCertURL", "Signature"}]
    text = "".join(f"{name}\n{message[name]}\n" for name in signed if message[name] is not None)
    signature = RSA.sign(text.encode(), PKCS1v15(), SHA256() if version == "2" else SHA1())
    message = {name: value for name, value in message.items() if value is not None}
    body = json.dumps({**message, "Signature": base64.b64encode(signature).decode()}, ensure_ascii=False).encode()
    return Delivery("POST", PATH, "", {"content-type": "text/plain; charset=UTF-8"}, body, URL)


def _message(at):
    body, stamp = b'{"id": 1}', int(at.timestamp())
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    inputs = f'("@method" "@path" "content-digest");created={stamp};keyid="k";nonce="n"'
    base = f'"@method": POST\n"@path": {PATH}\n"content-digest": sha-256=:{digest}:\n"@signature-params": {inputs}'
    signature = b64ed(base.encode(), key=WHSEC_RAW)
    headers = {
        "content-digest": f"sha-256=:{digest}:",
        "signature-input": f"sig1={inputs}",
        "signature": f"sig1=:{signature}:",
    }
    return Delivery("POST", PATH, "", headers, body, URL)


@dataclass(frozen=True)
class OwnSender:
    """One delivery of a sender, and what fits it.

    `header`, or `body_field` (a path of names in the JSON), is where the signature stands; `signed` are the headers that
    are signed, `body_signed` whether every byte of the body is, `signed_fields` which fields of the JSON are.
    """

    deliver: Callable[[datetime], Delivery]
    scheme: str
    secret: dict
    header: str = ""
    body_field: tuple = ()
    encoding: str = "base64"
    options: dict = field(default_factory=dict)
    certificate: bytes = b""
    window: int = 0
    body_signed: bool = True
    signed: tuple = ()
    signed_fields: tuple = ()


_ADYEN = ("notificationItems", 0, "NotificationRequestItem")
OWN_SENDERS = {
    "twilio, a form": OwnSender(_twilio_form, "twilio", {"secret": SECRET}, "x-twilio-signature"),
    "twilio, any other body": OwnSender(_twilio_json, "twilio", {"secret": SECRET}, "x-twilio-signature"),
    "mandrill": OwnSender(_mandrill, "mandrill", {"secret": SECRET}, "x-mandrill-signature"),
    "mailgun": OwnSender(
        _mailgun,
        "mailgun",
        {"secret": SECRET},
        body_field=("signature", "signature"),
        encoding="hex",
        window=300,
        body_signed=False,
        signed_fields=(("signature", "timestamp"), ("signature", "token")),
    ),
    "adyen-standard": OwnSender(
        lambda at: adyen([adyen_item()]),
        "adyen-standard",
        {"secret": HEX_RAW.hex()},
        body_field=(*_ADYEN, "additionalData", "hmacSignature"),
        body_signed=False,
        signed_fields=tuple(
            (*_ADYEN, *name.split("."))
            for name in ["pspReference", "merchantAccountCode", "merchantReference", "amount.value", "amount.currency", "eventCode", "success"]
        ),
    ),
    "contentful": OwnSender(
        _contentful,
        "contentful",
        {"secret": SECRET},
        "x-contentful-signature",
        encoding="hex",
        window=300,
        signed=("content-type", "x-contentful-topic", "x-contentful-signed-headers", "x-contentful-timestamp"),
    ),
    "paypal": OwnSender(
        _paypal,
        "paypal",
        {"webhook_id": "1JE4291016473214C"},
        "paypal-transmission-sig",
        certificate=PAYPAL_CERTIFICATE,
        window=300,
        signed=("paypal-transmission-id", "paypal-transmission-time"),
    ),
    **{
        f"aws-sns, version {version}": OwnSender(
            lambda at, version=version: sns(at, version=version),
            "aws-sns",
            {"topic": TOPIC},
            body_field=("Signature",),
            certificate=SNS_CERTIFICATE,
            window=3600,
            body_signed=False,
            signed_fields=tuple((name,) for name in ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")),
        )
        for version in ("1", "2")
    },
    "rfc9421": OwnSender(
        _message,
        "rfc9421",
        {"secret": HMAC_KEY},
        "signature",
        options={"algorithm": "hmac-sha256"},
        window=300,
        signed=("content-digest", "signature-input"),
    ),
}  # fmt: skip
