"""The servers that `make bench` loads: two floors, and Penstock's embedded server. One of them in a process."""

import asyncio
import os
import sqlite3
import sys
from pathlib import Path
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tools.bench_hooks import FLOW


def only_answers() -> ASGIApp:
    """A handler that reads the body and answers."""

    async def answer(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({"ok": True}, 202)

    return Starlette(routes=[Route("/", answer, methods=["POST"])])


def commits(folder: str) -> ASGIApp:
    """A handler that commits the body before it answers, with the same durability that ours has."""
    db = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE bodies (body BLOB);")

    async def answer(request: Request) -> JSONResponse:
        body = await request.body()
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO bodies VALUES (?)", (body,))
        db.execute("COMMIT")
        return JSONResponse({"ok": True}, 202)

    return Starlette(routes=[Route("/", answer, methods=["POST"])])


async def serve(app: ASGIApp, port: int) -> None:
    """Serve until the process is told to end."""
    config = uvicorn.Config(
        app,
        "127.0.0.1",
        port,
        log_level="warning",
        access_log=False,
        loop="uvloop",
        http="httptools",
        proxy_headers=False,
        server_header=False,
    )
    await uvicorn.Server(config).serve()


CALL_SECONDS = 0.05


class Slow(asyncio.Protocol):
    """One connection to a server that takes 50 ms for every answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._write = cast("asyncio.Transport", transport).write  # uvloop's is no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        """A request, small enough to come whole."""
        asyncio.get_running_loop().call_later(CALL_SECONDS, self._answer)

    def _answer(self) -> None:
        self._write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"ok":true}')


async def serve_slowly(port: int) -> None:
    """Answer after 50 ms until the process is told to end."""
    server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


async def serve_ours(port: int, folder: str) -> None:
    """The embedded server with one published flow."""
    from chalicelib import catalogue
    from chalicelib.flow.planning import version_of
    from chalicelib.flow.text import read_yaml
    from chalicelib.local.asgi import AsgiApp
    from chalicelib.local.hosts import Hosts
    from chalicelib.local.loops import settle
    from chalicelib.ports import Live
    from chalicelib.wiring import Embedded, EmbeddedSettings

    house = await Embedded.open(EmbeddedSettings(Path(folder) / "store.db", f"http://127.0.0.1:{port}", os.environ))
    data = read_yaml(FLOW, "bench.yaml").data
    version, text = version_of(data)
    catalogue.entries()
    await house.store.versions.put("main", "bench", version, text, 0)
    await house.store.versions.set_live(Live("main", "bench", version, enabled=True, published=0, rev=1))
    await house.start()
    settle()
    try:
        await serve(AsgiApp(house.api, house.clock, Hosts()), port)
    finally:
        await house.close()


def main() -> None:
    """Serve one of the four kinds."""
    kind, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if kind == "ours":
        work = serve_ours(port, folder)
    elif kind == "slow":
        work = serve_slowly(port)
    else:
        work = serve(only_answers() if kind == "answer" else commits(folder), port)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


if __name__ == "__main__":
    main()
