"""The senders we know, one row each; a row is the sender's own documentation, as data.

Fixed for all: header names are lower-case, signatures are compared as text in constant time, and a time that is signed
must lie within the window. Where no time is signed a captured delivery can be sent again at any time: the caller
dedupes on the delivery id together with the body.
"""

from collections.abc import Mapping
from typing import Final

from chalicelib.signing.inbound_own import OWN
from chalicelib.signing.inbound_scheme import (
    BasicPassword,
    BodyTime,
    DeliveryId,
    HeaderTime,
    Listed,
    Option,
    Paired,
    PairTime,
    Scheme,
    SharedToken,
    Signed,
    Way,
    Whole,
)

_URL: Final = {
    "url": Option(
        "The hook's public URL, as it was given to the sender, without a query that changes from call to call; "
        "PENSTOCK_URL and the hook's path otherwise.",
        "",
    )
}
_HEX: Final = (Way(),)
_HEX_MARKED: Final = (Way("sha256="),)
_BASE64: Final = (Way(encoding="base64"),)
_STANDARD: Final = (
    Way("v1,", encoding="base64", key_form="whsec"),
    Way("v1a,", "ed25519", "base64", "whpk"),
)

_SIGNED: Final[Mapping[str, Signed]] = {
    "standard-webhooks": Signed(
        "Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec)",
        Listed("webhook-signature", " "),
        _STANDARD,
        "{id}.{timestamp}.{body}",
        HeaderTime("webhook-timestamp"),
        DeliveryId("webhook-id", signed=True),
        key_doc="whsec_ and the base64 of the secret, or whpk_ and the base64 of an Ed25519 public key",
    ),
    "svix": Signed(
        "Svix (docs.svix.com/receiving/verifying-payloads/how-manual)",
        Listed("svix-signature", " "),
        _STANDARD,
        "{id}.{timestamp}.{body}",
        HeaderTime("svix-timestamp"),
        DeliveryId("svix-id", signed=True),
        key_doc="whsec_ and the base64 of the secret",
    ),
    "github": Signed(
        "GitHub (docs.github.com, Validating webhook deliveries)",
        Whole(("x-hub-signature-256",)),
        _HEX_MARKED,
        delivery_id=DeliveryId("x-github-delivery"),
    ),
    "bitbucket-jira": Signed(
        "Bitbucket and Jira (support.atlassian.com, Manage webhooks)",
        Whole(("x-hub-signature",)),
        _HEX_MARKED,
        delivery_id=DeliveryId("x-request-uuid"),
    ),
    "meta-whatsapp": Signed(
        "Meta: WhatsApp, Messenger, Instagram (the app's secret)", Whole(("x-hub-signature-256",)), _HEX_MARKED
    ),
    "intercom": Signed(
        "Intercom (the app's client secret)", Whole(("x-hub-signature",)), (Way("sha1=", "hmac-sha1"),)
    ),
    "slack": Signed(
        "Slack (docs.slack.dev/authentication/verifying-requests-from-slack)",
        Whole(("x-slack-signature",)),
        (Way("v0="),),
        "v0:{timestamp}:{body}",
        HeaderTime("x-slack-request-timestamp"),
    ),
    "zoom": Signed(
        "Zoom (the app's secret token)",
        Whole(("x-zm-signature",)),
        (Way("v0="),),
        "v0:{timestamp}:{body}",
        HeaderTime("x-zm-request-timestamp"),
    ),
    "stripe": Signed(
        "Stripe (docs.stripe.com/webhooks, Verify manually)",
        Paired("stripe-signature", ",", "t"),
        (Way("v1"),),
        "{timestamp}.{body}",
        PairTime(),
        key_doc="whsec_..., used as it is",
    ),
    "mux": Signed(
        "Mux", Paired("mux-signature", ",", "t"), (Way("v1"),), "{timestamp}.{body}", PairTime()
    ),
    "calendly": Signed(
        "Calendly", Paired("calendly-webhook-signature", ",", "t"), (Way("v1"),), "{timestamp}.{body}", PairTime()
    ),
    "workos": Signed(
        "WorkOS",
        Paired("workos-signature", ",", "t"),
        (Way("v1"),),
        "{timestamp}.{body}",
        PairTime("milliseconds"),
    ),
    "paddle": Signed(
        "Paddle Billing", Paired("paddle-signature", ";", "ts"), (Way("h1"),), "{timestamp}:{body}", PairTime()
    ),
    "shopify": Signed(
        "Shopify (shopify.dev, Deliver webhooks through HTTPS; the app's client secret)",
        Whole(("x-shopify-hmac-sha256",)),
        _BASE64,
        delivery_id=DeliveryId("x-shopify-event-id"),
    ),
    "square": Signed(
        "Square", Whole(("x-square-hmacsha256-signature",)), _BASE64, "{url}{body}", options=_URL
    ),
    "hubspot-v1": Signed(
        "HubSpot, version 1 (the app's client secret)",
        Whole(("x-hubspot-signature",)),
        (Way(algorithm="sha256"),),
        "{secret}{body}",
    ),
    "hubspot-v2": Signed(
        "HubSpot, version 2 (the app's client secret)",
        Whole(("x-hubspot-signature",)),
        (Way(algorithm="sha256"),),
        "{secret}{method}{url}{body}",
        options=_URL,
    ),
    "hubspot-v3": Signed(
        "HubSpot, version 3 (the app's client secret)",
        Whole(("x-hubspot-signature-v3",)),
        _BASE64,
        "{method}{decoded_url}{body}{timestamp}",
        HeaderTime("x-hubspot-request-timestamp", "milliseconds"),
        options=_URL,
    ),
    "box": Signed(
        "Box (the primary and the secondary key; Box's own window is ten minutes)",
        Whole(("box-signature-primary", "box-signature-secondary")),
        _BASE64,
        "{body}{timestamp}",
        HeaderTime("box-delivery-timestamp", "rfc3339", 600),
        DeliveryId("box-delivery-id"),
    ),
    "messagebird-legacy": Signed(
        "MessageBird, before its signed JSON web tokens",
        Whole(("messagebird-signature",)),
        _BASE64,
        "{timestamp}\n{sorted_query}\n{body_sha256}",
        HeaderTime("messagebird-request-timestamp"),
    ),
    "line": Signed("LINE (the channel's secret)", Whole(("x-line-signature",)), _BASE64),
    "docusign": Signed(
        "DocuSign Connect (one header per key)",
        Whole(tuple(f"x-docusign-signature-{number}" for number in range(1, 101))),
        _BASE64,
    ),
    "typeform": Signed("Typeform", Whole(("typeform-signature",)), (Way("sha256=", encoding="base64"),)),
    "zendesk": Signed(
        "Zendesk",
        Whole(("x-zendesk-webhook-signature",)),
        _BASE64,
        "{timestamp}{body}",
        HeaderTime("x-zendesk-webhook-signature-timestamp", "rfc3339"),
        DeliveryId("x-zendesk-webhook-invocation-id"),
    ),
    "adyen-header": Signed(
        "Adyen for Platforms",
        Whole(("hmacsignature",)),
        (Way(encoding="base64", key_form="hex"),),
        key_doc="the HMAC key in hexadecimal",
    ),
    "razorpay": Signed(
        "Razorpay", Whole(("x-razorpay-signature",)), _HEX, delivery_id=DeliveryId("x-razorpay-event-id")
    ),
    "coinbase-commerce": Signed("Coinbase Commerce", Whole(("x-cc-webhook-signature",)), _HEX),
    "dropbox": Signed("Dropbox (the app's secret)", Whole(("x-dropbox-signature",)), _HEX),
    "sentry": Signed("Sentry (the integration's client secret)", Whole(("sentry-hook-signature",)), _HEX),
    "paystack": Signed("Paystack", Whole(("x-paystack-signature",)), (Way(algorithm="hmac-sha512"),)),
    "linear": Signed(
        "Linear",
        Whole(("linear-signature",)),
        _HEX,
        time=BodyTime("webhookTimestamp"),
        delivery_id=DeliveryId("linear-delivery"),
    ),
    "notion": Signed("Notion (the verification token)", Whole(("x-notion-signature",)), _HEX_MARKED),
    "pagerduty": Signed("PagerDuty", Listed("x-pagerduty-signature", ","), (Way("v1="),)),
    "circleci": Signed("CircleCI", Listed("circleci-signature", ","), (Way("v1="),)),
    "twitch": Signed(
        "Twitch EventSub (its own window is ten minutes)",
        Whole(("twitch-eventsub-message-signature",)),
        _HEX_MARKED,
        "{id}{timestamp}{body}",
        HeaderTime("twitch-eventsub-message-timestamp", "rfc3339", 600),
        DeliveryId("twitch-eventsub-message-id", signed=True),
    ),
    "discord": Signed(
        "Discord interactions",
        Whole(("x-signature-ed25519",)),
        (Way(algorithm="ed25519", key_form="hex"),),
        "{timestamp}{body}",
        HeaderTime("x-signature-timestamp"),
        key_doc="the application's public key in hexadecimal",
    ),
    "sendgrid": Signed(
        "Twilio SendGrid event webhook",
        Whole(("x-twilio-email-event-webhook-signature",)),
        (Way("", "ecdsa-p256-sha256", "base64", "base64"),),
        "{timestamp}{body}",
        HeaderTime("x-twilio-email-event-webhook-timestamp"),
        key_doc="the verification key, as SendGrid shows it (base64)",
    ),
}  # fmt: skip

SCHEMES: Final[Mapping[str, Scheme]] = {
    **_SIGNED,
    **OWN,
    "gitlab": SharedToken(
        "GitLab's secret token", "x-gitlab-token", field_name="secret", delivery_id=DeliveryId("idempotency-key")
    ),
    "basic": BasicPassword("HTTP Basic authentication: user name and password"),
}
