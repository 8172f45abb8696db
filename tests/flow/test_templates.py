"""Templates: what is compiled, in which order answers are taken, and what a filled value is."""

import pytest

from chalicelib.errors import MissingValueError, ParameterError
from chalicelib.flow.paths import MISSING, Missing, walk
from chalicelib.flow.scanner import NotClosed
from chalicelib.flow.targets import CONDITION, TEXT, UNTYPED, Kind, ListOf, ObjectOf, OneOf, Scalar, Target
from chalicelib.flow.templates import Expression, Literal, Template, compile_template, expressions, fill
from chalicelib.flow.values import Json

NAMES = frozenset({"trigger", "inputs", "vars", "execution", "item"})
NUMBER = Scalar(Kind.NUMBER)
SCOPE: dict[str, Json] = {
    "trigger": {"body": {"total": 5, "name": "Ann", "lines": [{"sku": "A"}, {"sku": "B"}]}, "headers": {"x-a": "1"}},
    "steps": {"a": {"id": 7}},
    "inputs": {"text": "t", "nil": None, "file": {"file": "f", "name": "n", "type": "t", "size": 1}},
}


def compiled(value: Json, target: Target = UNTYPED) -> Template:
    return compile_template(value, target, "with", NAMES)


def filled(value: Json, target: Target = UNTYPED, scope: dict[str, Json] | None = None) -> Json:
    """Compile, walk the paths (the only expressions here) and fill."""
    template = compiled(value, target)
    given = scope or SCOPE
    answers: list[Json | Missing] = []
    for expression in expressions(template):
        assert expression.path is not None, expression.text
        answers.append(walk(expression.path, given))
    return fill(template, answers, given)


def test_a_value_without_expressions_is_a_literal_and_stays_the_same():
    value: Json = {"a": [1, None, "x"], "b": {"c": True}}
    template = compiled(value)
    assert template == Literal(value)
    assert fill(template, []) == value
    assert fill(template, []) is fill(template, [])


def test_an_escaped_dollar_is_literal():
    assert filled("$${HOME} and $${x}") == "${HOME} and ${x}"
    assert filled("$${a} ${ trigger.body.name }") == "${a} Ann"


def test_a_whole_expression_keeps_its_type_and_identity():
    body = SCOPE["trigger"]
    assert isinstance(body, dict)
    assert filled("${ trigger.body }") is body["body"]
    assert filled("${trigger.body.total}") == 5


def test_an_expression_inside_text_becomes_text():
    assert filled("n ${ trigger.body.total }, ${ inputs.nil }.") == "n 5, ."
    assert filled(" ${ trigger.body.total }") == " 5"
    assert filled("${ trigger.body.lines }!") == '[{"sku":"A"},{"sku":"B"}]!'
    assert filled("${ trigger.body.name }${ trigger.body.name }") == "AnnAnn"


def test_what_an_expression_gives_is_never_read_again():
    scope: dict[str, Json] = {"inputs": {"evil": "${ trigger.body }", "more": "$${"}}
    assert filled("${ inputs.evil }", UNTYPED, scope) == "${ trigger.body }"
    assert filled("a ${ inputs.evil } ${ inputs.more }", UNTYPED, scope) == "a ${ trigger.body } $${"


def test_text_is_converted_by_its_place_as_a_whole():
    assert filled("${ trigger.body.total }0", NUMBER) == 50
    with pytest.raises(ParameterError, match="`with`"):
        filled("${ trigger.body.name }0", NUMBER)


def test_expressions_come_in_the_order_of_the_document():
    template = compiled({"b": "${ inputs.b }", "a": ["x", "${ inputs.c } ${ inputs.d }"], "c": {"z": "${ inputs.e }"}})
    asked = expressions(template)
    assert [one.text.strip() for one in asked] == ["inputs.b", "inputs.c", "inputs.d", "inputs.e"]
    assert [one.where for one in asked] == ["with.b", "with.a[1]", "with.a[1]", "with.c.z"]
    assert fill(template, [1, 2, 3, 4]) == {"b": 1, "a": ["x", "2 3"], "c": {"z": 4}}


def test_an_expression_carries_what_the_worker_needs():
    (path,) = expressions(compiled("a ${ trigger.body.total }"))
    assert path.path == ("trigger", "body", "total")
    assert path.offset == 4
    (computed,) = expressions(compiled("${ rows.x ?? ($f := function($x) { $x }; $f($steps.a.id)) }"))
    assert isinstance(computed, Expression)
    assert computed.path is None
    assert computed.defines_function
    assert not path.defines_function


def test_fields_take_the_places_of_a_schema():
    target = ObjectOf({"amount": NUMBER, "to": ListOf(TEXT), "query": ObjectOf(others=TEXT)})
    value: Json = {
        "amount": "${ inputs.a }",
        "to": "${ inputs.b }",
        "query": {"q": "${ inputs.c }", "fixed": 1},
        "x": "${ inputs.d }",
    }
    template = compiled(value, target)
    assert fill(template, ["1.5", 5, True, {"z": 1}]) == {
        "amount": 1.5,
        "to": ["5"],
        "query": {"q": "true", "fixed": 1},
        "x": {"z": 1},
    }


def test_a_written_list_gives_each_row_its_place():
    assert fill(compiled(["${ inputs.a }", "b"], ListOf(TEXT)), [5]) == ["5", "b"]
    assert fill(compiled(["${ inputs.a }"], OneOf((TEXT, ListOf(TEXT)))), [5]) == ["5"]


def test_cases_take_true_or_false_and_nothing_is_false():
    template = compiled({"large": "${ inputs.a }", "small": "${ inputs.b }"}, ObjectOf(others=CONDITION))
    assert fill(template, [True, MISSING]) == {"large": True, "small": False}
    with pytest.raises(ParameterError, match=r"with\.large"):
        fill(template, [1, True])


def test_an_optional_parameter_without_a_value_is_left_out():
    target = ObjectOf({"note": TEXT, "name": TEXT}, frozenset({"note"}))
    assert fill(compiled({"note": "${ inputs.x }", "name": "${ inputs.y }"}, target), [MISSING, "n"]) == {"name": "n"}
    with pytest.raises(MissingValueError):
        fill(compiled({"note": "${ inputs.x }", "name": "${ inputs.y }"}, target), ["n", MISSING])
    with pytest.raises(MissingValueError):
        fill(compiled({"note": "a ${ inputs.x }"}, target), [MISSING])


def test_a_list_parameter_takes_nothing_from_a_computation_but_not_from_a_path():
    computed = compiled("${ trigger.body.lines[sku = 'Z'] }", ListOf())
    assert fill(computed, [MISSING]) == []
    with pytest.raises(MissingValueError):
        filled("${ trigger.body.lnes }", ListOf())
    assert filled("${ trigger.body.lines.price }", ListOf()) == []
    optional = ObjectOf({"over": ListOf()}, frozenset({"over"}))
    assert fill(compiled({"over": "${ inputs.a[x] }"}, optional), [MISSING]) == {"over": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "${ trigger.body.totl }",
            (
                "nothing at `trigger.body.totl`.  `trigger.body` has: total, name, lines.  ->  Did you mean `total`? "
                "If it may be missing: $default(trigger.body.totl, null)."
            ),
        ),
        (
            "x ${ trigger.headers.'x-b' }",
            (
                "nothing at `trigger.headers.'x-b'`.  `trigger.headers` has: x-a.  ->  Did you mean `x-a`? "
                "If it may be missing: $default(trigger.headers.'x-b', \"\")."
            ),
        ),
        (
            "${ trigger.body.lines[5] }",
            (
                "nothing at `trigger.body.lines[5]`.  `trigger.body.lines` has 2 rows.  ->  "
                "If it may be missing: $default(trigger.body.lines[5], null)."
            ),
        ),
        (
            "${ trigger.body.name.first }",
            (
                "nothing at `trigger.body.name.first`.  `trigger.body.name` is text.  ->  "
                "If it may be missing: $default(trigger.body.name.first, null)."
            ),
        ),
        (
            "${ steps.review.by }",
            "`steps.review` did not run, or was skipped, so it has no value.  ->  ${ steps.review.by ?? null }.",
        ),
        (
            "${ errors.a.code }",
            "`errors.a` did not fail, so there is no error.  ->  ${ $default(errors.a.code, null) }.",
        ),
    ],
)
def test_a_missing_value_is_explained_by_what_is_there(text: str, message: str):
    with pytest.raises(MissingValueError) as raised:
        filled(text)
    assert raised.value.detail == message
    assert raised.value.facts["where"] == "with"


def test_why_a_step_has_no_value_is_said_where_it_is_known():
    template = compiled("${ steps.review.by }", TEXT)
    with pytest.raises(MissingValueError) as raised:
        fill(template, [MISSING], SCOPE, {"review": "was skipped (switch `size` took `small`)"})
    assert raised.value.detail == (
        '`steps.review` was skipped (switch `size` took `small`), so it has no value.  ->  ${ steps.review.by ?? "" }.'
    )


def test_of_a_computation_the_name_that_is_missing_is_found():
    template = compiled('${ $uppercase(trigger.body.nme) & "trigger.body.no" /* inputs.no */ }', TEXT)
    with pytest.raises(MissingValueError) as raised:
        fill(template, [MISSING], SCOPE)
    assert "nothing at `trigger.body.nme`" in raised.value.detail
    assert "Did you mean `name`?" in raised.value.detail
    with pytest.raises(MissingValueError, match="nothing came of the expression"):
        fill(compiled("${ trigger.body.lines[sku = 'Z'] }"), [MISSING], SCOPE)


def test_a_message_shows_keys_but_no_values():
    scope: dict[str, Json] = {"inputs": {"secret_key": "s3cr3t", "n": {"deep": "s3cr3t"}}}
    for text in ("${ inputs.gone }", "${ inputs.n.gone }", "${ inputs.secret_key.x }", "a ${ inputs.gone }"):
        with pytest.raises(MissingValueError) as raised:
            filled(text, UNTYPED, scope)
        assert "s3cr3t" not in str(raised.value)


def test_a_message_of_many_keys_is_bounded():
    scope: dict[str, Json] = {"inputs": {"k" * 500 + str(n): n for n in range(1000)}}
    with pytest.raises(MissingValueError) as raised:
        filled("${ inputs.x }", UNTYPED, scope)
    assert "and 980 more" in raised.value.detail
    assert len(raised.value.detail) < 2000


def test_a_file_inside_text_is_refused_and_passed_whole_elsewhere():
    with pytest.raises(ParameterError, match=r"`with`: A file cannot stand inside text.*file\.read_text"):
        filled("see ${ inputs.file }")
    assert filled("${ inputs.file }") == {"file": "f", "name": "n", "type": "t", "size": 1}


def test_answers_that_do_not_match_are_a_bug():
    with pytest.raises(ValueError, match="more answers"):
        fill(compiled("${ inputs.a }"), [1, 2])


def test_an_expression_that_is_not_closed_is_the_scanners_error():
    with pytest.raises(NotClosed):
        compiled("${ inputs.a ")
