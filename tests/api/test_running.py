"""Starting by program: inputs alone, or as if a trigger had fired; once per key; waiting or not."""

import pytest

from chalicelib.engine.records import Status
from chalicelib.errors import ParameterError, Problem
from chalicelib.ports import Entered, TurnedAway
from tests.api.house import SIGNED, House, conforms, failed, image, loaded, refused

ID = "01h" + "0" * 23
MAPPED = SIGNED + '    inputs: {total: "${ trigger.body.total }"}\n'
TEXT = (
    MAPPED + "  by_hand: {uses: manual}\ninputs:\n  total: {type: number}\n"
    'steps:\n  note: {uses: set, with: {value: "${ inputs.total }"}}\n'
)


@pytest.fixture
def house():
    house = House()
    house.publish(TEXT)
    return house


def start(house, body, query="", role="operator", headers=None):
    return house.send("POST", f"/api/v1/flows/shop/run{query}", body, role=role, headers=headers)


def test_a_start_is_accepted_with_inputs_alone(house):
    answer = start(house, {"inputs": {"total": 3}})
    assert answer.status == 202
    conforms(answer, "Accepted")
    (knock,) = house.door.knocks
    assert (knock.trigger, knock.document, knock.inputs) == (None, None, {"total": 3})
    assert (knock.respond, knock.key, knock.who, knock.received) == ("accepted", None, "key_operator", 1795158000000)


def test_a_start_needs_no_body(house):
    assert start(house, b"").status == 202
    assert house.door.knocks[0].inputs is None


def test_a_start_by_a_trigger_hands_over_what_the_trigger_would(house):
    start(house, {"trigger": "placed", "document": {"body": {"total": 3}, "name": "spoofed"}})
    (knock,) = house.door.knocks
    assert knock.trigger is not None
    assert knock.document == {
        "name": "placed",
        "at": "2026-11-20T07:00:00.000Z",
        "body": {"total": 3},
        "headers": {},
        "query": {},
        "queries": {},
        "method": "POST",
        "path": "/hooks/shop/placed",
        "files": {},
    }


def test_a_manual_trigger_takes_inputs(house):
    start(house, {"trigger": "by_hand", "inputs": {"total": 3}})
    (knock,) = house.door.knocks
    assert (knock.document, knock.inputs) == ({"name": "by_hand", "at": "2026-11-20T07:00:00.000Z"}, {"total": 3})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"trigger": "none"}, "placed, by_hand"),
        ({"document": {}}, "name the `trigger`"),
        ({"trigger": "placed", "inputs": {"total": 1}}, "give `document`"),
        ({"imputs": {}}, "`imputs`"),
        ({"inputs": 3}, "inputs"),
        ({"inputs": {}, "wait": 3}, "`wait`"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused_by_name(house, body, says):
    assert says in refused(start(house, body), 400, "usage")["detail"]
    assert not house.door.knocks


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b"null", b"\xff", b'{"inputs":{"a":"\\ud83d"}}', b"[" * 5000, b'{"inputs":{"a":NaN}}']
)
def test_a_body_that_cannot_be_read_has_its_named_error(house, body):
    answer = start(house, body, headers={"content-type": "application/json"})
    refused(answer, 400, "body_unreadable")
    assert house.is_up()


def test_a_body_must_say_that_it_is_json(house):
    refused(start(house, b"{}", headers={"content-type": "text/plain"}), 400, "body_unreadable")


def test_large_numbers_arrive_exactly(house):
    start(house, b'{"inputs":{"total":9007199254740993}}', headers={"content-type": "application/json"})
    assert house.door.knocks[0].inputs == {"total": 9007199254740993}


def test_inputs_that_do_not_fit_are_told_with_their_places(house):
    house.door.raises = ParameterError("No.", problems=[Problem("inputs.total", 0, 0, "It is missing.", "Give it.")])
    assert refused(start(house, {}), 422, "parameter")["errors"][0]["where"] == "inputs.total"


def test_who_waits_is_told_the_output(house):
    house.door.answer = Entered(ID, is_new=True, image=image(ID, Status.SUCCEEDED), output={"a": 2**64})
    answer = start(house, {}, "?wait=5")
    assert answer.status == 200
    said = conforms(answer, "Ran")
    assert (said["status"], said["output"]) == ("succeeded", {"a": 2**64})
    assert (house.door.knocks[0].respond, house.door.knocks[0].wait_seconds) == ("result", 5)


def test_who_waits_is_told_why_it_failed(house):
    house.door.answer = Entered(ID, is_new=True, image=failed(ID, "The shop said no."))
    said = conforms(start(house, {}, "?wait=5"), "Ran")
    assert said["status"] == "failed"
    assert said["reason"] == {"step": "charge", "code": "http_500", "message": "The shop said no."}


def test_what_outlasts_the_wait_turns_into_its_address(house):
    house.door.answer = Entered(ID, is_new=True, image=image(ID, Status.RUNNING))
    answer = start(house, {}, "?wait=600")
    assert answer.status == 202
    assert conforms(answer, "Accepted")["status"] == "running"
    assert house.door.knocks[0].wait_seconds == 25


@pytest.mark.parametrize("query", ["?wait=-1", "?wait=soon", "?wait=601", "?wait=1&wait=2", "?wiat=1", "?wait=NaN"])
def test_a_wait_that_makes_no_sense_is_refused(house, query):
    refused(start(house, {}, query), 400, "usage")


def test_a_condition_that_is_false_starts_nothing(house):
    house.door.answer = TurnedAway()
    answer = start(house, {"trigger": "placed"})
    assert (answer.status, conforms(answer, "Accepted")) == (202, {"execution": None, "ignored": True})


def test_the_same_idempotency_key_is_the_same_execution(house):
    def begun(key, body, role="operator"):
        return start(house, body, role=role, headers={"idempotency-key": key})

    first = begun("k1", {"inputs": {"total": 1}})
    assert begun("k1", {"inputs": {"total": 1}}) == first
    refused(begun("k1", {"inputs": {"total": 2}}), 409, "delivery_conflict")
    others = [begun("k2", {"inputs": {"total": 1}}), begun("k1", {"inputs": {"total": 1}}, role="admin")]
    assert len({loaded(answer)["execution"] for answer in (first, *others)}) == 3


@pytest.mark.parametrize("key", ["", "a" * 256, "ü", "a\nb"])
def test_an_idempotency_key_that_is_none_is_refused(house, key):
    refused(start(house, {}, headers={"idempotency-key": key}), 400, "usage")


def test_a_disabled_flow_is_not_started(house):
    house.send("POST", "/api/v1/flows/shop/disable", role="operator")
    refused(start(house, {}), 409, "flow_disabled")
    assert not house.door.knocks


def test_a_paused_flow_takes_starts_and_nobody_waits_for_them(house):
    assert house.send("POST", "/api/v1/flows/shop/pause", role="operator").status == 200
    answer = start(house, {"inputs": {"total": 1}}, "?wait=20")
    assert answer.status == 202
    assert conforms(answer, "Accepted")["status"] == "queued"
    assert house.door.knocks[0].respond == "accepted"
    house.door.answer = Entered(ID, is_new=False, image=image(ID, Status.RUNNING))
    assert loaded(start(house, {}, "?wait=20"))["status"] == "running"
    assert "status" not in loaded(start(house, {}))


def test_a_flow_that_is_not_published_is_not_found():
    refused(House().send("POST", "/api/v1/flows/none/run", {}, role="operator"), 404, "not_found")
