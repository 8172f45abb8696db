"""The command: `python -m tools.fuzz --seconds 60`. Exit code 1 where something was found."""

import argparse
import base64
import json
import os
import sys
import time
from typing import Any, Final

from tools.fuzz.corpus import ROOT
from tools.fuzz.parsers import parsers, unreached
from tools.fuzz.running import GROWTH_KIB, Figures, batches, run
from tools.fuzz.worker import Finding

FOUND: Final = ROOT / "tests" / "vectors" / "fuzz-found.json"
_EVERY_SECONDS: Final = 15.0


def main() -> int:
    """Run what was asked for; 1 where something was found."""
    given = _arguments()
    if given.list:
        return _list()
    chosen = [each for each in parsers() if not given.parser or each.name in given.parser]
    unknown = set(given.parser or ()) - {each.name for each in chosen}
    if unknown:
        print(f"There is no parser {', '.join(sorted(unknown))}. See --list.", file=sys.stderr)
        return 2
    inputs = given.inputs if given.inputs or given.seconds else 100_000
    todo = batches(chosen, given.seed, inputs)
    figures = run(
        chosen, todo, workers=given.workers, seconds=given.seconds, heard=_Progress(inputs, given.seconds).hear
    )
    said = _said(figures, given.seed)
    print(json.dumps(said, indent=2) if given.json else _table(said))
    if given.keep and figures.findings:
        _keep(figures.findings)
    return int(bool(figures.findings) or said["grown_mb"] * 1024 > GROWTH_KIB)


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description="Throw malformed input at every parser.")
    parser.add_argument("--inputs", type=int, help="how many, over all parsers by their shares (100,000)")
    parser.add_argument("--seconds", type=float, help="how long; with --inputs, whichever ends first")
    parser.add_argument("--seed", type=int, default=0, help="the same seed and number of inputs try the same inputs")
    parser.add_argument("--parser", action="append", help="only this one; several times for several")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes (2)")
    parser.add_argument("--json", action="store_true", help="write the figures as JSON")
    parser.add_argument("--keep", action="store_true", help=f"add what is found to {FOUND.relative_to(ROOT)}")
    parser.add_argument("--list", action="store_true", help="name the parsers, and what is called like one and is none")
    given = parser.parse_args()
    if (given.inputs is not None and given.inputs < 1) or (given.seconds is not None and given.seconds <= 0):
        parser.error("--inputs and --seconds are above nothing")
    if given.workers < 1:
        parser.error("--workers is at least 1")
    return given


def _list() -> int:
    for each in parsers():
        print(f"{each.name:<28} {each.share:>5} of a round  {each.calls}")
    print("\nCalled like a parser, and reached through others or with more than a text:")
    for place in unreached():
        print(f"  {place}")
    return 0


def _said(figures: Figures, seed: int) -> dict[str, Any]:
    rows = sorted(figures.by_parser.values(), key=lambda each: each.parser)
    return {
        "inputs": figures.tried,
        "seconds": round(figures.seconds, 1),
        "seed": seed,
        "parsers": {
            each.parser: {
                "inputs": each.tried,
                "values": each.values,
                "refused": each.refused,
                "unfit": each.unfit,
                "microseconds": round(each.seconds / max(each.tried, 1) * 1e6, 1),
                "slowest_ms": round(each.slowest * 1000, 1),
                "peak_mb": round(each.peak_kib / 1024, 1),
            }
            for each in rows
        },
        "largest_process_mb": round(max((max(held) for held in figures.resident.values()), default=0) / 1024),
        "grown_mb": round(figures.grown_kib() / 1024, 1),
        "findings": [_row(each) for each in figures.findings],
    }


def _row(finding: Finding) -> dict[str, str]:
    return {
        "parser": finding.parser,
        "what": finding.what,
        "place": finding.place,
        "base64": base64.b64encode(finding.content).decode(),
    }


def _table(said: dict[str, Any]) -> str:
    lines = [
        f"{said['inputs']:,} inputs, {len(said['parsers'])} parsers, {said['seconds']:.0f} s, seed {said['seed']}",
        f"{'':<28} {'inputs':>11} {'values':>10} {'refused':>10} {'us each':>8} {'slowest ms':>10} {'peak MB':>8}",
    ]
    lines += [
        f"{name:<28} {row['inputs']:>11,} {row['values']:>10,} {row['refused']:>10,} {row['microseconds']:>8} "
        f"{row['slowest_ms']:>10} {row['peak_mb']:>8}"
        for name, row in said["parsers"].items()
    ]
    lines.append(
        f"the largest process held {said['largest_process_mb']} MB, and grew by {said['grown_mb']} MB after its start; "
        f"{len(said['findings'])} findings"
    )
    if said["grown_mb"] * 1024 > GROWTH_KIB:
        lines.append(f"That is more than the {GROWTH_KIB // 1024} MB it may grow by: something keeps what it is given.")
    lines += [
        f"\n{row['parser']}: {row['what']}\n  at {row['place'] or 'no line of ours'}: "
        f"{base64.b64decode(row['base64'])[:300]!r}"
        for row in said["findings"]
    ]
    return "\n".join(lines)


def _keep(findings: list[Finding]) -> None:
    """Add the findings to the rows that `make test` tries; each once."""
    rows: list[dict[str, str]] = json.loads(FOUND.read_text("utf-8"))["rows"]
    known = {(row["parser"], row["base64"]) for row in rows}
    rows += [row for each in findings if (row := _row(each)) and (row["parser"], row["base64"]) not in known]
    text = json.dumps({"schema": "fuzz-found/1", "rows": rows}, indent=1) + "\n"
    FOUND.write_text(text, "utf-8")


class _Progress:
    """Says on standard error how far a run is, every so often, and at once what it found."""

    def __init__(self, inputs: int | None, seconds: float | None) -> None:
        self._goal = f" of {inputs:,}" if inputs else f" in {seconds:.0f} s at most"
        self._said = time.monotonic()
        self._found = 0

    def hear(self, figures: Figures) -> None:
        """What there is so far."""
        for each in figures.findings[self._found :]:
            print(f"{each.parser}: {each.what} at {each.place}: {each.content[:120]!r}", file=sys.stderr, flush=True)
        self._found = len(figures.findings)
        if time.monotonic() - self._said >= _EVERY_SECONDS:
            self._said = time.monotonic()
            print(f"{figures.tried:,}{self._goal} inputs, {self._found} findings", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
