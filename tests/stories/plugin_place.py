"""An embedded server in this process, with plugins in it and services on the loopback."""

import asyncio
import hashlib
import json
import threading
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from wasmtime import wat2wasm

from chalicelib.api.request import Request, read_query
from chalicelib.sandbox.package import write_package
from chalicelib.wiring import Embedded, EmbeddedSettings
from chalicelib.worker.budget import to_milliseconds

KEY = "an admin key for the plugins"


def package(wat: str, *, name: str = "geo", version: str = "1.0.0", **manifest: Any) -> bytes:
    """A package with one node, `work`."""
    node = {"title": "Work", "summary": "Does the work.", "effect": "at_least_once", **manifest.pop("node", {})}
    said = {"plugin": name, "version": version, "abi": 1, "summary": "For a test.", "nodes": {"work": node}, **manifest}
    return write_package(json.dumps(said).encode(), "plugin.json", bytes(wat2wasm(wat)))


async def _link_key() -> bytes:
    return b"k" * 32


class Server:
    """Asks the embedded server as an admin does."""

    def __init__(self, embedded: Embedded) -> None:
        self.embedded = embedded

    async def send(self, method: str, path: str, body: Any = b"", kind: str = "application/json") -> tuple[int, Any]:
        path, _, query = path.partition("?")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {KEY}", **({"content-type": kind} if content else {})}
        target = f"/api/v1/{path}"
        now = to_milliseconds(self.embedded.clock.now())
        asked = Request(method, target, read_query(query), headers, content, now, "", (), query)
        answer = await self.embedded.api(asked)
        return answer.status, json.loads(answer.body)

    async def add(self, content: bytes, grant: Any = None, *, size: int = 900_000) -> tuple[int, Any]:
        parts = []
        for at in range(0, len(content), size):
            status, told = await self.send("POST", "plugin-parts", content[at : at + size], "application/octet-stream")
            assert status == 201, told
            parts.append(told["part"])
        return await self.send("POST", "plugins", {"parts": parts, **({"grant": grant} if grant else {})})

    async def publish(self, text: str, name: str = "shop") -> tuple[int, Any]:
        return await self.send("PUT", f"flows/{name}", text.encode(), "application/yaml")

    async def run(self, name: str = "shop", inputs: Any = None) -> Any:
        """Run a flow to its end; the execution."""
        status, told = await self.send("POST", f"flows/{name}/run?wait=25", {"inputs": inputs or {}})
        assert status in {200, 202}, told
        for _ in range(200):
            _, shown = await self.send("GET", f"executions/{told['execution']}")
            if shown["status"] not in {"running", "queued", "accepted"}:
                return shown
            await asyncio.sleep(0.1)
        raise AssertionError(shown)


@asynccontextmanager
async def server(folder: Path, *, allow_private: tuple[str, ...] = ("127.0.0.1/32",)):
    """A server whose flows may call the loopback."""
    settings = EmbeddedSettings(
        store=folder / "store.db",
        base_url="http://penstock.example",
        environment={},
        allow_private=allow_private,
        keys=(hashlib.sha256(KEY.encode()).hexdigest(),),
        link_key=_link_key,
    )
    embedded = await Embedded.open(settings)
    try:
        await embedded.start()
        yield Server(embedded)
    finally:
        await embedded.close()


@contextmanager
def service(status: int = 200, body: bytes = b'{"here": true}'):
    """A service on the loopback: its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{served.server_address[1]}", asked
    finally:
        served.shutdown()
        served.server_close()
        thread.join()
