"""One machine that works: its clock, its memory of plans, its calls. It can stand still for a while, and die."""

from collections.abc import Coroutine, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.engine.records import Status
from chalicelib.flow.plan import Plan
from chalicelib.flow.planning import make_plan
from chalicelib.ports import Received
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.ends import Background, Ends
from chalicelib.worker.listener import work_batch
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.tools import Settings, Tools
from tests.simulation.flows import MEMO
from tests.simulation.outside import ENTRIES, build
from tests.simulation.ports import (
    BEGAN,
    DELIVERY,
    DiedError,
    Gate,
    GatedBlobs,
    GatedFacts,
    GatedHttp,
    GatedQueue,
    GatedVersions,
    OneCredential,
    SkewedClock,
)
from tests.simulation.small import INLINE_TURNS

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(slots=True, eq=False)
class Delivery:
    """One piece of work in hand: a message, a knock at the door, a sweep. What it knows, and what it has promised."""

    process: "Process"
    name: str
    handles: tuple[str, ...] = ()
    epochs: dict[str, int] = field(default_factory=dict)
    """By execution: the epoch in which it began."""
    known: dict[str, Status] = field(default_factory=dict)
    """By execution: the status that its latest image showed."""
    is_acknowledged: bool = False
    has_met_fault: bool = False
    """A call of its own has failed, or came to nothing."""


class QuickPlans(RememberedPlans):
    """As the worker's own, but a version that any world has understood before is not read once more."""

    async def plan(self, tenant: str, flow: str, version: str) -> Plan:
        key = (tenant, flow, version)
        if key not in self._plans:
            text = await self._versions.text(*key)
            plan = MEMO.get(text)
            if plan is None:
                plan = MEMO[text] = make_plan(_read(text), ENTRIES)
            self._plans[key] = plan
        return self._plans[key]


def _read(text: str) -> Any:
    import json

    return json.loads(text)


class Process:
    """A worker."""

    def __init__(
        self, world: "World", number: int, *, skew: int = 0, boot: int = 0, is_old: bool = False, seconds: float = 840.0
    ) -> None:
        self.world = world
        self.number = number
        self.skew = skew
        self.boot = boot
        self.is_old = is_old
        """Of yesterday: it can read no message and no record of a later version."""
        self.is_dead = False
        self.frozen_until = 0
        self.sleeping: dict[Any, None] = {}
        self.kept: list[Any] = []
        """Timers that were due while it stood still."""
        self.tasks: list[Any] = []
        gate = Gate(self)
        self.clock = SkewedClock(self)
        self.facts, self.queue = GatedFacts(gate), GatedQueue(gate)
        self.ends = Ends()
        self.background = Background()
        versions: Any = GatedVersions(gate)
        self.plans = QuickPlans(versions, ENTRIES, self.clock, pointer_age=world.pointer_age)
        self.tools = Tools(
            clock=self.clock,
            ids=world.ids,
            facts=self.facts,
            queue=self.queue,
            blobs=GatedBlobs(gate),
            http=GatedHttp(gate),
            credentials=OneCredential(gate),
            evaluator=world.evaluator,
            plans=self.plans,
            build=build,
            settings=Settings(boot=boot, invocation_seconds=seconds, inline_turns=INLINE_TURNS),
            announce=self.ends.announce,
            respond=self.ends.respond,
        )

    def __repr__(self) -> str:
        return f"p{self.number}"

    @property
    def now(self) -> int:
        """Epoch milliseconds, as its clock has them."""
        return BEGAN + self.world.loop.elapsed + self.skew

    @property
    def is_busy(self) -> bool:
        return any(not task.done() for task in self.tasks)

    @property
    def deliveries(self) -> list[Delivery]:
        """What it has in hand."""
        return [task.delivery for task in self.tasks if not task.done()]

    @property
    def deadlines(self) -> list[int]:
        """When whoever runs its invocations ends them, in milliseconds since the beginning."""
        return [task.deadline for task in self.tasks if task.deadline and not task.done()]

    is_spared = False
    """It stands still for longer than it may live, and goes on all the same: nobody has ended it."""

    @property
    def is_late(self) -> bool:
        return any(moment < self.world.loop.elapsed for moment in self.deadlines)

    def begin(self, work: Coroutine[Any, Any, Any], delivery: Delivery) -> Any:
        """A task of its own, which is for this delivery."""
        context = copy_context()
        context.run(DELIVERY.set, delivery)
        self.tasks = [task for task in self.tasks if not task.done()]
        task: Any = self.world.loop.create_task(work, context=context)
        task.delivery, task.deadline = delivery, 0
        self.tasks.append(task)
        return task

    def take(self, batch: Sequence[Received], seconds: float) -> None:
        """An invocation for these deliveries, which share its time."""
        budget = Budget(to_milliseconds(self.clock.now()) + int(seconds * 1000))
        deadline = self.world.loop.elapsed + int(seconds * 1000) + 30_000
        for each in batch:
            readable = self._readable(each)
            delivery = Delivery(self, f"m{each.handle}", (each.handle,))
            self.begin(self._work(readable, budget, delivery), delivery).deadline = deadline

    def _readable(self, received: Received) -> Received:
        """What this code makes of the body: a message of a later version is none of ours (`cloud.messages`)."""
        letter = self.world.letters.by_number.get(int(received.handle.partition(".")[0]))
        if self.is_old and letter is not None and letter.version > 1:
            self.world.count("old_code")
            return Received(received.handle, received.count, None, "{}")
        return received

    async def _work(self, received: Received, budget: Budget, delivery: Delivery) -> None:
        inbox: Any = self.queue
        try:
            failed = await work_batch(self.tools, inbox, [received], budget)
            if not failed:
                await inbox.acknowledge([received])
        except DiedError:
            raise
        except Exception as error:
            if not self.is_dead:
                self.world.failed(f"{type(error).__name__}: {error}")

    def is_at(self, execution: str) -> bool:
        """Whether it works on this execution."""
        return any(
            not task.done() and execution in task.delivery.known and not task.delivery.is_acknowledged
            for task in self.tasks
        ) or any(not task.done() for task in self.background.tasks)

    def crash(self) -> None:
        """It is gone: nothing it still does reaches the world."""
        self.is_dead = True
        world = self.world
        for call in world.calls_of(self):
            if not call.future.done():
                call.future.set_exception(DiedError())
        for future in list(self.sleeping):
            if not future.done():
                future.set_exception(DiedError())
        world.loop.run()
        for _ in range(20):
            left = [task for task in (*self.tasks, *self.background.tasks) if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            world.loop.run()
        self.tasks = []
        self.kept = []
        world.forget(self)
