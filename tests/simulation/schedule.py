"""One seed, one schedule: a flow or a few, some workers, a storm of faults, and then calm until everything has ended."""

import contextlib
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.engine.ids import hashed_id
from chalicelib.engine.messages import Send, Start, Tick
from chalicelib.engine.records import Birth, Status
from chalicelib.errors import PenstockError, WorldError
from chalicelib.ports import Entered, Knock
from chalicelib.worker.budget import SKEW, Budget
from chalicelib.worker.burial import bury
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.sweeper import sweep, take_up
from tests.simulation import ends
from tests.simulation.ends import could_go_on
from tests.simulation.faults import OF_CALLS, Faults
from tests.simulation.flows import CHILDREN, LISTENER, POOL, Written, flow, write
from tests.simulation.people import People
from tests.simulation.ports import BEGAN, BEGINNING, Call, DiedError
from tests.simulation.process import Delivery, Process
from tests.simulation.small import small
from tests.simulation.world import World

MOST_EVENTS = 6_000
"""Of one schedule; more means that it goes in circles."""

MINUTE = 60_000

STORM = 250
"""Events after which no further fault is put in."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a seed."""

    seed: int
    steps: int
    events: int
    faults: Counter[str]
    violations: list[str]
    trace: list[tuple[int, str, str, Any]] = field(default_factory=list)
    flows: tuple[str, ...] = ()


class _Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


LISTENING = _Listening()


def listen() -> None:
    """What the worker logs is looked at for secrets, and shown nowhere."""
    log = logging.getLogger("penstock")
    log.setLevel(logging.INFO)
    log.propagate = False
    if LISTENING not in log.handlers:
        log.addHandler(LISTENING)


class Schedule:
    """One seed; with a `storm` of these faults alone, and many of them."""

    def __init__(self, seed: int, *, number: int | None = None, storm: tuple[str, ...] = ()) -> None:
        self.seed, self.storm = seed, storm
        rng = self.rng = random.Random(f"schedule {seed}")
        self.is_embedded = rng.random() < 0.25
        self.seconds = rng.choice((840.0, 840.0, 840.0, 120.0))
        # Now and then it is shorter than an invocation: whoever works for long has its message taken by another.
        visibility = int(self.seconds * 1000) + rng.choice((120_000, 120_000, -int(self.seconds * 250)))
        self.world = world = World(f"world {seed}", visibility=visibility)
        self.flows: list[Written] = []
        self.number = number
        self.made = 0
        self.entries = 0
        self.listens = False
        self.boot = 1 if self.is_embedded else 0
        self.events = 0
        self.swept = 0
        """When the sweeper went through last, in milliseconds since the beginning."""
        self.faults = Faults(self)
        self.people = People(self)
        self.made_up = 0
        self.stalled: dict[str, tuple[int, Any]] = {}
        """Executions that could go on and lie still, since when, and how they look."""
        self.stood_until = 0
        """When somebody went on last who had stood still."""
        self.patience = 2 * (int(self.seconds * 1000) + SKEW) + 3 * MINUTE
        self.most_redrives = rng.choice((0, 0, 0, 1, 2))
        self.is_calm = False
        self.actions: list[tuple[int, Callable[[], None]]] = []
        """What people do, and when, in milliseconds since the beginning."""
        world.pointer_age = rng.choice((5_000, 5_000, 86_400_000))
        listen()
        LISTENING.lines.clear()
        world.logged = LISTENING.lines

    # Setting the stage ------------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        rng, world = self.rng, self.world
        for each in CHILDREN:
            world.publish(write(each))
        if rng.random() < 0.25:
            self.listens = True
            world.publish(write(LISTENER))
        numbers = [rng.randrange(POOL) for _ in range(rng.choice((1, 1, 1, 2)))]
        if self.number is not None:
            numbers = [self.number]
        for each in dict.fromkeys(numbers):
            written = flow(each)
            self.flows.append(written)
            world.publish(written)
            for _ in range(rng.choice((2, 3)) if written.plan.concurrency else 1):
                self.enter(written)
            self.people.plan(written)

    def enter(self, written: Written) -> None:
        """Somebody starts it: by a message, or at the door; perhaps with a delivery key, perhaps twice."""
        rng = self.rng
        n = rng.choice((1, 5, 7))
        how = rng.choice(("message", "accepted", "accepted", "result", "step"))
        if how == "message":
            self.by_message(written, n)
            return
        self.entries += 1
        key = f"delivery {self.entries}" if rng.random() < 0.6 else None
        times = rng.choice((1, 2, 3)) if key is not None else 1
        for number in range(times):
            visitor = _Visitor(self, written, n, how, key, number)
            self.actions.append((rng.randrange(3_000), visitor.knock))

    def by_message(self, written: Written, n: int) -> None:
        world, plan = self.world, written.plan
        is_keyed = self.rng.random() < 0.5
        execution = hashed_id("main", plan.flow, str(n)) if is_keyed else world.ids.execution(BEGINNING)
        deadline = world.now + int(plan.deadline_seconds * 1000) if plan.deadline_seconds else 0
        birth = Birth(plan.flow, plan.version, "", world.now, "", "hash", deadline, keyed=is_keyed)
        start = Start("main", execution, birth, world.now, f'{{"trigger": null, "inputs": {{"n": {n}}}}}')
        world.letters.add(start, world.elapsed, world.code_version)
        world.watch.sends.append(Send(start))
        world.accepted.append(execution)

    def process(self) -> Process:
        """One more machine."""
        self.made += 1
        skew = 0
        if self.rng.random() < 0.2:
            skew = self.rng.randrange(-2_400, 2_400)
            self.world.count("clock_skew")
        process = Process(self.world, self.made, skew=skew, boot=self.boot, seconds=self.seconds)
        self.world.processes.append(process)
        return process

    def discard(self) -> None:
        """Untie the knot of references that a world is, so that most of it goes at once."""
        self.world.__dict__.clear()
        self.__dict__.clear()

    # Going on ---------------------------------------------------------------------------------------------------------

    def run(self) -> Result:
        world = self.world
        with small(), world.loop:
            self.set_up()
            while not world.violations and self.step():
                self.events += 1
                if self.events > MOST_EVENTS:
                    world.failed("L2: it goes in circles")
            if not world.violations:
                ends.look(world, listens=self.listens, answered=self.people.answered)
            if not world.violations:
                self.replay()
            steps = sum(len(image.facts) for image in world.facts._images.values())
            for process in list(world.processes):
                process.crash()
        flows = tuple(each.name for each in self.flows)
        return Result(self.seed, steps, self.events, world.counts, world.violations, world.trace, flows)

    def step(self) -> bool:
        """One event; False when nothing is left to happen."""
        world, rng, loop = self.world, self.rng, self.world.loop
        loop.run()
        self.wake()
        while self.actions and min(self.actions, key=_moment)[0] <= loop.elapsed:
            action = min(self.actions, key=_moment)
            self.actions.remove(action)
            action[1]()
            loop.run()
        if not self.is_calm and (self.events > STORM or not self.faults.left):
            self.is_calm = True
            self.faults.calm()
        if not self.is_calm and rng.random() < self.faults.rate:
            self.faults.strike()
            loop.run()
        calls = world.calls
        if any(process.frozen_until for process in world.processes):
            calls = [call for call in calls if call.process.frozen_until <= loop.elapsed]
        visible = world.letters.visible(loop.elapsed)
        draw = rng.random()
        if world.letters.dead and self.exhume():
            return True
        if world.ghosts and draw < 0.1:
            self.haunt()
        elif calls and (draw < 0.85 or not visible):
            self.release(calls[int(rng.random() * len(calls))])
        elif visible and self.deliver(visible):
            pass
        elif calls:
            self.release(calls[int(rng.random() * len(calls))])
        else:
            return self.wait()
        return True

    def wait(self) -> bool:
        """Nothing can happen now: time passes until something can."""
        world, loop = self.world, self.world.loop
        now = loop.elapsed
        moments = [moment for moment, _ in self.actions]
        for moment in (loop.next_timer(), world.letters.next_visible(now), self.next_sweep()):
            if moment is not None:
                moments.append(moment)
        moments += [process.frozen_until for process in world.processes if process.frozen_until > now]
        if world.letters.visible(now):
            moments += [moment + 1 for each in world.processes for moment in each.deadlines if moment >= now]
        if not moments and world.ghosts:
            self.haunt()
            return True
        if (not moments or min(moments) > now + MINUTE) and self.people.must():
            return True
        if not moments:
            return self.redrive()
        self.look_for_stalled(min(moments))
        loop.advance(max(min(moments), now + 1))
        self.sweep()
        if not self.is_embedded:
            for process in list(world.processes):
                if process.is_late and process.frozen_until <= loop.elapsed and not process.is_spared:
                    world.count("out_of_time")
                    self.bury(process)
        return True

    def look_for_stalled(self, until: int) -> None:
        """L2: nothing that could go on lies still for longer than a lease, the clocks' difference and a minute."""
        world = self.world
        if until - world.elapsed < MINUTE // 2:
            return
        if any(process.frozen_until > world.elapsed for process in world.processes):
            self.stalled.clear()
            return
        for image in list(world.facts._images.values()):
            execution = image.key.execution
            if image.key.is_head and image.status not in {Status.RUNNING, Status.ENDING}:
                self.stalled.pop(execution, None)
            elif image.key.is_head:
                is_still = not any(process.is_at(execution) for process in world.processes)
                step, moment = could_go_on(world, image, BEGAN + until) if is_still else ("", 0)
                if step:
                    looks = (image.epoch, image.status, image.busy, len(image.facts))
                    since, looked = self.stalled.get(execution, (world.elapsed, looks))
                    if looked != looks:
                        since = world.elapsed  # somebody was at it in between
                    self.stalled[execution] = (since, looks)
                    late = until - max(since, moment - BEGAN, self.stood_until, world.last_fault)
                    if late > self.patience:
                        world.failed(f"L2: {step} of {execution} could have gone on for {late / 1000:.0f} s")
                else:
                    self.stalled.pop(execution, None)

    def redrive(self) -> bool:
        """Everything has ended; somebody may take up again what ended badly."""
        people = self.people
        failed = people.heads(Status.FAILED, Status.CANCELLED, Status.TIMED_OUT)
        if not failed or people.redrives >= self.most_redrives:
            return False
        people.redrive(failed[int(self.rng.random() * len(failed))])
        return True

    def next_sweep(self) -> int | None:
        """The minute in which the sweeper finds something to look at."""
        checks = [i.next_check for i in self.world.facts._images.values() if i.key.is_head and i.next_check is not None]
        stands_still = self.is_embedded and any(each.frozen_until > self.world.elapsed for each in self.world.processes)
        if not checks or stands_still:
            return None
        due = max(min(checks) - BEGAN, self.swept + 1)
        return -(-due // MINUTE) * MINUTE

    def sweep(self) -> None:
        """Its minute has come: somebody looks at every head that is due."""
        world = self.world
        due = self.next_sweep()
        if due is None or due > world.elapsed:
            return
        process = self.free() or (None if self.is_embedded else self.process())
        if process is None:
            return
        self.swept = world.elapsed
        delivery = Delivery(process, "sweep")
        world.note(repr(process), "sweeps")
        task = process.begin(sweep(process.tools), delivery)
        task.add_done_callback(self._swept)

    def _swept(self, task: Any) -> None:
        if not task.cancelled() and not isinstance(task.exception(), PenstockError | DiedError | None):
            self.world.failed(f"a bug of the sweeper: {task.exception()!r}")

    def wake(self) -> None:
        """Who stood still goes on."""
        for process in list(self.world.processes):
            if process.frozen_until and process.frozen_until <= self.world.elapsed:
                process.frozen_until = 0
                self.stood_until = self.world.elapsed
                self.faults.thawed(process)
                kept, process.kept = process.kept, []
                for handle in kept:
                    self.world.loop.set_again(handle)
                self.world.note(repr(process), "goes on")
                self.world.loop.run()

    def release(self, call: Call) -> None:
        """A call goes through; or meets with a fault."""
        world, loop = self.world, self.world.loop
        call.released = True
        world.calls.remove(call)
        if not self.is_calm and (fault := self.faults.armed_for(call)) is not None:
            world.note(repr(call.process), call.kind, call.argument)
            world.count(fault)
            if call.delivery is not None:
                call.delivery.has_met_fault = True
                if not call.delivery.handles:
                    # Somebody at the door, or the work behind it: no message comes again, the due entry stands for it.
                    world.watch.orphans.update(_about(call))
            OF_CALLS[fault](self, call)
        else:
            world.note(repr(call.process), call.kind, call.argument)
            self.answer(call, lambda: world.do(call))
        while world.overtaken:
            process = world.overtaken.pop()
            if process.frozen_until > loop.elapsed and self.rng.random() < 0.5:
                process.frozen_until = loop.elapsed + self.rng.choice((1, 10, 40))  # it wakes in the worst moment
        loop.advance(loop.elapsed + int(self.rng.random() * 12))

    def answer(self, call: Call, work: Callable[[], Any]) -> None:
        try:
            answer = work()
        except PenstockError as error:
            self.give(call, error)
        else:
            if not call.future.done():
                call.future.set_result(answer)

    def give(self, call: Call, error: BaseException) -> None:
        if not call.future.done():
            call.future.set_exception(error)

    def haunt(self) -> None:
        """What was on its way arrives after all."""
        world = self.world
        ghost = world.ghosts.pop(int(self.rng.random() * len(world.ghosts)))
        world.note("ghost", ghost.kind, ghost.argument)
        with contextlib.suppress(PenstockError):
            world.do(ghost)

    def deliver(self, visible: list[Any]) -> bool:
        """A worker takes a message, or a few."""
        world = self.world
        free = self.free()
        if free is None:
            return False
        chosen = self.faults.choose(visible)
        batch = []
        for letter in chosen:
            received = world.letters.take(letter, world.elapsed)
            if received is not None:
                batch.append(received)
                world.note(repr(free), "takes", received)
        if batch:
            free.take(batch, self.seconds)
            if any(letter.is_poison for letter in chosen):
                world.loop.run()
                self.bury(free)
            else:
                self.faults.delivered(free, chosen)
        return True

    def exhume(self) -> bool:
        """A message that was delivered too often is made a visible failure."""
        world = self.world
        process = self.free()
        if process is None:
            return False
        letter = world.letters.dead.pop(0)
        message = letter.message
        world.note(repr(process), "buries", message)
        if message is not None:
            if letter.is_poison:
                world.poisoned.add(message.execution)
            elif self.is_embedded and world.counts["poison"]:
                pass  # it was in the hands of the one process there is, whenever another message killed that
            else:
                world.failed(f"L4: a message for {message.execution} died, and nothing was wrong with it")
        budget = Budget(process.now + int(self.seconds * 1000))
        work = bury(process.tools, message, letter.bodies, budget)
        task = process.begin(work, Delivery(process, "bury"))

        def done(task: Any) -> None:
            error = None if task.cancelled() else task.exception()
            if task.cancelled() or isinstance(error, WorldError | DiedError):
                self.actions.append((world.elapsed + MINUTE, lambda: world.letters.dead.append(letter)))
            elif error is not None:
                world.failed(f"a bug at the burial: {error!r}")
            elif not task.result() and message is not None:
                world.failed("L4: a dead letter was left as it is")
            elif isinstance(message, Start) and world.watch.head(message.execution) is None:
                world.failed("L4: a dead start has no failed head")

        task.add_done_callback(done)
        return True

    def free(self) -> Process | None:
        """A machine that may take a message now."""
        world = self.world
        if self.is_embedded:
            process = world.processes[0] if world.processes else self.boot_up()
            return None if process.frozen_until > world.elapsed else process
        idle = [p for p in world.processes if not p.is_busy and p.frozen_until <= world.elapsed]
        if len(world.processes) < 4 and (not idle or self.rng.random() < 0.15):
            return self.process()
        return idle[int(self.rng.random() * len(idle))] if idle else None

    def boot_up(self) -> Process:
        """The embedded server starts again, in its next life."""
        process = self.process()
        delivery = Delivery(process, "boot")
        if self.made > 1:
            process.begin(_take_up(process), delivery)
        return process

    def bury(self, process: Process) -> None:
        """It dies; what it had in hands is visible when its time is over, of an embedded server at once."""
        world = self.world
        world.note(repr(process), "dies")
        for call in world.calls_of(process):
            if call.kind in {"http.send", "facts.write", "queue.send", "blobs.put"} and self.rng.random() < 0.3:
                world.ghosts.append(call)
                if call.kind == "facts.write" and call.delivery is not None and not call.delivery.handles:
                    world.watch.orphans.add(call.argument.key.execution)
        at = [each for each in process.deliveries if each.handles]
        for each in process.deliveries:
            if not each.handles or process.background.tasks:
                world.watch.orphans.update(each.known)
        process.crash()
        world.watch.died(at)
        if self.is_embedded:
            self.boot += 1
            for letter in world.letters.by_number.values():
                if letter.count and letter.visible_at > world.elapsed:
                    letter.visible_at = world.elapsed
            world.processes.clear()
            self.boot_up()

    def replay(self) -> None:
        """L3: every message once more, whatever it is, changes nothing."""
        world, watch = self.world, self.world.watch
        writes, applied, sends = watch.writes, sum(world.outside.applied.values()), len(watch.sends)
        self.is_calm = True
        messages = list(dict.fromkeys(each.message for each in watch.sends))
        for message in messages:
            letter = world.letters.add(message, world.elapsed, 1)
            letter.count = self.rng.choice((0, 1))
        count = 0
        while not world.violations and self.step():
            count += 1
            if count > MOST_EVENTS:
                watch.fail("L3: a replay never ends")
        now = (watch.writes, sum(world.outside.applied.values()), len(watch.sends))
        if now != (writes, applied, sends):
            watch.fail(f"L3: replaying every message made {now} of {(writes, applied, sends)} writes, effects, sends")


def _moment(action: tuple[int, Any]) -> int:
    return action[0]


async def _take_up(process: Process) -> None:
    """As the embedded server does when it starts."""
    for _ in range(20):
        try:
            left = await process.facts.unfinished(1000)
            await take_up(process.tools, [key for key, _ in left])
            return
        except PenstockError:
            await process.clock.sleep(1)


def _about(call: Call) -> set[str]:
    """The executions that a call to the store or the queue is about."""
    match call.kind:
        case "facts.write":
            return {call.argument.key.execution}
        case "facts.read":
            return {call.argument.execution}
        case "queue.send":
            return {each.message.execution for each in call.argument if not isinstance(each.message, Tick)}
        case _:
            return set()


class _Visitor:
    """Somebody at the door, who comes again until there is an answer."""

    def __init__(self, schedule: Schedule, written: Written, n: int, how: str, key: str | None, number: int) -> None:
        self.schedule, self.written, self.n, self.how, self.key, self.number = schedule, written, n, how, key, number
        self.tries = 0
        self.received = BEGAN + schedule.world.elapsed

    def knock(self) -> None:
        schedule = self.schedule
        world = schedule.world
        if schedule.is_embedded:
            process = world.processes[0] if world.processes else schedule.boot_up()
        else:
            process = schedule.free() or schedule.process()
        self.tries += 1
        delivery = Delivery(process, f"knock {self.number}")
        world.note(repr(process), "knock", self.key)
        task = process.begin(self._knock(process), delivery)
        task.add_done_callback(self._done)

    async def _knock(self, process: Process) -> Any:
        world = self.schedule.world
        background = process.background if self.schedule.is_embedded else None
        door = FrontDoor(process.tools, process.ends, background)
        plan = await process.plans.plan("main", self.written.plan.flow, self.written.version)
        knock = Knock(
            *("main", plan, None, None, {"n": self.n}, self.how, self.received),
            key=self.key,
            fingerprint="hash" if self.key else "",
            wait_seconds=25.0,
        )
        try:
            entered = await door.enter(knock)
        except PenstockError as error:
            world.note(repr(process), "is refused", error.detail)
            raise
        assert isinstance(entered, Entered)
        world.note(repr(process), "is answered", entered.execution)
        world.accepted.append(entered.execution)
        if self.key is not None:
            world.answers.setdefault((self.written.name, self.key), set()).add(entered.execution)
        return entered

    def _done(self, task: Any) -> None:
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        world = self.schedule.world
        if not isinstance(error, PenstockError | DiedError):
            world.failed(f"a bug at the door: {error!r}")
        elif self.tries < 20:
            self.schedule.actions.append((world.elapsed + 2_000 * self.tries, self.knock))
        else:
            world.failed("L5: a delivery was refused twenty times")
