"""`penstock test`: cases by file, what differed, what was covered, and how it ends."""

import json
from pathlib import Path

import jsonschema
import pytest

from chalicelib.flow.text import read_yaml
from chalicelib.rehearsal import reading, reading_expect, reading_mocks
from tests.cli.calling import penstock
from tests.rehearsal.flows import DESK, DESK_MOCKS, write

ROOT = Path(__file__).parents[2]
CASES = """\
cases:
  small: {inputs: {total: 5}, expect: {output: {charge: ch_1}}}
  wrong: {inputs: {total: 5}, expect: {output: {charge: ch_2}}}
"""
COLUMN = CASES.splitlines()[2].index("ch_2") + 1
GOOD = "flow: greet\nsteps:\n  say: {uses: set, with: {text: Hello}}\noutput: ${ steps.say.text }\n"
GREETS = "flow: greet\ncases:\n  greets: {inputs: {}, expect: {output: Hello}}\n"


def desk(folder, cases=CASES):
    return write(folder, DESK, f"flow: desk\n{DESK_MOCKS}{cases}", "desk")


def test_our_own_flows_pass_offline_and_all_of_their_steps_and_ports_are_covered():
    said = penstock("test", ROOT / "flows", "--json")
    assert said.code == 0
    flows = sorted(path.stem for path in (ROOT / "flows").glob("*.yaml") if not path.stem.endswith(".test"))
    assert sorted(each["flow"] for each in said.json["files"]) == flows
    assert len(flows) >= 5
    assert said.json["failed"] == 0
    assert said.json["passed"] >= 5 * len(flows)
    coverage = said.json["coverage"]
    assert (coverage["never_ran"], coverage["never_left_by"]) == ([], [])
    assert coverage["steps"] >= 34


def test_each_case_has_a_line_what_differs_stands_below_it_and_coverage_at_the_end(tmp_path):
    path = desk(tmp_path)
    said = penstock("test", path)
    lines = said.out.splitlines()
    assert said.code == 1
    assert lines[0] == str(path)
    assert lines[1].startswith("  ok    small  (")
    assert lines[2].startswith("  FAIL  wrong  (")
    assert lines[3] == f"        {path}:9:{COLUMN}  output.charge"
    assert lines[4:6] == ['          - "ch_2"', '          + "ch_1"']
    assert lines[6] == "coverage"
    assert lines[7].startswith("  desk  steps   4 of 7    ports   1 of 6    never ran: review, refuse, sold_out;")
    assert said.err == "2 cases, 1 failed\n"


def test_a_flow_its_test_or_a_folder_may_be_named(tmp_path):
    desk(tmp_path / "flows")
    (tmp_path / "flows" / "greet.yaml").write_text(GOOD)
    for place in ("flows/desk.yaml", "flows/desk.test.yaml", "flows"):
        assert penstock("test", tmp_path / place, "--case", "small").code == 0
    by_name = penstock("test", "--flows", tmp_path / "flows", "--case", "small")
    assert by_name.err == f"no tests: {tmp_path / 'flows' / 'greet.yaml'}\n1 case, none failed\n"
    assert "coverage" not in by_name.out
    assert penstock("test", tmp_path / "flows" / "greet.yaml").code == 2
    assert penstock("test", tmp_path / "nowhere").code == 2


def test_one_case_can_be_chosen_and_one_that_is_not_there_is_refused(tmp_path):
    path = desk(tmp_path)
    assert penstock("test", path, "--case", "small").code == 0
    assert penstock("test", path, "--case", "small", "--case", "wrong").code == 1
    said = penstock("test", path, "--case", "large")
    assert (said.code, said.err) == (2, "There is no case `large`. There are: small, wrong.\n")


def test_as_json_all_of_it_is_data(tmp_path):
    path = desk(tmp_path)
    said = penstock("test", path, "--json")
    assert said.code == 1
    (file,) = said.json["files"]
    assert (file["file"], file["flow"], file["error"]) == (str(path), "desk", None)
    assert [(case["name"], case["passed"]) for case in file["cases"]] == [("small", True), ("wrong", False)]
    assert file["cases"][1]["differences"] == [
        {"line": 9, "column": COLUMN, "what": "output.charge", "expected": "ch_2", "got": "ch_1"}
    ]
    assert (said.json["passed"], said.json["failed"]) == (1, 1)
    assert file["coverage"]["never_ran"] == ["review", "refuse", "sold_out"]


def test_a_mock_that_contradicts_its_node_fails_with_the_place_and_the_reason(tmp_path):
    tests = "flow: desk\nmocks:\n  charge: {returns: {status: created}}\ncases:\n  one: {inputs: {total: 5}}\n"
    path = write(tmp_path, DESK, tests, "desk")
    said = penstock("test", path)
    assert said.code == 2
    place = f'{path}:3:30  `http.request` gives a whole number here, never the text "created".'
    assert f"  {place}  ->  Let the mock give the same." in said.out.splitlines()
    assert said.err == "0 cases, none failed, 1 file with mistakes\n"
    problem = penstock("test", path, "--json").json["files"][0]["problems"][0]
    assert (problem["line"], problem["column"]) == (3, 30)


def test_a_file_with_mistakes_keeps_no_other_from_running(tmp_path):
    desk(tmp_path, "cases:\n  small: {inputs: {totl: 5}}\n")
    write(tmp_path, GOOD, GREETS, "greet")
    said = penstock("test", tmp_path)
    assert said.code == 2
    assert "  ok    greets" in said.out
    assert said.err == "1 case, none failed, 1 file with mistakes\n"


def test_a_folder_without_tests_says_how_to_begin(tmp_path):
    (tmp_path / "greet.yaml").write_text(GOOD)
    said = penstock("test", tmp_path)
    assert said.code == 0
    assert "Write <flow>.test.yaml beside a flow." in said.err


def test_force_is_for_recording():
    assert penstock("test", "--force").code == 2


SCHEMA = json.loads((ROOT / "docs" / "schemas" / "flow-test.schema.json").read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("*.test.yaml")), ids=lambda path: path.name)
def test_our_own_tests_fit_the_schema_that_editors_are_given(path):
    data = read_yaml(path.read_text(), path.name).data
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(data)
    assert path.read_text().startswith("# yaml-language-server: $schema=../docs/schemas/flow-test.schema.json\n")


def test_the_schema_has_the_keys_and_the_statuses_that_are_read():
    parts = SCHEMA["definitions"]
    assert tuple(SCHEMA["properties"]) == reading.SUITE_KEYS
    assert tuple(parts["case"]["properties"]) == reading.CASE_KEYS
    assert tuple(parts["mock"]["properties"]) == reading_mocks.MOCK_KEYS
    assert tuple(parts["error"]["properties"]) == reading_mocks.ERROR_KEYS
    assert tuple(parts["expect"]["properties"]) == reading_expect.EXPECT_KEYS
    assert tuple(parts["expect"]["properties"]["status"]["enum"]) == reading_expect.STATUSES


@pytest.mark.parametrize(
    "data",
    [
        {"flow": "a", "cases": {"x": {}}},
        {"flow": "a", "cases": {"x": {"inputs": {}, "mocks": {"s": {}}}}},
        {"flow": "a", "cases": {"x": {"inputs": {}, "mocks": {"s": {"returns": 1, "error": {"code": "x"}}}}}},
        {"flow": "a", "cases": {"x": {"inputs": {}, "expect": {"status": "done"}}}},
        {"flow": "a", "cases": {"x": {"inputs": {}}}, "mock": {}},
    ],
)
def test_the_schema_refuses_what_is_refused(data):
    assert not jsonschema.Draft7Validator(SCHEMA).is_valid(data)
