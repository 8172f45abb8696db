"""Says how cases went, in lines that a person reads: the same on the command line and in pytest."""

import json
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import Final

from chalicelib.flow.paths import Missing
from chalicelib.flow.text import Document
from chalicelib.flow.values import Json
from chalicelib.rehearsal.comparing import Difference
from chalicelib.rehearsal.coverage import Coverage, total
from chalicelib.rehearsal.running import Result

_LONGEST: Final = 400
"""Characters of a value in a line."""


def difference_lines(differences: Sequence[Difference], document: Document) -> Iterator[str]:
    """What differed: each with its place in the test file, what was expected (`-`) and what came (`+`)."""
    for each in differences:
        place = document.place(each.pointer)
        where = f"{document.name}:{place.line}:{place.column}" if place.line else document.name
        yield f"{where}  {each.what}"
        if not (isinstance(each.expected, Missing) and isinstance(each.got, Missing)):
            yield from (f"  {line}" for line in _diff(each.expected, each.got))


def _diff(expected: Json | Missing, got: Json | Missing) -> Iterator[str]:
    """Both sides; texts of several lines line by line."""
    if isinstance(expected, str) and isinstance(got, str) and "\n" in expected + got:
        lines = list(unified_diff(expected.splitlines(), got.splitlines(), lineterm=""))
        if lines:  # else they differ in how they end
            yield from (f"{line[0]} {line[1:]}".rstrip() for line in lines[2:] if not line.startswith("@@"))
            return
    yield f"- {value_text(expected)}"
    yield f"+ {value_text(got)}"


def value_text(value: Json | Missing) -> str:
    """A value as JSON on one line, cut where it is long."""
    if isinstance(value, Missing):
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def case_line(result: Result) -> str:
    """One case in a line: whether it passed, its name, how long it took."""
    word = "ok  " if result.has_passed else "FAIL"
    return f"{word}  {result.case.name}  ({result.seconds * 1000:.0f} ms)"


def coverage_lines(flows: Sequence[tuple[str, Coverage]]) -> Iterator[str]:
    """Per flow and in total: how many steps ran, how many ports were taken, and what was not."""
    rows = [*flows, ("total", total(flows))] if len(flows) > 1 else list(flows)
    width = max((len(name) for name, _ in rows), default=0)
    for name, each in rows:
        counts = f"steps {each.steps_run:>3} of {each.steps:<3}  ports {each.ports_left:>3} of {each.ports:<3}"
        missing = [f"never ran: {', '.join(each.unrun)}"] if each.unrun else []
        missing += [f"never left by: {', '.join(each.unleft)}"] if each.unleft else []
        shown = "; ".join(missing) if each is not rows[-1][1] or len(rows) == 1 else ""
        yield f"{name:<{width}}  {counts}  {shown}".rstrip()


def coverage_to_json(each: Coverage) -> dict[str, Json]:
    """A coverage as data."""
    return {
        "steps": each.steps,
        "steps_run": each.steps_run,
        "ports": each.ports,
        "ports_left": each.ports_left,
        "never_ran": list(each.unrun),
        "never_left_by": list(each.unleft),
    }


def result_to_json(result: Result, document: Document) -> dict[str, Json]:
    """A case that has run, as data."""
    differences: list[Json] = [_difference_to_json(each, document) for each in result.differences]
    return {
        "name": result.case.name,
        "passed": result.has_passed,
        "status": result.went.status,
        "seconds": round(result.seconds, 4),
        "differences": differences,
    }


def _difference_to_json(each: Difference, document: Document) -> dict[str, Json]:
    place = document.place(each.pointer)
    told: dict[str, Json] = {"line": place.line, "column": place.column, "what": each.what}
    if not isinstance(each.expected, Missing):
        told["expected"] = each.expected
    if not isinstance(each.got, Missing):
        told["got"] = each.got
    return told
