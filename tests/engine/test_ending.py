from chalicelib.engine.ending import NOT_YET, Ends, facts_by_id, seen_from_on_failure, verdict
from chalicelib.engine.facts import Claimed, fact_name
from chalicelib.engine.needs import SKIPPED, Kind
from chalicelib.engine.readiness import Board
from chalicelib.engine.records import Image, Reason, RecordKey, Status
from tests.engine.flows import done, failed, step

FAILED = Reason(Status.FAILED, "a", "x", "y")
TIMED_OUT = Reason(Status.TIMED_OUT, "", "deadline", "y")
CANCELLED = Reason(Status.CANCELLED, "", "cancelled", "y")


def test_it_succeeds_when_every_step_is_settled() -> None:
    board = Board((step("a"), step("b", 1, "a.p")))
    assert verdict(board, None) == NOT_YET
    board.settle("a", done("q"))
    assert verdict(board, None) == Ends(Status.SUCCEEDED)


def test_a_flow_without_steps_has_succeeded() -> None:
    assert verdict(Board(()), None) == Ends(Status.SUCCEEDED)


def test_a_handled_failure_does_not_end_it() -> None:
    board = Board((step("a", error_is_named=True), step("b", 1, "a.error")))
    board.settle("a", failed())
    assert verdict(board, None) == NOT_YET
    board.settle("b", done())
    assert verdict(board, None) == Ends(Status.SUCCEEDED)


def test_an_unhandled_failure_ends_it_at_once_where_nothing_is_held() -> None:
    board = Board((step("a"), step("b", 1, "a")))
    board.settle("a", failed())
    for reason in (None, FAILED):
        assert verdict(board, reason) == Ends(Status.FAILED)


def test_on_failure_steps_come_first_for_failed_and_timed_out() -> None:
    board = Board((step("a"),))
    cleaning = Board((step("tell", 5), step("then", 6, "tell")))
    for reason, status in ((FAILED, Status.FAILED), (TIMED_OUT, Status.TIMED_OUT)):
        assert verdict(board, reason, on_failure=cleaning) == NOT_YET
        half = Board((step("tell", 5), step("then", 6, "tell")), {"tell": done()})
        assert verdict(board, reason, on_failure=half) == NOT_YET
        whole = Board((step("tell", 5), step("then", 6, "tell")), {"tell": done(), "then": done()})
        assert verdict(board, reason, on_failure=whole) == Ends(status)


def test_an_on_failure_step_that_fails_ends_the_ending() -> None:
    cleaning = Board((step("tell", 5), step("then", 6, "tell")), {"tell": failed()})
    assert verdict(Board((step("a"),)), FAILED, on_failure=cleaning) == Ends(Status.FAILED)


def test_a_cancelled_execution_runs_no_on_failure_steps() -> None:
    cleaning = Board((step("tell", 5),))
    assert verdict(Board((step("a"),)), CANCELLED, on_failure=cleaning) == Ends(Status.CANCELLED)


def test_a_cancel_counts_even_where_every_step_is_settled() -> None:
    board = Board((step("a"),), {"a": done()})
    assert verdict(board, CANCELLED) == Ends(Status.CANCELLED)


def test_final_facts_are_found_under_their_steps() -> None:
    steps = (step("a"), step("b", 40), step("c", 41))
    facts = {"f0": done(), fact_name(40): Claimed("t", 1, 1), fact_name(41, (2,)): done("p")}
    image = Image(RecordKey("m", "e"), Status.RUNNING, 0, 1, None, facts)
    assert facts_by_id(steps, image) == {"a": done()}
    assert facts_by_id(steps, image, (2,)) == {"c": done("p")}


def test_on_failure_steps_see_what_was_settled_and_take_the_rest_for_skipped() -> None:
    steps = (step("a"), step("b", 1), step("c", 2), step("d", 3, "a"), step("e", 4, "b.q"))
    board = Board(steps, {"a": failed(), "b": done("p")})
    seen = seen_from_on_failure(steps, board)
    assert seen["a"].kind is Kind.FAILED
    assert (seen["b"].kind, seen["b"].port) == (Kind.LEFT_BY_IT, "p")
    assert (seen["c"], seen["d"], seen["e"]) == (SKIPPED, SKIPPED, SKIPPED)
    tell = Board((step("tell", 5, "a.error"), step("wait", 6, "c.settled")), outside=seen)
    assert [run.step.id for run in tell.take_ready()] == ["tell", "wait"]
