"""What each sender does when it signs, written by hand from its documentation: the other side of `verify`."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.signing.inbound import Delivery

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SECRET = "kq3 W-ü secret"
WHSEC_RAW = bytes(range(7, 39))
WHSEC = "whsec_" + base64.b64encode(WHSEC_RAW).decode()
HEX_RAW = bytes(range(200, 232))
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ED25519_PUBLIC = ED25519.public_key().public_bytes_raw()
P256 = derive_private_key(0xC0FFEE, SECP256R1())
P256_PUBLIC = base64.b64encode(P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
URL = "https://hooks.example.com/hooks/orders/placed"
QUERY = "b=2&a=1%2F2"


def hexed(text: bytes, algorithm: str = "sha256", key: bytes | None = None) -> str:
    return hmac.new(SECRET.encode() if key is None else key, text, algorithm).hexdigest()


def b64ed(text: bytes, algorithm: str = "sha256", key: bytes | None = None) -> str:
    return base64.b64encode(bytes.fromhex(hexed(text, algorithm, key))).decode()


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _millis(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))


def _rfc3339(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _standard(prefix):
    def headers(body, at):
        t, key = _seconds(at), WHSEC_RAW
        signature = b64ed(b"msg_1." + t.encode() + b"." + body, key=key)
        return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": t, f"{prefix}-signature": f"v1,{signature}"}

    return headers


def _timed_pairs(header, joint, *, key="v1", time_key="t", separator=",", stamp=_seconds):
    def headers(body, at):
        t = stamp(at)
        return {header: f"{time_key}={t}{separator}{key}={hexed(t.encode() + joint + body)}"}

    return headers


def _v0(signature, timestamp):
    def headers(body, at):
        t = _seconds(at)
        return {timestamp: t, signature: "v0=" + hexed(b"v0:" + t.encode() + b":" + body)}

    return headers


def _of_body(header, write):
    return lambda body, at: {header: write(body)}


def _marked(body):
    return "sha256=" + hexed(body)


def _hubspot_v3(body, at):
    t = _millis(at)
    return {
        "x-hubspot-request-timestamp": t,
        "x-hubspot-signature-v3": b64ed(b"POST" + f"{URL}?b=2&a=1/2".encode() + body + t.encode()),
    }


def _box(body, at):
    t = at.strftime("%Y-%m-%dT%H:%M:%S-00:00").replace("-00:00", "+00:00")
    return {"box-delivery-timestamp": t, "box-signature-primary": b64ed(body + t.encode())}


def _messagebird(body, at):
    t = _seconds(at)
    signed = f"{t}\na=1%2F2&b=2\n".encode() + hashlib.sha256(body).digest()
    return {"messagebird-request-timestamp": t, "messagebird-signature": b64ed(signed)}


def _zendesk(body, at):
    t = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"x-zendesk-webhook-signature-timestamp": t, "x-zendesk-webhook-signature": b64ed(t.encode() + body)}


def _twitch(body, at):
    t, name = _rfc3339(at).replace("Z", "123Z"), "twitch-eventsub-message-"
    return {f"{name}id": "m-1", f"{name}timestamp": t, f"{name}signature": _marked(b"m-1" + t.encode() + body)}


def _discord(body, at):
    t = _seconds(at)
    return {"x-signature-timestamp": t, "x-signature-ed25519": ED25519.sign(t.encode() + body).hex()}


def _sendgrid(body, at):
    t, name = _seconds(at), "x-twilio-email-event-webhook-"
    signature = P256.sign(t.encode() + body, ECDSA(SHA256(), deterministic_signing=True))
    return {f"{name}timestamp": t, f"{name}signature": base64.b64encode(signature).decode()}


@dataclass(frozen=True)
class Sender:
    """How a sender signs, and the credential that fits."""

    headers: Callable[[bytes, datetime], dict[str, str]]
    secret: str = SECRET
    options: dict = field(default_factory=dict)
    body: bytes = b'{"id": 1, "text": "gr\xc3\xb6\xc3\x9fe"}'
    timed: bool = False


def _timed(headers, **more):
    return Sender(headers, timed=True, **more)


SENDERS = {
    "standard-webhooks": _timed(_standard("webhook"), secret=WHSEC),
    "svix": _timed(_standard("svix"), secret=WHSEC),
    "github": Sender(_of_body("x-hub-signature-256", _marked)),
    "bitbucket-jira": Sender(_of_body("x-hub-signature", _marked)),
    "meta-whatsapp": Sender(_of_body("x-hub-signature-256", _marked)),
    "intercom": Sender(_of_body("x-hub-signature", lambda body: "sha1=" + hexed(body, "sha1"))),
    "slack": _timed(_v0("x-slack-signature", "x-slack-request-timestamp")),
    "zoom": _timed(_v0("x-zm-signature", "x-zm-request-timestamp")),
    "stripe": _timed(_timed_pairs("stripe-signature", b"."), secret=SECRET),
    "mux": _timed(_timed_pairs("mux-signature", b".")),
    "calendly": _timed(_timed_pairs("calendly-webhook-signature", b".")),
    "workos": _timed(_timed_pairs("workos-signature", b".", stamp=_millis)),
    "paddle": _timed(_timed_pairs("paddle-signature", b":", key="h1", time_key="ts", separator=";")),
    "shopify": Sender(_of_body("x-shopify-hmac-sha256", b64ed)),
    "square": Sender(
        _of_body("x-square-hmacsha256-signature", lambda body: b64ed(f"{URL}?{QUERY}".encode() + body)),
        options={"url": URL},
    ),
    "hubspot-v1": Sender(
        _of_body("x-hubspot-signature", lambda body: hashlib.sha256(SECRET.encode() + body).hexdigest())
    ),
    "hubspot-v2": Sender(
        _of_body(
            "x-hubspot-signature",
            lambda body: hashlib.sha256(SECRET.encode() + b"POST" + f"{URL}?{QUERY}".encode() + body).hexdigest(),
        ),
        options={"url": URL},
    ),
    "hubspot-v3": _timed(_hubspot_v3, options={"url": URL}),
    "box": _timed(_box),
    "messagebird-legacy": _timed(_messagebird),
    "line": Sender(_of_body("x-line-signature", b64ed)),
    "docusign": Sender(_of_body("x-docusign-signature-7", b64ed)),
    "typeform": Sender(_of_body("typeform-signature", lambda body: "sha256=" + b64ed(body))),
    "zendesk": _timed(_zendesk),
    "adyen-header": Sender(_of_body("hmacsignature", lambda body: b64ed(body, key=HEX_RAW)), secret=HEX_RAW.hex()),
    "razorpay": Sender(_of_body("x-razorpay-signature", hexed)),
    "coinbase-commerce": Sender(_of_body("x-cc-webhook-signature", hexed)),
    "dropbox": Sender(_of_body("x-dropbox-signature", hexed)),
    "sentry": Sender(_of_body("sentry-hook-signature", hexed)),
    "paystack": Sender(_of_body("x-paystack-signature", lambda body: hexed(body, "sha512"))),
    "linear": Sender(
        _of_body("linear-signature", hexed), body=b'{"action": "create", "webhookTimestamp": %s}' % _millis(NOW).encode()
    ),
    "notion": Sender(_of_body("x-notion-signature", _marked)),
    "pagerduty": Sender(_of_body("x-pagerduty-signature", lambda body: "v1=" + hexed(body))),
    "circleci": Sender(_of_body("circleci-signature", lambda body: "v1=" + hexed(body))),
    "twitch": _timed(_twitch),
    "discord": _timed(_discord, secret=ED25519_PUBLIC.hex()),
    "sendgrid": _timed(_sendgrid, secret=P256_PUBLIC),
    "hmac": _timed(
        lambda body, at: {"x-when": _seconds(at), "x-id": "7", "x-sig": "s=" + b64ed(b"7/" + _seconds(at).encode() + b"/" + body, "sha512")},
        options={
            "header": "X-Sig", "algorithm": "sha512", "encoding": "base64", "prefix": "s=", "template": "{id}/{timestamp}/{body}",
            "timestamp_header": "X-When", "id_header": "X-Id",
        },
    ),
}  # fmt: skip


def sent(scheme: str, *, at: datetime = NOW, body: bytes | None = None) -> Delivery:
    """One delivery as this sender would send it."""
    sender = SENDERS[scheme]
    body = sender.body if body is None else body
    return Delivery("POST", "/hooks/orders/placed", QUERY, sender.headers(body, at), body)
