"""How a wide `foreach` is cut into chunks, and what their marks say: pure arithmetic, the same on every worker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.engine.facts import Fact, Marked, mark_name

CHUNK = 10
"""Items of a chunk."""

CHUNK_BYTES = 64_000
"""The most that the items of a chunk may take as JSON; one item above that is a chunk by itself."""

SHARD = 128
"""Marks that one record holds (design 4.2); more chunks have several shards, and a root that their marks go to."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What the waiting fact of a wide `foreach` says of itself."""

    items: int
    """Items, or batches of them: turns."""
    chunks: int
    window: int
    """Chunks under way at once: chunk i hands on to chunk i + window."""
    lanes: int
    """Items of a chunk that are under way at once."""
    tolerated: int
    pause: int = 0
    """Milliseconds between an item and the next one in its lane."""
    seen: int = 0
    """Marks that were there when somebody last looked whether they move."""

    def to_text(self) -> str:
        """As the fact's detail holds it."""
        return f"{self.items}.{self.chunks}.{self.window}.{self.lanes}.{self.tolerated}.{self.pause}.{self.seen}"

    @classmethod
    def from_text(cls, text: str) -> "Cut":
        """The cut behind a fact's detail; raises ValueError for another text."""
        items, chunks, window, lanes, tolerated, pause, seen = map(int, text.split("."))
        return cls(items, chunks, window, lanes, tolerated, pause, seen)

    @property
    def shards(self) -> int:
        """How many records hold the chunks' marks; with one, it is the root itself."""
        return -(-self.chunks // SHARD)

    def shard_size(self, shard: int) -> int:
        """How many chunks have their marks in this shard."""
        return min(SHARD, self.chunks - shard * SHARD)


def cut(sizes: Sequence[int], concurrency: int, tolerated: int, pause: int = 0) -> Cut:
    """How items of these sizes (bytes of JSON) are cut, so many of them under way at once."""
    lanes = min(CHUNK, concurrency)
    chunks = sum(1 for _ in bounds(sizes))
    return Cut(len(sizes), chunks, max(1, min(chunks, concurrency // lanes)), lanes, tolerated, pause)


def bounds(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where each chunk begins and ends, in items."""
    begin = weight = 0
    for place, size in enumerate(sizes):
        if place > begin and (place - begin >= CHUNK or weight + size > CHUNK_BYTES):
            yield begin, place
            begin, weight = place, 0
        weight += size
    if begin < len(sizes):
        yield begin, len(sizes)


@dataclass(frozen=True, slots=True)
class Marks:
    """What one record of marks says."""

    count: int
    failed: int
    all_ran: bool


def marks_in(facts: Mapping[str, Fact]) -> Marks:
    """The marks of a shard or a root."""
    found = [fact for fact in facts.values() if isinstance(fact, Marked)]
    return Marks(len(found), sum(each.failed for each in found), all(each.ran for each in found))


def first_unmarked(made: Cut, shards: Sequence[Mapping[str, Fact]]) -> list[int]:
    """In each stride (i, i + window, ...) the first chunk without a mark: the one under way, or one that was lost."""
    found: list[int] = []
    for stride in range(min(made.window, made.chunks)):
        for chunk in range(stride, made.chunks, made.window):
            if mark_name(chunk) not in shards[chunk // SHARD]:
                found.append(chunk)
                break
    return found
