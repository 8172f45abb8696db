"""Writes a case into a test file: at the end of its cases, every other line as it was, comments included."""

from chalicelib.errors import FlowTextError, UsageError
from chalicelib.flow.text import Document, read_yaml, to_yaml
from chalicelib.flow.values import Json


def new_file(flow: str, schema: str, name: str, case: dict[str, Json]) -> str:
    """A test file with this one case; `schema` is the way from it to the schema of such files, empty for none."""
    head = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    return f"{head}flow: {flow}\ncases:\n{_indented(name, case, 2)}"


def with_case(text: str, file: str, name: str, case: dict[str, Json], *, force: bool) -> str:
    """The text with the case behind the others, or with `force` in the place of the one of its name.

    Raises UsageError where there is one of its name and no `force`, or where the cases are written in braces;
    FlowTextError where the text cannot be read.
    """
    document = read_yaml(text, file)
    cases = document.data.get("cases")
    if not isinstance(cases, dict) or not cases:
        raise UsageError(f"{file} has no cases to add this one to. Write one by hand, or remove the file.")
    if name in cases and not force:
        raise UsageError(
            f"{file} has a case `{name}` already. Name this one with --case, or replace that one with --force."
        )
    lines = document.text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    starts = {key[1]: place for key, place in document.keys.items() if len(key) == 2 and key[0] == "cases"}
    first = next(iter(starts.values()))
    if first.line == document.keys["cases",].line or "{" in lines[first.line - 1][: first.column - 1]:
        raise UsageError(f"{file} has its cases in braces. Give each its own lines, so that one can be added.")
    begin = end = _last_line(document, lines, first.column - 1)
    if name in cases:
        begin = starts[name].line - 1
        after = sorted(place.line - 1 for place in starts.values() if place.line - 1 > begin)
        end = _without_comments(lines, begin, after[0], first.column - 1) if after else end
    written = "".join([*lines[:begin], _indented(name, case, first.column - 1), *lines[end:]])
    if read_yaml(written, file).data != {**document.data, "cases": {**cases, name: case}}:
        raise FlowTextError(f"{file} was left as it is: the case would have changed more than itself.")
    return written


def _last_line(document: Document, lines: list[str], indent: int) -> int:
    """The index of the line behind the last case."""
    start = document.keys["cases",].line
    others = sorted(place.line - 1 for key, place in document.keys.items() if len(key) == 1 and place.line > start)
    return _without_comments(lines, start, others[0] if others else len(lines), indent)


def _without_comments(lines: list[str], begin: int, end: int, indent: int) -> int:
    """The end, moved before blank lines and comments that belong to what follows."""
    while end > begin + 1:
        line = lines[end - 1]
        bare = line.strip()
        is_comment = bare.startswith("#") and len(line) - len(line.lstrip()) <= indent
        if bare and not is_comment:
            break
        end -= 1
    return end


def _indented(name: str, case: dict[str, Json], indent: int) -> str:
    pad = " " * indent
    return "".join(f"{pad}{line}\n" if line else "\n" for line in to_yaml({name: case}).splitlines())
