"""Where executions begin: a trigger's `if` and `inputs`, the id that a delivery key gives, and who waits for what."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from chalicelib.engine.facts import Waiting
from chalicelib.engine.ids import hashed_id
from chalicelib.engine.messages import Resume, Send, Start
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.writes import Cancel
from chalicelib.errors import ExecutionEndedError, NotFoundError, ParameterError
from chalicelib.flow.inputs import fit_inputs
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports import Details, Entered, Knock, TurnedAway
from chalicelib.worker.budget import SKEW, from_milliseconds, to_milliseconds
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.packing import json_text, refuse_another_body, to_start
from chalicelib.worker.stopping import stop_loops
from chalicelib.worker.tools import Tools


class FrontDoor:
    """Fulfils `ports.Door`."""

    def __init__(self, tools: Tools, ends: Ends, background: Background | None = None) -> None:
        """With `background` (embedded) work goes on after the answer; without (Lambda) it ends before it."""
        self._tools = tools
        self._ends = ends
        self._background = background

    async def enter(self, knock: Knock) -> Entered | TurnedAway:
        """Start an execution, or find what an earlier knock with the same key started; see `ports.Door`."""
        plan, trigger, key = knock.plan, knock.trigger, knock.key
        inputs: Json = dict(knock.inputs or {})
        document: Json = None
        if trigger is not None and knock.document is not None:
            document = dict(knock.document)
            scope: dict[str, Json] = {"trigger": document, "vars": dict(plan.variables), "steps": {}, "errors": {}}
            moment = moment_for(plan.flow, trigger.id, (), knock.received, plan.timezone)
            evaluator = self._tools.evaluator
            if trigger.condition and await evaluated(evaluator, trigger.condition, scope, moment) is not True:
                return TurnedAway()
            if trigger.inputs is not None:
                inputs = await evaluated(evaluator, trigger.inputs, scope, moment)
                if not isinstance(inputs, dict):
                    raise ParameterError(f"`triggers.{trigger.id}.inputs` must give an object, a field for each input.")
            if trigger.dedupe is not None and (trigger.verify is not None or trigger.uses != "webhook"):
                key = json.dumps(await evaluated(evaluator, trigger.dedupe, scope, moment))
        is_mapped = trigger is not None and trigger.inputs is not None
        where = f"triggers.{trigger.id}.inputs" if trigger is not None and is_mapped else "inputs"
        if plan.inputs or inputs:
            inputs = fit_inputs(plan.inputs, inputs, where=where, drop_unknown=is_mapped)
        return await self._begin(knock, key, {"trigger": document, "inputs": inputs})

    async def retry(self, tenant: str, execution: str, received: int) -> Entered:
        """The same version with the same input, as a new execution."""
        from chalicelib.worker.values import Values  # imported late, as above

        key = RecordKey(tenant, execution)
        image = await self._tools.facts.read(key)
        if image is None or image.birth is None:
            raise NotFoundError(f"There is no execution {execution}.")
        birth = image.birth
        if not birth.input_pack:
            raise NotFoundError(f"The input of execution {execution} was never stored: it did not begin. Start anew.")
        plan = await self._tools.plans.plan(tenant, birth.flow, birth.version)
        given = await Values(self._tools.facts, self._tools.blobs, key).pack(image, birth.input_pack)
        knock = Knock(
            tenant, plan, plan.triggers.get(birth.trigger), None, None, "accepted", received, retry_of=execution
        )
        entered = await self._begin(replace(knock, fingerprint=birth.input_hash), None, given)
        if isinstance(entered, TurnedAway):
            raise TypeError("a retry is never turned away")
        return entered

    async def _begin(self, knock: Knock, key: str | None, given: Mapping[str, Json]) -> Entered | TurnedAway:
        """Make the id and the birth, and go the way the trigger answers."""
        tools, plan, trigger = self._tools, knock.plan, knock.trigger
        name = trigger.id if trigger is not None else ""
        if key is None:
            execution = tools.ids.execution(from_milliseconds(knock.received))
        else:
            execution = hashed_id(knock.tenant, plan.flow, name, knock.who, key)
        text = json_text(given)
        fingerprint = knock.fingerprint or hashlib.sha256(text.encode()).hexdigest()
        deadline = knock.received + int(plan.deadline_seconds * 1000) if plan.deadline_seconds else 0
        birth = Birth(
            plan.flow,
            plan.version,
            name,
            knock.received,
            "",
            fingerprint,
            deadline,
            retry_of=knock.retry_of,
            keyed=key is not None,
        )
        start = await to_start(tools.blobs, knock.tenant, execution, birth, text)
        if knock.respond == "accepted":
            if self._background is not None:
                return await self._take_in(start, plan, given, self._background)
            return await self._accept(start)
        from chalicelib.worker.waiting import wait_for  # imported late: who only accepts needs no nodes

        return await wait_for(self._tools, start, knock, self._ends, self._background)

    async def _accept(self, start: Start) -> Entered:
        """Durable in the queue before the answer goes out."""
        if start.birth.keyed:
            image = await self._tools.facts.read(RecordKey(start.tenant, start.execution))
            if image is not None:
                refuse_another_body(image, start)
                return Entered(start.execution, is_new=False, image=image)
        await self._tools.queue.send([Send(start)])
        return Entered(start.execution, is_new=True)

    async def _take_in(self, start: Start, plan: Plan, given: Mapping[str, Json], background: Background) -> Entered:
        """Embedded: the record itself is the acceptance, on disk before the answer goes out; then it runs here."""
        from chalicelib.worker.deliver import at_once, go_on_with, is_short, new_course  # imported late, as above

        if is_short(plan) and (told := await at_once(new_course(self._tools, start, plan, given))) is not None:
            image, is_new = told
            if not is_new:
                refuse_another_body(image, start)
            return Entered(start.execution, is_new, image)
        course = new_course(self._tools, start, plan, given)
        committed = await course.head.commit()
        image = course.head.image
        if committed.existed and image is not None:
            refuse_another_body(image, start)
            return Entered(start.execution, is_new=False, image=image)
        background.begin(lambda: go_on_with(course))
        return Entered(start.execution, is_new=True, image=image)

    async def cancel(self, tenant: str, execution: str, message: str) -> Image:
        """Stop it; see `ports.Door`."""
        tools = self._tools
        now = to_milliseconds(tools.clock.now())
        key = RecordKey(tenant, execution)
        reason = Reason(Status.CANCELLED, "", "cancelled", message)
        cancel = Cancel(key, reason, now, now + SKEW)
        answer = await tools.facts.write(cancel)
        image = answer.image
        if image is None:
            raise NotFoundError(f"There is no execution {execution}. It may not have begun yet; try again in a moment.")
        if image.status.is_terminal:
            raise ExecutionEndedError(f"Execution {execution} has {image.status.word} already.")
        # Also where it was ending already: whoever began that may have died before its message was out.
        if image.birth is not None and any(isinstance(fact, Waiting) for fact in image.facts.values()):
            plan = await tools.plans.plan(tenant, image.birth.flow, image.birth.version)
            await stop_loops(tools.facts, plan, image, cancel)
        await tools.queue.send([Send(Resume(tenant, execution, image.epoch))])
        return image

    async def details(self, tenant: str, execution: str) -> Details:
        """Everything that is known of it."""
        from chalicelib.worker.details import details_of  # imported late, as above

        return await details_of(self._tools, RecordKey(tenant, execution))
