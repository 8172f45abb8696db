"""`penstock test --record`: a case written from an execution of a server."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chalicelib.cli.checking import find, replace_file
from chalicelib.cli.printing import note
from chalicelib.errors import UsageError
from chalicelib.flow.planning import version_of
from chalicelib.flow.text import read_yaml

if TYPE_CHECKING:
    from chalicelib.rehearsal.happened import Fate
    from chalicelib.rehearsal.reading import Flow

_SCHEMA: Final = Path("docs/schemas/flow-test.schema.json")


def record_case(
    execution: str, paths: Sequence[Path], flows: Path, names: Sequence[str], *, force: bool
) -> tuple[Path, str]:
    """Write the case; the test file, and what the case is called there.

    Raises what asking the server raises; UsageError where the flow's file cannot be found, or a case of that name is
    there already.
    """
    from chalicelib.rehearsal.files import is_test_file, read_flow, test_beside  # imported late: they bring the check
    from chalicelib.rehearsal.recording import case_of, with_bodies

    if len(names) > 1 or len(paths) > 1:
        raise UsageError("--record writes one case of one flow: name at most one file, and one --case.")
    if paths and is_test_file(paths[0]):
        raise UsageError(f"{paths[0]} is a test file: name its flow.")
    shown = _ask(execution)
    path = find(str(shown["flow"]), flows) if not paths or paths[0].is_dir() else paths[0]
    flow = read_flow(path)
    if flow.plan.flow != shown["flow"]:
        raise UsageError(f"{path} is the flow {flow.plan.flow}, and the execution is of {shown['flow']}.")
    if version_of(flow.document.data)[0] != shown["version"]:
        note(f"{path} is not the version that ran: the case may differ from what happened.")
    name = names[0] if names else f"recorded {shown['id']}"
    case = case_of(shown, flow.plan)
    test = test_beside(path) or path.with_name(f"{path.stem}.test.yaml")
    text = _with_case(test, flow, name, case, force=force)
    case = with_bodies(case, flow.plan, _fates(test, text, flow, name))
    replace_file(test, _with_case(test, flow, name, case, force=force))
    note(f"{test}: recorded the case `{name}`")
    return test, name


def _ask(execution: str) -> dict[str, Any]:
    """The execution as the server shows it."""
    from chalicelib.cli.client import client, path_of  # imported late: it brings httpx

    with client() as server:
        return server.ask("GET", path_of("executions", execution))


def _with_case(test: Path, flow: "Flow", name: str, case: dict[str, Any], *, force: bool) -> str:
    """The text of the test file with this case in it."""
    from chalicelib.rehearsal.writing import new_file, with_case  # imported late, as above

    if test.is_file():
        if test.suffix.lower() == ".json":
            raise UsageError(f"{test} is JSON, and cases are recorded into YAML. Write it as {test.stem}.yaml.")
        return with_case(test.read_text(encoding="utf-8"), str(test), name, case, force=force)
    has_schema = (test.parent.parent / _SCHEMA).is_file()
    return new_file(flow.plan.flow, f"../{_SCHEMA.as_posix()}" if has_schema else "", name, case)


def _fates(test: Path, text: str, flow: "Flow", name: str) -> "Mapping[str, Fate]":
    """What becomes of each step where the case is run as it stands."""
    from chalicelib.catalogue import entries  # imported late, as above
    from chalicelib.rehearsal.reading import read_suite
    from chalicelib.rehearsal.running import run_case

    suite = read_suite(test, read_yaml(text, str(test)), flow, entries())
    return next(run_case(case).went.fates for case in suite.cases if case.name == name)
