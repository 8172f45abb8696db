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
    is_of_epoch,
    is_open,
    is_readable,
    is_unnamed,
)
from chalicelib.adapters.aws.expressions import Expression
from chalicelib.adapters.aws.records import birth_attributes, order_name, put_text, reason_text
from chalicelib.adapters.aws.values import VERSION, number, text
from chalicelib.engine.conditions import CANCELLABLE
from chalicelib.engine.facts import Done
from chalicelib.engine.records import RecordKey, Status
from chalicelib.engine.writes import Cancel, Commit, Exactly, Write


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
    return isinstance(write, Cancel) or write.finish is None or not write.finish.told


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
    e.set("ep", number(commit.epoch))
    e.set("rev", number(1))
    if commit.birth is not None:
        for name, value in birth_attributes(commit.key, commit.birth).items():
            e.set(name, value)
    for name, put in commit.puts.items():
        e.set(name, text(put_text(put)))
        if put.numbered and isinstance(put.fact, Done):
            e.set(order_name(name), number(0))
    status = Status.RUNNING if commit.ending is None else Status.ENDING
    e.set("st", {"S": (commit.finish.status if commit.finish else status).value})
    if commit.ending is not None:
        e.set("rs", reason_text(commit.ending))
    if commit.next_check is not None and not (commit.finish and commit.finish.told):
        _set_due(e, commit.key, commit.next_check, partitions)
    if commit.finish is not None:
        e.set("en", number(commit.now))
    _set_rest(e, commit)


def _commit(e: Expression, commit: Commit, due: DueEntry, partitions: int) -> None:
    _guard(e, commit)
    e.add_one("rev", is_new=False)
    for name, put in commit.puts.items():
        e.set(name, text(put_text(put)))
        if put.numbered and isinstance(put.fact, Done):
            e.copy(order_name(name), "rev")
    if commit.ending is not None:
        e.set_first("rs", reason_text(commit.ending))
    if commit.finish is not None:
        e.set("st", {"S": commit.finish.status.value})
        e.set_first("en", number(commit.now))
    elif commit.ending is not None:
        e.set("st", {"S": Status.ENDING.value})
    if commit.finish is not None and commit.finish.told:
        e.remove("gp")
        e.remove("gs")
    elif commit.next_check is not None:
        _move_due(e, commit.key, commit.next_check, due, partitions)
    _set_rest(e, commit)


def _guard(e: Expression, commit: Commit) -> None:
    """Under which conditions an existing record takes this commit, the due entry aside."""
    allowed = commit.allowed
    if commit.ending is not None and commit.finish is None:
        # What has ended does not begin to end again.
        allowed = frozenset(status for status in allowed if not status.is_terminal)
    e.require(is_readable)
    e.require(is_of_epoch(commit.epoch))
    e.require(has_status(allowed))
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
