"""The senders whose way of signing takes code of its own, one row each; beside `inbound_table.py`."""

from collections.abc import Mapping
from typing import Final

from chalicelib.signing.inbound_scheme import WINDOW_SECONDS, Option, Own

_URL: Final = {
    "url": Option("The hook's public URL, as it was given to the sender; PENSTOCK_URL and its path otherwise.", "")
}
_WINDOW: Final = "How old, or how far ahead, a delivery may be."

OWN: Final[Mapping[str, Own]] = {
    "twilio": Own(
        "Twilio (twilio.com/docs/usage/webhooks/webhooks-security)",
        "inbound_forms:verify_twilio",
        "the URL and the form's fields, or the URL and the body's SHA-256 in it",
        options=_URL,
        key_doc="the account's auth token",
    ),
    "mandrill": Own(
        "Mailchimp Transactional, once Mandrill (its webhooks guide, Authenticating webhook requests)",
        "inbound_forms:verify_mandrill",
        "the URL and the form's fields",
        options=_URL,
        key_doc="the webhook's key",
    ),
    "mailgun": Own(
        "Mailgun (documentation.mailgun.com, Securing webhooks)",
        "inbound_bodies:verify_mailgun",
        "the timestamp and the token inside the body, not the body",
        key_doc="the account's HTTP webhook signing key",
    ),
    "adyen-standard": Own(
        "Adyen standard notifications (docs.adyen.com, Verify HMAC signatures)",
        "inbound_bodies:verify_adyen",
        "eight fields of every notification in the body",
        key_doc="the HMAC key in hexadecimal",
    ),
    "contentful": Own(
        "Contentful (its request verification; @contentful/node-apps-toolkit)",
        "inbound_requests:verify_contentful",
        "method, path, query, the headers that it lists, and the body",
        options=_URL,
        key_doc="the signing secret",
    ),
    "paypal": Own(
        "PayPal (developer.paypal.com, Webhooks: verify manually)",
        "inbound_certificates:verify_paypal",
        "id, time, the webhook's id and the CRC-32 of the body, which is not proof against whoever wants to match it",
        field_name="webhook_id",
        options={"window_seconds": Option(_WINDOW, WINDOW_SECONDS)},
        key_doc="the webhook's id, as PayPal shows it; it is part of what is signed",
        has_certificate=True,
    ),
    "aws-sns": Own(
        "Amazon SNS (docs.aws.amazon.com/sns, Verifying the signatures of Amazon SNS messages)",
        "inbound_certificates:verify_sns",
        "the message's fields in the body, without UnsubscribeURL",
        field_name="topic",
        options={"window_seconds": Option(_WINDOW, 3600)},
        key_doc="the topic's ARN; anybody may have a topic, so it says which one counts",
        has_certificate=True,
    ),
    "rfc9421": Own(
        "HTTP Message Signatures (RFC 9421), with Content-Digest (RFC 9530)",
        "inbound_messages:verify_messages",
        "the components that the option `components` lists, and the body where there is one",
        options={
            "algorithm": Option(
                "How the sender signs.",
                required=True,
                choices=("hmac-sha256", "ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512", "rsa-v1_5-sha256"),
            ),
            "components": Option("What a signature must cover, separated by spaces.", "@method @path @query"),
            "tag": Option("The tag that a signature must have.", ""),
            "keyid": Option("The keyid that a signature must have.", ""),
            "window_seconds": Option(_WINDOW, WINDOW_SECONDS),
            "secret_encoding": Option(
                "How an hmac-sha256 secret is written.", "base64", choices=("base64", "hex", "text")
            ),
            **_URL,
        },
        key_doc="the secret, or the public key: PEM, or base64 of its DER",
    ),
}
