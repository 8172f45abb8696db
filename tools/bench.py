"""Compare Penstock with floors measured in the same run, on loopback. `make bench`.

Timings are noisy, so only ratios are judged, and every floor is measured here, beside what it is compared with:

- webhooks a second at 64 connections, acceptance durable, against a bare Starlette handler that commits once per
  request (both with `synchronous=FULL`), and against one that only answers;
- a chain of 100 `set` steps, against 100 task groups of one task in a row;
- 100 parallel calls of 50 ms, against bare aiohttp;
- what the hook route imports, against boto3 with a DynamoDB client.

Exits 1 where a bar is missed. `--json` prints the figures as data.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict, dataclass

from tools import bench_hooks, bench_worker


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison: `ratio` is judged against `bar`; `at_least` says which side is good."""

    what: str
    ours: str
    floor: str
    ratio: float
    bar: float
    at_least: bool

    @property
    def is_met(self) -> bool:
        """Whether the bar is met."""
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "ok" if self.is_met else "MISSED"
        return f"{self.what:<46} {self.ours:>14} {self.floor:>14}   {self.ratio:6.2f} {sign} {self.bar:<5} {verdict}"


def hooks(seconds: float) -> list[Line]:
    """Webhooks a second."""
    rates = bench_hooks.measure(seconds)
    ours = f"{rates.ours:,.0f}/s"
    return [
        Line(
            "webhooks accepted, against commit per request",
            ours,
            f"{rates.commit:,.0f}/s",
            rates.ours / rates.commit,
            0.4,
            at_least=True,
        ),
        Line(
            "webhooks accepted, against only answering",
            ours,
            f"{rates.answer:,.0f}/s",
            rates.ours / rates.answer,
            0.1,
            at_least=True,
        ),
    ]


def chain() -> Line:
    """A chain of 100 `set` steps."""
    ours, floor = asyncio.run(bench_worker.chain())
    return Line(
        "chain of 100 set steps, against task groups",
        f"{ours * 1000:.2f} ms",
        f"{floor * 1000:.2f} ms",
        ours / floor,
        10,
        at_least=False,
    )


def parallel() -> Line:
    """100 parallel calls of 50 ms."""
    with tempfile.TemporaryDirectory() as folder, bench_hooks.server("slow", folder) as port:
        ours, floor = asyncio.run(bench_worker.parallel(port))
    return Line(
        "100 parallel 50 ms calls, against bare aiohttp",
        f"{ours * 1000:.0f} ms",
        f"{floor * 1000:.0f} ms",
        ours / floor,
        1.5,
        at_least=False,
    )


def imports() -> Line:
    """What the hook route imports."""
    from tools import bench_import

    ours, floor = bench_import.measure()
    return Line(
        "import of the hook route, against boto3",
        f"{ours * 1000:.0f} ms",
        f"{floor * 1000:.0f} ms",
        ours / floor,
        0.75,
        at_least=False,
    )


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--seconds", type=float, default=7.5, help="how long each server is loaded, in five turns")
    parser.add_argument("--only", choices=["hooks", "chain", "parallel", "imports"], help="measure one of them")
    options = parser.parse_args()
    parts = {
        "chain": lambda: [chain()],
        "parallel": lambda: [parallel()],
        "hooks": lambda: hooks(options.seconds),
        "imports": lambda: [imports()],
    }
    lines: list[Line] = []
    for name, measure in parts.items():
        if options.only in {None, name}:
            print(f"measuring: {name}", file=sys.stderr)
            lines += measure()
    if options.json:
        print(json.dumps([{**asdict(line), "is_met": line.is_met} for line in lines], indent=1))
    else:
        print(f"{'':<46} {'Penstock':>14} {'floor':>14}   ratio    bar")
        for line in lines:
            print(line)
    return 0 if all(line.is_met for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
