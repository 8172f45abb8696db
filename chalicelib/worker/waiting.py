"""Running an execution for somebody who waits: for its result, or for what a `respond` step says."""

import asyncio
from dataclasses import dataclass
from typing import Any

from chalicelib.engine.facts import Done, How, fact_name
from chalicelib.engine.messages import Resume, Send, Start
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.errors import StoreError, WorldError
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports import Entered, Knock
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.course import Course
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values


@dataclass(slots=True)
class _Waiting:
    """One asker, and what was heard so far."""

    tools: Tools
    start: Start
    knock: Knock
    ends: Ends
    responded: asyncio.Future[Json]
    course: Course | None = None

    def on_course(self, course: Course) -> None:
        """The work has begun."""
        self.course = course

    def on_response(self, value: Json) -> None:
        """A `respond` step is done; the first one counts."""
        if not self.responded.done():
            self.responded.set_result(value)

    async def work(self, budget: Budget) -> Image | None:
        """Work it off, and see to it that what is left comes again; the record as it stood last."""
        start = self.start
        try:
            verdict = await deliver(self.tools, start, budget, on_response=self.on_response, on_course=self.on_course)
        except WorldError:
            image = self.course.head.image if self.course is not None else None
            if image is None:
                raise
            delay = 1  # it has a record, so it goes on: by the queue, since this invocation could not
        else:
            image = verdict.report.image if verdict.report is not None else None
            if isinstance(verdict, Acknowledge):
                return image
            delay = verdict.delay_seconds
        epoch = image.epoch if image is not None else 0
        await self.tools.queue.send([Send(Resume(start.tenant, start.execution, epoch), delay)])
        return image

    async def until(self, task: asyncio.Task[Image | None], ended: asyncio.Future[Image]) -> Entered:
        """Embedded: until it has responded, ended, or the request has lasted long enough."""
        knock, execution = self.knock, self.start.execution
        until: set[asyncio.Future[Any]] = {ended, task}
        if knock.respond == "step":
            until.add(self.responded)
        loop = asyncio.get_running_loop()
        limit = loop.time() + knock.wait_seconds
        while True:
            left = max(0.0, limit - loop.time())
            await asyncio.wait(until, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if knock.respond == "step" and self.responded.done():
                return Entered(execution, is_new=True, response=self.responded.result())
            if ended.done():
                return await self.told(ended.result())
            if task not in until or not task.done():
                break
            image = task.result()
            if image is not None and image.status.is_terminal:
                return await self.told(image)
            until.discard(task)  # handed over: the queue goes on with it, and `ended` will tell
        if self.course is not None and self.course.head.image is None:
            await self.course.head.commit()  # the answer names it, so it must be durable (L5)
        return Entered(execution, is_new=True, image=self.course.head.image if self.course is not None else None)

    async def told(self, image: Image | None) -> Entered:
        """What the asker is told of an execution that has ended, or goes on elsewhere."""
        start, tools = self.start, self.tools
        if image is None:
            image = await tools.facts.read(RecordKey(start.tenant, start.execution))
        if image is None or image.birth is None:
            raise StoreError(f"Execution {start.execution} left no record.")
        is_new = image.birth.started == start.birth.started
        values = Values(tools.facts, tools.blobs, image.key)
        output: Json = None
        if image.status is Status.SUCCEEDED and image.output_pack:
            output = (await values.pack(image, image.output_pack)).get("output")
        response = self.responded.result() if self.responded.done() else None
        if response is None:
            plan = await tools.plans.plan(image.key.tenant, image.birth.flow, image.birth.version)
            response = await _response(plan, image, values)
        return Entered(start.execution, is_new, image, output, response)


async def wait_for(tools: Tools, start: Start, knock: Knock, ends: Ends, background: Background | None) -> Entered:
    """Run it here. Whoever waits gets the result, the response, or, once it outlasts the request, its address.

    Raises DeliveryConflictError, and StoreError where nothing was accepted.
    """
    waiting = _Waiting(tools, start, knock, ends, asyncio.get_running_loop().create_future())
    now = to_milliseconds(tools.clock.now())
    if background is None:
        return await waiting.told(await waiting.work(Budget(now + int(knock.wait_seconds * 1000))))
    ended = ends.of(start.execution)
    budget = Budget(now + int(tools.settings.invocation_seconds * 1000))
    task = asyncio.get_running_loop().create_task(waiting.work(budget))
    background.keep(task)
    try:
        return await waiting.until(task, ended)
    finally:
        ends.leave(start.execution, ended)


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
