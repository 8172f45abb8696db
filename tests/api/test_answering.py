"""Answering a step that waits with a key."""

import pytest

from chalicelib.engine.records import Status
from chalicelib.ports import Link, StepDetails
from tests.api.house import House, conforms, details, refused

ID = "01h" + "0" * 23


@pytest.fixture
def house():
    house = House()
    house.ask("approval")
    house.ask("callback", step="paid")
    house.turns = [house.ask("callback", step="each", path=(turn, 0)) for turn in (3, 4)]
    shown = [StepDetails(step, "approval", "waiting", "", {}, None, None, ()) for step in ("approve", "paid", "late")]
    house.door.details_of[ID] = details(ID, Status.RUNNING, *shown)
    return house


def answered(house, step, body, role="operator", execution=ID):
    return house.send("POST", f"/api/v1/executions/{execution}/steps/{step}/answer", body, role=role)


@pytest.mark.parametrize("port", ["approved", "rejected"])
def test_an_approval_is_answered_in_the_keys_name(house, port):
    answer = answered(house, "approve", {"port": port, "comment": "Fine."})
    assert conforms(answer, "Standing") == {
        "execution": ID,
        "url": f"https://penstock.example/api/v1/executions/{ID}",
        "status": "running",
    }
    ((link, signal),) = house.door.signals
    assert link == Link("main", ID, "", "approve", ())
    assert (signal.port, signal.value) == (port, {"by": "key_operator", "comment": "Fine.", "via": "api"})
    refused(answered(house, "approve", {"port": port}), 409, "link_used")


def test_a_comment_may_be_left_out(house):
    answered(house, "approve", {"port": "approved"})
    assert house.door.signals[0][1].value == {"by": "key_operator", "comment": "", "via": "api"}


@pytest.mark.parametrize("value", [{"ok": True}, None, 7, [1], "text"])
def test_a_callback_is_answered_with_a_body(house, value):
    answered(house, "paid", {"port": "received", "value": value})
    assert house.door.signals[0][1].value == {"body": value, "headers": {}, "query": {}, "method": "POST"}


def test_a_step_in_a_loop_is_answered_by_the_link_of_its_turn(house):
    told = refused(answered(house, "each", {"port": "received"}), 404, "not_found")
    assert "the `link` of its turn" in told["detail"]
    first, second = house.turns
    whole = {"port": "received", "link": f"https://penstock.example{first}"}
    assert answered(house, "each", whole).status == 200
    assert answered(house, "each", {"port": "received", "link": second.rpartition("/")[2]}).status == 200
    assert [link for link, _ in house.door.signals] == [
        Link("main", ID, "rows", "each", (3, 0)),
        Link("main", ID, "rows", "each", (4, 0)),
    ]
    refused(answered(house, "each", whole), 409, "link_used")


def test_a_link_that_is_altered_or_anothers_answers_nothing(house):
    link = house.turns[0]
    assert (
        "another step's" in refused(answered(house, "paid", {"port": "received", "link": link}), 400, "usage")["detail"]
    )
    other = "01h" + "1" * 23
    refused(answered(house, "each", {"port": "received", "link": link}, execution=other), 400, "usage")
    for wrong in (link[:-1], f"{link}A", "nothing", "/"):
        refused(answered(house, "each", {"port": "received", "link": wrong}), 404, "not_found")
    assert house.door.signals == []


@pytest.mark.parametrize(
    ("status", "number", "code"),
    [("answered", 409, "link_used"), ("expired", 410, "link_expired"), ("ended", 409, "execution_ended")],
)
def test_what_is_over_is_refused_by_name(house, status, number, code):
    house.ask("approval", status, step="late")
    refused(answered(house, "late", {"port": "approved"}), number, code)
    assert house.door.signals == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "port"),
        ({"port": "expired"}, "port"),
        ({"port": "received"}, "no port `received`"),
        ({"port": "approved", "value": 1}, "no `value`"),
        ({"port": "received", "comment": "x"}, "no `comment`"),
        ({"port": "approved", "by": "Ann"}, "`by`"),
        ({"port": "approved", "comment": "x" * 2001}, "comment"),
        ({"port": "approved", "part": "rows"}, "`part`"),
        ({"port": "approved", "link": ""}, "link"),
        ({"port": "approved", "link": ["a"]}, "link"),
        ({"port": "approved", "link": "x" * 2001}, "link"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_by_name(house, body, says):
    assert says in refused(answered(house, "approve", body), 400, "usage")["detail"]
    assert house.door.signals == []


def test_a_step_or_an_execution_that_there_is_not_is_not_found(house):
    assert "`nothing`" in refused(answered(house, "nothing", {"port": "approved"}), 404, "not_found")["detail"]
    refused(answered(house, "approve", {"port": "approved"}, execution="0" * 26), 404, "not_found")
    refused(answered(house, "approve", {"port": "approved"}, execution="nonsense"), 404, "not_found")
    refused(answered(house, "%00" * 100, {"port": "approved"}), 404, "not_found")
    assert "`late`" in refused(answered(house, "late", {"port": "approved"}), 404, "not_found")["detail"]


def test_who_may_only_look_answers_nothing(house):
    refused(answered(house, "approve", {"port": "approved"}, role="viewer"), 403, "forbidden")
    assert house.door.signals == []
