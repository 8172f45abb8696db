"""`penstock dev` as a process of its own, on a free port: for tests that need the real thing.

with dev_server(flows, store) as dev:
    httpx.get(f"{dev.url}/api/v1/flows", headers=dev.authorization)
    dev.kill()                                                     # as kill -9 does
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
SECRET = bytes(range(40, 72))
CREDENTIAL = json.dumps({"secret": "whsec_" + base64.b64encode(SECRET).decode()})
PATIENCE_SECONDS = 60.0
"""How long something may take that must come: far more than it does, so that no slow machine fails a test."""


class DevServer:
    """A server that is up."""

    def __init__(self, process: "subprocess.Popen[str]", situation: dict[str, Any], errors: Path) -> None:
        self.process = process
        self.situation = situation
        self.url: str = situation["url"]
        self._errors = errors
        key = Path(situation["key_file"]).read_text().strip() if situation["key_file"] else ""
        self.key = key
        self.authorization = {"authorization": f"Bearer {key}"}

    @property
    def errors(self) -> str:
        """What it has written to stderr."""
        return self._errors.read_text()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """A request with the admin key."""
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.request(method, f"{self.url}/api/v1{path}", headers=self.authorization, **rest)

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait until something holds; what it gave."""
        return until(holds, lambda: f"{what}; the server said:\n{self.errors}")


def until(holds: Callable[[], Any], what: Callable[[], str]) -> Any:
    """Wait until something holds."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < limit, f"never came: {what()}"
        time.sleep(0.02)
    return found


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command under test: nothing of the machine's own Penstock."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "COLUMNS", "TERM"))}
    return {**clean, "PYTHONPATH": str(ROOT), "TERM": "dumb", **(more or {})}


@contextlib.contextmanager
def dev_server(
    flows: Path, store: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> Iterator[DevServer]:
    """Start it, and see to it that it has ended afterwards."""
    errors = store.parent.parent / f"dev-{time.monotonic_ns()}.err"
    command = [sys.executable, "-m", "chalicelib.cli.main", "dev", "--json", "--port", "0"]
    with errors.open("w") as sink:
        process = subprocess.Popen(
            [*command, "--flows", str(flows), "--store", str(store), *arguments],
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            env=environment(variables),
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with {process.wait()}: {errors.read_text()}")
        yield DevServer(process, json.loads(line), errors)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def signed(body: bytes, delivery: str) -> dict[str, str]:
    """The headers of a Standard Webhooks delivery (standardwebhooks.com, "Signature scheme")."""
    now = str(int(time.time()))
    digest = hmac.new(SECRET, f"{delivery}.{now}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": delivery,
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
