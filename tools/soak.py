"""Load the embedded server steadily, and watch its memory. `make soak`, ten minutes; `make soak MINUTES=3`.

A real `penstock dev` is sent webhooks of mixed flows at a steady rate; they call a service on loopback. The resident
memory of the server is sampled. After a warm-up (a fifth of the time, two minutes of ten) it may grow by less than 5 %:
the median of the last samples is compared with the median of the first ones after the warm-up. What has ended is kept
for a minute only, so that the store, too, must come to rest.

Exits 1 where memory grows more, where an execution went wrong, or where the server did not keep pace. `--json` prints
the figures as data.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tools.load_dev import FLOWS, DevProcess
from tools.load_kinds import KINDS, kind_of, word
from tools.load_service import CountingService

MOST_GROWTH = 0.05
WARM_UP = 0.2
"""The share of the time that is not judged."""
WINDOW = 0.15
"""The share of the judged time whose samples stand for its beginning, and as much for its end."""
EVERY_SECONDS = 2.0
KEPT_FOR = "1m"
PATIENCE_SECONDS = 60.0
"""For what is under way when the last webhook was sent."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is seen of the server at one moment."""

    seconds: float
    accepted: int
    rss_mb: float
    store_mb: float
    records: int
    facts: int


@dataclass
class Soak:
    """What is counted."""

    minutes: float
    rate: float
    samples: list[Sample] = field(default_factory=list[Sample])
    accepted: int = 0
    late_seconds: float = 0.0
    """How far the sender fell behind its plan, at most."""
    longest_answer_seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter[str])
    """Of the executions that the store still knows at the end."""
    problems: list[str] = field(default_factory=list[str])

    @property
    def judged(self) -> Sequence[Sample]:
        """The samples after the warm-up."""
        return [each for each in self.samples if each.seconds >= self.minutes * 60 * WARM_UP]

    def window(self, *, is_last: bool) -> Sequence[Sample]:
        """The first, or the last, of those that are judged."""
        judged = self.judged
        count = max(1, round(len(judged) * WINDOW))
        return judged[-count:] if is_last else judged[:count]

    @property
    def growth(self) -> float:
        """Of the resident memory, as a share: from the first judged samples to the last."""
        first, last = (statistics.median(each.rss_mb for each in self.window(is_last=end)) for end in (False, True))
        return last / first - 1

    def to_data(self) -> Mapping[str, Any]:
        """The figures, as JSON has them."""
        return {**asdict(self), "statuses": dict(self.statuses), "growth": round(self.growth, 4), "is_met": self.is_met}

    @property
    def is_met(self) -> bool:
        """Whether memory stayed within its bound, and nothing went wrong."""
        return self.growth < MOST_GROWTH and not self.problems


async def soak(minutes: float, rate: float, folder: Path) -> Soak:
    """Load a server in an empty folder; what was seen."""
    counts = Soak(minutes, rate)
    service = CountingService(seed=1, slowest_seconds=0.4)
    async with service, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
        dev = DevProcess(folder, service.url, flows=_short_lived(folder / "flows"))
        try:
            await dev.start()
            addresses = {flow: await _address(dev, session, flow) for flow in {kind.flow for kind in KINDS}}
            watching = asyncio.create_task(_watch(counts, dev))
            answering = asyncio.create_task(_answer_all(counts, service, session))
            await _load(counts, addresses, session)
            watching.cancel()
            await _settle(counts, dev, session)
            answering.cancel()
            await asyncio.gather(watching, answering, return_exceptions=True)
            if code := await dev.stop():
                counts.problems.append(f"the server ended with {code} when it was asked to")
            counts.problems += service.violations
            counts.problems += [line for line in dev.errors.splitlines() if "ERROR" in line or "Traceback" in line]
        finally:
            await dev.kill()
    return counts


def _short_lived(folder: Path) -> Path:
    """The flows of the mix, forgotten soon after they have ended.

    They verify nothing, so no delivery has an id: what has one is kept for weeks, to be known when it comes again.
    """
    folder.mkdir()
    for file in FLOWS.glob("*.yaml"):
        text = file.read_text().replace("verify: {scheme: standard-webhooks, credential: load_hook}", "verify: none")
        (folder / file.name).write_text(f"{text}retention: {KEPT_FOR}\n")
    return folder


async def _address(dev: DevProcess, session: aiohttp.ClientSession, flow: str) -> str:
    """Where a flow's webhook comes in: its own secret is in the address."""
    shown = await dev.ask(session, f"/flows/{flow}")
    return next(trigger["url"] for trigger in shown["triggers"] if trigger["uses"] == "webhook")


async def _load(counts: Soak, addresses: Mapping[str, str], session: aiohttp.ClientSession) -> None:
    """A webhook at each of its moments, whether the ones before are answered or not."""
    begun = time.perf_counter()
    posts: set[asyncio.Task[None]] = set()
    for n in range(int(counts.minutes * 60 * counts.rate)):
        moment = begun + n / counts.rate
        now = time.perf_counter()
        if now < moment:
            await asyncio.sleep(moment - now)
        else:
            counts.late_seconds = max(counts.late_seconds, round(now - moment, 2))
        post = asyncio.create_task(_post(counts, addresses[kind_of(n).flow], session, n))
        posts.add(post)
        post.add_done_callback(posts.discard)
    await asyncio.gather(*posts)


async def _post(counts: Soak, address: str, session: aiohttp.ClientSession, n: int) -> None:
    before = time.perf_counter()
    try:
        async with session.post(address, json={"n": n}) as answer:
            if answer.status >= 300:
                counts.problems.append(f"delivery {n} was answered {answer.status}")
            counts.accepted += answer.status < 300
    except (aiohttp.ClientError, TimeoutError) as error:
        counts.problems.append(f"delivery {n} had no answer: {error!r}")
    took = round(time.perf_counter() - before, 2)
    counts.longest_answer_seconds = max(counts.longest_answer_seconds, took)


async def _answer_all(counts: Soak, service: CountingService, session: aiohttp.ClientSession) -> None:
    """Call every address that executions hand out, within a second."""
    while True:
        await asyncio.sleep(0.5)
        while service.links:
            path, link = service.links.popitem()
            try:
                async with session.post(link, json={"word": word(int(path.rpartition("/")[2]))}) as answer:
                    if answer.status >= 300:
                        counts.problems.append(f"the answer to {path} was answered {answer.status}")
            except (aiohttp.ClientError, TimeoutError) as error:
                counts.problems.append(f"the answer to {path} had no answer: {error!r}")


async def _watch(counts: Soak, dev: DevProcess) -> None:
    begun = time.perf_counter()
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        seconds = round(time.perf_counter() - begun, 1)
        store = dev.folder / "penstock" / "store.db"
        size = sum(file.stat().st_size for file in store.parent.glob("store.db*"))
        found = await asyncio.to_thread(_rows, store)
        counts.samples.append(Sample(seconds, counts.accepted, _rss_mb(dev.pid), round(size / 1e6, 1), *found))


def _rss_mb(pid: int) -> float:
    """The resident memory of a process, in MB."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    return round(int(said) * 1024 / 1e6, 1)


def _rows(store: Path) -> tuple[int, int]:
    """How many records and facts the store holds."""
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        return tuple(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("records", "facts"))  # noqa: S608


async def _settle(counts: Soak, dev: DevProcess, session: aiohttp.ClientSession) -> None:
    """Until what is under way has ended; then, how it ended."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await dev.ask(session, "/executions", status="running"))["items"]:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.5)
    except TimeoutError:
        counts.problems.append(f"{PATIENCE_SECONDS:.0f} s after the last webhook, executions go on still")
    page: Any = await dev.ask(session, "/executions", limit="100")
    for each in page["items"]:
        counts.statuses[each["status"]] += 1
        if (each["status"] == "failed") != (each["flow"] == "load-failing"):
            counts.problems.append(f"{each['flow']} {each['id']} is {each['status']}")


def lines_of(counts: Soak) -> list[str]:
    """The figures, as a person reads them: a row for each half minute at most, twenty in all."""
    step = max(1, len(counts.samples) // 20)
    rows = [
        f"{each.seconds / 60:7.1f} {each.accepted:9,} {each.rss_mb:6.1f} MB {each.store_mb:6.1f} MB "
        f"{each.records:8,} {each.facts:8,}"
        for each in counts.samples[step - 1 :: step]
    ]
    first, last = (statistics.median(each.rss_mb for each in counts.window(is_last=end)) for end in (False, True))
    verdict = "ok" if counts.growth < MOST_GROWTH else "MISSED"
    pace = f"sent at most {counts.late_seconds} s late, the slowest answer took {counts.longest_answer_seconds} s"
    grown = f"{counts.growth:+.1%} < {MOST_GROWTH:.0%} {verdict}"
    return [
        f"{'minute':>7} {'accepted':>9} {'memory':>9} {'store':>9} {'records':>8} {'facts':>8}",
        *rows,
        f"{counts.accepted:,} executions in {counts.minutes:g} minutes; {pace}",
        f"memory {first:.1f} MB after the warm-up, {last:.1f} MB at the end: {grown}",
        *(f"WRONG: {each}" for each in counts.problems[:20]),
    ]


def main() -> int:
    """Load, watch, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=20.0, help="webhooks a second")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        counts = asyncio.run(soak(options.minutes, options.rate, folder))
    finally:
        shutil.rmtree(folder)
    print(json.dumps(counts.to_data(), indent=1) if options.json else "\n".join(lines_of(counts)))
    return 0 if counts.is_met else 1


if __name__ == "__main__":
    sys.exit(main())
