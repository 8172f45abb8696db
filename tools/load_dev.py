"""`penstock dev` as a process of its own that `make kill` and `make soak` start, kill and ask."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from chalicelib.local.keys import kept_key

ROOT = Path(__file__).parents[1]
FLOWS = Path(__file__).parent / "load"
UP_WITHIN_SECONDS = 60.0


class DevProcess:
    """One deployment: its store, its port and its secret outlive its processes."""

    def __init__(self, folder: Path, service: str, *, flows: Path = FLOWS) -> None:
        """`folder` is empty, and ours; `service` is the address that the flows call."""
        self.folder = folder
        self._flows = flows
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._errors = folder / "errors.txt"
        self._secret = secrets.token_bytes(32)
        credential = json.dumps({"secret": "whsec_" + base64.b64encode(self._secret).decode()})
        own = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        self._environment = {
            **own,
            "PYTHONPATH": str(ROOT),
            "PENSTOCK_CREDENTIAL_LOAD_HOOK": credential,
            "PENSTOCK_VARS": json.dumps({"service": service}),
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process's number; ValueError while there is none."""
        if self._process is None:
            raise ValueError("it was not started")
        return self._process.pid

    @property
    def errors(self) -> str:
        """What all its processes wrote to stderr."""
        return self._errors.read_text() if self._errors.exists() else ""

    async def begin(self) -> None:
        """Start a process, without waiting until it is up."""
        command = [sys.executable, "-m", "chalicelib.cli.main", "dev", "--json", "--port", str(self.port)]
        places = ["--flows", str(self._flows), "--store", str(self.folder / "penstock" / "store.db")]
        with self._errors.open("a") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                *places,
                "--allow-private",
                "127.0.0.1/32",
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self._environment,
                cwd=self.folder,
            )

    async def up(self) -> None:
        """Wait until it says that it listens; RuntimeError where it ended instead."""
        process = self._process
        if process is None or process.stdout is None:
            raise RuntimeError("the server was not started")
        async with asyncio.timeout(UP_WITHIN_SECONDS):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with {await process.wait()}: {self.errors[-2000:]}")

    async def start(self) -> float:
        """Start a process; after how many seconds it was up."""
        before = time.perf_counter()
        await self.begin()
        await self.up()
        return time.perf_counter() - before

    async def kill(self) -> None:
        """End it in the middle of whatever it does, as `kill -9` does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to end; its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            async with asyncio.timeout(UP_WITHIN_SECONDS):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    def signed(self, body: bytes, delivery: str) -> dict[str, str]:
        """The headers of a Standard Webhooks delivery."""
        now = str(int(time.time()))
        digest = hmac.new(self._secret, f"{delivery}.{now}.".encode() + body, hashlib.sha256).digest()
        return {
            "content-type": "application/json",
            "webhook-id": delivery,
            "webhook-timestamp": now,
            "webhook-signature": "v1," + base64.b64encode(digest).decode(),
        }

    async def ask(self, session: aiohttp.ClientSession, path: str, **query: str) -> Any:
        """What the API says, with the admin key."""
        headers = {"authorization": f"Bearer {kept_key(self.folder / 'penstock')}"}
        async with session.get(f"{self.url}/api/v1{path}", params=query, headers=headers) as answer:
            told = await answer.json()
            if answer.status != 200:
                raise RuntimeError(f"GET {path}: {answer.status} {told}")
            return told

    async def executions(self, session: aiohttp.ClientSession, flow: str) -> list[dict[str, Any]]:
        """Every execution of a flow."""
        found: list[dict[str, Any]] = []
        query = {"flow": flow, "limit": "100"}
        while True:
            page = await self.ask(session, "/executions", **query)
            found += page["items"]
            if not page.get("cursor"):
                return found
            query["cursor"] = page["cursor"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
