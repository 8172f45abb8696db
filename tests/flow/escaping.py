"""Evaluates published escape strings in a process of its own, and tells what came of each and what it reached.

python -m tests.flow.escaping prints {"outcomes": {"refused": n, "error": n, "data": n}, "odd": [...]}.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from chalicelib.errors import PenstockError
from chalicelib.flow.expressions import answer, compile_check
from chalicelib.flow.mentions import analyse
from chalicelib.flow.moment import Moment
from chalicelib.flow.paths import MISSING
from chalicelib.flow.templates import Expression
from tests.flow.test_expressions import MOMENT, NAMES

VECTORS = Path(__file__).parents[1] / "vectors" / "escapes.json"
HEEDED = (
    "os.",
    "subprocess.",
    "socket.",
    "shutil.",
    "ctypes.",
    "open",
    "exec",
    "compile",
    "import",
    "pty.",
    "sys.settrace",
)
"""Events of Python's audit that an expression has no business to raise (docs.python.org, audit_events)."""

SCOPE: dict[str, Any] = {
    "trigger": {"body": {"x": "x"}},
    "inputs": {"x": "canary-inputs", "rows": [{"a": 1}]},
    "vars": {"x": 1},
    "item": {"a": 1},
    "steps": {"a": {"x": 1}},
    "errors": {},
}


def strings() -> list[str]:
    """Every string of the vectors."""
    return [each for group in json.loads(VECTORS.read_text())["groups"] for each in group["strings"]]


def expressions_of(text: str) -> list[str]:
    """The string as an expression, and what stands in its brackets where it is written as a template."""
    found = [text]
    for opening, closing in (
        ("{{", "}}"),
        ("${", "}"),
        ("#{", "}"),
        ("%{", "}"),
        ("*{", "}"),
        ("<%=", "%>"),
        ("={{", "}}"),
    ):
        if text.startswith(opening) and text.endswith(closing):
            found.append(text[len(opening) : -len(closing)])
    return found


def is_plain(value: Any) -> bool:
    """Whether it is JSON and nothing else, to the last leaf."""
    if type(value) in (list, dict):
        inner = value.values() if isinstance(value, dict) else value
        return all(map(is_plain, inner)) and all(type(key) is str for key in (value if isinstance(value, dict) else ()))
    return value is MISSING or value is None or type(value) in (bool, int, float, str)


def outcome(text: str, moment: Moment) -> str:
    """`refused` by the check, an `error`, `data`, or what else it is."""
    analysis = analyse(text, NAMES)
    if analysis.mistakes:
        return "refused"
    if compile_check(analysis.rewritten) is not None:
        return "refused"
    try:
        value = answer(Expression(text, analysis.rewritten, analysis.path, "with", 0), SCOPE, moment)
    except PenstockError:
        return "error"
    if not is_plain(value):
        return f"no plain data: {type(value).__name__}"
    return "data"


def main() -> None:
    """Evaluate all of them, watched."""
    reached: list[str] = []
    is_watching = False

    def watch(event: str, about: tuple[Any, ...]) -> None:
        if is_watching and event.startswith(HEEDED):
            reached.append(f"{event} {about[0]}")

    for name in ("difflib", "unicodedata", "chalicelib.flow.lookalikes"):
        import_module(name)  # imported late, for messages
    for text in (
        "$now()",
        "$uuid()",
        "$day($now(), 'Europe/Berlin')",
        "$cents(1)",
        "$nunmber(1)",
        "inptus.x",
        "$forName(1)",
    ):
        outcome(text, MOMENT)  # what is imported late is there now
    sys.addaudithook(watch)
    outcomes: dict[str, int] = {}
    odd: list[str] = []
    for text in (each for written in strings() for each in expressions_of(written)):
        is_watching = True
        came = outcome(text, MOMENT)
        is_watching = False
        outcomes[came] = outcomes.get(came, 0) + 1
        if came not in ("refused", "error", "data") or reached:
            odd.append(f"{text}: {came} {reached}")
            reached.clear()
    sys.stdout.write(json.dumps({"outcomes": outcomes, "odd": odd}))


if __name__ == "__main__":
    main()
