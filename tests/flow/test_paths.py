"""Plain paths: what they find, what they keep, and that they equal JSONata but for the three things we promise."""

import jsonatapy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.flow.paths import MISSING, spell, walk
from chalicelib.flow.values import Json

ROWS: Json = [{"sku": "A", "tags": ["x", "y"]}, {"sku": "B"}, {"tags": []}]


@pytest.mark.parametrize(
    ("path", "scope", "expected"),
    [
        (("a", "b"), {"a": {"b": 1}}, 1),
        (("a", "b"), {"a": {"b": None}}, None),
        (("a", "b"), {"a": {}}, MISSING),
        (("a", "b"), {}, MISSING),
        (("a", "b"), {"a": None}, MISSING),
        (("a", "b"), {"a": "text"}, MISSING),
        (("a", "net-price"), {"a": {"net-price": 2.5}}, 2.5),
        (("a", 0), {"a": [7, 8]}, 7),
        (("a", -1), {"a": [7, 8]}, 8),
        (("a", 2), {"a": [7, 8]}, MISSING),
        (("a", -3), {"a": [7, 8]}, MISSING),
        (("a", 0), {"a": []}, MISSING),
        (("a", 0), {"a": 5}, 5),
        (("a", -1), {"a": {"b": 1}}, {"b": 1}),
        (("a", 1), {"a": 5}, MISSING),
        (("a", 0), {"a": None}, None),
        (("a", 0, "b"), {"a": {"b": 1}}, 1),
        (("a", 0), {}, MISSING),
        (("rows", "sku"), {"rows": ROWS}, ["A", "B"]),
        (("rows", "tags"), {"rows": ROWS}, ["x", "y"]),
        (("rows", "tags", 0), {"rows": ROWS}, ["x"]),
        (("rows", 0, "tags"), {"rows": ROWS}, ["x", "y"]),
        (("rows", 0, "tags", 1), {"rows": ROWS}, "y"),
        (("rows", 1, "tags"), {"rows": ROWS}, MISSING),
        (("rows", "sku"), {"rows": []}, []),
        (("rows", "nothing"), {"rows": ROWS}, []),
        (("rows", "sku"), {"rows": [{"sku": "A"}]}, ["A"]),
        (("rows", "sku"), {"rows": [{"sku": None}]}, [None]),
        (("rows", "a", "b"), {"rows": [{"a": {"b": 1}}, {"a": [{"b": 2}, {"b": 3}]}]}, [1, 2, 3]),
        (("rows", "b", 0), {"rows": [[{"b": 1}, {"b": 5}], [{"b": 2}]]}, [1, 2]),
        (("a", 0, 1), {"a": [[1, 2], 3]}, 2),
        (("a", 0), {"a": [[1], [2]]}, [1]),
        (("a", "b", 0, "c"), {"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": {"c": 3}}]}, [1, 3]),
    ],
)
def test_a_path_finds_what_lies_there(path: tuple[str | int, ...], scope: dict[str, Json], expected: object):
    found = walk(path, scope)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("number", [9007199254740993, -(2**53) - 1, 2**64, 2**200, 1.0, 0.1, -0.0, 1e300])
def test_numbers_stay_exactly_what_was_sent(number: int | float):
    found = walk(("trigger", "id"), {"trigger": {"id": number}})
    assert repr(found) == repr(number)
    assert repr(walk(("rows", "id"), {"rows": [{"id": number}]})) == repr([number])


def test_the_value_itself_comes_back_and_not_a_copy():
    body: Json = {"lines": [1, 2]}
    assert walk(("trigger", "body"), {"trigger": {"body": body}}) is body


def test_missing_is_not_null():
    assert walk(("a",), {}) is MISSING
    assert walk(("a",), {"a": None}) is None


def test_lists_nested_ten_thousand_deep_do_not_overflow():
    deep: Json = {"b": 1}
    for _ in range(10_000):
        deep = [deep]
    assert walk(("a", "b"), {"a": deep}) == [1]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("trigger", "body", "total"), "trigger.body.total"),
        (("rows", 0, "sku", -1), "rows[0].sku[-1]"),
        (("trigger", "headers", "x-shop"), "trigger.headers.'x-shop'"),
        (("a", "it's"), 'a."it\'s"'),
    ],
)
def test_a_path_is_spelled_as_one_writes_it(path: tuple[str | int, ...], text: str):
    assert spell(path) == text


KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "t", "u"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
SCOPES = st.dictionaries(KEYS, VALUES, max_size=3)
PATHS = st.lists(KEYS | st.integers(-2, 2), min_size=0, max_size=4).map(lambda rest: ("a", *rest))


def _jsonata(path: tuple[str | int, ...], scope: dict[str, Json]) -> Json:
    box = jsonatapy.compile('{"v":(' + spell(path) + ")}").evaluate(scope)
    return box.get("v", MISSING)


def _goes_through_a_list(path: tuple[str | int, ...], scope: dict[str, Json]) -> bool:
    """Whether a name is asked of a list, found by asking for one step more each time."""
    return any(
        isinstance(key, str) and isinstance(walk(path[:length], scope), list)
        for length, key in enumerate(path)
        if length > 0
    )


def test_paths_equal_jsonata_except_that_lists_stay_lists():
    met = {"through a list": 0, "not": 0}

    @settings(max_examples=3000, deadline=None, database=None)
    @given(path=PATHS, scope=SCOPES)
    def compare(path: tuple[str | int, ...], scope: dict[str, Json]):
        ours, theirs = walk(path, scope), _jsonata(path, scope)
        if not _goes_through_a_list(path, scope):
            met["not"] += 1
            assert ours == theirs
            return
        met["through a list"] += 1
        assert isinstance(ours, list)
        # JSONata gives nothing for no row, and the row itself for a single one.
        if not ours:
            assert theirs is MISSING or theirs == []
        elif len(ours) == 1:
            assert theirs in (ours, ours[0])
        else:
            assert theirs == ours

    compare()
    assert min(met.values()) > 200
