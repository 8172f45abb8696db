"""Parameters held against a node's JSON Schema."""

import pytest

from chalicelib.flow.check_parameters import check_parameters
from tests.flow.catalogue import checked

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 5},
        "number": {"type": "number", "exclusiveMinimum": 0},
        "whole": {"type": "integer", "minimum": 1, "maximum": 10, "optional": True, "default": None},
        "flag": {"type": "boolean"},
        "list": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
        "rows": {"type": "array", "x-place": "list", "items": {}},
        "map": {
            "type": "object",
            "properties": {"size": {"type": "integer"}},
            "additionalProperties": {"type": "string"},
        },
        "any": {"x-place": "untyped"},
        "object": {"type": "object", "x-place": "untyped"},
        "cases": {"type": "object", "x-place": "cases", "additionalProperties": {"type": "boolean"}},
        "until": {"type": "boolean", "x-place": "condition"},
        "file": {"type": "object", "x-place": "file"},
        "method": {"enum": ["GET", "POST"], "type": "string"},
        "methods": {"type": "array", "x-one": True, "items": {"enum": ["GET", "POST"], "type": "string"}},
        "pause": {
            "type": "string",
            "widget": "duration",
            "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$",
            "x-maximum": "15m",
        },
        "code": {"type": "string", "pattern": "^[a-z]+$"},
        "share": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^\\d+%$"}]},
        "auth": {"oneOf": [{"type": "object", "properties": {"user": {"type": "string"}}}, {"const": "none"}]},
    },
    "required": ["any"],
    "additionalProperties": False,
}


def mistakes(**given):
    found = check_parameters({"any": 1, **given}, SCHEMA, ("steps", "a"), "x.y")
    return [(".".join(str(part) for part in one.pointer[3:]), one.what) for one in found]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "abc"), ("text", 5), ("text", "a ${ inputs.b } longer than five"), ("number", 2.5), ("number", "19.99"),
        ("number", "${ inputs.n }"), ("number", "${ inputs.n }9"), ("whole", 3), ("whole", 3.0), ("whole", "3"),
        ("whole", None), ("flag", True), ("flag", "true"), ("flag", "${ inputs.f }"), ("list", ["a", "${ inputs.b }"]),
        ("list", "${ inputs.b }"), ("rows", [1, {}]), ("rows", {"a": 1}), ("rows", "${ inputs.b[c=1] }"), ("rows", 5),
        ("map", {"size": 1, "other": "x"}), ("any", None), ("any", [{"a": "${ inputs.b }"}]), ("object", {"a": [1]}),
        ("object", "${ inputs.b }"), ("cases", {"a": "${ inputs.b = 1 }", "b": True}), ("until", "${ inputs.b = 1 }"),
        ("until", False), ("file", {"file": "x"}), ("file", "${ steps.a.file }"), ("method", "GET"), ("method", "post"),
        ("method", "${ inputs.m }"), ("methods", "GET"), ("methods", ["GET", "POST"]), ("pause", "15m"), ("pause", "1m30s"),
        ("pause", "2s"), ("code", "abc"), ("share", 3), ("share", "10%"), ("auth", "none"), ("auth", {"user": "x"}),
        ("auth", "${ inputs.x }"),
    ],
)  # fmt: skip
def test_what_fits_is_taken(name, value):
    assert mistakes(**{name: value}) == []


@pytest.mark.parametrize(
    ("name", "value", "where", "what"),
    [
        ("text", "", "text", "`text` is not empty"),
        ("text", "abcdef", "text", "`text` has at most 5 characters"),
        ("text", ["a"], "text", "`text` is a text, not a list."),
        ("text", None, "text", "`text` is a text, not nothing."),
        ("text", True, "text", "`text` is a text, not true."),
        ("number", "much", "number", '`number` is a number, not the text "much".'),
        ("number", 0, "number", "`number` is above 0, not 0."),
        ("number", "-1", "number", '`number` is above 0, not the text "-1".'),
        ("number", True, "number", "`number` is a number, not true."),
        ("whole", 2.5, "whole", "`whole` is a whole number, not 2.5."),
        ("whole", 11, "whole", "`whole` is at most 10, not 11."),
        ("whole", "0", "whole", '`whole` is at least 1, not the text "0".'),
        ("flag", "yes", "flag", '`flag` is true or false, not the text "yes".'),
        ("flag", 1, "flag", "`flag` is true or false, not 1."),
        ("list", [], "list", "`list` is not empty"),
        ("list", ["a", {}], "list.1", "`list` is a text, not a map."),
        ("list", "a ${ inputs.b }", "list", "`list` is a list, not the text"),
        ("map", {"size": "big"}, "map.size", '`size` is a whole number, not the text "big".'),
        ("map", {"x": []}, "map.x", "`x` is a text, not a list."),
        ("map", 3, "map", "`map` is a map, not 3."),
        ("object", 3, "object", "`object` is a map, not 3."),
        ("cases", {"a": "steps.a.ok"}, "cases.a", '`a` needs an expression; this is the text "steps.a.ok".'),
        ("cases", [1], "cases", "`cases` is a map, not a list."),
        ("until", "x ${ inputs.b }", "until", "`until` needs one expression and nothing around it"),
        ("file", "report.csv", "file", '`file` is a file, not the text "report.csv".'),
        ("method", "PSOT", "method", '`method` is GET or POST, not the text "PSOT". Did you mean `POST`?'),
        ("methods", ["GET", "X"], "methods.1", '`methods` is GET or POST, not the text "X".'),
        ("methods", "X", "methods", '`methods` is GET or POST, not the text "X".'),
        ("pause", "20m", "pause", "`pause` is at most 15m"),
        ("pause", "soon", "pause", "`pause` is a duration such as 90s, 10m, 1h30m or 2d"),
        ("pause", 20, "pause", "`pause` is a duration such as 90s, 10m, 1h30m or 2d, not 20."),
        ("code", "ABC", "code", "`code` looks like ^[a-z]+$"),
        ("share", -1, "share", "`share` is at least 0, not -1."),
        ("share", "some", "share", "`share` looks like"),
        ("share", [], "share", "`share` is a whole number or a text, not a list."),
        ("auth", "basic", "auth", '`auth` is none, not the text "basic".'),
        ("nubmer", 1, "nubmer", "`x.y` has no parameter `nubmer`. Did you mean `number`?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(name, value, where, what):
    ((at, sentence),) = mistakes(**{name: value})
    assert (at, sentence[: len(what)]) == (where, what)


def test_what_is_missing_is_asked_for_at_the_step():
    (problem,) = checked("steps:\n  a: {uses: http.request}\n").problems
    assert (problem.line, problem.column, problem.what) == (3, 3, "`http.request` needs `url`.")
    assert problem.do == "Add `url:` below `with`."


def test_a_schema_without_types_takes_anything():
    for schema in ({}, {"type": "object"}, {"properties": {"a": {}}}, {"properties": {"a": {"$ref": "#/$defs/X"}}}):
        assert list(check_parameters({"a": [1, "x", {"b": None}]}, schema, (), "x")) == []
