"""Writing a case into a test file: every other line stays as it was."""

import pytest

from chalicelib.errors import FlowTextError, UsageError
from chalicelib.flow.text import read_yaml
from chalicelib.rehearsal.writing import new_file, with_case

CASE = {"inputs": {"n": 1, "text": "a: b", "day": "2026-11-20"}, "expect": {"status": "succeeded", "ran": ["a"]}}

FILE = """\
# Cases of it.
flow: it          # the flow
cases:
    # The first.
    one:
        inputs: {n: 1}     # as it is
    two:
        inputs:
            text: |-
                a
                # no comment
            n: 2

# What stands in.
mocks: {a: {returns: 1}}
"""


def test_a_case_is_added_behind_the_others_as_they_are_indented():
    after = with_case(FILE, "it.test.yaml", "three", CASE, force=False)
    written = """\
    three:
      inputs:
        n: 1
        text: "a: b"
        day: 2026-11-20
      expect:
        status: succeeded
        ran:
          - a
"""
    at = FILE.index("\n# What stands in.")
    assert after == FILE[:at] + written + FILE[at:]
    assert read_yaml(after, "it.test.yaml").data["cases"]["three"] == CASE


def test_a_case_of_the_same_name_is_only_replaced_by_force():
    with pytest.raises(UsageError, match=r"has a case `one` already.*--case.*--force"):
        with_case(FILE, "it.test.yaml", "one", CASE, force=False)
    after = with_case(FILE, "it.test.yaml", "one", CASE, force=True)
    data, before = read_yaml(after, "f").data, read_yaml(FILE, "f").data
    assert data["cases"] == {"one": CASE, "two": before["cases"]["two"]}
    assert [line for line in FILE.splitlines() if "#" in line and "as it is" not in line] == [
        line for line in after.splitlines() if "#" in line
    ]
    last = with_case(FILE, "it.test.yaml", "two", CASE, force=True)
    assert last.endswith("          - a\n\n# What stands in.\nmocks: {a: {returns: 1}}\n")


@pytest.mark.parametrize("end", ["", "\n", "\n\n# The end.\n"])
def test_a_file_may_end_in_any_way(end):
    text = f"flow: it\ncases:\n  one: {{inputs: {{}}}}{end}"
    after = with_case(text, "it.test.yaml", "two", {"inputs": {}}, force=False)
    tail = end.removeprefix("\n")
    assert after == f"flow: it\ncases:\n  one: {{inputs: {{}}}}\n  two:\n    inputs: {{}}\n{tail}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("flow: it\ncases: {one: {inputs: {}}}\n", "in braces"),
        ("flow: it\ncases:\n  {one: {inputs: {}}}\n", "in braces"),
        ("flow: it\n", "has no cases"),
        ("flow: it\ncases: {}\n", "has no cases"),
        ("flow: it\ncases: []\n", "has no cases"),
    ],
)
def test_where_there_is_no_place_for_it_the_file_is_left_alone(text, why):
    with pytest.raises(UsageError, match=why):
        with_case(text, "it.test.yaml", "two", {"inputs": {}}, force=False)


def test_a_file_that_cannot_be_read_is_left_alone():
    with pytest.raises(FlowTextError):
        with_case("flow: it\ncases:\n  one: &x {}\n", "it.test.yaml", "two", {"inputs": {}}, force=False)


def test_a_new_file_names_its_schema_where_there_is_one():
    text = new_file("it", "../docs/schemas/flow-test.schema.json", "odd: name", {"inputs": {}})
    assert text == (
        "# yaml-language-server: $schema=../docs/schemas/flow-test.schema.json\n"
        'flow: it\ncases:\n  "odd: name":\n    inputs: {}\n'
    )
    assert new_file("it", "", "one", {"inputs": {}}).startswith("flow: it\n")
