"""What senders ask before they send, and what is fetched at their hosts: nobody starts an execution by asking."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from chalicelib.api.sender_hosts import MOST_A_MINUTE, MOST_KEPT
from chalicelib.errors import TimedOutError
from chalicelib.ports import HttpAnswer
from tests.api.house import NOW, STEPS, House, loaded, refused
from tests.signing.own_senders import CERT_URL, PAYPAL_CERT_URL, TOPIC, certificate, sns
from tests.signing.senders import ED25519, ED25519_PUBLIC

SECRET = "a plain secret"
TARGET = "/hooks/shop/placed"
PEM = certificate("sns.amazonaws.com", begins=NOW - timedelta(days=30), ends=NOW + timedelta(days=30))
STAMP = str(int(NOW.timestamp()))


def _house(scheme, credential="text", **fields):
    house = House()
    if fields:
        house.credentials.known[credential] = fields
    house.publish(
        "flow: shop\ntriggers:\n  placed:\n    uses: webhook\n    respond: accepted\n"
        f"    verify: {{scheme: {scheme}, credential: {credential}}}\n" + STEPS
    )
    return house


def _hex(text, secret=SECRET):
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def _post(house, body, headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = headers(body) if callable(headers) else headers
    return house.send("POST", TARGET, body, headers={"content-type": "application/json", **headers})


def _v0(signature, stamp, secret=SECRET):
    return lambda body: {signature: f"v0={_hex(f'v0:{STAMP}:'.encode() + body, secret)}", stamp: STAMP}


SLACK = _v0("x-slack-signature", "x-slack-request-timestamp")
ZOOM = _v0("x-zm-signature", "x-zm-request-timestamp")


def _is_plain_text(answer, text):
    assert (answer.status, answer.body) == (200, text.encode())
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("x-content-type-options") == "nosniff"
    assert "sandbox" in answer.header("content-security-policy")


def test_slack_is_answered_once_its_question_is_verified():
    house = _house("slack")
    question = {"type": "url_verification", "challenge": "3eZbrw1aB1", "token": "t"}
    _is_plain_text(_post(house, question, SLACK), "3eZbrw1aB1")
    refused(
        _post(house, question, _v0("x-slack-signature", "x-slack-request-timestamp", "other")), 401, "signature_wrong"
    )
    refused(_post(house, {**question, "challenge": "<script>\n"}, SLACK), 401, "signature_missing")
    assert house.door.knocks == []
    assert _post(house, {"type": "event_callback", "challenge": "x"}, SLACK).status == 202


def test_meta_is_answered_where_it_shows_the_verify_token():
    house = _house("meta-whatsapp", secret=SECRET, verify_token="v-t0ken")

    def asked(token="v-t0ken", mode="subscribe", challenge="1158201444"):
        target = f"{TARGET}?hub.mode={mode}&hub.verify_token={token}&hub.challenge={challenge}"
        return house.send("GET", target)

    _is_plain_text(asked(), "1158201444")
    for wrong in ("v-t0keN", "", "v-t0ken1"):
        refused(asked(wrong), 401, "signature_wrong")
    refused(asked(mode="unsubscribe"), 405, "method_not_allowed")
    refused(asked(challenge="a%20b"), 401, "signature_missing")
    refused(asked(challenge=""), 401, "signature_missing")
    assert house.door.knocks == []


def test_meta_needs_its_verify_token_in_the_credential():
    house = _house("meta-whatsapp", secret=SECRET)
    answer = house.send("GET", f"{TARGET}?hub.mode=subscribe&hub.verify_token=&hub.challenge=1")
    assert loaded(refused(answer, 500, "setting") and answer)["detail"].endswith("The server's log says why.")


@pytest.mark.parametrize("which", ["secret", "previous"])
def test_zoom_is_answered_with_the_secret_that_signed_its_question(which):
    house = _house("zoom", **{"secret": "another", "previous": "a third", which: SECRET})
    question = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}
    answer = _post(house, question, ZOOM)
    assert loaded(answer) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": _hex(b"qgg8vlvZRS6UYooatFL8Aw"),
    }
    assert house.door.knocks == []


def test_zoom_cannot_be_used_to_have_a_delivery_signed():
    house = _house("zoom")
    question = {"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}
    refused(_post(house, question, _v0("x-zm-signature", "x-zm-request-timestamp", "o")), 401, "signature_wrong")
    refused(_post(house, question, {}), 401, "signature_missing")
    for plain in (f"v0:{STAMP}:{{}}", "", "a" * 201, 7, None):
        asked = {"event": "endpoint.url_validation", "payload": {"plainToken": plain}}
        refused(_post(house, asked, ZOOM), 401, "signature_wrong")
    assert house.door.knocks == []


def test_notion_is_answered_where_its_token_is_the_credentials_secret():
    token = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"
    house = _house("notion", secret="another", previous=token)
    assert _post(house, {"verification_token": token}, {}).status == 200
    refused(_post(house, {"verification_token": "secret_other"}, {}), 401, "signature_wrong")
    refused(_post(house, {"verification_token": token, "type": "page.created"}, {}), 401, "signature_missing")

    def signed(body):
        return {"x-notion-signature": f"sha256={_hex(body, token)}"}

    assert _post(house, {"verification_token": token}, signed).status == 200
    assert house.door.knocks == []
    assert _post(house, {"type": "page.created"}, signed).status == 202


def test_dropbox_is_echoed_as_text_that_is_no_page():
    house = _house("dropbox")
    _is_plain_text(house.send("GET", f"{TARGET}?challenge=abc-123"), "abc-123")
    refused(house.send("GET", f"{TARGET}?challenge=a%0Ab"), 401, "signature_missing")
    refused(house.send("GET", f"{TARGET}?challenge={'a' * 1001}"), 401, "signature_missing")
    refused(house.send("GET", TARGET), 405, "method_not_allowed")
    assert house.door.knocks == []


def test_discords_ping_is_answered_and_a_forged_one_refused():
    house = _house("discord", secret=ED25519_PUBLIC.hex())

    def signed(body):
        return {"x-signature-timestamp": STAMP, "x-signature-ed25519": ED25519.sign(STAMP.encode() + body).hex()}

    answer = _post(house, {"type": 1}, signed)
    assert (answer.status, loaded(answer)) == (200, {"type": 1})
    refused(_post(house, {"type": 1}, {**signed(b"{}")}), 401, "signature_wrong")
    refused(_post(house, {"type": 1}, {}), 401, "signature_missing")
    assert house.door.knocks == []
    assert _post(house, {"type": 2}, signed).status == 202


def test_twitch_is_echoed_once_its_question_is_verified():
    house = _house("twitch")
    name = "twitch-eventsub-message-"
    at = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")

    def signed(body):
        signature = f"sha256={_hex(b'm-1' + at.encode() + body)}"
        kind = {f"{name}type": "webhook_callback_verification"}
        return {f"{name}id": "m-1", f"{name}timestamp": at, f"{name}signature": signature, **kind}

    _is_plain_text(_post(house, {"challenge": "pogchamp-kappa-360noscope"}, signed), "pogchamp-kappa-360noscope")
    refused(_post(house, {"challenge": "x"}, {**signed(b"{}")}), 401, "signature_wrong")
    assert house.door.knocks == []


def test_a_scheme_without_a_question_answers_none():
    house = _house("github")
    refused(house.send("GET", f"{TARGET}?challenge=abc&hub.mode=subscribe&hub.challenge=1"), 405, "method_not_allowed")
    refused(_post(house, {"verification_token": "x"}, {}), 401, "signature_missing")


def test_a_disabled_flow_answers_no_question():
    house = _house("dropbox")
    house.send("POST", "/api/v1/flows/shop/disable", role="operator")
    house.plans.forget("main", "shop")
    assert house.send("GET", f"{TARGET}?challenge=abc").status == 409


def _topic(**answers):
    house = _house("aws-sns", topic=TOPIC)
    house.http.answers = {CERT_URL: HttpAnswer(200, (), PEM), **answers}
    return house


def _deliver(house, delivery):
    return house.send("POST", TARGET, delivery.body, headers=dict(delivery.headers))


def test_an_sns_message_starts_an_execution_with_its_json_and_its_certificate_is_fetched_once():
    house = _topic()
    assert _deliver(house, sns(NOW)).status == 202
    assert _deliver(house, sns(NOW, MessageId="two")).status == 202
    assert [request.url for request in house.http.sent] == [CERT_URL]
    first, second = house.door.knocks
    assert (first.key, second.key) == ("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "two")
    assert first.document["body"]["Message"] == '{"id": 1}\nand more'
    house.clock.moment += timedelta(hours=25)
    _deliver(house, sns(house.clock.moment))
    assert len(house.http.sent) == 2


def test_a_subscription_is_confirmed_once_the_message_is_verified():
    question = sns(NOW, kind="SubscriptionConfirmation")
    url = json.loads(question.body)["SubscribeURL"]
    house = _topic(**{url: HttpAnswer(200, (), b"<ConfirmSubscriptionResponse/>")})
    assert _deliver(house, question).status == 200
    assert [request.url for request in house.http.sent] == [CERT_URL, url]
    assert house.door.knocks == []
    assert _deliver(house, sns(NOW, kind="UnsubscribeConfirmation")).status == 200
    assert len(house.http.sent) == 2


def test_nothing_is_confirmed_that_is_not_verified_or_lies_elsewhere():
    house = _topic()
    forged = json.loads(sns(NOW, kind="SubscriptionConfirmation").body)
    forged["SubscribeURL"] = forged["SubscribeURL"].replace("2336412f37", "0000000000")
    answer = house.send("POST", TARGET, json.dumps(forged).encode())
    refused(answer, 401, "signature_wrong")
    # Signed with a key that fits, and yet no host of SNS.
    refused(
        _deliver(house, sns(NOW, kind="SubscriptionConfirmation", SubscribeURL="https://evil.example/?x")),
        401,
        "signature_wrong",
    )
    other = "arn:aws:sns:eu-central-1:999999999999:orders"
    refused(_deliver(house, sns(NOW, kind="SubscriptionConfirmation", TopicArn=other)), 401, "signature_wrong")
    assert {request.url for request in house.http.sent} == {CERT_URL}


def test_a_confirmation_that_sns_refuses_or_cannot_answer_is_not_called_confirmed():
    question = sns(NOW, kind="SubscriptionConfirmation")
    url = json.loads(question.body)["SubscribeURL"]
    for answer, status, code in (
        (HttpAnswer(400, (), b""), 401, "signature_wrong"),
        (HttpAnswer(503, (), b""), 502, "service"),
        (TimedOutError(), 504, "timeout"),
    ):
        refused(_deliver(_topic(**{url: answer}), question), status, code)


def test_a_certificate_elsewhere_is_never_fetched():
    house = _topic()
    for url in ("https://evil.example/a.pem", "https://sns.s3-us-west-2.amazonaws.com/a.pem", PAYPAL_CERT_URL):
        refused(_deliver(house, sns(NOW, SigningCertURL=url)), 401, "signature_wrong")
    assert house.http.sent == []


def test_an_address_without_a_certificate_is_remembered_for_a_minute():
    house = _topic()
    made_up = CERT_URL.replace("0123", "ffff")
    for _ in range(3):
        refused(_deliver(house, sns(NOW, SigningCertURL=made_up)), 401, "signature_wrong")
    assert len(house.http.sent) == 1
    house.clock.moment += timedelta(seconds=61)
    refused(_deliver(house, sns(house.clock.moment, SigningCertURL=made_up)), 401, "signature_wrong")
    assert len(house.http.sent) == 2


def test_made_up_addresses_neither_make_us_call_out_without_end_nor_push_out_those_in_use():
    house = _topic()
    assert _deliver(house, sns(NOW)).status == 202
    codes = []
    for number in range(MOST_A_MINUTE + 20):
        answer = _deliver(house, sns(NOW, SigningCertURL=CERT_URL.replace("0123", f"{number:04d}9")))
        codes.append(loaded(answer)["code"])
    assert len(house.http.sent) == MOST_A_MINUTE
    assert codes.count("worker_mishap") == 21
    assert len(house.tools.sender_hosts._kept) == MOST_KEPT
    assert _deliver(house, sns(NOW, MessageId="later")).status == 202
    assert len(house.http.sent) == MOST_A_MINUTE


def test_trouble_at_the_senders_host_is_not_held_against_the_delivery():
    house = _topic(**{CERT_URL: HttpAnswer(503, (), b"")})
    refused(_deliver(house, sns(NOW)), 502, "service")
    house.http.answers[CERT_URL] = HttpAnswer(200, (), PEM)
    assert _deliver(house, sns(NOW)).status == 202


def test_either_secret_of_a_credential_lets_a_delivery_in():
    house = _house("github", secret="the new one", previous=SECRET)
    for secret in ("the new one", SECRET):
        headers = {"x-hub-signature-256": f"sha256={_hex(b'{}', secret)}"}
        assert _post(house, b"{}", headers).status == 202
    headers = {"x-hub-signature-256": f"sha256={_hex(b'{}', 'the one before that')}"}
    refused(_post(house, b"{}", headers), 401, "signature_wrong")


def test_a_signature_over_the_public_address_needs_no_option():
    house = _house("square")
    signature = hmac.new(SECRET.encode(), b"https://penstock.example/hooks/shop/placed{}", hashlib.sha256).digest()
    import base64

    headers = {"x-square-hmacsha256-signature": base64.b64encode(signature).decode()}
    assert _post(house, b"{}", headers).status == 202
