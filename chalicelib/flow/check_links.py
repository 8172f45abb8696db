"""Checks every link that an expression names: its step exists, can be seen from there, and is one that is answered."""

from collections.abc import Iterator, Mapping, Sequence

from chalicelib.flow.check_names import Names
from chalicelib.flow.entries import Catalogue, find_entry
from chalicelib.flow.findings import Finding, quoted
from chalicelib.flow.links import Link, links_in
from chalicelib.flow.model import LINKED, FlowModel
from chalicelib.flow.spots import Text

_EXAMPLE = "Name one step: ${ execution.links.<step> }, the id of a `callback` or `approval`."


def check_links(flow: FlowModel, catalogue: Catalogue, texts: Sequence[Text], names: Names) -> Iterator[Finding]:
    """Every `execution.links.x` that gives no address."""
    nodes = {step.id: step.uses for step in reversed(list(flow.walk()))}
    answered = {name for name, uses in nodes.items() if _current(catalogue, uses) in LINKED}
    for text in texts:
        if "execution" not in text.spot.names:
            continue  # said where the names are checked: nothing runs yet there
        for hole, analysis in text.holes:
            for link in () if analysis.mistakes else links_in(hole.text):
                if said := _wrong(link, text, names, nodes, answered):
                    yield Finding(text.pointer, *said, offset=hole.offset + link.offset)


def _current(catalogue: Catalogue, uses: str) -> str:
    found = find_entry(catalogue, uses)
    return found[0] if found else uses


def _wrong(
    link: Link, text: Text, names: Names, nodes: Mapping[str, str], answered: set[str]
) -> tuple[str, str] | None:
    """What is wrong with a link, and what to do; None where it gives an address."""
    if not link.step:
        return "`execution.links` is no value: each link is asked for by the id of its step.", _EXAMPLE
    scope = text.spot.scope
    source = names.sources.get(link.step)
    if source is None:
        return names.unknown(link.step, scope, triggers=False)
    if source.is_trigger:
        return f"`{source.id}` is a trigger: it has no link.", _EXAMPLE
    if not source.is_known:
        return None  # its node does not exist, which is said there
    if source.id not in answered:
        others = [name for name in answered if scope.sees(names.sources[name].scope)]
        what = f"`{source.id}` uses {nodes[source.id]}, which nobody answers: it has no link."
        return what, f"Steps with a link: {quoted(sorted(others))}." if others else _EXAMPLE
    if not scope.sees(source.scope):
        what, _ = names.out_of_sight(source, scope)
        inside = "A link is made anew in each turn: hand it out in a step of the loop's body."
        return what, inside if source.scope.area == scope.area else "Ask for it in a step beside it."
    return None
