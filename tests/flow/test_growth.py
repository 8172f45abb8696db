"""What may grow without bound is recognised by its text, and what is not recognised so stays small."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import PenstockError
from chalicelib.flow.expressions import answer, compile_check
from chalicelib.flow.growth import LONGEST, MOST_COPIES, may_grow
from chalicelib.flow.mentions import analyse
from chalicelib.flow.mentions_words import FUNCTIONS
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.templates import Expression
from chalicelib.flow.values import Json
from tests.flow.test_expressions import MOMENT, NAMES

BOUNDED = [
    "trigger.body.total + 1",
    "-inputs.x",
    "inputs.x % 2 = 0",
    "inputs.x > 5 and inputs.y = 'a'",
    "inputs.a ? inputs.b : inputs.c",
    "steps.a.x ?? 'none'",
    "'Hi ' & inputs.name & '!'",
    "{'a': inputs.x, 'b': [inputs.y, 2]}",
    "[inputs.lines[quantity > 0].sku]",
    "inputs.rows[sku = $steps.stock.sku].quantity",
    "inputs.rows^(>price)[0]",
    "inputs.rows.{'t': title, 'n': $count(parts)}",
    "inputs.rows.(price * quantity)",
    "inputs.names.$uppercase()",
    "inputs.rows{sku: price}",
    "inputs.*",
    "$sum([inputs.rows.price])",
    "$now()",
    "$day(trigger.at, 'Europe/Berlin')",
    "$date($now(), 'dd.MM.yyyy')",
    "$date(trigger.at, 'HH:mm', 'Europe/Berlin')",
    "$string(inputs.x)",
    "$joined(inputs.rows.sku)",
    "$joined(inputs.rows.sku, ', ')",
    "$join([inputs.rows.sku], '/')",
    "$cents(inputs.total)",
    "$default(inputs.rows, [])",
    "$pick(inputs.rows, ['a', 'b'])",
    "$sort(inputs.names)",
    "$formatNumber(inputs.x, '#,##0.00')",
    "$exists(steps.a) or $not(inputs.b)",
]

GROWING = [
    "function($x) { $x }",
    "λ($x) { $x }",
    "($f := $uppercase; $f('a'))",
    "($a := [inputs.x, inputs.x]; [$a, $a])",
    "$substring(?, 1)",
    "($sum)",
    "[1..3]",
    "$map(inputs.rows, $slug)",
    "$filter(inputs.rows, function($r) { $r.a })",
    "$reduce(inputs.rows, $append)",
    "$each(inputs.x, function($v) { $v })",
    "$sift(inputs.x, function($v) { $v })",
    "$sort(inputs.rows, function($a, $b) { $a.x > $b.x })",
    "$single(inputs.rows, function($r) { $r.a })",
    "inputs.x ~> $uppercase",
    "inputs ~> |rows|{'a': 1}|",
    "inputs.rows@$r.other[id = $r.id]",
    "inputs.rows#$i.a",
    "$pad(inputs.x, 10)",
    "$replace(inputs.x, 'a', inputs.y)",
    "$match(inputs.x, /a/)",
    "$contains(inputs.x, /a/)",
    "$split(inputs.x, ',')",
    "$distinct(inputs.rows)",
    "$unique(inputs.rows)",
    "$join(inputs.rows.s, inputs.separator)",
    "$joined(inputs.rows.s, ', ' & inputs.separator)",
    "$joined(inputs.rows.s, $joined(inputs.rows.s))",
    "$date(trigger.at, inputs.pattern)",
    "$date(trigger.at, 'HH:mm' & inputs.pattern)",
    "$string(inputs, true)",
    "$fromMillis(0, inputs.picture)",
    "$toMillis(inputs.x, inputs.picture)",
    "$now(inputs.picture, inputs.zone)",
    "inputs.rows.($inputs.rows)",
    "inputs.rows.{'all': $inputs}",
    "inputs.rows.$append($inputs.rows)",
    "inputs.rows{sku: $inputs}",
    "inputs.x.[$, $].[$, $]",
    "inputs.rows.(a.(b))",
    "inputs.rows.{'a': $}{'b': a}",
    "$base64encode($base64encode($base64encode($base64encode(inputs.x))))",
    "$string([$string([$string([$string([inputs.x])])])])",
    "$unheard_of(inputs.x)",
]


@pytest.mark.parametrize("text", BOUNDED)
def test_paths_operators_and_simple_functions_are_bounded(text: str):
    assert not analyse(text, NAMES).mistakes
    assert not may_grow(text)


@pytest.mark.parametrize("text", GROWING)
def test_what_repeats_or_compares_or_calls_may_grow(text: str):
    assert may_grow(text)


def test_an_expression_that_defines_a_function_may_grow_by_both_readings():
    for text in GROWING:
        if analyse(text, NAMES).defines_function:
            assert may_grow(text)


@pytest.mark.parametrize(
    "text", ["(", ")", "a)", "'", "/", "$", "$(", "a(1)", "\x00", "[[[", "}", "$f($)", "a.(", "?", "λ"]
)
def test_text_that_is_no_expression_raises_nothing(text: str):
    assert isinstance(may_grow(text), bool)


def test_many_copies_and_long_texts_may_grow():
    assert not may_grow("[" + ", ".join(["inputs.a"] * MOST_COPIES) + "]")
    assert may_grow("[" + ", ".join(["inputs.a"] * (MOST_COPIES + 1)) + "]")
    assert not may_grow("'" + "a" * (LONGEST - 2) + "'")
    assert may_grow("'" + "a" * (LONGEST - 1) + "'")


def test_every_function_is_known_or_may_grow():
    bounded = {name for name in FUNCTIONS if not may_grow(f"${name}(inputs.x)")}
    assert (
        bounded & {"map", "filter", "reduce", "each", "sift", "replace", "match", "split", "pad", "distinct", "eval"}
        == set()
    )
    assert {"sum", "count", "string", "day", "cents", "default"} <= bounded
    # Named without a call each is a function, to be called who knows how often.
    assert all(may_grow(f"[${name}]") and may_grow(f"${name}") for name in FUNCTIONS)


ROWS: list[Json] = [{"a": "x" * 20, "n": row, "b": {"c": [1, 2]}, "d": ["p", "q"]} for row in range(200)]
SCOPE: dict[str, Json] = {"inputs": {"rows": ROWS, "text": "\"<&'" * 50, "n": 3}}
WORDS = st.sampled_from(
    ["inputs.rows", "inputs.text", "inputs.n", "inputs", ".a", ".b.c", ".d", ".*", "$", "$inputs", "$inputs.rows", "[0]", "[", "]",
     "(", ")", ".(", ".{", ".[", "{", "}", '"k"', ":", ",", "1", "+", "*", "&", "=", "<", "and", "in", "??", "?", "^(", "$string(",
     "$append(", "$joined(", "$join(", "$html(", "$list(", "$base64encode(", "$zip(", "$spread(", "$keys(", "$merge(", "', '", "a", "b", "c", "d"]
)  # fmt: skip
MOST_TIMES = 100
"""Less than there are rows, so that whatever is taken for every row once more is found."""


def weight(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(len(key) + weight(item) for key, item in value.items())
    if isinstance(value, list):
        return 1 + sum(map(weight, value))
    return 1 + (len(value) if isinstance(value, str) else 0)


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=14).map(" ".join))
def test_what_is_bounded_makes_a_few_copies_of_what_it_is_given(text: str):
    analysis = analyse(text, NAMES)
    if analysis.mistakes or may_grow(text) or compile_check(analysis.rewritten) is not None:
        return
    try:
        found = answered(text)
    except PenstockError:
        return
    if found is not MISSING:
        assert weight(found) <= MOST_TIMES * (weight(SCOPE) + len(text))


def answered(text: str) -> Json | Missing:
    rewritten = analyse(text, NAMES).rewritten
    return answer(Expression(text, rewritten, None, "with", 0), SCOPE, MOMENT)


@pytest.mark.parametrize("text", ["inputs.rows.{'all': $inputs}", "$join(inputs.rows.a, $string(inputs))"])
def test_what_may_grow_does_so_even_on_little(text: str):
    assert may_grow(text)
    assert weight(answered(text)) > MOST_TIMES * (weight(SCOPE) + len(text))
