"""What a write means: when it is allowed, and what the record is afterwards.

The memory and SQLite adapters run these functions; the condition expressions of the table adapter say the same in
DynamoDB's words, and the contract suite holds them to it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from chalicelib.engine.facts import (
    MAIN_PORT,
    Claimed,
    Counted,
    Done,
    Fact,
    Marked,
    Placed,
    Retrying,
    Signalled,
    Waiting,
)
from chalicelib.engine.records import Image, Status
from chalicelib.engine.writes import Absent, Cancel, Commit, Due, Exactly, Free, Guard, NotDone, Write

CANCELLABLE = frozenset({Status.RUNNING, Status.PAUSED, Status.QUEUED})
"""Where a cancel finds something to stop (design 4.3)."""

_RECORD_BYTES = 300
"""About what a record weighs before its facts: keys, status, times, indexes."""


def is_live(fact: Fact | None, now: int, boot: int) -> bool:
    """Whether somebody holds the step: a lease of this boot that has not run out. `now` is in epoch milliseconds."""
    return isinstance(fact, Claimed) and fact.expires > now and fact.boot >= boot


def live_claims(image: Image, now: int, boot: int) -> frozenset[str]:
    """The attribute names of the steps somebody holds."""
    return frozenset(name for name, fact in image.facts.items() if is_live(fact, now, boot))


def guard_allows(guard: Guard, fact: Fact | None, now: int, boot: int) -> bool:
    """Whether a step's present fact (None: there is none) lets this one take its place."""
    match guard:
        case NotDone():
            return not isinstance(fact, Done)
        case Free():
            return fact is None or (isinstance(fact, Claimed) and not is_live(fact, now, boot))
        case Exactly(expected):
            return fact == expected
        case Absent():
            return fact is None
        case _:
            assert_never(guard)


def allows(image: Image | None, write: Write) -> bool:
    """Whether the write's condition holds on this record (None: there is no record)."""
    match write:
        case Commit():
            return _commit_allowed(image, write)
        case Cancel(key):
            return (not key.is_head) if image is None else image.status in CANCELLABLE
        case _:
            assert_never(write)


def _commit_allowed(image: Image | None, commit: Commit) -> bool:
    creates = commit.birth is not None or commit.creates
    if image is None or creates:
        return (creates or commit.upserts) and image is None and _guards_allow({}, commit)
    return (
        image.epoch == commit.epoch
        and image.status in commit.allowed
        and commit.seen_rev in {None, image.rev}
        and not (commit.ending is not None and commit.finish is None and image.status.is_terminal)
        and _guards_allow(image.facts, commit)
        and not any(name in image.inline for name in commit.inline)
    )


def _guards_allow(facts: Mapping[str, Fact], commit: Commit) -> bool:
    now, boot = commit.now, commit.boot
    for name, put in commit.puts.items():
        fact = facts.get(name)
        # The two guards of nearly every write hold on a step without a fact; Exactly never does.
        if fact is None and not isinstance(put.guard, Exactly):
            continue
        if not guard_allows(put.guard, fact, now, boot):
            return False
    return True


def apply(image: Image | None, write: Write) -> Image:
    """The record after the write. Only for a write that is allowed."""
    match write:
        case Commit():
            return _committed(image, write)
        case Cancel():
            return _cancelled(image, write)
        case _:
            assert_never(write)


def _committed(image: Image | None, commit: Commit) -> Image:
    before = image or Image(commit.key, Status.RUNNING, commit.epoch, 0, commit.birth, {}, size=_RECORD_BYTES)
    facts, size = _facts_after(before, commit)
    inline = before.inline
    if commit.inline:
        inline = {**inline, **commit.inline}
        size += sum(len(name) + len(text) for name, text in commit.inline.items())
    status, reason = before.status, before.reason
    next_check, ended, output_pack = _earlier(before.next_check, commit.next_check), before.ended, before.output_pack
    if commit.due is Due.EXACTLY:
        next_check = commit.next_check
    if commit.becomes is not None:
        status = commit.becomes
    if commit.redrives:
        reason, ended, output_pack = None, 0, ""
    if commit.ending is not None:
        reason = reason or commit.ending
        status = Status.ENDING if not status.is_terminal else status
    finish = commit.finish
    if finish is not None:
        status = finish.status
        ended = ended or commit.now
        output_pack = finish.output_pack or output_pack
        next_check = None if finish.told else next_check
    busy = before.busy if commit.busy is None else commit.busy
    return Image(
        before.key,
        status,
        before.epoch + commit.redrives,
        before.rev + 1,
        before.birth,
        facts,
        inline,
        busy,
        next_check,
        reason,
        output_pack,
        ended,
        size,
    )


def _facts_after(before: Image, commit: Commit) -> tuple[dict[str, Fact], int]:
    """The facts after the write, and about the record's size with them."""
    facts, size = dict(before.facts), before.size
    for name in commit.removes:
        gone = facts.pop(name, None)
        size -= weight(gone) + len(name) if gone is not None else 0
    for name, put in commit.puts.items():
        fact = put.fact
        if put.numbered and isinstance(fact, Done):
            fact = replace(fact, order=before.rev)
        old = facts.get(name)
        size += weight(fact) - (weight(old) if old is not None else -len(name))
        facts[name] = fact
    return facts, size


def _cancelled(image: Image | None, cancel: Cancel) -> Image:
    before = image or Image(cancel.key, Status.RUNNING, 0, 0, None, {}, size=_RECORD_BYTES)
    return replace(
        before,
        status=Status.ENDING,
        rev=before.rev + 1,
        reason=cancel.reason,
        next_check=_earlier(before.next_check, cancel.next_check),
    )


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


def weight(fact: Fact) -> int:
    """About how many bytes the fact's text takes."""
    match fact:
        case Done():
            return 10 + len(fact.pack) + (0 if fact.port == MAIN_PORT else 5 + len(fact.port))
        case Claimed():
            return 22 + len(fact.token)
        case Retrying():
            return 20 + len(fact.code) + len(fact.pack)
        case Waiting():
            return 30 + len(fact.kind) + len(fact.detail) + len(fact.pack)
        case Signalled():
            return 16 + len(fact.pack)
        case Marked() | Placed() | Counted():
            return 16
        case _:
            assert_never(fact)
