"""Executions as they are listed and shown; cancelling and starting again."""

import asyncio

import pytest

from chalicelib.api.times import to_milliseconds
from chalicelib.engine.packs import Attempt
from chalicelib.engine.records import Status
from chalicelib.ports import Page, StepDetails, Summary
from tests.api.house import NOW, House, conforms, details, loaded, refused

ID = "01h" + "0" * 23
AT = to_milliseconds(NOW)


class Pages:
    """Facts that remember what they were asked for."""

    def __init__(self):
        self.asked = []

    async def page(self, listing):
        self.asked.append(listing)
        summary = Summary(ID, "shop", "v" * 64, Status.TIMED_OUT, "", AT, AT + 1234)
        return Page([summary], "next-page")


@pytest.fixture
def house():
    house = House()
    house.pages = Pages()
    house.tools = type(house.tools)(
        **{name: getattr(house.tools, name) for name in house.tools.__slots__ if name != "facts"}, facts=house.pages
    )
    house.api = type(house.api)(house.tools)
    return house


def get(house, path):
    return house.send("GET", f"/api/v1/executions{path}", role="viewer")


def test_executions_are_listed_by_every_filter(house):
    query = (
        "?flow=shop&status=timed_out&since=2026-11-20T07:00:00Z&until=2026-11-20T09:00:00.5%2B01:00&limit=7&cursor=abc"
    )
    answer = conforms(get(house, query), "Executions")
    (asked,) = house.pages.asked
    assert (asked.tenant, asked.flow, asked.status, asked.limit, asked.cursor) == (
        "main",
        "shop",
        Status.TIMED_OUT,
        7,
        "abc",
    )
    assert (asked.since, asked.until) == (AT, AT + 3_600_500)
    assert answer["cursor"] == "next-page"
    assert answer["items"] == [
        {
            "id": ID,
            "url": f"https://penstock.example/api/v1/executions/{ID}",
            "flow": "shop",
            "version": "v" * 64,
            "status": "timed_out",
            "trigger": None,
            "started": "2026-11-20T07:00:00.000Z",
            "ended": "2026-11-20T07:00:01.234Z",
        }
    ]


def test_without_filters_the_newest_fifty_are_listed(house):
    get(house, "")
    (asked,) = house.pages.asked
    assert (asked.flow, asked.status, asked.since, asked.until, asked.limit, asked.cursor) == (
        None,
        None,
        None,
        None,
        50,
        None,
    )


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?colour=red", "`colour`"),
        ("?flow=a&flow=b", "twice"),
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=ten", "limit"),
        ("?status=done", "status"),
        ("?since=yesterday", "since"),
        ("?since=2026-11-20T07:00:00", "zone"),
        ("?flow=No%20Such", "flow"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_its_name(house, query, says):
    assert says in refused(get(house, query), 400, "usage")["detail"]
    assert not house.pages.asked


def test_a_cursor_that_is_none_of_ours_is_refused():
    refused(get(House(), "?cursor=abc"), 400, "usage")


def test_an_execution_is_shown_with_every_step(house):
    attempts = (Attempt(1, AT, AT + 50, "timeout", "No answer in time."), Attempt(2, AT + 1000, AT + 1020))
    steps = [
        StepDetails("charge", "stripe.charge", "succeeded", "done", {"amount": 3}, {"id": 2**60}, None, attempts),
        StepDetails("wait", "wait", "waiting", "", {}, None, None, (Attempt(1, AT, 0),), AT + 60_000),
        StepDetails("notify", "http.request", "failed", "", None, None, {"code": "http_500"}, attempts[:1]),
        StepDetails("later", "set", "pending", "", None, None, None, ()),
    ]
    house.door.details_of[ID] = details(ID, Status.RUNNING, *steps)
    shown = conforms(get(house, f"/{ID}"), "Execution")
    assert (shown["id"], shown["status"], shown["started"], shown["ended"]) == (
        ID,
        "running",
        "2026-11-20T07:00:00.000Z",
        None,
    )
    assert (shown["trigger"], shown["document"], shown["inputs"]) == ("placed", {"name": "placed"}, {"total": 3})
    charge, wait, notify, later = shown["steps"]
    assert charge["output"] == {"id": 2**60}
    assert (charge["started"], charge["ended"]) == ("2026-11-20T07:00:00.000Z", "2026-11-20T07:00:01.020Z")
    assert charge["attempts"][0] == {
        "number": 1,
        "started": "2026-11-20T07:00:00.000Z",
        "ended": "2026-11-20T07:00:00.050Z",
        "code": "timeout",
        "message": "No answer in time.",
    }
    assert (wait["due"], wait["ended"]) == ("2026-11-20T07:01:00.000Z", None)
    assert (notify["failure"], notify["port"]) == ({"code": "http_500"}, None)
    assert (later["started"], later["attempts"]) == (None, [])


@pytest.mark.parametrize("name", ["none", "A" * 26, "i" * 26, "0" * 25, "0" * 26, "%00", "..", "0" * 26 + "%0a"])
def test_an_execution_that_there_is_not_is_not_found(house, name):
    refused(get(house, f"/{name}"), 404, "not_found")
    for verb in ("cancel", "retry", "pause", "resume", "redrive"):
        refused(house.send("POST", f"/api/v1/executions/{name}/{verb}", role="operator"), 404, "not_found")


def test_a_name_that_no_execution_has_is_never_looked_up(house):
    for name in (f"{ID}\n", f"{ID}#H"):
        house.door.details_of[name] = details(name, Status.RUNNING)
    for name in (f"{ID}%0a", f"{ID}%23H"):
        refused(get(house, f"/{name}"), 404, "not_found")


def test_cancelling_says_why_and_what_becomes_of_it(house):
    house.door.details_of[ID] = details(ID, Status.RUNNING)
    answer = house.send("POST", f"/api/v1/executions/{ID}/cancel", {"message": "Wrong customer."}, role="operator")
    assert conforms(answer, "Standing")["status"] == "ending"
    house.send("POST", f"/api/v1/executions/{ID}/cancel", role="operator")
    assert [message for _, _, message in house.door.cancelled] == ["Wrong customer.", "Cancelled through the API."]


def test_what_has_ended_cannot_be_cancelled(house):
    house.door.details_of[ID] = details(ID, Status.SUCCEEDED)
    refused(house.send("POST", f"/api/v1/executions/{ID}/cancel", role="operator"), 409, "execution_ended")


def test_pausing_and_resuming_say_what_becomes_of_it(house):
    house.door.details_of[ID] = details(ID, Status.RUNNING)
    paused = house.send("POST", f"/api/v1/executions/{ID}/pause", role="operator")
    assert conforms(paused, "Standing") == {
        "execution": ID,
        "url": f"https://penstock.example/api/v1/executions/{ID}",
        "status": "paused",
    }
    resumed = house.send("POST", f"/api/v1/executions/{ID}/resume", b"", role="operator")
    assert conforms(resumed, "Standing")["status"] == "running"
    assert house.door.told == [("pause", "main", ID), ("resume", "main", ID)]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_what_has_ended_is_neither_paused_nor_resumed(house, verb):
    house.door.details_of[ID] = details(ID, Status.SUCCEEDED)
    refused(house.send("POST", f"/api/v1/executions/{ID}/{verb}", role="operator"), 409, "execution_ended")
    assert house.door.told == []


def redrive(house, body=b""):
    return house.send("POST", f"/api/v1/executions/{ID}/redrive", body, role="operator")


def test_a_redrive_goes_on_from_what_failed_or_from_a_step(house):
    house.door.details_of[ID] = details(ID, Status.FAILED)
    assert conforms(redrive(house), "Standing")["status"] == "running"
    redrive(house, {"step": "charge", "force": True})
    redrive(house, {"force": False})
    assert house.door.told == [
        ("redrive", "main", ID, None, False),
        ("redrive", "main", ID, "charge", True),
        ("redrive", "main", ID, None, False),
    ]


def test_what_runs_cannot_be_redriven_and_what_is_refused_says_why(house):
    house.door.details_of[ID] = details(ID, Status.RUNNING)
    refused(redrive(house), 409, "execution_ongoing")
    house.door.details_of[ID] = details(ID, Status.SUCCEEDED)
    assert "name the step" in refused(redrive(house), 422, "redrive_refused")["detail"]
    assert house.door.told == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"from": "charge"}, "`from`"),
        ({"step": ["a"]}, "step"),
        ({"step": "a", "force": "yes"}, "force"),
        ({"step": "a", "steps": ["b"]}, "`steps`"),
    ],
)
def test_a_redrive_that_makes_no_sense_is_refused_by_name(house, body, says):
    house.door.details_of[ID] = details(ID, Status.FAILED)
    assert says in refused(redrive(house, body), 400, "usage")["detail"]
    assert house.door.told == []


LINK = "https://penstock.example/approvals/" + "eyJ0ZXN0IjoiYSJ9" * 4 + "." + "A" * 22


def test_a_step_that_waits_shows_its_link_and_its_child_to_those_who_may_answer(house):
    sent = StepDetails("tell", "mail.send", "succeeded", "done", {"text": f"Please: {LINK}?"}, {"id": 1}, None, ())
    asked = StepDetails("approve", "approval", "waiting", "", {"ask": "Ship?"}, None, None, (), AT + 1000, LINK)
    called = StepDetails("sub", "call", "waiting", "", {}, None, None, (), child="01h" + "1" * 23)
    house.door.details_of[ID] = details(ID, Status.PAUSED, sent, asked, called)
    shown = conforms(house.send("GET", f"/api/v1/executions/{ID}", role="operator"), "Execution")
    told, waiting, calling = shown["steps"]
    assert shown["status"] == "paused"
    assert (waiting["status"], waiting["link"], waiting["child"]) == ("waiting", LINK, None)
    assert waiting["due"] == "2026-11-20T07:00:01.000Z"
    assert (calling["link"], calling["child"]) == (None, "01h" + "1" * 23)
    assert told["input"] == {"text": f"Please: {LINK}?"}


def test_who_may_only_look_cannot_answer_by_what_is_shown(house):
    encoded = LINK.replace("/", "%2F").replace(":", "%3A")
    texts = {
        "text": f"Please: {LINK}?",
        "list": [f"<a href='{LINK}/heartbeat'>"],
        "url": f"https://x.example/?u={encoded}",
    }
    sent = StepDetails("tell", "mail.send", "succeeded", "done", texts, LINK, None, ())
    asked = StepDetails("approve", "approval", "waiting", "", {"ask": "Ship?"}, None, None, (), AT, LINK)
    house.door.details_of[ID] = details(ID, Status.RUNNING, sent, asked)
    answer = get(house, f"/{ID}")
    assert LINK[-40:] not in answer.body.decode()
    told, waiting = conforms(answer, "Execution")["steps"]
    assert waiting["link"] is None
    assert told["input"]["text"] == "Please: https://penstock.example/approvals/...?"
    assert told["output"] == "https://penstock.example/approvals/..."


@pytest.mark.parametrize("status", ["queued", "paused", "ending"])
def test_executions_are_listed_by_where_they_stand_too(house, status):
    assert get(house, f"?status={status}").status == 200
    assert house.pages.asked[0].status.word == status


def test_starting_again_names_the_execution_before(house):
    house.door.details_of[ID] = details(ID, Status.FAILED)
    answer = house.send("POST", f"/api/v1/executions/{ID}/retry", role="operator")
    assert answer.status == 202
    said = conforms(answer, "Retried")
    assert said["retry_of"] == ID
    assert said["execution"] != ID


def test_an_unknown_field_is_refused_where_none_is_known(house):
    answer = house.send("POST", f"/api/v1/executions/{ID}/retry", {"force": True}, role="operator")
    assert "`force`" in refused(answer, 400, "usage")["detail"]


def test_what_memory_holds_is_listed_too():
    answer = get(House(), "?limit=1")
    assert loaded(answer) == {"items": [], "cursor": None}
    assert asyncio.run(House().facts.unfinished(1)) == []
