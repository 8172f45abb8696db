"""`penstock test`: the cases of flows' test files, run here and offline; and a case written from a real execution."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chalicelib.cli.exits import Exit
from chalicelib.cli.options import FLOWS, AsJson, Flows
from chalicelib.cli.printing import lines_of, note, problems_to_json, say, say_json, shown
from chalicelib.errors import PenstockError, UsageError

if TYPE_CHECKING:
    from chalicelib.rehearsal.coverage import Coverage
    from chalicelib.rehearsal.running import Result
    from chalicelib.rehearsal.suite import Suite

_PATHS = typer.Argument(
    metavar="[PATH]...", help="Test files, flow files or folders; without any, the folder of flows."
)


def rehearse(
    paths: Annotated[list[Path] | None, _PATHS] = None,
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="NAME", help="Only the case of this name; may be repeated.")
    ] = None,
    record: Annotated[
        str | None,
        typer.Option("--record", metavar="EXECUTION", help="Write a case from this execution of a server, and run it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --record: replace the case of the same name.")] = False,
    flows: Flows = FLOWS,
    as_json: AsJson = False,
) -> None:
    """Run the tests of flows, offline. Exits with 1 if a case failed, with 2 if a file has mistakes."""
    if record is not None:
        from chalicelib.cli.recording import record_case  # imported late: it asks a server

        path, name = record_case(record, list(paths or ()), flows, case or [], force=force)
        paths, case = [path], [name]
    elif force:
        raise UsageError("--force replaces a case that --record writes: say which execution with --record.")
    _run(_test_files(paths or [], flows), case or [], as_json=as_json, is_part=bool(case))


def _test_files(paths: Sequence[Path], flows: Path) -> list[Path]:
    """The test files that somebody named, flows and folders opened."""
    from chalicelib.local.folder import flow_files  # imported late: most commands need none of it
    from chalicelib.rehearsal.files import in_folder, is_test_file, test_beside

    found: list[Path] = []
    for path in paths or [flows]:
        if path.is_dir() or not paths:
            without = [str(each) for each in flow_files(path) if test_beside(each) is None]
            found += in_folder(path)
            if without:
                note(f"no tests: {', '.join(without)}")
        elif is_test_file(path):
            found.append(path)
        else:
            beside = test_beside(path)
            if beside is None:
                raise UsageError(f"There are no tests beside {path}. Write {path.stem}.test.yaml next to it.")
            found.append(beside)
    return list(dict.fromkeys(found))


class _Run:
    """What came of the files so far."""

    def __init__(self) -> None:
        self.files: list[dict[str, Any]] = []
        self.covered: list[tuple[str, Coverage]] = []
        self.passed = self.failed = self.broken = 0


def _run(files: Sequence[Path], names: Sequence[str], *, as_json: bool, is_part: bool) -> None:
    from chalicelib.rehearsal.files import read_tests  # imported late, as above

    run = _Run()
    known: list[str] = []
    for path in files:
        try:
            suite = read_tests(path)
        except PenstockError as error:
            _tell_broken(run, path, error, as_json=as_json)
            continue
        known += [each.name for each in suite.cases]
        _run_suite(run, suite, names, as_json=as_json)
    if names and not run.broken and (missing := [name for name in names if name not in known]):
        raise UsageError(f"There is no case `{missing[0]}`. There are: {', '.join(known) or 'none'}.")
    _conclude(run, as_json=as_json, is_part=is_part)


def _tell_broken(run: _Run, path: Path, error: PenstockError, *, as_json: bool) -> None:
    run.broken += 1
    if as_json:
        problems = problems_to_json(error.problems)
        run.files.append({"file": str(path), "error": error.detail, "problems": problems, "cases": []})
        return
    say(str(path))
    for line in lines_of(error):
        say(f"  {shown(line)}")


def _run_suite(run: _Run, suite: "Suite", names: Sequence[str], *, as_json: bool) -> None:
    from chalicelib.rehearsal.coverage import coverage  # imported late, as above
    from chalicelib.rehearsal.running import run_case
    from chalicelib.rehearsal.telling import case_line, coverage_to_json, difference_lines, result_to_json

    wanted = [each for each in suite.cases if not names or each.name in names]
    if wanted and not as_json:
        say(str(suite.path))
    results: list[Result] = []
    for case in wanted:
        result = run_case(case)
        results.append(result)
        if not as_json:
            say(f"  {shown(case_line(result))}")
            for line in difference_lines(result.differences, suite.document):
                say(f"        {shown(line)}")
    run.passed += sum(each.has_passed for each in results)
    run.failed += sum(not each.has_passed for each in results)
    covered = coverage(suite.plan, [each.went for each in results])
    run.covered.append((suite.plan.flow, covered))
    run.files.append(
        {
            "file": str(suite.path),
            "flow": suite.plan.flow,
            "error": None,
            "problems": [],
            "cases": [result_to_json(each, suite.document) for each in results],
            "coverage": coverage_to_json(covered),
        }
    )


def _conclude(run: _Run, *, as_json: bool, is_part: bool) -> None:
    from chalicelib.rehearsal.coverage import total  # imported late, as above
    from chalicelib.rehearsal.telling import coverage_lines, coverage_to_json

    if as_json:
        covered = coverage_to_json(total(run.covered))
        say_json({"files": run.files, "passed": run.passed, "failed": run.failed, "coverage": covered})
    elif run.covered and not is_part:  # what a part of the cases covers says little
        say("coverage")
        for line in coverage_lines(run.covered):
            say(f"  {line}")
    count = run.passed + run.failed
    if not as_json and not run.covered and not run.broken:
        note("There is no test file there. Write <flow>.test.yaml beside a flow.")
    elif not as_json:
        broken = f", {run.broken} {'file' if run.broken == 1 else 'files'} with mistakes" if run.broken else ""
        note(f"{count} {'case' if count == 1 else 'cases'}, {run.failed or 'none'} failed{broken}")
    if run.broken:
        raise typer.Exit(Exit.USAGE)
    if run.failed:
        raise typer.Exit(Exit.FAILED)
