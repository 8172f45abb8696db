import json
from copy import deepcopy
from typing import Any

import jsonpatch
import jsonpointer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import ParameterError
from chalicelib.kit.values import Failed
from chalicelib.nodes.json.get import Get
from chalicelib.nodes.json.merge import Merge
from chalicelib.nodes.json.parse import Parse
from chalicelib.nodes.json.patch import Patch
from chalicelib.nodes.json.stringify import Stringify
from chalicelib.nodes.json.texts import DEEPEST
from tests.nodes.anything import nested, outcome, ran, values

exact = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a/b", "~", ""]), inner, max_size=3)
    ),
    max_leaves=8,
)


def failure(answer: Any, code: str) -> str:
    assert isinstance(answer, Failed), answer
    assert answer.failure.code == code
    return answer.failure.message


@given(exact, st.integers(0, 4), st.booleans(), st.booleans())
def test_what_is_written_is_read_as_the_same(value: Any, indent: int, sort_keys: bool, ascii_only: bool) -> None:
    text = ran(Stringify, value=value, indent=indent, sort_keys=sort_keys, ascii_only=ascii_only)
    assert ran(Parse, text=text) == value
    assert not ascii_only or text.isascii()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1, column 1"),
        ("{'a': 1}", "line 1, column 2"),
        ('{"a": 1,\n}', "line 2, column 1"),
        ("[1, \t\r\n  ]", "line 2, column 3"),
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("1e999", "too large"),
        ("9" * 5000, "4,300 digits"),
        (r'"\ud800"', "lone surrogate"),
        (r'{"\udc00": 1}', "lone surrogate"),
        ('["\ud800"]', "lone surrogate"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "deeper"),
        ("[" * 200_000, "deeper"),
        ("1 2", "column 3"),
        ("\ufeff1", "line 1"),
    ],
)
def test_what_is_no_json_fails_with_its_place(text: str, reason: str) -> None:
    assert reason in failure(ran(Parse, text=text), "json_invalid")


def test_what_json_can_say_is_read_exactly() -> None:
    assert ran(Parse, text=str(2**200)) == 2**200
    assert ran(Parse, text=r'"\ud83d\ude00"') == "😀"
    assert ran(Parse, text="[" * DEEPEST + "1" + "]" * DEEPEST) == nested(DEEPEST)


def test_only_the_fence_is_read_where_there_is_one() -> None:
    assert ran(Parse, text="Here:\n```json\n[3]\n```\nDone.", fenced=True) == [3]
    assert ran(Parse, text="```\n[1]\n``` and ```\n[2]\n```", fenced=True) == [1]
    assert ran(Parse, text="```[1]```", fenced=True) == [1]
    assert ran(Parse, text="[1]", fenced=True) == [1]


def test_what_cannot_be_written_fails_by_name() -> None:
    failure(ran(Stringify, value=nested(DEEPEST + 1)), "json_invalid")
    failure(ran(Stringify, value=nested(100_000)), "json_invalid")
    failure(ran(Stringify, value=float("nan")), "json_invalid")
    assert "lone surrogate" in failure(ran(Stringify, value=["\ud800"]), "json_invalid")
    assert ran(Stringify, value=["\ud800"], ascii_only=True) == '["\\ud800"]'


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", "whole"),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_pointers_of_rfc_6901_section_5(pointer: str, found: Any) -> None:
    document = {
        "foo": ["bar", "baz"],
        "": 0,
        "a/b": 1,
        "c%d": 2,
        "e^f": 3,
        "g|h": 4,
        "i\\j": 5,
        'k"l': 6,
        " ": 7,
        "m~n": 8,
    }
    assert ran(Get, value=document, pointer=pointer) == (document if found == "whole" else found)


@pytest.mark.parametrize(
    "pointer", ["/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/-1", "/foo/bar", "/x", "/foo/0/a", "/foo/\u0661"]
)
def test_what_lies_nowhere_fails_unless_there_is_a_default(pointer: str) -> None:
    document = {"foo": ["bar", "baz"]}
    failure(ran(Get, value=document, pointer=pointer), "json_missing")
    assert ran(Get, value=document, pointer=pointer, default=None) is None


@pytest.mark.parametrize("pointer", ["a", "#/a", "/~", "/~2", "/a~"])
def test_what_is_no_pointer_is_refused(pointer: str) -> None:
    with pytest.raises(ParameterError, match="JSON Pointer"):
        ran(Get, value={}, pointer=pointer)


@pytest.mark.parametrize(
    ("value", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_of_rfc_7396_appendix_a(value: Any, patch: Any, merged: Any) -> None:
    before = deepcopy(value)
    assert ran(Merge, value=value, patch=patch) == merged
    assert value == before


pointers = st.lists(st.sampled_from(["a", "b", "a~1b", "~0", "", "0", "1", "2", "-"]), max_size=3).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "test"]), "path": pointers, "value": exact}
) | st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "path": pointers, "from": pointers})


def reference(value: Any, changes: list[Any]) -> Any:
    """What the jsonpatch package makes of it; None in a tuple where it refuses."""
    try:
        return (jsonpatch.apply_patch(deepcopy(value), deepcopy(changes)),)
    except (
        jsonpatch.JsonPatchException,
        jsonpointer.JsonPointerException,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ):
        return ()


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from("ab"), exact, max_size=3) | st.lists(exact, max_size=3), operations)
def test_single_operations_agree_with_another_implementation(value: Any, change: Any) -> None:
    before = deepcopy(value)
    answer = ran(Patch, value=value, operations=[change])
    assert value == before
    # Left out is where the reference goes its own way: whole documents, and Python's == in which true is 1.
    if not change["path"] or not change.get("from", "/") or change["op"] == "test":
        return
    expected = reference(value, [change])
    assert isinstance(answer, Failed) is not bool(expected)
    if expected:
        assert answer == expected[0]


@pytest.mark.parametrize(
    ("value", "change", "changed"),
    [
        ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"foo": "bar", "baz": "qux"}),
        ({"foo": ["a", "b"]}, {"op": "add", "path": "/foo/1", "value": "q"}, {"foo": ["a", "q", "b"]}),
        ({"foo": ["a", "q", "b"]}, {"op": "remove", "path": "/foo/1"}, {"foo": ["a", "b"]}),
        (
            {"foo": {"bar": 1, "w": 2}, "q": {}},
            {"op": "move", "from": "/foo/w", "path": "/q/t"},
            {"foo": {"bar": 1}, "q": {"t": 2}},
        ),
        ({"foo": [1, 2, 3, 4]}, {"op": "move", "from": "/foo/1", "path": "/foo/3"}, {"foo": [1, 3, 4, 2]}),
        ({"foo": "bar"}, {"op": "add", "path": "/c", "value": {"g": {}}, "xyz": 1}, {"foo": "bar", "c": {"g": {}}}),
        ({"foo": None}, {"op": "replace", "path": "/foo", "value": "x"}, {"foo": "x"}),
        ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": 10}, {"/": 9, "~1": 10}),
        ({"foo": ["bar"]}, {"op": "add", "path": "/foo/-", "value": ["abc"]}, {"foo": ["bar", ["abc"]]}),
        ({"a": 1}, {"op": "replace", "path": "", "value": [1]}, [1]),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/a"}, {"a": 1}),
        ([1.0], {"op": "test", "path": "", "value": [1]}, [1.0]),
        ({"a": 1}, {"op": "copy", "from": "", "path": "/b"}, {"a": 1, "b": {"a": 1}}),
    ],
)
def test_operations_of_rfc_6902_appendix_a(value: Any, change: Any, changed: Any) -> None:
    assert ran(Patch, value=value, operations=[change]) == changed


@pytest.mark.parametrize(
    ("value", "change", "reason"),
    [
        ({"foo": "bar"}, {"op": "add", "path": "/baz/bat", "value": 1}, "nothing can lie there"),
        ({"foo": [1]}, {"op": "add", "path": "/foo/3", "value": 1}, "no such place"),
        ({"foo": [1]}, {"op": "add", "path": "/foo/01", "value": 1}, "no such place"),
        ({"a": 1}, {"op": "remove", "path": "/b"}, "nothing lies there"),
        ({"a": [1]}, {"op": "remove", "path": "/a/-"}, "nothing lies there"),
        ({"a": 1}, {"op": "replace", "path": "/b", "value": 1}, "nothing lies there"),
        ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": "10"}, "another one"),
        ({"a": 1}, {"op": "test", "path": "/a", "value": True}, "another one"),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a", "path": "/a/b"}, "into itself"),
        ({"a": 1}, {"op": "add", "path": "/b"}, "needs a `value`"),
        ({"a": 1}, {"op": "copy", "path": "/b"}, "needs a `from`"),
        ({"a": 1}, {"op": "add", "path": "b", "value": 1}, "begins with a slash"),
    ],
)
def test_an_operation_that_does_not_apply_fails_with_its_reason(value: Any, change: Any, reason: str) -> None:
    fine = {"op": "test", "path": "", "value": value}
    message = failure(ran(Patch, value=value, operations=[fine, change]), "json_patch")
    assert reason in message
    assert "operations[1]" in message


def test_copying_a_value_into_itself_again_and_again_is_stopped() -> None:
    doubling = [{"op": "copy", "from": "", "path": f"/{number}"} for number in range(64)]
    assert "copied" in failure(ran(Patch, value={"a": 1}, operations=doubling), "json_patch")


def test_a_chain_of_additions_cannot_nest_beyond_the_limit() -> None:
    changes = [{"op": "add", "path": "/a" * level, "value": {}} for level in range(1, DEEPEST + 10)]
    assert "deeper" in failure(ran(Patch, value={}, operations=changes), "json_patch")


@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        (Parse, {"text": st.text(alphabet='[]{}",:0123456789eE+-.\\u nulltrefas', max_size=15)}),
        (Stringify, {"value": values, "indent": st.integers(0, 9)}),
        (Get, {"value": values, "pointer": pointers | values}),
        (Merge, {"value": values, "patch": values}),
        (Patch, {"value": values, "operations": st.lists(operations, max_size=3) | values}),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_whatever_comes_in_a_value_or_a_named_failure_comes_out(node: Any, parameters: dict[str, Any]) -> None:
    @settings(max_examples=80, deadline=None)
    @given(st.fixed_dictionaries(parameters))
    def holds(chosen: dict[str, Any]) -> None:
        outcome(node, chosen)

    holds()


@pytest.mark.parametrize("name", ["value", "patch"])
def test_merging_what_is_nested_without_end_is_no_crash(name: str) -> None:
    given_values: dict[str, Any] = {"value": {"a": 1}, "patch": {"a": 2}}
    deep: Any = {}
    for _ in range(5_000):
        deep = {"a": deep}
    answer = outcome(Merge, given_values | {name: deep})
    assert answer == ("refused" if name == "patch" else {"a": 2})


def test_the_standard_library_is_still_called_json() -> None:
    assert json.loads("[1]") == [1]
