"""Run the deterministic simulation of `tests/simulation`: many seeds on every core, or one, told line by line.

    make simulate SEEDS=20000            so many schedules, from seed 0 on
    make simulate SEEDS=5000 FROM=90000  from another one on
    make simulate SEED=17                one schedule, with its trace

Exit code 1 where something that must always hold did not: the seed is named, with its trace and the command that
repeats it.
"""

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EVERY_SECONDS = 10
LEAST = 1_000
"""How often each fault should have been met before a run says something of it."""


def main() -> int:
    """Run what was asked for; 1 where a violation was found."""
    parser = argparse.ArgumentParser(description="Run the deterministic simulation.")
    parser.add_argument("--seeds", type=int, default=20_000, help="how many schedules")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="one schedule, with its trace")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--json", type=Path, help="where the figures go as JSON too")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    running: Any = importlib.import_module("tests.simulation.running")
    if given.seed is not None:
        lines: list[str] = running.telling(given.seed, lines=100_000)
        print("\n".join(lines))
        return int(bool(running.run_one(given.seed).violations))
    findings: Any = running.all_of(given.first, given.seeds, workers=given.workers, heard=_Progress(given.seeds).hear)
    figures: dict[str, Any] = findings.to_json()
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    _tell(figures)
    for each in figures["violations"]:
        print(f"\nseed {each['seed']}: {each['what']}\n  repeat: make simulate SEED={each['seed']}")
    if figures["violations"]:
        print("\n" + "\n".join(running.telling(figures["violations"][0]["seed"], lines=60)))
    return int(bool(figures["violations"]))


class _Progress:
    """Says on standard error how far a long run is, every ten seconds, and at once what it found."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._said = time.monotonic()
        self._found = 0

    def hear(self, findings: Any) -> None:
        """What has been found so far."""
        for seed, what in findings.violations[self._found :]:
            print(f"seed {seed}: {what}", file=sys.stderr, flush=True)
        self._found = len(findings.violations)
        now = time.monotonic()
        if now - self._said >= EVERY_SECONDS:
            self._said = now
            print(
                f"{findings.seeds:,} of {self._seeds:,} schedules, {self._found} violations",
                file=sys.stderr,
                flush=True,
            )


def _tell(figures: dict[str, Any]) -> None:
    print(
        f"{figures['seeds']:,} schedules in {figures['seconds']:.0f} s: {figures['steps_per_schedule']} steps, "
        f"{figures['events_per_schedule']} events and {figures['faults_per_schedule']} faults each on average; "
        f"{len(figures['violations'])} violations"
    )
    faults: dict[str, int] = figures["faults"]
    width = max(len(name) for name in faults)
    for name, count in sorted(faults.items(), key=lambda each: -each[1]):
        print(f"  {name:<{width}} {count:>9,}")
    if rare := [name for name, count in faults.items() if count < LEAST]:
        print(f"  Met fewer than {LEAST:,} times: {', '.join(sorted(rare))}. More seeds say more of them.")


if __name__ == "__main__":
    sys.exit(main())
