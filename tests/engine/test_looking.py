"""When a head needs its next look, and whether something is due in it."""

from dataclasses import replace

import pytest

from chalicelib import catalogue
from chalicelib.engine.facts import Claimed, Done, How, Retrying, Signalled, Waiting, signal_name
from chalicelib.engine.looking import AGAIN, LONGEST, PATIENT, SELDOM, SHORTEST, look
from chalicelib.engine.records import Birth, Image, RecordKey, Status
from chalicelib.flow.planning import make_plan
from chalicelib.flow.text import read_yaml

PLAN = make_plan(
    read_yaml(
        """
flow: looked-at
deadline: 30d
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: approval, after: a, with: {ask: "Sure?"}}
  c: {uses: set, after: b.approved, with: {v: 1}}
""",
        "flow.yaml",
    ).data,
    catalogue.entries(),
)
NOW = 1_000_000_000
DONE = Done(How.SUCCEEDED, "done", 1, NOW - 10)


def head(status=Status.RUNNING, busy=0, started=NOW - 1000, **facts):
    birth = Birth("looked-at", "v", "", started, "i0", "h", started + 30 * 86_400_000)
    return Image(RecordKey("main", "x"), status, 0, 3, birth, facts, busy=busy, next_check=NOW)


@pytest.mark.parametrize(
    ("image", "next_check", "is_due"),
    [
        (head(), NOW + AGAIN, True),
        (head(busy=NOW + 5000), NOW + 5000, False),
        (head(f0=Claimed("t", NOW + 7000, 1)), NOW + 7000, False),
        (head(f0=Claimed("t", NOW - 1, 1)), NOW + AGAIN, True),
        (head(f0=Retrying(NOW + 9000, 1, "x")), NOW + 9000, False),
        (head(f0=Retrying(NOW, 1, "x")), NOW + AGAIN, True),
        (head(f0=DONE, f1=Waiting("approval", 0, NOW)), NOW + PATIENT, False),
        (head(f0=DONE, f1=Waiting("approval", NOW + 3_000_000, NOW)), NOW + 3_000_000, False),
        (head(f0=DONE, f1=Waiting("approval", NOW, NOW)), NOW + AGAIN, True),
        (head(f0=DONE, f1=Waiting("call", 0, NOW - 1000, "child")), NOW + SHORTEST, False),
        (head(f0=DONE, f1=Waiting("call", 0, NOW - LONGEST, "child")), NOW + LONGEST, True),
        (head(f0=DONE, f1=Waiting("call", 0, NOW - 86_400_000 * 9, "child")), NOW + SELDOM, True),
        (head(Status.PAUSED), NOW + SHORTEST, False),
        (head(Status.ENDING), NOW + AGAIN, True),
        (head(Status.ENDING, f0=Claimed("t", NOW + 7000, 1)), NOW + 7000, False),
        (head(Status.FAILED), NOW + AGAIN, True),
        (head(Status.QUEUED), NOW + SHORTEST, True),
        (head(Status.QUEUED, started=NOW - 86_400_000), NOW + LONGEST, True),
        (head(started=NOW - 31 * 86_400_000, f0=Claimed("t", NOW + 7000, 1)), NOW + AGAIN, True),
        (head(Status.PAUSED, started=NOW - 31 * 86_400_000), NOW + AGAIN, True),
    ],
)
def test_the_next_look_is_the_earliest_moment_that_could_need_one(image, next_check, is_due):
    found = look(PLAN, image, NOW, 0)
    assert (found.next_check, found.is_due) == (next_check, is_due)


def test_a_signal_makes_its_step_due_even_while_somebody_is_busy():
    image = head(busy=NOW + 5000, f0=DONE, f1=Waiting("approval", 0, NOW))
    assert not look(PLAN, image, NOW, 0).is_due
    facts = {**image.facts, signal_name(1): Signalled(NOW, "p1")}
    assert look(PLAN, replace(image, facts=facts), NOW, 0).is_due


def test_a_claim_of_an_earlier_boot_is_due_at_once():
    image = head(f0=Claimed("t", NOW + 7000, 1, boot=3))
    assert not look(PLAN, image, NOW, 3).is_due
    assert look(PLAN, image, NOW, 4).is_due
