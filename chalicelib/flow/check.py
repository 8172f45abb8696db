"""Checks a flow before anything is stored: everything at once, each mistake with its line, column, and what to do.

Comes in: a document as read, and the catalogue as data. Goes out: a report; nothing is ever raised for what a document
says. First the shape, then names and nodes, then expressions, then what can and cannot happen when it runs.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from chalicelib.errors import FlowCheckError, FlowTextError, Problem
from chalicelib.flow.canonical_json import to_json
from chalicelib.flow.check_expressions import check_expressions, check_trigger_inputs
from chalicelib.flow.check_habits import check_habits
from chalicelib.flow.check_inputs import check_inputs
from chalicelib.flow.check_links import check_links
from chalicelib.flow.check_loops import check_loops
from chalicelib.flow.check_names import Names, check_after, check_circles, check_mentions
from chalicelib.flow.check_nodes import Build, check_nodes, meaningless, misplaced
from chalicelib.flow.check_runs import Judged, check_outputs, check_runs, judge, waits_of
from chalicelib.flow.check_warnings import check_warnings
from chalicelib.flow.entries import Catalogue, entry_of
from chalicelib.flow.findings import Finding
from chalicelib.flow.model import FlowModel
from chalicelib.flow.needs import Wired, wire
from chalicelib.flow.order import in_order
from chalicelib.flow.reading_steps import read_model
from chalicelib.flow.sources import Scope, Source, scopes_of, sources_of
from chalicelib.flow.spots import spots_of, texts_of, uses_of
from chalicelib.flow.text import Document
from chalicelib.flow.values import Pointer

SCHEMES = ("basic", "github", "hmac", "shopify", "slack", "standard-webhooks", "stripe", "token")
"""The verification schemes where nobody says otherwise (design 6); whoever publishes passes all that `signing` has."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the check found, in the order of the file. A flow with problems is not stored; warnings are only shown."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether the flow may be stored."""
        return not self.problems


def check(
    document: Document, catalogue: Catalogue, *, schemes: Collection[str] = SCHEMES, build: Build | None = None
) -> Report:
    """Check a flow.

    Args:
        document: the flow as read from its file.
        catalogue: every node's entry by its type (`catalogue.entries()`).
        schemes: the webhook verification schemes there are (`signing.inbound`).
        build: builds a node from parameters that hold no expression (`catalogue.build`); what it refuses is reported
            too. Without it, only the schemas in the catalogue are asked.
    """
    flow, shape = read_model(document.data)
    better = {one.pointer: one for one in (*meaningless(flow), *misplaced(flow, catalogue))}
    shape = [better.get(one.pointer, one) for one in shape]
    if flow.data is document.data:
        shape += _not_json(document)
    problems, warnings = _check_meaning(flow, catalogue, schemes, build)
    shape_places = {finding.pointer for finding in shape}
    kept = [*shape, *(one for one in problems if one.pointer not in shape_places)]
    said = {(one.pointer, one.offset) for one in kept}
    warnings = [one for one in warnings if (one.pointer, one.offset) not in said]
    kept = [one for one in kept if not _follows_damage(one.pointer, document.damaged)]
    return Report(_in_file(kept, document, document.problems), _in_file(warnings, document))


def _follows_damage(pointer: Pointer, damaged: Collection[Pointer]) -> bool:
    """Whether something stands in a value of a draft that is not what was meant, or in what lacks only that value."""
    return any(pointer[: len(one)] == one or pointer == one[:-1] for one in damaged)


def _not_json(document: Document) -> list[Finding]:
    """What no version could be made of: halves of characters, numbers that are none."""
    try:
        to_json(document.data)
    except FlowTextError as error:
        return [Finding((), error.detail, "Mend the text; a flow is JSON.")]
    return []


def refuse_text(document: Document, report: Report) -> None:
    """Raise FlowTextError with every problem, where a draft's text has some of its own."""
    if document.problems:
        count = len(report.problems)
        detail = f"{document.name} cannot be read: {count} problem{'s' if count > 1 else ''}."
        raise FlowTextError(detail, problems=report.problems)


def refuse(report: Report, name: str) -> None:
    """Raise FlowCheckError with every problem, if there is one."""
    if report.problems:
        count = len(report.problems)
        raise FlowCheckError(f"{name} has {count} mistake{'s' if count > 1 else ''}.", problems=report.problems)


def _check_meaning(
    flow: FlowModel, catalogue: Catalogue, schemes: Collection[str], build: Build | None
) -> tuple[list[Finding], list[Finding]]:
    sources = sources_of(flow, catalogue)
    texts = [text for spot in spots_of(flow, catalogue) for text in texts_of(spot)]
    uses = uses_of(texts)
    wired = wire(flow, sources, uses)
    names = Names(sources)
    alone = frozenset(one.id for one in flow.triggers if not _hands_over_data(catalogue, one.uses))
    problems, warnings = check_expressions(flow, catalogue, texts, wired, sources)
    misnamed = [*check_after(flow, names), *check_mentions(flow, uses, names)]
    problems += [
        *check_links(flow, catalogue, texts, names),
        *check_inputs(flow),
        *check_nodes(flow, catalogue, schemes, build),
        *check_trigger_inputs(flow, alone),
        *check_loops(flow, wired),
        *misnamed,
    ]
    warnings += [*check_warnings(flow, catalogue, wired, texts), *check_habits(flow)]
    judged, circles = _judge(flow, sources, wired)
    faulty = {one.pointer[:length] for one in misnamed for length in range(len(one.pointer))}
    problems += [*check_circles(circles, flow, uses), *check_runs(flow, judged, faulty)]
    return problems, [*warnings, *check_outputs(uses, judged)]


def _hands_over_data(catalogue: Catalogue, uses: str) -> bool:
    """Whether a trigger brings data of its own to be mapped, rather than inputs that somebody fills in."""
    return entry_of(catalogue, uses).get("verifies") is True or uses in {"schedule", "error"}


def _judge(
    flow: FlowModel, sources: Mapping[str, Source], wired: Wired
) -> tuple[Mapping[Scope, Judged], list[list[str]]]:
    """Each scope ready to be asked what can happen in it, where its steps do not wait in circles; and the circles."""
    judged: dict[Scope, Judged] = {}
    circles: list[list[str]] = []
    for scope, steps in scopes_of(flow):
        # Of two with one name only the first is judged; that they are two is said elsewhere.
        own = [step for step in steps if sources[step.id].scope == scope]
        beside = [step for step in own if not sources[step.id].is_trigger]
        order, found = in_order({step.id: waits_of(wired.steps[step.id]) for step in beside})
        circles += found
        if not found:
            judged[scope] = judge(scope, beside, order, sources, wired)
    return judged, circles


def _in_file(findings: Iterable[Finding], document: Document, others: Iterable[Problem] = ()) -> tuple[Problem, ...]:
    return tuple(_sorted([*others, *(finding.in_document(document) for finding in findings)]))


def _sorted(problems: Iterable[Problem]) -> Iterator[Problem]:
    yield from sorted(dict.fromkeys(problems), key=lambda one: (one.line, one.column))
