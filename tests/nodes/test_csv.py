import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import ParameterError
from chalicelib.kit.values import Failed
from chalicelib.nodes.csv.delimiters import delimiter_in
from chalicelib.nodes.csv.format import Format
from chalicelib.nodes.csv.parse import LONGEST_CELL, Parse
from tests.nodes.anything import outcome, ran, rows, values

cells = st.text(alphabet="ab ,;\"'\n\r\t|=é0", max_size=6)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=5)
)


def failure(answer: Any) -> str:
    assert isinstance(answer, Failed), answer
    assert answer.failure.code == "csv_invalid"
    return answer.failure.message


@given(
    tables,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["crlf", "lf"]),
    st.sampled_from(["where_needed", "all"]),
)
def test_what_is_written_is_read_as_the_same(table: list[list[str]], delimiter: str, line_end: str, quote: str) -> None:
    text = ran(Format, items=table, delimiter=delimiter, line_end=line_end, quote=quote, byte_order_mark=True)
    assert ran(Parse, text=text, delimiter=delimiter, header=False) == table


@given(tables)
def test_the_standard_library_reads_what_is_written(table: list[list[str]]) -> None:
    text = ran(Format, items=table)
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == table


def test_a_byte_order_mark_blank_lines_and_all_line_ends_are_understood() -> None:
    assert ran(Parse, text="\ufeffa,b\r1,2\n\n3,4\r\n\r\n") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert ran(Parse, text="") == []
    assert ran(Parse, text="a,b\n") == []


def test_cells_over_several_lines_keep_their_line_ends() -> None:
    assert ran(Parse, text='a,b\n"x\r\ny","say ""hi"""\n') == [{"a": "x\r\ny", "b": 'say "hi"'}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1\n", "Line 2 has 1 cells, and there are 2 columns"),
        ("a,b\n1,2\n1,2,3\n", "Line 3 has 3 cells"),
        ('a\n"x', "never closed"),
        ('a\n"x"y\n', "after a closing quote"),
        ("a,a\n1,2\n", "same name"),
        ("a\n" + "x" * (LONGEST_CELL + 1), "more than 131072 characters"),
    ],
)
def test_what_is_broken_fails_with_its_line(text: str, reason: str) -> None:
    assert reason in failure(ran(Parse, text=text))


def test_columns_can_be_named_and_empty_headers_are_numbered() -> None:
    assert ran(Parse, text="x,y\n1,2\n", columns=["a", "b"]) == [{"a": "1", "b": "2"}]
    assert ran(Parse, text="1,2\n", columns=["a", "b"], header=False) == [{"a": "1", "b": "2"}]
    assert ran(Parse, text="a,\n1,2\n") == [{"a": "1", "column_2": "2"}]


def test_rows_without_a_header_must_be_of_one_width_too() -> None:
    failure(ran(Parse, text="1,2\n3\n", header=False))
    assert ran(Parse, text="1,2\n3\n", header=False, ragged="fill") == [["1", "2"], ["3"]]


@pytest.mark.parametrize(
    ("text", "line", "name"), [("column_3,b\n1,2,3\n", 2, "column_3"), ("a,column_4\n1,2\n1,2,3,4\n", 3, "column_4")]
)
def test_a_cell_too_many_takes_no_other_columns_name(text: str, line: int, name: str) -> None:
    message = failure(ran(Parse, text=text, ragged="fill"))
    assert f"Line {line} has a cell too many" in message
    assert f"`{name}`" in message
    assert ran(Parse, text="column_3,b\n1,2\n3\n", ragged="fill")[1] == {"column_3": "3", "b": None}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        (str(2**70), 2**70),
        ("007", "007"),
        ("+49", "+49"),
        ("1,5", "1,5"),
        ("0.12345678901234567890123", "0.12345678901234567890123"),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("TRUE", True),
        ("yes", "yes"),
        ("2026-11-20", "2026-11-20"),
        ("\u0661", "\u0661"),
        ("", None),
        (" 7 ", 7),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_types_are_found_out_only_where_nothing_is_lost(cell: str, value: Any) -> None:
    (row,) = ran(Parse, text=f'a,b\n"{cell}",x\n', types="detect")
    assert row["a"] == value
    assert type(row["a"]) is type(value)


def test_a_cell_that_is_not_of_its_type_fails_with_line_and_column_and_is_not_shown() -> None:
    message = failure(ran(Parse, text="price\n1\nsecret\n", types={"price": "number"}))
    assert "line 3" in message
    assert "`price`" in message
    assert "secret" not in message
    assert ran(Parse, text="ok\ntrue\n", types={"ok": "boolean", "other": "number"}) == [{"ok": True}]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1,5;2\n3,5;4\n", ";"),
        ("a\tb,c\td\n1\t2,3\t4\n", "\t"),
        ('"x;y;z",b\n1,2\n', ","),
        ("a|b|c\n", "|"),
        ("just one column\nhere\n", ","),
        ("", ","),
        ("a;b;c\n1,2;3;4\n5;6,7;8\n", ";"),
    ],
)
def test_the_delimiter_is_found_out(text: str, delimiter: str) -> None:
    assert delimiter_in(text) == delimiter


def test_text_that_a_spreadsheet_would_run_is_disarmed_when_asked_and_numbers_stay() -> None:
    items = [{"=h": "=1", "b": "+1", "c": "-1", "d": "@x", "e": "\tx", "f": -1, "g": "a=1", "i": "\rx"}]
    safe = ran(Format, items=items, safe_for_spreadsheets=True)
    (row,) = ran(Parse, text=safe)
    assert row == {"'=h": "'=1", "b": "'+1", "c": "'-1", "d": "'@x", "e": "'\tx", "f": "-1", "g": "a=1", "i": "'\rx"}
    assert ran(Parse, text=ran(Format, items=items))[0]["b"] == "+1"


def test_columns_choose_and_order_and_values_are_written_plainly() -> None:
    items = [{"a": 2**60, "b": [1, {"x": "y"}]}, {"c": None, "a": 0.1}]
    assert ran(Format, items=items) == 'a,b,c\r\n1152921504606846976,"[1,{""x"":""y""}]",\r\n0.1,,\r\n'
    assert ran(Format, items=items, columns=["c", "a"], header=False) == ",1152921504606846976\r\n,0.1\r\n"
    assert ran(Format, items=[]) == ""
    assert ran(Format, items=[], columns=["a"]) == "a\r\n"


def test_rows_of_two_kinds_are_refused() -> None:
    for items in ([{}, []], [1], [[1], "x"]):
        with pytest.raises(ParameterError, match="all objects or all lists"):
            ran(Format, items=items)


@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        (
            Parse,
            {
                "text": cells,
                "delimiter": st.sampled_from([",", "auto"]),
                "types": st.sampled_from(["detect", None]),
                "ragged": st.sampled_from(["fill", "refuse"]),
            },
        ),
        (Parse, {"text": st.text(alphabet='a,"\n\r\x00\u2028;\ud800', max_size=12), "columns": values}),
        (
            Format,
            {
                "items": rows,
                "columns": st.none() | st.lists(st.sampled_from("abc")) | values,
                "safe_for_spreadsheets": st.booleans(),
            },
        ),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_whatever_comes_in_a_value_or_a_named_failure_comes_out(node: Any, parameters: dict[str, Any]) -> None:
    @settings(max_examples=100, deadline=None)
    @given(st.fixed_dictionaries(parameters))
    def holds(chosen: dict[str, Any]) -> None:
        outcome(node, chosen)

    holds()
