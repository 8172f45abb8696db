"""What becomes of a refused commit: it is not lost as a whole (design 4.5, step 4; `rest` in models/group.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.engine.conditions import guard_allows
from chalicelib.engine.facts import Claimed, Done, Fact, How, Retrying, Signalled, Waiting
from chalicelib.engine.records import Image, Status
from chalicelib.engine.writes import ANYWHERE, Commit, Exactly, Finish, Put

_PACKED = Done | Retrying | Waiting | Signalled


@dataclass(frozen=True, slots=True)
class Salvage:
    """A refused commit, sorted by attribute name. What is in none of the sets is in `rest`."""

    rest: Commit | None
    """What to write at once; None where nothing is left."""
    adopted: frozenset[str]
    """Steps that the image has settled otherwise: its fact counts, ours is dropped."""
    refused: frozenset[str]
    """Not ours to write: held by another, moved on, or the record no longer takes it."""
    recorded: frozenset[str] = frozenset()
    """Already there, to the letter: an earlier try of this very write succeeded."""


def is_recorded(commit: Commit, image: Image) -> bool:
    """Whether the image shows that this very write took place, though its answer never came."""
    if commit.birth is not None and image.birth != commit.birth:
        return False
    if commit.finish is not None and not _is_end(commit, commit.finish, image):
        return False
    return all(_is_same(put.fact, image.facts.get(name), commit, image) for name, put in commit.puts.items())


def _is_end(commit: Commit, finish: Finish, image: Image) -> bool:
    """Whether the record ended with this very output; two workers give their inline packs the same name."""
    pack = finish.output_pack
    is_same = image.status is finish.status and image.output_pack == pack
    return is_same and (pack not in commit.inline or commit.inline[pack] == image.inline.get(pack))


def salvage(commit: Commit, image: Image) -> Salvage:
    """Take out what the image already has and the claims it refuses; keep the rest.

    A leased outcome whose token still stands is always kept, whatever else is refused, even across a redrive. The
    caller adds one thing that only it knows: results of its own that were computed from adopted facts go too
    (`rest.without(names)`). The end is kept only where nothing was dropped: who adopts facts judges again.
    """
    kept: dict[str, Put] = {}
    adopted: set[str] = set()
    refused: set[str] = set()
    recorded: set[str] = set()
    claims = image.status in commit.allowed
    for name, put in commit.puts.items():
        fact = image.facts.get(name)
        if _is_same(put.fact, fact, commit, image):
            recorded.add(name)
        elif _takes(image, commit, put, fact) and (claims or not isinstance(put.fact, Claimed)):
            kept[name] = put
        elif isinstance(fact, Done):
            adopted.add(name)
        else:
            refused.add(name)
    dropped = adopted | refused
    has_moved = commit.seen_rev not in {None, image.rev} or _is_judged_without_record(commit)
    is_kept = claims and not dropped and not has_moved and image.epoch == commit.epoch
    finish = commit.finish if is_kept else None
    has_lost = _lost_a_failure(commit, dropped) or image.status.is_terminal
    ending = None if has_lost or not claims else commit.ending
    if not kept and finish is None and (ending is None or image.reason is not None):
        return Salvage(None, frozenset(adopted), frozenset(refused), frozenset(recorded))
    still_claims = any(isinstance(put.fact, Claimed) for put in kept.values())
    rest = replace(
        commit,
        birth=None,
        creates=False,
        epoch=image.epoch,
        puts=kept,
        allowed=commit.allowed if still_claims or finish is not None or ending is not None else ANYWHERE,
        ending=ending,
        finish=finish,
        seen_rev=None,
    )
    return Salvage(_repacked(rest, image), frozenset(adopted), frozenset(refused), frozenset(recorded))


def _is_judged_without_record(commit: Commit) -> bool:
    """Whether the end was judged where there was no record: who made one meanwhile may have claimed something."""
    is_success = commit.birth is not None and commit.finish is not None and commit.finish.status is Status.SUCCEEDED
    return (commit.creates or commit.birth is not None) and not is_success


def _takes(image: Image, commit: Commit, put: Put, fact: Fact | None) -> bool:
    if image.status.is_terminal:
        return False
    is_leased = isinstance(put.guard, Exactly) and isinstance(put.guard.fact, Claimed)
    if image.epoch != commit.epoch and not is_leased:
        return False
    return guard_allows(put.guard, fact, commit.now, commit.boot)


def _is_same(fact: Fact, recorded: Fact | None, commit: Commit, image: Image) -> bool:
    """Equal but for the commit order, which the store adds; and so is the text that an inline pack's name stands for.

    Two workers give their first inline pack the same name, and may end a step in the same millisecond.
    """
    if isinstance(fact, Done) and isinstance(recorded, Done):
        recorded = recorded if recorded.order == fact.order else replace(recorded, order=fact.order)
    if fact != recorded:
        return False
    pack = fact.pack if isinstance(fact, _PACKED) else ""
    return pack not in commit.inline or commit.inline[pack] == image.inline.get(pack)


def _lost_a_failure(commit: Commit, dropped: set[str]) -> bool:
    """Whether the failure that the ending is about may be among what was dropped."""
    if commit.ending is None or not commit.ending.step:
        return False
    facts = (commit.puts[name].fact for name in dropped)
    return any(isinstance(fact, Done) and fact.how in {How.FAILED, How.UNKNOWN} for fact in facts)


def _repacked(commit: Commit, image: Image) -> Commit:
    """With the packs that are still named, and no inline pack under a name the record has given away since."""
    names = _named(commit.puts, commit.finish)
    inline: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for name, text in commit.inline.items():
        if name not in names:
            continue
        number = 0
        fresh = name
        while fresh in image.inline or fresh in inline:
            fresh, number = f"i{number}", number + 1
        inline[fresh] = text
        if fresh != name:
            renamed[name] = fresh
    puts = {name: _renamed(put, renamed) for name, put in commit.puts.items()} if renamed else commit.puts
    finish = commit.finish
    if finish is not None and finish.output_pack in renamed:
        finish = replace(finish, output_pack=renamed[finish.output_pack])
    packs = {name: text for name, text in commit.packs.items() if name in names}
    return replace(commit, puts=puts, finish=finish, inline=inline, packs=packs)


def _named(puts: Mapping[str, Put], finish: Finish | None) -> set[str]:
    names = {put.fact.pack for put in puts.values() if isinstance(put.fact, _PACKED)}
    return names | {finish.output_pack} if finish is not None else names


def _renamed(put: Put, renamed: Mapping[str, str]) -> Put:
    fact = put.fact
    if isinstance(fact, _PACKED) and fact.pack in renamed:
        return replace(put, fact=replace(fact, pack=renamed[fact.pack]))
    return put
