"""Deliveries: who is let in, what is the same delivery, what is refused and by which name."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from chalicelib.api.hooks import verification_of
from chalicelib.errors import StoreError
from chalicelib.ports import TurnedAway
from tests.api.house import NOW, OPEN, SECRET, SIGNED, STEPS, House, loaded, refused, standard

BODY = b'{"total":12}'


@pytest.fixture
def house():
    house = House()
    house.publish(SIGNED + STEPS)
    return house


def deliver(house, body=BODY, headers=None, target="/hooks/shop/placed", method="POST"):
    return house.send(method, target, body, headers=standard(body) if headers is None else headers)


def opened(respond="accepted", more=""):
    house = House()
    steps = "steps:\n  note: {uses: set, with: {value: 1}}\n"
    if respond == "step":
        steps += "  say: {uses: respond, with: {text: hello}}\n"
    published = house.publish(f"{OPEN}    respond: {respond}\n{more}{steps}")
    return house, published["triggers"][0]["url"].removeprefix("https://penstock.example")


def test_a_signed_delivery_is_accepted_with_its_execution_and_its_address(house):
    answer = deliver(house)
    assert answer.status == 202
    said = loaded(answer)
    assert said == {
        "execution": said["execution"],
        "url": f"https://penstock.example/api/v1/executions/{said['execution']}",
    }
    assert len(said["execution"]) == 26


def test_the_trigger_hands_over_everything_the_design_names(house):
    headers = {**standard(BODY), "x-shop": "north"}
    deliver(house, headers=headers, target="/hooks/shop/placed?a=1&a=2&b=%C3%BC&empty=")
    (knock,) = house.door.knocks
    assert knock.document == {
        "name": "placed",
        "at": "2026-11-20T07:00:00.000Z",
        "body": {"total": 12},
        "headers": headers,
        "query": {"a": "1", "b": "ü", "empty": ""},
        "queries": {"a": ["1", "2"], "b": ["ü"], "empty": [""]},
        "method": "POST",
        "path": "/hooks/shop/placed",
        "files": {},
    }
    assert (knock.tenant, knock.key, knock.who, knock.respond) == ("main", "msg_1", "", "accepted")
    assert knock.plan.flow == "shop"
    assert knock.trigger is not None
    assert knock.inputs is None


def test_secret_headers_never_reach_the_flow(house):
    secrets = {
        "authorization": "Bearer tok_12345678",
        "proxy-authorization": "Basic abc",
        "cookie": "session=1",
        "x-api-key": "k",
        "x-amz-security-token": "t",
    }
    deliver(house, headers={**standard(BODY), **secrets})
    assert not secrets.keys() & house.door.knocks[0].document["headers"].keys()


def test_the_header_that_carries_a_token_never_reaches_the_flow():
    house = House()
    house.publish(
        "flow: shop\ntriggers:\n  placed:\n    uses: webhook\n"
        "    verify: {scheme: token, credential: bearer, header: x-shop-token}\n" + STEPS
    )
    assert deliver(house, headers={"x-shop-token": "tok_12345678", "x-other": "1"}).status == 202
    assert house.door.knocks[0].document["headers"] == {"x-other": "1"}
    refused(deliver(house, headers={"x-shop-token": "tok_12345679"}), 401, "signature_wrong")
    refused(deliver(house, headers={}), 401, "signature_missing")


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"scheme": "standard_webhooks", "credential": "hook"}, {}),
        ({"scheme": "standard_webhooks", "tolerance": "5m"}, {"tolerance": "5m"}),
        ({"tolerance": "5m", "credential": "hook", "scheme": "standard-webhooks"}, {"tolerance": "5m"}),
    ],
)
def test_the_options_of_a_verification_are_what_is_neither_scheme_nor_credential(given, options):
    assert verification_of(given) == ("standard-webhooks", options)


def test_the_same_delivery_gets_the_first_answer_again(house):
    first, second = deliver(house), deliver(house)
    assert first == second
    assert len(house.door.known) == 1


def test_the_same_delivery_id_with_another_body_is_a_conflict(house):
    deliver(house)
    other = b'{"total":13}'
    refused(deliver(house, other, standard(other)), 409, "delivery_conflict")
    assert len(house.door.known) == 1
    assert house.is_up()


def test_another_path_or_query_under_the_same_id_is_a_conflict_too(house):
    deliver(house)
    refused(deliver(house, target="/hooks/shop/placed?a=1"), 409, "delivery_conflict")


def test_a_delivery_outside_its_window_is_refused_on_both_sides(house):
    for off in (timedelta(seconds=-301), timedelta(seconds=301)):
        refused(deliver(house, headers=standard(BODY, at=NOW + off)), 401, "delivery_stale")
    assert deliver(house, headers=standard(BODY, at=NOW - timedelta(seconds=299))).status == 202
    assert len(house.door.knocks) == 1


def test_a_delivery_that_was_good_is_refused_once_its_window_is_over(house):
    deliver(house)
    house.clock.moment += timedelta(seconds=301)
    refused(deliver(house), 401, "delivery_stale")


def test_a_wrong_signature_is_refused(house):
    headers = standard(BODY)
    headers["webhook-signature"] = "v1," + "A" * 43 + "="
    refused(deliver(house, headers=headers), 401, "signature_wrong")
    refused(deliver(house, b'{"total":13}', standard(BODY)), 401, "signature_wrong")
    assert not house.door.knocks
    assert house.is_up()


@pytest.mark.parametrize("name", ["webhook-signature", "webhook-id", "webhook-timestamp"])
def test_a_missing_part_of_the_signature_is_named(house, name):
    headers = standard(BODY)
    del headers[name]
    problem = refused(deliver(house, headers=headers), 401, "signature_missing")
    assert name in problem["detail"]


def test_nothing_is_parsed_before_the_signature_was_checked(house):
    refused(deliver(house, b"{", standard(BODY)), 401, "signature_wrong")
    refused(deliver(house, b"{", standard(b"{")), 400, "body_unreadable")


def test_the_signature_covers_the_raw_bytes_not_what_they_mean(house):
    spaced = b'{ "total" : 12 }'
    refused(deliver(house, spaced, standard(BODY)), 401, "signature_wrong")
    assert deliver(house, spaced, standard(spaced)).status == 202


def test_a_credential_that_is_missing_is_our_fault_and_not_told_to_strangers(house, caplog):
    del house.credentials.known["hook"]
    problem = refused(deliver(house), 500, "setting")
    assert "hook`" not in json.dumps(problem)
    assert "No credential `hook`" in caplog.text
    assert SECRET not in caplog.text


def test_no_answer_and_no_log_line_holds_a_secret(house, caplog):
    caplog.set_level("DEBUG")
    answers = [
        deliver(house, headers={**standard(BODY), "authorization": "Bearer canary-1"}),
        deliver(house, b"canary-2", standard(b"canary-2")),
        deliver(house, headers={**standard(BODY), "webhook-signature": "v1,canary-3"}),
    ]
    said = b"".join(answer.body for answer in answers).decode() + caplog.text
    assert "canary" not in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "target",
    [
        "/hooks/none/placed",
        "/hooks/shop/none",
        "/hooks/shop/by_hand",
        "/hooks/shop/placed/token",
        "/hooks/shop",
        "/hooks/shop/placed/a/b",
        "/hooks/SHOP/placed",
        "/hooks/%00/placed",
        "/hooks/%ff/placed",
        "/hooks/shop%2Fplaced/x",
        "/hooks//placed",
        "/hooks/shop/placed/",
        "/t/other/hooks/shop/placed",
        "/t/../hooks/shop/placed",
    ],
)
def test_what_is_no_hook_is_not_found(target):
    house = House()
    house.publish(SIGNED + "  by_hand: {uses: manual}\n" + STEPS.replace("trigger.body", "1"))
    refused(deliver(house, target=target), 404, "not_found")
    assert not house.door.knocks
    assert house.is_up()


@pytest.mark.parametrize("respond", ["accepted", "result", "step"])
def test_a_paused_flow_takes_deliveries_and_answers_with_their_execution_at_once(respond):
    house, path = opened(respond)
    house.send("POST", "/api/v1/flows/shop/pause", role="operator")
    answer = house.send("POST", path, BODY)
    assert answer.status == 202
    assert len(loaded(answer)["execution"]) == 26
    assert [knock.respond for knock in house.door.knocks] == ["accepted"]
    house.send("POST", "/api/v1/flows/shop/resume", role="operator")
    house.send("POST", path, BODY)
    assert [knock.respond for knock in house.door.knocks] == ["accepted", respond]


def test_a_disabled_flow_is_refused_and_answers_again_once_enabled(house):
    assert house.send("POST", "/api/v1/flows/shop/disable", role="operator").status == 200
    refused(deliver(house), 409, "flow_disabled")
    assert house.send("POST", "/api/v1/flows/shop/enable", role="operator").status == 200
    assert deliver(house).status == 202


def test_a_method_that_the_trigger_does_not_take_is_refused_with_those_it_takes(house):
    for method in ("GET", "PUT", "DELETE"):
        answer = deliver(house, method=method)
        refused(answer, 405, "method_not_allowed")
        assert answer.header("allow") == "POST, OPTIONS"
    assert deliver(house, method="HEAD").status == 405
    assert not house.door.knocks


def test_a_trigger_takes_the_methods_it_names():
    house = House()
    house.publish(SIGNED + "    with: {method: [get, PUT]}\n" + STEPS)
    for method, status in (("GET", 202), ("PUT", 202), ("POST", 405), ("HEAD", 405)):
        assert deliver(house, b"", standard(b"", delivery_id=method), method=method).status == status
    assert [knock.document["body"] for knock in house.door.knocks] == [None, None]


def test_a_body_over_the_limit_is_refused_before_anything_else():
    house = House(limit_bytes=1000)
    house.publish(SIGNED + STEPS)
    large = b'"' + b"a" * 999 + b'"'
    for target in ("/hooks/shop/placed", "/hooks/none/placed", "/nowhere"):
        refused(deliver(house, large, {}, target), 413, "body_too_large")
    fits = b'"' + b"a" * 998 + b'"'
    assert deliver(house, fits).status == 202
    refused(deliver(house, b"", {"content-length": "1001"}), 413, "body_too_large")
    assert house.is_up()


def test_the_limit_is_one_megabyte_unless_said_otherwise(house):
    assert house.api.largest_body == 1_000_000
    assert deliver(house, b'"' + b"a" * 999_998 + b'"').status == 202
    refused(deliver(house, b'"' + b"a" * 999_999 + b'"'), 413, "body_too_large")


def test_a_trigger_may_take_less_than_the_deployment():
    house = House()
    house.publish(SIGNED + "    with: {limit_bytes: 10}\n" + STEPS)
    refused(deliver(house, b'"123456789"'), 413, "body_too_large")
    assert deliver(house, b'"12345678"').status == 202


def test_a_token_opens_a_trigger_that_verifies_nothing_and_only_the_right_one_does():
    house, target = opened()
    assert deliver(house, headers={}, target=target).status == 202
    base, _, token = target.rpartition("/")
    for wrong in (base, f"{base}/{token[:-1]}", f"{base}/{token}0", f"{base}/{token.upper()}", f"{base}/%E2%82%AC"):
        if wrong != target:
            refused(deliver(house, headers={}, target=wrong), 404, "not_found")
    (knock,) = house.door.knocks
    assert knock.key is None
    assert knock.document["path"] == "/hooks/shop/placed"
    assert token not in json.dumps(knock.document)


def test_a_trigger_without_a_token_of_its_own_is_closed():
    house, target = opened()
    live = house.versions._live["main", "shop"]
    house.versions._live["main", "shop"] = type(live)("main", "shop", live.version, True, 0, live.rev)
    house.plans.forget("main", "shop")
    refused(deliver(house, headers={}, target="/hooks/shop/placed"), 404, "not_found")
    refused(deliver(house, headers={}, target=target), 404, "not_found")


def test_a_trigger_whose_condition_is_false_is_answered_without_an_execution(house):
    house.door.answer = TurnedAway()
    answer = deliver(house)
    assert (answer.status, loaded(answer)) == (202, {"execution": None, "ignored": True})


def test_what_the_store_did_not_take_is_told_so_that_the_sender_comes_again(house, caplog):
    house.door.raises = StoreError("The queue did not take it.", retry_after=2.5)
    answer = deliver(house)
    refused(answer, 503, "store")
    assert answer.header("retry-after") == "3"
    assert "store" in caplog.text


def sign_hex(content, secret="a plain secret"):
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def test_an_id_that_is_not_signed_counts_together_with_the_body():
    house = House()
    house.publish(SIGNED.replace("standard-webhooks", "github").replace("hook}", "text}") + STEPS)

    def github(body, delivery_id):
        headers = {"x-hub-signature-256": f"sha256={sign_hex(body)}", "x-github-delivery": delivery_id}
        return loaded(deliver(house, body, {**headers, "content-type": "application/json"}))["execution"]

    first = github(b"1", "d1")
    assert github(b"1", "d1") == first
    assert len({first, github(b"2", "d1"), github(b"1", "d2")}) == 3


def test_a_delivery_without_an_id_is_the_same_if_its_signed_time_and_body_are():
    house = House()
    house.publish(SIGNED.replace("standard-webhooks", "stripe").replace("hook}", "text}") + STEPS)

    def stripe(body, at):
        seconds = int(at.timestamp())
        signature = sign_hex(f"{seconds}.".encode() + body)
        headers = {"stripe-signature": f"t={seconds},v1={signature}", "content-type": "application/json"}
        return loaded(deliver(house, body, headers))["execution"]

    first = stripe(b"1", NOW)
    assert stripe(b"1", NOW) == first
    assert len({first, stripe(b"2", NOW), stripe(b"1", NOW - timedelta(seconds=1))}) == 3


def test_a_sender_that_signs_neither_an_id_nor_a_time_has_no_delivery_key():
    house = House()
    house.publish(SIGNED.replace("standard-webhooks", "hmac").replace("hook}", "text}") + STEPS)
    headers = {"x-signature": sign_hex(BODY), "content-type": "application/json"}
    assert deliver(house, BODY, headers).status == 202
    assert house.door.knocks[0].key is None


def test_the_underscored_name_of_a_scheme_is_understood():
    house = House()
    house.publish(SIGNED.replace("standard-webhooks", "standard_webhooks") + STEPS)
    assert deliver(house).status == 202


def test_slack_is_told_its_challenge_only_once_it_has_signed():
    house = House()
    house.publish(SIGNED.replace("standard-webhooks", "slack").replace("hook}", "text}") + STEPS)
    body = b'{"type":"url_verification","challenge":"3eZb"}'
    seconds = str(int(NOW.timestamp()))
    headers = {"content-type": "application/json", "x-slack-request-timestamp": seconds}
    good = {**headers, "x-slack-signature": "v0=" + sign_hex(f"v0:{seconds}:".encode() + body)}
    answer = deliver(house, body, good)
    assert (answer.status, answer.body, house.door.knocks) == (200, b"3eZb", [])
    refused(deliver(house, body, {**headers, "x-slack-signature": "v0=" + "0" * 64}), 401, "signature_wrong")


def test_another_tenants_hook_lies_under_its_own_path():
    house = House()
    house.publish(SIGNED + STEPS)
    live = house.versions._live["main", "shop"]
    house.versions._texts["acme", "shop"] = house.versions._texts["main", "shop"]
    house.versions._live["acme", "shop"] = type(live)("acme", "shop", live.version, True, 0, 1)
    assert deliver(house, target="/t/acme/hooks/shop/placed").status == 202
    assert house.door.knocks[0].tenant == "acme"


def test_a_tenant_that_could_be_mistaken_for_a_part_of_a_key_is_never_looked_up():
    house = House()
    house.publish(SIGNED + STEPS)
    live = house.versions._live["main", "shop"]
    house.versions._texts["main#x", "shop"] = house.versions._texts["main", "shop"]
    house.versions._live["main#x", "shop"] = type(live)("main#x", "shop", live.version, True, 0, 1)
    refused(deliver(house, target="/t/main%23x/hooks/shop/placed"), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"a":', "line 1, column 6"),
        (b"not json", "line 1, column 1"),
        (b'{"a":1}x', "line 1, column 8"),
        (b'{"a":1,\n }', "line 2, column 2"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a":"\\ud83d"}', "half a character"),
        (b'{"\\uDE00":1}', "half a character"),
        (b"NaN", "NaN"),
        (b"[-Infinity]", "NaN"),
        (b"[1e999]", "too large"),
        (b"[" * 101 + b"]" * 101, "nested"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 60 + b"[" * 60 + b"]" * 60 + b"}" * 60, "nested"),
        (b"1" * 5000, "4,300 digits"),
    ],
)
def test_a_body_that_is_not_what_it_says_has_its_named_error(house, body, says):
    problem = refused(deliver(house, body), 400, "body_unreadable")
    assert says in problem["detail"]
    assert not house.door.knocks
    assert house.is_up()
    assert deliver(house).status == 202


def test_whole_numbers_of_any_size_arrive_exactly(house):
    body = b'{"id":9007199254740993,"big":340282366920938463463374607431768211457,"digits":' + b"7" * 4000 + b"}"
    deliver(house, body)
    handed = house.door.knocks[0].document["body"]
    assert handed["id"] == 9007199254740993
    assert handed["big"] == 2**128 + 1
    assert str(handed["digits"]) == "7" * 4000
