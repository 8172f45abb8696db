"""Field types: what they take, and what they tell the editor."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from chalicelib.kit.fields import Duration, FileReference, Patience, Pause, Rows, Zone


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


def test_a_pause_lasts_a_year_at_most_and_patience_a_second_at_least() -> None:
    assert TypeAdapter(Pause).validate_python("366d") == timedelta(days=366)
    assert TypeAdapter(Pause).validate_python("0s") == timedelta()
    assert TypeAdapter(Patience).validate_python("1s") == timedelta(seconds=1)
    for kind, wrong, said in (
        (Pause, "366d1s", "is more than 366 days"),
        (Patience, "367d", "is more than 366 days"),
        (Patience, "999ms", "is less than a second"),
        (Patience, "11w500000d", "is longer than ten years"),
        (Pause, 5, "is not a duration"),
    ):
        with pytest.raises(ValidationError, match=said):
            TypeAdapter(kind).validate_python(wrong)
    for kind in (Pause, Patience):
        assert TypeAdapter(kind).json_schema() == {**TypeAdapter(Duration).json_schema(), "x-maximum": "366d"}
