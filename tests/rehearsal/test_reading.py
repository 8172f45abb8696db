"""Reading a test file: everything that is wrong at once, each with its place and what to do."""

import pytest

from chalicelib.errors import FlowCheckError, FlowTextError, UsageError
from chalicelib.rehearsal.files import read_tests
from tests.rehearsal.flows import DESK, DESK_MOCKS, write

GOOD_CASE = "cases:\n  one: {inputs: {total: 1}}\n"


def problems(folder, tests, flow=DESK, error=FlowCheckError):
    """Line, column, what and what to do of everything that is refused."""
    path = write(folder, flow, tests)
    with pytest.raises(error) as caught:
        read_tests(path)
    assert all(each.where == str(path) for each in caught.value.problems)
    return [(each.line, each.column, each.what, each.do) for each in caught.value.problems]


def refusals(folder, tests):
    return [what for _, _, what, _ in problems(folder, tests)]


def test_a_good_file_is_read_whole(tmp_path):
    tests = f'flow: desk\nclock: "2026-11-20T08:00:00+01:00"\nvars: {{limit: 5}}\n{DESK_MOCKS}{GOOD_CASE}'
    suite = read_tests(write(tmp_path, DESK, tests))
    (case,) = suite.cases
    assert (case.name, case.plan.variables["limit"], case.clock.isoformat()) == ("one", 5, "2026-11-20T07:00:00+00:00")
    assert set(case.mocks) == {"charge", "stock", "tell", "refuse"}
    assert suite.plan.variables["limit"] == 100


def test_every_mistake_is_said_at_once_with_its_place(tmp_path):
    tests = """\
flow: desks
clock: tomorrow
vars: {limt: 1}
mocks:
  chrage: {returns: 1}
  charge: {returns: {status: "201"}, times: 3}
  review: {port: accepted}
cases:
  one:
    trigger: {placed: {bdy: 1, headers: {X-Name: Ann}}}
    expects: {}
    expect: {status: done, ran: [stok], sent: {tell: {txt: hello}}}
  two: {trigger: {places: {}}}
  three: {inputs: {totl: 1}}
  four: {}
"""
    found = problems(tmp_path, tests)
    marks = [tests.splitlines()[line - 1][column - 1 :][:6] for line, column, _, _ in found]
    assert marks == [
        *("desks", "tomorr", "limt: ", "chrage", '"201"}', "times:", "accept", "bdy: 1", "X-Name", "expect"),
        *("done, ", "stok],", "txt: h", "places", "totl: ", "four: "),
    ]
    said = [what for _, _, what, _ in found]
    assert said[0] == "The flow beside this file is `desk`, not `desks`."
    assert said[1].startswith("`clock` is a time with its zone")
    assert said[2] == "The flow has no var `limt`. Did you mean `limit`?"
    assert said[3] == "The flow has no step `chrage`. Did you mean `charge`?"
    assert said[4] == '`http.request` gives a whole number here, never the text "201".'
    assert said[5] == "A mock has no key `times`."
    assert said[6] == "`review` (`approval`) has no port `accepted`."
    assert said[7] == "A `webhook` trigger hands over no `bdy`. Did you mean `body`?"
    assert said[8] == "A flow sees the names of headers in lower case: `x-name`, not `X-Name`."
    assert said[9] == "A case has no key `expects`. Did you mean `expect`?"
    assert said[10].startswith("`status` is succeeded, failed, timed_out, ignored or refused")
    assert said[11] == "The flow has no step `stok`. Did you mean `stock`?"
    assert said[12] == "`slack.post_message` has no parameter `txt`. Did you mean `text`?"
    assert said[13] == "The flow has no trigger `places`. Did you mean `placed`?"
    assert said[14] == "The flow has no input `totl`. Did you mean `total`?"
    assert said[15] == "Nothing starts this case."
    assert all(do for _, _, _, do in found)


@pytest.mark.parametrize(
    ("mock", "said"),
    [
        ("charge: {}", "The mock of `charge` does not say what comes of the step."),
        ("charge: 7", "The mock of `charge` is a map, not 7."),
        ("charge: []", "The list holds no mock."),
        ("charge: [[{returns: {}}]]", "Lists go by the turns of the loops around the step, then by attempts"),
        ("charge: {error: {}}", "An error has a `code` or a `status`."),
        ("charge: {error: {code: http_503, status: 502}}", "The code says 503, and the status 502."),
        ("charge: {error: {status: 42}}", "`status` is an HTTP status, not 42."),
        ("charge: {error: {code: x}, returns: 1}", "A mock with `error` has no `returns`."),
        ("charge: {error: {code: x}, port: done}", "A mock with `error` has no `port`."),
        ("charge: {error: {code: x, staus: 1}}", "An error has no key `staus`. Did you mean `status`?"),
        ("charge: {returns: {}, port: error}", "A step that fails says how."),
        ("charge: {returns: {}, after: 5}", "`after` is a duration, not 5."),
        ("charge: {returns: {bdy: 1}}", "What `http.request` gives has no field `bdy`. Did you mean `body`?"),
        ("charge: {returns: {headers: {etag: 1}}}", "`http.request` gives text here, never 1."),
        ("tell: {returns: [1]}", "`slack.post_message` gives an object here, never a list."),
        ("review: {returns: {by: ann}}", "`review` is left by `approved`, `rejected` or `expired`"),
        ("review: {port: approved, returns: {who: ann}}", "What `approval` gives has no field `who`."),
        ("review: {port: expired, after: 2d}", "Nobody answers: how long that takes, the step's own `expires` says."),
        ("review: {error: {code: x}}", "`approval` never fails"),
        ("review: [{port: approved}]", "A list is one mock for each attempt; `approval` has none."),
    ],
)
def test_a_mock_that_its_step_could_never_come_to_is_refused(tmp_path, mock, said):
    found = refusals(tmp_path, f"flow: desk\nmocks: {{{mock}}}\n{GOOD_CASE}")
    assert len(found) == 1
    assert found[0].startswith(said)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("trigger: {placed: {}, by_hand: {}}", "One trigger starts an execution"),
        ("trigger: placed", "`trigger` is a map, not the text"),
        ("trigger: {placed: {}}, inputs: {total: 1}", "The trigger `placed` makes the inputs from what it hands over."),
        ("inputs: {total: 1}, expect: {ran: {a: 1}}", "`ran` is a list of steps, not a map."),
        ("inputs: {total: 1}, expect: {ran: [tell, tell]}", "`tell` is named twice."),
        ("inputs: {total: 1}, expect: {failed: [7]}", "A step goes by its id, not by 7."),
        ("inputs: {total: 1}, expect: {sent: {tell: hello}}", "What `tell` sends is an object of its parameters"),
        ("inputs: {total: 1}, expect: {clock: soon}", "`clock` is a time with its zone"),
        ("inputs: {total: 1}, expect: {status: ignored, ran: []}", "Where it is ignored there is no execution"),
        ("inputs: {total: 1}, clock: noon", "`clock` is a time with its zone"),
        ("inputs: {total: 1}, vars: {x: 1}", "The flow has no var `x`."),
    ],
)
def test_a_case_that_cannot_be_is_refused(tmp_path, case, said):
    found = refusals(tmp_path, f"flow: desk\ncases: {{one: {{{case}}}}}\n")
    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_file_without_cases_or_without_its_flow_is_refused(tmp_path):
    assert refusals(tmp_path, "flow: desk\n") == ["The test file has no cases."]
    assert refusals(tmp_path, "flow: desk\ncases: {}\n") == ["There is no case in it."]
    assert refusals(tmp_path, GOOD_CASE) == ["The test file does not say which flow it tests."]


def test_mistakes_in_the_text_and_in_what_it_means_are_said_together(tmp_path):
    tests = "flow: desk\ncases:\n  one: {inputs: {total: 1}}\n  one: {inputs: {total: 2}}\nmock: {}\n"
    found = problems(tmp_path, tests, error=FlowTextError)
    assert [line for line, *_ in found] == [4, 5]


def test_a_flow_with_mistakes_is_told_of_as_the_check_does(tmp_path):
    path = write(tmp_path, DESK.replace("slack.post_message", "slack.post_mesage", 1), f"flow: desk\n{GOOD_CASE}")
    with pytest.raises(FlowCheckError) as caught:
        read_tests(path)
    assert caught.value.problems[0].where.endswith("it.yaml")


def test_a_test_file_without_a_flow_beside_it_says_where_it_belongs(tmp_path):
    path = tmp_path / "lost.test.yaml"
    path.write_text(f"flow: lost\n{GOOD_CASE}")
    with pytest.raises(UsageError, match=r"no flow beside .*lost.yaml and lost.test.yaml"):
        read_tests(path)


def test_a_test_file_may_be_json(tmp_path):
    (tmp_path / "it.yaml").write_text(DESK)
    path = tmp_path / "it.test.json"
    path.write_text('{"flow": "desk", "cases": {"one": {"inputs": {"total": 1}}}}')
    assert [case.name for case in read_tests(path).cases] == ["one"]
    path.write_text('{"flow": "desk",\n "cases": {"one": {"inputs": {"totl": 1}}}}')
    with pytest.raises(FlowCheckError) as caught:
        read_tests(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 31)
