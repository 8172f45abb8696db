"""Where executions begin, and are told what to do: each knock goes the way its trigger answers."""

from collections.abc import Mapping
from dataclasses import replace

from chalicelib.engine.messages import Send, Start
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.errors import LinkWrongError, NotFoundError
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports import Asked, Details, Entered, Knock, Link, Signal, TurnedAway
from chalicelib.worker.admission import must_queue
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.knocking import start_of, understand
from chalicelib.worker.packing import refuse_another_body
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
        understood = await understand(self._tools, knock)
        if isinstance(understood, TurnedAway):
            return understood
        key, given = understood
        return await self._begin(knock, key, given)

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
        trigger = plan.triggers.get(birth.trigger)
        knock = Knock(tenant, plan, trigger, None, None, "accepted", received, retry_of=execution)
        return await self._begin(replace(knock, fingerprint=birth.input_hash), None, given)

    async def _begin(self, knock: Knock, key: str | None, given: Mapping[str, Json]) -> Entered:
        """Go the way the trigger answers."""
        start = await start_of(self._tools, knock, key, given)
        if knock.respond == "accepted":
            if self._background is not None:
                return await self._take_in(start, knock.plan, given, self._background)
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

        is_queued = await must_queue(self._tools, start.tenant, start.birth)
        if (
            not is_queued
            and is_short(plan)
            and (told := await at_once(new_course(self._tools, start, plan, given))) is not None
        ):
            image, is_new = told
            if not is_new:
                refuse_another_body(image, start)
            return Entered(start.execution, is_new, image)
        course = new_course(self._tools, start, plan, given)
        committed = await course.head.create(Status.QUEUED if is_queued else None)
        image = course.head.image
        if committed.existed and image is not None:
            refuse_another_body(image, start)
            return Entered(start.execution, is_new=False, image=image)
        background.begin(lambda: go_on_with(course))
        return Entered(start.execution, is_new=True, image=image)

    async def cancel(self, tenant: str, execution: str, message: str) -> Image:
        """Stop it; see `ports.Door`."""
        from chalicelib.worker.controls import cancel

        return await cancel(self._tools, RecordKey(tenant, execution), message)

    async def pause(self, tenant: str, execution: str) -> Image:
        """Start nothing more in it; see `ports.Door`."""
        from chalicelib.worker.controls import pause

        return await pause(self._tools, RecordKey(tenant, execution))

    async def resume(self, tenant: str, execution: str) -> Image:
        """Go on with what was paused; see `ports.Door`."""
        from chalicelib.worker.controls import resume

        return await resume(self._tools, RecordKey(tenant, execution))

    async def resume_flow(self, tenant: str, flow: str) -> int:
        """Wake what was queued while the flow was paused; see `ports.Door`."""
        from chalicelib.worker.controls import resume_flow

        self._tools.plans.forget(tenant, flow)
        return await resume_flow(self._tools, tenant, flow)

    async def redrive(self, tenant: str, execution: str, *, step: str | None = None, force: bool = False) -> Image:
        """Run what failed again, keeping what succeeded; see `ports.Door`."""
        from chalicelib.worker.redriving import redrive

        return await redrive(self._tools, RecordKey(tenant, execution), step, force=force)

    async def read_link(self, text: str) -> Link:
        """The link behind the last part of its address; raises LinkWrongError."""
        if self._tools.links is None:
            raise LinkWrongError
        return await self._tools.links.read(text)

    async def asked(self, link: Link) -> Asked:
        """What stands behind a link; see `ports.Door`."""
        from chalicelib.worker.signals import asked

        return await asked(self._tools, link)

    async def signal(self, link: Link, signal: Signal) -> Image:
        """Answer what a step waits for, or will wait for; see `ports.Door`."""
        from chalicelib.worker.signals import answer

        return await answer(self._tools, link, signal)

    async def heartbeat(self, link: Link) -> int:
        """The work behind a callback goes on; see `ports.Door`."""
        from chalicelib.worker.signals import heartbeat

        return await heartbeat(self._tools, link)

    async def details(self, tenant: str, execution: str) -> Details:
        """Everything that is known of it."""
        from chalicelib.worker.details import details_of  # imported late, as above

        return await details_of(self._tools, RecordKey(tenant, execution))
