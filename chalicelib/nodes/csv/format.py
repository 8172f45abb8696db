"""`csv.format`."""

import json
from typing import Literal

from chalicelib.errors import ParameterError
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Example
from chalicelib.kit.fields import Rows
from chalicelib.kit.outputs import TEXT

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""


class Format(Action):
    """Write rows as CSV text.

    Rows are objects or lists. null and missing fields are empty cells, objects and lists are written as JSON.
    """

    output = TEXT
    example = Example(
        given={"items": [{"sku": "007", "name": "Hook, large", "price": 19.9}, {"sku": "008", "stock": None}]},
        returns='sku,name,price,stock\r\n007,"Hook, large",19.9,\r\n008,,,\r\n',
    )
    more_examples = (
        Example(
            given={
                "items": [{"a": "=1+2", "b": -3}],
                "columns": ["b", "a"],
                "delimiter": ";",
                "line_end": "lf",
                "safe_for_spreadsheets": True,
            },
            returns="b;a\n-3;'=1+2\n",
            about="Text that a spreadsheet would run gets a quote in front; numbers stay",
        ),
        Example(given={"items": [["a", 1], ["b", True]]}, returns="a,1\r\nb,true\r\n", about="Rows that are lists"),
    )

    items: Rows
    """The rows: all objects, or all lists."""
    columns: list[str] | None = None
    """The fields to write, in order; left out, all of them, in the order they are first met; for lists, the header."""
    header: bool = True
    """Whether to write the names of the columns first."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """What stands between cells."""
    line_end: Literal["crlf", "lf"] = "crlf"
    """How lines end; RFC 4180 says `crlf`."""
    quote: Literal["where_needed", "all"] = "where_needed"
    """Which cells stand in quotes."""
    byte_order_mark: bool = False
    """Whether to begin with a byte order mark, by which Excel knows that the text is UTF-8."""
    safe_for_spreadsheets: bool = False
    """Whether to put ' before text that begins with = + - @, a tab or a line end, which spreadsheets would run."""

    def run(self) -> Json:
        """The CSV text."""
        line_end = "\r\n" if self.line_end == "crlf" else "\n"
        lines = [self._line(row) + line_end for row in self._table()]
        return ("\ufeff" if self.byte_order_mark else "") + "".join(lines)

    def _line(self, cells: list[str]) -> str:
        # Not the standard library's writer: which cells it quotes differs between versions of Python.
        if self.quote == "all" or cells == [""]:
            return self.delimiter.join(_quoted(cell) for cell in cells)
        special = {self.delimiter, '"', "\r", "\n"}
        return self.delimiter.join(cell if special.isdisjoint(cell) else _quoted(cell) for cell in cells)

    def _table(self) -> list[list[str]]:
        objects: list[dict[str, Json]] = [item for item in self.items if isinstance(item, dict)]
        lists: list[list[Json]] = [item for item in self.items if isinstance(item, list)]
        if len(objects) + len(lists) < len(self.items) or (objects and lists):
            raise ParameterError("`items` must be all objects or all lists; some are something else.")
        columns = self.columns
        if columns is None:
            columns = list(dict.fromkeys(key for row in objects for key in row))
        if objects:
            lists = [[row.get(column) for column in columns] for row in objects]
        table = [[self._cell(cell, row) for cell in cells] for row, cells in enumerate(lists)]
        return [[self._text(column) for column in columns], *table] if self.header and columns else table

    def _cell(self, value: Json, row: int) -> str:
        match value:
            case None:
                return ""
            case bool():
                return "true" if value else "false"
            case int() | float():
                return repr(value)
            case str():
                return self._text(value)
            case _:
                try:
                    return self._text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
                except (RecursionError, ValueError) as error:
                    raise ParameterError(f"A cell of `items[{row}]` cannot be written as JSON.") from error

    def _text(self, text: str) -> str:
        return f"'{text}" if self.safe_for_spreadsheets and text.startswith(_FORMULA_STARTS) else text


def _quoted(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'
