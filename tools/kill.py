"""Kill the embedded server again and again while it works, and count what became of everything. `make kill`.

Webhooks of mixed flows are sent to a real `penstock dev`, which calls a service that counts effects. At random moments
of a seed the server is killed with SIGKILL (some of them while it starts) and started again on the same store. Whoever
gets no answer sends the same delivery again, as providers do; some send it twice at once. At the end:

- every delivery has been accepted, always as the same execution, and there is no other execution;
- every execution has ended as its flow must, with the right output;
- every effect with an idempotency key was applied exactly once, every at-most-once request came at most once.

Exits 1 where any of it does not hold. `--json` prints the figures as data.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tools.load_dev import DevProcess
from tools.load_kinds import KINDS, Effects, kind_of, word
from tools.load_service import CountingService

LIFE_SECONDS = (0.2, 2.2)
"""Between being up and being killed."""
START_SECONDS = (0.1, 0.9)
"""Between being begun and being killed, where the kill comes during the start."""
IN_START = 0.15
"""The share of kills that come during a start."""
TWICE = 0.2
"""The share of deliveries that are sent twice at once."""
PATIENCE_SECONDS = 180.0
"""For everything that must have ended after the last kill."""
AGAIN_SECONDS = 0.15
"""Until a delivery without an answer is sent again."""
ANSWERED = "answered"
"""Of a delivery that was answered with the flow's output: that names no execution."""
ENDED = frozenset({"succeeded", "failed", "cancelled", "timed_out"})


@dataclass
class Storm:
    """What is counted."""

    executions: int
    kills: int
    seed: int
    kills_in_start: int = 0
    kills_with_calls_in_flight: int = 0
    calls_in_flight_at_kills: int = 0
    posts: int = 0
    """Deliveries sent, the same one again included."""
    refused: int = 0
    """Deliveries that found no server."""
    cut_off: int = 0
    """Deliveries that a server took and did not answer: nobody knows whether they count."""
    accepted: dict[int, str] = field(default_factory=dict[int, str])
    """Executions by the number of their delivery."""
    answers: int = 0
    """Calls to addresses that executions had handed out."""
    statuses: Counter[str] = field(default_factory=Counter[str])
    children: int = 0
    effects: Effects = field(default_factory=Effects)
    requests: int = 0
    replayed: int = 0
    """Requests with a key that had been applied: each a second effect, but for the key."""
    restart_seconds: list[float] = field(default_factory=list[float])
    seconds: float = 0.0
    seconds_to_end: float = 0.0
    """From the last start until everything had ended."""
    problems: list[str] = field(default_factory=list[str])

    def to_data(self) -> Mapping[str, Any]:
        """The figures, as JSON has them."""
        data = asdict(self)
        data.pop("accepted")
        starts = data.pop("restart_seconds")
        problems = data.pop("problems") + data["effects"].pop("problems")
        return {
            **data,
            "accepted": len(self.accepted),
            "statuses": dict(self.statuses),
            "restart_seconds_median": round(statistics.median(starts), 2),
            "restart_seconds_longest": round(max(starts), 2),
            "problems": problems,
        }


async def storm(executions: int, kills: int, seed: int, folder: Path) -> Storm:
    """Do it all in an empty folder; the counts, and what was wrong."""
    return await _Weather(Storm(executions, kills, seed), folder).run()


class _Weather:
    """One storm while it blows."""

    def __init__(self, counts: Storm, folder: Path) -> None:
        self.counts = counts
        self.random = random.Random(counts.seed)  # noqa: S311  reproducible moments, no secret
        self.service = CountingService(counts.seed)
        self.folder = folder
        self.senders: list[asyncio.Task[None]] = []
        self.callers: dict[str, asyncio.Task[None]] = {}
        """Who answers what an execution asks, by the address that was handed out."""

    async def run(self) -> Storm:
        begun = time.perf_counter()
        async with self.service, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:
            self.session = session
            self.dev = DevProcess(self.folder, self.service.url)
            answering = asyncio.create_task(self._answer_all())
            try:
                await self._blow()
                self.counts.restart_seconds.append(await self.dev.start())
                calmed = time.perf_counter()
                await self._settle()
                self.counts.seconds_to_end = round(time.perf_counter() - calmed, 2)
                await self._judge()
                if code := await self.dev.stop():
                    self.counts.problems.append(f"the server ended with {code} when it was asked to")
            finally:
                answering.cancel()
                for task in (*self.senders, *self.callers.values()):
                    task.cancel()
                await self.dev.kill()
        self.counts.seconds = round(time.perf_counter() - begun, 2)
        return self.counts

    async def _blow(self) -> None:
        """Every life of the server but the last."""
        counts, rand = self.counts, self.random
        left = list(range(counts.executions))
        lives = [rand.random() >= IN_START for _ in range(counts.kills)]
        for number, is_long in enumerate(lives):
            share = -(-len(left) // max(1, sum(lives[number:])))
            if not is_long:
                counts.kills_in_start += 1
                await self.dev.begin()
                await asyncio.sleep(rand.uniform(*START_SECONDS))
            else:
                counts.restart_seconds.append(await self.dev.start())
                life = rand.uniform(*LIFE_SECONDS)
                batch, left = left[:share], left[share:]
                self.senders += [asyncio.create_task(self._send(n, self._moment(life))) for n in batch]
                await asyncio.sleep(life)
            counts.calls_in_flight_at_kills += self.service.in_flight
            counts.kills_with_calls_in_flight += self.service.in_flight > 0
            await self.dev.kill()
        self.senders += [asyncio.create_task(self._send(n, 0)) for n in left]

    def _moment(self, life: float) -> float:
        """When a delivery is sent, in seconds from the start: half of them about when the server is killed."""
        rand = self.random
        return rand.uniform(0, life) if rand.random() < 0.5 else max(0.0, life + rand.uniform(-0.03, 0.005))

    async def _send(self, n: int, after: float) -> None:
        """One sender: at its moment, until it has an answer; maybe twice at once."""
        is_twice = self.random.random() < TWICE
        await asyncio.sleep(after)
        posts = [self._post_until_answered(n) for _ in range(1 + is_twice)]
        for execution in await asyncio.gather(*posts):
            if execution and self.counts.accepted.setdefault(n, execution) != execution:
                self.counts.problems.append(f"delivery {n} is {execution}, and was {self.counts.accepted[n]} before")

    async def _post_until_answered(self, n: int) -> str:
        body = json.dumps({"n": n}).encode()
        kind = kind_of(n)
        url = f"{self.dev.url}/hooks/{kind.flow}/{kind.trigger}"
        while True:
            self.counts.posts += 1
            try:
                async with self.session.post(url, data=body, headers=self.dev.signed(body, f"msg_{n}")) as answer:
                    told: Any = await answer.json()
                    if answer.status < 300:
                        return ANSWERED if isinstance(told, str) else str(told["execution"])
                    if answer.status < 500:
                        self.counts.problems.append(f"delivery {n} was answered {answer.status}: {told}")
                        return ""
            except aiohttp.ClientConnectorError:
                self.counts.refused += 1
            except (aiohttp.ClientError, TimeoutError, ValueError):  # ValueError: half an answer
                self.counts.cut_off += 1
            await asyncio.sleep(AGAIN_SECONDS)

    async def _answer_all(self) -> None:
        """Call every address that the service was told of, soon after, until the call is answered."""
        while True:
            for path, link in list(self.service.links.items()):
                if link not in self.callers:
                    self.callers[link] = asyncio.create_task(self._answer(path, link))
            await asyncio.sleep(0.02)

    async def _answer(self, path: str, link: str) -> None:
        n = int(path.rpartition("/")[2])
        was_cut = False
        await asyncio.sleep(self.random.choice((0, self.random.uniform(0, 2))))
        while True:
            try:
                async with self.session.post(link, json={"word": word(n)}) as answer:
                    told = await answer.text()
                    if answer.status == 409 and was_cut and "link_used" in told:
                        self.counts.answers += 1  # it was heard the time before, and we were not told
                        return
                    if answer.status < 500:
                        if answer.status >= 300:
                            self.counts.problems.append(f"the answer to {path} was answered {answer.status}: {told}")
                        self.counts.answers += 1
                        return
            except aiohttp.ClientConnectorError:
                pass
            except (aiohttp.ClientError, TimeoutError):
                was_cut = True
            await asyncio.sleep(AGAIN_SECONDS)

    async def _settle(self) -> None:
        """Until every delivery is accepted and every execution has ended."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*self.senders)
                while any(not _is_over(each) for each in await self._listed()):  # noqa: ASYNC110  another process
                    await asyncio.sleep(0.3)
        except TimeoutError:
            still = [
                f"{each['flow']} {each['id']} {each['status']}" for each in await self._listed() if not _is_over(each)
            ]
            self.counts.problems.append(f"after {PATIENCE_SECONDS:.0f} s: {len(still)} go on still: {still[:20]}")

    async def _listed(self) -> list[dict[str, Any]]:
        """Every execution; in place of one that must come and has not, a stand-in."""
        listed: list[dict[str, Any]] = []
        for kind in KINDS:
            listed += await self.dev.executions(self.session, kind.flow)
            if kind.starts:
                started = await self.dev.executions(self.session, kind.starts)
                missing = sum(kind_of(n) is kind for n in self.counts.accepted) - len(started)
                listed += started + [{"flow": kind.starts, "id": "", "status": "missing"}] * missing
        return listed

    async def _judge(self) -> None:
        counts = self.counts
        found: dict[int, str] = {}
        for kind in KINDS:
            for listed in await self.dev.executions(self.session, kind.flow):
                shown = await self.dev.ask(self.session, f"/executions/{listed['id']}")
                n = shown["inputs"]["n"]
                if kind_of(n) is not kind or found.setdefault(n, shown["id"]) != shown["id"]:
                    counts.problems.append(f"{kind.flow}: {shown['id']} is a second execution of delivery {n}")
                    continue
                counts.statuses[shown["status"]] += 1
                counts.effects.judge(n, shown, self.service)
            if kind.starts:
                started = await self.dev.executions(self.session, kind.starts)
                counts.children += len(started)
                wanted = sum(kind_of(n) is kind for n in range(counts.executions))
                if [each["status"] for each in started] != ["succeeded"] * wanted:
                    counts.problems.append(f"{kind.starts}: {wanted} were to succeed: {[*started]}")
        for n in range(counts.executions):
            known = counts.accepted.get(n)
            if known is None or n not in found or known not in {found[n], ANSWERED}:
                counts.problems.append(f"delivery {n} was accepted as {known}, and its execution is {found.get(n)}")
        counts.requests, counts.replayed = self.service.requests.total(), self.service.repeats
        counts.problems += self.service.violations
        counts.problems += _bugs(self.dev.errors)


def _is_over(listed: Mapping[str, Any]) -> bool:
    return listed["status"] in ENDED


def _bugs(errors: str) -> Sequence[str]:
    """What the servers' logs say that must not be there."""
    return [
        line for line in errors.splitlines() if "Traceback" in line or "met a bug" in line or "none of ours" in line
    ]


def lines_of(counts: Storm) -> list[str]:
    """The figures, as a person reads them."""
    data = counts.to_data()
    effects, lives = data["effects"], (data["restart_seconds_median"], data["restart_seconds_longest"])
    under_way = f"{counts.calls_in_flight_at_kills} calls under way, at {counts.kills_with_calls_in_flight} of them"
    rows = {
        "deliveries": f"{counts.executions} of {len(KINDS)} flows, {data['posts']} times sent: "
        f"{data['cut_off']} cut off, {data['refused']} refused",
        "kill -9": f"{counts.kills}, {counts.kills_in_start} during a start; {under_way}",
        "starts": f"{lives[0]} s in the median, {lives[1]} s at most",
        "executions": f"{data['accepted']} accepted, {_words(counts.statuses)}, {counts.children} that those started; "
        f"{data['answers']} callbacks answered; over {data['seconds_to_end']} s after the last start",
        "with a key": f"{effects['keyed']} effects, {data['replayed']} repeated requests",
        "at most once": f"{effects['paid']} came once, {effects['unsent']} never; {effects['unsure']} count as unknown",
        "at least once": f"{effects['repeated']} more than once",
        "in all": f"{data['requests']} requests, {data['seconds']} s, seed {counts.seed}",
        "problems": str(len(data["problems"])),
    }
    return [f"{name:<15} {text}" for name, text in rows.items()]


def _words(statuses: Counter[str]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))


def main() -> int:
    """Do it, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--executions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="an empty folder for the store and the log, which are kept there")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = options.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        counts = asyncio.run(storm(options.executions, options.kills, options.seed, place.resolve()))
    problems = counts.to_data()["problems"]
    if options.json:
        print(json.dumps(counts.to_data(), indent=1))
    else:
        print("\n".join(lines_of(counts)))
        print(*(f"WRONG: {each}" for each in problems), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
