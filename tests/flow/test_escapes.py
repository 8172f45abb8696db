"""Published ways out of expression languages lead nowhere, and a value is never evaluated, whatever it says."""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib import catalogue
from chalicelib.adapters.expressions_apart import ApartEvaluator
from chalicelib.errors import FlowTextError, PenstockError
from chalicelib.flow.check import check
from chalicelib.flow.mentions import analyse
from chalicelib.flow.scanner import Hole, NotClosed, scan
from chalicelib.flow.targets import UNTYPED
from chalicelib.flow.templates import Literal, Template, compile_template, expressions, fill
from chalicelib.flow.text import read_yaml
from chalicelib.flow.values import Json
from chalicelib.ports import Entered, Knock
from chalicelib.worker.budget import to_milliseconds
from tests.adapters.test_expression_helper import compiled
from tests.flow.escaping import SCOPE, VECTORS, is_plain, strings
from tests.flow.test_expressions import MOMENT, NAMES
from tests.worker.house import House

ROOT = Path(__file__).parents[2]
STRINGS = strings()


def test_the_strings_are_many_and_each_group_names_its_source():
    groups = json.loads(VECTORS.read_text())["groups"]
    assert all(group["source"] and group["how"] in ("carried", "retold") for group in groups)
    assert len(STRINGS) == len(set(STRINGS)) >= 700
    assert {"JavaScript", "Jinja2", "Python", "OGNL", "SpEL", "EL", "JSONata"} <= {
        group["language"] for group in groups
    }


def test_three_hundred_are_carried_from_published_packages_letter_by_letter(record_property):
    """Each with the package, its version, its licence, and the file and line where it stands."""
    counts: dict[str, int] = {}
    for group in json.loads(VECTORS.read_text())["groups"]:
        if group["how"] == "carried":
            assert re.match(r"[\w-]+ \d[\w.]*, .+|[\w-]+ \d[\w.]* \((PyPI|npm)\), .+", group["source"])
            assert group["licence"] in {"MIT", "BSD-3-Clause", "Apache-2.0", "ZPL-2.1"}
            assert len(group["lines"]) == len(group["strings"])
            assert all(re.fullmatch(r"[\w./-]+\.(py|js|java):\d+", place) for place in group["lines"])
            counts[group["language"]] = counts.get(group["language"], 0) + len(group["strings"])
    assert sum(counts.values()) >= 300
    assert counts["Python"] >= 150
    assert counts["EL"] >= 120
    assert counts["JavaScript"] >= 80
    assert counts["Jinja2"] >= 20
    record_property("covered", f"escapes: carried letter by letter: {counts}")


def test_as_an_expression_each_is_refused_or_gives_plain_data_and_reaches_nothing(record_property):
    """Watched by Python's own audit, in a process of its own: such a watch cannot be taken off again."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.flow.escaping"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
    )
    told = json.loads(done.stdout)
    assert told["odd"] == []
    assert set(told["outcomes"]) == {"refused", "error", "data"}
    assert told["outcomes"]["refused"] >= 700
    assert sum(told["outcomes"].values()) >= len(STRINGS)
    record_property("covered", f"escapes: {len(STRINGS)} published strings lead nowhere: {told['outcomes']}")


def test_the_watch_sees_what_it_is_there_for(tmp_path):
    """It can fail: an expression that opened a file would be told of."""
    story = (
        "import tests.flow.escaping as e\n"
        "e.outcome, e.strings = lambda text, moment: open(__file__ if False else e.__file__) and 'data', lambda: ['x']\n"
        "e.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", story], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "open " in json.loads(done.stdout)["odd"][0]


def test_as_a_value_of_a_flow_each_is_itself_or_is_judged_as_expressions():
    literal = judged = 0
    templates: list[Template] = []
    for text in STRINGS:
        if "${" not in text:
            literal += 1
            assert compile_template(text, UNTYPED, "with", NAMES) == Literal(text)
            continue
        judged += 1
        try:
            holes = [piece for piece in scan(text) if isinstance(piece, Hole)]
        except NotClosed:
            continue
        if any(analyse(hole.text, NAMES).mistakes for hole in holes):
            continue
        templates.append(compile_template(text, UNTYPED, "with", NAMES))
    assert literal >= 300
    assert judged >= 50
    assert templates
    assert all(map(is_plain, asyncio.run(_answered(templates))))


async def _answered(templates: list[Template]) -> list[Json]:
    evaluator = ApartEvaluator()
    found: list[Json] = []
    try:
        for template in templates:
            with contextlib.suppress(PenstockError):
                found.append(fill(template, await evaluator.evaluate(expressions(template), SCOPE, MOMENT), SCOPE))
    finally:
        await evaluator.close()
    return found


@pytest.mark.parametrize("where", ["value", "key", "name"])
def test_the_check_survives_each_anywhere_in_a_flow(where: str):
    refused = 0
    for text in STRINGS:
        parameters = {text: 1} if where == "key" else {"v": text}
        step = {"uses": "set", "with": parameters}
        flow = {"flow": "f", "steps": {text if where == "name" else "a": step}, "output": "${ steps.a.v }"}
        try:
            report = check(read_yaml(json.dumps(flow), "flow.yaml"), catalogue.entries())
        except FlowTextError:
            refused += 1
            continue
        refused += bool(report.problems)
        assert all(problem.what for problem in report.problems)
    assert refused >= (len(STRINGS) if where == "name" else 10)


ANSWER = "${ $string(inputs) } ${ 1 + 1 } $${ x }"
ECHO_FLOW = """
flow: echo
inputs: {all: {type: array}, one: {type: string}, spelled: {type: object}}
triggers:
  placed:
    uses: webhook
    verify: none
    inputs: {all: "${ trigger.body.all }", one: "${ trigger.body.one }", spelled: "${ trigger.body.spelled }"}
steps:
  first: {uses: set, with: {all: "${ inputs.all }", text: "<${ inputs.one }>", spelled: "${ inputs.spelled }"}}
  again: {uses: set, with: {all: "${ steps.first.all }", text: "${ steps.first.text }", mapped: "${ [steps.first.all.($)] }"}}
  each:
    uses: foreach
    with: {over: "${ steps.again.all }"}
    steps:
      row: {uses: set, with: {v: "${ item }"}}
    output: "${ steps.row.v }"
  ask: {uses: http.request, credential: api, with: {method: POST, url: "https://api.example/a", json: {all: "${ inputs.all }"}}}
  after: {uses: set, with: {v: "${ steps.ask.body.said }", w: "${ 'x' & steps.ask.body.said }"}}
output:
  all: "${ steps.again.all }"
  mapped: "${ steps.again.mapped }"
  text: "${ steps.again.text }"
  spelled: "${ steps.first.spelled }"
  each: "${ steps.each.results }"
  said: "${ steps.after }"
"""


@pytest.mark.parametrize("by_hook", [False, True], ids=["inputs", "trigger body"])
def test_no_value_is_ever_evaluated_wherever_it_comes_from(by_hook: bool):
    """Through inputs or a trigger's body, from step to step, in loops, in a service's answer, in a credential."""
    values = [*STRINGS, *(f"${{ {text} }}" for text in STRINGS[:100]), "${ inputs.one }", "${steps.first.text}", ANSWER]
    given = {"all": values, "one": ANSWER, "spelled": {"${ 1 + 1 }": "${ 1 + 1 }", "$$": "$"}}

    async def story() -> None:
        house = House(api={"kind": "bearer", "token": "${ inputs.one }-canary"})
        house.http.answers["/a"] = {"said": ANSWER}
        if by_hook:
            plan = await house.publish(ECHO_FLOW)
            document = {"name": "placed", "at": "2026-11-20T07:00:00.000Z", "body": given}
            knock = Knock(
                "main", plan, plan.triggers["placed"], document, None, "result", to_milliseconds(house.clock.now())
            )
            entered = await house.door.enter(knock)
            assert isinstance(entered, Entered)
        else:
            entered = await house.enter(ECHO_FLOW, given)
        await house.drain()
        output = (await house.details(entered.execution)).output
        assert output == {
            "all": values,
            "mapped": values,
            "text": f"<{ANSWER}>",
            "spelled": given["spelled"],
            "each": values,
            "said": {"v": ANSWER, "w": f"x{ANSWER}"},
        }
        (sent,) = house.http.sent
        assert ("Authorization", "Bearer ${ inputs.one }-canary") in sent.headers
        assert json.loads(sent.body) == {"all": values}

    asyncio.run(story())


def test_what_an_expression_gives_is_data_in_both_evaluators():
    async def story() -> None:
        evaluator = ApartEvaluator()
        try:
            for text in STRINGS[::7]:
                scope = {"inputs": {"x": text, "y": f"${{ {text} }}"}}
                asked = compiled("inputs.x", "[inputs.x, inputs.y]", "$map([inputs.y], function($v) { $v })")
                assert await evaluator.evaluate(asked, scope, MOMENT) == [
                    text,
                    [text, scope["inputs"]["y"]],
                    scope["inputs"]["y"],
                ]
        finally:
            await evaluator.close()

    asyncio.run(story())
