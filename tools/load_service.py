"""A service on loopback that counts what is done to it: what `make kill` and `make soak` call.

The first part of a path says how it behaves:

- `/keyed/...` honours `Idempotency-Key`: the first request with a key is applied, a later one gets its answer again;
- `/flaky/...` the same, after two answers of 503;
- `/once/...` knows no keys: each request that comes is applied;
- `/put/...` and `/read/...` are what PUT and GET are;
- `/never/...` must never be called.

Each answer takes its time, so that there is always something under way. What a payment that is cut off becomes is
decided by its path: see `is_cut`.
"""

import asyncio
import hashlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

REFUSALS = 2
"""How often a flaky path refuses before it serves."""


def receipt(path: str) -> str:
    """What a path answers once it is applied: the same for ever."""
    return "r" + hashlib.sha256(path.encode()).hexdigest()[:8]


def is_cut(path: str) -> bool:
    """Whether a payment's answer never arrives: one in five, by the last number of its path."""
    return path.startswith("/once/") and int(path.rpartition("/")[2]) % 5 == 3


@dataclass(slots=True)
class _Key:
    """What is remembered of an idempotency key."""

    path: str
    body: bytes
    refusals: int = 0
    is_applied: bool = False


@dataclass
class CountingService:
    """The server; an async context manager. Everything is counted by path."""

    seed: int
    slowest_seconds: float = 1.2
    """One answer in four takes up to this long, a payment's too; the others up to a tenth of it."""
    requests: Counter[str] = field(default_factory=Counter[str])
    applied: Counter[str] = field(default_factory=Counter[str])
    answered: Counter[str] = field(default_factory=Counter[str])
    order: dict[str, int] = field(default_factory=dict[str, int])
    """When an effect with a key was applied: the how-manieth it was."""
    repeats: int = 0
    """Requests whose key had been applied before: each would have been a second effect without it."""
    in_flight: int = 0
    violations: list[str] = field(default_factory=list[str])
    links: dict[str, str] = field(default_factory=dict[str, str])
    """Addresses that came in a body as `link`, by path: what an execution waits to be called at."""
    url: str = ""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  a reproducible load, no secret
        self._keys: dict[str, _Key] = {}
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._answer))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=512)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.requests[request.path] += 1
        self.in_flight += 1
        try:
            status = self._apply(request, body)
            await asyncio.sleep(self._delay(request.path))
        finally:
            self.in_flight -= 1
        if is_cut(request.path):
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        self.answered[request.path] += status == 200
        return web.json_response({"path": request.path, "receipt": receipt(request.path)}, status=status)

    def _delay(self, path: str) -> float:
        slow = self._random.random() < 1 / 4 or path.startswith("/once/")
        return self._random.random() * self.slowest_seconds * (1.0 if slow else 0.1)

    def _apply(self, request: web.BaseRequest, body: bytes) -> int:
        """Do what is asked, before any answer: as a service that may be cut off does."""
        kind = request.path.split("/")[1]
        if kind in {"keyed", "flaky"}:
            return self._apply_keyed(request, body, REFUSALS if kind == "flaky" else 0)
        if kind == "never":
            self.violations.append(f"{request.path} was called")
        if request.method != "GET":
            self.applied[request.path] += 1
        return 200

    def _apply_keyed(self, request: web.BaseRequest, body: bytes, refusals: int) -> int:
        name = request.headers.get("idempotency-key", "")
        if not name:
            self.violations.append(f"{request.path} came without a key")
            return 400
        key = self._keys.setdefault(name, _Key(request.path, body))
        if (key.path, key.body) != (request.path, body):
            self.violations.append(f"{request.path}: the key {name} came before, with another body or path")
            return 422
        if key.refusals < refusals:
            key.refusals += 1
            return 503
        if key.is_applied:
            self.repeats += 1
        else:
            key.is_applied = True
            self.applied[request.path] += 1
            self.order[request.path] = len(self.order)
            self._keep_link(request.path, body)
        return 200

    def _keep_link(self, path: str, body: bytes) -> None:
        if b'"link"' in body:
            self.links[path] = json.loads(body)["link"]
