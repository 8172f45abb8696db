"""What the command line writes: data to stdout, everything else to stderr."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from chalicelib.errors import PenstockError, Problem

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 200
"""Columns where there is no terminal to ask: rows are then for `grep`, and must not be broken."""


def say(text: str) -> None:
    """A line of data."""
    _write(sys.stdout, text + "\n")


def note(text: str) -> None:
    """A line of progress, or of complaint."""
    _write(sys.stderr, text + "\n")


def say_json(value: Any) -> None:
    """Data as JSON; half a character, which no terminal can say, is escaped."""
    say(json.dumps(value, ensure_ascii=not _is_whole(value), indent=2))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Data in columns: a table on a terminal, tabs where another program reads."""
    if not sys.stdout.isatty():
        for row in rows:
            say("\t".join(_in_line(cell) for cell in row))
        return
    from rich import box  # imported late: it is slow to import, and not always needed
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console(sys.stdout).print(table)


def console(stream: TextIO) -> "Console":
    """Rich's console on a stream, as wide as the terminal, or wide enough."""
    from rich.console import Console  # imported late, as above

    return Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False, soft_wrap=False)


def note_error(error: PenstockError, *, as_json: bool = False) -> None:
    """An error as its problems, each on a line, or as its sentence; with `--json` as one JSON object."""
    if as_json:
        note(json.dumps({"code": error.code, "detail": error.detail, "errors": problems_to_json(error.problems)}))
        return
    for line in lines_of(error):
        note(line)


def lines_of(error: PenstockError) -> Iterator[str]:
    """What a person reads of an error: its problems and its sentence."""
    yield from map(str, error.problems)
    yield error.detail


def problems_to_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems as the API shows them."""
    return [
        {"where": each.where, "line": each.line, "column": each.column, "what": each.what, "do": each.do}
        for each in problems
    ]


def shown(text: str) -> str:
    """Text that a stranger may have written, without what steers a terminal."""
    return "".join(each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in text)


def short(value: Any, most: int = 80) -> str:
    """A value as one line of JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=not _is_whole(value))
    return text if len(text) <= most else text[: most - 1] + "…"


def _in_line(cell: str) -> str:
    return shown(cell).replace("\t", " ").replace("\n", " ")


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError:
        stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
        stream.flush()


def _is_whole(value: Any) -> bool:
    """Whether a value's texts can be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
