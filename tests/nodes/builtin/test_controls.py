"""The control nodes decide as their pages say, and refuse by name what they cannot do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.catalogue import build
from chalicelib.errors import ParameterError
from chalicelib.kit.action import Control
from chalicelib.kit.values import Failed, Failure, Moment, Started, StartFlow, Succeeded, Waits
from chalicelib.nodes.builtin.approval import Approval
from chalicelib.nodes.builtin.foreach import Foreach
from chalicelib.nodes.builtin.repeat import Repeat
from tests.talk import MOMENT, talk


def decided(node_type: str, parameters: dict[str, Any], moment: Moment = MOMENT) -> Any:
    node = build(node_type, parameters)
    assert isinstance(node, Control)
    return talk(node, moment=moment)[1]


def test_switch_takes_the_first_true_case_in_the_order_written() -> None:
    assert decided("switch", {"cases": {"b": True, "a": True}}) == Succeeded({"case": "b"}, "b")
    assert decided("switch", {"cases": {"b": False, "a": True}}) == Succeeded({"case": "a"}, "a")
    assert decided("switch", {"cases": {"b": False}}) == Succeeded({"case": "else"}, "else")


@pytest.mark.parametrize("name", ["done", "error", "skipped", "settled", "else"])
def test_a_case_cannot_take_a_port_that_has_a_meaning(name: str) -> None:
    with pytest.raises(ParameterError, match=f"cannot be named {name}"):
        build("switch", {"cases": {name: True}})


@pytest.mark.parametrize("cases", [{}, {"A": True}, {"a-b": True}, {"1a": True}, {"a": "maybe"}, {"a": None}, None, []])
def test_cases_need_names_and_conditions(cases: object) -> None:
    with pytest.raises(ParameterError, match=r"with\.cases"):
        build("switch", {"cases": cases})


def test_set_is_what_stands_in_it_whatever_the_names() -> None:
    value = {"a": 1, "model_config": "x", "decide": [None], "steps": {"b": 2}, "": 0}
    assert decided("set", value) == Succeeded(value)
    assert decided("set", {}) == Succeeded({})


@pytest.mark.parametrize(
    ("parameters", "until"),
    [
        ({"for": "30s"}, "2026-11-20T07:00:30"),
        ({"for": "15m"}, "2026-11-20T07:15:00"),
        ({"for": "14d"}, "2026-12-04T07:00:00"),
        ({"for": "366d"}, "2027-11-21T07:00:00"),
        ({"until": "2027-11-21T07:00:00Z"}, "2027-11-21T07:00:00"),
        ({"until": "2026-11-20T07:10:00Z"}, "2026-11-20T07:10:00"),
        ({"until": "2026-11-20T08:10:00+01:00"}, "2026-11-20T07:10:00"),
        ({"until": "2026-11-20 08:10"}, "2026-11-20T07:10:00"),
    ],
)
def test_wait_goes_on_at_a_moment_counted_from_the_steps_own_time(parameters: dict[str, str], until: str) -> None:
    assert decided("wait", parameters) == Waits(
        datetime.fromisoformat(until).replace(tzinfo=UTC), {"until": f"{until}.000Z"}
    )


@pytest.mark.parametrize("parameters", [{"for": "0s"}, {"until": "2026-11-20T07:00:00Z"}, {"until": "2020-01-01"}])
def test_a_moment_that_has_passed_does_not_wait(parameters: dict[str, str]) -> None:
    assert isinstance(decided("wait", parameters), Succeeded)


@pytest.mark.parametrize(
    ("node_type", "parameters", "place"),
    [
        ("wait", {"for": "366d1s"}, "for"),
        ("wait", {"for": "60w"}, "for"),
        ("wait", {"until": "2027-11-21T07:00:01Z"}, "until"),
        ("wait", {"until": "9999-12-31"}, "until"),
        ("callback", {"expires": "367d"}, "expires"),
        ("callback", {"heartbeat": "367d"}, "heartbeat"),
        ("approval", {"ask": "ok?", "expires": "367d"}, "expires"),
        ("repeat", {"until": False, "every": "367d"}, "every"),
    ],
)
def test_a_wait_of_more_than_a_year_is_refused_at_its_place(
    node_type: str, parameters: dict[str, Any], place: str
) -> None:
    with pytest.raises(ParameterError, match=rf"^with\.{place}: is more than 366 days"):
        decided(node_type, parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"for": "1m", "until": "2026-11-20"},
        {"for": "soon"},
        {"for": 5},
        {"until": "tomorrow"},
        {"until": ""},
        {"until": "0001-01-01"},
        {"until": "9999-12-31T23:59:59-05:00"},
    ],
)
def test_a_wait_needs_one_time_that_can_be_read(parameters: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="with"):
        decided("wait", parameters)


def test_a_wait_writes_early_years_with_four_digits() -> None:
    assert decided("wait", {"until": "0999-01-01T00:00:00Z"}) == Succeeded({"until": "0999-01-01T00:00:00.000Z"})


def test_fail_fails_with_the_authors_words() -> None:
    assert decided("fail", {"message": "No stock"}) == Failed(Failure("failed", "No stock"))
    assert decided("fail", {"message": "m", "code": "no_stock"}) == Failed(Failure("no_stock", "m"))
    with pytest.raises(ParameterError, match=r"with\.code"):
        build("fail", {"message": "m", "code": "No Stock"})


def test_respond_answers_json_text_a_file_or_nothing() -> None:
    file = {"file": "f1", "name": "a.pdf", "type": "application/pdf", "size": 3}
    assert decided("respond", {"json": None}).value == {
        "status": 200,
        "headers": {"content-type": "application/json"},
        "as": "json",
        "body": None,
    }
    assert decided("respond", {"text": "hi", "headers": {"X-A": 1}}).value == {
        "status": 200,
        "headers": {"x-a": "1", "content-type": "text/plain; charset=utf-8"},
        "as": "text",
        "body": "hi",
    }
    assert decided("respond", {"file": file}).value["headers"] == {"content-type": "application/pdf"}
    assert decided("respond", {"file": file, "content_type": "image/png"}).value["headers"] == {
        "content-type": "image/png"
    }
    assert decided("respond", {"status": 204}).value == {"status": 204, "headers": {}, "as": "nothing", "body": None}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"json": 1, "text": "a"}, "one body"),
        ({"status": 204, "json": {}}, "has no body"),
        ({"status": 304, "text": "a"}, "has no body"),
        ({"status": 100}, r"with\.status"),
        ({"status": 600}, r"with\.status"),
        ({"headers": {"a": "1\r\nb: 2"}}, "line break"),
        ({"headers": {"Content-Length": "1"}}, "leave it out"),
        ({"text": "a", "content_type": "text/html\r\nx: y"}, "line break"),
    ],
)
def test_an_answer_that_cannot_be_sent_is_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        build("respond", parameters)


def test_call_starts_a_flow_and_hands_over_where_it_is() -> None:
    node = build("call", {"flow": "send-invoice", "inputs": {"order": 1}})
    assert isinstance(node, Control)
    assert talk(node, Started("e1", "https://p.example/e1")) == (
        (StartFlow("send-invoice", {"order": 1}),),
        {"id": "e1", "url": "https://p.example/e1"},
    )
    assert node.effect == "idempotent"


def test_call_with_wait_says_so_at_the_start_and_then_waits_for_the_end() -> None:
    node = build("call", {"flow": "price-of", "wait": True})
    assert isinstance(node, Control)
    assert talk(node, Started("e1", "https://p.example/e1")) == (
        (StartFlow("price-of", {}, is_waited=True),),
        Waits(None, {"id": "e1", "url": "https://p.example/e1"}, for_="call"),
    )


NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parameters", "until", "heartbeat"),
    [
        ({}, None, None),
        ({"expires": "2h"}, NOW + timedelta(hours=2), None),
        ({"heartbeat": "10m"}, NOW + timedelta(minutes=10), timedelta(minutes=10)),
        ({"expires": "2h", "heartbeat": "10m"}, NOW + timedelta(minutes=10), timedelta(minutes=10)),
        ({"expires": "5m", "heartbeat": "10m"}, NOW + timedelta(minutes=5), timedelta(minutes=10)),
    ],
)
def test_a_callback_waits_until_it_expires_or_falls_silent(
    parameters: dict[str, str], until: datetime | None, heartbeat: timedelta | None
) -> None:
    assert decided("callback", parameters) == Waits(until, None, "expired", "callback", heartbeat)


def test_an_approval_waits_for_an_answer_or_until_it_expires() -> None:
    assert decided("approval", {"ask": "Ship?"}) == Waits(None, None, "expired", "approval")
    assert decided("approval", {"ask": "Ship?", "expires": "2d"}) == Waits(
        NOW + timedelta(days=2), None, "expired", "approval"
    )


def test_who_may_answer_is_one_or_several_each_once() -> None:
    def by(**parameters: Any) -> list[str]:
        node = build("approval", {"ask": "Ship?", **parameters})
        assert isinstance(node, Approval)
        return node.by

    assert by() == []
    assert by(by="Ann") == ["Ann"]
    assert by(by=[" ann@shop.example ", "Bo", "Bo"]) == ["ann@shop.example", "Bo"]


@pytest.mark.parametrize(
    ("node_type", "parameters", "said"),
    [
        ("approval", {}, r"with\.ask: is missing"),
        ("approval", {"ask": "  "}, r"with\.ask: is empty"),
        ("approval", {"ask": "x" * 10_001}, r"with\.ask: "),
        ("approval", {"ask": "x", "by": []}, r"with\.by: names nobody"),
        ("approval", {"ask": "x", "by": None}, r"with\.by: names nobody"),
        ("approval", {"ask": "x", "by": ["Ann", " "]}, r"with\.by: names nobody"),
        ("approval", {"ask": "x", "by": [{"name": "Ann"}]}, r"with\.by\[0\]"),
        ("approval", {"ask": "x", "by": [f"p{n}" for n in range(51)]}, r"with\.by: names more than 50"),
        ("approval", {"ask": "x", "expires": "0s"}, r"with\.expires: is less than a second"),
        ("callback", {"expires": "500ms"}, r"with\.expires: is less than a second"),
        ("callback", {"heartbeat": "0s"}, r"with\.heartbeat: is less than a second"),
        ("callback", {"expires": 60}, r"with\.expires: is not a duration"),
        ("repeat", {}, r"with\.until: is missing"),
        ("repeat", {"until": False, "max": 0}, r"with\.max"),
        ("repeat", {"until": False, "max": 10_001}, r"with\.max"),
        ("call", {"flow": "x", "wait": "later"}, r"with\.wait"),
    ],
)
def test_what_a_wait_cannot_be_told_is_refused_at_its_place(
    node_type: str, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        build(node_type, parameters)


def test_repeat_holds_what_stands_between_its_rounds() -> None:
    node = build("repeat", {"until": False})
    assert isinstance(node, Repeat)
    assert (node.every, node.max, node.collect) == (None, 100, False)
    node = build("repeat", {"until": False, "every": "366d", "max": 10_000, "collect": True})
    assert isinstance(node, Repeat)
    assert (node.every, node.max, node.collect) == (timedelta(days=366), 10_000, True)


def foreach(**parameters: Any) -> Foreach:
    node = build("foreach", parameters)
    assert isinstance(node, Foreach)
    return node


def test_foreach_hands_over_items_or_batches() -> None:
    assert foreach(over=[1, 2, 3]).turns() == [1, 2, 3]
    assert foreach(over=[1, 2, 3], batch=2).turns() == [[1, 2], [3]]
    assert foreach(over="one").turns() == ["one"]
    assert foreach(over=None).turns() == []
    assert len(foreach(over=[0] * 100_000, batch=10).turns()) == 10_000
    assert foreach(over=[], batch=5).turns() == []
    assert foreach(over=[{"a": 1}], pause="2s").pause == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("tolerate", "count", "tolerated"),
    [
        (0, 10, 0),
        (3, 10, 3),
        ("10%", 10, 1),
        ("10%", 9, 0),
        ("10%", 19, 1),
        ("100%", 7, 7),
        ("12.5%", 8, 1),
        ("2", 9, 2),
        ("30%", 10, 3),
    ],
)
def test_foreach_tolerates_a_number_or_a_share_rounded_down(tolerate: object, count: int, tolerated: int) -> None:
    assert foreach(over=list(range(count)), tolerate=tolerate).tolerated() == tolerated


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"over": [], "concurrency": 0},
        {"over": [], "concurrency": 101},
        {"over": [], "batch": 0},
        {"over": [], "tolerate": "101%"},
        {"over": [], "tolerate": -1},
        {"over": [], "tolerate": True},
        {"over": [], "tolerate": "some"},
        {"over": [], "pause": "16m"},
        {"over": [], "as": "Row"},
        {"over": [], "batch": 2, "as": "row"},
        {"over": [], "parallel": 3},
        {"over": [0] * 100_001},
    ],
)
def test_foreach_refuses_what_it_cannot_do(parameters: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="with"):
        build("foreach", parameters)
