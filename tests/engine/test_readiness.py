from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from chalicelib.engine.facts import Done, How
from chalicelib.engine.needs import (
    HOLDS,
    OPEN,
    STARTED,
    Ask,
    Judgement,
    Kind,
    Ruling,
    State,
    ask_of,
    judge,
    state_of,
)
from chalicelib.engine.readiness import Board
from chalicelib.errors import ConflictError
from chalicelib.flow.plan import StepPlan, UseValue
from tests.engine.flows import ANYTHING, any_of, at_least, done, failed, random_done, random_flow, step

FLOWS = 60_000
LEAST = 1_000
"""How often each cell of the table must be met."""

REFUSED_BY_THE_CHECK = {(Kind.FORGIVEN, Ask.ERROR), (Kind.FORGIVEN_BY_ANOTHER, Ask.ERROR)}
BY_PORT_ALONE = {Kind.LEFT_BY_ANOTHER, Kind.FORGIVEN_BY_ANOTHER}
"""Rows that differ from the one above them only where a port is asked for."""

Cells = Counter[tuple[Kind, Ask]]


def _cell(need_port: str, ask: Ask, state: State) -> tuple[Kind, Ask]:
    kind = state.kind
    if ask is Ask.PORT and state.port != need_port:
        kind = {Kind.LEFT_BY_IT: Kind.LEFT_BY_ANOTHER, Kind.FORGIVEN: Kind.FORGIVEN_BY_ANOTHER}.get(kind, kind)
    return kind, ask


def _count(
    cells: Cells, steps: tuple[StepPlan, ...], facts: Mapping[str, Done], judged: Mapping[str, Judgement]
) -> None:
    """Note which cells of the table this image stands in."""
    states: dict[str, State] = {}
    for each in steps:
        if each.id in facts:
            states[each.id] = state_of(each, facts[each.id])
        else:
            states[each.id] = State(Kind.SKIPPED) if judged[each.id].ruling is Ruling.SKIP else OPEN
        for need in each.needs + tuple(member for group in each.groups for member in group.needs):
            cells[_cell(need.port, ask_of(need), states[need.source])] += 1


def _changed(random: Random, cells: Cells, *, has_order: bool) -> int:
    """Let the ready steps of one random flow be settled in random order, and count the judgements that changed.

    After every write the whole image is judged anew, and the board, which sees one fact at a time, must say the same.
    """
    steps = random_flow(random)
    board = Board(steps)
    facts: dict[str, Done] = {}
    judged: dict[str, Judgement] = {}
    changed = rev = 0
    ready: dict[str, StepPlan] = {}
    watched = int(random.random() * 5)
    while True:
        full = judge(steps, facts, {})
        for name, now in full.items():
            before = judged.get(name)
            if before is not None and before.ruling is not Ruling.OPEN and before != now:
                changed += 1
            judged[name] = now
        is_ending = board.unhandled is not None
        if rev == watched or ((is_ending or not ready) and random.random() < 0.5):
            _count(cells, steps, facts, full)
        if has_order:
            for run in board.take_ready():
                assert full[run.step.id] == Judgement(Ruling.RUN, run.sees)
                ready[run.step.id] = run.step
            assert set(board.skipped) == {
                each for each in full if full[each].ruling is Ruling.SKIP and each not in facts
            }
            assert is_ending or ready.keys() == {
                each for each in full if full[each].ruling is Ruling.RUN and each not in facts
            }
        else:
            ready = {each.id: each for each in steps if full[each.id].ruling is Ruling.RUN and each.id not in facts}
        if not ready or is_ending:
            return changed
        # One write settles one or two steps; its facts have one place in the commit order.
        for _ in range(1 if random.random() < 0.7 else 2):
            if ready:
                name = random.choice(tuple(ready))
                ready.pop(name)
                fact = random_done(random, rev)
                facts[name] = fact if has_order else replace(fact, order=0)
                if has_order:
                    board.settle(name, fact)
        rev += 1


def _said(kind: Kind, ask: Ask, cells: Cells) -> str:
    if (kind, ask) in REFUSED_BY_THE_CHECK:
        return "refused by the check"
    if kind is Kind.UNHANDLED and ask is Ask.ERROR:
        return "named, so handled"
    return "as above" if kind in BY_PORT_ALONE and ask is not Ask.PORT else f"{cells[kind, ask]:,}"


def test_no_fact_changes_a_judgement_and_every_cell_of_the_table_is_met(record_property) -> None:
    cells: Cells = Counter()
    random = Random(7)
    changed = sum(_changed(random, cells, has_order=True) for _ in range(FLOWS))
    assert changed == 0
    expected = {
        (kind, ask)
        for kind, ask in HOLDS
        if (kind, ask) not in REFUSED_BY_THE_CHECK
        and not (kind in BY_PORT_ALONE and ask is not Ask.PORT)
        and not (kind is Kind.UNHANDLED and ask is Ask.ERROR)
    }
    print()
    for kind in Kind:
        print(f"{kind.value:66}", *(f"{ask.value}: {_said(kind, ask, cells)}" for ask in Ask), sep="  ")
    rarest = min(expected, key=lambda cell: cells[cell])
    assert cells[rarest] >= LEAST, f"{rarest}: {cells[rarest]}"
    assert cells.keys() <= expected
    record_property(
        "covered",
        f"readiness: {FLOWS:,} random flows and fact orders, {len(expected)} cells of the table, "
        f"the rarest met {cells[rarest]:,} times, {changed} judgements changed",
    )


def test_without_the_commit_order_judgements_change() -> None:
    random = Random(8)
    changed = sum(_changed(random, Counter(), has_order=False) for _ in range(3_000))
    assert changed > 20


def test_a_worker_that_knows_more_than_the_record_judges_as_the_record_will(record_property) -> None:
    """Own results count before they are recorded, except where the commit order decides."""
    random = Random(9)
    runs = 0
    for _ in range(4_000):
        steps = random_flow(random)
        board = Board(steps)
        facts: dict[str, Done] = {}
        pending: dict[str, Done] = {}
        seen: dict[str, tuple[str, ...]] = {}
        rev = 0
        while True:
            fresh = board.take_ready()
            for run in fresh:
                seen[run.step.id] = run.sees
                own = random_done(random, -1)
                pending[run.step.id] = own
                board.settle(run.step.id, own)
            if not fresh or random.random() < 0.4:
                if not pending:
                    break
                for name, own in pending.items():
                    facts[name] = replace(own, order=rev, pack="p1")
                    board.settle(name, facts[name])
                pending = {}
                rev += 1
        full = judge(steps, facts, {})
        for name, sees in seen.items():
            assert full[name] == Judgement(Ruling.RUN, sees)
            runs += 1
    assert runs > 10_000


def _run(board: Board, *, port: str = "done") -> list[str]:
    """Take what is ready, settle it, and say what it was."""
    taken = [run.step.id for run in board.take_ready()]
    for name in taken:
        board.settle(name, done(port))
    return taken


def test_a_chain_runs_one_after_the_other() -> None:
    board = Board(tuple(step(f"s{n}", n, *([f"s{n - 1}"] if n else [])) for n in range(5)))
    assert [_run(board) for _ in range(6)] == [["s0"], ["s1"], ["s2"], ["s3"], ["s4"], []]
    assert board.is_finished


def test_a_diamond_runs_both_sides_and_joins_once() -> None:
    board = Board((step("a"), step("b", 1, "a"), step("c", 2, "a"), step("d", 3, "b", "c")))
    assert _run(board) == ["a"]
    assert [run.sees for run in board.take_ready()] == [("a",), ("a",)]
    board.settle("b", done())
    assert board.take_ready() == []
    board.settle("c", done())
    assert [(run.step.id, run.sees) for run in board.take_ready()] == [("d", ("b", "c"))]
    assert board.take_ready() == []


def test_a_need_may_point_further_down() -> None:
    board = Board((step("late", 0, "early"), step("early", 1)))
    assert _run(board) == ["early"]
    assert _run(board) == ["late"]


def test_a_skip_spreads_and_what_waits_for_it_runs() -> None:
    steps = (
        step("size", 0, ports=("large", "else")),
        step("approve", 1, "size.large", ports=("approved", "rejected")),
        step("after", 2, "approve.approved"),
        step("instead", 3, "after.skipped"),
        step("confirm", 4, groups=(any_of("size.else", "approve.approved"),)),
        step("always", 5, "after.settled"),
    )
    board = Board(steps)
    board.take_ready()
    board.settle("size", done("else"))
    assert board.skipped == ("approve", "after")
    assert {run.step.id: run.sees for run in board.take_ready()} == {
        "instead": ("after",),
        "confirm": ("size",),
        "always": ("after",),
    }
    assert not board.is_finished
    for name in ("instead", "confirm", "always"):
        board.settle(name, done())
    assert board.is_finished


def test_an_any_group_sees_every_one_that_holds_and_waits_for_all() -> None:
    board = Board((step("a"), step("b", 1), step("c", 2), step("d", 3, groups=(any_of("a", "b.p", "c"),))))
    board.take_ready()
    board.settle("c", done())
    board.settle("a", done())
    assert board.ready == ()
    board.settle("b", done("q"))
    assert [run.sees for run in board.take_ready()] == [("a", "c")]


def test_a_numbered_group_fires_with_the_first_in_commit_order() -> None:
    steps = (step("a"), step("b", 1), step("c", 2), step("d", 3, groups=(at_least(2, "a", "b", "c"),)))
    board = Board(steps)
    board.take_ready()
    board.settle("a", done(order=5))
    board.settle("b", done(order=9))
    board.settle("c", done(order=2))
    assert [run.sees for run in board.take_ready()] == [("c", "a")]


def test_facts_of_one_write_fire_a_numbered_group_in_document_order() -> None:
    for order in (("a", "b"), ("b", "a")):
        board = Board((step("a"), step("b", 1), step("d", 3, groups=(at_least(1, "b", "a"),))))
        board.take_ready()
        for name in order:
            board.settle(name, done(order=4))
        assert [run.sees for run in board.take_ready()] == [("a",)]


def test_a_numbered_group_counts_recorded_facts_only() -> None:
    board = Board((step("a"), step("b", 1, "a"), step("d", 2, groups=(at_least(1, "a", "b"),))))
    board.take_ready()
    board.settle("a", done())
    assert [run.step.id for run in board.take_ready()] == ["b"]
    board.settle("a", replace(done(order=3), pack="p7"))
    assert [(run.step.id, run.sees) for run in board.take_ready()] == [("d", ("a",))]
    board.settle("a", replace(done(order=3), pack="p7"))
    board.settle("a", done())
    assert board.facts["a"].order == 3
    assert board.take_ready() == []


def test_a_numbered_group_that_cannot_reach_its_number_is_skipped() -> None:
    steps = (step("a"), step("b", 1), step("c", 2), step("d", 3, groups=(at_least(2, "a.p", "b.p", "c.p"),)))
    board = Board(steps)
    board.take_ready()
    board.settle("a", done("q", order=0))
    board.settle("b", done("p"))
    assert board.skipped == ()
    board.settle("c", done("q"))
    assert board.skipped == ("d",)


def test_triggers_are_sources_and_those_that_did_not_start_it_are_skipped() -> None:
    steps = (step("a", 0, "placed"), step("b", 1, "by_hand"), step("c", 2, groups=(any_of("a", "b"),)))
    board = Board(steps, triggers=("placed", "by_hand"), started_by="by_hand")
    assert board.skipped == ("a",)
    assert [(run.step.id, run.sees) for run in board.take_ready()] == [("b", ("by_hand",))]
    first = Board((step("a", 0, groups=(at_least(1, "placed", "by_hand"),)),), outside={"placed": STARTED})
    assert [run.sees for run in first.take_ready()] == [("placed",)]


def test_an_unhandled_failure_stops_everything() -> None:
    board = Board((step("a"), step("b", 1), step("c", 2, "b"), step("d", 3, "a.settled")))
    board.take_ready()
    board.settle("b", done())
    board.settle("a", failed())
    assert board.unhandled is not None
    assert board.unhandled.id == "a"
    assert board.take_ready() == []
    assert board.ready == ()
    assert not board.is_finished


def test_a_handled_failure_leaves_by_error() -> None:
    steps = (step("a", error_is_named=True), step("b", 1, "a"), step("c", 2, "a.error"))
    board = Board(steps)
    board.take_ready()
    board.settle("a", failed(how=How.UNKNOWN))
    assert board.unhandled is None
    assert board.skipped == ("b",)
    assert _run(board) == ["c"]
    assert board.is_finished


def test_a_forgiven_failure_counts_as_done() -> None:
    board = Board((step("a", on_error=UseValue(ANYTHING)), step("b", 1, "a"), step("c", 2, "a.settled")))
    board.take_ready()
    board.settle("a", failed())
    assert _run(board) == ["b", "c"]
    assert board.is_finished


def test_another_fact_for_the_same_step_is_a_conflict() -> None:
    board = Board((step("a"),))
    board.settle("a", done("done"))
    board.settle("a", done("done"))
    with pytest.raises(ConflictError, match="another fact"):
        board.settle("a", done("p"))
    with pytest.raises(KeyError):
        board.settle("nobody", done())


def test_a_fact_against_a_skip_is_a_conflict() -> None:
    board = Board((step("a"), step("b", 1, "a.p")))
    board.settle("a", done("q"))
    with pytest.raises(ConflictError, match="skipped"):
        board.settle("b", done())


def test_replacing_the_facts_begins_again_and_keeps_what_is_in_the_air() -> None:
    board = Board((step("a"), step("b", 1, "a"), step("x", 2), step("c", 3, "b")))
    board.take_ready()
    board.settle("a", done("p"))
    assert [run.step.id for run in board.take_ready()] == ["b"]
    board.replace({"a": done("q")})
    assert board.take_ready() == []
    board.replace({})
    assert [run.step.id for run in board.take_ready()] == ["a"]


def test_a_chain_costs_as_many_answers_as_it_has_needs() -> None:
    """Counted, not timed: the board asks each need once, whatever the length of the chain."""
    asked = 0

    class Counting(dict):
        def get(self, key, default=None):
            nonlocal asked
            asked += 1
            return super().get(key, default)

    steps = tuple(step(f"s{n}", n, *([f"s{n - 1}"] if n else [])) for n in range(300))
    board = Board(steps)
    board._wiring.listeners = Counting(board._wiring.listeners)
    while _run(board):
        pass
    assert board.is_finished
    assert asked == 300
