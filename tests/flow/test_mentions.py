"""What the analysis of one expression finds: mentions, names, paths, shapes, functions."""

import re
from pathlib import Path

import pytest

from chalicelib.flow.mentions import analyse
from chalicelib.flow.scanner import Hole, scan
from chalicelib.flow.text import read_yaml
from chalicelib.flow.values import Json

NAMES = frozenset({"trigger", "inputs", "vars", "execution"})
EVERY_NAME = NAMES | {"item", "index", "items", "last", "round", "failure"}
FILES = sorted(p for p in (Path(__file__).parent / "files").glob("*.yaml") if ".test." not in p.name)


def mentioned(text: str) -> list[str]:
    """`steps.a` for a mention, `steps.a?` for one with a way out."""
    analysis = analyse(text, NAMES)
    assert analysis.mistakes == ()
    return [f"{m.kind}.{m.id}{'?' if m.way_out else ''}" for m in analysis.mentions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps.a.x", ["steps.a"]),
        (" steps . a . x ", ["steps.a"]),
        ("errors.a.message", ["errors.a"]),
        ("steps.a.x + steps.b[0].y & errors.c.code", ["steps.a", "steps.b", "errors.c"]),
        ("steps.a.x ?? 0", ["steps.a?"]),
        ("steps.a.x ?? steps.b.y", ["steps.a?", "steps.b"]),
        ("steps.a.x ?? steps.b.y ?? 0", ["steps.a?", "steps.b?"]),
        ("steps.a.status ?? errors.a.message", ["steps.a?", "errors.a"]),
        ("$default(steps.a.x, 0)", ["steps.a?"]),
        ("$default(steps.a.x, steps.b.y)", ["steps.a?", "steps.b"]),
        ("$exists(steps.a)", ["steps.a?"]),
        ("steps.a.x ~> $default(0)", ["steps.a?"]),
        ("$exists(steps.a) ? steps.a.x : 1", ["steps.a?", "steps.a"]),
        ("$default($sum(steps.a.x) + steps.b.y, 0)", ["steps.a?", "steps.b?"]),
        ("steps.a.x ?: 0", ["steps.a"]),
        ("$empty(steps.a.x)", ["steps.a"]),
        ("steps.a.x and steps.b.x ?? true", ["steps.a", "steps.b?"]),
        ("(steps.a.x and steps.b.x) ?? true", ["steps.a?", "steps.b?"]),
        ("steps.a.x & steps.b.x ?? 1", ["steps.a?", "steps.b?"]),
        ("trigger.rows[sku = $steps.stock.sku]", ["steps.stock"]),
        ("trigger.rows.{'a': $steps.a.x ?? 1, 'b': $errors.b.code}", ["steps.a?", "errors.b"]),
        ("trigger.rows.(x + $steps.a.x)^(>$steps.b.x)", ["steps.a", "steps.b"]),
        ("steps.'a'.x & steps.`b`.x & steps.\"c\"", ["steps.a", "steps.b", "steps.c"]),
        ("`steps`.a", ["steps.a"]),
        ("steps.in.x & steps.function", ["steps.in", "steps.function"]),
        ("'steps.a' & \"steps.b\" /* steps.c */", []),
        ("$match(trigger.x, /steps.a/)", []),
        ("trigger.steps.a", []),
        ("trigger.rows[steps_done].steps", []),
        ("$map([1], function($steps) { $steps.a })", []),
        ("($steps := {'a': 1}; $steps.a)", []),
        ("(($steps := {'a': 1}; $steps.a); $steps.a)", ["steps.a"]),
        ("$map(steps.a.rows, function($v) { $v.x + steps.b.y })", ["steps.a", "steps.b"]),
        ("trigger.rows[$.steps.a = 1]", []),
        ("$$.x", None),
    ],
)  # fmt: skip
def test_a_mention_is_found_with_its_way_out(text: str, expected: list[str] | None):
    if expected is None:
        assert analyse(text, NAMES).mistakes
    else:
        assert mentioned(text) == expected


def test_a_mention_says_where_it_begins():
    text = "trigger.x & steps.a.x & $count(trigger.rows[y = $steps.b.y])"
    assert [m.offset for m in analyse(text, NAMES).mentions] == [text.index("steps.a"), text.index("$steps.b")]


def test_ways_out_nested_deeply_are_found_in_one_sweep():
    text = " ?? ".join(f"steps.s{n}.x" for n in range(3_000))
    found = analyse(text, NAMES).mentions
    assert [m.way_out for m in found] == [True] * 2_999 + [False]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("trigger.body.x", {"trigger"}),
        ("inputs.a + vars.b & execution.id", {"inputs", "vars", "execution"}),
        ("item.x[y = $index]", {"item", "index"}),
        ("trigger.rows[item_ = 1].inputs", {"trigger"}),
        ("function($inputs) { $inputs }(1)", set[str]()),
        ("'inputs'", set[str]()),
        ("steps.a.trigger", set[str]()),
    ],
)
def test_the_first_names_used_are_found(text: str, names: set[str]):
    analysis = analyse(text, EVERY_NAME)
    assert analysis.mistakes == ()
    assert analysis.names == names


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("trigger", ("trigger",)),
        (" trigger.body . x ", ("trigger", "body", "x")),
        ("trigger.headers.'content-type'", ("trigger", "headers", "content-type")),
        ("trigger.headers.`x y`.\"z\"", ("trigger", "headers", "x y", "z")),
        ("steps.a.items[0].x", ("steps", "a", "items", 0, "x")),
        ("trigger.a[0][12]", ("trigger", "a", 0, 12)),
        ("trigger /* why */ .in.and.or", ("trigger", "in", "and", "or")),
        ("$steps.a.x", ("steps", "a", "x")),
        ("trigger.'it\\'", None),
        ("trigger.a[-1]", None),
        ("trigger.a[1.5]", None),
        ("trigger.a[b]", None),
        ("trigger.a[]", None),
        ("trigger.*", None),
        ("(trigger.a)", None),
        ("trigger.a & ''", None),
        ("-trigger.a", None),
        ("trigger.a.(b)", None),
        ("trigger.a.$string()", None),
        ("[trigger.a]", None),
        ("nothing.a", None),
        ("1", None),
    ],
)  # fmt: skip
def test_a_plain_path_is_told_from_the_rest(text: str, path: tuple[str | int, ...] | None):
    assert analyse(text, NAMES).path == path


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("trigger.rows", "one"),
        ("trigger.rows.x", "one"),
        ("trigger.rows[0].x", "one"),
        ("trigger.rows[x > 1]", "any"),
        ("trigger.rows[x > 1].y", "any"),
        ("trigger.rows[x > 1][0]", "one"),
        ("trigger.rows[x > 1][0].y", "one"),
        ("trigger.rows[x > 1][-1]", "one"),
        ("trigger.rows[x > 1].y[0]", "any"),
        ("(trigger.rows[x > 1].y)[0]", "one"),
        ("[trigger.rows[x > 1]]", "many"),
        ("[trigger.rows[x > 1]][0]", "one"),
        ("[trigger.rows].x", "any"),
        ("trigger.rows.(x)", "any"),
        ("trigger.rows.(x)[0]", "any"),
        ("(trigger.rows.(x))[0]", "one"),
        ("trigger.rows.{'a': x}", "any"),
        ("trigger.rows.$string(x)", "any"),
        ("trigger.rows^(>x)", "any"),
        ("trigger.rows^(>x)[0]", "one"),
        ("trigger.rows{x: $count(y)}", "one"),
        ("$map(trigger.rows, function($r) { $r.x })", "any"),
        ("$filter(trigger.rows, function($r) { $r.x })", "any"),
        ("$filter(trigger.rows, function($r) { $r.x })[0]", "one"),
        ("trigger.rows ~> $map(function($r) { $r.x })", "any"),
        ("trigger.rows[x > 1] ~> $count()", "one"),
        ("$count(trigger.rows[x > 1])", "one"),
        ("$keys(trigger.body)", "any"),
        ("[1..3]", "many"),
        ("{'a': trigger.rows[x > 1]}", "one"),
        ("trigger.a ? trigger.rows[x > 1] : 1", "any"),
        ("trigger.a ? [1] : [2]", "many"),
        ("trigger.rows[x > 1] ?? []", "any"),
        ("$default(trigger.rows[x > 1], 1)", "any"),
        ("$list(trigger.rows[x > 1])", "many"),
        ("trigger.a + 1", "one"),
        ("(trigger.a; trigger.rows[x])", "any"),
        ("trigger.*", "any"),
        ("'text'", "one"),
    ],
)  # fmt: skip
def test_the_shape_does_not_depend_on_how_many_rows_there_are_today(text: str, shape: str):
    analysis = analyse(text, NAMES)
    assert analysis.mistakes == ()
    assert analysis.shape == shape


@pytest.mark.parametrize(
    ("text", "functions", "defines"),
    [
        ("$sum(trigger.x) + $round($count(trigger.y), 2)", {"sum", "round", "count"}, False),
        ("$map(trigger.rows, $uuid)", {"map", "uuid"}, False),
        ("$map(trigger.rows, function($x) { $now() })", {"map", "now"}, True),
        ("$map(trigger.rows, λ($x) { $x })", {"map"}, True),
        ("$substring(?, 1)", {"substring"}, True),
        ("($sum := function($x) { $x }; $sum(1))", set[str](), True),
        ("'$now()' & /* $now() */ ''", set[str](), False),
        ("function($x)<n:n> { $x }(1)", set[str](), True),
        ("($f := function($n) { $n < 1 ? 1 : $n * $f($n - 1) }; $f(3))", set[str](), True),
        ("($a := function() { $b() }; $b := function() { 1 }; $a())", set[str](), True),
    ],
)
def test_functions_used_and_made_are_found(text: str, functions: set[str], *, defines: bool):
    analysis = analyse(text, NAMES)
    assert analysis.mistakes == ()
    assert analysis.functions == functions
    assert analysis.defines_function is defines


def texts(value: Json) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def expressions(file: Path) -> list[str]:
    found = texts(read_yaml(file.read_bytes(), file.name).data)
    return [piece.text for text in found for piece in scan(text) if isinstance(piece, Hole)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_expressions_of_real_flows_have_no_mistakes_and_mention_their_steps(file: Path):
    ids = set(re.findall(r"^ +(\w+):", file.read_text(), re.MULTILINE))
    for text in expressions(file):
        analysis = analyse(text, EVERY_NAME)
        assert analysis.mistakes == (), text
        assert analysis.warnings == (), text
        assert {m.id for m in analysis.mentions} <= ids
        assert len(analysis.mentions) == len(re.findall(r"\$?\b(?:steps|errors)\.", text))


def test_two_thirds_of_real_expressions_are_plain_paths():
    paths = [analyse(text, EVERY_NAME).path for file in FILES for text in expressions(file)]
    assert len(paths) >= 60
    assert sum(path is not None for path in paths) / len(paths) > 0.5
