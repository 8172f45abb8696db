"""What must hold for a write, in DynamoDB's words: each condition has a name and says which situation it stands for.

`engine.conditions` is the meaning; these say the same, and the contract suite holds them to it. An attribute that is
absent compares as false, so `NOT (...)` around what stands in the way lets absent facts pass (developer guide,
"Condition and filter expressions").
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from chalicelib.adapters.aws.expressions import Condition, Expression
from chalicelib.adapters.aws.records import order_name, recorded_text
from chalicelib.adapters.aws.values import VERSION, number
from chalicelib.engine.facts import Fact
from chalicelib.engine.records import Status
from chalicelib.engine.writes import Absent, Exactly, Free, NotDone, Put

Sentence: TypeAlias = Callable[[Expression], Condition]


def is_absent(expression: Expression) -> Condition:
    """There is no such record yet: whoever creates it comes first."""
    return Condition("absent", f"attribute_not_exists({expression.name('pk')})", 1)


def is_readable(expression: Expression) -> Condition:
    """There is a record, and it was written by this version of Penstock, or one that wrote alike."""
    return Condition("readable", f"{expression.name('v')}={expression.value(VERSION)}", 1)


def is_of_epoch(epoch: int) -> Sentence:
    """Nobody has redriven the execution since the writer looked."""
    return lambda e: Condition("epoch", f"{e.name('ep')}={e.value(number(epoch))}", 1)


def is_unchanged_since(rev: int) -> Sentence:
    """Nobody has written since the writer looked."""
    return lambda e: Condition("unchanged", f"{e.name('rev')}={e.value(number(rev))}", 1)


def has_status(statuses: Iterable[Status]) -> Sentence:
    """The execution is where this write is allowed."""
    letters = sorted(status.value for status in statuses) or ["-"]  # nowhere: a status that none has

    def say(e: Expression) -> Condition:
        return Condition("status", f"{e.name('st')} IN ({','.join(e.value({'S': letter}) for letter in letters)})", 1)

    return say


def is_open(puts: Mapping[str, Put], now: int) -> Sentence:
    """No step to be recorded is done already, none to be claimed is anything but free, and what counts once is new.

    A fact's text sorts by its kind, a claim first and by the end of its lease: what is not below the first claim that
    would still be live is a live claim, or no claim. Leases have no boot here: those of an earlier life count until
    they run out, which is safe.
    """

    def say(e: Expression) -> Condition:
        obstacles: list[str] = []
        for name, put in puts.items():
            match put.guard:
                case NotDone():
                    obstacles.append(f"begins_with({e.name(name)},{e.value({'S': 'd'})})")
                case Free():
                    obstacles.append(f"{e.name(name)}>={e.value({'S': f'c|{now + 1:013d}'})}")
                case Absent():
                    obstacles.append(f"attribute_exists({e.name(name)})")
                case Exactly():
                    pass
        # One NOT around them all: two operators a fact, where NOT at each would take three and 300 are the limit.
        return Condition("open", f"NOT ({' OR '.join(obstacles)})", 2 * len(obstacles))

    return say


def is_new_or(*sentences: Sentence) -> Sentence:
    """There is no such record yet; or there is one, and all these hold of it."""

    def say(e: Expression) -> Condition:
        of_it = [sentence(e) for sentence in sentences]
        text = " AND ".join(each.text for each in of_it)
        operators = sum(each.operators for each in of_it) + len(of_it) + 1
        return Condition(
            "new or " + ", ".join(each.name for each in of_it), f"({is_absent(e).text} OR {text})", operators
        )

    return say


def is_exactly(name: str, fact: Fact) -> Sentence:
    """The step's fact is the one the writer saw, to the letter: its lease still stands, its attempt is on record."""

    def say(e: Expression) -> Condition:
        written, order = recorded_text(fact)
        is_same = f"{e.name(name)}={e.value({'S': written})}"
        if order < 0:
            return Condition("exactly", is_same, 1)
        return Condition("exactly", f"{is_same} AND {e.name(order_name(name))}={e.value(number(order))}", 3)

    return say


def is_unnamed(pack: str) -> Sentence:
    """No other pack lies in the record under this name."""
    return lambda e: Condition("unnamed", f"attribute_not_exists({e.name(pack)})", 1)


def is_cancellable(statuses: Iterable[Status], *, may_be_absent: bool) -> Sentence:
    """There is something to stop; or, of a loop, nothing yet that could begin afterwards."""

    def say(e: Expression) -> Condition:
        if may_be_absent:
            there = is_new_or(is_readable, has_status(statuses))(e)
            return Condition("cancellable", there.text, there.operators)
        return Condition("cancellable", f"{is_readable(e).text} AND {has_status(statuses)(e).text}", 3)

    return say


def is_due_later(moment: int) -> Sentence:
    """The next check is later, or there is none: it may move here (design 4.7: only ever earlier)."""

    def say(e: Expression) -> Condition:
        name = e.name("gs")
        return Condition("due later", f"(attribute_not_exists({name}) OR {name}>{e.value(number(moment))})", 3)

    return say


def is_due_by_then(moment: int) -> Sentence:
    """The next check comes early enough as it stands."""
    return lambda e: Condition("due by then", f"{e.name('gs')}<={e.value(number(moment))}", 1)
