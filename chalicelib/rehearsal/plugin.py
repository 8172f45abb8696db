"""The pytest plugin: `<flow>.test.yaml` beside a flow is collected, one item for each case. Nothing to configure.

Every run of pytest in an environment with Penstock loads this file, so it imports nothing of Penstock until there is a
test file to read.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

if TYPE_CHECKING:
    from chalicelib.rehearsal.coverage import Coverage
    from chalicelib.rehearsal.running import Result
    from chalicelib.rehearsal.suite import Case, Suite

_ENDINGS: Final = (".test.yaml", ".test.yml", ".test.json")
_COVERED: Final = "penstock_coverage"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "FlowTests | None":
    """Collect a test file that has a flow beside it, or says that it should have."""
    if not file_path.name.endswith(_ENDINGS) or file_path.name.startswith("."):
        return None
    from chalicelib.rehearsal.files import flow_beside  # imported late: see above

    if flow_beside(file_path) is None and not _is_ours(file_path):
        return None
    return cast("Any", FlowTests).from_parent(parent, path=file_path)


def _is_ours(path: Path) -> bool:
    """Whether a file of such a name, with no flow beside it, is a test of a flow all the same."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return all(any(line.startswith(key) for line in lines) for key in ("flow:", "cases:"))


class FlowTests(pytest.File):
    """A test file of a flow."""

    def collect(self) -> "Iterator[FlowCase]":
        """An item for each case; CollectError with every mistake of the file or its flow."""
        from chalicelib.errors import PenstockError  # imported late, as above
        from chalicelib.rehearsal.files import read_tests

        try:
            suite = read_tests(self.path)
        except PenstockError as error:
            raise self.CollectError("\n".join([*map(str, error.problems), error.detail])) from None
        for case in suite.cases:
            yield cast("Any", FlowCase).from_parent(self, name=case.name, suite=suite, case=case)


class FlowCase(pytest.Item):
    """One case of a test file."""

    def __init__(self, *, suite: "Suite", case: "Case", **named: Any) -> None:
        cast("Any", super()).__init__(**named)
        self._suite = suite
        self._case = case

    def runtest(self) -> None:
        """Run it; CaseFailedError where something differs."""
        from chalicelib.rehearsal.running import run_case  # imported late, as above

        result = run_case(self._case)
        went = {"ran": sorted(result.went.ran), "ports": sorted(result.went.ports)}
        self.user_properties.append((_COVERED, json.dumps({"file": str(self.path), **went})))
        if not result.has_passed:
            raise CaseFailedError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What differed, as `penstock test` says it."""
        if not isinstance(excinfo.value, CaseFailedError):
            return super().repr_failure(excinfo, style)
        from chalicelib.rehearsal.telling import difference_lines  # imported late, as above

        return "\n".join(difference_lines(excinfo.value.result.differences, self._suite.document))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands."""
        return self.path, self._suite.document.place(self._case.pointer).line - 1, f"case: {self.name}"


class CaseFailedError(Exception):
    """A case did not go as it says."""

    def __init__(self, result: "Result") -> None:
        super().__init__(result.case.name)
        self.result = result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the cases covered, of every flow that one of them ran; under pytest-xdist too."""
    covered: dict[str, list[dict[str, Any]]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == _COVERED and getattr(report, "when", "") == "call":
                    told = json.loads(value)
                    covered.setdefault(told["file"], []).append(told)
    if not covered:
        return
    terminalreporter.section("coverage of flows")
    for line in _coverage(covered):
        terminalreporter.write_line(line)


def _coverage(covered: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    from chalicelib.rehearsal.coverage import coverage_of  # imported late, as above
    from chalicelib.rehearsal.files import read_tests
    from chalicelib.rehearsal.telling import coverage_lines

    flows: list[tuple[str, Coverage]] = []
    for file, cases in sorted(covered.items()):
        plan = read_tests(Path(file)).plan
        ran = {name for each in cases for name in each["ran"]}
        ports = {name for each in cases for name in each["ports"]}
        flows.append((plan.flow, coverage_of(plan, ran, ports)))
    yield from coverage_lines(flows)
