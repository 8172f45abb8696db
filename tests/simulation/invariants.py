"""What must always hold (design 4.10), looked at after every event that could break it; each failure names which."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from chalicelib.engine.controls import LANE
from chalicelib.engine.cut import Cut
from chalicelib.engine.facts import (
    Claimed,
    Done,
    Fact,
    How,
    Marked,
    Placed,
    Retrying,
    Signalled,
    Waiting,
    fact_name,
    place_name,
)
from chalicelib.engine.ids import idempotency_key
from chalicelib.engine.messages import Go, Resume, Send, Start
from chalicelib.engine.records import Image, RecordKey, Status
from chalicelib.engine.writes import Applied, Commit, NotDone
from chalicelib.flow.plan import Effect, StepPlan
from chalicelib.ports import HttpAnswer
from chalicelib.worker.budget import SKEW
from chalicelib.worker.stage import keeps_facts
from tests.simulation.ends import left_behind
from tests.simulation.flows import MEMO, Understood, understood
from tests.simulation.mirror import Mirror
from tests.simulation.outside import Asked, key_of
from tests.simulation.ports import CANARY, Call

if TYPE_CHECKING:
    from tests.simulation.process import Delivery
    from tests.simulation.world import World

STOPPING = frozenset(
    {Status.ENDING, Status.PAUSED, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT}
)
NEXT = {
    Status.QUEUED: {Status.QUEUED, Status.RUNNING, Status.ENDING},
    Status.RUNNING: {
        Status.RUNNING,
        Status.PAUSED,
        Status.ENDING,
        Status.SUCCEEDED,
        Status.FAILED,
        Status.CANCELLED,
        Status.TIMED_OUT,
    },
    Status.PAUSED: {
        Status.PAUSED,
        Status.RUNNING,
        Status.ENDING,
        Status.SUCCEEDED,
        Status.FAILED,
        Status.TIMED_OUT,
    },
    Status.ENDING: {Status.ENDING, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT},
}
"""What may follow what within an epoch (design 4.9); nothing follows an end."""

BEGUN = frozenset({Status.RUNNING, Status.PAUSED})
"""An execution with these holds its places; one that is ending may never have had them."""

ACTS = frozenset({"facts.write", "queue.send", "http.send", "blobs.put"})
EFFECTIVE = Done | Claimed | Retrying | Waiting


class Watch:
    """Sees every call as it arrives, and as it takes effect."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.plans: dict[str, Understood] = {}
        """By version."""
        self.holders: dict[tuple[RecordKey, str, str], Delivery] = {}
        """Who took a claim: by record, fact and token."""
        self.claimed: dict[tuple[Delivery, RecordKey, str], None] = {}
        self.ends: Counter[tuple[RecordKey, int]] = Counter()
        self.bodies: dict[tuple[Any, ...], bytes] = {}
        self.keys: dict[str, tuple[Any, ...]] = {}
        self.sends: list[Send] = []
        self.writes = 0
        self.requests = 0
        self.stopped: dict[str, int] = {}
        """Executions whose cancel or pause has returned, with their epoch."""
        self.parsed: dict[Any, Any] = {}
        self.cancels: set[str] = set()
        """Executions that somebody wanted cancelled, or whose parent ended."""
        self.paused: set[str] = set()
        """Executions that somebody paused."""
        self.orphans: set[str] = set()
        """Executions whose worker had them from the door, and died: no message knows of them."""
        self.by_due: set[str] = set()
        """Executions whose Resume was acknowledged, whoever was at them: their due entry stands for it."""
        self.forced: set[str] = set()
        """Executions that somebody redrove by force."""
        self.caps: dict[str, int] = {}
        """By lane."""
        self.once: Counter[tuple[Any, ...]] = Counter()
        """At-most-once effects, by place and epoch."""

    def fail(self, what: str) -> None:
        self.world.failed(what)

    def plan_of(self, head: Image) -> Understood:
        version = head.birth.version
        known = self.plans.get(version)
        if known is None:
            text = self.world.versions._texts["main", head.birth.flow][version][0]
            known = self.plans[version] = understood(MEMO[text])
        return known

    def head(self, execution: str) -> Image | None:
        return self.world.facts._images.get(RecordKey("main", execution))

    # A call arrives at its gate: that is the moment in which the worker decided to make it ---------------------------

    def arrives(self, call: Call) -> None:
        delivery = call.delivery
        if delivery is None or call.kind not in ACTS:
            return
        if delivery.is_acknowledged:
            self.fail(f"I8: {delivery.name} made a {call.kind} after it was acknowledged")
        if call.kind == "http.send":
            self._starts(call, delivery)

    def _starts(self, call: Call, delivery: "Delivery") -> None:
        from tests.simulation.outside import parse

        asked = parse(call.argument)
        status = delivery.known.get(asked.execution)
        if status not in STOPPING or asked.ask:
            return
        head = self.head(asked.execution)
        if head is None:
            return
        plan = self.plan_of(head)
        step = plan.plan.by_id.get(asked.step)
        if step is None or step.credential:  # it was begun before its credential was opened
            return
        is_handler = asked.step in plan.handlers or plan.outermost[asked.step] in plan.handlers
        if not (is_handler and status is Status.ENDING):
            self.fail(f"I12: {delivery.name} starts {asked.step} though it knows that the execution is {status.word}")

    # A call takes effect ----------------------------------------------------------------------------------------------

    def saw(self, call: Call, image: Image | None) -> None:
        """A worker is told how a record stands."""
        delivery = call.delivery
        if image is None or delivery is None or not image.key.is_head:
            return
        delivery.epochs.setdefault(image.key.execution, image.epoch)
        delivery.known[image.key.execution] = image.status

    def wrote(self, call: Call, before: Image | None, answer: Any) -> None:
        self.saw(call, answer.image)
        if type(answer) is not Applied:
            return
        after: Image = answer.image
        self.writes += 1
        write = call.argument
        if isinstance(write, Commit) and write.redrives and before is not None and after.key.is_head:
            self._redriven(before, after)
        if before is not None:
            self._kept(before, after)
        if after.key.is_head:
            self._moved(before, after)
        elif after.key.part == LANE:
            self._lane(after)
        elif isinstance(write, Commit) and any(name[0] == "M" for name in write.puts):
            self._marked(write, after)
        if isinstance(write, Commit):
            head = after if after.key.is_head else self.head(after.key.execution)
            if head is not None and head.birth is not None and write.puts:
                self._recorded(call, write, before, after, head)
            self._durable(write, after)

    def _kept(self, before: Image, after: Image) -> None:
        """I1, I5, I9: what is recorded stays, and what has ended has ended."""
        if after.epoch == before.epoch:
            facts = after.facts
            for name, fact in before.facts.items():
                if type(fact) is Done and facts.get(name) != fact:
                    self.fail(f"I1: {name} was {fact} and became {facts.get(name)}")
            for name, text in before.inline.items():
                if after.inline.get(name) != text:
                    self.fail(f"I1: the pack {name} has another text")
            if before.status.is_terminal and after.key.is_head:
                if after.status is not before.status:
                    self.fail(f"I9: {before.status.word} became {after.status.word}")
                if (before.facts, before.reason, before.output_pack, before.ended) != (
                    after.facts,
                    after.reason,
                    after.output_pack,
                    after.ended,
                ):
                    self.fail("I5: a write after the end changed what was recorded")
        elif after.epoch != before.epoch + 1 or (after.key.is_head and not before.status.is_terminal):
            self.fail(f"I9: epoch {before.epoch} of {before.status.word} became {after.epoch}")
        if after.birth != before.birth:
            self.fail("I14: the birth of an execution changed")
        if after.rev != before.rev + 1:
            self.fail(f"I6: rev {before.rev} became {after.rev}: a write of nobody's")

    def _moved(self, before: Image | None, after: Image) -> None:
        """I5: an end comes once, and from where it may."""
        goes_on = before is not None and before.epoch == after.epoch and not before.status.is_terminal
        if goes_on and after.status not in NEXT[before.status]:
            self.fail(f"I5: {before.status.word} became {after.status.word}")
        is_paused = goes_on and before.status is Status.PAUSED
        if is_paused and after.status.is_terminal and not 0 < before.birth.deadline <= after.ended:
            # What is paused is judged once it goes on, or once its time is up.
            self.fail(f"I5: a paused execution {after.status.word}, and had time left")
        if after.status.is_terminal and (before is None or before.status is not after.status):
            place = (after.key, after.epoch)
            self.ends[place] += 1
            if self.ends[place] > 1:
                self.fail(f"I5: execution {after.key.execution} ended twice in one epoch")

        if after.status is Status.RUNNING and after.birth is not None and after.birth.lanes:
            self._admitted(before, after)

    def _admitted(self, before: Image | None, after: Image) -> None:
        """I10: who runs has a place in each of its lanes."""
        execution = after.key.execution
        for lane in after.birth.lanes:
            cap, _, name = lane.partition(":")
            self.caps[name] = int(cap)
            image = self.world.facts._images.get(RecordKey(after.key.tenant, name, LANE))
            place = image.facts.get(place_name(execution)) if image is not None else None
            if (before is None or before.status is Status.QUEUED) and not (place and place.is_held):
                self.fail(f"I10: {execution} began without a place in its lane")
            running = [
                each.key.execution
                for each in self.world.facts._images.values()
                if each.key.is_head and lane in each.birth.lanes and each.status in BEGUN
            ]
            if len(running) > int(cap):
                self.fail(f"I10: {len(running)} executions run in a lane of {cap}")

    def _lane(self, after: Image) -> None:
        held = sum(fact.is_held for fact in after.facts.values() if isinstance(fact, Placed))
        if held > self.caps.get(after.key.execution, 99):
            self.fail(f"I10: {held} hold a place in a lane of {self.caps[after.key.execution]}")

    def _marked(self, write: Commit, after: Image) -> None:
        """I7: no more marks than there are, each after its chunk's result."""
        key = after.key
        loop, _, which = key.part.partition("/")
        head = self.head(key.execution)
        if head is None or head.epoch != after.epoch:
            return
        step = self.plan_of(head).plan.by_id[loop]
        fact = head.facts.get(_name(step, ()))
        if not isinstance(fact, Waiting) or fact.kind != "cut":
            return
        made = Cut.from_text(fact.detail)
        images = self.world.facts._images
        is_root = which == "r" and made.shards > 1
        expected = made.shards if is_root else made.chunks if which == "r" else made.shard_size(int(which[1:]))
        count = sum(isinstance(fact, Marked) for fact in after.facts.values())
        if count > expected:
            self.fail(f"I7: {count} marks of {expected} in {key.part}")
        for name, put in write.puts.items():
            number = int(name[1:])
            if is_root:
                shard = images.get(RecordKey(key.tenant, key.execution, f"{loop}/s{number}"))
                marks = sum(isinstance(fact, Marked) for fact in shard.facts.values()) if shard is not None else 0
                if marks < made.shard_size(number):
                    self.fail(f"I7: shard {number} of {loop} was marked with {marks} marks in it")
            elif put.fact.ran:
                chunk = images.get(RecordKey(key.tenant, key.execution, f"{loop}/b{number}"))
                if chunk is None or not chunk.status.is_terminal:
                    self.fail(f"I7: chunk {number} of {loop} was marked before its result was durable")

    def _joined(self, step: StepPlan, fact: Waiting, after: Image) -> None:
        """I7: a join comes after every chunk's result."""
        made, key, images = Cut.from_text(fact.detail), after.key, self.world.facts._images
        root = images.get(RecordKey(key.tenant, key.execution, f"{step.id}/r"))
        marks = [each for each in root.facts.values() if isinstance(each, Marked)] if root is not None else []
        if len(marks) < (made.chunks if made.shards == 1 else made.shards):
            self.fail(f"I7: {step.id} was joined with {len(marks)} marks in its root")
        if not all(mark.ran for mark in marks):
            return
        for chunk in range(made.chunks):
            image = images.get(RecordKey(key.tenant, key.execution, f"{step.id}/b{chunk}"))
            if image is None or not image.status.is_terminal:
                self.fail(f"I7: {step.id} was joined before the result of chunk {chunk} was durable")

    def _redriven(self, before: Image, after: Image) -> None:
        """I3: an effect that happened, or may have, is repeated only by force. I1: what is kept is kept as it is."""
        plan = self.plan_of(after)
        for name, fact in before.facts.items():
            kept = after.facts.get(name)
            if type(fact) is Done and kept is not None and kept != fact:
                self.fail(f"I1: a redrive changed {name}")
            place = plan.step_of(name) if name[0] == "f" else None
            if place is None or kept is not None or type(fact) is not Done:
                continue
            step, path = place
            happened = any(self.world.outside.applied[after.key.execution, step.id, path, ask] for ask in (0, 1))
            is_once = step.effect is Effect.AT_MOST_ONCE and fact.how is not How.FAILED
            if is_once and happened and after.key.execution not in self.forced:
                self.fail(f"I3: {step.id} is to be repeated, and nobody forced it")

    def _recorded(self, call: Call, write: Commit, before: Image | None, after: Image, head: Image) -> None:
        plan = self.plan_of(head)
        facts = before.facts if before is not None else {}
        mirror: Mirror | None = None
        for name in write.puts:
            if name[0] != "f":
                continue
            place = plan.step_of(name)
            if place is None:
                self.fail(f"I14: {name} is no step of version {plan.plan.version[:8]}")
                return
            step, path = place
            old, new = facts.get(name), after.facts[name]
            if len(path) > plan.depth[step.id]:
                continue  # a round of a `repeat`
            # What keeps nothing may be run whole by one worker while another, with less time left, has cut it.
            is_whole = isinstance(write.puts[name].guard, NotDone) and step.body and not keeps_facts(step.body)
            if type(old) is Waiting and old.kind == "cut" and type(new) is Done and not is_whole:
                self._joined(step, old, after)
            self._held(call, write, step, name, old, new, after)
            if type(new) is Claimed:
                self._claimed(call, plan, step, name, old, new, before, after)
            if step.id in plan.handlers or plan.outermost[step.id] in plan.handlers:
                if head.status not in {Status.ENDING, Status.FAILED, Status.TIMED_OUT}:
                    self.fail(f"I2: {step.id} of on_failure began while the execution is {head.status.word}")
                continue
            mirror = mirror or Mirror(self.world, plan, head)
            if not mirror.may_run(step, path):
                self.fail(f"I2: {step.id} {path} has {new} though its needs do not hold")

    def _held(
        self, call: Call, write: Commit, step: StepPlan, name: str, old: Fact | None, new: Fact, after: Image
    ) -> None:
        """I6: a stale token never commits, nor does an unleased result of an earlier epoch."""
        delivery = call.delivery
        if type(old) is Claimed and type(new) is not Claimed:
            holder = self.holders.get((after.key, name, old.token))
            is_lost = type(new) is Done and new.how is How.UNKNOWN and old.expires <= self.world.now + SKEW
            is_older = old.boot < call.process.boot
            if holder is not delivery and not is_lost and not (is_older and type(new) is Done):
                self.fail(f"I6: {name} held by {holder and holder.name} was written by {delivery and delivery.name}")
        elif type(new) is Done and new.how is How.SUCCEEDED and step.effect.is_leased:
            self.fail(f"I6: the leased {step.id} was recorded as done without a claim")
        began = delivery.epochs.get(after.key.execution, after.epoch) if delivery is not None else after.epoch
        if began != after.epoch and type(old) is not Claimed:
            self.fail(f"I6: {name}, of epoch {began}, was recorded in epoch {after.epoch}")

    def _claimed(
        self,
        call: Call,
        plan: Understood,
        step: StepPlan,
        name: str,
        old: Fact | None,
        new: Claimed,
        before: Image | None,
        after: Image,
    ) -> None:
        """I12: no claim once it is stopped; and no claim over one that lives."""
        overtaken = self.holders.get((after.key, name, old.token)) if type(old) is Claimed else None
        if overtaken is not None:
            self.world.overtaken.append(overtaken.process)
        self.holders[after.key, name, new.token] = call.delivery
        self.claimed[call.delivery, after.key, name] = None
        if type(old) is Claimed and old.expires > self.world.now + SKEW and old.boot >= new.boot:
            self.fail(f"I6: {name} was claimed while another's lease on it lives")
        is_handler = step.id in plan.handlers or plan.outermost[step.id] in plan.handlers
        status = before.status if before is not None else after.status
        allowed = {Status.ENDING, Status.RUNNING} if is_handler else {Status.RUNNING}
        if status not in allowed:
            self.fail(f"I12: {step.id} was claimed while the record is {status.word}")
        execution = after.key.execution
        if self.stopped.get(execution) == after.epoch and not is_handler:
            self.fail(f"I12: {step.id} was claimed after a cancel or a pause had returned")

    def _durable(self, write: Commit, after: Image) -> None:
        """I8: what a record names is there before it is named."""
        names = {fact.pack for put in write.puts.values() if isinstance(fact := put.fact, _PACKED) and fact.pack}
        if write.birth is not None and write.birth.input_pack:
            names.add(write.birth.input_pack)
        if write.finish is not None and write.finish.output_pack:
            names.add(write.finish.output_pack)
        for name in names:
            there = {
                "i": lambda pack: pack in after.inline,
                "p": lambda pack: (after.key, pack) in self.world.facts._packs,
                "b": lambda pack: pack[1:] in self.world.blobs._contents,
            }[name[0]](name)
            if not there:
                self.fail(f"I8: a record names the pack {name}, which is nowhere")
        for texts in (write.inline, write.packs):
            for text in texts.values():
                if CANARY in text:
                    self.fail("I13: a secret is in a record")

    def sent(self, call: Call, send: Send) -> None:
        self.sends.append(send)
        message = send.message
        if isinstance(message, Start):
            if CANARY in message.input:
                self.fail("I13: a secret is in a message")
            return
        head = self.head(message.execution)
        if head is None:
            self.fail(f"I8: a message was sent for {message.execution}, which is not recorded")
            return
        if call.delivery is not None and call.delivery.name.startswith("answer"):
            return  # it may come before its step waits
        if isinstance(message, Go) and message.epoch == head.epoch and head.status is Status.RUNNING:
            plan = self.plan_of(head)
            mirror = Mirror(self.world, plan, head)
            for name in message.steps:
                step = plan.plan.by_id.get(name)
                if step is not None and name not in plan.handlers and not mirror.may_run(step, ()):
                    self.fail(f"I8: a message was sent for {name} before what it needs was recorded")

    def acknowledged(self, call: Call) -> None:
        delivery = call.delivery
        if delivery is None:
            return
        delivery.is_acknowledged = True
        # For a Resume the due entry stands: it may go while somebody else is at it.
        is_resume = any(isinstance(each.message, Resume) for each in call.argument)
        if is_resume:
            self.by_due.update(delivery.known)
            self.let_go(delivery)
            return
        for execution in delivery.known:
            head = self.head(execution)
            if head is not None and head.status is Status.QUEUED:
                # Whoever is let in later may have had this very message, which is gone: the due entry stands for it.
                self.orphans.add(execution)
            if head is not None and (why := left_behind(self.world, head)):
                self.fail(f"L1: the last message for {execution} was acknowledged, but {why}")
        self.let_go(delivery)

    def died(self, deliveries: "list[Delivery]") -> None:
        """L1: a worker is gone; what it had in hand comes again."""
        for delivery in deliveries:
            for execution in delivery.known:
                head = self.head(execution)
                if not delivery.is_acknowledged and head is not None and (why := left_behind(self.world, head)):
                    self.fail(f"L1: a worker at {execution} is gone, its message too, and {why}")

    def let_go(self, delivery: "Delivery") -> None:
        """A worker that lives lets go of a message: what it did under a claim is recorded, unless the world failed it."""
        if delivery.has_met_fault or delivery.process.is_dead:
            return
        for owner, key, name in self.claimed:
            if owner is delivery:
                fact = self.world.facts._images[key].facts.get(name)
                mine = isinstance(fact, Claimed) and self.holders.get((key, name, fact.token)) is delivery
                if mine and fact.expires > self.world.now + SKEW:
                    self.fail(f"I6: {delivery.name} let go of {name}, which it has claimed, and says nothing of it")

    def requested(self, call: Call, asked: Asked) -> None:
        """A request reaches the service."""
        self.requests += 1
        request = call.argument
        head = self.head(asked.execution)
        if request.method == "GET":
            return
        if head is None:
            self.fail(f"I2: {asked.step} had its effect before anything was recorded")
            return
        plan = self.plan_of(head)
        step = plan.plan.by_id.get(asked.step)
        if step is None:
            self.fail(f"I14: {asked.step} is no step of the version that the execution started with")
            return
        self._same_body(call, asked, request)
        if step.id in plan.handlers or plan.outermost[step.id] in plan.handlers:
            return
        if step.effect.is_leased:
            part = Mirror(self.world, plan, head).part(step, asked.path)
            name = _name(step, asked.path)
            if (call.delivery, RecordKey("main", asked.execution, part), name) not in self.claimed:
                self.fail(f"I3: {asked.step} was sent without a claim")
        if step.effect.needs_barrier:
            self._inputs(call, head, plan, step, asked)

    def _same_body(self, call: Call, asked: Asked, request: Any) -> None:
        """I4: one key for each place, always with one body."""
        place = asked.place
        key = key_of(request)
        head = self.head(asked.execution)
        identity = key if key is not None else (place, head.epoch if head is not None else 0)
        known = self.bodies.setdefault(identity, request.body)
        if known != request.body:
            self.fail(f"I4: {asked.step} {asked.path} was sent with {known!r} and with {request.body!r}")
        if key is not None:
            if self.keys.setdefault(key, place) != place:
                self.fail(f"I4: the key {key} was used for two requests")
            if not key.startswith(idempotency_key(asked.execution, asked.step, asked.path, asked.ask)):
                self.fail(f"I4: the key of {place} is {key}")

    def _inputs(self, call: Call, head: Image, plan: Understood, step: StepPlan, asked: Asked) -> None:
        """I2: the needs hold, and what is sent was computed from what is recorded."""
        if call.delivery is not None and call.delivery.epochs.get(asked.execution, head.epoch) != head.epoch:
            return  # it began before a redrive: what it was computed from may be gone
        mirror = Mirror(self.world, plan, head)
        if not mirror.may_run(step, asked.path):
            self.fail(f"I2: {step.id} {asked.path} had its effect before its needs held")
            return
        try:
            parameters = mirror.parameters(step, asked.path)
        except Exception as error:
            self.fail(f"I2: {step.id} {asked.path} was sent, but its parameters cannot be computed: {error!r}")
            return
        import json

        given = parameters["given"] if step.uses == "sim.ask" else parameters["json"]["given"]
        sent = json.loads(call.argument.body)["given"]
        if sent != given:
            self.fail(f"I2: {step.id} {asked.path} sent {sent}, and the record says {given}")

    def answered(self, call: Call, asked: Asked, answer: HttpAnswer) -> None:
        """I3: at most once is at most once."""
        head = self.head(asked.execution)
        if call.argument.method == "GET" or head is None or answer.status != 200:
            return
        step = self.plan_of(head).plan.by_id.get(asked.step)
        place = (asked.place, head.epoch)
        self.once[place] += 1
        if step is not None and step.effect is Effect.AT_MOST_ONCE and self.once[place] > 1:
            self.fail(f"I3: the at-most-once effect of {asked.step} {asked.path} took place twice")


_PACKED = Done | Retrying | Waiting | Signalled


def _name(step: StepPlan, path: tuple[int, ...]) -> str:
    return fact_name(step.ordinal, path)
