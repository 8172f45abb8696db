"""Verifying deliveries: what is accepted, what is refused, and with which error."""

import base64
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.errors import (
    CredentialUnfitError,
    DeliveryStaleError,
    SignatureMissingError,
    SignatureWrongError,
    UsageError,
)
from chalicelib.signing.inbound import Delivery, scheme_fields, scheme_names, scheme_options, verify
from chalicelib.signing.inbound_own import OWN
from chalicelib.signing.inbound_scheme import BodyTime, PairTime, Signed, content_parts
from chalicelib.signing.inbound_table import SCHEMES
from tests.signing.senders import ED25519, ED25519_PUBLIC, NOW, SECRET, SENDERS, WHSEC, b64ed, hexed, sent

DECLARED = (SignatureMissingError, SignatureWrongError, DeliveryStaleError)
SIGNING = sorted(SENDERS)


def _verify(scheme, delivery, secret=None, *, now=NOW, **options):
    sender = SENDERS[scheme]
    return verify(scheme, {**sender.options, **options}, secret or {"secret": sender.secret}, delivery, now=now)


def _with(delivery: Delivery, **headers) -> Delivery:
    return replace(delivery, headers={**delivery.headers, **{name.replace("_", "-"): v for name, v in headers.items()}})


def test_every_scheme_that_signs_has_a_sender_here():
    assert set(SENDERS) == {name for name, row in SCHEMES.items() if isinstance(row, Signed)} | {"hmac"}
    assert set(scheme_names()) == set(SENDERS) | set(OWN) | {"gitlab", "token", "basic"}


@pytest.mark.parametrize("scheme", SIGNING)
def test_a_delivery_as_its_sender_signs_it_is_accepted(scheme):
    verified = _verify(scheme, sent(scheme))
    assert verified.signed_at == (NOW if SENDERS[scheme].timed or scheme == "linear" else None)


@pytest.mark.parametrize("scheme", SIGNING)
def test_the_window_is_open_on_both_sides_and_shut_beyond(scheme):
    if not SENDERS[scheme].timed:
        year_later = NOW + timedelta(days=365)
        if scheme == "linear":
            with pytest.raises(DeliveryStaleError):
                _verify(scheme, sent(scheme), now=year_later)
        else:
            assert _verify(scheme, sent(scheme), now=year_later).signed_at is None
        return
    window = 600 if scheme in {"box", "twitch"} else 300
    for seconds in (-window, window):
        assert _verify(scheme, sent(scheme), now=NOW + timedelta(seconds=seconds)).signed_at == NOW
    for seconds in (-window - 1, window + 1, 10**9):
        with pytest.raises(DeliveryStaleError):
            _verify(scheme, sent(scheme), now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("scheme", SIGNING)
def test_every_secret_of_a_rotation_is_tried_and_no_other(scheme):
    current = SENDERS[scheme].secret
    other = {
        "adyen-header": "00ff",
        "discord": bytes(ED25519_PUBLIC[:-1] + b"\x07").hex(),
        "standard-webhooks": "whsec_" + base64.b64encode(b"other" * 5).decode(),
        "svix": "whsec_" + base64.b64encode(b"other" * 5).decode(),
        "sendgrid": SENDERS["sendgrid"].secret,
    }.get(scheme, "another secret")
    delivery = sent(scheme)
    assert _verify(scheme, delivery, {"secret": other, "previous": [other, current]})
    assert _verify(scheme, delivery, {"secret": other, "previous": current})
    if scheme not in {"sendgrid", "discord"}:
        with pytest.raises(SignatureWrongError):
            _verify(scheme, delivery, {"secret": other, "previous": [other]})


@pytest.mark.parametrize("scheme", SIGNING)
def test_a_delivery_without_its_signature_says_so(scheme):
    delivery = sent(scheme)
    for headers in ({}, dict.fromkeys(delivery.headers, "")):
        with pytest.raises(SignatureMissingError):
            _verify(scheme, replace(delivery, headers=headers))
    row = SCHEMES.get(scheme)
    if isinstance(row, Signed) and not isinstance(row.time, BodyTime | PairTime | None):
        headers = {name: value for name, value in delivery.headers.items() if name != row.time.header}
        with pytest.raises(SignatureMissingError):
            _verify(scheme, replace(delivery, headers=headers))


def test_no_delivery_with_one_byte_changed_is_ever_accepted(record_property):
    dice, refused = random.Random(8032), Counter()
    for scheme in SIGNING:
        genuine = sent(scheme)
        for _ in range(160):
            changed = _one_byte_changed(dice, genuine)
            assert changed != genuine
            with pytest.raises(DECLARED) as caught:
                _verify(scheme, changed)
            refused[caught.type.__name__] += 1
    assert refused.total() == 160 * len(SIGNING)
    assert refused["SignatureWrongError"] > 0.9 * refused.total()
    record_property(
        "covered",
        f"webhooks: {refused.total()} deliveries of {len(SIGNING)} schemes with one byte changed, none accepted",
    )


def _one_byte_changed(dice, delivery):
    if dice.random() < 0.4:
        at = dice.randrange(len(delivery.body))
        byte = dice.choice([b for b in range(256) if b != delivery.body[at]])
        return replace(delivery, body=delivery.body[:at] + bytes([byte]) + delivery.body[at + 1 :])
    name = dice.choice(sorted(delivery.headers))
    value = delivery.headers[name]
    at = dice.randrange(len(value))
    character = dice.choice([c for c in map(chr, range(1, 256)) if c != value[at]])
    if dice.random() < 0.5:
        # The nearest mistakes: another case, another digit, another last character of the base64.
        character = value[at].swapcase() if value[at].isalpha() else str((ord(value[at]) + 1) % 10)
    return replace(delivery, headers={**delivery.headers, name: value[:at] + character + value[at + 1 :]})


def test_bytes_added_or_taken_away_are_noticed():
    for scheme in SIGNING:
        genuine = sent(scheme)
        for body in (b"", genuine.body + b" ", genuine.body[:-1], b" " + genuine.body, genuine.body * 2):
            with pytest.raises(SignatureWrongError):
                _verify(scheme, replace(genuine, body=body))


@pytest.mark.parametrize("scheme", [*SIGNING, "gitlab", "token", "basic"])
def test_whatever_stands_in_the_headers_only_the_declared_errors_are_raised(scheme):
    dice = random.Random(f"{scheme}")
    genuine = sent(scheme) if scheme in SENDERS else Delivery("POST", "/", "", {}, b"{}")
    names = genuine.headers or ("authorization", "x-gitlab-token")
    secret = {
        "secret": SENDERS[scheme].secret if scheme in SENDERS else "s", "token": "t", "username": "u", "password": "p"
    }  # fmt: skip
    junk = [
        "", " ", "\x00", "é", "日本", "\ud800", "\udcff", "=", ",", ";", "v1,", "v1=", "v1a,AAAA", "t=", "t=1,t=2,v1=a", "sha256=",
        "-1", "1e9", "9" * 11, "9" * 12, "9" * 5000, "٣٣٣", "0x10", "1_0", "+5", "nan", "2026-03-01T12:00:00", "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59", "2026-02-30T12:00:00Z", "a" * 100_000, "v1,a " * 5000, "v1=a," * 1000, "t=1," * 3000,
        "Basic ", "Basic é", "Basic " + "=" * 50, "Bearer", "Bearer \ud800", "%00", "v0=\x7f", "\u2028", "v1," + "A" * 8000,
    ]  # fmt: skip
    for _ in range(250):
        headers = dict(genuine.headers)
        for name in dice.sample(sorted(names), dice.randint(1, len(names))):
            headers[name] = dice.choice(junk) + (dice.choice(junk)[:40] if dice.random() < 0.3 else "")
        query = dice.choice(("", "%", "a=%ff&b", "&" * 2000, "\ud800=1"))
        delivery = Delivery("POST", "/", query, headers, dice.choice((b"", b"\xff", b"[" * 5000, genuine.body)))
        options = SENDERS[scheme].options if scheme in SENDERS else {}
        if headers == dict(genuine.headers):
            continue
        with pytest.raises(DECLARED):
            verify(scheme, options, secret, delivery, now=NOW)


def test_one_good_signature_among_several_is_enough():
    delivery = sent("standard-webhooks")
    good = delivery.headers["webhook-signature"]
    assert _verify("standard-webhooks", _with(delivery, webhook_signature=f"v1,AAAA v2,x {good} v1a,BBBB"))
    stripe = sent("stripe")
    assert _verify("stripe", _with(stripe, stripe_signature=stripe.headers["stripe-signature"] + ",v0=ff,v1=00"))
    pagerduty = sent("pagerduty")
    listed = "v1=00," + pagerduty.headers["x-pagerduty-signature"]
    assert _verify("pagerduty", _with(pagerduty, x_pagerduty_signature=listed))
    box = sent("box")
    second = {"box-signature-secondary": box.headers["box-signature-primary"], "box-signature-primary": "AAAA"}
    assert _verify("box", replace(box, headers={**box.headers, **second}))


def test_more_signatures_than_anyone_sends_are_not_tried():
    delivery = sent("standard-webhooks")
    many = " ".join(["v1,AAAA"] * 40 + [delivery.headers["webhook-signature"]])
    with pytest.raises(SignatureWrongError):
        _verify("standard-webhooks", _with(delivery, webhook_signature=many))


def test_standard_webhooks_with_an_ed25519_key():
    delivery = sent("standard-webhooks")
    stamp = delivery.headers["webhook-timestamp"].encode()
    signature = base64.b64encode(ED25519.sign(b"msg_1." + stamp + b"." + delivery.body)).decode()
    signed = _with(delivery, webhook_signature=f"v1a,{signature}")
    public = "whpk_" + base64.b64encode(ED25519_PUBLIC).decode()
    verified = _verify("standard-webhooks", signed, {"secret": WHSEC, "previous": [public]})
    assert (verified.delivery_id, verified.id_is_signed) == ("msg_1", True)
    with pytest.raises(SignatureWrongError):
        _verify("standard-webhooks", replace(signed, body=b"{}"), {"secret": public})


def test_a_public_key_never_serves_as_a_shared_secret():
    delivery = sent("standard-webhooks")
    public = "whpk_" + base64.b64encode(ED25519_PUBLIC).decode()
    stamp = delivery.headers["webhook-timestamp"].encode()
    content = b"msg_1." + stamp + b"." + delivery.body
    for key in (public.encode(), ED25519_PUBLIC):
        forged = _with(delivery, webhook_signature="v1," + b64ed(content, key=key))
        with pytest.raises(SignatureWrongError):
            _verify("standard-webhooks", forged, {"secret": public})


def test_the_delivery_id_says_whether_it_is_signed():
    signed = _verify("standard-webhooks", sent("standard-webhooks"))
    assert (signed.delivery_id, signed.id_is_signed) == ("msg_1", True)
    github = _verify("github", _with(sent("github"), x_github_delivery="72d3162e"))
    assert (github.delivery_id, github.id_is_signed) == ("72d3162e", False)
    assert _verify("github", sent("github")).delivery_id is None
    assert _verify("github", _with(sent("github"), x_github_delivery="x" * 300)).delivery_id is None
    assert _verify("shopify", _with(sent("shopify"), x_shopify_event_id="e-1")).delivery_id == "e-1"


def test_a_row_trusts_no_time_and_no_id_that_it_does_not_sign():
    for name, row in SCHEMES.items():
        if not isinstance(row, Signed):
            continue
        fields = {part for part in content_parts(row.content) if isinstance(part, str)}
        assert fields & {"body", "body_sha256"}, name
        assert ("timestamp" in fields) == (row.time is not None and not isinstance(row.time, BodyTime)), name
        assert ("id" in fields) == (row.delivery_id is not None and row.delivery_id.signed), name
        assert ("url" in row.options) == bool(fields & {"url", "decoded_url"}), name


def test_a_token_in_the_usual_header_or_in_a_named_one():
    def at(**headers):
        return Delivery("POST", "/", "", {name.replace("_", "-"): value for name, value in headers.items()}, b"")

    secret = {"token": "t0k€n", "previous": ["old"]}
    assert verify("token", {}, secret, at(authorization="Bearer t0k€n"), now=NOW)
    assert verify("token", {}, secret, at(authorization="bearer old"), now=NOW)
    named = {"header": "X-Api-Key", "id_header": "X-Id"}
    assert verify("token", named, secret, at(x_api_key="old", x_id="9"), now=NOW).delivery_id == "9"
    assert (
        verify("gitlab", {}, {"secret": "g"}, at(x_gitlab_token="g", idempotency_key="k"), now=NOW).delivery_id == "k"
    )
    for wrong in ("Bearer t0k€", "Bearer t0k€nn", "t0k€n", "Bearer  t0k€n", "Bearer ", "Basic t0k€n"):
        with pytest.raises(SignatureWrongError):
            verify("token", {}, secret, at(authorization=wrong), now=NOW)
    with pytest.raises(SignatureMissingError):
        verify("token", named, secret, at(authorization="Bearer t0k€n"), now=NOW)


def test_a_user_name_and_a_password():
    secret = {"username": "ann", "password": "pä:ss", "previous": ["before"]}

    def shown(text, scheme="Basic"):
        return Delivery("POST", "/", "", {"authorization": f"{scheme} {base64.b64encode(text.encode()).decode()}"}, b"")

    assert verify("basic", {}, secret, shown("ann:pä:ss"), now=NOW)
    assert verify("basic", {}, secret, shown("ann:before", "basic"), now=NOW)
    for wrong in ("ann:pä:s", "ann:", "an:pä:ss", "annpä:ss", ":pä:ss", "ann:pä:ss "):
        with pytest.raises(SignatureWrongError):
            verify("basic", {}, secret, shown(wrong), now=NOW)
    with pytest.raises(SignatureMissingError):
        verify("basic", {}, secret, Delivery("POST", "/", "", {}, b""), now=NOW)
    with pytest.raises(CredentialUnfitError):
        verify("basic", {}, {"username": "a:b", "password": "p"}, shown("a:b:p"), now=NOW)


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        ("github", {}),
        ("github", {"secret": ""}),
        ("github", {"secret": 7}),
        ("github", {"token": "x"}),
        ("github", {"secret": "x", "previous": [""]}),
        ("github", {"secret": "x", "previous": [3]}),
        ("standard-webhooks", {"secret": "whsec_"}),
        ("standard-webhooks", {"secret": "whsec_not base64!"}),
        ("standard-webhooks", {"secret": "whsk_AAAA"}),
        ("standard-webhooks", {"secret": "whpk_AAAA"}),
        ("adyen-header", {"secret": "not hex"}),
        ("discord", {"secret": "abcd"}),
        ("discord", {"secret": "é"}),
        ("sendgrid", {"secret": "AAAA"}),
        ("sendgrid", {"secret": base64.b64encode(ED25519_PUBLIC).decode()}),
    ],
)
def test_a_credential_that_cannot_verify_is_named_as_such_and_never_shown(scheme, secret):
    delivery = sent(scheme)
    if secret.get("secret") == "whpk_AAAA":
        delivery = _with(delivery, webhook_signature="v1a,AAAA")
    with pytest.raises(CredentialUnfitError) as caught:
        verify(scheme, {}, secret, delivery, now=NOW)
    shown = [text for text in map(str, secret.values()) if len(text) > 6 and text in str(caught.value)]
    assert shown == []


def test_a_wrong_signature_does_not_show_the_right_one():
    with pytest.raises(SignatureWrongError) as caught:
        _verify("github", _with(sent("github"), x_hub_signature_256="sha256=00"))
    assert hexed(SENDERS["github"].body) not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_unknown_scheme_is_answered_with_those_that_exist():
    with pytest.raises(UsageError, match=r"github.*hmac.*slack.*standard-webhooks.*stripe"):
        verify("gihub", {}, {"secret": "x"}, sent("github"), now=NOW)
    for question in (scheme_options, scheme_fields):
        with pytest.raises(UsageError, match="gihub"):
            question("gihub")


def test_what_a_scheme_needs_can_be_asked():
    assert scheme_fields("github") == scheme_fields("hmac") == ("secret",)
    assert scheme_fields("token") == ("token",)
    assert scheme_fields("basic") == ("username", "password")
    assert not scheme_options("square")["url"].required
    assert dict(scheme_options("basic")) == dict(scheme_options("github")) == {}
    assert scheme_options("hmac")["algorithm"].choices == ("sha1", "sha256", "sha384", "sha512")
    for name in scheme_names():
        scheme_options(name)
        assert scheme_fields(name)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tolerance": 3}, "tolerance"),
        ({"algorithm": "md5"}, "algorithm"),
        ({"algorithm": 1}, "algorithm"),
        ({"window_seconds": 0}, "window_seconds"),
        ({"window_seconds": True}, "window_seconds"),
        ({"window_seconds": 10**9}, "window_seconds"),
        ({"window_seconds": "300"}, "window_seconds"),
        ({"header": "X Sig"}, "X Sig"),
        ({"template": "{timestamp}.{body}"}, "timestamp_header"),
        ({"template": "{id}.{body}"}, "id_header"),
        ({"template": "{url}{body}"}, "url"),
        ({"template": "{timestamp}", "timestamp_header": "x-t"}, "body"),
        ({"template": "static"}, "body"),
        ({"template": "{body"}, "brace"),
        ({"template": "{nonsense}{body}"}, "nonsense"),
        ({"timestamp_header": "x-t"}, "not signed"),
    ],
)
def test_options_that_make_no_sense_or_prove_nothing_are_refused_by_name(options, named):
    with pytest.raises(UsageError, match=named):
        verify("hmac", options, {"secret": "x"}, sent("github"), now=NOW)


def test_a_fixed_scheme_takes_no_options_and_square_needs_its_url_from_the_flow_or_the_deployment():
    with pytest.raises(UsageError, match="window_seconds"):
        verify("github", {"window_seconds": 10}, {"secret": "x"}, sent("github"), now=NOW)
    with pytest.raises(UsageError, match="PENSTOCK_URL"):
        verify("square", {}, {"secret": "x"}, sent("square"), now=NOW)
    known = replace(sent("square"), url=SENDERS["square"].options["url"])
    assert verify("square", {}, {"secret": SECRET}, known, now=NOW)


def test_generic_hmac_by_default_is_the_hexadecimal_sha256_of_the_body():
    delivery = Delivery("POST", "/", "", {"x-signature": hexed(b"hello")}, b"hello")
    assert verify("hmac", {}, {"secret": SECRET}, delivery, now=NOW).signed_at is None
    with pytest.raises(SignatureWrongError):
        verify("hmac", {}, {"secret": SECRET}, _with(delivery, x_signature=hexed(b"hello").upper()), now=NOW)


def test_generic_hmac_over_the_whole_request():
    options = {
        "template": "{method} {path}?{query} {url}\n{body_sha256}",
        "url": "https://a.example/h",
        "algorithm": "sha1",
    }
    import hashlib

    content = b"PUT /h?x=1 https://a.example/h?x=1\n" + hashlib.sha256(b"b").digest()
    delivery = Delivery("PUT", "/h", "x=1", {"x-signature": hexed(content, "sha1")}, b"b")
    assert verify("hmac", options, {"secret": SECRET}, delivery, now=NOW)
    with pytest.raises(SignatureWrongError):
        verify("hmac", options, {"secret": SECRET}, replace(delivery, method="POST"), now=NOW)


def test_zooms_misprinted_sample_is_a_wrong_signature():
    delivery = _with(sent("zoom"), x_zm_signature="v0=a05d830fa017433bc47887f835a00b9ff33d3882f22f63a2986a8es270341")
    with pytest.raises(SignatureWrongError):
        _verify("zoom", delivery)
