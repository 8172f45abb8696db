"""Misfortunes: each has a name, a counter, and a moment in which it may strike."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chalicelib.engine.messages import Start
from chalicelib.errors import CutOffError, NotSentError, StoreError, TimedOutError
from chalicelib.ports import HttpAnswer
from chalicelib.worker.budget import SKEW
from tests.simulation.ports import Call
from tests.simulation.process import Process
from tests.simulation.queue import Letter

if TYPE_CHECKING:
    from tests.simulation.schedule import Schedule

MINUTE, HOUR = 60_000, 3_600_000


# Faults of one call ---------------------------------------------------------------------------------------------------


def crash_before(schedule: "Schedule", call: Call) -> None:
    schedule.bury(call.process)


def crash_after(schedule: "Schedule", call: Call) -> None:
    schedule.answer(call, lambda: schedule.world.do(call))
    schedule.bury(call.process)


def timeout_after(schedule: "Schedule", call: Call) -> None:
    """It took place, and nobody was told so."""
    with contextlib.suppress(StoreError):
        schedule.world.do(call)
    schedule.give(call, _unknown(schedule, call))


def timeout_before(schedule: "Schedule", call: Call) -> None:
    schedule.give(call, _unknown(schedule, call))


def _unknown(schedule: "Schedule", call: Call) -> Exception:
    if call.kind == "facts.write":
        return schedule.rng.choice((TimedOutError, CutOffError))("no answer")
    return StoreError("no answer")


def throttled(schedule: "Schedule", call: Call) -> None:
    if call.kind == "http.send":
        schedule.answer(call, lambda: HttpAnswer(429, (("retry-after", schedule.rng.choice(["1", "30", "400"])),), b""))
    else:
        schedule.give(call, StoreError("too many requests"))


def part_of_batch(schedule: "Schedule", call: Call) -> None:
    """Some of the messages are durable, the others are not."""
    sends = call.argument
    call.argument = sends[: schedule.rng.randrange(1, len(sends))]
    schedule.world.do(call)
    schedule.give(call, StoreError(f"{len(sends) - len(call.argument)} of {len(sends)} messages were not sent"))


def late_send(schedule: "Schedule", call: Call) -> None:
    """The message is sent, and comes hours or days later."""
    is_awaited = any(getattr(each.message, "birth", None) and each.message.birth.parent for each in call.argument)
    _send_late(schedule, call, schedule.rng.choice((HOUR, 3 * HOUR, 3 * HOUR if is_awaited else 15 * 24 * HOUR)))


def delayed_send(schedule: "Schedule", call: Call) -> None:
    _send_late(schedule, call, schedule.rng.choice((2_000, 20_000, 5 * MINUTE)))


def _send_late(schedule: "Schedule", call: Call, by: int) -> None:
    world = schedule.world
    before = world.letters.sent
    schedule.answer(call, lambda: world.do(call))
    for number in range(before + 1, world.letters.sent + 1):
        world.letters.by_number[number].visible_at += by


def twice_sent(schedule: "Schedule", call: Call) -> None:
    """The queue keeps the message twice."""
    world = schedule.world
    schedule.answer(call, lambda: world.do(call))
    letter = world.letters.by_number.get(world.letters.sent)
    if letter is not None:
        copy = world.letters.add(
            letter.message, letter.visible_at + schedule.rng.choice((0, 500, MINUTE)), letter.version
        )
        copy.is_copy = True


def lost(schedule: "Schedule", call: Call) -> None:
    """It was taken in, and never comes: kept for too long, or thrown away."""
    schedule.world.lost = True
    schedule.answer(call, lambda: None)


def not_acknowledged(schedule: "Schedule", call: Call) -> None:
    """The queue forgets that it was told."""
    schedule.world.watch.acknowledged(call)
    schedule.answer(call, lambda: None)


def http_not_sent(schedule: "Schedule", call: Call) -> None:
    schedule.give(call, NotSentError("connection refused"))


def http_cut_before(schedule: "Schedule", call: Call) -> None:
    schedule.give(call, CutOffError("cut off"))


def http_cut_after(schedule: "Schedule", call: Call) -> None:
    schedule.world.do(call)
    schedule.give(call, CutOffError("cut off"))


def http_half(schedule: "Schedule", call: Call) -> None:
    """The answer ends in its middle, and says that it is whole."""
    answer = schedule.world.do(call)
    half = HttpAnswer(answer.status, answer.headers, answer.body[: len(answer.body) // 2])
    schedule.answer(call, lambda: half)


def http_slow(schedule: "Schedule", call: Call) -> None:
    """The answer takes most of the time there is."""
    _after(schedule, call, call.argument.timeout_seconds * 0.8, lambda: schedule.world.do(call))


def http_late(schedule: "Schedule", call: Call) -> None:
    """The request does its work after the caller has given up."""
    world = schedule.world
    world.loop.call_later(call.argument.timeout_seconds + schedule.rng.choice((0.5, 5, 600)), _apply, world, call)
    world.loop.call_later(call.argument.timeout_seconds, schedule.give, call, TimedOutError("no answer in time"))


def http_busy(schedule: "Schedule", call: Call) -> None:
    schedule.answer(call, lambda: HttpAnswer(503, (), b""))


def _after(schedule: "Schedule", call: Call, seconds: float, work: Callable[[], Any]) -> None:
    answer = work()
    schedule.world.loop.call_later(seconds, schedule.answer, call, lambda: answer)


def _apply(world: Any, call: Call) -> None:
    world.note("ghost", call.kind, call.argument)
    world.do(call)


STORE = ("facts.write", "facts.read", "facts.pack", "queue.send", "blobs.put", "blobs.get")
HTTP = ("http.send",)
OF_CALLS: dict[str, Callable[["Schedule", Call], None]] = {
    "crash_before": crash_before,
    "crash_after": crash_after,
    "timeout_after_write": timeout_after,
    "timeout_before_write": timeout_before,
    "throttled": throttled,
    "part_of_batch_sent": part_of_batch,
    "late_delivery": late_send,
    "delayed_delivery": delayed_send,
    "duplicate": twice_sent,
    "lost_message": lost,
    "partial_batch": not_acknowledged,
    "http_not_sent": http_not_sent,
    "http_cut_before": http_cut_before,
    "http_cut_after": http_cut_after,
    "http_half_written": http_half,
    "http_slow": http_slow,
    "http_late": http_late,
    "http_busy": http_busy,
}
FITS: dict[str, Callable[[Call], bool]] = {
    "crash_before": lambda call: True,
    "crash_after": lambda call: True,
    "timeout_after_write": lambda call: call.kind in {"facts.write", "queue.send", "blobs.put"},
    "timeout_before_write": lambda call: call.kind in {"facts.write", "queue.send", "blobs.put"},
    "throttled": lambda call: call.kind in STORE or call.kind in HTTP,
    "part_of_batch_sent": lambda call: call.kind == "queue.send" and len(call.argument) > 1,
    "late_delivery": lambda call: call.kind == "queue.send",
    "delayed_delivery": lambda call: call.kind == "queue.send",
    "duplicate": lambda call: call.kind == "queue.send",
    "lost_message": lambda call: call.kind == "queue.send" and not any(type(s.message) is Start for s in call.argument),
    "partial_batch": lambda call: call.kind == "queue.acknowledge",
    **{name: (lambda call: call.kind == "http.send") for name in OF_CALLS if name.startswith("http_")},
}

AT_ANY_TIME = (
    *("crash_between", "stale_holder", "visibility_expired", "two_workers", "reordered", "expired_timer"),
    *("poison", "garbage", "old_code"),
)

KINDS = (*OF_CALLS, *AT_ANY_TIME)

_OFTEN = ("two_workers", "two_workers", "visibility_expired", "crash_after", "crash_between", "stale_holder")
"""What most mistakes need: two workers at the same thing, and one of them gone."""

_DRAWN = (*KINDS, *_OFTEN)

COUNTED = (*KINDS, "clock_skew", "pause", "published_anew", "out_of_time")
"""What has a counter: also a machine whose clock is off, one that stood still within its lease, a flow published anew
while it runs, an invocation that is ended because it lasts too long."""


class Faults:
    """How many faults a schedule may have, which wait for their moment, and those that need none."""

    def __init__(self, schedule: "Schedule") -> None:
        self.schedule = schedule
        rng = schedule.rng
        self.left = rng.choice((0, 2, 3, 4, 6, 8, 12))
        self.rate = rng.choice((0.05, 0.15, 0.3))
        self.kinds = schedule.storm or _DRAWN
        if schedule.storm:
            self.left, self.rate = 12, 0.25
        self.armed: list[str] = []
        self.next: set[str] = set()
        """What the next delivery is to suffer."""

    def calm(self) -> None:
        """No fault any more: what stands still goes on in its own time."""
        self.armed.clear()
        self.next.clear()
        self.left = 0
        for process in list(self.schedule.world.processes):
            if process.is_old:
                self.schedule.bury(process)  # the new code is everywhere now

    def strike(self) -> None:
        """One fault: now, or at the next call that it fits."""
        schedule = self.schedule
        self.left -= 1
        kind = self.kinds[int(schedule.rng.random() * len(self.kinds))]
        if kind in OF_CALLS:
            self.armed.append(kind)
        else:
            getattr(self, kind)()

    def armed_for(self, call: Call) -> str | None:
        for kind in self.armed:
            if FITS[kind](call):
                self.armed.remove(kind)
                return kind
        return None

    # Faults of a process, of the queue, of time -----------------------------------------------------------------------

    def _busy(self) -> Process | None:
        found = [process for process in self.schedule.world.processes if process.is_busy and not process.frozen_until]
        return found[int(self.schedule.rng.random() * len(found))] if found else None

    def crash_between(self) -> None:
        process = self._busy()
        if process is not None:
            self.schedule.world.count("crash_between")
            self.schedule.bury(process)

    def stale_holder(self) -> None:
        """It stands still, as a machine does that is moved or has no memory left, and goes on as if nothing was."""
        process = self._busy()
        if process is not None:
            world, rng = self.schedule.world, self.schedule.rng
            lease = int(self.schedule.seconds * 1000) + SKEW
            process.frozen_until = world.elapsed + rng.choice((20_000, lease + 20_000, lease + 20_000, 5 * HOUR))
            process.is_spared = rng.random() < 0.5
            world.note(repr(process), "stands still", process.frozen_until - world.elapsed)

    def thawed(self, process: Process) -> None:
        """It goes on; was it gone for longer than its leases?"""
        world = self.schedule.world
        for delivery, key, name in world.watch.claimed:
            if delivery.process is process:
                image = world.facts._images[key]
                fact = image.facts.get(name)
                expires = getattr(fact, "expires", None)
                if expires is None or expires < world.now:
                    world.count("stale_holder")
                    return
        world.count("pause")

    def visibility_expired(self) -> None:
        """A message in hand comes again, to somebody else."""
        world = self.schedule.world
        held = [each for each in world.letters.by_number.values() if each.count and each.visible_at > world.elapsed]
        if held:
            letter = held[int(self.schedule.rng.random() * len(held))]
            letter.visible_at = world.elapsed
            world.count("visibility_expired")

    def poison(self) -> None:
        """A message that kills whoever takes it, until it is a dead letter."""
        letters = [each for each in self.schedule.world.letters.by_number.values() if each.message is not None]
        if letters and not any(each.is_poison for each in letters):
            letter = letters[int(self.schedule.rng.random() * len(letters))]
            letter.is_poison = True
            letter.count = max(letter.count, self.schedule.world.letters.most_receives - 3)
            self.schedule.world.count("poison")

    def garbage(self) -> None:
        """A message that is none of ours."""
        world = self.schedule.world
        letter = world.letters.add(None, world.elapsed, 1, body='{"v": 1, "kind": "nothing of ours"}')
        letter.count = world.letters.most_receives - 3
        world.count("garbage")

    def old_code(self) -> None:
        """From now on new code writes; one worker that does not know it goes on for a while."""
        schedule = self.schedule
        world = schedule.world
        idle = [process for process in world.processes if not process.is_busy]
        if world.code_version == 1 and idle and not schedule.is_embedded:
            world.code_version = 2
            old = idle[0]
            old.is_old = True
            world.note(repr(old), "is of yesterday")
            # Nobody is left with yesterday's code for long: messages would die that are well.
            schedule.actions.append((world.elapsed + 4 * MINUTE, lambda: self._retire(old)))

    def _retire(self, old: Process) -> None:
        if old in self.schedule.world.processes:
            self.schedule.bury(old)

    def two_workers(self) -> None:
        self.next.add("two_workers")

    def reordered(self) -> None:
        self.next.add("reordered")

    def expired_timer(self) -> None:
        """Nothing is delivered and nobody works for a while: whatever was to happen meanwhile is overdue."""
        world, rng = self.schedule.world, self.schedule.rng
        until = world.elapsed + rng.choice((2 * MINUTE, 16 * MINUTE, 3 * HOUR))
        overdue = [each for each in world.letters.by_number.values() if world.elapsed < each.visible_at < until]
        if overdue:
            for process in world.processes:
                process.frozen_until = max(process.frozen_until, until)
            world.loop.advance(until)
            world.count("expired_timer")

    def choose(self, visible: list[Letter]) -> list[Letter]:
        """Which messages a worker is handed: the oldest, unless something is to go wrong."""
        world, rng = self.schedule.world, self.schedule.rng
        visible.sort(key=_visible_at)
        if "reordered" in self.next and len(visible) > 1:
            self.next.discard("reordered")
            world.count("reordered")
            visible = visible[::-1]
        return visible[: 1 if rng.random() < 0.6 else 3]

    def delivered(self, process: Process, letters: list[Letter]) -> None:
        """Another worker is handed the same, at the same time."""
        if "two_workers" not in self.next:
            return
        world = self.schedule.world
        free = self.schedule.free()
        if free is None or (free is process and not self.schedule.is_embedded):
            return
        self.next.discard("two_workers")
        again = [received for each in letters if (received := world.letters.take(each, world.elapsed)) is not None]
        if again:
            world.count("two_workers")
            free.take(again, self.schedule.seconds)


def _visible_at(letter: Letter) -> tuple[int, int]:
    return letter.visible_at, letter.number
