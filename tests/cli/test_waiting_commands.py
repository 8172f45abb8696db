"""Pausing, resuming, redriving, answering: what the commands send, say and end with."""

import json
import threading

import pytest

from chalicelib.api.times import to_milliseconds
from chalicelib.cli.steps import line_of
from chalicelib.engine.packs import Attempt
from chalicelib.engine.records import Status
from chalicelib.ports import Link, StepDetails
from tests.api.house import KEYS, NOW, SIGNED, STEPS, House, details
from tests.cli.api_server import serving
from tests.cli.calling import penstock

ID = "01h" + "0" * 23
CHILD = "01h" + "1" * 23
LINK = "https://penstock.example/approvals/abc.def"
AT = to_milliseconds(NOW)
OPEN = [
    StepDetails(step, "approval", "waiting", "", {}, None, None, ()) for step in ("approve", "paid", "late", "over")
]


@pytest.fixture
def house():
    return House()


@pytest.fixture
def ask(house):
    with serving(house) as url:

        def call(*arguments, role="operator", **rest):
            return penstock(*arguments, PENSTOCK_URL=url, PENSTOCK_KEY=KEYS[role], **rest)

        yield call


def stands(house, status, *steps):
    house.door.details_of[ID] = details(ID, status, *steps)


def test_an_execution_is_paused_and_resumed(house, ask):
    stands(house, Status.RUNNING)
    said = ask("executions", "pause", ID)
    assert (said.code, said.out, said.err) == (0, f"{ID}\tpaused\n", "")
    assert ask("executions", "resume", ID).out == f"{ID}\trunning\n"
    assert ask("executions", "pause", ID, "--json").json["status"] == "paused"
    assert ask("executions", "resume", ID, "--json").json["execution"] == ID
    assert [what for what, *_ in house.door.told] == ["pause", "resume", "pause", "resume"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_what_has_ended_is_refused_with_3_and_what_is_not_there_with_2(house, ask, verb):
    stands(house, Status.FAILED)
    said = ask("executions", verb, ID)
    assert (said.code, said.out) == (3, "")
    assert "has ended" in said.err
    assert ask("executions", verb, "0" * 26).code == 2
    assert ask("executions", verb, "nonsense").code == 2
    as_json = ask("executions", verb, ID, "--json")
    assert json.loads(as_json.err)["code"] == "execution_ended"
    assert ask("executions", verb, ID, role="viewer").code == 3


def test_a_redrive_says_from_where_and_whether_by_force(house, ask):
    stands(house, Status.FAILED)
    assert ask("executions", "redrive", ID).out == f"{ID}\trunning\n"
    assert ask("executions", "redrive", ID, "--from", "charge", "--force", "--json").json["status"] == "running"
    assert house.door.told == [("redrive", "main", ID, None, False), ("redrive", "main", ID, "charge", True)]


def test_a_redrive_that_cannot_be_is_refused_with_its_reason(house, ask):
    stands(house, Status.RUNNING)
    said = ask("executions", "redrive", ID)
    assert (said.code, said.out) == (3, "")
    assert "is running" in said.err
    stands(house, Status.SUCCEEDED)
    refused = ask("executions", "redrive", ID)
    assert refused.code == 3
    assert "name the step" in refused.err
    assert ask("executions", "redrive", "0" * 26).code == 2
    assert ask("executions", "redrive", ID, "--step", "a").code == 2
    assert house.door.told == []


def test_a_redrive_is_watched_to_its_end(house, ask):
    stands(house, Status.FAILED)
    said = ask("executions", "redrive", ID, "--watch")
    assert (said.code, said.out) == (1, "")  # nothing moves in this house: it is as it was
    assert "failed" in said.err


def test_a_step_is_answered_by_its_port(house, ask):
    house.ask("approval")
    stands(house, Status.RUNNING, *OPEN)
    said = ask("executions", "answer", ID, "approve", "--port", "approved", "--comment", "Fine.")
    assert (said.code, said.out, said.err) == (0, f"{ID}\tapproved\n", "")
    ((link, signal),) = house.door.signals
    assert link == Link("main", ID, "", "approve", ())
    assert (signal.port, signal.value) == ("approved", {"by": "key_operator", "comment": "Fine.", "via": "api"})
    again = ask("executions", "answer", ID, "approve", "--port", "rejected")
    assert (again.code, again.out) == (3, "")
    assert "used before" in again.err


def test_a_callback_is_answered_with_json_from_stdin_or_a_file(house, ask, tmp_path):
    house.ask("callback", step="paid")
    stands(house, Status.RUNNING, *OPEN)
    turn = house.ask("callback", step="each", path=(3, 12))
    assert ask("executions", "answer", ID, "paid", "--port", "received", "--value", "-", given='{"a": 1}').code == 0
    file = tmp_path / "value.json"
    file.write_text("[1, 2]")
    arguments = ("--port", "received", "--value", file, "--link", turn, "--json")
    assert ask("executions", "answer", ID, "each", *arguments).json["execution"] == ID
    assert [signal.value["body"] for _, signal in house.door.signals] == [{"a": 1}, [1, 2]]
    assert house.door.signals[1][0].path == (3, 12)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("approve",), 2),
        (("approve", "--port", "maybe"), 2),
        (("approve", "--port", "received"), 2),
        (("nothing", "--port", "approved"), 2),
        (("approve", "--port", "approved", "--link", "x"), 2),
        (("approve", "--port", "approved", "--value", "/no/such/file.json"), 2),
        (("late", "--port", "approved"), 3),
        (("over", "--port", "approved"), 3),
    ],
)
def test_an_answer_that_cannot_be_has_its_code_and_says_why(house, ask, arguments, code):
    house.ask("approval")
    house.ask("approval", "expired", step="late")
    house.ask("approval", "ended", step="over")
    stands(house, Status.RUNNING, *OPEN)
    said = ask("executions", "answer", ID, *arguments)
    assert (said.code, said.out) == (code, "")
    assert said.err.strip()
    assert house.door.signals == []


def test_a_flow_is_paused_and_resumed_and_listed_as_such(house, ask):
    house.publish(SIGNED + STEPS)
    assert ask("flows", "pause", "shop").out == "shop\tpaused\n"
    assert ask("flows", "list").out.split("\t")[2] == "paused"
    assert "  paused  " in ask("flows", "show", "shop").out
    ask("flows", "disable", "shop")
    assert ask("flows", "list").out.split("\t")[2] == "disabled"
    ask("flows", "enable", "shop")
    house.door.woken = 2
    said = ask("flows", "resume", "shop")
    assert (said.code, said.out, said.err) == (0, "shop\tenabled\n", "2 queued executions go on.\n")
    as_json = ask("flows", "resume", "shop", "--json")
    assert (as_json.json["woken"], as_json.err) == (2, "")
    assert ask("flows", "pause", "none").code == 2


def test_steps_that_wait_say_for_what(house, ask):
    asked = StepDetails("approve", "approval", "waiting", "", {}, None, None, (Attempt(1, AT, 0),), AT + 60_000, LINK)
    called = StepDetails("sub", "call", "waiting", "", {}, None, None, (), child=CHILD)
    stands(house, Status.PAUSED, asked, called)
    lines = ask("executions", "show", ID).out.splitlines()
    assert lines[0] == f"shop\t{ID}\tpaused"
    assert lines[1] == f"waiting    approve  approval  until 2026-11-20T07:01:00.000Z  answer at {LINK}"
    assert lines[2] == f"waiting    sub  call  for execution {CHILD}"
    assert ask("executions", "show", ID, "--json").json["steps"][1]["child"] == CHILD
    assert LINK not in ask("executions", "show", ID, role="viewer").out


def test_a_watch_says_that_it_is_held_and_what_is_waited_for(house, ask):
    def step(status, link=""):
        return StepDetails("approve", "approval", status, "approved", {}, None, None, (), 0, link)

    moments = iter(
        [
            (Status.QUEUED, step("pending")),
            (Status.PAUSED, step("waiting", LINK)),
            (Status.PAUSED, step("waiting", LINK)),
            (Status.SUCCEEDED, step("succeeded")),
        ]
    )
    real = house.door.details
    last = threading.Event()

    async def later(tenant, execution):
        moment = next(moments, None)
        if moment is None:
            last.set()
        else:
            stands(house, *moment)
        return await real(tenant, execution)

    house.door.details = later
    said = ask("executions", "watch", ID)
    assert said.code == 0
    assert said.err.splitlines() == [
        f"queued     shop  {ID}",
        f"waiting    approve  approval  answer at {LINK}",
        f"paused     shop  {ID}",
        "succeeded  approve  approval  approved null",
    ]
    assert not last.is_set()


def test_a_step_of_a_server_that_knows_no_links_is_a_line_all_the_same():
    step = {"id": "a", "uses": "wait", "status": "waiting", "failure": None, "started": None, "ended": None, "due": "T"}
    assert line_of(step) == "waiting    a  wait  until T"
