"""Send requests made from the OpenAPI document to every route of an embedded server, and check every answer.

    python -m tools.fuzz_routes --examples 500
    python -m tools.fuzz_routes --examples 50 --seed 7 --json

`--examples` are so many valid and so many broken requests to each operation with an admin's key, half as many with
none, and a third as many with each lesser role. The requests are made by `tests/local/route_fuzzing.py`. Exit code 1
where an answer was not as described: it is printed with the request, and the same seed sends that again.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Run what was asked for; 1 where an answer was not as described."""
    parser = argparse.ArgumentParser(description="Send requests made from the description to every route.")
    parser.add_argument("--examples", type=int, default=50, help="valid and broken requests to each operation (50)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed sends the same requests")
    parser.add_argument("--json", action="store_true", help="write the figures as JSON")
    given = parser.parse_args()
    if given.examples < 1:
        parser.error("--examples is at least 1")
    sys.path.insert(0, str(ROOT))
    fuzzing: Any = importlib.import_module("tests.local.route_fuzzing")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told: Any = fuzzing.everywhere(Path(folder), examples=given.examples, seed=given.seed)
    seconds = round(time.monotonic() - began, 1)
    if given.json:
        figures: dict[str, Any] = {
            "requests": dict(told.cases),
            "operations": len(told.operations),
            "statuses": {str(status): count for status, count in sorted(told.statuses.items())},
            "problems": told.problems,
            "seed": given.seed,
            "seconds": seconds,
        }
        print(json.dumps(figures, indent=2))
    else:
        print(*told.lines(), f"{seconds} s, seed {given.seed}", sep="\n")
    return int(bool(told.problems))


if __name__ == "__main__":
    sys.exit(main())
