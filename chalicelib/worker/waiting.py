"""Running an execution for somebody who waits: for its result, or for what a `respond` step says."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from chalicelib.engine.facts import Done, How, fact_name
from chalicelib.engine.messages import Resume, Send, Start
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.errors import DeliveryConflictError, StoreError
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports import Entered, Knock
from chalicelib.worker.admission import must_queue
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.course import Course
from chalicelib.worker.deliver import Acknowledge, deliver
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.tools import Tools
from chalicelib.worker.values import Values

log = logging.getLogger("penstock.worker")


@dataclass(slots=True)
class _Waiting:
    """One asker, and what was heard so far."""

    tools: Tools
    start: Start
    knock: Knock
    begun: asyncio.Future[Course]
    """The work on it here."""
    is_new: bool = True

    def on_course(self, course: Course) -> None:
        """The work has begun."""
        if not self.begun.done():
            self.begun.set_result(course)

    @property
    def image(self) -> Image | None:
        """Its record as it stood last, where it has one."""
        return self.begun.result().head.image if self.begun.done() else None

    async def work(self, budget: Budget) -> Image | None:
        """Work it off, and see to it that what is left comes again; the record as it stood last."""
        start = self.start
        try:
            verdict = await deliver(self.tools, start, budget, on_course=self.on_course)
        except DeliveryConflictError:
            raise
        except Exception as error:
            if self.image is None:
                raise
            # It has a record, so it goes on: by the queue, since this invocation could not.
            log.warning("Execution %s could not go on here; it will be tried again.", start.execution, exc_info=error)
            image, delay = self.image, 2
        else:
            report = verdict.report
            self.is_new = report is None or not report.is_known
            image = report.image if report is not None else None
            if isinstance(verdict, Acknowledge):
                return image
            delay = verdict.delay_seconds
        epoch = image.epoch if image is not None else 0
        await self.tools.queue.send([Send(Resume(start.tenant, start.execution, epoch), delay)])
        return image

    async def until(
        self, task: asyncio.Task[Image | None], ended: asyncio.Future[Image], responded: asyncio.Future[Json]
    ) -> Entered:
        """Embedded: until it has responded, ended, or the request has lasted long enough."""
        until: set[asyncio.Future[Any]] = {ended, task}
        if self.knock.respond == "step":
            until.add(responded)
        loop = asyncio.get_running_loop()
        limit = loop.time() + self.knock.wait_seconds
        while True:
            left = max(0.0, limit - loop.time())
            await asyncio.wait(until, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if self.knock.respond == "step" and responded.done():
                return Entered(self.start.execution, self.is_new, self.image, response=responded.result())
            if ended.done():
                return await self.told(ended.result())
            if task not in until or not task.done():
                break
            image = task.result()
            if image is not None and (image.status.is_terminal or self.knock.respond == "step"):
                told = await self.told(image)
                if image.status.is_terminal or told.response is not None:
                    return told
            until.discard(task)  # handed over: the queue goes on with it, and `ended` will tell
        return await self.outlasted(task)

    async def outlasted(self, task: asyncio.Task[Image | None]) -> Entered:
        """The request has lasted long enough: the answer names the execution, so its record must be durable (L5)."""
        await asyncio.wait({self.begun, task}, return_when=asyncio.FIRST_COMPLETED)
        if not self.begun.done():
            image = task.result()
        else:
            if self.image is None:
                is_queued = await must_queue(self.tools, self.start.tenant, self.start.birth)
                await self.begun.result().head.create(Status.QUEUED if is_queued else None)
            image = self.image
        return Entered(self.start.execution, self.is_new, image)

    async def told(self, image: Image | None) -> Entered:
        """What the asker is told of an execution that has ended, or goes on elsewhere."""
        start, tools = self.start, self.tools
        if image is None:
            image = await tools.facts.read(RecordKey(start.tenant, start.execution))
        if image is None or image.birth is None:
            raise StoreError(f"Execution {start.execution} left no record.")
        values = Values(tools.facts, tools.blobs, image.key)
        output: Json = None
        if image.status is Status.SUCCEEDED and image.output_pack:
            output = (await values.pack(image, image.output_pack)).get("output")
        response: Json = None
        if image.facts:
            plan = await tools.plans.plan(image.key.tenant, image.birth.flow, image.birth.version)
            response = await _response(plan, image, values)
        return Entered(start.execution, self.is_new, image, output, response)


async def wait_for(tools: Tools, start: Start, knock: Knock, ends: Ends, background: Background | None) -> Entered:
    """Run it here. Whoever waits gets the result, the response, or, once it outlasts the request, its address.

    An asker who leaves stops nothing: with a `background` the work goes on. Raises DeliveryConflictError, and
    StoreError where nothing was accepted.
    """
    waiting = _Waiting(tools, start, knock, asyncio.get_running_loop().create_future())
    now = to_milliseconds(tools.clock.now())
    if background is None:
        return await waiting.told(await waiting.work(Budget(now + int(knock.wait_seconds * 1000))))
    ended, responded = ends.of(start.execution), ends.response_of(start.execution)
    budget = Budget(now + int(tools.settings.invocation_seconds * 1000))
    task = asyncio.get_running_loop().create_task(waiting.work(budget))
    background.keep(task)
    try:
        return await waiting.until(task, ended, responded)
    finally:
        ended.cancel()
        responded.cancel()
        ends.leave(start.execution)


async def _response(plan: Plan, image: Image, values: Values) -> Json:
    """What the first `respond` step that is done said."""
    said: list[tuple[int, str, Done]] = []
    for step in (*plan.steps, *plan.on_failure):
        fact = image.facts.get(fact_name(step.ordinal)) if step.uses == "respond" else None
        if isinstance(fact, Done) and fact.how is How.SUCCEEDED:
            said.append((fact.ended, fact_name(step.ordinal), fact))
    if not said:
        return None
    _, name, done = min(said, key=lambda each: each[0])
    await values.load(image, {name: done})
    return values.entries[name].value
