"""A case made of an execution as the API shows it."""

import json

import pytest

from chalicelib.catalogue import entries
from chalicelib.errors import UsageError
from chalicelib.flow.planning import make_plan
from chalicelib.flow.text import read_yaml
from chalicelib.rehearsal.happened import Fate
from chalicelib.rehearsal.recording import case_of, with_bodies
from tests.rehearsal.flows import DESK

ID = "01jd3v5m2k8r6w9x4z7b0c1e2f"


def attempt(number=1, start="07:00:00", end="07:00:01", code=None, message=None):
    times = {"started": f"2026-11-20T{start}.000Z", "ended": f"2026-11-20T{end}.000Z"}
    return {"number": number, **times, "code": code, "message": message}


def step(name, uses, status="succeeded", **more):
    attempts = more.pop("attempts", [attempt()] if status in {"succeeded", "failed", "unknown"} else [])
    shown = {"port": "done" if status == "succeeded" else None, "input": None, "output": None, "failure": None, **more}
    times = {
        "started": attempts[0]["started"] if attempts else None,
        "ended": attempts[-1]["ended"] if attempts else None,
    }
    return {"id": name, "uses": uses, "status": status, "due": None, "attempts": attempts, **times, **shown}


def execution(*steps, **more):
    return {
        "id": ID,
        "flow": "desk",
        "version": "v",
        "status": "succeeded",
        "trigger": None,
        "started": "2026-11-20T07:00:00.000Z",
        "document": None,
        "inputs": {"total": 250, "name": "Ann"},
        "output": {"charge": "ch_1"},
        "reason": None,
        "steps": list(steps),
        **more,
    }


CHARGED = step(
    "charge",
    "http.request",
    input={
        "method": "POST",
        "url": "https://pay.example/charge",
        "headers": {"Authorization": "***", "X-Api-Token": "t", "X-Trace": "1"},
        "json": {
            "cents": 25000,
            "note": "key ***",
            "execution": f"https://p.example/{ID}",
            "link": "https://p.example/approvals/WyJtYWluIl0.c2lnbmF0dXJlLW9mLWl0",
        },
    },
    output={
        "status": 201,
        "headers": {"set-cookie": "sid=1", "etag": "e"},
        "body": {"id": "ch_1", "to": "https://p.example/callbacks/WyJtYWlu.c2ln"},
    },
)
STOCK = step(
    "stock",
    "http.request",
    input={"url": "https://stock.example/of", "query": {"name": "Ann"}},
    output={"status": 200, "headers": {}, "body": {"left": 4}},
    attempts=[attempt(1, code="http_503", message="busy"), attempt(2, "07:00:04", "07:00:05")],
)
SIZE = step("size", "switch", port="large", output={"case": "large"})
REVIEW = step(
    "review",
    "approval",
    port="approved",
    input={"ask": "Ship?"},
    output={"by": "ann@shop.example", "comment": "", "via": "link"},
    attempts=[attempt(1, "07:00:05", "09:30:05")],
)
TOLD = step("tell", "slack.post_message", input={"channel": "#desk", "text": "Charged"}, output={"ok": True})


@pytest.fixture(scope="module")
def plan():
    return make_plan(read_yaml(DESK, "desk.yaml").data, entries())


def test_what_started_it_what_its_steps_gave_and_how_it_ended(plan):
    shown = execution(CHARGED, STOCK, SIZE, REVIEW, TOLD, step("refuse", "slack.post_message", "skipped"))
    assert case_of(shown, plan) == {
        "clock": "2026-11-20T07:00:00.000Z",
        "inputs": {"total": 250, "name": "Ann"},
        "mocks": {
            "charge": {
                "returns": {
                    "status": 201,
                    "headers": {"etag": "e"},
                    "body": {"id": "ch_1", "to": "https://p.example/callbacks/***"},
                }
            },
            "stock": [
                {"error": {"code": "http_503", "message": "busy"}},
                {"returns": {"status": 200, "headers": {}, "body": {"left": 4}}},
            ],
            "review": {
                "port": "approved",
                "returns": {"by": "ann@shop.example", "comment": "", "via": "link"},
                "after": "150m",
            },
            "tell": {"returns": {"ok": True}},
        },
        "expect": {
            "status": "succeeded",
            "ran": ["charge", "stock", "size", "review", "tell"],
            "skipped": ["refuse"],
            "sent": {
                "charge": {
                    "method": "POST",
                    "url": "https://pay.example/charge",
                    "headers": {"X-Trace": "1"},
                    "json": {"cents": 25000},
                },
                "review": {"ask": "Ship?"},
                "tell": {"channel": "#desk", "text": "Charged"},
            },
            "output": {"charge": "ch_1"},
        },
    }


def test_a_webhook_is_written_without_what_looks_like_a_credential(plan):
    headers = {
        "x-name": "Ann",
        "content-type": "application/json",
        "authorization": "Bearer abc",
        "x-desk-token": "s3cret",
        "x-hub-signature-256": "sha256=abc",
        "cookie": "sid=abc",
        "x-api-key": "k",
        "x-csrf": "keep",
    }
    document = {
        "name": "placed",
        "at": "2026-11-20T07:00:00.000Z",
        "body": {"kind": "order", "total": 5, "headers": {"x-secret": "inner"}},
        "headers": headers,
        "query": {"from": "shop", "access_token": "t"},
        "queries": {"from": ["shop"], "access_token": ["t"]},
        "method": "POST",
        "path": "/hooks/desk/placed/unguessable",
        "files": {},
    }
    case = case_of(execution(trigger="placed", document=document), plan)
    assert case["trigger"] == {
        "placed": {
            "body": {"kind": "order", "total": 5, "headers": {}},
            "headers": {"x-name": "Ann", "content-type": "application/json", "x-csrf": "keep"},
            "query": {"from": "shop"},
        }
    }
    assert "inputs" not in case
    written = json.dumps(case)
    assert not [each for each in ("abc", "s3cret", "unguessable", "inner") if each in written]


def test_a_trigger_that_maps_nothing_is_written_with_its_inputs(plan):
    document = {"name": "by_hand", "at": "2026-11-20T06:59:00.000Z"}
    case = case_of(execution(trigger="by_hand", document=document), plan)
    assert case["trigger"] == {"by_hand": {"at": "2026-11-20T06:59:00.000Z"}}
    assert case["inputs"] == {"total": 250, "name": "Ann"}


def test_failures_become_errors_and_what_a_step_fails_with_by_itself_does_not(plan):
    refused = step(
        "charge",
        "http.request",
        "unknown",
        failure={"code": "timeout", "message": "No answer", "detail": {"headers": {"x-token": "t"}}, "status": 504},
    )
    absent = step("tell", "slack.post_message", "failed", failure={"code": "missing", "message": "nothing"})
    case = case_of(execution(refused, absent, status="failed", output=None, reason={"step": "charge"}), plan)
    error = {"code": "timeout", "message": "No answer", "status": 504, "detail": {"headers": {}}}
    assert case["mocks"] == {"charge": {"error": error}}
    assert case["expect"] == {"status": "failed", "failed": ["charge", "tell"]}


def test_nobodys_answer_is_no_answer(plan):
    gone = step("review", "approval", port="expired", attempts=[attempt(1, "07:00:00", "09:00:00")])
    assert case_of(execution(gone), plan)["mocks"] == {"review": {"port": "expired"}}


LOOPS = """\
flow: it
steps:
  pure: {uses: foreach, with: {over: [1]}, steps: {a: {uses: set, with: {x: 1}}}}
  world:
    uses: foreach
    with: {over: [1]}
    steps:
      b: {uses: http.request, with: {url: "https://a.example/"}}
"""


def test_a_loop_that_reaches_the_world_is_mocked_whole_and_a_pure_one_really_runs():
    plan = make_plan(read_yaml(LOOPS, "it.yaml").data, entries())
    value = {"results": [1], "failed": [], "count": 1}
    shown = execution(step("pure", "foreach", output=value), step("world", "foreach", output=value), output=None)
    case = case_of(shown, plan)
    assert case["mocks"] == {"world": {"returns": value}}
    fates = {"pure": Fate(ran=True), "world": Fate(ran=True), "a": Fate(ran=True), "b": Fate()}
    assert with_bodies(case, plan, fates)["expect"]["ran"] == ["pure", "world", "a"]


@pytest.mark.parametrize(
    ("status", "why"), [("running", "has not ended: it is running"), ("cancelled", "was cancelled")]
)
def test_what_has_not_ended_or_was_cancelled_is_no_case(plan, status, why):
    with pytest.raises(UsageError, match=why):
        case_of(execution(status=status), plan)
