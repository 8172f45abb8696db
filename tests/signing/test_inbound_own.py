"""Senders with a way of their own: what is accepted, what is refused, and with which error."""

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key

from chalicelib.errors import (
    CredentialUnfitError,
    DeliveryStaleError,
    SignatureMissingError,
    SignatureWrongError,
    UsageError,
)
from chalicelib.signing.inbound import Delivery, certificate_url, scheme_fields, verify
from chalicelib.signing.inbound_certificates import confirmation_url
from chalicelib.signing.inbound_own import OWN
from tests.signing.own_senders import (
    CERT_URL,
    OWN_SENDERS,
    PAYPAL_CERT_URL,
    SNS_CERTIFICATE,
    TOPIC,
    adyen,
    adyen_item,
    certificate,
    sns,
)
from tests.signing.senders import HEX_RAW, NOW, SECRET, URL, b64ed, hexed

DECLARED = (SignatureMissingError, SignatureWrongError, DeliveryStaleError)
NAMES = sorted(OWN_SENDERS)


def _verify(name, delivery, secret=None, *, now=NOW, certificate=None, **options):
    sender = OWN_SENDERS[name]
    given = sender.certificate if certificate is None else certificate
    fields = secret or sender.secret
    return verify(sender.scheme, {**sender.options, **options}, fields, delivery, now=now, certificate=given)


def _sns(delivery, **more):
    return _verify("aws-sns, version 2", delivery, **more)


def test_every_row_has_a_sender_here():
    assert {sender.scheme for sender in OWN_SENDERS.values()} == set(OWN)


@pytest.mark.parametrize("name", NAMES)
def test_a_delivery_as_its_sender_signs_it_is_accepted(name):
    sender = OWN_SENDERS[name]
    assert _verify(name, sender.deliver(NOW)).signed_at == (NOW if sender.window else None)


@pytest.mark.parametrize("name", [name for name in NAMES if OWN_SENDERS[name].window])
def test_the_window_is_open_on_both_sides_and_shut_beyond(name):
    window = OWN_SENDERS[name].window
    delivery = OWN_SENDERS[name].deliver(NOW)
    for seconds in (-window, window):
        assert _verify(name, delivery, now=NOW + timedelta(seconds=seconds)).signed_at == NOW
    for seconds in (-window - 1, window + 1):
        with pytest.raises(DeliveryStaleError):
            _verify(name, delivery, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("name", NAMES)
def test_every_secret_of_a_rotation_is_tried_and_no_other(name):
    sender = OWN_SENDERS[name]
    (field,) = scheme_fields(sender.scheme)
    other = {"adyen-standard": "00ff", "rfc9421": "AAAA"}.get(sender.scheme, "another")
    delivery, current = sender.deliver(NOW), sender.secret[field]
    assert _verify(name, delivery, {field: other, "previous": current})
    assert _verify(name, delivery, {field: other, "previous": [other, current]})
    with pytest.raises(SignatureWrongError):
        _verify(name, delivery, {field: other, "previous": [other]})
    for unfit in ({"nothing": "x"}, {field: ""}):
        with pytest.raises(CredentialUnfitError):
            _verify(name, delivery, unfit)


@pytest.mark.parametrize("name", NAMES)
def test_a_delivery_without_its_signature_says_so(name):
    sender = OWN_SENDERS[name]
    delivery = sender.deliver(NOW)
    if sender.header:
        without = replace(delivery, headers={n: v for n, v in delivery.headers.items() if n != sender.header})
    else:
        body = json.loads(delivery.body)
        at = body
        for step in sender.body_field[:-1]:
            at = at[step]
        del at[sender.body_field[-1]]
        without = replace(delivery, body=json.dumps(body).encode())
    expected = SignatureWrongError if name == "mailgun" else SignatureMissingError
    with pytest.raises(expected):
        _verify(name, without)


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_sent_only_the_declared_errors_are_raised(name):
    sender, dice = OWN_SENDERS[name], random.Random(name)
    genuine = sender.deliver(NOW)
    junk = [
        "", " ", "\x00", "é", "\ud800", "=", "v1,", "sig1=", "sig1=()", "sig1=(" * 900, "-1", "9" * 5000, "a" * 100_000, "0001-01-01T00:00:00+23:59",
        "https://example.com/x.pem", "A" * 300, "x-contentful-signed-headers,x-contentful-timestamp", ",,,", "sig1=:AAAA:", "sig1=();created=99999999999",
    ]  # fmt: skip
    bodies = [
        b"", b"\xff", b"[" * 100_000, b"null", b"7", b"{}", b'{"a":1,"a":2}', b'{"signature":7}', b"&&&", b"a=%zz", b"a=%FF", b"%", b"a=1&" * 5000,
        b'{"notificationItems":[]}', b'{"notificationItems":[{}]}', b'{"notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":"a"},"amount":[1],"success":{}}}]}',
        b'{"signature":{"timestamp":1e999,"token":[],"signature":"\xc3\xa9"}}', b'{"Signature":"a","SignatureVersion":"2","Type":[]}', b"1" * 6000,
        b'{"Signature":"a","SignatureVersion":["2"],"Type":"Notification"}', b'{"Signature":"AAAA","SignatureVersion":"1","Type":"Notification","Message":7}', genuine.body,
    ]  # fmt: skip
    refused = 0
    for _ in range(200):
        headers = dict(genuine.headers)
        for each in dice.sample(sorted(headers), dice.randint(0, len(headers))):
            headers[each] = dice.choice(junk)
        body = dice.choice(bodies)
        query = dice.choice(("", "%", "a=%ff&b", "&" * 2000, "\ud800=1", "bodySHA256=x&bodySHA256=y"))
        if body == genuine.body:
            continue
        with pytest.raises(DECLARED):
            _verify(name, Delivery("POST", "/", query, headers, body, URL), certificate=dice.choice((b"", None)))
        refused += 1
    assert refused > 100


def test_twilio_is_read_with_and_without_the_usual_port():
    form = b"a=1"
    for url, signed in (
        ("https://x.example/h", "https://x.example:443/h"),
        ("https://x.example:443/h", "https://x.example/h"),
        ("http://x.example/h", "http://x.example:80/h"),
    ):
        headers = {"x-twilio-signature": b64ed(f"{signed}a1".encode(), "sha1")}
        delivery = Delivery("POST", "/h", "", headers, form)
        assert verify("twilio", {"url": url}, {"secret": SECRET}, delivery, now=NOW)
        with pytest.raises(SignatureWrongError):
            verify("twilio", {"url": "https://y.example/h"}, {"secret": SECRET}, delivery, now=NOW)


def test_twilios_idempotency_token_is_an_id_that_nothing_vouches_for():
    delivery = OWN_SENDERS["twilio, a form"].deliver(NOW)
    named = replace(delivery, headers={**delivery.headers, "i-twilio-idempotency-token": "t-1"})
    verified = _verify("twilio, a form", named)
    assert (verified.delivery_id, verified.id_is_signed) == ("t-1", False)


def test_a_url_that_nobody_knows_is_asked_for():
    delivery = replace(OWN_SENDERS["mandrill"].deliver(NOW), url="")
    with pytest.raises(UsageError, match="PENSTOCK_URL"):
        _verify("mandrill", delivery)
    assert _verify("mandrill", delivery, url=URL)


def test_a_form_in_another_spelling_than_a_senders_is_refused():
    signature = b64ed(f"{URL}a/b1".encode(), "sha1")

    def delivery(body):
        return Delivery("POST", "/h", "", {"x-mandrill-signature": signature}, body, URL)

    assert _verify("mandrill", delivery(b"a%2Fb=1"))
    assert _verify("mandrill", delivery(b"a/b=1"))
    for body in (b"a%2fb=1", b"a%2Fb=1&", b"&a%2Fb=1", b"a%2Fb=1&b", b"a/b=1\n", b"a/b =1"):
        with pytest.raises(SignatureWrongError):
            _verify("mandrill", delivery(body))


def test_mailgun_also_sends_forms():
    stamp, token = str(int(NOW.timestamp())), "t0k3n"
    signature = hexed((stamp + token).encode())
    body = f"event=opened&timestamp={stamp}&token={token}&signature={signature}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    delivery = Delivery("POST", "/h", "", headers, body.encode())
    verified = _verify("mailgun", delivery)
    assert (verified.delivery_id, verified.id_is_signed) == (token, True)
    for changed in (f"{body}&token={token}", body.replace("t0k3n", "t0k3m"), "event=opened"):
        with pytest.raises(DECLARED):
            _verify("mailgun", replace(delivery, body=changed.encode()))


def test_every_one_of_adyens_notifications_must_be_signed():
    good, other = adyen_item(), adyen_item(pspReference="8", merchantReference="a:b\\c")
    secret = {"secret": HEX_RAW.hex()}
    assert verify("adyen-standard", {}, secret, adyen([good, other]), now=NOW).delivery_id is None
    single = verify("adyen-standard", {}, secret, adyen([good]), now=NOW)
    assert (single.delivery_id, single.id_is_signed) == ("7914073381342284:AUTHORISATION", False)
    forged = {**other, "success": "false"}
    with pytest.raises(SignatureWrongError):
        verify("adyen-standard", {}, secret, adyen([good, forged]), now=NOW)
    for none in ([], [good] * 101):
        with pytest.raises(SignatureMissingError):
            verify("adyen-standard", {}, secret, adyen(none), now=NOW)


def test_contentful_must_have_signed_its_time_and_its_list():
    delivery = OWN_SENDERS["contentful"].deliver(NOW)
    for listed in ("content-type", "x-contentful-signed-headers", "x-contentful-timestamp,x-contentful-timestamp"):
        with pytest.raises(SignatureWrongError, match="must name itself"):
            _verify(
                "contentful", replace(delivery, headers={**delivery.headers, "x-contentful-signed-headers": listed})
            )
    gone = {name: value for name, value in delivery.headers.items() if name != "x-contentful-topic"}
    with pytest.raises(SignatureWrongError, match="x-contentful-topic"):
        _verify("contentful", replace(delivery, headers=gone))


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.s3-us-west-2.amazonaws.com/a.pem",
        "https://sns.s3.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/a.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com:444/a.pem",
        "https://sns.eu-central-1.amazonaws.com/a.pem?x",
        "https://sns.eu-central-1.amazonaws.com/a.pem\n",
        "https://sns.eu-central-1.amazonaws.com/a.txt",
        "https://sns.eu-central-1.amazonaws.com/../a/b.pem",
        "https://SNS.eu-central-1.amazonaws.com/a.pem",
        "https://s3.eu-central-1.amazonaws.com/a.pem",
        "https://xsns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com.de/a.pem",
        "https://sns.eu-central-1.amazonaws.cn/a.pem",
        PAYPAL_CERT_URL,
    ],
)
def test_a_certificate_anywhere_but_at_sns_is_never_fetched(url):
    with pytest.raises(SignatureWrongError, match="address"):
        certificate_url("aws-sns", {"topic": TOPIC}, sns(SigningCertURL=url))


def test_a_certificate_at_sns_is_fetched_from_there():
    for region in ("eu-central-1", "us-gov-west-1", "ap-southeast-3", "us-iso-east-1"):
        url = CERT_URL.replace("eu-central-1", region)
        assert certificate_url("aws-sns", {"topic": TOPIC}, sns(SigningCertURL=url)) == url
    foreign = {"topic": "arn:aws:sns:eu-central-1:999999999999:orders"}
    with pytest.raises(SignatureWrongError, match="another topic"):
        certificate_url("aws-sns", foreign, sns())
    china = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0.pem"
    assert certificate_url("aws-sns", {"topic": TOPIC}, sns(SigningCertURL=china)) == china
    assert certificate_url("github", {"secret": "s"}, sns()) is None
    with pytest.raises(SignatureMissingError, match="raw message delivery"):
        certificate_url("aws-sns", {"topic": TOPIC}, replace(sns(), body=b"{}"))


@pytest.mark.parametrize(
    "url", ["https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1", "https://evil.example/CERT-1",
            "https://api.paypal.com/v1/notifications/certs/CERT-1/../x", "http://api.paypal.com/v1/notifications/certs/CERT-1", CERT_URL]
)  # fmt: skip
def test_a_certificate_anywhere_but_at_paypal_is_never_fetched(url):
    delivery = OWN_SENDERS["paypal"].deliver(NOW)
    assert certificate_url("paypal", {"webhook_id": "1"}, delivery) == PAYPAL_CERT_URL
    for host in ("api-m.paypal.com", "api.sandbox.paypal.com", "api-m.sandbox.paypal.com"):
        there = PAYPAL_CERT_URL.replace("api.paypal.com", host)
        headers = {**delivery.headers, "paypal-cert-url": there}
        assert certificate_url("paypal", {"webhook_id": "1"}, replace(delivery, headers=headers)) == there
    with pytest.raises(SignatureWrongError, match="address"):
        certificate_url(
            "paypal", {"webhook_id": "1"}, replace(delivery, headers={**delivery.headers, "paypal-cert-url": url})
        )


def test_the_certificate_must_be_snss_and_good_at_the_given_moment():
    day = timedelta(days=1)
    for name in (
        "sns-cn-north-1.amazonaws.com.cn",
        "sns-us-gov-west-1.amazonaws.com",
        "sns-signing.af-south-1.amazonaws.com",
        "sns-signing.ap-southeast-5.amazonaws.com",
    ):
        assert _sns(sns(), certificate=certificate(name))
    elsewhere = generate_rsa_key(65537, 2048)
    weak = generate_rsa_key(65537, 1024)
    for pem, says in (
        (certificate("sns.amazonaws.com", begins=NOW - 3 * day, ends=NOW - day), "out of date"),
        (certificate("sns.amazonaws.com", begins=NOW + day, ends=NOW + 2 * day), "out of date"),
        (certificate("evil.example"), "not the sender's"),
        (certificate("xsns.amazonaws.com"), "not the sender's"),
        (certificate("sns.amazonaws.com.evil.example"), "not the sender's"),
        (certificate("s3.amazonaws.com"), "not the sender's"),
        (certificate("sns.amazonaws.com", key=generate_private_key(SECP256R1())), "not RSA"),
        (certificate("sns.amazonaws.com", key=weak), "2048"),
        (certificate("sns.amazonaws.com", key=elsewhere), "does not match"),
        (b"", "no certificate"),
        (b"<html>", "no certificate"),
        (SNS_CERTIFICATE[:300], "no certificate"),
    ):
        with pytest.raises(SignatureWrongError, match=says):
            _sns(sns(), certificate=pem)


def test_another_topic_than_the_credentials_is_refused_however_well_it_is_signed():
    foreign = sns(TopicArn="arn:aws:sns:eu-central-1:999999999999:orders")
    with pytest.raises(SignatureWrongError, match="another topic"):
        _sns(foreign)
    both = {"topic": "arn:aws:sns:eu-central-1:999999999999:orders", "previous": TOPIC}
    assert _sns(foreign, secret=both)
    assert _sns(sns(), secret=both)


def test_a_version_does_not_pass_for_the_other_and_only_what_sns_documents_is_read():
    one = json.loads(sns(version="1").body)
    for change in ({"SignatureVersion": "2"}, {"SignatureVersion": "3"}, {"SignatureVersion": 1}, {"Type": "Other"}):
        with pytest.raises(SignatureWrongError):
            _sns(replace(sns(), body=json.dumps({**one, **change}).encode()))


def test_a_message_without_a_subject_and_a_confirmation_are_signed_too():
    assert _sns(sns(Subject=None)).delivery_id == "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"
    assert _sns(sns(kind="SubscriptionConfirmation")).id_is_signed
    assert _sns(sns(kind="UnsubscribeConfirmation"))


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://evil.example/?Action=ConfirmSubscription",
        "http://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + TOPIC,
        "https://sns.s3-us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + TOPIC,
        "https://sns.eu-central-1.amazonaws.com/?Action=DeleteTopic&TopicArn=" + TOPIC,
        "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:9:other",
        f"https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Action=DeleteTopic&TopicArn={TOPIC}",
        f"https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}#x",
        f"https://sns.eu-central-1.amazonaws.com:444/?Action=ConfirmSubscription&TopicArn={TOPIC}",
    ],
)
def test_a_subscription_is_confirmed_nowhere_but_at_sns(url):
    with pytest.raises(SignatureWrongError):
        confirmation_url({"SubscribeURL": url, "TopicArn": TOPIC})


def test_a_subscription_is_confirmed_where_sns_says():
    message = json.loads(sns(kind="SubscriptionConfirmation").body)
    assert confirmation_url(message) == message["SubscribeURL"]
