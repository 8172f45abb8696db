"""`csv.parse`."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Literal

from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import LongText
from chalicelib.kit.outputs import ANYTHING, listed
from chalicelib.kit.values import Failed, Failure, Json
from chalicelib.nodes.csv.cells import Type, read_cell
from chalicelib.nodes.csv.delimiters import Delimiter, delimiter_in

LONGEST_CELL = 131_072
"""Characters; the limit of the standard library's reader, which is one for the whole process."""


class Parse(Action):
    """Read CSV text as rows: objects named by the header, or lists.

    Quoted cells may hold delimiters, quotes and line ends; a byte order mark and any kind of line end are understood;
    blank lines are passed over.
    """

    output = listed(ANYTHING)
    example = Example(
        given={"text": 'sku,name,price\r\n007,"Hook, large",19.90\r\n008,Eye,\r\n', "types": {"price": "number"}},
        returns=[
            {"sku": "007", "name": "Hook, large", "price": 19.9},
            {"sku": "008", "name": "Eye", "price": None},
        ],
    )
    more_examples = (
        Example(
            given={"text": "a;1\nb;2,5\n", "delimiter": "auto", "header": False},
            returns=[["a", "1"], ["b", "2,5"]],
            about="Without a header, the delimiter found out",
        ),
        Example(
            given={"text": "id,ok\n12,true\n0012,no\n", "types": "detect"},
            returns=[{"id": 12, "ok": True}, {"id": "0012", "ok": "no"}],
            about="Types found out, where nothing is lost",
        ),
        Example(
            given={"text": "a,b\n1\n1,2,3\n", "ragged": "fill"},
            returns=[{"a": "1", "b": None}, {"a": "1", "b": "2", "column_3": "3"}],
            about="Rows that are too short or too long",
        ),
    )

    text: LongText
    """The CSV text."""
    delimiter: Delimiter = ","
    """What stands between cells; `auto` finds out which of comma, semicolon, tab and bar it is."""
    header: bool = True
    """Whether the first row holds the names of the columns."""
    columns: list[str] | None = None
    """Names for the columns, instead of those in the header or where there is none."""
    types: Literal["detect"] | dict[str, Type] | None = None
    """The type of each column by name, or `detect`: numbers and booleans where nothing is lost; left out, text."""
    ragged: Literal["refuse", "fill"] = "refuse"
    """Whether a row with too few or too many cells fails the step, or is filled with null and `column_<n>`."""
    trim: bool = False
    """Whether to take white space off both ends of each cell."""

    def run(self) -> Json:
        """A list of objects, or without any names a list of lists; fails with `csv_invalid`, and in which line."""
        try:
            return list(self._rows())
        except _LineError as error:
            return Failed(Failure("csv_invalid", str(error)))

    def _rows(self) -> Iterator[Json]:
        lines = self._lines()
        names = self.columns
        if self.header:
            first = next(lines, None)
            if names is None and first is not None:
                names = [name or f"column_{number}" for number, name in enumerate(first[1], 1)]
        if names is not None and len(set(names)) < len(names):
            raise _LineError("Two columns have the same name. Give `columns` names of their own.")
        width: int | None = None if names is None else len(names)
        for line, cells in lines:
            width = len(cells) if width is None else width
            if len(cells) != width and self.ragged == "refuse":
                raise _LineError(
                    f"Line {line} has {len(cells)} cells, and there are {width} columns. "
                    "Check the delimiter, or say `ragged: fill`."
                )
            yield self._typed(cells, line) if names is None else self._named(names, cells, line)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not blank, each with the number of the line it ends in."""
        text = self.text.removeprefix("\ufeff")
        delimiter = delimiter_in(text) if self.delimiter == "auto" else self.delimiter
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, [cell.strip() for cell in cells] if self.trim else cells
        except csv.Error as error:
            raise _LineError(f"Line {reader.line_num} cannot be read: {_said(error)}.") from None

    def _named(self, names: Sequence[str], cells: list[str], line: int) -> Json:
        row: dict[str, Json] = dict.fromkeys(names)
        for index, cell in enumerate(cells):
            name = names[index] if index < len(names) else f"column_{index + 1}"
            if index >= len(names) and name in row:
                raise _LineError(
                    f"Line {line} has a cell too many, and `{name}`, as it would be called, is a column already. "
                    "Give `columns` names of their own."
                )
            row[name] = self._cell(cell, name, line)
        return row

    def _typed(self, cells: list[str], line: int) -> Json:
        return [self._cell(cell, f"column_{number}", line) for number, cell in enumerate(cells, 1)]

    def _cell(self, cell: str, name: str, line: int) -> Json:
        if self.types is None:
            return cell
        kind = "detect" if self.types == "detect" else self.types.get(name, "text")
        try:
            return read_cell(cell, kind)
        except ValueError:
            raise _LineError(f"In line {line} the cell of column `{name[:60]}` is not a {kind}.") from None


class _LineError(Exception):
    """What is wrong with which line."""


def _said(error: csv.Error) -> str:
    """The reader's sentence where it does not show the text."""
    said = str(error)
    if "field larger" in said:
        return f"a cell has more than {LONGEST_CELL} characters"
    if "expected after" in said:
        return "after a closing quote there must be a delimiter or the end of the line; a quote inside is doubled"
    if "unexpected end" in said:
        return "a quote is opened and never closed"
    return "it is not CSV"
