"""Where a value, and one character of it, stands in the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.flow.text import Document, read_json, read_yaml, to_json
from chalicelib.flow.values import UNKNOWN_PLACE, Json, Place, Pointer

TEXT = """\
flow: order
steps:
  charge:
    uses: set
    with: {amount: "${ a }", list: [1, "x"]}
  tell:
    - first
    - key: value
"""


@pytest.mark.parametrize(
    ("pointer", "key", "value"),
    [
        (("flow",), (1, 1), (1, 7)),
        (("steps",), (2, 1), (3, 3)),
        (("steps", "charge", "uses"), (4, 5), (4, 11)),
        (("steps", "charge", "with"), (5, 5), (5, 11)),
        (("steps", "charge", "with", "amount"), (5, 12), (5, 20)),
        (("steps", "charge", "with", "list", 1), None, (5, 40)),
        (("steps", "tell", 0), None, (7, 7)),
        (("steps", "tell", 1, "key"), (8, 7), (8, 12)),
    ],
)
def test_keys_and_values_have_their_places(pointer: Pointer, key: tuple[int, int] | None, value: tuple[int, int]):
    document = read_yaml(TEXT, "order.yaml")
    assert document.keys.get(pointer) == (Place(*key) if key else None)
    assert document.values[pointer] == Place(*value)
    assert document.place(pointer) == Place(*value)


def test_what_is_not_in_the_file_has_the_place_of_its_nearest_parent():
    document = read_yaml(TEXT, "order.yaml")
    assert document.place(("steps", "charge", "with", "nothing", "below")) == document.keys["steps", "charge", "with"]
    assert document.place(("nothing",)) == Place(1, 1)
    assert Document("x", {}, {}, {}, "").place(("a",)) == UNKNOWN_PLACE


def test_json_has_places_too():
    document = read_json('{\n  "a": {"b": [1, "xy"]}\n}\n', "order.json")
    assert document.keys["a", "b"] == Place(2, 9)
    assert document.place(("a", "b", 1)) == Place(2, 18)
    assert document.place(("a", "b", 1), 1) == Place(2, 20)
    assert len(document.values) == 5
    assert set(document.keys) == {("a",), ("a", "b")}


@pytest.mark.parametrize(
    "written",
    [
        "plain ${ MARK }",
        '"double ${ MARK }"',
        "'single ${ MARK }'",
        "'it''s ${ MARK }'",
        r'"a\"b\\c\u00e9\x41\U0001f600\ud83d\ude00 MARK"',
        "|-\n    first\n    ${ MARK }",
        "|\n    first\n\n      deeper MARK\n    last",
        "|2-\n      two more MARK",
        "|-   # a comment\n    x MARK",
        "folded\n    over lines MARK",
        '"folded\n\n    over lines MARK"',
        '"ends \\\n    MARK"',
    ],
)
def test_a_character_of_a_text_is_found_however_it_is_written(written: str):
    text = f"a:\n  b: {written}\n"
    document = read_yaml(text, "x.yaml")
    inner = document.data["a"]
    assert isinstance(inner, dict)
    value = inner["b"]
    assert isinstance(value, str)
    place = document.place(("a", "b"), value.index("MARK"))
    line = text.split("\n")[place.line - 1]
    assert line[place.column - 1 :].startswith("MARK")


def test_in_a_folded_block_the_line_is_right():
    text = "a: >-\n  one\n  two MARK\n"
    document = read_yaml(text, "x.yaml")
    assert document.place(("a",), str(document.data["a"]).index("MARK")) == Place(3, 7)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=5),
        st.text(st.characters(codec="utf-8"), max_size=20),
        min_size=1,
        max_size=3,
    ),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_every_character_of_a_json_text_is_found(data: dict[str, Json], draw: st.DataObject):
    text = to_json(data)
    document = read_json(text, "x.json")
    key = draw.draw(st.sampled_from(sorted(data)))
    value = data[key]
    assert isinstance(value, str)
    for offset, character in enumerate(value):
        if offset == 0:
            continue
        place = document.place((key,), offset)
        assert place.line == 1
        assert text[place.column - 1] in (character, "\\")
