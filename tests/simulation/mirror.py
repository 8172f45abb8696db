"""What a step must have been given, from (version, image) alone: the plain statement that the worker is held to."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalicelib.engine.facts import Done, How, Waiting, fact_name
from chalicelib.engine.needs import Judgement, Ruling, judge, trigger_states
from chalicelib.engine.packs import Entry, entry_from_json
from chalicelib.engine.records import Image, RecordKey
from chalicelib.flow.expressions import answers
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.templates import Literal, Template, expressions, fill
from chalicelib.worker.budget import to_text
from chalicelib.worker.evaluating import moment_for
from tests.simulation.flows import Around, Understood
from tests.simulation.ports import now
from tests.simulation.small import CHUNK, PAGE

if TYPE_CHECKING:
    from tests.simulation.world import World


class Mirror:
    """One look at an execution and what its loops have recorded."""

    def __init__(self, world: "World", plan: Understood, head: Image) -> None:
        self.world, self.plan, self.head = world, plan, head
        self._parsed = world.watch.parsed
        self._outside = trigger_states(plan.plan.triggers, head.birth.trigger if head.birth else "")
        self._judged: dict[tuple[str, tuple[int, ...]], Mapping[str, Judgement]] = {}

    def part(self, step: StepPlan, path: tuple[int, ...]) -> str:
        """The record that holds the facts of this place: the head's is the empty one."""
        if not path:
            return ""
        loop = self.plan.plan.by_id[self.plan.outermost[step.id]]
        if loop.uses == "repeat":
            page = (path[0] - 1) // PAGE
            return f"{loop.id}/b{page}" if page else loop.id
        fact = self.head.facts.get(fact_name(loop.ordinal))
        images, key = self.world.facts._images, self.head.key
        chunk = f"{loop.id}/b{path[0] // CHUNK}"
        # Of a wide loop that ended early the first chunk may never have begun: the place's own says as much.
        is_wide = any(RecordKey(key.tenant, key.execution, part) in images for part in (chunk, f"{loop.id}/b0"))
        if is_wide or (isinstance(fact, Waiting) and fact.kind == "cut"):
            return chunk
        return loop.id

    def image(self, step: StepPlan, path: tuple[int, ...]) -> Image | None:
        """The record that holds this step's fact at this place."""
        if not path:
            return self.head
        key = self.head.key
        return self.world.facts._images.get(RecordKey(key.tenant, key.execution, self.part(step, path)))

    def facts(self, steps: tuple[StepPlan, ...], image: Image | None, path: tuple[int, ...]) -> dict[str, Done]:
        if image is None:
            return {}
        found: dict[str, Done] = {}
        for step in steps:
            fact = image.facts.get(fact_name(step.ordinal, path))
            if type(fact) is Done:
                found[step.id] = fact
        return found

    def judged(self, step: StepPlan, path: tuple[int, ...]) -> Judgement:
        """Whether it may run, by what is recorded."""
        around = self.plan.around[step.id]
        known = self._judged.get((around.id, path))
        if known is None:
            image = self.image(step, path)
            known = judge(around.steps, self.facts(around.steps, image, path), self._outside)
            self._judged[around.id, path] = known
        return known[step.id]

    def entry(self, image: Image, name: str, pack: str) -> Entry:
        if not pack:
            return Entry(None, None, ())
        place = (image.key, pack)
        known = self._parsed.get(place)
        if known is None:
            known = self._parsed[place] = json.loads(self.text(image, pack))
        return entry_from_json(known[name])

    def text(self, image: Image, pack: str) -> str:
        match pack[0]:
            case "i":
                return image.inline[pack]
            case "b":
                return now(self.world.blobs.get(pack[1:])).decode()
            case _:
                return now(self.world.facts.pack(image.key, pack))

    def document(self) -> dict[str, Any]:
        head, birth = self.head, self.head.birth
        place = (head.key, "document")
        known = self._parsed.get(place)
        if known is None:
            given = json.loads(self.text(head, birth.input_pack))
            execution = {
                "id": head.key.execution,
                "started_at": to_text(birth.started),
                "url": f"http://127.0.0.1:8700/api/v1/executions/{head.key.execution}",
            }
            known = {**given, "vars": dict(self.plan.plan.variables), "execution": execution}
            self._parsed[place] = known
        return known

    def scope(self, step: StepPlan, path: tuple[int, ...]) -> tuple[dict[str, Any], int]:
        """What its expressions may name, and when the last of what it sees ended."""
        plan, around = self.plan.plan, self.plan.around[step.id]
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        since = self.head.birth.started
        if path:
            outer, ended = self.scope(around.loop, path[:-1])
            since = self._began(around, path, ended)
            values, errors = dict(outer["steps"]), dict(outer["errors"])
            names = {key: outer[key] for key in outer if key not in {"steps", "errors"}}
            names |= self._names(around, path, outer, ended)
        else:
            names = self.document()
        image = self.image(step, path)
        facts = self.facts(around.steps, image, path)
        seen = [each for each in self.judged(step, path).sees if each in facts]
        ended = max((facts[each].ended for each in seen), default=since)
        for each in seen:
            fact = facts[each]
            if fact.how is How.SKIPPED:
                continue
            found = self.entry(image, fact_name(plan.by_id[each].ordinal, path), fact.pack)
            if fact.how is How.SUCCEEDED:
                values[each] = found.value
                continue
            errors[each] = dict(found.failure or {})
            if plan.by_id[each].on_error is not None:
                values[each] = found.value
        return {**names, "steps": values, "errors": errors}, ended

    def _began(self, around: Around, path: tuple[int, ...], ended: int) -> int:
        """When this turn began: with its loop; a later round when the one before it ended."""
        if around.loop.uses != "repeat" or path[-1] == 1:
            return ended
        before = (*path[:-1], path[-1] - 1)
        return self.image(around.steps[0], before).facts[fact_name(around.loop.ordinal, before)].ended

    def _names(self, around: Around, path: tuple[int, ...], outer: dict[str, Any], ended: int) -> dict[str, Any]:
        """What a turn of a loop may name besides."""
        loop, turn = around.loop, path[-1]
        if loop.uses == "repeat":
            names: dict[str, Any] = {"round": turn}
            if turn > 1:
                before = (*path[:-1], turn - 1)
                image = self.image(around.steps[0], before)
                name = fact_name(loop.ordinal, before)
                names["last"] = self.entry(image, name, image.facts[name].pack).value
            return names
        items = self._filled(loop.parameters, outer, loop, path[:-1], ended)["over"]
        return {loop.body.item: items[turn], "index": turn}

    def _filled(self, template: Template, scope: Any, step: StepPlan, path: tuple[int, ...], ended: int) -> Any:
        moment = moment_for(self.head.key.execution, step.id, path, ended, self.plan.plan.timezone)
        return fill(template, answers(expressions(template), scope, moment), scope, None)

    def parameters(self, step: StepPlan, path: tuple[int, ...]) -> Any:
        """What the step is given."""
        if isinstance(step.parameters, Literal):
            return step.parameters.value
        scope, ended = self.scope(step, path)
        return self._filled(step.parameters, scope, step, path, ended)

    def may_run(self, step: StepPlan, path: tuple[int, ...]) -> bool:
        return self.judged(step, path).ruling is Ruling.RUN
