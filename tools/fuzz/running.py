"""Shares the inputs out among processes, and watches over them."""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final

from tools.fuzz.parser import Parser
from tools.fuzz.parsers import named
from tools.fuzz.worker import HEADER, PAGE_BYTES, Batch, Finding, Outcome, serve

HANG_SECONDS: Final = 20.0
"""How long one input may hold a process that answers nothing: it is ended then, and the input is a finding."""
GROWTH_KIB: Final = 150 * 1024
"""How much a process may have grown from its first tenth to its end."""
_READY_SECONDS: Final = 180.0


@dataclass
class Figures:
    """What a run has come to."""

    by_parser: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    findings: list[Finding] = field(default_factory=list[Finding])
    resident: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """What each process held after each of its batches, in KiB."""
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        """How many inputs."""
        return sum(each.tried for each in self.by_parser.values())

    def add(self, outcome: Outcome, worker: int) -> None:
        """Count a batch."""
        total = self.by_parser.setdefault(outcome.parser, Outcome(outcome.parser))
        for name in ("tried", "values", "refused", "unfit", "seconds"):
            setattr(total, name, getattr(total, name) + getattr(outcome, name))
        total.slowest = max(total.slowest, outcome.slowest)
        total.peak_kib = max(total.peak_kib, outcome.peak_kib)
        self.resident.setdefault(worker, []).append(outcome.resident_kib)
        known = {each.signature for each in self.findings}
        self.findings += [each for each in outcome.findings if each.signature not in known]

    def grown_kib(self) -> int:
        """How much the process that grew most has grown from its first tenth to its end."""
        return max((max(held[-1] - max(held[: len(held) // 10 + 1]), 0) for held in self.resident.values()), default=0)


def batches(parsers: Sequence[Parser], seed: int, inputs: int | None) -> Iterator[Batch]:
    """Rounds over all parsers, each with its share, until there are so many inputs.

    Without a number for ever, in shorter rounds, so that a short run reaches every parser.
    """
    whole = sum(each.share for each in parsers)
    left = {each.name: max(1, inputs * each.share // whole) for each in parsers} if inputs else {}
    number = 0
    while not inputs or any(left.values()):
        for each in parsers:
            count = min(each.share, left[each.name]) if inputs else each.share // 4 or 1
            if count:
                yield Batch(each.name, f"{seed}:{each.name}:{number}", count)
                if inputs:
                    left[each.name] -= count
        number += 1


def run(
    parsers: Sequence[Parser],
    todo: Iterator[Batch],
    *,
    workers: int,
    seconds: float | None,
    heard: Callable[[Figures], None],
) -> Figures:
    """Try everything there is to do, or as much as the time allows."""
    figures, began = Figures(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        crew = [_Worker(number, Path(folder), [each.name for each in parsers]) for number in range(workers)]
        try:
            began = time.monotonic()
            while any(each.is_busy for each in crew) or (todo is not _NOTHING):
                is_over = seconds is not None and time.monotonic() - began >= seconds
                for each in crew:
                    if not each.is_busy and not is_over and todo is not _NOTHING:
                        batch = next(todo, None)
                        if batch is None:
                            todo = _NOTHING
                        else:
                            each.give(batch)
                if is_over:
                    todo = _NOTHING
                _listen(crew, figures)
                heard(figures)
        finally:
            for each in crew:
                each.end()
    figures.seconds = time.monotonic() - began
    return figures


_NOTHING: Iterator[Batch] = iter(())


def _listen(crew: "list[_Worker]", figures: Figures) -> None:
    """Take what is there; whoever is stuck is ended, and another goes on behind the input that it stuck at."""
    ready: list[Any] = wait([each.pipe for each in crew if each.is_busy], timeout=0.5) if crew else []
    for each in crew:
        if not each.is_busy:
            continue
        if each.pipe in ready:
            outcome = each.taken()
            if isinstance(outcome, Outcome):
                figures.add(outcome, each.number)
                continue
            figures.add(each.replaced(is_gone=True), each.number)
        elif each.is_stuck():
            figures.add(each.replaced(is_gone=False), each.number)


class _Worker:
    """A process, as the one that started it sees it."""

    def __init__(self, number: int, folder: Path, names: list[str]) -> None:
        self.number, self._names = number, names
        self._page = folder / str(number)
        self._batch: Batch | None = None
        self._start()

    @property
    def is_busy(self) -> bool:
        """Whether it has something to do."""
        return self._batch is not None

    def give(self, batch: Batch) -> None:
        """Hand it a batch."""
        self._batch, self._first = batch, self._begun()[0]
        self._seen, self._since = -1, time.monotonic()
        self.pipe.send(batch)

    def taken(self) -> Outcome | None:
        """What came of its batch; None where the process is gone."""
        try:
            outcome: Outcome = self.pipe.recv()
        except EOFError:
            return None
        self._batch = None
        return outcome

    def is_stuck(self) -> bool:
        """Whether it is at the same input for too long."""
        count = self._begun()[0]
        if count != self._seen:
            self._seen, self._since = count, time.monotonic()
        return time.monotonic() - self._since > HANG_SECONDS

    def replaced(self, *, is_gone: bool) -> Outcome:
        """End it, name the input it had, and let another go on behind that."""
        if not is_gone:
            self._process.kill()
        self._process.join()
        count, content = self._begun()
        batch = self._batch
        assert batch is not None  # noqa: S101 - only who is busy is replaced
        hung = f"took longer than {HANG_SECONDS:.0f} s"
        what = f"the process died ({self._process.exitcode})" if is_gone else hung
        done = batch.after + count - self._first
        outcome = Outcome(batch.parser, tried=count - self._first, findings=[Finding(batch.parser, what, "", content)])
        self._start()
        self._batch = None
        if done < batch.size:
            self.give(batch._replace(after=done))
        return outcome

    def end(self) -> None:
        """Let it go."""
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def _start(self) -> None:
        self._page.write_bytes(bytes(PAGE_BYTES))
        spawning = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawning.Pipe()
        self._process = spawning.Process(target=serve, args=(theirs, self._page), daemon=True)
        self._process.start()
        theirs.close()
        self.pipe.send(self._names)
        if not self.pipe.poll(_READY_SECONDS):
            raise TimeoutError("a process that fuzzes did not start")
        self.pipe.recv()

    def _begun(self) -> tuple[int, bytes]:
        with self._page.open("rb") as file:
            count, length = HEADER.unpack(file.read(HEADER.size))
            return count, file.read(length)


def tried_again(parser: str, content: bytes) -> Finding | None:
    """One input in this process: what is wrong with it, if anything is."""
    from tools.fuzz.worker import problem_of

    row = named(parser)
    return problem_of(row, row.opened(), content)
