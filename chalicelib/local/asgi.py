"""The embedded server's border: an ASGI request becomes a request value, an answer value goes back."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from chalicelib.api.app import Api
from chalicelib.api.request import Answer, Request, read_query
from chalicelib.local.hosts import Hosts, misdirected
from chalicelib.ports import Clock
from chalicelib.worker.budget import to_milliseconds

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


_TEXT: Final = (("content-type", "text/plain; charset=utf-8"),)
_ROOT: Final = b"""This is a Penstock server.

The API is described at /api/v1/openapi.json, and takes `Authorization: Bearer <key>`.
On the command line: penstock flows list
"""


class ClientLeftError(Exception):
    """Whoever asked hung up before the body was whole: there is nobody to answer."""


class AsgiApp:
    """An ASGI 3 application around the API. WebSockets come with the console; until then they are refused."""

    def __init__(self, api: Api, clock: Clock, hosts: Hosts) -> None:
        self._api = api
        self._clock = clock
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's turn."""
        match scope["type"]:
            case "http":
                await self._serve(scope, receive, send)
            case "lifespan":
                await _live(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1003})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = to_milliseconds(self._clock.now())
        raw: list[tuple[bytes, bytes]] = scope["headers"]
        pairs = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
        headers: dict[str, str] = {}
        for name, value in pairs:
            headers.setdefault(name, value)
        if sum(name == "host" for name, _ in pairs) != 1 or not self._hosts.answers_to(headers["host"]):
            await _send(send, misdirected(), scope["method"])
            return
        try:
            body = await _body(receive, self._api.largest_body, headers.get("content-length", ""))
        except ClientLeftError:
            return
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"].decode("latin-1")
        client = scope.get("client")
        request = Request(
            scope["method"],
            path.decode("latin-1").partition("?")[0],
            read_query(query),
            headers,
            body,
            received,
            client[0] if client else "",
            pairs,
            query,
        )
        answer = await self._api(request) if request.path != "/" else self._api.guarded(root(request))
        await _send(send, answer, request.method)


async def _send(send: Send, answer: Answer, method: str) -> None:
    out = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers]
    if answer.header("content-length") is None and answer.status not in {204, 304}:
        out.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": out})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})


def root(request: Request) -> Answer:
    """Where to go from the address itself, for whoever opens it in a browser; it tells nothing that needs a key."""
    if request.method not in {"GET", "HEAD"}:
        return Answer(405, (*_TEXT, ("allow", "GET, HEAD")), b"Nothing is done here. See /api/v1/openapi.json\n")
    return Answer(200, (*_TEXT, ("content-length", str(len(_ROOT)))), b"" if request.method == "HEAD" else _ROOT)


async def _body(receive: Receive, limit: int, announced: str) -> bytes:
    """The whole body, or one byte more than the limit of it: the API then refuses it.

    Of a body that is announced as too large nothing is read: the API refuses it by what is announced.
    """
    if announced.isdecimal() and int(announced[:20]) > limit:
        return b""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientLeftError
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    chunks = [body]
    size = len(body)
    while size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        chunk: bytes = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if not message.get("more_body"):
            break
    return b"".join(chunks)[: limit + 1]


async def _live(receive: Receive, send: Send) -> None:
    """The server starts and stops by itself; what must be opened and closed, its owner opens and closes."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
