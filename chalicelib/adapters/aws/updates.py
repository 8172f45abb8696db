"""A write of the engine as one conditional UpdateItem: what it sets, and under which named conditions."""

from enum import Enum
from typing import assert_never

from chalicelib.adapters.aws.addresses import due_partition
from chalicelib.adapters.aws.conditions import (
    has_status,
    is_absent,
    is_cancellable,
    is_due_by_then,
    is_due_later,
    is_exactly,
    is_new_or,
    is_of_epoch,
    is_open,
    is_readable,
    is_unchanged_since,
    is_unnamed,
)
from chalicelib.adapters.aws.expressions import Expression
from chalicelib.adapters.aws.records import birth_attributes, order_name, put_text, reason_text
from chalicelib.adapters.aws.values import VERSION, number, text
from chalicelib.engine.conditions import CANCELLABLE
from chalicelib.engine.facts import Done
from chalicelib.engine.records import RecordKey, Status
from chalicelib.engine.writes import Cancel, Commit, Due, Exactly, Write


class DueEntry(Enum):
    """What a write does with the next check."""

    MOVES = "moves"
    """It moves earlier; refused where it is early enough."""
    STAYS = "stays"
    """It is early enough; refused where it is not."""


def creates(write: Write) -> bool:
    """Whether the write stands for a record that must not exist yet."""
    return isinstance(write, Commit) and (write.birth is not None or write.creates)


def moves_due_entry(write: Write) -> bool:
    """Whether the write may be refused for the sake of the due entry alone."""
    if creates(write) or write.next_check is None:
        return False
    if isinstance(write, Cancel):
        return True
    return write.due is Due.EARLIER and not _ends_told(write)


def expression_of(write: Write, due: DueEntry, partitions: int) -> Expression:
    """The update that means this write.

    Due entries go over this many partitions: raise it at any time; lower it only when no entry is left.
    """
    expression = Expression()
    match write:
        case Commit() if creates(write):
            _create(expression, write, partitions)
        case Commit():
            _commit(expression, write, due, partitions)
        case Cancel():
            _cancel(expression, write, due, partitions)
        case _:
            assert_never(write)
    return expression


def _create(e: Expression, commit: Commit, partitions: int) -> None:
    e.require(is_absent)
    for name, put in commit.puts.items():
        if isinstance(put.guard, Exactly):  # never holds on a record that is not there
            e.require(is_exactly(name, put.guard.fact))
    e.set("v", VERSION)
    e.set("ep", number(commit.epoch + commit.redrives))
    e.set("rev", number(1))
    if commit.birth is not None:
        for name, value in birth_attributes(commit.key, commit.birth).items():
            e.set(name, value)
    for name, put in commit.puts.items():
        e.set(name, text(put_text(put)))
        if put.numbered and isinstance(put.fact, Done):
            e.set(order_name(name), number(0))
    e.set("st", {"S": (_status_after(commit) or Status.RUNNING).value})
    if commit.ending is not None:
        e.set("rs", reason_text(commit.ending))
    if commit.next_check is not None and not _ends_told(commit):
        _set_due(e, commit.key, commit.next_check, partitions)
    if commit.finish is not None:
        e.set("en", number(commit.now))
    _set_rest(e, commit)


def _commit(e: Expression, commit: Commit, due: DueEntry, partitions: int) -> None:
    _guard(e, commit)
    e.add_one("rev", is_new=commit.upserts)
    for name, put in commit.puts.items():
        e.set(name, text(put_text(put)))
        if put.numbered and isinstance(put.fact, Done):
            e.copy(order_name(name), "rev", is_new=commit.upserts)
    _remove_facts(e, commit)
    _set_state(e, commit)
    if _ends_told(commit) or (commit.due is Due.EXACTLY and commit.next_check is None):
        e.remove("gp")
        e.remove("gs")
    elif commit.next_check is not None and commit.due is Due.EXACTLY:
        _set_due(e, commit.key, commit.next_check, partitions)
    elif commit.next_check is not None:
        _move_due(e, commit.key, commit.next_check, due, partitions)
    _set_rest(e, commit)


def _remove_facts(e: Expression, commit: Commit) -> None:
    """What goes, and its commit order; what is put in the same write stays."""
    for name in sorted(commit.removes):
        put = commit.puts.get(name)
        if put is None:
            e.remove(name)
        if put is None or not (put.numbered and isinstance(put.fact, Done)):
            e.remove(order_name(name))


def _set_state(e: Expression, commit: Commit) -> None:
    """Status, epoch, reason and end of a record that may be there."""
    # What a redrive forgets cannot be kept from before.
    keep = e.set if commit.redrives else e.set_first
    status = _status_after(commit)
    if status is not None:
        e.set("st", {"S": status.value})
    if commit.upserts:
        e.set_first("v", VERSION)
        if status is None:
            e.set_first("st", {"S": Status.RUNNING.value})
        if not commit.redrives:
            e.set_first("ep", number(commit.epoch))
    if commit.redrives:
        e.set("ep", number(commit.epoch + 1))
    if commit.ending is not None:
        keep("rs", reason_text(commit.ending))
    elif commit.redrives:
        e.remove("rs")
    if commit.finish is not None:
        keep("en", number(commit.now))
    elif commit.redrives:
        e.remove("en")
    if commit.redrives and not (commit.finish and commit.finish.output_pack):
        e.remove("op")


def _status_after(commit: Commit) -> Status | None:
    """The status that the write sets; None where it leaves it."""
    if commit.finish is not None:
        return commit.finish.status
    if commit.ending is not None and not (commit.becomes and commit.becomes.is_terminal):
        return Status.ENDING
    return commit.becomes


def _ends_told(commit: Commit) -> bool:
    """Whether it is the end, and nobody has to hear of it: then no due entry stays."""
    return commit.finish is not None and commit.finish.told


def _guard(e: Expression, commit: Commit) -> None:
    """Under which conditions a record takes this commit, the due entry aside."""
    allowed = commit.allowed
    if commit.ending is not None and commit.finish is None:
        # What has ended does not begin to end again.
        allowed = frozenset(status for status in allowed if not status.is_terminal)
    there = [is_readable, is_of_epoch(commit.epoch), has_status(allowed)]
    if commit.seen_rev is not None:
        there.append(is_unchanged_since(commit.seen_rev))
    for sentence in [is_new_or(*there)] if commit.upserts else there:
        e.require(sentence)
    if any(not isinstance(put.guard, Exactly) for put in commit.puts.values()):
        e.require(is_open(commit.puts, commit.now))
    for name, put in commit.puts.items():
        if isinstance(put.guard, Exactly):
            e.require(is_exactly(name, put.guard.fact))
    for name in commit.inline:
        e.require(is_unnamed(name))


def _set_rest(e: Expression, commit: Commit) -> None:
    """What a creation and a later commit set alike."""
    if commit.finish is not None and commit.finish.output_pack:
        e.set("op", {"S": commit.finish.output_pack})
    if commit.busy is not None:
        e.set("bz", number(commit.busy))
    if commit.expires:
        e.set("ttl", number(commit.expires))
    elif commit.redrives:
        e.remove("ttl")  # it runs again: the table must not forget it meanwhile
    for name, content in commit.inline.items():
        e.set(name, text(content))


def _cancel(e: Expression, cancel: Cancel, due: DueEntry, partitions: int) -> None:
    is_loop = not cancel.key.is_head
    e.require(is_cancellable(CANCELLABLE, may_be_absent=is_loop))
    e.add_one("rev", is_new=is_loop)
    e.set("st", {"S": Status.ENDING.value})
    e.set("rs", reason_text(cancel.reason))
    if is_loop:
        e.set_first("v", VERSION)
        e.set_first("ep", number(0))
    _move_due(e, cancel.key, cancel.next_check, due, partitions)


def _move_due(e: Expression, key: RecordKey, moment: int, due: DueEntry, partitions: int) -> None:
    match due:
        case DueEntry.MOVES:
            e.require(is_due_later(moment))
            _set_due(e, key, moment, partitions)
        case DueEntry.STAYS:
            e.require(is_due_by_then(moment))
        case _:
            assert_never(due)


def _set_due(e: Expression, key: RecordKey, moment: int, partitions: int) -> None:
    e.set("gs", number(moment))
    if key.is_head:  # an entry without a partition is in no index
        e.set("gp", {"S": due_partition(key.execution, partitions)})
