"""Makes the plan of a flow that passed the check: needs resolved, places settled, expressions cut, all of it immutable.

This runs when a flow version is first used in a process, a cold Lambda included: no pydantic, no YAML, no JSONata.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from chalicelib.flow.canonical_json import to_json
from chalicelib.flow.entries import Catalogue, effect_of, find_entry, plugin_of
from chalicelib.flow.links import links_in
from chalicelib.flow.model import FlowModel, StepModel, TriggerModel
from chalicelib.flow.needs import Wired, wire
from chalicelib.flow.plan import Body, Concurrency, Need, Plan, StepPlan, TriggerPlan, UseValue
from chalicelib.flow.reading_steps import read_model
from chalicelib.flow.sources import Scope, Source, sources_of
from chalicelib.flow.spots import (
    FAILURE_NAMES,
    FLOW_NAMES,
    LANE_NAMES,
    READ_IN_BODY,
    TRIGGER_NAMES,
    inputs_target,
    parameters_target,
    spots_of,
    texts_of,
    uses_of,
)
from chalicelib.flow.targets import CONDITION, TEXT, UNTYPED, Target
from chalicelib.flow.templates import Template, compile_template
from chalicelib.flow.values import Json

NO_VARS: Mapping[str, Json] = {}


def version_of(data: Mapping[str, Json], stage_vars: Mapping[str, Json] = NO_VARS) -> tuple[str, str]:
    """A flow version: its hash and the text it is the hash of (design 9).

    The text is the document as UTF-8 JSON in the author's key order, the stage's vars put in; the hash is its SHA-256
    in hexadecimal.
    """
    text = to_json(with_vars(data, stage_vars))
    return sha256(text.encode()).hexdigest(), text


def with_vars(data: Mapping[str, Json], stage_vars: Mapping[str, Json]) -> dict[str, Json]:
    """The document with a stage's values for the vars that it declares; others are none of its business."""
    declared = data.get("vars")
    if not isinstance(declared, dict) or not declared.keys() & stage_vars.keys():
        return dict(data)
    return {**data, "vars": {name: stage_vars.get(name, value) for name, value in declared.items()}}


def make_plan(data: Mapping[str, Json], catalogue: Catalogue, *, stage_vars: Mapping[str, Json] = NO_VARS) -> Plan:
    """Make the plan of a document in which the check found no problem.

    Args:
        data: the document, as read or as stored.
        catalogue: every node's entry by its type: the same that the check was given.
        stage_vars: the stage's own values of `vars`; empty for a stored version, which has them already.
    """
    resolved = with_vars(data, stage_vars)
    flow, _ = read_model(resolved)
    sources = sources_of(flow, catalogue)
    texts = [text for spot in spots_of(flow, catalogue) for text in texts_of(spot, mentions_only=True)]
    links = {link.step for text in texts for hole, _ in text.holes for link in links_in(hole.text)}
    planner = _Planner(flow, catalogue, sources, wire(flow, sources, uses_of(texts)), links)
    return planner.plan(version_of(resolved)[0])


@dataclass(slots=True)
class _Planner:
    """One flow on its way to a plan."""

    flow: FlowModel
    catalogue: Catalogue
    sources: Mapping[str, Source]
    wired: Wired
    links: Collection[str]

    def plan(self, version: str) -> Plan:
        ordinals = {step.id: number for number, step in enumerate(self.flow.walk())}
        counted = self._counted()
        steps = self._steps(self.flow.steps, Scope(), FLOW_NAMES, ordinals, counted)
        on_failure = self._steps(self.flow.on_failure, Scope("on_failure"), FAILURE_NAMES, ordinals, counted)
        output = self.flow.data.get("output")
        return Plan(
            flow=self.flow.flow,
            version=version,
            steps=steps,
            on_failure=on_failure,
            triggers={trigger.id: self._trigger(trigger) for trigger in self.flow.triggers},
            inputs=self.flow.inputs,
            variables=self.flow.variables,
            output=compile_template(output, UNTYPED, "output", FLOW_NAMES) if "output" in self.flow.data else None,
            output_needs=self.wired.output,
            description=self.flow.description,
            timezone=self.flow.timezone,
            deadline_seconds=self.flow.deadline_seconds,
            durability=self.flow.durability,
            retention_seconds=self.flow.retention_seconds,
            concurrency=self._concurrency(),
            linked=tuple(step.id for step in self.flow.walk() if step.id in self.links),
            by_id=_by_id((*steps, *on_failure)),
            dependents=self._dependents(),
        )

    def _concurrency(self) -> Concurrency | None:
        cap = self.flow.concurrency
        if cap is None:
            return None
        key = None if cap.key is None else compile_template(cap.key, TEXT, "concurrency.key", LANE_NAMES)
        return Concurrency(cap.most, key)

    def _counted(self) -> frozenset[str]:
        """The sources of every group that counts: their facts carry the commit order."""
        groups = [group for wiring in self.wired.steps.values() for group in wiring.groups]
        return frozenset(need.source for group in groups if group.at_least is not None for need in group.needs)

    def _dependents(self) -> Mapping[str, tuple[str, ...]]:
        """For each source who waits for it, in document order."""
        found: dict[str, dict[str, None]] = {name: {} for name in self.sources}
        for step in self.flow.walk():
            wiring = self.wired.steps[step.id]
            for need in (*wiring.needs, *(need for group in wiring.groups for need in group.needs)):
                found[need.source][step.id] = None
        return {name: tuple(waiting) for name, waiting in found.items()}

    def _steps(
        self,
        steps: tuple[StepModel, ...],
        scope: Scope,
        names: frozenset[str],
        ordinals: Mapping[str, int],
        counted: frozenset[str],
    ) -> tuple[StepPlan, ...]:
        plans: list[StepPlan] = []
        for step in steps:
            plan = self._step(step, names, ordinals[step.id])
            if step.is_loop and step.body is not None:
                inner = names | step.loop_names
                body = self._steps(step.body, scope.inside(step.id), inner, ordinals, counted)
                plan = replace(plan, body=self._body(step, body, inner))
            plans.append(replace(plan, feeds_count=True) if step.id in counted else plan)
        return tuple(plans)

    def _step(self, step: StepModel, names: frozenset[str], ordinal: int) -> StepPlan:
        uses, entry = find_entry(self.catalogue, step.uses) or (step.uses, {})
        wiring = self.wired.steps[step.id]
        return StepPlan(
            id=step.id,
            ordinal=ordinal,
            uses=uses,
            needs=wiring.needs,
            groups=wiring.groups,
            mentions=wiring.mentions,
            condition=self._compiled(step.data, "if", CONDITION, names),
            parameters=compile_template(_before_the_body(step), parameters_target(entry), "with", names),
            effect=step.effect or effect_of(entry, step.parameters),
            ports=self.sources[step.id].ports,
            name=step.name,
            credential=step.credential,
            retry=step.retry,
            timeout_seconds=step.timeout_seconds,
            on_error=UseValue(compile_template(step.on_error, UNTYPED, "on_error.use", names))
            if step.has_on_error
            else None,
            error_is_named=step.id in self.wired.named_errors,
            apart=step.apart,
            plugin=plugin_of(entry),
        )

    def _body(self, step: StepModel, body: tuple[StepPlan, ...], names: frozenset[str]) -> Body:
        output = self._compiled(step.data, "output", UNTYPED, names)
        until = self._compiled(step.parameters, "until", CONDITION, names, "with.") if step.uses == "repeat" else None
        waited = {need.source for plan in body for need in _all_needs(plan)}
        last = [plan.id for plan in body if plan.id not in waited]
        item = "" if step.uses == "repeat" else step.item
        return Body(body, output, last[-1] if output is None and last else None, item, until)

    def _trigger(self, trigger: TriggerModel) -> TriggerPlan:
        uses, _ = find_entry(self.catalogue, trigger.uses) or (trigger.uses, {})
        return TriggerPlan(
            id=trigger.id,
            uses=uses,
            parameters=trigger.parameters,
            credential=trigger.credential,
            verify=trigger.verify,
            dedupe=self._compiled(trigger.data, "dedupe", TEXT, TRIGGER_NAMES, f"triggers.{trigger.id}."),
            condition=self._compiled(trigger.data, "if", CONDITION, TRIGGER_NAMES, f"triggers.{trigger.id}."),
            inputs=self._compiled(
                trigger.data, "inputs", inputs_target(self.flow.inputs), TRIGGER_NAMES, f"triggers.{trigger.id}."
            ),
            respond=trigger.respond,
            overlap=trigger.overlap,
            catch_up=trigger.catch_up,
        )

    def _compiled(
        self, data: Mapping[str, Json], key: str, target: Target, names: frozenset[str], whose: str = ""
    ) -> Template | None:
        return compile_template(data[key], target, f"{whose}{key}", names) if key in data else None


def _before_the_body(step: StepModel) -> dict[str, Json]:
    """The parameters that are read before a step runs: of a loop not those that its body answers."""
    return {name: value for name, value in step.parameters.items() if not (step.is_loop and name in READ_IN_BODY)}


def _all_needs(plan: StepPlan) -> tuple[Need, ...]:
    return (*plan.needs, *(need for group in plan.groups for need in group.needs))


def _by_id(steps: tuple[StepPlan, ...]) -> Mapping[str, StepPlan]:
    found: dict[str, StepPlan] = {}
    waiting = list(steps)
    for plan in waiting:
        found[plan.id] = plan
        if plan.body is not None:
            waiting.extend(plan.body.steps)
    return found
