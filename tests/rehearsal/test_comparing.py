"""What differs from what a case expects: said step by step, field by field, with its place in the test file."""

import pytest

from chalicelib.rehearsal.comparing import differences as compared
from chalicelib.rehearsal.comparing import is_same
from chalicelib.rehearsal.files import read_tests
from chalicelib.rehearsal.running import run_case
from chalicelib.rehearsal.telling import case_line, difference_lines, result_to_json
from tests.rehearsal.flows import DESK, DESK_MOCKS, differences, run, write

WRONG = """\
cases:
  wrong:
    inputs: {total: 5}
    expect:
      ran: [charge, size, tell, review]
      skipped: [stock]
      failed: [stock]
      sent:
        charge: {json: {cents: 501}, url: "https://pay.example/charge"}
        stock: [{}, {}]
        refuse: {text: no}
        tell: {text: "Charged ch_1\\nby nobody", channel: null}
      output: {charge: ch_2, more: 1}
      clock: "2026-11-20T08:00:00Z"
"""


def test_everything_that_differs_is_said_with_its_place(tmp_path):
    path = write(tmp_path, DESK, f'flow: desk\nclock: "2026-11-20T07:00:00Z"\n{DESK_MOCKS}{WRONG}')
    suite = read_tests(path)
    result = run_case(suite.cases[0])
    assert case_line(result).startswith("FAIL  wrong  (")
    assert [line.removeprefix(f"{path}:") for line in difference_lines(result.differences, suite.document)] == [
        "12:12  ran: `review` was expected to run; it was: skipped",
        "12:12  ran: `stock` ran, and was not expected to",
        "13:16  skipped: `stock` was expected to be skipped; it was: succeeded",
        "13:16  skipped: `review` was skipped, and was not expected to be",
        "13:16  skipped: `refuse` was skipped, and was not expected to be",
        "13:16  skipped: `sold_out` was skipped, and was not expected to be",
        "14:15  failed: `stock` was expected to fail; it was: succeeded",
        "16:32  sent.charge.json.cents",
        "  - 501",
        "  + 500",
        "17:16  sent.stock: 2 calls were expected, and there were 1",
        "18:17  sent.refuse: nothing was sent; the step was: skipped",
        "19:22  sent.tell.text",
        "  - Charged ch_1",
        "  - by nobody",
        "  + Charged ch_1, left 4, by nobody",
        "19:58  sent.tell.channel",
        "  - null",
        '  + "#desk"',
        "20:24  output.charge",
        '  - "ch_2"',
        '  + "ch_1"',
        "20:36  output.more",
        "  - 1",
        "  + nothing",
        "21:14  clock",
        '  - "2026-11-20T08:00:00Z"',
        '  + "2026-11-20T07:00:00Z"',
    ]
    told = result_to_json(result, suite.document)
    assert (told["name"], told["passed"], told["status"]) == ("wrong", False, "succeeded")
    assert told["differences"][7] == {
        "line": 16,
        "column": 32,
        "what": "sent.charge.json.cents",
        "expected": 501,
        "got": 500,
    }


def test_an_execution_that_ends_otherwise_says_why_and_what_was_sent_until_then(tmp_path):
    tests = """\
flow: desk
mocks: {stock: {returns: {body: {left: 1}}}, charge: {error: {status: 402, message: No money}}}
cases:
  one: {inputs: {total: 5}, expect: {ran: [tell], sent: {charge: {json: {cents: 1}}}, output: {charge: 1}}}
"""
    result = run(tmp_path, DESK, tests)["one"]
    assert differences(result) == [
        "status",
        "the reason: failed at `charge` (http_402): No money",
        "sent.charge.json.cents",
    ]


@pytest.mark.parametrize(
    ("expected", "got", "paths"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}, []),
        ({}, {"a": 1}, []),
        ({"a": None}, {}, ["x.a"]),
        ([1, 2], [1, 2, 3], ["x"]),
        ([1, {"a": 1}], [1, {"a": 1, "b": 2}], []),
        ([1, {"a": 1}], [2, {"a": 2}], ["x[0]", "x[1].a"]),
        ([], {}, ["x"]),
        (1, 1.0, []),
        (1, True, ["x"]),
        (0, False, ["x"]),
        ("1", 1, ["x"]),
        (None, 0, ["x"]),
    ],
)
def test_an_object_may_have_fields_more_and_a_list_is_the_same_throughout(expected, got, paths):
    assert [each.what for each in compared(expected, got, ("p",), "x")] == paths


def test_the_same_is_the_same_json():
    assert is_same({"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]})
    assert not is_same({"a": [True]}, {"a": [1]})
    assert not is_same({"a": 1}, {"a": 1, "b": 1})
