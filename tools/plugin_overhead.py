"""What a call of a plugin costs over calling a function here: `python -m tools.plugin_overhead`.

The plugin is the smallest there is: it gives the same answer to every request. Beside it stands the same work done in
this process, a request written as JSON and an answer read, and the plugin called in an engine in this process, which
says what the process and its pipe cost.
"""

import asyncio
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

from wasmtime import wat2wasm

from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.flow.values import Json
from chalicelib.ports import PLUGIN_LIMITS, SandboxModule
from chalicelib.sandbox.answers import read_answer
from chalicelib.sandbox.engine import compile_module, load_module, make_engine
from chalicelib.sandbox.guest import Allowance, Guests

CALLS = 500
REQUEST: Mapping[str, Json] = {"node": "answer", "parameters": {"question": "what"}, "context": {"step": "a"}}
ANSWER = b'{"ok":42}'
TEXT = """(module (memory (export "memory") 1) (data (i32.const 0) "{\\"ok\\":42}")
  (func (export "penstock_abi") (result i32) i32.const 1)
  (func (export "penstock_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "penstock_call") (param i32 i32) (result i64) i64.const 9))"""


class _Nobody:
    """Outside a guest that asks nothing."""

    def ask(self, kind: str, content: bytes) -> bytes:
        raise RuntimeError(f"the plugin asks for {kind}")

    def log(self, level: int, text: str) -> None:
        del level, text


async def measured() -> dict[str, float]:
    """Microseconds a call (medians), and milliseconds for the first one."""
    content = bytes(wat2wasm(TEXT))

    async def load() -> bytes:
        return content

    module = SandboxModule(hashlib.sha256(content).hexdigest(), "overhead", load)
    sandbox = ProcessSandbox()
    try:
        began = time.perf_counter()
        await sandbox.call(module, REQUEST, tenant="main")
        first = time.perf_counter() - began
        apart = await _median(lambda: sandbox.call(module, REQUEST, tenant="main"))
    finally:
        await sandbox.close()

    async def plain() -> None:
        json.dumps(REQUEST)
        read_answer(ANSWER)

    return {
        "first_ms": first * 1e3,
        "apart_us": apart,
        "engine_us": await _median(_in_engine(content)),
        "plain_us": await _median(plain),
    }


def _in_engine(content: bytes) -> Callable[[], Awaitable[object]]:
    engine = make_engine()
    module, guests = load_module(engine, compile_module(engine, content)), Guests(engine)
    limits = PLUGIN_LIMITS
    allowance = Allowance(
        *(limits.seconds, limits.fuel, limits.memory_bytes, limits.answer_bytes),
        calls={},
        log_lines=0,
        log_bytes=0,
        wasi=False,
        now_ns=0,
    )

    async def called() -> bytes:
        return guests.call(module, allowance, json.dumps(REQUEST).encode(), _Nobody())

    return called


async def _median(call: Callable[[], Awaitable[object]]) -> float:
    spent: list[float] = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1e6


def main() -> None:
    """Measure, and say it."""
    found = asyncio.run(measured())
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    print(f"first call (a process that compiles, one that runs)  {found['first_ms']:10.0f} ms")
    print(f"a call in the plugin's process                       {found['apart_us']:10.0f} us")
    print(f"  of which a fresh instance in the engine            {found['engine_us']:10.0f} us")
    print(f"the same JSON written and read here                  {found['plain_us']:10.1f} us")
    print(f"ratio of a call to its instance in the engine        {found['apart_us'] / found['engine_us']:10.1f}")


if __name__ == "__main__":
    main()
