"""What a value becomes in every kind of place, and how a place is read from a JSON Schema."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from chalicelib.errors import CallerError, MissingValueError, ParameterError
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.places import as_text, convert, target_of
from chalicelib.flow.targets import CONDITION, TEXT, UNTYPED, FilePlace, Kind, ListOf, ObjectOf, OneOf, Scalar, Target
from chalicelib.flow.values import Json

FILE: Json = {"file": "f_1", "name": "a.pdf", "type": "application/pdf", "size": 10}
ERROR = "an error"

NUMBER, INTEGER, BOOLEAN, LIST, OBJECT = (
    Scalar(Kind.NUMBER),
    Scalar(Kind.INTEGER),
    Scalar(Kind.BOOLEAN),
    ListOf(),
    ObjectOf(),
)

# One row per kind of value, one column per kind of place: the table of design 3.3.
COLUMNS: list[Target] = [TEXT, NUMBER, INTEGER, BOOLEAN, LIST, OBJECT, UNTYPED, CONDITION, FilePlace()]
ROWS: list[tuple[Json | Missing, list[object]]] = [
    ("abc",          ["abc", ERROR, ERROR, ERROR, ["abc"], ERROR, "abc", ERROR, ERROR]),
    ("",             ["", ERROR, ERROR, ERROR, [""], ERROR, "", ERROR, ERROR]),
    ("19.99",        ["19.99", 19.99, ERROR, ERROR, ["19.99"], ERROR, "19.99", ERROR, ERROR]),
    ("42",           ["42", 42, 42, ERROR, ["42"], ERROR, "42", ERROR, ERROR]),
    ("42.0",         ["42.0", 42.0, 42, ERROR, ["42.0"], ERROR, "42.0", ERROR, ERROR]),
    ("007",          ["007", ERROR, ERROR, ERROR, ["007"], ERROR, "007", ERROR, ERROR]),
    ("true",         ["true", ERROR, ERROR, True, ["true"], ERROR, "true", ERROR, ERROR]),
    (42,             ["42", 42, 42, ERROR, [42], ERROR, 42, ERROR, ERROR]),
    (0,              ["0", 0, 0, ERROR, [0], ERROR, 0, ERROR, ERROR]),
    (2**70,          [str(2**70), 2**70, 2**70, ERROR, [2**70], ERROR, 2**70, ERROR, ERROR]),
    (19.99,          ["19.99", 19.99, ERROR, ERROR, [19.99], ERROR, 19.99, ERROR, ERROR]),
    (1.0,            ["1.0", 1.0, 1, ERROR, [1.0], ERROR, 1.0, ERROR, ERROR]),
    (True,           ["true", ERROR, ERROR, True, [True], ERROR, True, True, ERROR]),
    (False,          ["false", ERROR, ERROR, False, [False], ERROR, False, False, ERROR]),
    (None,           [ERROR, ERROR, ERROR, ERROR, [], ERROR, None, ERROR, ERROR]),
    ([],             [ERROR, ERROR, ERROR, ERROR, [], ERROR, [], ERROR, ERROR]),
    ([1, "a"],       [ERROR, ERROR, ERROR, ERROR, [1, "a"], ERROR, [1, "a"], ERROR, ERROR]),
    ({"a": 1},       [ERROR, ERROR, ERROR, ERROR, [{"a": 1}], {"a": 1}, {"a": 1}, ERROR, ERROR]),
    (FILE,           [ERROR, ERROR, ERROR, ERROR, [FILE], FILE, FILE, ERROR, FILE]),
    (MISSING,        [ERROR, ERROR, ERROR, ERROR, [], ERROR, ERROR, False, ERROR]),
]  # fmt: skip
CELLS = [(value, place, cell) for value, row in ROWS for place, cell in zip(COLUMNS, row, strict=True)]


@pytest.mark.parametrize(("value", "place", "expected"), CELLS)
def test_each_value_in_each_place(value: Json | Missing, place: Target, expected: object):
    if expected is ERROR:
        with pytest.raises(MissingValueError if value is MISSING else ParameterError, match=r"`with\.x`.*->"):
            convert(value, place, "with.x")
    else:
        found = convert(value, place, "with.x")
        assert found == expected
        assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["0.1234567890123456789012", "1e400", "-", "1.", ".5", "+1", "0x10", " 1", "1 ", "1_000", "1,5", "NaN", "Infinity", "\u0661", "1" * 1001],
)  # fmt: skip
def test_text_that_would_lose_something_does_not_become_a_number(text: str):
    with pytest.raises(ParameterError, match="wants a number"):
        convert(text, NUMBER, "with.x")


@pytest.mark.parametrize(
    ("text", "number"), [("-0", 0), ("-1.50", -1.5), ("1e3", 1000.0), ("9007199254740993", 2**53 + 1), ("0.1", 0.1)]
)
def test_text_that_loses_nothing_becomes_a_number(text: str, number: float):
    assert convert(text, NUMBER, "with.x") == number


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("place", [TEXT, NUMBER, INTEGER])
def test_an_infinity_or_nan_fits_nowhere_typed(number: float, place: Target):
    with pytest.raises(ParameterError):
        convert(number, place, "with.x")


SECRETS = st.text("Zq7", min_size=6, max_size=9).map(lambda text: f"s{text}")


@given(
    SECRETS,
    st.sampled_from(
        [NUMBER, INTEGER, BOOLEAN, OBJECT, CONDITION, FilePlace(), ListOf(NUMBER), OneOf((NUMBER, BOOLEAN))]
    ),
)
def test_a_message_never_shows_the_value(secret: str, place: Target):
    for value in (secret, [secret], [[secret]]):
        with pytest.raises(CallerError) as raised:
            convert(value, place, "with.x")
        assert secret not in str(raised.value)
        assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (5, "5"),
        (2**70, str(2**70)),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        ({"b": 1, "a": [None, "ä"]}, '{"b":1,"a":[null,"ä"]}'),
        ([], "[]"),
        ([2**70], f"[{2**70}]"),
    ],
)
def test_a_value_inside_text(value: Json, text: str):
    assert as_text(value) == text


@pytest.mark.parametrize("value", [FILE, [FILE], float("inf"), [float("nan")]])
def test_what_cannot_stand_inside_text(value: Json):
    with pytest.raises(ParameterError, match="->"):
        as_text(value)


def test_a_value_that_fits_is_handed_on_as_the_same_object():
    rows: Json = [{"a": [1, 2]}]
    body: Json = {"rows": rows}
    assert convert(body, UNTYPED, "x") is body
    assert convert(rows, LIST, "x") is rows
    assert convert(body, OBJECT, "x") is body
    assert convert(rows, ListOf(OBJECT), "x") is rows
    assert convert(body, ObjectOf({"rows": LIST}), "x") is body


def test_rows_and_fields_are_converted_by_their_own_places():
    assert convert([1, "a", True], ListOf(TEXT), "x") == ["1", "a", "true"]
    assert convert({"n": "5", "other": 1}, ObjectOf({"n": INTEGER}, others=TEXT), "x") == {"n": 5, "other": "1"}
    with pytest.raises(ParameterError):
        convert([{}], ListOf(TEXT), "x")


def test_of_several_places_the_one_that_takes_the_value_as_it_is_wins():
    text_or_number = OneOf((INTEGER, TEXT))
    assert convert("5", text_or_number, "x") == "5"
    assert convert(5, text_or_number, "x") == 5
    assert convert(True, text_or_number, "x") == "true"
    text_or_list = OneOf((TEXT, ListOf(TEXT)))
    assert convert("a", text_or_list, "x") == "a"
    assert convert([1], text_or_list, "x") == ["1"]
    nullable = OneOf((NUMBER, Scalar(Kind.NULL)))
    assert convert(None, nullable, "x") is None
    assert convert("1.5", nullable, "x") == 1.5
    assert convert(MISSING, OneOf((LIST, Scalar(Kind.NULL))), "x") == []
    with pytest.raises(ParameterError, match="a number or null"):
        convert("x", nullable, "x")
    with pytest.raises(MissingValueError, match="default"):
        convert(MISSING, nullable, "x")


@pytest.mark.parametrize(
    ("schema", "target"),
    [
        ({}, UNTYPED),
        ({"type": "string"}, TEXT),
        ({"type": "number"}, NUMBER),
        ({"type": "integer"}, INTEGER),
        ({"type": "boolean"}, BOOLEAN),
        ({"type": "null"}, Scalar(Kind.NULL)),
        ({"type": "array"}, ListOf()),
        ({"type": "array", "items": {"type": "string"}}, ListOf(TEXT)),
        ({"type": "object"}, ObjectOf()),
        ({"type": "object", "additionalProperties": {"type": "string"}}, ObjectOf(others=TEXT)),
        (
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]},
            ObjectOf({"a": TEXT, "b": INTEGER}, frozenset({"b"})),
        ),
        ({"type": "boolean", "x-place": "condition"}, CONDITION),
        ({"type": "object", "x-place": "untyped"}, UNTYPED),
        ({"x-place": "list", "type": "array", "items": {}}, ListOf()),
        ({"x-place": "cases"}, ObjectOf(others=CONDITION)),
        ({"x-place": "file", "type": "object"}, FilePlace()),
        ({"type": ["string", "null"]}, OneOf((TEXT, Scalar(Kind.NULL)))),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, OneOf((TEXT, Scalar(Kind.NULL)))),
        ({"oneOf": [{"type": "string"}, {"type": "array"}]}, OneOf((TEXT, ListOf()))),
        ({"anyOf": [{"type": "string"}, {}]}, UNTYPED),
        ({"allOf": [{"type": "string"}]}, TEXT),
        ({"enum": ["a", "b"]}, TEXT),
        ({"enum": [1, "b", None]}, OneOf((INTEGER, TEXT, Scalar(Kind.NULL)))),
        ({"const": 1.5}, NUMBER),
        ({"enum": [{}]}, UNTYPED),
        ({"$ref": "#/$defs/T", "$defs": {"T": {"type": "string"}}}, TEXT),
        ({"type": "unheard-of"}, UNTYPED),
    ],
)
def test_a_place_is_read_from_a_schema(schema: dict[str, Json], target: Target):
    assert target_of(schema) == target


def test_definitions_may_come_from_the_document():
    assert target_of({"$ref": "#/$defs/T"}, {"T": {"type": "integer"}}) == INTEGER


def test_a_schema_that_holds_itself_ends():
    tree: dict[str, Json] = {"$ref": "#/$defs/T", "$defs": {"T": {"type": "array", "items": {"$ref": "#/$defs/T"}}}}
    assert target_of(tree) == ListOf(UNTYPED)


def test_an_unknown_x_place_is_a_mistake_in_the_node():
    with pytest.raises(ValueError, match="x-place"):
        target_of({"x-place": "moon"})


def test_the_schema_that_pydantic_writes_is_understood():
    class Inner(BaseModel):
        count: int

    class Parameters(BaseModel):
        name: str
        note: str | None = None
        inner: Inner
        tags: list[str] = []
        ratio: float = 1.0

    target = target_of(Parameters.model_json_schema())
    assert target == ObjectOf(
        {
            "name": TEXT,
            "note": OneOf((TEXT, Scalar(Kind.NULL))),
            "inner": ObjectOf({"count": INTEGER}),
            "tags": ListOf(TEXT),
            "ratio": NUMBER,
        },
        frozenset({"note", "tags", "ratio"}),
    )
    found = convert({"name": 5, "inner": {"count": "7"}, "tags": "one"}, target, "with")
    assert found == {"name": "5", "inner": {"count": 7}, "tags": ["one"]}


NUMBERS = st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS)
def test_a_number_becomes_text_and_the_same_number_again(number: float):
    text = convert(number, TEXT, "x")
    assert isinstance(text, str)
    assert convert(text, NUMBER, "x") == number
    assert json.loads(text) == number
