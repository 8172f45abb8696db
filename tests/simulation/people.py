"""What people do: answer, too early, twice and wrongly; cancel, pause, go on, redrive; publish anew, stop a flow."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalicelib.engine.facts import Signalled, Waiting
from chalicelib.engine.records import Image, Status
from chalicelib.errors import PenstockError, WorldError
from chalicelib.ports import Link, Signal
from chalicelib.worker.door import FrontDoor
from tests.simulation.flows import Written, flow
from tests.simulation.mirror import Mirror
from tests.simulation.ports import DiedError, now
from tests.simulation.process import Delivery

if TYPE_CHECKING:
    from tests.simulation.schedule import Schedule

MINUTE, HOUR = 60_000, 3_600_000

ANSWERS = {"callback": ("received", "approved"), "approval": ("approved", "rejected", "received")}
"""By node: the ports somebody may try; the last of each is wrong."""

Work = Callable[[FrontDoor], Awaitable[Any]]


class People:
    """Those who act on the executions of one schedule."""

    def __init__(self, schedule: "Schedule") -> None:
        self.schedule = schedule
        self.rng = random.Random(f"people {schedule.seed}")
        self.answered: dict[tuple[str, str, tuple[int, ...]], list[tuple[str, Any, int]]] = {}
        """Answers that were accepted, by execution, step and turns."""
        self.redrives = 0
        self.asked_for: set[str] = set()
        self.resuming: Counter[str] = Counter()
        """Executions that somebody is about to resume."""
        self.cancelled: set[str] = set()
        """Executions whose cancel has returned."""
        self.tries: Counter[tuple[str, str, tuple[int, ...], int]] = Counter()
        self.asking: set[tuple[str, str, tuple[int, ...], int]] = set()

    def plan(self, written: Written) -> None:
        """What they will do to the executions of a flow, and when."""
        rng, at = self.rng, self.at
        if rng.random() < 0.12:
            at(rng.choice((50, 500, 5_000, 5 * MINUTE)), self.cancel)
        if rng.random() < 0.12:
            at(rng.choice((20, 200, 3_000, 5 * MINUTE)), self.pause)
        if rng.random() < 0.06:
            at(rng.choice((0, 500, MINUTE)), lambda: self.pause_flow(written))
        if rng.random() < 0.10:
            at(rng.choice((0, 500, 2_000, MINUTE)), lambda: self.republish(written))
        asks = [step for step in written.plan.steps if step.uses in ANSWERS]
        for step in asks:
            for _ in range(rng.choice((0, 1, 1, 2))):
                when = rng.choice((30, 1_000, 10_000, 3 * MINUTE, HOUR, 72 * HOUR))
                at(when + rng.randrange(1_000), lambda step=step: self.answer_first(written.name, step.id))

    def at(self, when: int, action: Callable[[], None]) -> None:
        self.schedule.actions.append((self.schedule.world.elapsed + when, action))

    # Which execution --------------------------------------------------------------------------------------------------

    def heads(self, *statuses: Status) -> list[Image]:
        images = self.schedule.world.facts._images.values()
        return [image for image in images if image.key.is_head and (not statuses or image.status in statuses)]

    def pick(self, *statuses: Status) -> Image | None:
        found = self.heads(*statuses)
        return found[int(self.rng.random() * len(found))] if found else None

    # What they do -----------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        image = self.pick(Status.RUNNING, Status.PAUSED, Status.QUEUED, Status.ENDING)
        if image is None:
            return
        execution, epoch = image.key.execution, image.epoch
        watch = self.schedule.world.watch
        watch.cancels.add(execution)

        def done(_: Any) -> None:
            self.cancelled.add(execution)
            watch.stopped[execution] = epoch

        self.act("cancel", lambda door: door.cancel("main", execution, "enough"), done)

    def pause(self) -> None:
        image = self.pick(Status.RUNNING)
        if image is None:
            return
        execution, epoch = image.key.execution, image.epoch
        watch = self.schedule.world.watch
        watch.paused.add(execution)

        def done(_: Any) -> None:
            found = watch.head(execution)
            # Where somebody else has begun to resume it meanwhile, nothing is promised.
            if found is not None and found.status is Status.PAUSED and not self.resuming[execution]:
                watch.stopped[execution] = epoch
            self.at(self.rng.choice((100, 5_000, 20 * MINUTE)), lambda: self.resume(execution))

        self.act("pause", lambda door: door.pause("main", execution), done)

    def resume(self, execution: str) -> None:
        watch = self.schedule.world.watch
        if execution not in self.cancelled:
            watch.stopped.pop(execution, None)
        self.resuming[execution] += 1

        def over() -> None:
            self.asked_for.discard(execution)
            self.resuming[execution] -= 1

        self.act("resume", lambda door: door.resume("main", execution), over=over)

    def redrive(self, image: Image) -> None:
        execution, rng = image.key.execution, self.rng
        self.redrives += 1
        watch = self.schedule.world.watch
        plan = watch.plan_of(image).plan
        step = rng.choice([step.id for step in plan.steps]) if rng.random() < 0.3 else None
        force = rng.random() < 0.3
        if force:
            watch.forced.add(execution)
        self.act("redrive", lambda door: door.redrive("main", execution, step=step, force=force))

    def pause_flow(self, written: Written) -> None:
        """Its triggers go on; what they start is queued."""
        self._set_paused(written, is_paused=True)
        self.at(self.rng.choice((2_000, 10 * MINUTE)), lambda: self.resume_flow(written))

    def resume_flow(self, written: Written) -> None:
        self._set_paused(written, is_paused=False)
        self.act("resume flow", lambda door: door.resume_flow("main", written.name))

    def _set_paused(self, written: Written, *, is_paused: bool) -> None:
        world = self.schedule.world
        live = now(world.versions.live("main", written.name))
        now(world.versions.set_live(replace(live, paused=is_paused, rev=live.rev + 1)))
        world.note("people", "pause the flow" if is_paused else "resume the flow", written.name)

    def republish(self, written: Written) -> None:
        """Another version of the same flow: what runs goes on with the one it began with."""
        number = int(written.name[1:])
        world = self.schedule.world
        world.publish(flow(number, edition=1))
        world.count("published_anew")

    # Answers ----------------------------------------------------------------------------------------------------------

    def answer_first(self, name: str, step: str) -> None:
        """To a step of the flow itself, whether it waits or not."""
        heads = [image for image in self.heads() if image.birth and image.birth.flow == name]
        heads = [image for image in heads if image.status is not Status.QUEUED]  # nobody has its links
        heads = [image for image in heads if step in self._plan(image).by_id]
        heads = [image for image in heads if self._plan(image).by_id[step].uses in ANSWERS]
        if heads:
            self.answer(heads[int(self.rng.random() * len(heads))], step, ())

    def _plan(self, image: Image) -> Any:
        return self.schedule.world.watch.plan_of(image).plan

    def answer(self, head: Image, step_id: str, path: tuple[int, ...], *, rightly: bool = False) -> None:
        rng, world = self.rng, self.schedule.world
        execution = head.key.execution
        step = self._plan(head).by_id[step_id]
        ports = ANSWERS[step.uses][:-1] if rightly or rng.random() < 0.85 else ANSWERS[step.uses][-1:]
        port = rng.choice(ports)
        understood = world.watch.plan_of(head)
        part = Mirror(world, understood, head).part(step, path)
        link = Link("main", execution, part, step_id, path)
        self.schedule.made_up += 1
        value = {"by": f"visitor {self.schedule.made_up}", "comment": "", "via": "link"}
        if step.uses == "callback":
            value = {"body": {"n": self.schedule.made_up}, "headers": {}, "query": {}, "method": "POST"}
        place = (execution, step_id, path)
        epoch = head.epoch

        def taken(said: Any) -> Callable[[Any], None]:
            return lambda _: self.answered.setdefault(place, []).append((port, said, epoch))

        asked = (*place, epoch)

        def over() -> None:
            self.tries[asked] += 1
            if self.tries[asked] < 20:
                self.asking.discard(asked)

        self.asking.add(asked)
        self.act(f"answer {step_id}", lambda door: door.signal(link, Signal(port, value)), taken(value), over)
        if not rightly and rng.random() < 0.2:
            self.act(f"heartbeat {step_id}", lambda door: door.heartbeat(link))
        if not rightly and rng.random() < 0.2:  # the same once more, at once
            again = {**value, "again": 1}
            self.act(f"answer {step_id}", lambda door: door.signal(link, Signal(port, again)), taken(again))

    # When nothing else happens ----------------------------------------------------------------------------------------

    def must(self) -> bool:
        """Nobody leaves an execution waiting for ever: whether there was something to do."""
        if self.schedule.is_calm:
            for image in self.heads(Status.PAUSED):
                if image.key.execution not in self.asked_for:
                    self.asked_for.add(image.key.execution)
                    self.at(1_000, lambda e=image.key.execution: self.resume(e))
                    return True
        for image in self.heads(Status.RUNNING):
            place = self._open_question(image)
            if place is not None:
                self.answer(image, *place, rightly=True)
                return True
        return False

    def _open_question(self, head: Image) -> tuple[str, tuple[int, ...]] | None:
        """A step that waits for an answer without an end."""
        world = self.schedule.world
        understood = world.watch.plan_of(head)
        for image in world.facts._images.values():
            if image.key.execution != head.key.execution or image.status.is_terminal:
                continue
            for name, fact in image.facts.items():
                if not isinstance(fact, Waiting) or fact.kind not in ANSWERS or fact.due:
                    continue
                step, path = understood.step_of(name)
                is_signalled = isinstance(image.facts.get("S" + name[1:]), Signalled)
                is_asked = is_signalled or (head.key.execution, step.id, path, head.epoch) in self.asking
                if not is_asked and understood.depth[step.id] == len(path):
                    return step.id, path
        return None

    # How they do it ---------------------------------------------------------------------------------------------------

    def act(
        self,
        what: str,
        work: Work,
        done: Callable[[Any], None] | None = None,
        over: Callable[[], None] | None = None,
        tries: int = 0,
    ) -> None:
        """By the door of some process; again where the world is at fault."""
        schedule = self.schedule
        world = schedule.world
        process = schedule.free() or (None if schedule.is_embedded else schedule.process())
        if process is None:  # the embedded server stands still
            until = max(each.frozen_until for each in world.processes)
            self.at(until - world.elapsed + 1, lambda: self.act(what, work, done, over, tries))
            return
        world.note(repr(process), f"people: {what}")
        background = process.background if schedule.is_embedded else None
        door = FrontDoor(process.tools, process.ends, background)
        task = process.begin(_as_coroutine(work, door), Delivery(process, what))

        def ended(task: Any) -> None:
            error = None if task.cancelled() else task.exception()
            if task.cancelled() or isinstance(error, DiedError | WorldError):
                if tries < 30:
                    self.at(1_000 * (tries + 1), lambda: self.act(what, work, done, over, tries + 1))
                else:
                    world.failed(f"L2: {what} was tried thirty times: {error!r}")
                return
            if over is not None:
                over()
            if error is None:
                world.note("people", f"{what}: done")
                if done is not None:
                    done(task.result())
            elif isinstance(error, PenstockError):
                world.note("people", f"{what}: {error.code}", error.detail)
            else:
                world.failed(f"a bug at the door, {what}: {error!r}")

        task.add_done_callback(ended)


async def _as_coroutine(work: Work, door: FrontDoor) -> Any:
    return await work(door)
