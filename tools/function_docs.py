"""Writes the list of functions into docs/expressions.md, between its markers; `--check` only says if it is out of date.

python -m tools.function_docs [--check]
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from chalicelib.flow.function_table import FUNCTIONS
from chalicelib.flow.functions import Function
from chalicelib.flow.functions_text import TEXT_FUNCTIONS
from chalicelib.flow.functions_time import TIME_FUNCTIONS
from chalicelib.flow.functions_values import VALUE_FUNCTIONS

PAGE = Path(__file__).parent.parent / "docs" / "expressions.md"
BEGIN = "<!-- functions: written by tools/function_docs.py -->"
END = "<!-- end of functions -->"

_CHAPTERS = {"Values and lists": VALUE_FUNCTIONS, "Text and money": TEXT_FUNCTIONS, "Times": TIME_FUNCTIONS}


def table_of(functions: Mapping[str, Function]) -> str:
    """A Markdown table of functions: how it is written, what it does, an example with its result."""
    rows = [
        f"| {_code(one.signature)} | {_cell(one.doc)} | {_code(one.example)} is {_code(_shown(one))} |"
        for one in functions.values()
    ]
    return "\n".join(["| Function | What it gives | Example |", "|---|---|---|", *rows])


def section() -> str:
    """Everything between the markers."""
    return "\n\n".join(f"### {title}\n\n{table_of(functions)}" for title, functions in _CHAPTERS.items())


def updated(page: str) -> str:
    """The page with its list of functions as it should be; ValueError where the markers are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks its markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{section()}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` only compare it: 1 where it is out of date."""
    page = PAGE.read_text(encoding="utf-8")
    wanted = updated(page)
    if page == wanted:
        return 0
    if "--check" in arguments:
        print(f"docs/{PAGE.name} is not up to date: run `python -m tools.function_docs`.")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    print(f"docs/{PAGE.name}: {len(FUNCTIONS)} functions written.")
    return 0


def _shown(function: Function) -> str:
    return json.dumps(function.result, ensure_ascii=False)


def _code(text: str) -> str:
    return f"`` {_cell(text)} ``" if "`" in text else f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
