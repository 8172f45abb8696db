"""What the cases of a flow went through: its steps, and the ports that matter."""

from chalicelib.rehearsal.coverage import Coverage, total
from chalicelib.rehearsal.telling import coverage_lines, coverage_to_json
from tests.rehearsal.flows import DESK, DESK_MOCKS, covered

SMALL = "  small: {inputs: {total: 1}}\n"
REST = """\
  yes: {inputs: {total: 500}, mocks: {review: {port: approved}}}
  no: {inputs: {total: 500}, mocks: {review: {port: rejected}}}
  nobody: {inputs: {total: 500}, mocks: {review: {port: expired}}}
  gone: {inputs: {total: 1}, mocks: {stock: {error: {status: 404}}}}
"""


def test_steps_that_never_ran_and_ports_that_were_never_taken_are_named(tmp_path):
    found = covered(tmp_path, DESK, f"flow: desk\n{DESK_MOCKS}cases:\n{SMALL}")
    assert found == Coverage(
        steps=7,
        ports=6,
        unrun=("review", "refuse", "sold_out"),
        unleft=("stock.error", "size.large", "review.approved", "review.rejected", "review.expired"),
    )
    assert (found.steps_run, found.ports_left) == (4, 1)


def test_cases_add_up(tmp_path):
    found = covered(tmp_path, DESK, f"flow: desk\n{DESK_MOCKS}cases:\n{SMALL}{REST}")
    assert (found.unrun, found.unleft) == ((), ())


def test_the_bodies_of_loops_and_what_runs_on_failure_count(tmp_path):
    flow = """\
flow: it
inputs: {rows: {type: array}}
steps:
  all:
    uses: foreach
    with: {over: "${ inputs.rows }", tolerate: 100%}
    steps:
      which: {uses: switch, with: {cases: {odd: "${ item % 2 = 1 }"}}}
      post: {uses: http.request, after: which.odd, on_error: continue, with: {url: "https://a.example/"}}
  stop: {uses: fail, after: all, if: "${ $count(inputs.rows) = 3 }", with: {message: three}}
on_failure:
  tell: {uses: set, with: {x: 1}}
"""
    one = "  one: {inputs: {rows: [2]}}\n"
    found = covered(tmp_path, flow, f"flow: it\ncases:\n{one}")
    assert (found.unrun, found.unleft) == (("post", "stop", "tell"), ("which.odd", "post.error"))
    two = "  two: {inputs: {rows: [1, 1, 1]}, mocks: {post: {error: {status: 500}}}, expect: {status: failed}}\n"
    found = covered(tmp_path, flow, f"flow: it\ncases:\n{one}{two}")
    assert (found.steps, found.ports, found.unrun, found.unleft) == (5, 3, (), ())


def test_coverage_is_told_per_flow_and_in_total():
    first = Coverage(4, 3, (), ("size.else",))
    second = Coverage(12, 0, ("alarm", "late"), ())
    assert list(coverage_lines([("a", first), ("longer", second)])) == [
        "a       steps   4 of 4    ports   2 of 3    never left by: size.else",
        "longer  steps  10 of 12   ports   0 of 0    never ran: alarm, late",
        "total   steps  14 of 16   ports   2 of 3",
    ]
    assert list(coverage_lines([("a", first)])) == [
        "a  steps   4 of 4    ports   2 of 3    never left by: size.else",
    ]
    assert list(coverage_lines([])) == []
    assert coverage_to_json(total([("a", first), ("b", second)])) == {
        "steps": 16,
        "steps_run": 14,
        "ports": 3,
        "ports_left": 2,
        "never_ran": ["b: alarm", "b: late"],
        "never_left_by": ["a: size.else"],
    }
