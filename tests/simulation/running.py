"""Many seeds, on every core there is; and one seed, told line by line."""

import gc
import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.faults import COUNTED
from tests.simulation.schedule import Schedule
from tests.simulation.trace import told

PORTION = 100
"""Seeds that a process runs before it says how they went."""


@dataclass
class Findings:
    """What came of some seeds."""

    seeds: int = 0
    steps: int = 0
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: "Findings") -> None:
        self.seeds += other.seeds
        self.steps += other.steps
        self.events += other.events
        self.faults.update(other.faults)
        self.violations += other.violations

    def to_json(self) -> dict[str, Any]:
        return {
            "seeds": self.seeds,
            "steps_per_schedule": round(self.steps / max(1, self.seeds), 2),
            "faults_per_schedule": round(sum(self.faults.values()) / max(1, self.seeds), 2),
            "events_per_schedule": round(self.events / max(1, self.seeds), 1),
            "seconds": round(self.seconds, 1),
            "violations": [{"seed": seed, "what": what} for seed, what in self.violations],
            "faults": {name: self.faults[name] for name in sorted(COUNTED)},
        }


def run_one(seed: int) -> Findings:
    """One seed."""
    schedule = Schedule(seed)
    try:
        result = schedule.run()
    except Exception as error:
        raise RuntimeError(f"the simulation itself failed under seed {seed}") from error
    schedule.discard()
    found = [(seed, result.violations[0])] if result.violations else []
    return Findings(1, result.steps, result.events, result.faults, found)


def run_some(seeds: Iterable[int]) -> Findings:
    """Some seeds in this process; what is left of their worlds is collected once, at the end."""
    was_on = gc.isenabled()
    _settle()
    try:
        return _portion(seeds)
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


def _settle() -> None:
    """What is there already (modules, plans) stays: looking through it for garbage costs more than the worlds do."""
    gc.disable()
    gc.collect()
    gc.freeze()


def _portion(seeds: Iterable[int]) -> Findings:
    findings = Findings()
    for seed in seeds:
        findings.add(run_one(seed))
    _settle()
    return findings


def run_many(first: int, count: int, *, workers: int | None = None, most: int = 5) -> Iterator[Findings]:
    """Portion by portion, in the order in which they are done; at most so many violations, then no more."""
    portions = [range(begin, min(begin + PORTION, first + count)) for begin in range(first, first + count, PORTION)]
    found = 0
    with multiprocessing.get_context("fork").Pool(workers or os.cpu_count() or 1, _settle) as pool:
        for findings in pool.imap_unordered(_portion, portions):
            found += len(findings.violations)
            yield findings
            if found >= most:
                return


def all_of(
    first: int,
    count: int,
    *,
    workers: int | None = None,
    most: int = 5,
    heard: Callable[[Findings], None] | None = None,
) -> Findings:
    """The same, together; `heard` is told what has been found so far."""
    began = time.perf_counter()
    whole = Findings()
    for findings in run_many(first, count, workers=workers, most=most):
        whole.add(findings)
        if heard is not None:
            heard(whole)
    whole.seconds = time.perf_counter() - began
    whole.violations.sort()
    return whole


def telling(seed: int, *, lines: int = 400) -> list[str]:
    """What happened under this seed, and the flows it ran."""
    schedule = Schedule(seed)
    result = schedule.run()
    trace = told(result.trace)
    cut = [f"... {len(trace) - lines} lines before ..."] if len(trace) > lines else []
    flows = [f"flow {each.name}: {json.dumps(each.data['steps'])}" for each in schedule.flows]
    return [*flows, *cut, *trace[-lines:], *result.violations]
