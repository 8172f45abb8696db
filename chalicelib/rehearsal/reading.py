"""Reads a test file against the flow beside it: strictly, and everything that is wrong said at once, with its place."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from chalicelib.api.times import from_milliseconds, from_text
from chalicelib.errors import FlowCheckError, FlowTextError, Problem, UsageError
from chalicelib.flow.entries import Catalogue, entry_of
from chalicelib.flow.findings import Finding, did_you_mean, shown
from chalicelib.flow.plan import Plan, StepPlan
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.flow.reading import Reader
from chalicelib.flow.text import Document
from chalicelib.flow.values import Json, Pointer
from chalicelib.rehearsal.reading_expect import ExpectReader
from chalicelib.rehearsal.reading_mocks import MockReader
from chalicelib.rehearsal.suite import Case, Script, Suite

SUITE_KEYS: Final = ("flow", "clock", "vars", "mocks", "cases")
CASE_KEYS: Final = ("trigger", "inputs", "clock", "vars", "mocks", "expect")
CLOCK: Final = "2026-01-05T09:00:00Z"
"""When a case begins unless the file says otherwise: a Monday."""


@dataclass(frozen=True, slots=True)
class Flow:
    """The flow beside a test file, checked."""

    document: Document
    plan: Plan


def read_suite(path: Path, document: Document, flow: Flow, catalogue: Catalogue) -> Suite:
    """The cases of a test file.

    Raises FlowTextError or FlowCheckError with every problem of the file, each with its line and column.
    """
    reading = _SuiteReader(Reader(), document, flow, catalogue, _depths(flow.plan.by_id.values()))
    cases = reading.cases()
    problems = [*document.problems, *_in_file(reading.reader.findings, document)]
    if problems:
        problems.sort(key=lambda one: (one.line, one.column))
        count = len(problems)
        kind = FlowTextError if document.problems else FlowCheckError
        raise kind(f"{document.name} has {count} mistake{'s' if count > 1 else ''}.", problems=problems)
    return Suite(path, document, flow.plan, cases)


def _in_file(findings: Collection[Finding], document: Document) -> list[Problem]:
    """The findings with their places; those below a value that could not be read are left out."""
    kept = [one for one in findings if not any(one.pointer[: len(bad)] == bad for bad in document.damaged)]
    return list(dict.fromkeys(one.in_document(document) for one in kept))


def _depths(steps: Collection[StepPlan]) -> dict[str, int]:
    """In how many loops each step stands."""
    depths = dict.fromkeys((step.id for step in steps), 0)

    def go_down(step: StepPlan, depth: int) -> None:
        for inner in step.body.steps if step.body is not None else ():
            depths[inner.id] = depth
            go_down(inner, depth + 1)

    inside = {inner.id for step in steps if step.body is not None for inner in step.body.steps}
    for step in steps:
        if step.id not in inside:
            go_down(step, 1)
    return depths


@dataclass(frozen=True, slots=True)
class _SuiteReader:
    """One test file on its way to its cases."""

    reader: Reader
    document: Document
    flow: Flow
    catalogue: Catalogue
    depths: Mapping[str, int]

    def cases(self) -> tuple[Case, ...]:
        """Every case that can be read."""
        reader, data, plan = self.reader, self.document.data, self.flow.plan
        reader.keys(data, SUITE_KEYS, (), "A test file")
        self._check_flow(data)
        clock = self._clock(data, ()) or _moment(CLOCK)
        variables = self._variables(data, ())
        mocks = self._mocks(data, ())
        if "cases" not in data:
            reader.refuse((), "The test file has no cases.", "Add `cases:`, and below it a name for each.")
            return ()
        given = reader.map(data["cases"], ("cases",), "`cases`", "{it works: {inputs: {}}}")
        if not given and isinstance(data["cases"], dict):
            reader.refuse(("cases",), "There is no case in it.", "Write one: it works: {inputs: {}}.")
        expecting = ExpectReader(reader, plan, self.catalogue)
        found: list[Case] = []
        for name, value in given.items():
            pointer: Pointer = ("cases", name)
            case = reader.map(value, pointer, f"The case `{name[:60]}`", "{inputs: {}, expect: {status: succeeded}}")
            if not isinstance(value, dict):
                continue
            reader.keys(case, CASE_KEYS, pointer, "A case")
            trigger, document = self._trigger(case, pointer)
            expect = expecting.read(case, pointer)
            own = {**variables, **self._variables(case, pointer)}
            found.append(
                Case(
                    name=name,
                    pointer=pointer,
                    plan=make_plan(self.flow.document.data, self.catalogue, stage_vars=own) if own else plan,
                    text=version_of(self.flow.document.data, own)[1],
                    clock=self._clock(case, pointer) or clock,
                    trigger=trigger,
                    document=document,
                    inputs=self._inputs(case, pointer, trigger, is_refused=expect.status == "refused"),
                    mocks={**mocks, **self._mocks(case, pointer)},
                    expect=expect,
                )
            )
        return tuple(found)

    def _check_flow(self, data: Mapping[str, Json]) -> None:
        if "flow" not in data:
            self.reader.refuse(
                (), "The test file does not say which flow it tests.", f"Add `flow: {self.flow.plan.flow}`."
            )
            return
        name = self.reader.text(data, "flow", ())
        if name and name != self.flow.plan.flow:
            what = f"The flow beside this file is `{self.flow.plan.flow}`, not `{name[:60]}`."
            self.reader.refuse(("flow",), what, "Let both say the same.")

    def _clock(self, data: Mapping[str, Json], pointer: Pointer) -> datetime | None:
        text = self.reader.text(data, "clock", pointer) if "clock" in data else ""
        if not text:
            return None
        try:
            return from_milliseconds(from_text(text, "clock"))
        except UsageError:
            what = f"`clock` is a time with its zone, not {shown(text)}."
            self.reader.refuse((*pointer, "clock"), what, f"Write one such as {CLOCK}.")
            return None

    def _variables(self, data: Mapping[str, Json], pointer: Pointer) -> dict[str, Json]:
        found = self.reader.optional_map(data, "vars", pointer, "{base_url: https://api.example}")
        declared = self.flow.plan.variables
        for name in found:
            if name not in declared:
                what = f"The flow has no var `{name[:60]}`.{did_you_mean(name, declared)}"
                do = f"Its vars: {', '.join(declared)}." if declared else "It has none."
                self.reader.refuse((*pointer, "vars", name), what, do, at_key=True)
        return found

    def _mocks(self, data: Mapping[str, Json], pointer: Pointer) -> dict[str, Script]:
        return MockReader(self.reader, self.flow.plan, self.catalogue, self.depths).read(data, pointer)

    def _trigger(self, case: Mapping[str, Json], pointer: Pointer) -> tuple[str | None, dict[str, Json] | None]:
        """Which trigger starts the case, and what it hands over."""
        if "trigger" not in case:
            return None, None
        at: Pointer = (*pointer, "trigger")
        given = self.reader.map(case["trigger"], at, "`trigger`", "{placed: {body: {total: 12}}}")
        if len(given) != 1:
            if isinstance(case["trigger"], dict):
                known = ", ".join(self.flow.plan.triggers) or "none"
                what = "One trigger starts an execution: write its id, and below it what it hands over."
                self.reader.refuse(at, what, f"Triggers of the flow: {known}.")
            return None, None
        name, value = next(iter(given.items()))
        triggers = self.flow.plan.triggers
        if name not in triggers:
            what = f"The flow has no trigger `{name[:60]}`.{did_you_mean(name, triggers)}"
            self.reader.refuse((*at, name), what, f"Its triggers: {', '.join(triggers) or 'none'}.", at_key=True)
            return None, None
        handed = self.reader.map(value, (*at, name), f"What `{name}` hands over", "{body: {total: 12}}")
        known = entry_of(self.catalogue, triggers[name].uses).get("hands_over")
        names = [each for each in known if each != "name"] if isinstance(known, dict) else []
        for key in handed:
            if names and key not in names:
                what = f"A `{triggers[name].uses}` trigger hands over no `{key[:60]}`.{did_you_mean(key, names)}"
                self.reader.refuse((*at, name, key), what, f"It hands over {', '.join(names)}.", at_key=True)
        self._check_headers(handed, (*at, name))
        return name, handed

    def _check_headers(self, handed: Mapping[str, Json], pointer: Pointer) -> None:
        headers = handed.get("headers")
        for name in headers if isinstance(headers, dict) else ():
            if name != name.lower():
                what = f"A flow sees the names of headers in lower case: `{name.lower()}`, not `{name}`."
                self.reader.refuse((*pointer, "headers", name), what, "Write it in lower case.", at_key=True)

    def _inputs(
        self, case: Mapping[str, Json], pointer: Pointer, trigger: str | None, *, is_refused: bool
    ) -> dict[str, Json] | None:
        if "inputs" not in case:
            if "trigger" not in case:
                self.reader.refuse(pointer, "Nothing starts this case.", "Add `inputs` or `trigger`.", at_key=True)
            return None
        at: Pointer = (*pointer, "inputs")
        plan = self.flow.plan
        given = self.reader.map(case["inputs"], at, "`inputs`", "{total: 12}")
        if trigger is not None and plan.triggers[trigger].inputs is not None:
            what = f"The trigger `{trigger}` makes the inputs from what it hands over."
            self.reader.refuse(at, what, "Take `inputs` away, or start with inputs alone.", at_key=True)
        for name in given:
            if plan.inputs and name not in plan.inputs and not is_refused:
                what = f"The flow has no input `{name[:60]}`.{did_you_mean(name, plan.inputs)}"
                self.reader.refuse((*at, name), what, f"Its inputs: {', '.join(plan.inputs)}.", at_key=True)
        return given


def _moment(text: str) -> datetime:
    return from_milliseconds(from_text(text, "clock"))
