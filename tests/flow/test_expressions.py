"""JSONata, locked: what it answers, what it refuses, what it says, and that it never changes what it is given."""

import copy
import gc
import re
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import ExpressionError, PenstockError, WorkerMishapError
from chalicelib.flow.exactness import Screen
from chalicelib.flow.expressions import Moment, answer, answers, compile_check, evaluate
from chalicelib.flow.mentions import analyse
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.targets import UNTYPED
from chalicelib.flow.templates import compile_template, expressions, fill
from chalicelib.flow.values import Json

NAMES = frozenset({"trigger", "inputs", "vars", "execution", "item", "items"})
MOMENT = Moment(datetime(2026, 11, 20, 7, tzinfo=UTC), b"seed")
SCOPE: dict[str, Json] = {
    "trigger": {
        "body": {
            "total": 20,
            "price": "19.99",
            "nil": None,
            "lines": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 0}, {"sku": "C", "quantity": 2}],
            "id": 9007199254740993,
            "huge": 2**80,
            "ratio": 1.0,
            "none": [],
        },
        "headers": {"content-type": "text/plain"},
    },
    "steps": {"stock": {"sku": "C", "id": 2**60}},
    "inputs": {"bad": "\ud800", "ok": "ö"},
}


def value(text: str, scope: dict[str, Json] | None = None, moment: Moment = MOMENT) -> Json | Missing:
    """As the worker does it: analyse, check, evaluate."""
    analysis = analyse(text, NAMES)
    assert not analysis.mistakes, analysis.mistakes
    assert compile_check(analysis.rewritten) is None
    return evaluate(analysis.rewritten, scope or SCOPE, moment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trigger.body.total + 1", 21),
        ("trigger.body.gone", MISSING),
        ("trigger.body.nil", None),
        ("null", None),
        ("trigger.body.gone ?? 5", 5),
        ("trigger.body.nil ?? 5", None),
        ("[trigger.body.lines[quantity > 0].sku]", ["A", "C"]),
        ("[trigger.body.lines[quantity > 9]]", []),
        ("trigger.body.lines[quantity > 9]", MISSING),
        ("trigger.body.lines[sku = $steps.stock.sku].quantity", 2),
        ('{"a": trigger.body.gone, "b": trigger.body.nil}', {"b": None}),
        ('"Hi " & trigger.body.total & trigger.body.gone', "Hi 20"),
        ("$sum(trigger.body.none.quantity)", MISSING),
        ("$sum([trigger.body.none.quantity])", 0),
        ("$join([trigger.body.none.sku], ', ')", ""),
        ("trigger.body.gone > 5", MISSING),
        ("$not(trigger.body.gone)", MISSING),
        ('trigger.body.gone != "done"', False),
        ("trigger.headers.'content-type'", "text/plain"),
        ("[1, 2][0] /* a comment */", 1),
        ("/* } */ 1", 1),
        ("1 ? 2 : 3", 2),
        ("2.0", 2),
        ('"}" & "${"', "}${"),
    ],
)
def test_an_expression_answers(text: str, expected: Json | Missing):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trigger.body.id & ''", "9007199254740993"),
        ("[trigger.body.id]", ["9007199254740993"]),
        ("trigger.body.huge & ''", str(2**80)),
        ("$count($keys(trigger.body))", 8),
        ("trigger.body.(id)", "9007199254740993"),
        ("[$steps.stock.id]", [str(2**60)]),
        ('{"id": steps.stock.id}', {"id": str(2**60)}),
        ("$string(trigger.body.lines[0])", '{"sku":"A","quantity":1}'),
        ("$map([1], function($x) { $x + trigger.body.total })", 21),
    ],
)
def test_a_whole_number_beyond_two_to_the_53_is_text_in_jsonata(text: str, expected: Json):
    assert value(text) == expected


def test_through_a_plain_path_it_stays_a_number_also_beside_jsonata():
    template = compile_template(
        {"id": "${ trigger.body.huge }", "text": "${ 'n' & trigger.body.huge }"}, UNTYPED, "with", NAMES
    )
    found = fill(template, answers(expressions(template), SCOPE, MOMENT))
    assert found == {"id": 2**80, "text": f"n{2**80}"}


def test_nothing_that_is_given_is_ever_changed():
    scope = copy.deepcopy(SCOPE)
    for text in (
        "trigger.body",
        "[trigger.body.lines, trigger.body.id]",
        'trigger.body ~> |$|{"total": 1}, ["lines"]|',
        "$sort(trigger.body.lines.quantity)",
        "$reverse(trigger.body.lines)",
        "$unique(trigger.body.lines)",
    ):
        value(text, scope)
        assert scope == SCOPE


@pytest.mark.parametrize(
    "text",
    [
        "1/0",
        "0/0",
        "-1/0",
        "[1/0]",
        '{"a": [1/0]}',
        "1.5e300 * 1e300",
        "$sum([1e308, 1e308])",
        "$parseInteger('x', '0')",
    ],
)
def test_infinities_and_nan_are_errors(text: str):
    with pytest.raises(ExpressionError, match="infinity or NaN"):
        value(text)


@pytest.mark.parametrize(
    "text",
    [
        "($sum)",
        "function($x) { $x }",
        "λ($x) { $x }",
        "[function($x) { $x }]",
        '{"a": {"b": [1, $sum]}}',
        "/ab/",
        "[null, /ab/]",
        "$substring(?, 1)",
        "($f := $uppercase; $f)",
        "($day)",
        '{"n": null, "f": $slug}',
    ],
)
def test_a_function_as_a_result_is_an_error(text: str):
    with pytest.raises(ExpressionError, match="function or a regular expression"):
        value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[null, '']", [None, ""]),
        ("($f := function($x) { $x }; [$f(null), ''])", [None, ""]),
        ("[$string(null), null, 4 / 2]", ["null", None, 2]),
        ('{"": null, "a": ["", null, 1 / 4]}', {"": None, "a": ["", None, 0.25]}),
        ("$map([null, 1], $string)", ["null", "1"]),
    ],
)
def test_null_and_empty_text_are_not_taken_for_functions(text: str, expected: Json):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "trigger.body.price > 5",
            ("`trigger.body.price` is text, and `>` wants two numbers.  ->  $number(trigger.body.price), or declare it as "
            "a number in `inputs`."),
        ),
        (
            "2 * trigger.body.price",
            ("`trigger.body.price` is text, and `*` wants two numbers.  ->  $number(trigger.body.price), or declare it as "
            "a number in `inputs`."),
        ),
        (
            "trigger.body.nil + 1",
            "`trigger.body.nil` is null, and `+` wants two numbers.  ->  $default(trigger.body.nil, 0).",
        ),
        ('"19.99" > 5', "`>` wants two numbers, or two texts.  ->  $number(...) makes a number of text; or declare it as a number in `inputs`."),
        ("$join([1, 2], ',')", "a function wants a list of texts as its argument 1.  ->  $joined(...) takes numbers too; else $map(list, $string)."),
        (
            "$uppercase(trigger.body.total)",
            "a function wants text as its argument 1; `trigger.body.total` is a number.  ->  $string(x) makes text.",
        ),
        ("$number('abc')", "`$number` cannot read this as a number.  ->  Give it digits only, as in 19.99; $replace takes others off."),
        ("$error('out of stock')", "the flow says: out of stock"),
        ("$assert(1 > 2, 'one is less')", "the flow says: one is less"),
        ("{trigger.body.nil: 1}", "a key of an object must be text.  ->  Write $string(...) around it; null and nothing are no keys."),
        ("-trigger.body.price", "only a number can be negated.  ->  $number(...) makes a number of text; or declare it as a number in `inputs`."),
        ("[1..2000000]", "the result has more than 100,000 rows.  ->  Filter first, or work in batches with `foreach`."),
        ("$single([1, 2])", "`$single` found more than one row.  ->  Choose one with [0], or narrow the condition."),
        ("$uppercase(inputs.bad)", "a text holds half a character (a lone surrogate).  ->  Ask its sender for well-formed text."),
        ("$formatNumber(5, 'x')", "the picture that says how to print is not well-formed.  ->  Compare it with docs.jsonata.org."),
        (
            "($f := function($n) { 1 + $f($n + 1) }; $f(0))",
            "the functions call each other too deeply.  ->  Make the recursion end, or use $map and $reduce.",
        ),
    ],
)  # fmt: skip
def test_jsonatas_complaints_are_put_in_words(text: str, message: str):
    with pytest.raises(ExpressionError) as raised:
        value(text)
    assert raised.value.detail == message


def test_the_wall_clock_limit_is_a_mishap_of_the_worker_and_not_a_fact():
    with pytest.raises(WorkerMishapError, match="100 ms") as raised:
        value("($f := function($n) { $f($n + 1) }; $f(0))")
    assert raised.value.retry


HIDDEN = "Zq7hidden"


def failure(text: str, scope: dict[str, Json]) -> PenstockError | None:
    """The error of an expression, if it is one."""
    try:
        evaluate(text, scope, MOMENT)
    except PenstockError as error:
        return error
    return None


USES_OF_HIDDEN_DATA = [
        "inputs.x * 2", "inputs.x > 5", "-inputs.x", "$number(inputs.x)", "$toMillis(inputs.x)", "$power(inputs.n, 9999)",
        "{inputs.n: 1}", "inputs.x..5", "$sum([inputs.x])", "$fromMillis(0, inputs.x & '[Q]')", "$formatBase(5, inputs.n)",
        "$decodeUrl('%' & inputs.x)", "$match('a', inputs.x)", "$sqrt(-inputs.n)", "$single([inputs.x, 1])", "inputs.x()",
        "$parse(inputs.x)", "$time(inputs.x)", "$date(0, 'yyyy', inputs.n)", "$plus(0, inputs.x)", "$cents(inputs.x)",
        "$cents(1, inputs.x)", "$fixed(inputs.x, 2)", "$hash('a', inputs.x)", "$between(0, 1, inputs.x)", "$start_of(0, inputs.x)",
        "$pick(inputs.x, ['a'])", "$unique([inputs.x], 'k')", "$truncate('a', inputs.x)", "$pad('a', inputs.x)",
        "$formatNumber(1, inputs.x)", "$formatInteger(1, inputs.x)", "$parseInteger('1', inputs.x)", "[inputs.x..3]",
        "$sort([{'a': inputs.x}, {'a': 1}])", "[{'a': inputs.x}, {'a': 1}]^(a)", "$merge([inputs.x])", "$reduce([1, 2], inputs.x)",
]  # fmt: skip


def test_an_error_never_shows_data():
    failed = 0
    for text in USES_OF_HIDDEN_DATA:
        error = failure(text, {"inputs": {"x": HIDDEN, "n": 987654321}})
        if error is not None:
            failed += 1
            assert HIDDEN not in str(error), text
            assert "987654321" not in str(error), text
            assert error.__context__ is None, text
    assert failed >= 30


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 +", "ends too early"),
        ("", ""),
        ("(1", ""),
        ("'abc", "quote"),
        ("$match('a', /(/)", ""),
        ('1), "w": (2', ""),
        ("1 } 2", ""),
        ("(" * 3000, ""),
        ("\ud800", ""),
        ("a b", ""),
    ],
)
def test_the_check_reports_what_cannot_be_compiled(text: str, words: str):
    mistake = compile_check(text)
    if text.startswith("$match"):
        assert mistake is None or mistake.what
        return
    assert mistake is not None
    assert mistake.offset == 0
    assert words in mistake.what
    assert mistake.what.startswith("JSONata")


@pytest.mark.parametrize("text", ["1 // 2", "'a' /* } */", '{"a": 1}', "trigger.body[x = '}']", "(1; 2)", "/a}b/"])
def test_the_check_has_nothing_to_say_of_what_compiles(text: str):
    mistake = compile_check(text)
    assert mistake is None or "//" in text


def test_time_and_randomness_are_those_of_the_moment():
    first = [value(text) for text in ("$now()", "$millis()", "$random()", "$uuid()")]
    assert first == [value(text) for text in ("$now()", "$millis()", "$random()", "$uuid()")]
    assert first[:2] == ["2026-11-20T07:00:00.000Z", 1795158000000]
    other = Moment(datetime(2026, 11, 20, 7, tzinfo=UTC), b"another")
    assert value("$random()", moment=other) != first[2]
    assert value("$uuid()", moment=other) != first[3]


def test_the_stream_of_random_numbers_never_changes():
    # Published executions were computed with these; a change would make workers of two versions disagree.
    assert value("$uuid()") == "c54ab9a5-42cc-44ec-aaf7-89945efef1f5"
    assert value("$random()") == 0.7706714657277163


def test_two_places_of_a_step_draw_different_numbers_in_any_order():
    template = compile_template(
        {"a": "${ $uuid() }", "b": "${ $uuid() }", "c": "${$uuid()}${$uuid()}"}, UNTYPED, "with", NAMES
    )
    asked = expressions(template)
    drawn = answers(asked, {}, MOMENT)
    assert len(set(map(str, drawn))) == 4
    assert [answer(one, {}, MOMENT) for one in reversed(asked)] == drawn[::-1]


def test_random_numbers_are_spread_evenly():
    drawn = value("[1..4000].$random()")
    assert isinstance(drawn, list)
    numbers = [number for number in drawn if isinstance(number, float)]
    assert len(set(numbers)) == 4000
    for quarter in range(4):
        assert 900 < sum(quarter / 4 <= number < (quarter + 1) / 4 for number in numbers) < 1100


def test_an_answer_names_its_place_where_it_fails():
    template = compile_template({"json": {"total": "${ trigger.body.price * 2 }"}}, UNTYPED, "with", NAMES)
    with pytest.raises(ExpressionError, match=r"^`with\.json\.total`: `trigger\.body\.price` is text") as raised:
        answers(expressions(template), SCOPE, MOMENT)
    assert raised.value.facts["where"] == "with.json.total"


def test_any_thread_may_evaluate():
    found: list[Json | Missing] = []
    screen = Screen()
    threads = [
        threading.Thread(target=lambda: found.append(evaluate("$sum([1, 2])", SCOPE, MOMENT, screen=screen)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3, 3, 3, 3]


def test_an_error_kept_by_somebody_may_be_freed_on_any_thread():
    """An unraisable error of jsonatapy would be a warning, and a warning fails a test."""
    kept: list[BaseException] = []
    for text in ("$sum('a')", "$number('x')", "inputs.x > 'y' + 1", "$cents('x')", "$error('no')"):
        try:
            evaluate(text, {"inputs": {"x": 1}}, MOMENT)
        except ExpressionError as error:
            kept.append(error)
    assert len(kept) == 5
    thread = threading.Thread(target=kept.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert kept == []


@pytest.mark.parametrize("bottom", [1, 2**70, None])
def test_a_document_that_is_deep_does_no_harm(bottom: Json):
    deep = bottom
    for _ in range(100_000):
        deep = [deep]
    for text in ("$count(inputs.x)", "[inputs.x]", "[inputs.x, $count([/a/])]", "$unique(inputs.x)"):
        error = failure(text, {"inputs": {"x": deep}})
        assert error is None or "->" in error.detail
    # Taken apart from the outside in: freeing it at once would recurse.
    while isinstance(deep, list):
        deep = deep.pop()


WORDS = st.sampled_from(
    ["trigger", ".body", ".lines", ".price", ".nil", ".gone", "[0]", "[", "]", "(", ")", "{", "}", '"a"', ":", ",", "1", "2.5", "+", "-",
     "*", "/", "%", "&", "=", "!=", "<", ">", "and", "or", "in", "??", "?:", "?", "~>", "$sum", "$string", "$map", "$day", "$fixed", "$parse",
     "$list", "$unique", "$default", "function($x)", "$x", ":=", ";", "^", "..", "null", "true", "@", "#", "|", " "]
)  # fmt: skip


@given(st.lists(WORDS, min_size=1, max_size=9).map(" ".join))
def test_whatever_is_written_there_is_an_answer_or_a_named_error(text: str):
    if compile_check(text) is not None:
        return
    before = copy.deepcopy(SCOPE)
    error = failure(text, SCOPE)
    assert error is None or re.search(r"->|the flow says", error.detail)
    assert before == SCOPE
