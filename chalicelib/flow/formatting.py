"""`penstock fmt`: quotes every expression and breaks long text into blocks; comments, order and data stay.

Only the values that are not written as we teach are replaced, where they stand: a writer that lays out the whole file
anew would move comments. What comes out is read again and must hold the same data.
"""

import re

from chalicelib.errors import FlowTextError
from chalicelib.flow.scanner import has_hole
from chalicelib.flow.text import read_yaml
from chalicelib.flow.text_quoting import block, quoted
from chalicelib.flow.text_source import Source, open_source

LONGEST_LINE = 120
_INDENT = 2


def format_yaml(text: str, name: str) -> str:
    """Write a flow file the way we teach it; formatting twice changes nothing more.

    Text with an expression goes into double quotes (single ones where it holds double quotes itself), and into a `|-`
    block where it has several lines, would need escapes, or would make its line longer than 120 characters; inside
    `{ }` and `[ ]` it stays on its line. Line ends become line feeds, and the file ends with one. FlowTextError when
    the file cannot be read.
    """
    before = read_yaml(text, name)
    after = _mended(open_source(before.text.replace("\r\n", "\n").replace("\r", "\n"), name))
    ended = after.rstrip(" \t\n") + "\n"
    # Blank lines at the end belong to a last value written with `|+`; then the file stays as it ends.
    for candidate in (ended, after):
        if candidate == before.text or read_yaml(candidate, name).data == before.data:
            return candidate
    raise FlowTextError(f"{name} was left as it is: formatting would have changed its data. Please report this file.")


def _mended(source: Source) -> str:
    # Imported here, as in text.py: ruamel.yaml is slow to import.
    from chalicelib.flow.text_yaml import written_expressions

    text = source.text
    # From the end, so that the places of what is still to come stay true.
    for written in reversed(written_expressions(source)):
        if written.style in {"|", ">"} or not has_hole(written.value):
            continue
        line = quoted(written.value)
        before = source.lines.place(written.start).column - 1
        needs_block = before + len(line) > LONGEST_LINE or (line.startswith('"') and "\\" in line)
        indent = None if written.in_flow else _indent(source, written.start)
        if needs_block and indent is not None and (whole := block(written.value, indent)) is not None:
            head, body = whole.split("\n", 1)
            line_end = source.line_end(written.end)
            text = f"{text[: written.start]}{head}{text[written.end : line_end]}\n{body}{text[line_end:]}"
        else:
            text = text[: written.start] + line + text[written.end :]
    return text


def _indent(source: Source, start: int) -> int | None:
    """Say how far a block that begins at `start` is indented: two more than its key or dash; None without either."""
    line_start = source.lines.start(source.line_of(start))
    before = source.text[line_start:start]
    if not before.strip():
        # The value stands on a line of its own, already deeper than its key.
        return len(before) if before else None
    dashes = re.match(r"(?: *-)*(?= )", before)
    position = dashes.end() if dashes else 0
    rest = before[position:]
    if not rest.strip():
        return before.rindex("-") + _INDENT
    if rest.lstrip().startswith("?") or not rest.rstrip().endswith(":"):
        return None
    return position + len(rest) - len(rest.lstrip()) + _INDENT
