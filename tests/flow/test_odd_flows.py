"""Flows that are odd and right: nothing is said of them, and formatting keeps what they mean and their comments."""

import re
from pathlib import Path

import pytest

from chalicelib.api.publishing import reported
from chalicelib.flow.formatting import format_yaml
from chalicelib.flow.text import read_draft, read_yaml

HERE = Path(__file__)
ODD = HERE.with_name("odd").joinpath("valid.txt").read_text(encoding="utf-8").split("=====\n")
OURS = [
    path.read_text(encoding="utf-8")
    for path in sorted(HERE.parents[2].joinpath("flows").glob("*.yaml"))
    if not path.stem.endswith(".test")
]
FLOWS = [*ODD, *OURS]


def comments(text: str) -> list[str]:
    return sorted(re.findall(r"(?:^|\s)(#[^\n\r]*)", text))


@pytest.mark.parametrize("text", FLOWS, ids=lambda text: re.search(r"flow: (\S+)", text)[1])
def test_nothing_is_said_of_what_is_right(text: str):
    document = read_draft(text, "f.yaml")
    report = reported(document, str(document.data["flow"]))
    assert [*report.problems, *report.warnings] == []


@pytest.mark.parametrize("text", FLOWS, ids=lambda text: re.search(r"flow: (\S+)", text)[1])
def test_formatting_keeps_meaning_and_comments_and_changes_nothing_twice(text: str):
    for written in (text, text.replace("\n", "\r\n"), text.rstrip("\n")):
        formatted = format_yaml(written, "f.yaml")
        assert read_yaml(formatted, "f.yaml").data == read_yaml(written, "f.yaml").data
        assert format_yaml(formatted, "f.yaml") == formatted
        assert comments(formatted) == comments(written)
        assert "\r" not in formatted
        assert formatted.endswith("\n")


def test_there_are_enough_of_them():
    assert len(ODD) >= 30
    assert len(OURS) >= 5
