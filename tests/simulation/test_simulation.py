"""The real engine and worker under a seeded scheduler, with every fault there is a name for."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.faults import COUNTED, KINDS
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.running import run_one, run_some
from tests.simulation.schedule import Schedule
from tests.simulation.trace import hashed, told

SEEDS = 600
"""`make simulate` runs as many as it is asked for."""


@pytest.mark.parametrize("first", range(0, SEEDS, 100))
def test_whatever_goes_wrong_what_must_hold_holds(first):
    findings = run_some(range(first, first + 100))
    assert findings.violations == [], f"repeat: make simulate SEED={findings.violations[0][0]}"
    assert findings.steps >= 6 * findings.seeds
    assert sum(findings.faults.values()) >= 2 * findings.seeds


@pytest.mark.parametrize("seed", sorted(REGRESSIONS))
def test_what_a_seed_once_found_is_not_found_again(seed):
    assert run_one(seed).violations == [], REGRESSIONS[seed]


def test_every_fault_there_is_a_name_for_is_met():
    met: Counter[str] = Counter()
    for seed in range(20_000, 20_500):
        met.update(Schedule(seed).run().faults)
        if met.keys() >= set(KINDS):
            break
    assert set(KINDS) - met.keys() == set()
    assert met.keys() <= set(COUNTED)


def test_the_same_seed_gives_the_same_trace_whatever_ran_before_and_whatever_the_process():
    seeds = [3, 41, 260, 512]
    traces = {seed: hashed(Schedule(seed).run().trace) for seed in seeds}
    assert {seed: hashed(Schedule(seed).run().trace) for seed in reversed(seeds)} == traces
    code = (
        "from tests.simulation.schedule import Schedule\n"
        "from tests.simulation.trace import hashed\n"
        f"for seed in {seeds}: print(seed, hashed(Schedule(seed).run().trace))\n"
    )
    for randomness in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": randomness}
        said = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=Path.cwd()
        )
        assert dict(line.split() for line in said.stdout.splitlines()) == {str(k): v for k, v in traces.items()}


def test_a_trace_can_be_read():
    result = Schedule(3).run()
    lines = told(result.trace)
    assert len(lines) == len(result.trace) > 20
    assert any("facts.write" in line for line in lines)
    assert max(map(len, lines)) < 400
