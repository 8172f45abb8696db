"""Field types: what they take, and what they tell the editor."""

import pytest
from pydantic import TypeAdapter, ValidationError

from chalicelib.kit.fields import Duration, FileReference, Rows, Zone


def test_rows_make_a_list_of_one_and_nothing_an_empty_one() -> None:
    rows = TypeAdapter(Rows)
    assert rows.validate_python([1]) == [1]
    assert rows.validate_python({"a": 1}) == [{"a": 1}]
    assert rows.validate_python("text") == ["text"]
    assert rows.validate_python(None) == []
    assert rows.json_schema()["x-place"] == "list"


def test_a_file_is_a_reference_that_names_one() -> None:
    reference = {"file": "f1", "name": "a", "type": "text/plain", "size": 1}
    assert TypeAdapter(FileReference).validate_python(reference) == reference
    for wrong in ({}, {"file": 1}, {"name": "a"}, "f1", None):
        with pytest.raises(ValidationError):
            TypeAdapter(FileReference).validate_python(wrong)
    assert TypeAdapter(FileReference).json_schema()["x-place"] == "file"


def test_a_zone_is_one_this_machine_knows() -> None:
    assert TypeAdapter(Zone).validate_python("Europe/Berlin") == "Europe/Berlin"
    for wrong in ("Europe/Ulm", "../etc/passwd", "/etc/localtime", "", "Europe", "CET\0"):
        with pytest.raises(ValidationError, match="not a time zone"):
            TypeAdapter(Zone).validate_python(wrong)


def test_a_durations_schema_takes_what_it_takes() -> None:
    schema = TypeAdapter(Duration).json_schema()
    assert schema == {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w))+$", "widget": "duration"}
    with pytest.raises(ValidationError, match="is not a duration"):
        TypeAdapter(Duration).validate_python("soon")
