"""What starts an execution, fitted to the flow's inputs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import ParameterError
from chalicelib.flow.inputs import fit_inputs


def refused(declared, given_values, where="inputs"):
    with pytest.raises(ParameterError) as caught:
        fit_inputs(declared, given_values, where=where)
    return [(one.where, one.what) for one in caught.value.problems]


def test_without_a_declaration_everything_goes_as_it_is():
    given_values = {"anything": [1, {"a": None}]}
    assert fit_inputs({}, given_values) == given_values


@pytest.mark.parametrize(
    ("schema", "value", "fitted"),
    [
        ({"type": "number"}, "19.99", 19.99),
        ({"type": "number"}, " 20 ", 20),
        ({"type": "number"}, 12345678901234567890123, 12345678901234567890123),
        ({"type": "number"}, "12345678901234567890123", 12345678901234567890123),
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, 7.0, 7),
        ({"type": "integer"}, "7.0", 7),
        ({"type": "string"}, 5, "5"),
        ({"type": "string"}, 2.5, "2.5"),
        ({"type": "string"}, True, "true"),
        ({"type": "boolean"}, "false", False),
        ({"type": ["integer", "null"]}, None, None),
        ({"type": ["string", "number"]}, 5, 5),
        ({"type": "array", "items": {"type": "integer"}}, ["1", 2], [1, 2]),
        (
            {"type": "object", "properties": {"a": {"type": "number"}, "b": {"default": 3}}},
            {"a": "1"},
            {"a": 1, "b": 3},
        ),
        ({"type": "string", "format": "email"}, "a@x.example", "a@x.example"),
        ({"type": "string", "format": "uri"}, "https://x.example/a", "https://x.example/a"),
        ({}, {"a": [1]}, {"a": [1]}),
        ({"enum": ["a", 1]}, 1, 1),
    ],
)
def test_a_value_is_converted_where_nothing_is_lost(schema, value, fitted):
    result = fit_inputs({"x": schema}, {"x": value})
    assert result == {"x": fitted}
    assert type(result["x"]) is type(fitted)


@pytest.mark.parametrize(
    ("schema", "value", "what"),
    [
        ({"type": "number"}, "much", "It is text, and a number is needed."),
        ({"type": "number"}, True, "It is true or false, and a number is needed."),
        ({"type": "number"}, "1e999", "It is text, and a number is needed."),
        ({"type": "number"}, "NaN", "It is text, and a number is needed."),
        ({"type": "integer"}, 2.5, "It is a number, and a whole number is needed."),
        ({"type": "integer"}, "2.5", "It is text, and a whole number is needed."),
        ({"type": "boolean"}, "yes", "It is text, and true or false is needed."),
        ({"type": "boolean"}, 1, "It is a number, and true or false is needed."),
        ({"type": "string"}, None, "It is null, and text is needed."),
        ({"type": "string"}, [1], "It is a list, and text is needed."),
        ({"type": "array"}, {"a": 1}, "It is an object, and a list is needed."),
        ({"type": "object"}, "x", "It is text, and an object is needed."),
        ({"type": "string", "enum": ["a", "b"]}, "c", "It is none of a, b."),
        ({"enum": [1]}, True, "It is none of 1."),
        ({"type": "number", "minimum": 3}, 2, "It is less than 3."),
        ({"type": "number", "maximum": 3}, "4", "It is more than 3."),
        ({"type": "number", "exclusiveMinimum": 0}, 0, "It is not more than 0."),
        ({"type": "string", "minLength": 2}, "a", "It has fewer than 2 characters."),
        ({"type": "string", "maxLength": 2}, "abc", "It has more than 2 characters."),
        ({"type": "string", "pattern": "^a"}, "b", "It does not look like ^a."),
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 3000, "It is too long to be held against its pattern: more than 2000 characters."),
        ({"type": "string", "format": "email"}, "ann", "It is no e-mail address."),
        ({"type": "string", "format": "uri"}, "not a url", "It is no URL."),
        ({"type": "array", "minItems": 1}, [], "It has fewer than 1 entries."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_never_repeated(schema, value, what):
    assert refused({"x": schema}, {"x": value}) == [("inputs.x", what)]


def test_everything_is_said_at_once_with_its_place():
    declared = {
        "total": {"type": "number"},
        "lines": {
            "type": "array",
            "items": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        },
        "address": {"type": "object", "properties": {"zip": {"type": "string"}}, "additionalProperties": False},
    }
    found = refused(
        declared, {"lines": [{"n": 1}, {"n": "x"}, {}], "address": {"zpi": 1}, "totl": 3}, where="trigger.inputs"
    )
    assert found == [
        ("trigger.inputs.total", "It is missing."),
        ("trigger.inputs.lines[1].n", "It is text, and a whole number is needed."),
        ("trigger.inputs.lines[2].n", "It is missing."),
        ("trigger.inputs.address.zpi", "There is no such field. Did you mean `zip`?"),
        ("trigger.inputs.totl", "There is no such input. Did you mean `total`?"),
    ]
    with pytest.raises(ParameterError, match=r"`inputs.a`: It is missing. \(and 1 more\)"):
        fit_inputs({"a": {}, "b": {}}, {})


def test_what_is_not_declared_can_be_left_out():
    declared = {"a": {"type": "integer"}}
    assert fit_inputs(declared, {"b": 1, "a": "2"}, drop_unknown=True) == {"a": 2}


@pytest.mark.parametrize(
    ("schema", "fitted"),
    [
        ({"type": "number", "default": "5"}, 5),
        ({"type": "integer", "default": 5.0}, 5),
        ({"type": "string", "default": 5}, "5"),
        ({"type": "string", "optional": True, "default": None}, None),
        ({"type": "object", "default": {}, "properties": {"a": {"type": "number", "default": "5"}}}, {"a": 5}),
    ],
)
def test_a_default_is_converted_as_a_given_value_would_be(schema, fitted):
    result = fit_inputs({"x": schema}, {})
    assert result == {"x": fitted}
    assert type(result["x"]) is type(fitted)


@pytest.mark.parametrize(
    ("schema", "value", "problems"),
    [
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": "x"}, [("inputs.x.a", "It is text, and a whole number is needed.")]),
        ({"type": "object", "additionalProperties": False}, {"b": 1, "a": 2}, [("inputs.x.b", "There is no such field."), ("inputs.x.a", "There is no such field.")]),
        ({"type": "object", "required": ["a"]}, {}, [("inputs.x.a", "It is missing.")]),
        ({"type": "object", "properties": {"a": {}}, "required": ["a", "b"]}, {"a": 1}, [("inputs.x.b", "It is missing.")]),
    ],
)  # fmt: skip
def test_an_objects_fields_are_held_against_every_keyword(schema, value, problems):
    assert refused({"x": schema}, {"x": value}) == problems


def test_further_fields_are_converted_too():
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert fit_inputs({"x": schema}, {"x": {"a": "1", "b": 2}}) == {"x": {"a": 1, "b": 2}}


def test_defaults_and_optional_inputs_may_be_left_out():
    declared = {"a": {"type": "string", "default": "x"}, "b": {"type": "number", "optional": True}}
    assert fit_inputs(declared, {}) == {"a": "x"}
    assert fit_inputs(declared, {"b": None}) == {"a": "x"}
    assert fit_inputs(declared, {"a": "y", "b": 2}) == {"a": "y", "b": 2}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
KIND = st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "null"])


@given(st.lists(KIND, min_size=1, max_size=3), JSON)
def test_fitting_twice_is_fitting_once_and_nothing_else_is_raised(kinds, value):
    declared = {"x": {"type": kinds}}
    try:
        once = fit_inputs(declared, {"x": value})
    except ParameterError:
        return
    assert fit_inputs(declared, once) == once
