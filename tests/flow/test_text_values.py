import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import FlowTextError
from chalicelib.flow.text import read, read_json, read_yaml, to_json, to_yaml
from chalicelib.flow.values import Json

FILES = sorted((Path(__file__).parent / "files").glob("*.yaml"))

texts = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="ab \n\t:#-?'\"\\{}[]${}|>&*!%@`~,.0123456789\u2028\x85\x7f\ufeff\u00e4\U0001f600", max_size=16),
    st.sampled_from(["no", "010", "1e3", "-", "---", "...", "~", "null", "true", "2024-01-01", "+49", "1_000", "0x10", ".5", "", " a", "a ", "a: b", "a #b", "<<", "=", "12:30", "${ x }", "a\n", "a\n\n", "\na", " a\nb", "a \nb"]),
)  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts,
    st.sampled_from([2**53 + 1, -(2**64), 10**40, 1e300, 1.0, -0.0, 5e-324]),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=14
)
documents = st.dictionaries(texts.filter(lambda key: "${" not in key), values, max_size=5)


def same(one: Json, other: Json) -> bool:
    return json.dumps(one) == json.dumps(other)


def has_hole_as_key(value: Json) -> bool:
    if isinstance(value, dict):
        return any("${" in key or has_hole_as_key(inner) for key, inner in value.items())
    return isinstance(value, list) and any(has_hole_as_key(inner) for inner in value)


def test_there_are_flow_files_to_read():
    assert len(FILES) >= 13


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_flow_file_survives_the_way_through_json_and_yaml(file: Path):
    data = read(file.read_bytes(), file.name).data
    assert data["flow"]
    assert same(read(to_json(data), "x.json").data, data)
    assert same(read(to_yaml(data), "x.yaml").data, data)


@given(documents)
@settings(max_examples=400, deadline=None)
def test_what_is_written_is_read_back_alike(data: dict[str, Json]):
    try:
        text = to_json(data)
    except FlowTextError:
        assert any("\ud800" <= c <= "\udfff" for c in repr(data)) or "\\ud" in repr(data)
        return
    assert same(read_json(text, "x.json").data, data)
    if not has_hole_as_key(data):
        assert same(read_yaml(to_yaml(data), "x.yaml").data, data)


@pytest.mark.parametrize(
    "written",
    [
        "2024-01-01",
        "010",
        "+49",
        "no",
        "yes",
        "on",
        "1_000",
        "0x10",
        "0o7",
        ".5",
        "5.",
        "~",
        "12:30:00",
        ".inf",
        "NaN",
        "True",
        "NULL",
        "1e",
        "-",
        "01.5",
        "1 2",
        "=",
        "- 1".replace(" ", ""),
    ],
)
def test_only_json_numbers_true_false_and_null_are_not_text(written: str):
    expected = -1 if written == "-1" else written
    if written == "-":
        written = '"-"'
    assert read_yaml(f"a: {written}\nb: [{written}]\n", "x.yaml").data == {"a": expected, "b": [expected]}


@pytest.mark.parametrize(
    ("written", "value"),
    [("1", 1), ("-0", 0), ("1.0", 1.0), ("1e3", 1000.0), ("-1.5E-2", -0.015), ("true", True), ("false", False), ("null", None),
     ("123456789012345678901234567890", 123456789012345678901234567890), ("9007199254740993", 9007199254740993), ('"1"', "1"), ("'true'", "true")],
)  # fmt: skip
def test_json_values_are_read_exactly(written: str, value: Json):
    found = read_yaml(f"a: {written}\n", "x.yaml").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_the_canonical_text_keeps_order_and_has_no_spaces():
    assert to_json({"b": [1, 2.5, None, True], "a": {"ü": "😀\n"}, "n": 10**30}) == (
        '{"b":[1,2.5,null,true],"a":{"ü":"😀\\n"},"n":1000000000000000000000000000000}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "\ud800", {"\udfff": 1}, ["a\udc00"]])
def test_what_json_cannot_say_is_not_written(value: Json):
    for write in (to_json, to_yaml):
        with pytest.raises(FlowTextError, match="cannot be written as JSON"):
            write({"a": value})


def test_a_surrogate_pair_written_as_two_escapes_is_one_character():
    assert read_yaml('a: "\\ud83d\\ude00"\n', "x.yaml").data == {"a": "😀"}
    assert read_json('{"a": "\\ud83d\\ude00"}', "x.json").data == {"a": "😀"}


def test_another_extension_is_refused_by_name():
    with pytest.raises(FlowTextError, match=r"order\.toml.*\.yaml, \.yml or \.json"):
        read("a: 1", "order.toml")


def test_keys_that_yaml_1_1_would_take_for_true_stay_text():
    assert read_yaml("yes: 1\nno: 2\non: 3\noff: 4\n", "x.yaml").data == {"yes": 1, "no": 2, "on": 3, "off": 4}


def test_windows_line_ends_are_read_like_others():
    assert read_yaml("a: |\r\n  x\r\n  y\r\nb: 1\r\n", "x.yaml").data == {"a": "x\ny\n", "b": 1}
