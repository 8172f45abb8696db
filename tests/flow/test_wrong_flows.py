"""Files as people write them who come from elsewhere: every mistake at once, at its place, with a cure that works.

The files in `wrong/` hold flows divided by `=====`. A `§` in a flow marks where something is wrong (it is taken out
before the check); below `-----` stands what is said, each line led by the number of its mark, and by `w` where it is
only a warning.
"""

import re
from pathlib import Path

import pytest

from chalicelib.api.publishing import reported
from chalicelib.errors import FlowTextError, Problem
from chalicelib.flow.text import read_draft

FOLDER = Path(__file__).with_name("wrong")
CASES = [
    pytest.param(text, id=f"{path.stem}-{number}")
    for path in sorted(FOLDER.glob("*.txt"))
    for number, text in enumerate(path.read_text(encoding="utf-8").split("=====\n"))
]
QUOTED = re.compile(r"Put quotes around it: (.*)\.")
MEANT = re.compile(r"""(?:`(?:\w+\.)?([^`]+)`|the text "([^"]+)")(?:(?!`|the text).)*Did you mean `([^`]+)`\?""")


def said_of(text: str) -> list[tuple[Problem, bool]]:
    """What the check says of a flow, and whether it is only a warning."""
    try:
        document = read_draft(text, "f.yaml")
    except FlowTextError as error:
        return [(problem, False) for problem in error.problems]
    name = document.data.get("flow")
    report = reported(document, name if isinstance(name, str) else "f")
    return [(problem, False) for problem in report.problems] + [(problem, True) for problem in report.warnings]


def flow_in(case: str) -> str:
    return case.split("-----\n", maxsplit=1)[0].replace("§", "")


def places_in(case: str) -> list[tuple[int, int]]:
    """The line and column of every mark, counted without the marks."""
    return [
        (number, found.start() - index + 1)
        for number, line in enumerate(case.split("-----\n", maxsplit=1)[0].split("\n"), 1)
        for index, found in enumerate(re.finditer("§", line))
    ]


@pytest.mark.parametrize("case", CASES)
def test_everything_is_said_at_once_and_at_its_place(case: str):
    places = places_in(case)
    said = [
        f"{places.index((problem.line, problem.column)) + 1 if (problem.line, problem.column) in places else str(problem)}"
        f"{'w' if is_warning else ''} {problem.what}  ->  {problem.do}"
        for problem, is_warning in said_of(flow_in(case))
    ]
    assert said == case.split("-----\n")[1].splitlines()


def cured(text: str, problem: Problem) -> str | None:
    """The flow after its user did literally what a message proposes; None where it proposes no text."""
    lines = text.split("\n")
    index = sum(len(line) + 1 for line in lines[: problem.line - 1]) + problem.column - 1
    if quoted := QUOTED.fullmatch(problem.do):
        written = quoted[1][1:-1].replace('\\"', '"')
        at = text.index(written, index)
        return text[:at] + quoted[1] + text[at + len(written) :] if at - index < 3 else None
    if meant := MEANT.search(problem.what):
        old, new = meant[1] or meant[2], meant[3]
        at = text.find(old, index)
        return text[:at] + new + text[at + len(old) :] if at >= 0 else None
    return None


@pytest.mark.parametrize("case", CASES)
def test_what_is_proposed_helps(case: str):
    text = flow_in(case)
    before = said_of(text)
    for problem, _ in before:
        if (better := cured(text, problem)) is not None:
            after = [one for one, _ in said_of(better)]
            here = [one.what for one in after if (one.line, one.column) == (problem.line, problem.column)]
            assert problem.what not in here
            assert len([one for one in after if "YAML" in one.what]) <= len(
                [one for one, _ in before if "YAML" in one.what]
            )


def test_there_are_many_of_them_and_most_propose_something():
    assert len(CASES) >= 80
    texts = [flow_in(case.values[0]) for case in CASES]  # pyright: ignore[reportArgumentType]
    proposals = sum(cured(text, problem) is not None for text in texts for problem, _ in said_of(text))
    assert proposals >= 80
