"""What the worker costs: a chain of steps, and many calls at once. The store is in memory, and so left out."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp

from chalicelib import catalogue
from chalicelib.adapters.clock import RandomIds, SystemClock
from chalicelib.adapters.environment import EnvironmentCredentials
from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.http import HttpClient, client_for_flows
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.adapters.memory.queue import MemoryQueue
from chalicelib.adapters.memory.versions import MemoryVersions
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.flow.text import read_yaml
from chalicelib.ports import Entered, Knock
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Ends
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.tools import Tools

ROUNDS = 7
STEPS = 100
CALLS = 100


async def chain() -> tuple[float, float]:
    """Seconds for a chain of 100 `set` steps, and for 100 task groups of one task in a row; medians of 7."""
    lines = ["flow: chain", "inputs: {n: {type: number}}", "steps:", "  s0: {uses: set, with: {v: '${ inputs.n }'}}"]
    lines += [f"  s{n}: {{uses: set, with: {{v: '${{ steps.s{n - 1}.v }}'}}}}" for n in range(1, STEPS)]
    start = await _starter("\n".join([*lines, f"output: '${{ steps.s{STEPS - 1}.v }}'"]), {"n": 7})

    async def ours() -> None:
        entered = await start()
        if entered.output != 7:
            raise AssertionError(f"the chain ended with {entered.output!r}")

    async def nothing() -> None:
        pass

    async def floor() -> None:
        for _ in range(STEPS):
            async with asyncio.TaskGroup() as group:
                group.create_task(nothing())

    return await _medians(ours, floor)


async def parallel(port: int) -> tuple[float, float]:
    """Seconds for 100 parallel calls in one execution to the slow server on `port`, and with bare aiohttp."""
    url = f"http://127.0.0.1:{port}/"
    steps = [f"  c{n}: {{uses: http.request, with: {{url: '{url}{n}'}}}}" for n in range(CALLS)]
    http = client_for_flows(EgressPolicy(allow=("127.0.0.1/32",)))
    start = await _starter("\n".join(["flow: wide", "steps:", *steps]), {}, http)

    async def ours() -> None:
        entered = await start()
        if entered.image is None or entered.image.status.word != "succeeded":
            raise AssertionError(f"the calls did not all succeed: {entered.image and entered.image.reason}")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(number: int) -> None:
            async with session.get(f"{url}{number}") as response:
                await response.json()

        async def floor() -> None:
            await asyncio.gather(*(call(number) for number in range(CALLS)))

        found = await _medians(ours, floor)
    await http.close()
    return found


async def _medians(ours: Callable[[], Awaitable[None]], floor: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Medians of both, taken in turns after a warm-up."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for times, work in zip(taken, (ours, floor), strict=True):
            begun = time.perf_counter()
            await work()
            if number:
                times.append(time.perf_counter() - begun)
    return statistics.median(taken[0]), statistics.median(taken[1])


async def _starter(
    text: str, inputs: dict[str, int], http: HttpClient | None = None
) -> Callable[[], Awaitable[Entered]]:
    """Publish a flow into a house in memory, and return what starts it and waits for its end."""
    clock, ids, versions = SystemClock(), RandomIds(), MemoryVersions()
    data = read_yaml(text, "bench.yaml").data
    plan = make_plan(data, catalogue.entries())
    version, canonical = version_of(data)
    await versions.put("main", plan.flow, version, canonical, 0)
    plans = RememberedPlans(versions, catalogue.entries(), clock)
    ends = Ends()
    tools = Tools(
        clock=clock,
        ids=ids,
        facts=MemoryFacts(),
        queue=MemoryQueue(clock),
        blobs=MemoryBlobs(),
        http=http or client_for_flows(EgressPolicy()),
        credentials=EnvironmentCredentials({}),
        evaluator=HereEvaluator(),
        plans=plans,
        build=catalogue.build,
        announce=ends.announce,
    )
    door = FrontDoor(tools, ends)

    async def start() -> Entered:
        knock = Knock("main", plan, None, None, dict(inputs), "result", to_milliseconds(clock.now()), wait_seconds=60)
        entered = await door.enter(knock)
        if not isinstance(entered, Entered):
            raise TypeError("a flow without a trigger turns nobody away")
        return entered

    return start
