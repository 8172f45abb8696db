"""Everything that survives a worker: the records, the queue, the blobs, the outside, and time."""

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.adapters.memory.versions import MemoryVersions
from chalicelib.engine.records import Image, RecordKey
from chalicelib.errors import StoreError
from chalicelib.flow.listening import listens_of
from chalicelib.ports import HttpAnswer, Live
from tests.simulation.clockwork import Clockwork, Handle
from tests.simulation.flows import Written
from tests.simulation.invariants import Watch
from tests.simulation.outside import Outside, parse
from tests.simulation.ports import BEGAN, DELIVERY, Call, CountedIds, now
from tests.simulation.process import Process
from tests.simulation.queue import Letters


@dataclass(frozen=True, slots=True)
class Noted:
    """One line of the trace."""

    at: int
    who: str
    what: str
    about: str


class World:
    def __init__(self, seed: str, *, visibility: int = 960_000, most_receives: int = 10) -> None:
        self.rng = random.Random(seed)
        self.loop = Clockwork(self._postpones)
        self.ids = CountedIds()
        self.evaluator = HereEvaluator()
        self.facts = MemoryFacts()
        self.blobs = MemoryBlobs()
        self.versions = MemoryVersions()
        self.letters = Letters(visibility, most_receives)
        self.outside = Outside()
        self.watch = Watch(self)
        self.processes: list[Process] = []
        self.calls: list[Call] = []
        self.ghosts: list[Call] = []
        """Calls that have left a process which waits for them no more."""
        self.counts: Counter[str] = Counter()
        self.last_fault = 0
        """When one struck last, in milliseconds since the beginning."""
        self.trace: list[tuple[int, str, str, Any]] = []
        self.violations: list[str] = []
        self.accepted: list[str] = []
        """Executions that somebody was told of."""
        self.answers: dict[tuple[str, str], set[str]] = {}
        """By delivery key: the executions that its answers named."""
        self.reasons = {"expression", "missing_value", "parameter", "expired"}
        """The codes of failures that are no step's."""
        self.logged: list[str] = []
        self.overtaken: list[Process] = []
        """Whose claim somebody else has just taken over."""
        self.lost = False
        """A message was lost, or is late: only the sweeper knows of what it was to bring."""
        self.poisoned: set[str] = set()
        """Executions for which a poisonous message died."""
        self.pointer_age = 5_000
        self.code_version = 1
        """Of what new workers write."""
        self.late_versions: dict[RecordKey, int] = {}
        self.work = {
            "facts.write": self._write,
            "facts.read": self._read,
            "facts.pack": lambda call: now(self.facts.pack(*call.argument)),
            "facts.page": lambda call: now(self.facts.page(call.argument)),
            "facts.due": lambda call: now(self.facts.due(*call.argument)),
            "facts.unfinished": lambda call: now(self.facts.unfinished(call.argument)),
            "queue.send": self._send,
            "queue.acknowledge": self._acknowledge,
            "queue.fail": self._fail,
            "blobs.put": lambda call: now(self.blobs.put(call.argument)),
            "blobs.get": lambda call: now(self.blobs.get(call.argument)),
            "http.send": self._exchange,
            "versions.text": lambda call: now(self.versions.text(*call.argument)),
            "versions.live": lambda call: now(self.versions.live(*call.argument)),
            "versions.flows": lambda call: now(self.versions.flows(call.argument)),
            "credentials.open": lambda call: None,
        }

    # What happens -----------------------------------------------------------------------------------------------------

    @property
    def elapsed(self) -> int:
        return self.loop.elapsed

    @property
    def now(self) -> int:
        """Epoch milliseconds, by a clock that is right."""
        return BEGAN + self.loop.elapsed

    def note(self, who: str, what: str, about: Any = "") -> None:
        self.trace.append((self.loop.elapsed, who, what, about))

    def count(self, fault: str) -> None:
        self.counts[fault] += 1
        self.last_fault = self.loop.elapsed
        self.trace.append((self.loop.elapsed, "!", fault, ""))

    def failed(self, what: str) -> None:
        """Something that must always hold does not."""
        self.violations.append(what)
        self.trace.append((self.loop.elapsed, "X", what, ""))

    def publish(self, written: Written) -> None:
        plan = written.plan
        now(self.versions.put("main", plan.flow, written.version, written.text, self.now))
        known = now(self.versions.live("main", plan.flow))
        rev = known.rev + 1 if known else 1
        live = Live("main", plan.flow, written.version, True, self.now, rev, listens=listens_of(plan))
        now(self.versions.set_live(live))

    # Calls ------------------------------------------------------------------------------------------------------------

    def arrives(self, call: Call) -> None:
        self.watch.arrives(call)
        self.calls.append(call)

    def abandoned(self, call: Call) -> None:
        """Whoever made it waits no more; it may be on its way all the same."""
        if call.released:
            return
        self.calls.remove(call)
        if call.kind in {"http.send", "facts.write", "queue.send", "blobs.put"} and self.rng.random() < 0.5:
            self.ghosts.append(call)

    def calls_of(self, process: Process) -> list[Call]:
        return [call for call in self.calls if call.process is process]

    def forget(self, process: Process) -> None:
        self.calls = [call for call in self.calls if call.process is not process]
        if process in self.processes:
            self.processes.remove(process)

    def do(self, call: Call) -> Any:
        """It takes place."""
        return self.work[call.kind](call)

    def _postpones(self, handle: Handle) -> bool:
        delivery = handle.context.get(DELIVERY)
        if delivery is None:
            return False
        process = delivery.process
        if process.frozen_until > self.loop.elapsed:
            process.kept.append(handle)
            return True
        return False

    def _write(self, call: Call) -> Any:
        write = call.argument
        before: Image | None = self.facts._images.get(write.key)
        self._refuse_old(call, write.key)
        answer = now(self.facts.write(write))
        if self.code_version > 1 and not call.process.is_old:
            self.late_versions[write.key] = self.code_version
        self.watch.wrote(call, before, answer)
        return answer

    def _read(self, call: Call) -> Any:
        self._refuse_old(call, call.argument)
        image = now(self.facts.read(call.argument))
        self.watch.saw(call, image)
        return image

    def _refuse_old(self, call: Call, key: RecordKey) -> None:
        """As the table adapter does with a record of a later version."""
        if call.process.is_old and self.late_versions.get(key, 1) > 1:
            self.count("old_code")
            if call.delivery is not None:
                call.delivery.has_met_fault = True
            raise StoreError(f"the record of execution {key.execution} is of record version 2; this Penstock reads 1.")

    def _send(self, call: Call) -> None:
        version = 1 if call.process.is_old else self.code_version
        for each in call.argument:
            self.watch.sent(call, each)
            self.letters.add(each.message, self.elapsed + each.delay_seconds * 1000, version)

    def _acknowledge(self, call: Call) -> None:
        for each in call.argument:
            letter = self.letters.acknowledge(each.handle)
            if letter is not None and letter.version > 1 and call.process.is_old:
                self.failed("I14: a worker of yesterday acknowledged what it cannot read")
        self.watch.acknowledged(call)

    def _fail(self, call: Call) -> None:
        received, delay = call.argument
        if call.delivery is not None:
            self.watch.let_go(call.delivery)
        self.letters.fail(received.handle, self.elapsed + delay * 1000)

    def _exchange(self, call: Call) -> HttpAnswer:
        asked = parse(call.argument)
        self.watch.requested(call, asked)
        answer = self.outside.answer(call.argument, asked)
        self.watch.answered(call, asked, answer)
        return answer
