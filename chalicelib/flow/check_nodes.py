"""Checks that every node exists, stands where it may, is built, and is given what it needs."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeAlias, cast

from chalicelib.errors import PenstockError
from chalicelib.flow.check_parameters import check_parameters, is_whole_expression, needs_expression
from chalicelib.flow.elsewhere import instead_of_node
from chalicelib.flow.entries import Catalogue, Entry, entry_of, find_entry, ports_of, property_schemas, schema_of
from chalicelib.flow.findings import Finding, did_you_mean, either, shown
from chalicelib.flow.listening import ERROR, flows_heard
from chalicelib.flow.model import (
    COMMON_PORTS,
    IDENTIFIER,
    LINKED,
    RESERVED,
    WAITING,
    FlowModel,
    StepModel,
    TriggerModel,
)
from chalicelib.flow.reading import TRIGGER_KEYS
from chalicelib.flow.reading_steps import STEP_KEYS
from chalicelib.flow.scanner import has_hole, holds_hole
from chalicelib.flow.sources import scopes_of
from chalicelib.flow.spots import FAILURE_NAMES
from chalicelib.flow.values import Json, Pointer

Build: TypeAlias = Callable[[str, Mapping[str, Json]], object]
"""Builds a node from parameters without expressions; a PenstockError says what is wrong with them."""

_PLACED = re.compile(r"with((?:\.\w+|\[\d+\])*): (.*)", re.DOTALL)
_PLACE_PART = re.compile(r"\.(\w+)|\[(\d+)\]")
NO_CREDENTIAL = frozenset({None, "none"})
ANY_CREDENTIAL = "any"
_NAMES_TAKEN = FAILURE_NAMES | {"steps", "errors", "index", "last", "round"}


def check_nodes(
    flow: FlowModel, catalogue: Catalogue, schemes: Collection[str], build: Build | None
) -> Iterator[Finding]:
    """Every mistake in the use of nodes."""
    yield from meaningless(flow)
    for trigger in flow.triggers:
        yield from _check_trigger(trigger, flow, catalogue, schemes, build)
    for scope, steps in scopes_of(flow):
        for step in steps:
            yield from _check_step(step, catalogue, build)
            if step.uses == "foreach":
                yield from _check_names(step, scope.loops, flow)
            if step.uses in LINKED and scope.area == "on_failure":
                what = f"`{step.uses}` cannot stand below `on_failure`: an execution that is ending takes no answer."
                do = "Let `call` start a flow that asks."
                yield Finding((*step.pointer, "uses"), what, do)
            if step.apart and scope.loops and step.uses not in WAITING:
                what = f"`run: apart` says nothing inside a loop: `{scope.loops[-1]}` spreads its turns by itself."
                yield Finding((*step.pointer, "run"), what, "Leave it out, or write it at the loop.")


def meaningless(flow: FlowModel) -> Iterator[Finding]:
    """What says nothing of a loop as a whole (it belongs to the steps below it), and nothing of a wait."""
    for step in flow.walk():
        yield from _meaningless_at(step)


def _meaningless_at(step: StepModel) -> Iterator[Finding]:
    for key in ("retry", "timeout") if step.is_loop else ():
        if key in step.data:
            what = f"`{key}` says nothing of a loop: each step below `{step.id}` is tried, and timed, by itself."
            yield Finding((*step.pointer, key), what, f"Write `{key}` at those steps.", at_key=True)
    if step.uses not in WAITING:
        return
    longest = "with: {expires: 2d}" if step.uses in LINKED else "with: {for: 2d}"
    for key, reason, do in (
        ("timeout", "it is no attempt that could take too long", f"Write how long it waits: {longest}."),
        ("retry", "there is nothing to try again", "Leave it out."),
        ("effect", "it touches nothing", "Leave it out."),
        ("run", "while it waits nothing runs", "Leave it out."),
    ):
        if key in step.data and (key != "run" or step.apart):
            what = f"`{key}` says nothing of `{step.uses}`: {reason}."
            yield Finding((*step.pointer, key), what, do, at_key=True)


def misplaced(flow: FlowModel, catalogue: Catalogue) -> Iterator[Finding]:
    """A node's parameters that stand beside `with` rather than below it; unknown keys, as such, are said elsewhere."""
    for one in (*flow.triggers, *flow.walk()):
        for key in _misplaced_in(one, entry_of(catalogue, one.uses)):
            what = f"`{key}` is a parameter of `{one.uses}`, and stands beside `with`."
            yield Finding((*one.pointer, key), what, f"Write it below `with`: with: {{{key}: ...}}.", at_key=True)


def _misplaced_in(one: StepModel | TriggerModel, entry: Entry) -> list[str]:
    own = TRIGGER_KEYS if isinstance(one, TriggerModel) else STEP_KEYS
    return [key for key in one.data if key not in own and key in property_schemas(entry)]


def _check_step(step: StepModel, catalogue: Catalogue, build: Build | None) -> Iterator[Finding]:
    yield from _check_if(step)
    if not step.uses:
        return
    entry = _entry(step.uses, step.pointer, catalogue)
    if isinstance(entry, Finding):
        yield entry
        return
    if entry.get("kind") == "trigger":
        what = f"`{step.uses}` is a trigger: it starts a flow, and is no step."
        yield Finding((*step.pointer, "uses"), what, "Write it below `triggers`.")
        return
    yield from _check_use(step, entry, build)
    several = ports_of(entry, step.parameters)
    if step.has_on_error and len(several) > 1:
        what = f"`{step.id}` can end as {either(list(several))}: `on_error` cannot say as which."
        yield Finding(
            (*step.pointer, "on_error"), what, f"Name `{step.id}.error` where a failure should lead.", at_key=True
        )
    if isinstance(source := entry.get("ports_from"), str):
        yield from _check_cases(step, source)


def _check_if(one: StepModel | TriggerModel) -> Iterator[Finding]:
    """An `if` is true, false, or one expression."""
    value = one.data.get("if", True)
    if not isinstance(value, bool) and not (isinstance(value, str) and is_whole_expression(value)):
        yield needs_expression((*one.pointer, "if"), "if", value)


def _entry(uses: str, pointer: Pointer, catalogue: Catalogue) -> Entry | Finding:
    found = find_entry(catalogue, uses)
    if found is None:
        meant = instead_of_node(uses)
        hint = f" Did you mean `{meant}`?" if meant in catalogue else did_you_mean(uses, catalogue)
        what = f"There is no node `{uses[:80]}`.{hint}"
        do = "`penstock nodes list` shows those there are."
        if uses.startswith("plugin_"):
            do = "Install the plugin, or put its package into the folder `plugins`: `penstock plugins list` shows them."
        if "python" in uses:
            do = "Python does not run in the sandbox: write the program in JavaScript, or expressions."
        return Finding((*pointer, "uses"), what, do)
    return found[1]


def _check_use(one: StepModel | TriggerModel, entry: Entry, build: Build | None) -> Iterator[Finding]:
    """Whether it is built, its credential, its parameters."""
    not_built = entry.get("not_built")
    for name, sentence in (not_built if isinstance(not_built, dict) else {}).items():
        text = f"{str(sentence)[:1].upper()}{str(sentence)[1:].removesuffix('.')}."
        if name == "*":
            yield Finding((*one.pointer, "uses"), f"`{one.uses}` is not built yet.", text)
            return
        if name in one.parameters:
            yield Finding(
                (*one.pointer, "with", name), f"`{name}` of `{one.uses}` is not built yet.", text, at_key=True
            )
    yield from _check_credential(one, entry)
    is_built = not isinstance(not_built, dict) or not_built.keys().isdisjoint(one.parameters)
    beside = _misplaced_in(one, entry)
    mistakes = list(check_parameters(one.parameters, schema_of(entry), one.pointer, one.uses, beside))
    yield from mistakes
    if build is not None and is_built and not mistakes and not beside and not holds_hole(one.parameters):
        yield from _try(one, build)


def _try(one: StepModel | TriggerModel, build: Build) -> Iterator[Finding]:
    try:
        build(one.uses, one.parameters)
    except PenstockError as error:
        for sentence in re.split(r"; (?=with[.:\[])", error.detail):
            yield _of_node(one, sentence)


def _of_node(one: StepModel | TriggerModel, sentence: str) -> Finding:
    """One mistake that the node itself found: `with.cron: has 4 fields; ...`, at the place that it names."""
    found = _PLACED.fullmatch(sentence)
    place, said = (found[1], found[2]) if found else ("", sentence)
    at: Pointer = (*one.pointer, "with") if "with" in one.data else one.pointer
    name, value = one.uses, cast("Json", dict(one.parameters))
    for key, index in _PLACE_PART.findall(place):
        part = key or int(index)
        if isinstance(value, dict) and isinstance(part, str) and part in value:
            value, name = value[part], part
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            break
        at = (*at, part)
    named = f"`{name}` of `{one.uses}`" if name != one.uses else f"`{name}`"
    what = f"{named} {said}" if found and name != one.uses else f"{named}: {said}"
    do = f"Compare it with `penstock nodes show {one.uses}`."
    return Finding(at, what.removesuffix(".") + ".", do, at_key=name == one.uses)


def _check_credential(one: StepModel | TriggerModel, entry: Entry) -> Iterator[Finding]:
    kind = entry.get("credential")
    if one.credential is not None and kind in NO_CREDENTIAL:
        yield Finding((*one.pointer, "credential"), f"`{one.uses}` takes no credential.", "Leave it out.", at_key=True)
    elif "credential" not in one.data and kind not in NO_CREDENTIAL and kind != ANY_CREDENTIAL:
        what = f"`{one.uses}` needs a credential."
        yield Finding(one.pointer, what, "Add `credential: <name>`, the name it is stored under.", at_key=True)


def _check_cases(step: StepModel, source: str) -> Iterator[Finding]:
    cases = step.parameters.get(source)
    for name in cases if isinstance(cases, dict) else {}:
        at = (*step.pointer, "with", source, name)
        if name in {*COMMON_PORTS, "else"}:
            what = f"A case cannot be named `{name}`: that is a port with a meaning of its own."
            yield Finding(at, what, "Give it another name.", at_key=True)
        elif not IDENTIFIER.fullmatch(name) or name in RESERVED:
            what = f"`{name[:60]}` cannot name a case: a case is a port."
            yield Finding(at, what, "Use small letters, digits and _, beginning with a letter.", at_key=True)


def _check_names(step: StepModel, around: tuple[str, ...], flow: FlowModel) -> Iterator[Finding]:
    """The name of a loop's items: free, and in a loop within a loop its own."""
    at = (*step.pointer, "with", "as")
    renamed = step.parameters.get("as")
    if isinstance(renamed, str) and (renamed in _NAMES_TAKEN or renamed in RESERVED):
        yield Finding(at, f"`as: {renamed[:60]}` is no name for an item.", "Write another, such as `row`.")
    if "as" in step.parameters and step.parameters.get("batch") is not None:
        yield Finding(at, "With `batch` the items go by the name `items`.", "Leave out `as`.", at_key=True)
    outer = {other.item: other.id for other in flow.walk() if other.id in around and other.uses == "foreach"}
    if step.item in outer:
        what = f"`{step.item}` is already the item of the loop `{outer[step.item]}` around `{step.id}`."
        do = "Give this one another name: with: {as: row, ...}."
        yield Finding(at if "as" in step.parameters else step.pointer, what, do, at_key=True)


def _check_trigger(
    trigger: TriggerModel, flow: FlowModel, catalogue: Catalogue, schemes: Collection[str], build: Build | None
) -> Iterator[Finding]:
    yield from _check_if(trigger)
    if "dedupe" in trigger.data and not holds_hole(trigger.data["dedupe"]):
        at = (*trigger.pointer, "dedupe")
        yield Finding(
            at, f"`dedupe` is an expression, not {shown(trigger.data['dedupe'])}.", 'Write "${ trigger.body.id }".'
        )
    if not trigger.uses:
        return
    entry = _entry(trigger.uses, trigger.pointer, catalogue)
    if isinstance(entry, Finding):
        yield entry
        return
    if entry.get("kind") != "trigger":
        what = f"`{trigger.uses}` is no trigger."
        known = [
            name for name, other in catalogue.items() if isinstance(other, dict) and other.get("kind") == "trigger"
        ]
        yield Finding((*trigger.pointer, "uses"), what, f"Triggers: {', '.join(known)}.")
        return
    yield from _check_use(trigger, entry, build)
    if entry.get("verifies") is True:
        yield from _check_verify(trigger, schemes)
        yield from _check_respond(trigger, flow, catalogue)
    else:
        for key in ("verify", "dedupe", "respond"):
            if key in trigger.data:
                what = f"`{key}` is for webhooks; nobody sends `{trigger.uses}` anything."
                yield Finding((*trigger.pointer, key), what, "Leave it out.", at_key=True)
    for key in ("overlap", "catch_up"):
        if key in trigger.data and trigger.uses != "schedule":
            what = f"`{key}` is for schedules; `{trigger.uses}` has no times of its own."
            do = "To limit how many executions run at once, write `concurrency` beside `triggers`."
            yield Finding((*trigger.pointer, key), what, do if key == "overlap" else "Leave it out.", at_key=True)
    if trigger.uses == ERROR and flow.flow in flows_heard(trigger.parameters):
        what = f"The trigger `{trigger.id}` names `{flow.flow}`, the flow that it stands in: it would start itself."
        do = "Take it out of `flows`; steps for its own failure stand below `on_failure`."
        yield Finding((*trigger.pointer, "with", "flows"), what, do)


def _check_verify(trigger: TriggerModel, schemes: Collection[str]) -> Iterator[Finding]:
    at = (*trigger.pointer, "verify")
    if "verify" not in trigger.data:
        what = f"The trigger `{trigger.id}` does not say how deliveries are verified."
        do = "Add verify: {scheme: github, credential: <name>}, or, where anybody may send, `verify: none`."
        yield Finding(trigger.pointer, what, do, at_key=True)
        return
    if trigger.verify is None:
        if "dedupe" in trigger.data:
            what = "`dedupe` needs a sender that is verified: anybody could use up a delivery's id."
            yield Finding((*trigger.pointer, "dedupe"), what, "Verify the sender, or leave `dedupe` out.", at_key=True)
        return
    scheme, credential = trigger.verify.get("scheme"), trigger.verify.get("credential")
    known = sorted({name.replace("_", "-") for name in schemes})  # either spelling is understood
    if not isinstance(scheme, str):
        yield Finding(at, "`verify` does not name its scheme.", f"Schemes: {', '.join(known)}.")
    elif scheme.replace("_", "-") not in known:
        what = f"There is no verification scheme `{scheme[:60]}`.{did_you_mean(scheme, known)}"
        yield Finding((*at, "scheme"), what, f"Schemes: {', '.join(known)}.")
    is_hole = isinstance(credential, str) and has_hole(credential)
    if not is_hole and (not isinstance(credential, str) or not IDENTIFIER.fullmatch(credential)):
        where = (*at, "credential") if "credential" in trigger.verify else at
        yield Finding(
            where, "`verify` does not name the credential that holds the secret.", "Add `credential: <name>`."
        )
    for key, value in trigger.verify.items():
        if isinstance(value, str) and has_hole(value):
            yield Finding((*at, key), f"`{key}` of `verify` takes no expression.", "Write the value itself.")


def _check_respond(trigger: TriggerModel, flow: FlowModel, catalogue: Catalogue) -> Iterator[Finding]:
    if trigger.respond == "step" and not any(step.uses == "respond" for step in flow.walk()):
        what = f"The trigger `{trigger.id}` lets a step answer, and no step uses `respond`."
        do = (
            "Add a `respond` step, or write respond: result."
            if entry_of(catalogue, "respond")
            else "Write respond: result."
        )
        yield Finding((*trigger.pointer, "respond"), what, do)
