"""`docs/patterns.md` tells of all 43 patterns, and each one that it says applies has a flow and a test."""

import re
from pathlib import Path

from chalicelib import catalogue
from chalicelib.flow.check import check
from chalicelib.flow.text import read_yaml
from tests.patterns.scene import FLOWS

PAGE = Path(__file__).parents[2] / "docs" / "patterns.md"
ROW = re.compile(
    r"^\| (\d+) \| ([^|]+) \| (no|\[(yes|workaround|in part)\]\(\.\./tests/patterns/flows/([^)]+)\)) \| (.+) \|$"
)


def rows():
    found = [ROW.match(line) for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]
    assert None not in found
    return found


def test_every_pattern_has_its_row_and_its_reason():
    assert sorted(int(row[1]) for row in rows()) == list(range(1, 44))
    assert all(len(row[6]) > 10 for row in rows())
    assert len({row[2] for row in rows()}) == 43


def test_what_applies_has_a_flow_and_a_test_and_says_what_it_is():
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    applied = {int(row[1]): row for row in rows() if row[3] != "no"}
    assert {int(file.name[:2]) for file in FLOWS.glob("*.yaml")} == set(applied)
    for number, row in applied.items():
        text = (FLOWS / row[5]).read_text()
        assert text.startswith(f"# {number} {row[2]}"), row[5]
        first = text.partition(".")[0].replace("\n# ", " ")
        assert ("by a workaround" in first) == (row[4] == "workaround"), row[5]
        assert ("in part" in first) == (row[4] == "in part"), row[5]
        assert f"def test_{number:02}_" in tests, f"pattern {number} has no test"


def test_every_flow_is_good_and_gives_no_warning():
    entries = catalogue.entries()
    for file in sorted(FLOWS.glob("*.yaml")):
        report = check(read_yaml(file.read_text(), file.name), entries)
        assert not report.problems, file.name
        assert not report.warnings, file.name
        assert file.read_text().startswith("# ")
