"""The analysis against the engine: the rewritten text means what was written, and nothing is reached unmentioned."""

from pathlib import Path
from typing import Any

import jsonatapy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.flow.mentions import Analysis, analyse
from chalicelib.flow.scanner import Hole, scan
from chalicelib.flow.text import read_yaml
from chalicelib.flow.values import Json

NAMES = frozenset({"trigger", "inputs", "item", "index"})
SCOPE: dict[str, Any] = {
    "trigger": {"rows": [{"sku": "A", "n": 1, "steps": 7}, {"sku": "B", "n": 2, "steps": 8}], "x": 5, "s": "abc", "none": None},
    "inputs": {"min": 2, "list": [3, 4]},
    "item": {"sku": "B"},
    "index": 1,
    "steps": {"a": {"x": 1, "rows": [{"y": 1}]}, "b": {"x": 2, "ok": False}, "c": {"sku": "B"}},
    "errors": {"b": {"message": "no"}},
}  # fmt: skip


def evaluate(text: str, scope: dict[str, Any]) -> tuple[str, Any]:
    """The result as text, with the kind of error for one; `{"v": (...)}` tells missing from null."""
    try:
        return "value", jsonatapy.compile(f'{{"v": ({text}\n)}}').evaluate(
            scope, timeout=500, max_sequence_length=10_000
        )
    except ValueError as error:
        return "error", str(error)[:5]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("trigger.rows[sku = $steps.c.sku].n", 2),
        ("trigger.rows[sku = $item.sku].n", 2),
        ("trigger.rows[$index].sku", "B"),
        ("trigger.rows.{'s': sku, 'm': $inputs.min}", [{"s": "A", "m": 2}, {"s": "B", "m": 2}]),
        ("trigger.rows.(n + $steps.b.x)", [3, 4]),
        ("trigger.rows.$string(n + $steps.a.x)", ["2", "3"]),
        ("trigger.rows^(>$inputs.min - n).sku", ["A", "B"]),
        ("trigger.rows[$.steps = 8].sku", "B"),
        ("$steps.a.x + steps.b.x", 3),
        ("$map(trigger.rows, function($r) { $r.n + steps.b.x })", [3, 4]),
        ("$map(trigger.rows, function($steps) { $steps.n })", [1, 2]),
        ("($item := 9; $item + index)", 10),
        ("trigger.rows{sku: $steps.b.x}", {"A": 2, "B": 2}),
        ("$trigger.rows[0].sku & $errors.b.message", "Ano"),
        # As JSONata's own table says, not as jsonatapy alone would group it.
        ("true and steps.z.x ?? true", True),
        ("steps.z.x ?? true and false", False),
        ("trigger.zz ?? 2 = 2", True),
        ("trigger.zz or trigger.zz ?? true", True),
        ("[1..trigger.zz ?? 3]", [1, 2, 3]),
        ("false and trigger.zz ?: true", False),
        ("(trigger.zz ?? 1) + (trigger.zz ?? 2)", 3),
        ("trigger.x = 5 ? trigger.zz ?? 1 : 2", 1),
        ("$string(trigger.zz ?? 1 = 1 and $steps.a.x ?? 2 = 1)", "true"),
    ],
)
def test_the_rewritten_text_means_what_was_written(text: str, value: Any):
    analysis = analyse(text, NAMES)
    assert analysis.mistakes == ()
    assert evaluate(analysis.rewritten, SCOPE) == ("value", {"v": value})


# The table of JSONata's surprises: what is refused or warned of, and that the spelling we name does what is meant.
@pytest.mark.parametrize(
    ("written", "instead", "value"),
    [
        ('trigger["s"]', "trigger.'s'", "abc"),
        ("trigger.s-x", "trigger.'s'", "abc"),
        ('trigger.zz != "done"', '$not(trigger.zz = "done")', True),
        ("{a: 1}", '{"a": 1}', {"a": 1}),
        ("trigger.rows.length", "$count(trigger.rows)", 2),
        ("trigger.s.toUpperCase()", "$uppercase(trigger.s)", "ABC"),
        ("trigger.x => 1", "function($x) { $x }(1)", 1),
        ("trigger.x && true", "trigger.x = 5 and true", True),
        ("trigger.rows.{'t': inputs.min}", "trigger.rows.{'t': $inputs.min}", [{"t": 2}, {"t": 2}]),
        ("$keys()", "[$keys({'a': 1})]", ["a"]),
    ],
)
def test_a_surprise_is_named_and_its_cure_works(written: str, instead: str, value: Any):
    surprise = analyse(written, NAMES)
    assert surprise.mistakes or surprise.warnings
    cure = analyse(instead, NAMES)
    assert (cure.mistakes, cure.warnings) == ((), ())
    assert evaluate(cure.rewritten, SCOPE) == ("value", {"v": value})


def reduced(analysis: Analysis) -> dict[str, Any]:
    """What an expression is given: the names it uses, the steps and errors it mentions, nothing else."""
    scope: dict[str, Any] = {name: SCOPE[name] for name in analysis.names if name in SCOPE}
    for kind in ("steps", "errors"):
        ids = {mention.id for mention in analysis.mentions if mention.kind == kind}
        if ids:
            scope[kind] = {key: value for key, value in SCOPE[kind].items() if key in ids}
    return scope


def texts(value: Json) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


REAL = sorted(
    {
        piece.text.strip()
        for file in (Path(__file__).parent / "files").glob("*.yaml")
        for text in texts(read_yaml(file.read_bytes(), file.name).data)
        for piece in scan(text)
        if isinstance(piece, Hole)
    }
)

operands = st.sampled_from(["trigger.rows", "trigger.x", "steps.a.x", "$steps.b.x", "steps.a.rows", "errors.b.message", "inputs.min", "item.sku", "$item.sku", "$index", "n", "sku", "steps", "$", "$.steps", "1", "'a'", "[1, 2]", "true", "null", "$v", "*", "trigger.zz", "{'k': steps.b.x}", "`steps`.a", "'steps'", "trigger.none", "$keys()", "$string()"])  # fmt: skip
templates = st.sampled_from(["{0}", "({0})", "{0} = {1}", "{0} & {1}", "{0} + {1}", "{0}[{1}]", "{0}.({1})", "{0}.{{'p': {1}}}", "{0} ?? {1}", "{0} ?: {1}", "{0} and {1}", "{0} or {1}", "$default({0}, {1})", "$exists({0}) ? {1} : 2", "$count({0})", "$string({0})", "{0}.a", "{0}.x", "{0}[0]", "[{0}, {1}]", "($v := {0}; {1})", "$map({0}, function($v) {{ {1} }})", "{0}^({1})", "{0}{{'g': {1}}}", "{0} ~> $count()", "{0} ~> $string", "{0}.$string({1})", "$lookup({0}, 'steps')", "{0}.`x`", "$not({0})", "{0} in {1}", "{0}..{1}", "-{0}", "{0} ~> |$|{{'q': {1}}}|", "$merge([{0}, {1}])", "{0}@$v.({1})", "{0}#$v[{1}]", "$sort({0}, function($v, $w) {{ {1} }})", "λ($v){{ {1} }}({0})"])  # fmt: skip


@st.composite
def built(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0:
        return draw(operands)
    template = draw(templates)
    return template.format(draw(built(depth - 1)), draw(built(depth - 1)))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(REAL))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        gone = draw(st.sampled_from([0, 0, 1, 2]))
        text = text[:at] + draw(st.sampled_from(["", " ", "$", ".", "[", "]", "(", ")", "{", "}", "'", '"', "/", "*", "?", "a", "1", "-", "=", "steps.a", "$steps.b", "??"])) + text[at + gone :]  # fmt: skip
    return text


EVERY_NAME = NAMES | {"last", "failure", "vars", "execution", "items"}


@given(built())
@settings(max_examples=500, deadline=None, derandomize=True)
def test_what_is_accepted_compiles(text: str):
    analysis = analyse(text, EVERY_NAME)
    if not analysis.mistakes:
        assert evaluate(analysis.rewritten, SCOPE) != ("error", "Parse"), analysis.rewritten


@given(st.one_of(built(), mutated()))
@settings(max_examples=1000, deadline=None)
def test_what_is_accepted_reaches_nothing_that_it_does_not_mention(text: str):
    analysis = analyse(text, EVERY_NAME)
    if not analysis.mistakes:
        assert evaluate(analysis.rewritten, reduced(analysis)) == evaluate(analysis.rewritten, SCOPE)


@pytest.mark.parametrize("text", REAL)
def test_real_expressions_compile_as_rewritten(text: str):
    jsonatapy.compile(analyse(text, EVERY_NAME).rewritten)
