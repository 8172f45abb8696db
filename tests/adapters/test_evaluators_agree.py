"""Both evaluators give the same for every expression that stands in the repository: values, errors, time, randomness."""

import ast
import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.expressions_apart import ApartEvaluator
from chalicelib.flow.expressions import compile_check
from chalicelib.flow.mentions import analyse
from chalicelib.flow.moment import Moment
from chalicelib.flow.scanner import Hole, NotClosed, scan
from chalicelib.flow.templates import Expression
from chalicelib.flow.values import Json
from chalicelib.ports import Evaluator
from tests.adapters.test_expression_helper import outcome
from tests.flow import test_expressions, test_functions, test_mentions_engine

ROOT = Path(__file__).parents[2]
NAMES = frozenset({"trigger", "inputs", "vars", "execution", "item", "items", "index", "last", "round", "failure", "x"})
SCOPES: dict[str, dict[str, Json]] = {
    "expressions": test_expressions.SCOPE,
    "functions": test_functions.SCOPE,
    "mentions": test_mentions_engine.SCOPE,
    "empty": {},
}
MOMENT = Moment(datetime(2026, 3, 29, 0, 59, 59, 999000, tzinfo=UTC), b"\x00\xff seed", "Europe/Berlin")
EXPLOSIVE = {"test_growth.py", "test_expression_helper.py", "test_dev_expressions.py"}
"""Files with expressions that one process alone must not evaluate."""

LOOPS = "$f($n + 1) }; $f(0)"
"""Runs into the clock in both, and says so: tested by itself."""


def texts_of(path: Path) -> Iterator[str]:
    """What may be an expression in a file: each text of a test and, of flows, what stands between `${` and `}`."""
    if path.suffix == ".yaml":
        found = [path.read_text(encoding="utf-8")]
    else:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        found = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        yield from (text for text in found if 0 < len(text) <= 300)
    for text in found:
        try:
            yield from (piece.text for piece in scan(text) if isinstance(piece, Hole))
        except NotClosed:
            continue


@cache
def corpus() -> tuple[Expression, ...]:
    """Every expression of the tests and the flows that the check has nothing against, each once."""
    paths = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("tests/**/*.yaml"), *ROOT.glob("flows/*.yaml")]
    texts = dict.fromkeys(text for path in sorted(paths) if path.name not in EXPLOSIVE for text in texts_of(path))
    found: list[Expression] = []
    for text in texts:
        analysis = analyse(text, NAMES)
        # Words alone are plain paths or plain words: walked, by both in the same way.
        if analysis.mistakes or analysis.path is not None or LOOPS in text or compile_check(analysis.rewritten):
            continue
        found.append(Expression(text, analysis.rewritten, None, "with.x", 2, defines_function=True))
    return tuple(found)


async def settled(evaluator: Evaluator, asked: list[Expression], scope: dict[str, Json]) -> tuple[str, str]:
    """Its outcome; asked again where this machine was too busy for the 100 ms, as a worker does."""
    for _ in range(5):
        found = await outcome(evaluator.evaluate(asked, scope, MOMENT))
        if found[0] != "WorkerMishapError":
            break
    return found


@pytest.mark.parametrize("name", SCOPES)
def test_both_evaluators_agree_on_every_expression_of_the_repository(name: str, record_property):
    async def whole() -> dict[str, int]:
        here, apart, kinds = HereEvaluator(), ApartEvaluator(), dict[str, int]()
        try:
            for place, expression in enumerate(corpus()):
                asked = [replace(expression, offset=place)]
                expected = await settled(here, asked, SCOPES[name])
                assert await settled(apart, asked, SCOPES[name]) == expected, expression.text
                kinds[expected[0]] = kinds.get(expected[0], 0) + 1
        finally:
            await apart.close()
        return kinds

    kinds = asyncio.run(whole())
    assert kinds["value"] >= 400
    assert kinds.get("WorkerMishapError", 0) == 0
    record_property(
        "covered", f"expressions: {sum(kinds.values())} evaluated alike in both processes over scope {name}"
    )


def test_time_and_randomness_of_a_step_are_the_same_in_both():
    texts = [
        "$now()",
        "$millis()",
        "$random()",
        "$uuid()",
        "[1..3].$uuid()",
        "$day($now())",
        "$now('[H01]', 'Asia/Kolkata')",
    ]
    asked = [Expression(text, text, None, "with.x", place, defines_function=True) for place, text in enumerate(texts)]

    async def whole() -> None:
        apart = ApartEvaluator()
        try:
            for moment in (MOMENT, test_expressions.MOMENT, replace(MOMENT, seed=b"")):
                found = await apart.evaluate(asked, {}, moment)
                assert found == await HereEvaluator().evaluate(asked, {}, moment)
                assert len({str(each) for each in found}) == len(found)
        finally:
            await apart.close()

    asyncio.run(whole())
