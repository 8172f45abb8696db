"""Where executions begin: a trigger's `if` and `inputs`, the id that a delivery key gives, and who waits for what."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from chalicelib.engine.facts import Done, How, Waiting, fact_name
from chalicelib.engine.ids import hashed_id
from chalicelib.engine.messages import Resume, Send, Start
from chalicelib.engine.records import Birth, Image, Reason, RecordKey, Status
from chalicelib.engine.writes import Applied, Cancel
from chalicelib.errors import DeliveryConflictError, ExecutionEndedError, NotFoundError, ParameterError
from chalicelib.flow.inputs import fit_inputs
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports import Details, Entered, Knock, TurnedAway
from chalicelib.worker.attempt import evaluated, moment_for
from chalicelib.worker.budget import SKEW, Budget, from_milliseconds, to_milliseconds
from chalicelib.worker.course import Course
from chalicelib.worker.deliver import Acknowledge, Verdict, deliver
from chalicelib.worker.details import details_of
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values

LARGEST_MESSAGE = 200_000
"""Bytes of input that a start message carries itself; beyond that a blob does. SQS takes 1 MiB in all, and a batch as
much together (API reference, SendMessage); DynamoDB packs and Lambda payloads are happier with less."""


class Background:
    """Work that outlives the request it began with; the embedded server waits for it when it stops."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Verdict]] = set()

    def begin(self, task: asyncio.Task[Verdict]) -> None:
        """Keep the task until it is done."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


@dataclass(slots=True)
class _Waiter:
    """What an asker who waits has heard so far."""

    responded: asyncio.Future[Json]
    course: Course | None = None

    def on_course(self, course: Course) -> None:
        self.course = course

    def on_response(self, value: Json) -> None:
        if not self.responded.done():
            self.responded.set_result(value)


class FrontDoor:
    """Fulfils `ports.Door`."""

    def __init__(self, tools: Tools, ends: "Ends", background: Background | None = None) -> None:
        """With `background` (embedded) work goes on after the answer; without (Lambda) it ends before it."""
        self._tools = tools
        self._ends = ends
        self._background = background

    async def enter(self, knock: Knock) -> Entered | TurnedAway:
        """Start an execution, or find what an earlier knock with the same key started; see `ports.Door`."""
        plan, trigger = knock.plan, knock.trigger
        key = knock.key
        inputs: Json = dict(knock.inputs or {})
        document: Json = None
        if trigger is not None and knock.document is not None:
            scope: dict[str, Json] = {
                "trigger": dict(knock.document),
                "vars": dict(plan.variables),
                "steps": {},
                "errors": {},
            }
            moment = moment_for(plan.flow, trigger.id, (), knock.received, plan.timezone)
            if trigger.condition is not None:
                if await evaluated(self._tools, trigger.condition, scope, moment) is not True:
                    return TurnedAway()
            if trigger.inputs is not None:
                inputs = await evaluated(self._tools, trigger.inputs, scope, moment)
                if not isinstance(inputs, dict):
                    raise ParameterError(f"`inputs` of trigger `{trigger.id}` must give an object.")
            if trigger.dedupe is not None and (trigger.verify is not None or trigger.uses != "webhook"):
                key = json.dumps(await evaluated(self._tools, trigger.dedupe, scope, moment))
            document = dict(knock.document)
        where = f"triggers.{trigger.id}.inputs" if trigger is not None and trigger.inputs is not None else "inputs"
        if plan.inputs or given["inputs"] or trigger is None:
            given = {
                **given,
                "inputs": fit_inputs(plan.inputs, cast("Mapping[str, Json]", given["inputs"]), where=where),
            }
        return await self._begin(knock, key, given)

    async def retry(self, tenant: str, execution: str, received: int) -> Entered:
        """The same version with the same input, as a new execution."""
        key = RecordKey(tenant, execution)
        image = await self._tools.facts.read(key)
        if image is None or image.birth is None:
            raise NotFoundError(f"There is no execution {execution}.")
        birth = image.birth
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
        text = json.dumps(given, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        fingerprint = knock.fingerprint or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
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
        if len(text) > LARGEST_MESSAGE:
            birth = replace(birth, input_pack="b" + await tools.blobs.put(text.encode("utf-8", "surrogatepass")))
            text = ""
        start = Start(knock.tenant, execution, birth, knock.received, text)
        if knock.respond == "accepted":
            return await self._accept(start)
        return await self._wait(start, knock)

    async def _accept(self, start: Start) -> Entered:
        """Durable in the queue before the answer goes out."""
        if start.birth.keyed:
            image = await self._tools.facts.read(RecordKey(start.tenant, start.execution))
            if image is not None:
                _same_body(image, start)
                return Entered(start.execution, is_new=False, image=image)
        await self._tools.queue.send([Send(start)])
        return Entered(start.execution, is_new=True)

    async def _wait(self, start: Start, knock: Knock) -> Entered:
        """Run it here. Whoever waits gets the result, the response, or, once it outlasts the request, its address."""
        waiter = _Waiter(asyncio.get_running_loop().create_future())
        now = to_milliseconds(self._tools.clock.now())
        if self._background is None:
            budget = Budget(now + int(knock.wait_seconds * 1000))
        else:
            budget = Budget(now + int(self._tools.settings.invocation_seconds * 1000))
        work = deliver(self._tools, start, budget, on_response=waiter.on_response, on_course=waiter.on_course)
        if self._background is None:
            return await self._entered(start, waiter, await work)
        ended = self._ends.of(start.execution)
        task = asyncio.get_running_loop().create_task(work)
        self._background.begin(task)
        try:
            return await self._until(start, knock, waiter, task, ended)
        finally:
            self._ends.leave(start.execution, ended)

    async def _until(
        self,
        start: Start,
        knock: Knock,
        waiter: _Waiter,
        task: asyncio.Task[Verdict],
        ended: asyncio.Future[Image],
    ) -> Entered:
        """Embedded: until it has responded, ended, or the request has lasted long enough."""
        until: set[asyncio.Future[Json] | asyncio.Future[Image] | asyncio.Task[Verdict]] = {ended, task}
        if knock.respond == "step":
            until.add(waiter.responded)
        loop = asyncio.get_running_loop()
        limit = loop.time() + knock.wait_seconds
        while True:
            await asyncio.wait(until, timeout=max(0.0, limit - loop.time()), return_when=asyncio.FIRST_COMPLETED)
            if knock.respond == "step" and waiter.responded.done():
                return Entered(start.execution, is_new=True, response=waiter.responded.result())
            if task.done() and task in until:
                entered = await self._entered(start, waiter, task.result())
                if entered.image is not None and entered.image.status.is_terminal:
                    return entered
                until.discard(task)  # handed over: the queue goes on with it, and `ended` will tell
            elif ended.done():
                return await self._of(ended.result(), waiter, is_new=True)
            else:
                if waiter.course is not None and waiter.course.head.image is None:
                    await waiter.course.head.commit()  # the answer names it: it must be durable (L5)
                image = waiter.course.head.image if waiter.course else None
                return Entered(start.execution, is_new=True, image=image)

    async def _entered(self, start: Start, waiter: _Waiter, verdict: Verdict) -> Entered:
        report = verdict.report
        image = report.image if report is not None else None
        if image is None:
            image = await self._tools.facts.read(RecordKey(start.tenant, start.execution))
        if image is None:
            raise NotFoundError(f"Execution {start.execution} left no record.")
        is_new = image.birth is not None and image.birth.started == start.birth.started
        if not isinstance(verdict, Acknowledge):
            await self._tools.queue.send(
                [Send(Resume(start.tenant, start.execution, image.epoch), verdict.delay_seconds)]
            )
        return await self._of(image, waiter, is_new=is_new)

    async def _of(self, image: Image, waiter: _Waiter, *, is_new: bool) -> Entered:
        """What an asker is told of an execution that has ended, or goes on elsewhere."""
        response = waiter.responded.result() if waiter.responded.done() else None
        output: Json = None
        values = Values(self._tools.facts, self._tools.blobs, image.key)
        if image.status is Status.SUCCEEDED and image.output_pack:
            output = (await values.pack(image, image.output_pack)).get("output")
        if response is None and image.birth is not None:
            plan = await self._tools.plans.plan(image.key.tenant, image.birth.flow, image.birth.version)
            response = await _response(plan, image, values)
        return Entered(image.key.execution, is_new, image, output, response)

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
        if not isinstance(answer, Applied):
            if image.status.is_terminal:
                raise ExecutionEndedError(f"Execution {execution} has {image.status.word} already.")
            return image
        await self._stop_loops(image, cancel)
        await tools.queue.send([Send(Resume(tenant, execution, image.epoch))])
        return image

    async def _stop_loops(self, image: Image, cancel: Cancel) -> None:
        """The records of loops under way are told too: no claim in them succeeds any more (I12)."""
        birth = image.birth
        if birth is None or not any(isinstance(fact, Waiting) and fact.kind == "loop" for fact in image.facts.values()):
            return
        plan = await self._tools.plans.plan(image.key.tenant, birth.flow, birth.version)
        for step in plan.by_id.values():
            fact = image.facts.get(fact_name(step.ordinal))
            if isinstance(fact, Waiting) and fact.kind == "loop":
                await self._tools.facts.write(replace(cancel, key=replace(image.key, part=step.id)))

    async def details(self, tenant: str, execution: str) -> Details:
        """Everything that is known of it."""
        return await details_of(self._tools, RecordKey(tenant, execution))


def _same_body(image: Image, start: Start) -> None:
    if image.birth is not None and image.birth.input_hash != start.birth.input_hash:
        raise DeliveryConflictError(
            f"Another body came under the same delivery id; execution {start.execution} stands for the first one."
        )


async def _response(plan: Plan, image: Image, values: Values) -> Json:
    """What the first `respond` step that is done said."""
    said: list[tuple[int, str, Done]] = []
    for step in plan.steps:
        fact = image.facts.get(fact_name(step.ordinal)) if step.uses == "respond" else None
        if isinstance(fact, Done) and fact.how is How.SUCCEEDED:
            said.append((fact.ended, fact_name(step.ordinal), fact))
    if not said:
        return None
    _, name, done = min(said, key=lambda each: each[0])
    await values.load(image, {name: done})
    return values.entries[name].value


class Ends:
    """Who in this process waits for which execution to end."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Image]]] = {}

    def of(self, execution: str) -> asyncio.Future[Image]:
        """A future that the execution's end will fulfil."""
        future: asyncio.Future[Image] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(execution, []).append(future)
        return future

    def leave(self, execution: str, future: asyncio.Future[Image]) -> None:
        """Nobody waits on this future any more."""
        waiting = self._waiting.get(execution, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiting.pop(execution, None)

    def announce(self, image: Image) -> None:
        """The execution has ended."""
        for future in self._waiting.pop(image.key.execution, []):
            if not future.done():
                future.set_result(image)
