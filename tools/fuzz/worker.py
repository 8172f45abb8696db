"""A process that hands inputs to parsers, under a limit of its memory, and says what each did."""

import gc
import mmap
import os
import random
import resource
import struct
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

from tools.fuzz.minimising import minimised
from tools.fuzz.mutating import Mutator
from tools.fuzz.parser import Parser, Take, Unfit
from tools.fuzz.parsers import named

HEADER: Final = struct.Struct("<QQ")
"""In the shared page: how many inputs were begun, and how long the present one is; the input follows."""
PAGE_BYTES: Final = 1_000_000
MEMORY_BYTES: Final = 1 << 30
"""How far the address space may grow beyond what it is once every parser is imported."""
PEAK_BYTES: Final = 256 << 20
"""The most that one batch may need at its peak, more than there was before it: inputs have 100 KB."""
_KIB: Final = 1024


class Batch(NamedTuple):
    """Some inputs of one parser. `after` of them were tried before: the process that did so has ended."""

    parser: str
    seed: str
    size: int
    after: int = 0


@dataclass
class Finding:
    """An input that was answered by something that is not declared."""

    parser: str
    what: str
    place: str
    content: bytes

    @property
    def signature(self) -> tuple[str, str, str]:
        """What makes two findings one: the kind of the error, and where it was raised."""
        return self.parser, self.what.partition(":")[0], self.place


@dataclass
class Outcome:
    """What came of a batch."""

    parser: str
    tried: int = 0
    values: int = 0
    refused: int = 0
    unfit: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    peak_kib: int = 0
    resident_kib: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])


def serve(tasks: Connection, page: Path) -> None:
    """Take batches until there are none left; the parent reads what was begun in the shared page."""
    with page.open("r+b") as file, mmap.mmap(file.fileno(), PAGE_BYTES) as shared:
        opened: dict[str, tuple[Parser, list[bytes], Take]] = {}
        is_limited = False
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for the life of the process: parsers may log and warn
        while True:
            batch: Batch | list[str] | None = tasks.recv()
            if batch is None:
                return
            if isinstance(batch, list):  # every name once, so that the limit counts from what is imported
                for name in batch:
                    parser = named(name)
                    opened[name] = (parser, list(parser.seeds()), parser.opened())
                tasks.send("ready")
                continue
            if not is_limited:
                limit = _address_space() + MEMORY_BYTES
                resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
                is_limited = True
            tasks.send(_tried(batch, opened[batch.parser], shared))


def _tried(batch: Batch, opened: tuple[Parser, list[bytes], Take], shared: mmap.mmap) -> Outcome:
    parser, seeds, take = opened
    mutator, outcome = Mutator(parser, seeds, batch.seed), Outcome(batch.parser)
    known: set[tuple[str, str, str]] = set()
    begun = HEADER.unpack_from(shared)[0]
    _forget_peak()
    before = _resident()
    for number in range(batch.size):
        content = mutator.next()
        if number < batch.after:
            continue
        begun += 1
        shared[HEADER.size : HEADER.size + len(content)] = content
        HEADER.pack_into(shared, 0, begun, len(content))
        finding = _one(parser, take, content, outcome)
        if finding is not None and finding.signature not in known:
            known.add(finding.signature)
            outcome.findings.append(_small(parser, take, finding))
    gc.collect()
    outcome.peak_kib = max(_peak() - before, 0)
    outcome.resident_kib = _resident()
    if outcome.peak_kib * _KIB > PEAK_BYTES:
        what = f"needed {outcome.peak_kib // _KIB} MB more for inputs of at most {parser.most_bytes} bytes"
        outcome.findings.append(Finding(parser.name, what, batch.seed, b""))
    return outcome


def _one(parser: Parser, take: Take, content: bytes, outcome: Outcome) -> Finding | None:
    """Try one input; what it gave is counted."""
    began = time.perf_counter()
    finding = problem_of(parser, take, content, outcome)
    took = time.perf_counter() - began
    outcome.tried += 1
    outcome.seconds += took
    if took > parser.seconds and finding is None:
        # Again, and by the processor's clock: others work on this machine too.
        busy = time.process_time()
        problem_of(parser, take, content, Outcome(parser.name))
        took = time.process_time() - busy
        if took > parser.seconds:
            finding = Finding(parser.name, f"took longer than {parser.seconds} s", "", content)
    outcome.slowest = max(outcome.slowest, took)
    return finding


def problem_of(parser: Parser, take: Take, content: bytes, outcome: Outcome | None = None) -> Finding | None:
    """What is wrong with how a parser takes an input; None where it gives a value or what it declares."""
    counted = outcome or Outcome(parser.name)
    try:
        take(content)
    except Unfit:
        counted.unfit += 1
    except parser.declared:
        counted.refused += 1
    except (Exception, RecursionError, MemoryError) as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return Finding(parser.name, _said(error), _place(error), content)
    else:
        counted.values += 1
    return None


def _small(parser: Parser, take: Take, finding: Finding) -> Finding:
    """The same finding with as little input as still shows it."""

    def shows(content: bytes) -> bool:
        again = problem_of(parser, take, content)
        return again is not None and again.signature == finding.signature

    dice = random.Random(0)  # noqa: S311 - not for secrets
    if not finding.place:
        return finding  # slow: each try would take as long
    return Finding(finding.parser, finding.what, finding.place, minimised(finding.content, shows, dice))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _place(error: BaseException) -> str:
    """Where it was raised: the innermost of our own lines."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "/chalicelib/" in each.filename] or list(frames[-1:])
    return f"{Path(ours[-1].filename).name}:{ours[-1].name}:{ours[-1].lineno}" if ours else ""


def _status(name: str) -> int:
    """A figure of this process in KiB (Linux, proc(5))."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def _address_space() -> int:
    return _status("VmSize:") * _KIB


def _resident() -> int:
    return _status("VmRSS:")


def _peak() -> int:
    return _status("VmHWM:")


def _forget_peak() -> None:
    """Let the peak count from now on (proc(5), clear_refs, 5); where that is not allowed it is that of the process."""
    forget: Callable[[Any], int] = Path("/proc/self/clear_refs").write_text
    try:
        forget("5")
    except OSError:
        return
