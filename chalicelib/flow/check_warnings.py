"""What is allowed and probably not meant."""

from collections.abc import Iterator, Sequence

from chalicelib.flow.entries import Catalogue, effect_of, entry_of, find_entry
from chalicelib.flow.findings import Finding
from chalicelib.flow.model import FlowModel
from chalicelib.flow.needs import Wired
from chalicelib.flow.spots import Text


def check_warnings(flow: FlowModel, catalogue: Catalogue, wired: Wired, texts: Sequence[Text]) -> Iterator[Finding]:
    """Steps with an effect that wait for nothing, `respond` nobody listens to, one name for two things."""
    yield from _starts_at_once(flow, catalogue, wired, texts)
    yield from _answers_nobody(flow)
    yield from _two_meanings(flow)


def _starts_at_once(flow: FlowModel, catalogue: Catalogue, wired: Wired, texts: Sequence[Text]) -> Iterator[Finding]:
    """Design 3.6: an effect that waits for nothing, in a flow where others wait."""
    # Mentioning `inputs` or `trigger` counts as naming the trigger (3.2), so these were thought about.
    led = {
        name
        for text in texts
        for _, analysis in text.holes
        if analysis.names & {"inputs", "trigger"}
        for name in (text.spot.owner, *text.spot.scope.loops)
    }
    led |= {step.id for step in flow.steps if wired.steps[step.id].needs or wired.steps[step.id].groups}
    if not any(step.id in led for step in flow.steps):
        return
    trigger = flow.triggers[0].id if flow.triggers else "<trigger>"
    for step in flow.steps:
        if step.id in led or find_entry(catalogue, step.uses) is None:
            continue
        effect = step.effect or effect_of(entry_of(catalogue, step.uses), step.parameters)
        if effect.needs_barrier:
            what = f"`{step.id}` acts on the world ({effect}) and waits for nothing: it starts at once."
            yield Finding(step.pointer, what, f"Say `after: {trigger}` if that is meant.", at_key=True)


def _answers_nobody(flow: FlowModel) -> Iterator[Finding]:
    if any(trigger.respond == "step" for trigger in flow.triggers):
        return
    for step in flow.walk():
        if step.uses == "respond":
            what = f"`{step.id}` answers nobody: no trigger says `respond: step`."
            yield Finding(step.pointer, what, "Add `respond: step` to the webhook.", at_key=True)


def _two_meanings(flow: FlowModel) -> Iterator[Finding]:
    named = {step.id for step in flow.walk()} | {trigger.id for trigger in flow.triggers}
    for key, names in (("inputs", flow.inputs), ("vars", flow.variables)):
        for name in names:
            if name in named or (key == "vars" and name in flow.inputs):
                what = f"`{name}` names two things in this file."
                yield Finding((key, name), what, "Give one of them another name; it reads more easily.", at_key=True)
