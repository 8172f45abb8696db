"""`penstock check`, `plan` and `fmt`: what can be said of a flow file without running it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from chalicelib.cli.exits import Exit
from chalicelib.cli.options import FLOWS, AsJson, Files, Flows
from chalicelib.cli.printing import note, note_error, problems_to_json, say, say_json
from chalicelib.errors import FlowTextError, PenstockError, Problem
from chalicelib.flow.values import Json
from chalicelib.local.folder import flow_files_of, name_of, read_flow

_ON_SHELF = "A flow file, or the name of a flow in the folder of flows."


def check(files: Files = None, flows: Flows = FLOWS, as_json: AsJson = False) -> None:
    """Check flow files: every mistake at once, with its line, its column and what to do. Nothing is stored."""
    found = [_checked(path) for path in flow_files_of(files or (), flows)]
    bad = sum(1 for each in found if each["problems"] or each["error"])
    if as_json:
        say_json({"files": found})
    for each in found:
        for line in () if as_json else _lines(each):
            say(line)
    if not found:
        note(f"There is no flow file in {flows}.")
    elif not as_json:
        warnings = sum(len(each["warnings"]) for each in found)
        note(
            f"{len(found)} {'file' if len(found) == 1 else 'files'} checked, {bad or 'none'} with mistakes"
            + (f", {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else "")
        )
    if bad:
        raise typer.Exit(Exit.USAGE)


def plan(file: Annotated[str, typer.Argument(help=_ON_SHELF)], flows: Flows = FLOWS, as_json: AsJson = False) -> None:
    """Show what of a flow starts at once and what follows."""
    from chalicelib.flow.drawing import draw, to_data, to_lines  # imported late: as the check below

    drawing = draw(plan_of(find(file, flows)))
    if as_json:
        say_json(to_data(drawing))
        return
    for line in to_lines(drawing):
        say(line)


def fmt(
    files: Files = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; say which files would change.")] = False,
    flows: Flows = FLOWS,
    as_json: AsJson = False,
) -> None:
    """Format flow files: quoted expressions, long text in blocks. Comments and key order stay."""
    from chalicelib.flow.formatting import format_yaml  # imported late: it brings a YAML library

    changed: list[str] = []
    paths = [path for path in flow_files_of(files or (), flows) if path.suffix.lower() != ".json"]
    failed = False
    for path in paths:
        document_error: PenstockError | None = None
        try:
            before = read_flow(path).text
            after = format_yaml(before, str(path))
        except FlowTextError as error:
            document_error, before, after = error, "", ""
        if document_error is not None:
            failed = True
            note_error(document_error, as_json=as_json)
        elif path.read_bytes() != after.encode():
            changed.append(str(path))
            if not check:
                replace_file(path, after)
    if as_json:
        say_json({"changed": changed, "checked": len(paths)})
    else:
        for name in changed:
            say(name)
        note(f"{len(changed)} of {len(paths)} files {'would change' if check else 'changed'}")
    if failed or (check and changed):
        raise typer.Exit(Exit.USAGE)


def find(file: str, flows: Path) -> Path:
    """The flow file that somebody means: a path, or the name of a flow in the folder."""
    path = Path(file)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    from chalicelib.local.folder import find_flow  # imported late: most name a file

    return find_flow(file, flows)


def plan_of(path: Path) -> Any:
    """The plan of a checked flow file; raises with every mistake where there is one."""
    from chalicelib.api.publishing import checked  # imported late: the check brings the catalogue
    from chalicelib.catalogue import entries
    from chalicelib.flow.planning import make_plan

    document, plugins = read_flow(path, is_draft=True), plugins_here()
    checked(document, name_of(document, path), plugins)
    return make_plan(document.data, {**plugins, **entries()})


def plugins_here() -> Mapping[str, Json]:
    """The nodes of the packages in the folder `plugins`, or PENSTOCK_PLUGINS: a server knows those it has itself."""
    folder = Path(os.environ.get("PENSTOCK_PLUGINS", "plugins"))
    if not any(folder.glob("*.penstock")):
        return {}
    from chalicelib.local.plugin_files import entries_in  # imported late: it brings the sandbox

    return entries_in(folder)


def _checked(path: Path) -> dict[str, Any]:
    from chalicelib.api.publishing import reported  # imported late, as above
    from chalicelib.flow.check import refuse, refuse_text

    problems: list[Any] = []
    warnings: list[Any] = []
    error_text: str | None = None
    name: Json = None
    try:
        document = read_flow(path, is_draft=True)
        name = name_of(document, path)
        report = reported(document, str(name), plugins_here())
        problems, warnings = problems_to_json(report.problems), problems_to_json(report.warnings)
        refuse_text(document, report)
        refuse(report, str(path))
    except FlowTextError as error:
        problems = problems_to_json(error.problems)
        error_text = error.detail
    except PenstockError as error:
        error_text = error.detail
    return {"file": str(path), "flow": name, "error": error_text, "problems": problems, "warnings": warnings}


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for each in found["problems"]:
        yield str(Problem(**each))
    for each in found["warnings"]:
        yield f"{Problem(**each)}  (a warning)"
    if found["error"] and not found["problems"]:
        yield found["error"]
    if not (found["error"] or found["problems"] or found["warnings"]):
        yield f"{found['file']}: good"


def replace_file(path: Path, text: str) -> None:
    """Put the new text in the file's place, whole or not at all; there need be none yet."""
    aside = path.with_name(f".{path.name}.penstock")
    aside.write_text(text, encoding="utf-8", newline="\n")
    if path.exists():
        aside.chmod(path.stat().st_mode & 0o7777)
    aside.replace(path.resolve())
