import pytest

from chalicelib.engine.facts import How
from chalicelib.engine.needs import (
    HOLDS,
    OPEN,
    SKIPPED,
    STARTED,
    Answer,
    Ask,
    Kind,
    Ruling,
    State,
    answer,
    judge,
    state_of,
    trigger_states,
)
from chalicelib.flow.plan import UseValue
from tests.engine.flows import ANYTHING, at_least, done, failed, need, step


@pytest.mark.parametrize(("kind", "ask"), list(HOLDS))
def test_the_table_is_the_one_of_the_design(kind: Kind, ask: Ask) -> None:
    rows = {
        Kind.LEFT_BY_IT: "holds holds fails fails holds",
        Kind.LEFT_BY_ANOTHER: "holds fails fails fails holds",
        Kind.SKIPPED: "fails fails fails holds holds",
        Kind.FAILED: "fails fails holds fails holds",
        Kind.FORGIVEN: "holds holds fails fails holds",
        Kind.FORGIVEN_BY_ANOTHER: "holds fails fails fails holds",
        Kind.UNHANDLED: "open open open open open",
        Kind.OPEN: "open open open open open",
    }
    assert HOLDS[kind, ask] is Answer(rows[kind].split()[list(Ask).index(ask)])


def test_an_answer_looks_at_the_port() -> None:
    left = State(Kind.LEFT_BY_IT, "large")
    assert answer(need("size.large"), left) is Answer.HOLDS
    assert answer(need("size.else"), left) is Answer.FAILS
    assert answer(need("size"), left) is Answer.HOLDS


def test_a_failure_stands_as_the_text_of_the_flow_says() -> None:
    forgiving = step("a", on_error=UseValue(ANYTHING))
    for how in (How.FAILED, How.UNKNOWN):
        assert state_of(step("a"), failed(how=how)).kind is Kind.UNHANDLED
        assert state_of(step("a", error_is_named=True), failed(how=how)).kind is Kind.FAILED
        assert state_of(forgiving, failed(how=how)) == State(Kind.FORGIVEN, "done", -1)
    assert state_of(step("a"), done("p", order=4)) == State(Kind.LEFT_BY_IT, "p", 4)


def test_only_the_trigger_that_started_it_is_done() -> None:
    assert trigger_states(("a", "b"), "b") == {"a": SKIPPED, "b": STARTED}
    assert trigger_states(("a",), "") == {"a": SKIPPED}


def test_every_step_is_judged_also_those_that_have_their_fact() -> None:
    steps = (step("c", 0, "b.p"), step("a", 1), step("b", 2, "a"), step("d", 3, "t"), step("e", 4, "c.skipped"))
    judged = judge(steps, {"a": done(), "b": done("q")}, {"t": OPEN})
    assert {name: each.ruling for name, each in judged.items()} == {
        "a": Ruling.RUN,
        "b": Ruling.RUN,
        "c": Ruling.SKIP,
        "d": Ruling.OPEN,
        "e": Ruling.RUN,
    }
    assert judged["b"].sees == ("a",)


def test_what_is_not_recorded_has_no_place_in_the_commit_order() -> None:
    steps = (step("a"), step("b", 1), step("c", 2, groups=(at_least(1, "a", "b"),)))
    assert judge(steps, {"a": done()}, {})["c"].ruling is Ruling.OPEN
    assert judge(steps, {"a": done(), "b": done(order=0)}, {})["c"].sees == ("b",)


def test_a_source_that_nobody_knows_is_a_mistake_of_the_plan() -> None:
    with pytest.raises(KeyError):
        judge((step("a", 0, "nobody"),), {}, {})
