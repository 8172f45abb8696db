"""The ways in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.catalogue import build, entries
from chalicelib.errors import ParameterError
from chalicelib.nodes.builtin.error import Error
from chalicelib.nodes.builtin.schedule import Schedule
from chalicelib.nodes.builtin.webhook import Webhook


def test_a_webhook_takes_one_method_or_several_in_any_case() -> None:
    for given, methods in (
        ({}, ["POST"]),
        ({"method": "get"}, ["GET"]),
        ({"method": ["POST", "put"]}, ["POST", "PUT"]),
    ):
        node = build("webhook", given)
        assert isinstance(node, Webhook)
        assert node.method == methods


@pytest.mark.parametrize("parameters", [{"method": []}, {"method": "TRACE"}, {"limit_bytes": 0}, {"path": "/x"}])
def test_a_webhook_refuses_what_it_does_not_know(parameters: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"with\."):
        build("webhook", parameters)


def test_a_webhook_must_say_what_it_verifies() -> None:
    assert entries()["webhook"]["verifies"] is True
    assert entries()["manual"]["verifies"] is False


def test_a_schedule_fires_in_its_own_zone_or_in_the_flows() -> None:
    moment = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
    flows, own = (
        build("schedule", {"cron": "0 9 * * *"}),
        build("schedule", {"cron": "0 9 * * *", "timezone": "Asia/Tokyo"}),
    )
    assert isinstance(flows, Schedule)
    assert isinstance(own, Schedule)
    assert flows.next_after(moment, "Europe/Berlin") == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    assert own.next_after(moment, "Europe/Berlin") == datetime(2026, 11, 21, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"cron": "0 0 30 2 *"}, r"with\.cron: never fires"),
        ({"cron": "61 * * * *"}, r"with\.cron: has '61' as minute"),
        ({"cron": 5}, r"with\.cron: must be text"),
        ({}, "either `cron` or `every`"),
        ({"cron": "* * * * *", "every": "1h"}, "either `cron` or `every`"),
        ({"every": "36h"}, "whole days"),
        ({"every": 60}, r"with\.every: is not a duration"),
        ({"every": "1h", "timezone": "Mars/Olympus"}, r"with\.timezone: is not a time zone"),
        ({"every": "1h", "timezone": "../../etc/passwd"}, r"with\.timezone: is not a time zone"),
        ({"every": "1h", "timezone": ""}, r"with\.timezone: is not a time zone"),
        ({"every": "1h", "timezone": "Europe"}, r"with\.timezone: is not a time zone"),
    ],
)
def test_a_schedule_that_cannot_fire_is_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        build("schedule", parameters)


@pytest.mark.parametrize(
    ("given", "flows"),
    [({}, None), ({"flows": None}, None), ({"flows": "a"}, ["a"]), ({"flows": ["a", "b-c", "a"]}, ["a", "b-c"])],
)
def test_an_error_trigger_hears_of_every_flow_or_of_those_it_names(
    given: dict[str, Any], flows: list[str] | None
) -> None:
    node = build("error", given)
    assert isinstance(node, Error)
    assert node.flows == flows


@pytest.mark.parametrize(
    ("flows", "said"),
    [
        ([], r"with\.flows: names no flow"),
        (["A b"], r"with\.flows\[0\]"),
        ([5], r"with\.flows\[0\]"),
        ([f"f{n}" for n in range(101)], r"with\.flows: "),
    ],
)
def test_an_error_trigger_refuses_what_names_no_flow(flows: list[Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        build("error", {"flows": flows})


def test_what_an_error_trigger_hands_over_is_the_failure() -> None:
    assert list(entries()["error"]["hands_over"]) == [
        *("name", "at", "execution", "flow", "step", "code", "message", "url", "status")
    ]


def test_manual_takes_nothing() -> None:
    assert build("manual", {})
    with pytest.raises(ParameterError, match=r"with\.x: is not a parameter"):
        build("manual", {"x": 1})
