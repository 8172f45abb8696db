"""A mock against what its node declares that it gives."""

import pytest

from chalicelib.catalogue import entries
from chalicelib.flow.plan import Effect
from chalicelib.rehearsal.contradictions import contradictions

DECLARED = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "at": {"type": ["string", "null"]},
        "rows": {"type": "array", "items": {"type": "object", "properties": {"ok": {"type": "boolean"}}}},
        "state": {"enum": ["open", "closed", 1]},
        "size": {"anyOf": [{"type": "number"}, {"type": "object", "properties": {"w": {"type": "number"}}}]},
        "any": {},
    },
    "required": ["id"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ({}, []),
        ({"id": 7, "at": None, "rows": [{"ok": True, "more": 1}], "state": "open", "size": {"w": 1.5}, "any": [1]}, []),
        ({"id": 7.0}, []),
        ({"id": 7.5}, [("id",)]),
        ({"id": True}, [("id",)]),
        ({"id": "7", "at": 7}, [("id",), ("at",)]),
        ({"ids": 7}, [("ids",)]),
        ({"rows": {}}, [("rows",)]),
        ({"rows": [{"ok": True}, {"ok": "yes"}]}, [("rows", 1, "ok")]),
        ({"state": "gone"}, [("state",)]),
        ({"state": True}, [("state",)]),
        ({"size": {"w": "1"}}, [("size", "w")]),
        ({"size": "1"}, [("size",)]),
        ([], [()]),
        (None, [()]),
    ],
)
def test_what_a_node_never_gives_is_found_and_what_is_left_out_is_not(value, places):
    assert [each.pointer for each in contradictions(DECLARED, value, (), "a.node")] == places


def test_where_nothing_is_declared_anything_may_be():
    assert [*contradictions(None, {"a": 1}, (), "a.node"), *contradictions({}, 7, (), "a.node")] == []


def world_nodes():
    effects = {each.value for each in Effect} - {"pure"}
    for name, entry in entries().items():
        if entry["kind"] == "action" and (not isinstance(entry["effect"], str) or entry["effect"] in effects):
            yield name


@pytest.mark.parametrize("name", list(world_nodes()))
def test_every_node_that_reaches_the_world_declares_what_it_gives(name):
    assert entries()[name]["output"] is not None


@pytest.mark.parametrize("name", [name for name, entry in entries().items() if entry["output"] is not None])
def test_what_a_node_declares_fits_its_own_examples(name):
    entry = entries()[name]
    examples = [each for each in (entry["example"], *entry["more_examples"]) if each["port"] != "error"]
    assert examples
    for example in examples:
        assert list(contradictions(entry["output"], example["returns"], (), name)) == []
        is_object = isinstance(example["returns"], dict)
        assert not is_object or set(entry["output"].get("properties", example["returns"])) & set(example["returns"])
