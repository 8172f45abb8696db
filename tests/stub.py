"""A scripted HTTP/1.1 server on loopback: records what came, answers by path, and knows how many requests are in flight.

It speaks raw HTTP over asyncio streams and borrows nothing from the clients under test. In an async test:

    async with Stub() as stub:
        stub.answer("/orders", Answer(503), Answer(body=b'{"ok": true}'))    # the last one repeats
        ... call stub.url + "/orders" ...
        assert stub.requests[0].json() == {"id": 1}

To prove that calls overlap, without timing: `stub.answer("/a", Answer(hold=gate))`, `await stub.until_in_flight(2)`,
`gate.set()`. Where the code under test is another process or blocks, `stub_in_thread()` runs the same server aside.
"""

import asyncio
import contextlib
import json
import ssl
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came over the wire; `target` is the exact request target, header names are lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        """The target up to the question mark, undecoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target after the question mark, undecoded."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for known, value in self.headers if known == name.lower()), None)

    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the stub does with one request.

    `hold` waits for the event and `delay` sleeps, both before anything is sent. `cut` closes the connection: `before`
    anything is answered, within the `headers`, or half-way through the `body`. `raw` replaces the whole answer, byte for
    byte, and closes. `drip` sends the body byte by byte with that many seconds between. `close` ends the connection
    after a whole answer without having announced it, as a server does that drops idle connections. A
    `content-length` is added unless the headers have one or a `transfer-encoding`.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay: float = 0.0
    hold: asyncio.Event | None = None
    cut: Literal["", "before", "headers", "body"] = ""
    raw: bytes | None = None
    drip: float | None = None
    close: bool = False

    @classmethod
    def of_json(cls, value: Any, status: int = 200, **rest: Any) -> "Answer":
        """A JSON answer."""
        return cls(status, (("content-type", "application/json"),), json.dumps(value).encode(), **rest)


Script = Callable[[Seen], Answer]


@dataclass
class Stub:
    """The server; an async context manager. A path nobody scripted is answered by `default`; `tls` makes it https."""

    default: Answer = field(default_factory=Answer)
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._scripts: dict[str, Script | list[Answer]] = {}
        self._turns: dict[str, int] = defaultdict(int)
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address without a slash at the end: `http://127.0.0.1:port`, or `https://localhost:port`."""
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, *answers: Answer | Script) -> None:
        """Answer a path in turn, the last one for ever; or by a function of the request."""
        first = answers[0]
        self._scripts[path] = [a for a in answers if isinstance(a, Answer)] if isinstance(first, Answer) else first
        self._turns.pop(path, None)

    def seen(self, path: str) -> list[Seen]:
        """The requests that came for one path, in order of arrival."""
        return [request for request in self.requests if request.path == path]

    async def until_in_flight(self, count: int) -> None:
        """Wait until that many requests are being answered at once; at most ten seconds."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.in_flight >= count)

    async def until_requests(self, count: int) -> None:
        """Wait until that many requests have come in all; at most ten seconds."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def drop_connections(self) -> None:
        """Close every open connection, as a server does that got tired of them."""
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0)

    async def __aenter__(self) -> "Stub":
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=1 << 20, backlog=512, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        number = self.connections
        # A client may vanish at any moment, and the end of the test cancels what is held: neither is the stub's failure.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await _read(reader, number)) is not None:
                if not await self._handle(request, writer):
                    break
        self._writers.discard(writer)
        self._tasks.discard(task)
        writer.close()

    async def _handle(self, request: Seen, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await self._tell()
        try:
            answer = self._choose(request)
            if answer.hold is not None:
                await answer.hold.wait()
            if answer.delay:
                await asyncio.sleep(answer.delay)
            return await _send(request, answer, writer)
        finally:
            self.in_flight -= 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _choose(self, request: Seen) -> Answer:
        script = self._scripts.get(request.path)
        match script:
            case None:
                return self.default
            case list():
                turn = self._turns[request.path]
                self._turns[request.path] = turn + 1
                return script[min(turn, len(script) - 1)]
            case _:
                return script(request)


async def _read(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    known = dict(headers)
    if "content-length" in known:
        body = await reader.readexactly(int(known["content-length"]))
    elif known.get("transfer-encoding") == "chunked":
        body = b"".join([chunk async for chunk in _chunks(reader)])
    else:
        body = b""
    return Seen(method, target, headers, body, connection)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")


async def _send(request: Seen, answer: Answer, writer: asyncio.StreamWriter) -> bool:
    """Send one answer; False when the connection is to be closed."""
    if answer.cut == "before":
        return False
    if answer.raw is not None:
        writer.write(answer.raw)
        await writer.drain()
        return False
    names = {name.lower() for name, _ in answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in answer.headers)]
    if not names & {"content-length", "transfer-encoding"} and answer.status not in (204, 304):
        lines.append(f"content-length: {len(answer.body)}")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    body = b"" if request.method == "HEAD" else answer.body
    match answer.cut:
        case "headers":
            writer.write(head[: len(head) // 2])
        case "body":
            writer.write(head + body[: len(body) // 2])
        case _ if answer.drip is not None:
            writer.write(head)
            for at in range(len(body)):
                writer.write(body[at : at + 1])
                await writer.drain()
                await asyncio.sleep(answer.drip)
        case _:
            writer.write(head + body)
    await writer.drain()
    return not (answer.cut or answer.close)


@contextlib.contextmanager
def stub_in_thread() -> Iterator[Stub]:
    """Run a stub on a loop and thread of its own, for code under test that blocks or is another process.

    Script and read it from the test as usual; only its coroutines belong to the other loop.
    """
    ready: list[Stub] = []
    up = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with Stub() as stub:
            ready.append(stub)
            up.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="stub")
    thread.start()
    if not up.wait(10):
        raise RuntimeError("the stub did not start")
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
