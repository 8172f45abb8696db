"""Links to steps: who has one, and from where it can be asked for."""

import pytest

from tests.flow.catalogue import checked, problems

FLOW = """triggers:
  hand: {uses: manual}
steps:
  ask: {uses: approval, with: {ask: ok?}}
  plain: {uses: set}
  each:
    uses: foreach
    with: {over: "${ [OVER] }"}
    steps:
      inner: {uses: callback}
      deep:
        uses: repeat
        with: {until: "${ UNTIL }"}
        steps:
          call: {uses: set, with: {v: "${ DEEP }"}}
    output: "${ OUTPUT }"
  send: {uses: set, with: {v: "${ HERE }"}}
on_failure:
  late: {uses: set, with: {v: "${ LATE }"}}
"""


def flow(**links: str) -> str:
    """The flow with a link in one place, and something harmless in the others."""
    text = FLOW
    for place in ("OVER", "UNTIL", "DEEP", "OUTPUT", "HERE", "LATE"):
        text = text.replace(place, links.get(place, "execution.id = 'x'" if place == "UNTIL" else "execution.id"))
    return text


@pytest.mark.parametrize(
    ("place", "link"),
    [
        ("HERE", "execution.links.ask"),
        ("OVER", "execution.links.ask"),
        ("DEEP", "execution.links.ask & execution.links.inner"),
        ("UNTIL", "execution.links.inner = 'x'"),
        ("OUTPUT", "execution.links.inner"),
    ],
)
def test_a_link_can_be_asked_for_wherever_its_step_can_be_seen(place: str, link: str):
    assert problems(flow(**{place: link})) == []


@pytest.mark.parametrize(
    ("place", "link", "what", "do"),
    [
        (
            "HERE",
            "execution.links.inner",
            "`inner` is inside the loop `each`.",
            "A link is made anew in each turn: hand it out in a step of the loop's body.",
        ),
        (
            "OVER",
            "execution.links.inner",
            "`inner` is inside the loop `each`.",
            "A link is made anew in each turn: hand it out in a step of the loop's body.",
        ),
        (
            "LATE",
            "execution.links.ask",
            "`ask` is not an on_failure step: when a flow fails, nobody knows which steps still end.",
            "Ask for it in a step beside it.",
        ),
        (
            "HERE",
            "execution.links.plain",
            "`plain` uses set, which nobody answers: it has no link.",
            "Steps with a link: `ask`.",
        ),
        (
            "DEEP",
            "execution.links.plain",
            "`plain` uses set, which nobody answers: it has no link.",
            "Steps with a link: `ask` and `inner`.",
        ),
        (
            "HERE",
            "execution.links.aks",
            "There is no step `aks`. Did you mean `ask`?",
            "Steps here: ask, plain, each, send.",
        ),
        (
            "HERE",
            "execution.links.hand",
            "`hand` is a trigger: it has no link.",
            "Name one step: ${ execution.links.<step> }, the id of a `callback` or `approval`.",
        ),
        (
            "HERE",
            "execution.links",
            "`execution.links` is no value: each link is asked for by the id of its step.",
            "Name one step: ${ execution.links.<step> }, the id of a `callback` or `approval`.",
        ),
    ],
)
def test_a_link_that_there_is_not_is_refused_where_it_is_named(place: str, link: str, what: str, do: str):
    (problem,) = checked(flow(**{place: link})).problems
    assert (problem.what, problem.do) == (what, do)
    line = flow(**{place: link}).splitlines()[problem.line - 2]
    assert line[problem.column - 1 :].startswith("execution.links")


def test_a_flow_without_a_step_to_answer_is_told_what_has_a_link():
    (problem,) = checked("steps:\n  a: {uses: set}\n  b: {uses: set, with: {v: '${ execution.links.a }'}}\n").problems
    assert problem.do == "Name one step: ${ execution.links.<step> }, the id of a `callback` or `approval`."


def test_a_trigger_sees_no_links():
    text = "triggers:\n  t: {uses: webhook, verify: none, if: '${ execution.links.a = 1 }'}\nsteps:\n  a: {uses: callback}\n"
    (problem,) = checked(text).problems
    assert problem.what == "Unknown name `execution`."


def test_of_a_step_whose_node_does_not_exist_nothing_more_is_said():
    (problem,) = checked(
        "steps:\n  a: {uses: aproval}\n  b: {uses: set, with: {v: '${ execution.links.a }'}}\n"
    ).problems
    assert "There is no node `aproval`." in problem.what
