"""The pytest plugin: a case is an item, found without configuration."""

import tomllib
from pathlib import Path

from tests.rehearsal.flows import DESK, DESK_MOCKS  # it brings all that a run needs, so that no run imports it anew

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]
CASES = """\
cases:
  small: {inputs: {total: 5}, expect: {output: {charge: ch_1}}}
  wrong: {inputs: {total: 5}, expect: {output: {charge: ch_2}}}
  review: {inputs: {total: 500}, mocks: {review: {port: rejected}}}
"""


def run(pytester, *arguments):
    """Run pytest with the plugin, whether or not it is installed here."""
    return pytester.runpytest(
        "-p", "no:penstock", "-p", "chalicelib.rehearsal.plugin", "-p", "no:cacheprovider", *arguments
    )


def write(pytester, tests=f"flow: desk\n{DESK_MOCKS}{CASES}"):
    folder = pytester.mkdir("flows")
    (folder / "desk.yaml").write_text(DESK)
    (folder / "desk.test.yaml").write_text(tests)
    return folder


def test_it_is_found_by_pytest_wherever_penstock_is_installed():
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert points["pytest11"] == {"penstock": "chalicelib.rehearsal.plugin"}


def test_each_case_is_an_item_and_a_failure_says_what_differs(pytester):
    write(pytester)
    result = run(pytester, "-v")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "flows/desk.test.yaml::small PASSED*",
            "flows/desk.test.yaml::wrong FAILED*",
            "flows/desk.test.yaml::review PASSED*",
            "*_ case: wrong _*",
            "*desk.test.yaml:9:57  output.charge",
            '  - "ch_2"',
            '  + "ch_1"',
            "*= coverage of flows =*",
            "desk  steps   6 of 7 *ports   3 of 6 *never ran: sold_out; never left by: *review.approved*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_one_case_can_be_asked_for(pytester):
    write(pytester)
    run(pytester, "flows/desk.test.yaml::small").assert_outcomes(passed=1)
    run(pytester, "-k", "review").assert_outcomes(passed=1, deselected=2)


def test_cases_run_beside_ordinary_tests_and_in_several_processes(pytester):
    write(pytester)
    pytester.makepyfile("def test_sum():\n    assert 1 + 1 == 2\n")
    result = run(pytester, "-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*= coverage of flows =*", "desk  steps   6 of 7 *"])


def test_a_file_with_mistakes_is_an_error_with_every_place(pytester):
    write(pytester, "flow: desk\nmocks: {chrage: {}}\ncases:\n  one: {input: {}}\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*desk.test.yaml:2:9  The flow has no step `chrage`. Did you mean `charge`*",
            "*desk.test.yaml:4:3  Nothing starts this case.*",
            "*desk.test.yaml:4:9  A case has no key `input`. Did you mean `inputs`*",
            "*desk.test.yaml has 3 mistakes.",
        ]
    )


def test_a_missing_mock_fails_the_case(pytester):
    write(pytester, "flow: desk\ncases:\n  one: {inputs: {total: 5}, expect: {status: failed}}\n")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*`charge` (`http.request`) would reach the world, and has no mock. Add under `mocks`*"]
    )


def test_a_test_of_a_flow_that_is_not_there_is_an_error_and_another_tools_file_is_nothing(pytester):
    pytester.makefile(".test.yaml", lost="flow: lost\ncases:\n  one: {inputs: {}}\n")
    pytester.makefile(".test.yaml", foreign="suite: other\ntests: []\n")
    pytester.makefile(".test.json", data='{"a": 1}')
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*There is no flow beside*lost.test.yaml*"])


def test_nothing_of_penstock_is_imported_where_there_is_no_test_of_a_flow(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            found = [name for name in sys.modules if name.startswith("chalicelib.")]
            assert set(found) <= {"chalicelib.rehearsal", "chalicelib.rehearsal.plugin"}
        """
    )
    pytester.runpytest_subprocess("-p", "no:penstock", "-p", "chalicelib.rehearsal.plugin").assert_outcomes(passed=1)
