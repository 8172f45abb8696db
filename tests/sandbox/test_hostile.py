"""Hostile modules: each is refused, or stopped within its limit, and nobody else notices."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.adapters.sandbox_helper import SandboxHelper
from chalicelib.sandbox.errors import ModuleRefusedError, ModuleTrappedError
from chalicelib.sandbox.process import MEMORY_BYTES
from tests.sandbox.guests import LIMITS, OK, module_of, working
from tests.sandbox.hostile import REFUSED, STOPPED, STOPPED_WITH_WASI, UNHARMED

MOST_RESIDENT_BYTES = MEMORY_BYTES  # of address space: what is held is less
SLOWEST_BEAT_SECONDS = 0.3


class Place:
    """A sandbox, whose processes and whose server's loop are watched while it works."""

    def __init__(self):
        self.runner = asyncio.Runner()
        self.sandbox = ProcessSandbox(start=self.start)
        self.pids = set()
        self.most_resident = 0
        self.slowest_beat = 0.0

    async def start(self):
        helper = await SandboxHelper.start()
        self.pids.add(helper.pid)
        return helper

    def call(self, wat, *, wasi=False, limits=LIMITS):
        module = module_of(wat)

        async def watched():
            watching = asyncio.create_task(self.watch())
            try:
                return await self.sandbox.call(module, {}, tenant="main", limits=limits, wasi=wasi)
            finally:
                watching.cancel()

        return self.runner.run(watched())

    async def watch(self):
        while True:
            began = time.thread_time()  # of this thread: what the loop itself was held up for, whoever else works here
            await asyncio.sleep(0.02)
            self.slowest_beat = max(self.slowest_beat, time.thread_time() - began)
            self.most_resident = max([self.most_resident, *(resident(pid) for pid in self.pids)])


def resident(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    except (OSError, StopIteration):
        return 0


@pytest.fixture(scope="module")
def place():
    place = Place()
    yield place
    assert place.call(working(OK)) == {"ok": 1}  # whatever came before
    place.runner.run(place.sandbox.close())
    place.runner.close()
    assert place.most_resident < MOST_RESIDENT_BYTES
    assert place.slowest_beat < SLOWEST_BEAT_SECONDS


def test_there_are_at_least_fifty():
    assert len(REFUSED) + len(STOPPED) + len(STOPPED_WITH_WASI) + len(UNHARMED) >= 120


@pytest.mark.parametrize("name", REFUSED)
def test_a_module_that_is_none_of_ours_is_refused_by_what_is_wrong(name, place):
    wat, said = REFUSED[name]
    with pytest.raises(ModuleRefusedError) as raised:
        place.call(wat)
    assert said in raised.value.detail


@pytest.mark.parametrize("name", [*STOPPED, *STOPPED_WITH_WASI])
def test_a_module_that_misbehaves_is_stopped_for_a_reason_with_a_name(name, place):
    wat, reason = (STOPPED | STOPPED_WITH_WASI)[name]
    limits = replace(LIMITS, fuel=2**62) if "time" in reason else LIMITS
    began = time.monotonic()
    with pytest.raises(ModuleTrappedError) as raised:
        place.call(wat, limits=limits, wasi=name in STOPPED_WITH_WASI)
    assert raised.value.facts["reason"] in reason.split(" or ")
    assert time.monotonic() - began < limits.seconds + 8


@pytest.mark.parametrize("name", UNHARMED)
def test_with_wasi_there_is_still_nothing_to_reach(name, place):
    assert place.call(UNHARMED[name], wasi=True) == {"ok": 1}
