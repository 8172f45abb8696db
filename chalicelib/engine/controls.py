"""The writes beside the ordinary course (design 4.3), each a `Commit` of a special make: one condition, one record."""

from collections.abc import Mapping

from chalicelib.engine.facts import HELD, Counted, Fact, Marked, Placed, Signalled, mark_name, place_name
from chalicelib.engine.records import Image, Reason, RecordKey, Status
from chalicelib.engine.writes import ANYWHERE, Absent, Commit, Due, Exactly, Put

ALIVE = frozenset({Status.RUNNING, Status.PAUSED})
ENDED_BADLY = frozenset({Status.FAILED, Status.CANCELLED, Status.TIMED_OUT})
NOTHING_HELD: Mapping[str, Put] = {}
LANE = "lane"
"""The part of a lane's record."""


def pause(image: Image, now: int) -> Commit:
    """R becomes P: no claim succeeds any more, outcomes of what is under way still commit."""
    allowed = frozenset({Status.RUNNING, Status.PAUSED})
    return Commit(image.key, image.epoch, now, allowed=allowed, becomes=Status.PAUSED)


def resume(image: Image, now: int, next_check: int) -> Commit:
    """P becomes R again."""
    return Commit(image.key, image.epoch, now, allowed=ALIVE, becomes=Status.RUNNING, next_check=next_check)


def admit(image: Image, now: int, *, busy: int, next_check: int) -> Commit:
    """Q becomes R: it holds a place in its lane."""
    allowed = frozenset({Status.QUEUED})
    return Commit(
        image.key, image.epoch, now, allowed=allowed, becomes=Status.RUNNING, busy=busy, next_check=next_check
    )


def signal(
    image: Image,
    name: str,
    fact: Signalled,
    now: int,
    packs: Mapping[str, str],
    next_check: int,
    held: Mapping[str, Put] = NOTHING_HELD,
    seen_rev: int | None = None,
) -> Commit:
    """The first signal counts, also where only `on_failure` steps run; it may come before its step waits.

    `held` are further facts that must be as they were seen; with `seen_rev` the whole record must be.
    """
    inline = {key: text for key, text in packs.items() if key[0] == "i"}
    items = {key: text for key, text in packs.items() if key[0] == "p"}
    puts = {name: Put(fact, Absent()), **held}
    check = next_check if image.key.is_head else None
    return Commit(
        *(image.key, image.epoch, now),
        puts=puts,
        allowed=ANYWHERE | {Status.QUEUED},
        inline=inline,
        packs=items,
        next_check=check,
        seen_rev=seen_rev,
    )


def first_signal(
    key: RecordKey, epoch: int, name: str, fact: Signalled, now: int, packs: Mapping[str, str], expires: int
) -> Commit:
    """A signal to a step of a loop whose record is not there yet."""
    puts = {name: Put(fact, Absent())}
    return Commit(key, epoch, now, puts=puts, creates=True, packs=packs, expires=expires)


def mark(key: RecordKey, epoch: int, number: int, marked: Marked, now: int, expires: int) -> Commit:
    """A chunk in its shard, a shard in the root: once, whoever repeats it; the first mark creates the record."""
    puts = {mark_name(number): Put(marked, Absent())}
    return Commit(key, epoch, now, puts=puts, upserts=True, expires=expires)


def stop(key: RecordKey, epoch: int, reason: Reason, now: int, expires: int) -> Commit:
    """A loop's record, there or not yet, begins to end: no claim in it succeeds any more, outcomes still commit."""
    return Commit(key, epoch, now, upserts=True, ending=reason, expires=expires)


def hold(key: RecordKey, epoch: int, now: int, expires: int, known: Fact | None, *, is_held: bool) -> Commit:
    """A loop's record, there or not yet, is paused; or goes on.

    `known` is its count of such writes: one that comes late, after another, is refused.
    """
    status = Status.PAUSED if is_held else Status.RUNNING
    number = known.number if isinstance(known, Counted) else 0
    puts = {HELD: Put(Counted(number + 1), Absent() if known is None else Exactly(known))}
    return Commit(key, epoch, now, puts=puts, allowed=ALIVE, upserts=True, becomes=status, expires=expires)


def recheck(image: Image, now: int, next_check: int | None) -> Commit:
    """The sweeper's move of the due entry, later too, if nobody has written since it looked; None removes it."""
    everywhere = frozenset(Status)
    return Commit(
        *(image.key, image.epoch, now),
        allowed=everywhere,
        seen_rev=image.rev,
        due=Due.EXACTLY,
        next_check=next_check,
    )


def redrive(
    image: Image, now: int, removes: frozenset[str], puts: Mapping[str, Put], next_check: int, becomes: Status
) -> Commit:
    """F, C or T becomes R (or Q) in the next epoch, without these facts; only if nobody has written since the look."""
    return Commit(
        *(image.key, image.epoch, now),
        allowed=ENDED_BADLY,
        seen_rev=image.rev,
        removes=removes,
        puts=puts,
        redrives=True,
        becomes=becomes,
        next_check=next_check,
    )


def lane_key(tenant: str, lane: str) -> RecordKey:
    """The record of a lane; `lane` is the hash of its key."""
    return RecordKey(tenant, lane, LANE)


def place(lane: Image | None, key: RecordKey, execution: str, placed: Placed, now: int, expires: int) -> Commit:
    """Take, or wait for, a place in a lane that looked like this."""
    name = place_name(execution)
    known: Fact | None = lane.facts.get(name) if lane is not None else None
    puts = {name: Put(placed, Absent() if known is None else Exactly(known))}
    if lane is None:
        return Commit(key, 0, now, creates=True, puts=puts, expires=expires)
    return Commit(key, lane.epoch, now, puts=puts, seen_rev=lane.rev, expires=expires)


def leave(lane: Image, execution: str, heirs: Mapping[str, Placed], now: int, expires: int) -> Commit:
    """Give a place up, and hand it on to who waits (`heirs`, by execution) in the same write."""
    puts = {place_name(heir): Put(placed, Exactly(lane.facts[place_name(heir)])) for heir, placed in heirs.items()}
    removes = frozenset({place_name(execution)})
    return Commit(lane.key, lane.epoch, now, puts=puts, removes=removes, seen_rev=lane.rev, expires=expires)
