"""Change one byte of deliveries at random, of every verification scheme, and count what is accepted: nothing may be.

    python -m tools.hook_mutations --count 1000000
    python -m tools.hook_mutations --count 20000 --seed 7 --json

The senders and the mutations are those of `tests/signing/mutations.py`. Exit code 1 where something was accepted: it is
named, and the same seed finds it again.
"""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
AT_ONCE = 20_000


def main() -> int:
    """Run what was asked for; 1 where something was accepted."""
    parser = argparse.ArgumentParser(description="Change one byte of deliveries, and count what is accepted.")
    parser.add_argument("--count", type=int, default=20_000, help="how many mutations")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; each 20,000 mutations have their own")
    parser.add_argument("--json", action="store_true", help="write the figures as JSON")
    given = parser.parse_args()
    if given.count < 1:
        parser.error("--count is at least 1")
    sys.path.insert(0, str(ROOT))
    mutations: Any = importlib.import_module("tests.signing.mutations")
    began = time.monotonic()
    refused: dict[tuple[str, str], int] = {}
    accepted: list[dict[str, Any]] = []
    for number, start in enumerate(range(0, given.count, AT_ONCE)):
        seed = given.seed + number
        findings: Any = mutations.mutate(min(AT_ONCE, given.count - start), seed)
        for key, count in findings.refused.items():
            refused[key] = refused.get(key, 0) + count
        accepted += [
            {"specimen": name, "kind": kind, "number": at, "seed": seed} for name, kind, at in findings.accepted
        ]
        print(f"{min(start + AT_ONCE, given.count)} of {given.count}, {len(accepted)} accepted", file=sys.stderr)
    _tell(given, refused, accepted, time.monotonic() - began)
    return int(bool(accepted))


def _tell(given: Any, refused: dict[tuple[str, str], int], accepted: list[dict[str, Any]], seconds: float) -> None:
    kinds: dict[str, int] = {}
    for (_, kind), count in refused.items():
        kinds[kind] = kinds.get(kind, 0) + count
    schemes = len({scheme for scheme, _ in refused})
    figures: dict[str, Any] = {
        "mutations": given.count,
        "schemes": schemes,
        "refused": sum(refused.values()),
        "by_kind": dict(sorted(kinds.items())),
        "accepted": accepted,
        "seconds": round(seconds, 1),
    }
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    said = ", ".join(f"{count} of the {kind}" for kind, count in figures["by_kind"].items())
    print(f"{given.count} mutations of {schemes} schemes in {seconds:.0f} s: {said}; {len(accepted)} accepted")
    for each in accepted:
        print(f"accepted: {each['specimen']}, its {each['kind']}, mutation {each['number']} of --seed {each['seed']}")


if __name__ == "__main__":
    sys.exit(main())
