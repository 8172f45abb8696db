"""Let processes die at every call to the world that they make: once, and twice in a row, on every store.

    make crashes                                          everything (about an hour on two cores)
    python -m tools.crashes --stores memory               one store
    python -m tools.crashes --flows wide linear --every 7 some flows, every seventh pair

The flows are those of `tests/worker/canon.py`. After each death another process goes on; in the end every flow must
have ended as it does when nobody dies, with nothing done twice, and every message once more must change nothing.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STORES = ("memory", "sqlite", "aws")
PORTION = 40
"""Deaths that a process tries before it says how they went."""


@dataclass
class Tally:
    """What was tried, and what went wrong."""

    points: int = 0
    single: int = 0
    pairs: int = 0
    lost: list[str] = field(default_factory=list[str])
    duplicated: list[str] = field(default_factory=list[str])
    otherwise: list[str] = field(default_factory=list[str])

    def add(self, other: "Tally") -> None:
        """Take in what another process found."""
        self.points += other.points
        self.single += other.single
        self.pairs += other.pairs
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.otherwise += other.otherwise

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.lost or self.duplicated or self.otherwise)

    def told(self) -> str:
        """In one line."""
        return (
            f"{self.points:,} crash points ({self.single:,} single, {self.pairs:,} in pairs): {len(self.lost)} lost, "
            f"{len(self.duplicated)} duplicated, {len(self.otherwise)} otherwise wrong"
        )


@dataclass(frozen=True)
class Task:
    """A portion of one flow's deaths on one store."""

    store: str
    flow: str
    boots: bool
    whole: Any
    deaths: tuple[tuple[Any, ...], ...]
    address: str = ""


def main() -> int:
    """Try them all; 1 where something was lost or done twice."""
    parser = argparse.ArgumentParser(description="Let processes die at every call they make.")
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--flows", nargs="+", help="only these")
    parser.add_argument("--every", type=int, default=1, help="of the pairs only every so manieth")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, help="where the figures go as JSON too")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    crashes: Any = importlib.import_module("tests.worker.crashes")
    flows: list[str] = given.flows or crashes.STORIES
    figures: dict[str, Any] = {}
    is_clean = True
    for store in given.stores:
        began = time.perf_counter()
        with _address(store) as address:
            tasks = list(_tasks(crashes, store, flows, given.every, address))
            tally = _tried(tasks, given.workers)
        seconds = time.perf_counter() - began
        print(f"{store}: {len(flows)} flows, {tally.told()}, in {seconds:.0f} s", flush=True)
        for each in [*tally.lost, *tally.duplicated, *tally.otherwise][:20]:
            print(f"  {each}")
        figures[store] = {**asdict(tally), "seconds": round(seconds, 1), "flows": len(flows)}
        is_clean &= tally.is_clean
    points = sum(each["points"] for each in figures.values())
    print(f"in all {points:,} distinct crash points")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return int(not is_clean)


@contextlib.contextmanager
def _address(store: str) -> Generator[str]:
    """Of the local AWS, where it is needed."""
    if store != "aws":
        yield ""
        return
    server: Any = importlib.import_module("tests.aws_server")
    with server.local_aws() as address:
        yield address


def _tasks(crashes: Any, store: str, flows: list[str], every: int, address: str) -> Iterator[Task]:
    """Single deaths on every store, pairs on those at home; what was in hand comes again by a boot or by the queue."""
    for flow in flows:
        whole = asyncio.run(crashes.undisturbed(crashes.CANON[flow]))
        points = list(crashes.points(whole.calls))
        single = [(point,) for point in points]
        pairs = [] if store == "aws" else [(first, second) for first in points for second in points][::every]
        for boots in (True, False) if store == "memory" else (store == "sqlite",):
            deaths = [*single, *(pairs if boots else [])]
            for begin in range(0, len(deaths), PORTION):
                yield Task(store, flow, boots, whole, tuple(deaths[begin : begin + PORTION]), address)


def _tried(tasks: list[Task], workers: int) -> Tally:
    tally = Tally()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for number, found in enumerate(pool.imap_unordered(_try, tasks), 1):
            tally.add(found)
            if sys.stderr.isatty():
                print(f"\r{number}/{len(tasks)}", end="", file=sys.stderr, flush=True)
    return tally


def _try(task: Task) -> Tally:
    return asyncio.run(_try_all(task))


async def _try_all(task: Task) -> Tally:
    stores: Any = importlib.import_module("tests.worker.crash_stores")
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for number, deaths in enumerate(task.deaths):
            tally.points += 1
            tally.single += len(deaths) == 1
            tally.pairs += len(deaths) == 2
            try:
                await _one(stores, task, deaths, Path(folder), number)
            except Exception as error:  # noqa: BLE001  whatever went wrong is what this program is to tell
                said = f"{task.store} {error}" if isinstance(error, AssertionError) else f"{task.flow}: {error!r}"
                _kind(tally, said).append(said[:300])
    return tally


async def _one(stores: Any, task: Task, deaths: tuple[Any, ...], folder: Path, number: int) -> None:
    match task.store:
        case "memory":
            await stores.tried(task.flow, deaths, task.whole, boots=task.boots)
        case "sqlite":
            await stores.tried_on_sqlite(task.flow, deaths, task.whole, folder, number)
        case _:
            await stores.tried_on_aws(task.address, task.flow, deaths, task.whole)


def _kind(tally: Tally, said: str) -> list[str]:
    if "lost" in said or "nothing moves it" in said or "left" in said:
        return tally.lost
    return tally.duplicated if "I3" in said or "I4" in said or "L3" in said else tally.otherwise


if __name__ == "__main__":
    sys.exit(main())
