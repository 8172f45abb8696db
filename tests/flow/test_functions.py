"""Every function: its example, its edges, and what it says when it is given something else."""

from datetime import UTC, datetime

import jsonatapy
import pytest

from chalicelib.errors import ExpressionError
from chalicelib.flow.expressions import Moment, compile_check, evaluate
from chalicelib.flow.function_table import FUNCTIONS, REGISTERED
from chalicelib.flow.mentions_words import BUILT_IN_FUNCTIONS, OUR_FUNCTIONS
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.values import Json

MOMENT = Moment(datetime(2026, 11, 20, 7, tzinfo=UTC), b"seed", "Europe/Berlin")
SCOPE: dict[str, Json] = {
    "x": {"nil": None, "text": "t", "list": [1, 2], "one": {"a": 1, "b": 2}, "empty": [], "zero": 0, "no": False},
}


def value(text: str, scope: dict[str, Json] | None = None) -> Json | Missing:
    assert compile_check(text) is None
    return evaluate(text, scope or SCOPE, MOMENT)


@pytest.mark.parametrize("name", REGISTERED)
def test_the_example_of_each_function_gives_its_result(name: str):
    function = REGISTERED[name]
    found = evaluate(function.example, {"inputs": {}}, MOMENT)
    assert found == function.result
    assert type(found) is type(function.result)


def test_each_example_calls_its_function_and_has_a_sentence():
    for name, function in FUNCTIONS.items():
        assert f"${name}(" in function.example
        assert function.doc.endswith(".")
        assert function.least <= function.signature.count(",") + 1 or function.most == 0


def test_the_functions_are_those_that_the_check_knows():
    assert set(FUNCTIONS) == OUR_FUNCTIONS
    assert set(REGISTERED) - set(FUNCTIONS) <= BUILT_IN_FUNCTIONS
    for name in BUILT_IN_FUNCTIONS:
        assert jsonatapy.compile(f"$type(${name})").evaluate({}) == "function", name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$default(x.gone, 5)", 5),
        ("$default(x.nil, 5)", 5),
        ("$default(x.zero, 5)", 0),
        ("$default(x.no, true)", False),
        ('$default("", "d")', ""),
        ("$default(x.gone, null)", None),
        ("$default(x.gone, x.gone)", None),
        ("$empty(x.gone)", True),
        ("$empty(x.nil)", True),
        ('$empty("")', True),
        ("$empty([])", True),
        ("$empty({})", True),
        ("$empty(0)", False),
        ("$empty(false)", False),
        ('$empty(" ")', False),
        ("$empty([null])", False),
        ("$list(x.gone)", []),
        ("$list(x.nil)", []),
        ("$list(x.list)", [1, 2]),
        ("$list(x.one)", [{"a": 1, "b": 2}]),
        ("$list(0)", [0]),
        ("$unique([1, 2, 1, 3, 2])", [1, 2, 3]),
        ('$unique([1, "1", true, 1.0, null, null])', [1, "1", True, None]),
        ('$unique([{"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}])', [{"a": [1, {"b": 2}]}]),
        ('$unique([{"k": 1, "n": 1}, {"k": 2, "n": 2}, {"k": 1, "n": 3}, {"n": 4}, {"n": 5}], "k").n', [1, 2, 4]),
        ("$unique(x.gone)", []),
        ("$unique(x.one)", [{"a": 1, "b": 2}]),
        ("$partition([1, 2, 3, 4], 2)", [[1, 2], [3, 4]]),
        ("$partition([1, 2], 5)", [[1, 2]]),
        ("$partition([], 5)", []),
        ("$partition(x.gone, 5)", []),
        ('$pick(x.one, ["b", "z"])', {"b": 2}),
        ('$pick(x.one, "a")', {"a": 1}),
        ('$pick([x.one, {"a": 9}], ["a"])', [{"a": 1}, {"a": 9}]),
        ('$string($pick(x.one, ["z", "b", "y", "a", "b"]))', '{"b":2,"a":1}'),
        ('$pick(x.gone, ["a"])', MISSING),
        ('$omit(x.one, ["b", "z"])', {"a": 1}),
        ('$omit(x.gone, ["b"])', MISSING),
        ("$parse('[1, 2.50, null, true]')", [1, 2.5, None, True]),
        ("$parse('9007199254740993')", "9007199254740993"),
        ("$parse('[9007199254740992, -9007199254740993, 123456789012345678901234567890]')", [2**53, "-9007199254740993", "123456789012345678901234567890"]),
        ('$parse("```json\\n{\\"a\\": 1}\\n```")', {"a": 1}),
        ("$parse(x.gone)", MISSING),
        ("$parse('null')", None),
    ],
)  # fmt: skip
def test_functions_on_values(text: str, expected: Json | Missing):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$lines([1, 'a', true, null])", "1\na\ntrue\n"),
        ("$lines(x.gone)", ""),
        ("$lines([])", ""),
        ("$lines('one')", "one"),
        ("$joined([1, 2.5])", "1, 2.5"),
        ("$joined(x.gone)", ""),
        ("$joined([{'a': [1]}, 2], '; ')", '{"a":[1]}; 2'),
        ("$joined([1, 2], '')", "12"),
        ('$html("a & b < c > d \\" e \' f")', "a &amp; b &lt; c &gt; d &quot; e &#39; f"),
        ("$html(5)", "5"),
        ("$html(x.gone)", MISSING),
        ("$truncate('Hello', 5)", "Hello"),
        ("$truncate('Hello!', 5)", "Hell…"),
        ("$truncate('Hello', 1)", "…"),
        ("$truncate(x.gone, 5)", MISSING),
        ("$slug('  Crème brûlée & Co. -- №5 ')", "creme-brulee-co-no5"),
        ("$slug('Straße Æther Łódź')", "strasse-aether-lodz"),
        ("$slug('a_b')", "a-b"),
        ("$slug('---')", ""),
        ("$slug('Привет мир')", "привет-мир"),
        ("$hash('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("$hash('ä', 'SHA-1')", "961fa22f61a56e19f3f5f8867901ac8cf5e6d11f"),
        ("$hash(x.gone)", MISSING),
        ("$fixed(1.005, 2)", "1.01"),
        ("$fixed(-1.005, 2)", "-1.01"),
        ("$fixed(2.5, 0)", "3"),
        ("$fixed(-0.001, 2)", "0.00"),
        ("$fixed('19.99', 3)", "19.990"),
        ("$fixed(1e21, 1)", "1000000000000000000000.0"),
        ("$fixed(x.gone, 2)", MISSING),
        ("$cents(19.99)", 1999),
        ("$cents(0.1 + 0.2)", 30),
        ("$cents('1.005')", 101),
        ("$cents(-1.005)", -101),
        ("$cents(12, 'JPY')", 12),
        ("$cents(12.5, 'jpy')", 13),
        ("$cents('1.2345', 'KWD')", 1235),
        ("$cents('1', 'CLF')", 10000),
        ("$cents(x.gone)", MISSING),
        ("$default($cents(x.gone), 0)", 0),
    ],
)
def test_functions_on_text_and_money(text: str, expected: Json | Missing):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$time('2026-11-20 07:00')", "2026-11-20T06:00:00.000Z"),
        ("$time(0)", "1970-01-01T00:00:00.000Z"),
        ("$date('2026-11-20T23:30:00Z', 'dd.MM. HH:mm')", "21.11. 00:30"),
        ("$date('2026-11-20T23:30:00Z', 'dd.MM. HH:mm', 'UTC')", "20.11. 23:30"),
        ("$date('2026-11-20T23:30:00Z', 'dd.MM. HH:mm', x.nil)", "21.11. 00:30"),
        ("$day('2026-11-20T23:30:00Z')", "2026-11-21"),
        ("$day($now(), 'America/New_York')", "2026-11-20"),
        ("$plus('2026-11-20 07:00', '1d12h')", "2026-11-21T18:00:00.000Z"),
        ("$minus(0, '1s')", "1969-12-31T23:59:59.000Z"),
        ("$between('2026-11-20', '2026-11-21', 'days')", 1),
        ("$between('2026-03-29', '2026-03-30', 'hours')", 23),
        ("$between('2026-11-21', '2026-11-20', 'hours')", -24),
        ("$start_of('2026-11-20T23:30:00Z', 'day')", "2026-11-20T23:00:00.000Z"),
        ("$start_of('2026-11-20T23:30:00Z', 'day', 'UTC')", "2026-11-20T00:00:00.000Z"),
        ("$day(x.gone)", MISSING),
        ("$day(x.gone) ?? 'never'", "never"),
        ("$exists($day(x.gone))", False),
        ("$between(x.gone, '2026-11-20', 'days')", MISSING),
        ("$between('2026-11-20', x.gone, 'days')", MISSING),
        ("[$day(x.gone), $day(0)]", ["1970-01-01"]),
        ('{"a": $day(x.gone), "b": 1}', {"b": 1}),
    ],
)
def test_functions_on_times(text: str, expected: Json | Missing):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$now()", "2026-11-20T07:00:00.000Z"),
        ("$millis()", 1795158000000),
        ("$now('[D01].[M01].[Y0001]')", "20.11.2026"),
        ("$now('[H01]:[m01]', 'Europe/Berlin')", "08:00"),
        ("$fromMillis(0)", "1970-01-01T00:00:00.000Z"),
        ("$fromMillis(1510067557121)", "2017-11-07T15:12:37.121Z"),
        ("$fromMillis(0, '[H01]:[m01] [z]', 'Europe/Berlin')", "01:00 GMT+01:00"),
        ("$fromMillis(1784102400000, '[H01]:[m01]', 'Europe/Berlin')", "10:00"),
        ("$fromMillis(1510067557121, '[M01]/[D01]/[Y0001] [h#1]:[m01][P]', '-0500')", "11/07/2017 10:12am"),
        ("$fromMillis(x.gone)", MISSING),
        ("$toMillis('2017-11-07T15:12:37.121Z')", 1510067557121),
        ("$toMillis('2017-11-07T15:12:37.121+01:00')", 1510063957121),
        ("$toMillis('1970-01-01')", 0),
        ("$toMillis('07.11.2017', '[D01].[M01].[Y0001]')", 1510012800000),
        ("$toMillis('x', '[Y]')", MISSING),
        ("$toMillis('x', '[Y]') ?? 0", 0),
        ("$toMillis(x.gone)", MISSING),
        ("$pad('foo', 5)", "foo  "),
        ("$pad('foo', -5, '#')", "##foo"),
        ("$pad('foo', 8, '-+')", "foo-+-+-"),
        ("$pad('foo', 2)", "foo"),
        ("$pad(x.gone, 5)", MISSING),
        ("$random() < 1 and $random() >= 0", True),
        ("$random() = $random()", False),
        ("$uuid() = $uuid()", False),
        ("$contains($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)", True),
    ],
)
def test_jsonatas_own_that_are_replaced_keep_their_meaning(text: str, expected: Json | Missing):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$map(['A b', 'C'], $slug)", ["a-b", "c"]),
        ("$map([1.5, 2], $cents)", [150, 200]),
        ("['A', 'B'] ~> $map($slug)", ["a", "b"]),
        ("'A b' ~> $slug()", "a-b"),
        ("$filter([[], [1], []], $empty)", [[], []]),
        ("($f := $slug; $f('A B'))", "a-b"),
        ("$fixed(?, 1)(2)", "2.0"),
        ("$each({'a': 'X Y'}, $slug)", "x-y"),
        ("x.list.$fixed($, 1)", ["1.0", "2.0"]),
    ],
)
def test_functions_can_be_handed_around(text: str, expected: Json):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$default(1)", "wants 2 arguments, and was given 1"),
        ("$slug('a', 'b')", "wants 1 argument, and was given 2"),
        ("$uuid(1)", "wants 0 arguments"),
        ("$unique([1], 'k')", "one is a number"),
        ("$unique([1], 5)", "name of a field"),
        ("$partition([1], 0)", "at least 1"),
        ("$partition([1], 1.5)", "at least 1"),
        ("$pick('x', ['a'])", "this is text"),
        ("$pick({}, [1])", "names as text"),
        ("$omit([1], ['a'])", "this is a number"),
        ("$parse('nope')", "not JSON at line 1"),
        ("$parse('[1, ]')", "not JSON at line 1, column 5"),
        ("$parse('[NaN]')", "not JSON"),
        ("$parse('1e999')", "not JSON"),
        ("$parse('')", "not JSON"),
        ("$parse({})", "given an object"),
        ("$parse(x.nil)", "given null"),
        ("$lines([{'file': 'f', 'name': 'n', 'type': 't', 'size': 1}])", "file"),
        ("$joined([1], 5 > 6 ? 'a' : [])", "wants text"),
        ("$html({})", "given an object"),
        ("$html(x.nil)", "given null"),
        ("$truncate('a', 0)", "at least 1"),
        ("$truncate([], 3)", "given a list"),
        ("$hash('a', 'crc')", "sha256"),
        ("$hash({})", "given an object"),
        ("$fixed('1,5', 2)", "no number"),
        ("$fixed('', 2)", "no number"),
        ("$fixed('NaN', 2)", "no number"),
        ("$fixed('1e400', 2)", "no number"),
        ("$fixed(1, 21)", "0 to 20"),
        ("$fixed(true, 2)", "wants a number"),
        ("$cents('€5')", "no number"),
        ("$cents(5, 'EURO')", "three letters"),
        ("$cents(1e20)", "beyond 2^53"),
        ("$cents(x.nil)", "given null"),
        ("$time('soon')", "cannot be read as a time"),
        ("$date(0, 'YYYY')", "`yyyy`"),
        ("$date(0, x.gone)", "pattern is text"),
        ("$date(0, 'yyyy', 'Mars/Base')", "no time zone"),
        ("$date(0, 'yyyy', 5)", "zone is text"),
        ("$day(x.nil)", "not null"),
        ("$plus(0, '2')", "length of time"),
        ("$plus(0, '9999999d')", "years 1 to 9999"),
        ("$between(0, 1, 'months')", "unit"),
        ("$start_of(0, 'decade')", "unit"),
        ("$start_of('0001-01-01T00:00:00Z', 'week')", "years 1 to 9999"),
        ("$date('9999-12-31T23:59:59Z', 'yyyy', '+10:00')", "years 1 to 9999"),
        ("$fromMillis('0')", "wants a number"),
        ("$fromMillis(0, '[H01]', 'Mars/Base')", "no time zone"),
        ("$fromMillis(0, '[Q]')", "picture"),
        ("$toMillis('x')", "cannot be read as a time"),
        ("$toMillis(5)", "wants text"),
        ("$pad('x', 10001)", "10000"),
        ("$pad('x', -10001)", "10000"),
        ("$pad(5, 2)", "wants text"),
        ("$eval('1')", "refused"),
        ("($e := $eval; $e('1'))", "refused"),
        ("$shuffle([1])", "refused"),
    ],
)
def test_a_wrong_argument_is_an_error_with_a_way_out(text: str, words: str):
    with pytest.raises(ExpressionError) as raised:
        value(text)
    assert words in raised.value.detail
    assert "  ->  " in raised.value.detail


def test_too_deep_a_value_is_an_error_and_not_a_crash():
    with pytest.raises(ExpressionError):
        value("$parse(x)", {"x": "[" * 200_000})


def test_a_users_variable_may_have_the_name_of_a_function():
    assert value("($day := 5; $day + 1)") == 6
