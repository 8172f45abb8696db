"""Webhooks a second: the embedded server beside two bare Starlette handlers, each in a process of its own."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 64
SECRET = base64.b64encode(b"bench-secret-of-32-bytes-exactly").decode()
FLOW = """
flow: bench
triggers:
  hook: {uses: webhook, verify: {scheme: standard-webhooks, credential: bench}}
steps:
  order: {uses: set, with: {number: "${ trigger.body.order }", total: "${ trigger.body.total }"}}
"""
BODY = json.dumps({"order": "A-1042", "total": 528.98, "note": "x" * 200}).encode()


@dataclass(frozen=True, slots=True)
class Rates:
    """Answers a second."""

    ours: float
    commit: float
    answer: float


KINDS = ("answer", "commit", "ours")
ROUNDS = 5


def measure(seconds: float) -> Rates:
    """Load the three servers in turns, so many seconds each in all; the medians of their rounds.

    All three are up all the while: the ones that are not loaded cost nothing, and a machine's good and bad moments come
    to each of them.
    """
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with contextlib.ExitStack() as stack:
        ports: dict[str, int] = {}
        for kind in KINDS:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            ports[kind] = stack.enter_context(server(kind, folder))
            asyncio.run(_load(ports[kind], 1.0, kind))
        for _ in range(ROUNDS):
            for kind in KINDS:
                found[kind].append(asyncio.run(_load(ports[kind], seconds / ROUNDS, kind)))
    return Rates(**{kind: statistics.median(rates) for kind, rates in found.items()})


@contextlib.contextmanager
def server(kind: str, folder: str) -> Generator[int]:
    """A server of its own process on a free port; it is ended when the block is left."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PENSTOCK_CREDENTIAL_BENCH": json.dumps({"secret": f"whsec_{SECRET}"})}
    command = [sys.executable, "-m", "tools.bench_servers", kind, str(port), folder]
    process = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[1])
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it answered")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise RuntimeError("the server did not come up within 15 s")


class _Sender(asyncio.Protocol):
    """One connection: sends a delivery, waits for its answer, sends the next."""

    def __init__(self, state: "_State") -> None:
        self._state = state
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        self._transport = transport
        transport.write(self._state.request())

    def data_received(self, data: bytes) -> None:
        self._rest += data
        head, mark, body = self._rest.partition(b"\r\n\r\n")
        if not mark:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._rest = body[length:]
        self._state.count(head)
        if self._transport is not None:
            if self._state.is_over:
                self._transport.close()
            else:
                self._transport.write(self._state.request())

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.left -= 1
        if not self._state.left:
            self._state.done.set()


class _State:
    """What all connections share. The signed deliveries are made beforehand: signing is the sender's cost."""

    def __init__(self, kind: str, most: int) -> None:
        self.answers = 0
        self.errors = 0
        self.left = CONNECTIONS
        self.is_over = False
        self.done = asyncio.Event()
        self._requests = iter([_request(kind, number) for number in range(most)])

    def request(self) -> bytes:
        return next(self._requests)

    def count(self, head: bytes) -> None:
        self.answers += 1
        self.errors += not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202"))


def _request(kind: str, number: int) -> bytes:
    headers = b""
    path = "/"
    if kind == "ours":
        path = "/hooks/bench/hook"
        name, sent = f"msg_{os.getpid()}_{time.time_ns()}_{number}", str(int(time.time()))
        signed = f"{name}.{sent}.".encode() + BODY
        mac = base64.b64encode(hmac.new(base64.b64decode(SECRET), signed, hashlib.sha256).digest()).decode()
        headers = f"webhook-id: {name}\r\nwebhook-timestamp: {sent}\r\nwebhook-signature: v1,{mac}\r\n".encode()
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n".encode()
    return head + headers + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


async def _load(port: int, seconds: float, kind: str) -> float:
    """Answers a second over so many seconds at 64 connections."""
    state = _State(kind, int(40_000 * seconds) + CONNECTIONS)
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: _Sender(state), "127.0.0.1", port)
    await asyncio.sleep(seconds)
    took = time.perf_counter() - begun
    answers = state.answers
    state.is_over = True
    await asyncio.wait_for(state.done.wait(), 15)
    if state.errors:
        raise RuntimeError(f"{state.errors} of {state.answers} answers of the server `{kind}` were errors")
    return answers / took
