import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.errors import ParameterError
from chalicelib.nodes.data.aggregate import Aggregate
from chalicelib.nodes.data.dedupe import Dedupe
from chalicelib.nodes.data.fields import MOST_ROWS, read_path
from chalicelib.nodes.data.filter import Filter
from chalicelib.nodes.data.flatten import Flatten
from chalicelib.nodes.data.group import Group
from chalicelib.nodes.data.limit import Limit
from chalicelib.nodes.data.map import Map
from chalicelib.nodes.data.merge import Merge
from chalicelib.nodes.data.omit import Omit
from chalicelib.nodes.data.ordering import identity, number_in
from chalicelib.nodes.data.pick import Pick
from chalicelib.nodes.data.rename import Rename
from chalicelib.nodes.data.sort import Sort
from chalicelib.nodes.data.split import Split
from tests.nodes.anything import fields, nested, objects, outcome, ran, rows, values

BIG = 2**53 + 1


def kept(items: list[Any], **rule: Any) -> Any:
    return ran(Filter, items=items, where=rule)


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        ("equals", 1, [1, 1.0]),
        ("not_equals", 1, ["1", True, None, 2]),
        ("equals", None, [None]),
        ("in", [True, "1"], ["1", True]),
        ("not_in", [1, 2], ["1", True, None]),
        ("of_type", "number", [1, 1.0, 2]),
        ("of_type", "boolean", [True]),
    ],
)
def test_values_are_compared_with_their_type(comparison: str, value: Any, expected: list[Any]) -> None:
    found = kept([1, 1.0, "1", True, None, 2], **{"is": comparison, "value": value})
    assert found == expected
    assert [type(one) for one in found] == [type(one) for one in expected]


def test_big_whole_numbers_are_compared_exactly() -> None:
    assert kept([BIG, BIG - 1], **{"is": "equals", "value": BIG}) == [BIG]
    assert kept([BIG, BIG - 1], **{"is": "greater", "value": float(2**53)}) == [BIG]


def test_a_rule_that_meets_text_where_it_compares_numbers_says_so_and_drops_no_row() -> None:
    with pytest.raises(ParameterError, match=r"`items\[1\]\.total` is text"):
        kept([{"total": 5}, {"total": "12"}], field="total", **{"is": "greater", "value": 3})
    rule = {"field": "total", "is": "greater", "value": "3", "as": "number"}
    assert kept([{"total": 5}, {"total": " 12.5 "}, {"total": 2}], **rule) == [{"total": 5}, {"total": " 12.5 "}]
    with pytest.raises(ParameterError, match="spells no number"):
        kept([{"total": "a dozen"}], **rule)


def test_missing_and_null_satisfy_no_order_and_are_told_apart() -> None:
    items = [{}, {"a": None}, {"a": 0}, {"a": ""}]
    assert kept([{}, {"a": None}, {"a": 0}], field="a", **{"is": "at_most", "value": 0}) == [{"a": 0}]
    assert kept(items, field="a", **{"is": "missing"}) == [{}]
    assert kept(items, field="a", **{"is": "empty"}) == [{}, {"a": None}, {"a": ""}]
    assert kept(items, field="a", **{"is": "exists"}) == [{"a": None}, {"a": 0}, {"a": ""}]


def test_text_is_compared_without_case_or_as_a_time_when_asked() -> None:
    assert kept(["Straße", "STRASSE", "x"], **{"is": "equals", "value": "strasse", "as": "no_case"}) == [
        "Straße",
        "STRASSE",
    ]
    assert kept(["Ab", "b"], **{"is": "starts_with", "value": "a", "as": "no_case"}) == ["Ab"]
    times = ["2026-11-20T08:00:00+01:00", "2026-11-20T07:30:00Z"]
    assert kept(times, **{"is": "greater", "value": "2026-11-20T07:15:00Z", "as": "time"}) == times[1:]


def test_contains_looks_into_text_and_into_lists() -> None:
    assert kept(["abc", "x"], **{"is": "contains", "value": "b"}) == ["abc"]
    assert kept([[1, "2"], [2]], **{"is": "contains", "value": 2}) == [[2]]
    with pytest.raises(ParameterError, match="compares text"):
        kept([5], **{"is": "contains", "value": "5"})


def test_a_field_path_goes_through_lists_and_quoted_names() -> None:
    items = [{"lines": [{"sku": "a"}, {"sku": "b"}]}, {"lines": []}, {"x.y": {"z": 1}}]
    assert kept(items, field="lines.sku", **{"is": "contains", "value": "b"}) == items[:1]
    assert kept(items, field="lines[-1].sku", **{"is": "equals", "value": "b"}) == items[:1]
    assert kept(items, field="'x.y'.z", **{"is": "equals", "value": 1}) == items[2:]


@pytest.mark.parametrize("text", [".", "a.", ".a", "a..b", "a[x]", "a]", "[0]b", "'a", "a'b", "a.[0]"])
def test_a_broken_path_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ParameterError, match="is not a field"):
        read_path(text)


@pytest.mark.parametrize(
    "where",
    [
        {"is": "equals"},
        {"is": "empty", "value": 1},
        {"is": "like", "value": 1},
        {"all": [], "any": []},
        {"field": "a"},
        "a = 1",
        {"not": []},
    ],
)
def test_a_condition_that_means_nothing_is_refused(where: Any) -> None:
    with pytest.raises(ValidationError):
        Filter.model_validate({"items": [], "where": where})


def test_conditions_nested_without_end_are_refused_and_not_a_crash() -> None:
    where: Any = {"is": "exists"}
    for _ in range(5_000):
        where = {"not": where}
    assert outcome(Filter, {"items": [1], "where": where}) == "refused"


def test_a_pattern_that_would_hang_other_engines_is_answered_at_once() -> None:
    assert kept(["a" * 5000, "ab"], **{"is": "matches", "value": r"^(a+)+b$"}) == ["ab"]


def test_sorting_puts_missing_and_null_last_in_both_directions_and_is_stable() -> None:
    items = [{"k": 2, "n": 0}, {"n": 1}, {"k": 1, "n": 2}, {"k": None, "n": 3}, {"k": 2, "n": 4}, {"k": 1.0, "n": 5}]

    def order(direction: str) -> list[int]:
        return [item["n"] for item in ran(Sort, items=items, by=[{"field": "k", "order": direction}])]

    assert order("ascending") == [2, 5, 0, 4, 1, 3]
    assert order("descending") == [0, 4, 2, 5, 1, 3]


def test_sorting_by_several_fields_with_directions_of_their_own() -> None:
    items = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 2, "b": "x"}, {"a": 1, "b": "y"}]
    by = [{"field": "a", "order": "descending"}, "b"]
    assert [(item["a"], item["b"]) for item in ran(Sort, items=items, by=by)] == [
        (2, "x"),
        (2, "y"),
        (1, "x"),
        (1, "y"),
    ]


def test_numbers_sort_as_numbers_and_text_as_text_unless_asked_otherwise() -> None:
    assert ran(Sort, items=[10, 9, "10", "9", True, BIG, BIG - 1]) == [9, 10, BIG - 1, BIG, "10", "9", True]
    assert ran(Sort, items=["10", "9", "-1.5"], by=[{"as": "number"}]) == ["-1.5", "9", "10"]
    assert ran(Sort, items=["0.1", 0.1, "0.10"], by=[{"as": "number"}]) == ["0.1", 0.1, "0.10"]
    assert ran(Sort, items=["b", "B", "a"], by=[{"as": "no_case"}]) == ["a", "b", "B"]
    assert ran(Sort, items=["v1.10", "v1.9", "v01.2"], by=[{"as": "natural"}]) == ["v01.2", "v1.9", "v1.10"]


@given(st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_sorting_numbers_is_what_sorted_does(numbers: list[float]) -> None:
    assert ran(Sort, items=numbers) == sorted(numbers)


def test_groups_keep_order_and_tell_types_apart() -> None:
    groups = ran(Group, items=[{"k": 1}, {"k": "1"}, {"k": 1.0}, {}, {"k": None}, {"k": True}], by="k")
    assert [(group["key"], group["count"]) for group in groups] == [(1, 2), ("1", 1), (None, 2), (True, 1)]


def test_a_missing_group_field_is_null_or_left_out_or_refused_as_asked() -> None:
    assert ran(Group, items=[{}, {"k": 1}], by="k", missing="leave_out") == [
        {"key": 1, "items": [{"k": 1}], "count": 1}
    ]
    with pytest.raises(ParameterError, match=r"`items\[0\]\.k` is missing"):
        ran(Group, items=[{}], by="k", missing="refuse")


def figure(items: list[Any], function: str, **more: Any) -> Any:
    return ran(Aggregate, items=items, figures={"x": {"function": function, **more}})["x"]


def test_sums_and_averages_are_decimal_and_exact() -> None:
    assert figure([0.1, 0.2], "sum") == 0.3
    assert figure([0.1] * 10, "sum") == 1
    assert figure([BIG, BIG], "sum") == 2 * BIG
    assert figure([BIG, 0.5], "sum") == float(2 * BIG + 1) / 2
    assert figure([1e308, 1e-300], "sum") == 1e308
    assert figure([1.1, 2.2, 3.3], "avg") == 2.2
    assert figure([BIG, BIG + 2], "avg") == BIG + 1
    assert figure(["19.90", "0.10"], "sum", **{"as": "number"}) == 20


def test_a_sum_too_large_for_a_number_is_refused() -> None:
    with pytest.raises(ParameterError, match="too large"):
        figure([1.5e308, 1.5e308, 0.5], "sum")


def test_figures_of_nothing_and_of_missing_values() -> None:
    items = [{"a": None}, {}]
    assert [figure(items, name, field="a") for name in ("sum", "avg", "min", "max", "first", "last")] == [
        0,
        *[None] * 5,
    ]
    assert [figure(items, name, field="a") for name in ("count", "list", "unique", "count_unique")] == [0, [], [], 0]
    assert figure(items, "count") == 2


def test_min_max_first_last_list_and_unique() -> None:
    items = [{"a": 3}, {"a": "3"}, {"a": 1}, {"a": 3.0}]
    assert figure(items, "unique", field="a") == [3, "3", 1]
    assert type(figure(items, "unique", field="a")[0]) is int
    assert figure(items, "count_unique", field="a") == 3
    assert (figure(items, "first", field="a"), figure(items, "last", field="a")) == (3, 3.0)
    assert figure(items, "max", field="a", **{"as": "number"}) == 3
    with pytest.raises(ParameterError, match="all numbers or all text"):
        figure(items, "max", field="a")
    with pytest.raises(ParameterError, match="as: number"):
        figure(items, "sum", field="a")


def test_a_figure_may_not_have_the_name_of_a_group_field() -> None:
    with pytest.raises(ParameterError, match="Rename the figure"):
        ran(Aggregate, items=[], by=["a"], figures={"a": {"function": "count"}})


def test_dedupe_keeps_the_first_or_the_last_and_tells_types_apart() -> None:
    items = [{"a": 1, "n": 0}, {"a": "1", "n": 1}, {"a": 1.0, "n": 2}, {"n": 3}, {"a": None, "n": 4}]
    assert [row["n"] for row in ran(Dedupe, items=items, by=["a"])] == [0, 1, 3]
    assert [row["n"] for row in ran(Dedupe, items=items, by=["a"], keep="last")] == [1, 2, 4]
    assert [row["n"] for row in ran(Dedupe, items=items, by=["a"], missing="keep")] == [0, 1, 3, 4]
    assert ran(Dedupe, items=[{"a": 1, "b": 2}, {"b": 2, "a": 1}]) == [{"a": 1, "b": 2}]


def test_merging_by_key_inner_left_and_outer() -> None:
    left = [{"id": 1, "l": "a"}, {"id": 2, "l": "b"}, {"l": "none"}, {"id": None, "l": "null"}]
    right = [{"id": 1, "r": "x"}, {"id": 1, "r": "y"}, {"id": "2", "r": "text"}, {"id": None, "r": "null"}]

    def merged(rows: str) -> Any:
        return ran(Merge, lists=[left, right], how="key", by=["id"], rows=rows)

    matches = [{"id": 1, "l": "a", "r": "x"}, {"id": 1, "l": "a", "r": "y"}]
    assert merged("inner") == matches
    assert merged("left") == [*matches, *left[1:]]
    assert merged("outer") == [*matches, *left[1:], *right[2:]]


def test_merging_by_several_keys_and_three_lists() -> None:
    lists = [[{"a": 1, "b": 1}], [{"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}], [{"a": 1, "b": 1, "d": 4}]]
    assert ran(Merge, lists=lists, how="key", by=["a", "b"]) == [{"a": 1, "b": 1, "c": 2, "d": 4}]


def test_whose_value_counts_when_rows_differ() -> None:
    lists = [[{"a": 1, "b": 1}], [{"b": 2, "c": 2}]]
    assert ran(Merge, lists=lists, how="position") == [{"a": 1, "b": 2, "c": 2}]
    assert ran(Merge, lists=lists, how="position", conflict="first") == [{"a": 1, "b": 1, "c": 2}]
    with pytest.raises(ParameterError, match="differ in a field"):
        ran(Merge, lists=lists, how="position", conflict="refuse")


def test_a_merge_that_multiplies_beyond_measure_is_refused_before_it_is_made() -> None:
    side = [{"id": 1}] * (MOST_ROWS // 100)
    for how in ("combine", "key"):
        with pytest.raises(ParameterError, match="more than"):
            ran(Merge, lists=[side, side], how=how, by=["id"])


def test_merging_rows_that_are_no_objects_names_the_row() -> None:
    with pytest.raises(ParameterError, match=r"`lists\[1\]\[0\]` is a number"):
        ran(Merge, lists=[[{}], [5]], how="position")


def test_splitting_a_field_with_other_fields_kept() -> None:
    items = [{"id": 1, "o": {"l": [1, 2], "x": 0}}, {"id": 2, "o": {"l": 3}}, {"id": 3}]
    assert ran(Split, items=items, field="o.l") == [1, 2, 3]
    assert ran(Split, items=items, field="o.l", others="keep", **{"as": "l"}) == [
        {"id": 1, "o": {"x": 0}, "l": 1},
        {"id": 1, "o": {"x": 0}, "l": 2},
        {"id": 2, "o": {}, "l": 3},
    ]
    with pytest.raises(ParameterError, match="exists already"):
        ran(Split, items=items, field="o.l", others="keep", **{"as": "id"})
    with pytest.raises(ParameterError, match="either"):
        ran(Split, items=items)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_batches_hold_everything_in_order(items: list[int], size: int) -> None:
    batches = ran(Split, items=items, size=size)
    assert [item for batch in batches for item in batch] == items
    assert all(len(batch) == size for batch in batches[:-1])


def test_pick_and_omit_are_complements_inside_objects_too() -> None:
    item = {"a": {"b": 1, "c": [{"d": 1, "e": 2}, 5]}, "f": None}
    assert ran(Pick, items=[item], fields=["a.c.d", "f"]) == [{"a": {"c": [{"d": 1}, 5]}, "f": None}]
    assert ran(Omit, items=[item], fields=["a.c.d", "f"]) == [{"a": {"b": 1, "c": [{"e": 2}, 5]}}]
    assert ran(Pick, items=[item], fields=["a", "a.b"]) == [{"a": item["a"]}]
    with pytest.raises(ParameterError, match=r"`items\[0\]\.x` is missing"):
        ran(Pick, items=[item], fields=["x"], required=True)


def test_renaming_keeps_the_place_and_refuses_a_name_that_is_taken() -> None:
    assert list(ran(Rename, items=[{"a": 1, "b": 2, "c": 3}], fields={"b": "z"})[0]) == ["a", "z", "c"]
    for names in ({"a": "b"}, {"a": "x", "b": "x"}, {"c.d": "e"}):
        with pytest.raises(ParameterError, match="would be called"):
            ran(Rename, items=[{"a": 1, "b": 2, "c": {"d": 1, "e": 2}}], fields=names)


def test_mapping_converts_only_where_nothing_is_lost() -> None:
    def converted(value: Any, to: str) -> Any:
        return ran(Map, items=[{"v": value}], fields={"v": {"field": "v", "to": to}})[0]["v"]

    assert converted("9007199254740993", "number") == BIG
    assert converted("0.10", "number") == 0.1
    assert converted(True, "text") == "true"
    assert converted(" TRUE ", "boolean") is True
    assert converted(None, "number") is None
    for value, to in [
        ("", "number"),
        ("1.00000000000000000001", "number"),
        (True, "number"),
        (1, "boolean"),
        ([], "text"),
    ]:
        with pytest.raises(ParameterError, match=r"`items\[0\]\.v` is .* without loss"):
            converted(value, to)


def test_mapping_says_what_becomes_of_missing_fields() -> None:
    fields_wanted: dict[str, Any] = {"x": "a.b", "y": {"field": "a", "default": 0}, "z": {"value": None}}
    assert ran(Map, items=[{}], fields=fields_wanted) == [{"y": 0, "z": None}]
    assert ran(Map, items=[{}], fields=fields_wanted, missing="as_null") == [{"x": None, "y": 0, "z": None}]
    with pytest.raises(ParameterError, match=r"items\[0\]\.a\.b"):
        ran(Map, items=[{}], fields=fields_wanted, missing="refuse")


def test_flattening_lists_by_depth_and_objects_by_name() -> None:
    assert ran(Flatten, items=[[1, [2, [3]]], 4], depth=2) == [1, 2, [3], 4]
    assert ran(Flatten, items=[{"a": {"b": {"c": 1}}, "d": {}}], what="objects", depth=1) == [
        {"a.b": {"c": 1}, "d": {}}
    ]
    with pytest.raises(ParameterError, match="same name"):
        ran(Flatten, items=[{"a": {"b": 1}, "a.b": 2}], what="objects")


def test_limiting_from_both_ends() -> None:
    items = [1, 2, 3, 4]
    assert ran(Limit, items=items, count=9, skip=3) == [4]
    assert ran(Limit, items=items, count=2, skip=1, take="last") == [2, 3]
    assert ran(Limit, items=items, count=0) == []
    assert ran(Limit, items=items, count=1, skip=9, take="last") == []


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), (" +7 ", 7), ("1e3", 1000), (".5", 0.5), ("1e400", 10**400), ("1e999", 10**999)]
)
def test_text_that_spells_a_number(text: str, number: float) -> None:
    assert number_in(text) == number


@pytest.mark.parametrize("text", ["", "-", "1,5", "0x1f", "1_000", "\u0661", "NaN", "inf", "1e", "9" * 401, "1e9999"])
def test_text_that_spells_none(text: str) -> None:
    assert number_in(text) is None


@given(values, values)
def test_identity_is_equality_of_json(one: Any, other: Any) -> None:
    assert identity(one) == identity(deepcopy(one))
    hash(identity(one))
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert identity(one) == identity(other)


rules = st.fixed_dictionaries(
    {"is": st.sampled_from(["equals", "greater", "in", "contains", "starts_with", "matches", "of_type", "less"])},
    optional={
        "field": fields,
        "value": values,
        "as": st.sampled_from(["as_is", "number", "text", "no_case", "natural", "time"]),
    },
)
keys = st.lists(
    fields
    | st.fixed_dictionaries({"field": fields, "as": st.sampled_from(["as_is", "number", "text", "natural", "time"])}),
    max_size=3,
)
CASES = {
    Filter: st.fixed_dictionaries(
        {"items": rows, "where": rules | st.fixed_dictionaries({"any": st.lists(rules, max_size=2)})}
    ),
    Sort: st.fixed_dictionaries({"items": rows, "by": keys}),
    Group: st.fixed_dictionaries({"items": rows, "by": fields | st.lists(fields, max_size=2)}),
    Aggregate: st.fixed_dictionaries(
        {
            "items": rows,
            "figures": st.dictionaries(
                st.just("x"),
                st.fixed_dictionaries(
                    {
                        "function": st.sampled_from(["count", "sum", "avg", "min", "max", "unique", "list"]),
                        "field": fields,
                        "as": st.sampled_from(["as_is", "number"]),
                    }
                ),
            ),
        },
        optional={"by": st.lists(fields, max_size=2)},
    ),
    Dedupe: st.fixed_dictionaries(
        {"items": rows}, optional={"by": st.lists(fields, max_size=2), "ignore_case": st.booleans()}
    ),
    Merge: st.fixed_dictionaries(
        {
            "lists": st.lists(objects, min_size=2, max_size=3),
            "how": st.sampled_from(["append", "position", "key", "combine"]),
            "by": st.lists(fields, min_size=1, max_size=2),
            "rows": st.sampled_from(["inner", "left", "outer"]),
            "conflict": st.sampled_from(["last", "first", "refuse"]),
        }
    ),
    Split: st.fixed_dictionaries({"items": rows, "field": fields, "others": st.sampled_from(["keep", "drop"])}),
    Pick: st.fixed_dictionaries({"items": objects, "fields": st.lists(fields, max_size=3)}),
    Omit: st.fixed_dictionaries({"items": objects, "fields": st.lists(fields, max_size=3)}),
    Rename: st.fixed_dictionaries(
        {"items": objects, "fields": st.dictionaries(fields, st.text(max_size=3), max_size=3)}
    ),
    Map: st.fixed_dictionaries(
        {
            "items": rows,
            "fields": st.dictionaries(
                st.text(max_size=2),
                fields | st.fixed_dictionaries({"field": fields, "to": st.sampled_from(["number", "text", "boolean"])}),
                max_size=3,
            ),
        }
    ),
    Flatten: st.fixed_dictionaries({"items": rows, "what": st.sampled_from(["lists", "objects"])}),
    Limit: st.fixed_dictionaries({"items": rows, "count": st.integers(0, 5)}),
}


@pytest.mark.parametrize("node", CASES, ids=lambda node: node.__name__)
def test_whatever_comes_in_a_value_or_a_named_failure_comes_out_and_nothing_given_changes(node: Any) -> None:
    @settings(max_examples=60, deadline=None)
    @given(CASES[node])
    def holds(parameters: dict[str, Any]) -> None:
        before = deepcopy(parameters)
        outcome(node, parameters)
        assert parameters == before

    holds()


@pytest.mark.parametrize("node", [Sort, Dedupe])
def test_nesting_without_end_is_refused_by_name(node: Any) -> None:
    assert outcome(node, {"items": [nested(5_000), nested(5_000)]}) == "refused"
