"""The wire: who sends too slowly or too much is told so and let go, and everybody else is served meanwhile."""

import asyncio
import json
import time

import pytest
import uvicorn
from uvicorn.server import ServerState

from chalicelib.local.protocol import MOST_HEAD, CarefulProtocol

HEAD = b"POST /hooks/shop/placed HTTP/1.1\r\nhost: here\r\n"


class Quick(CarefulProtocol):
    head_seconds = 0.3
    body_seconds = 0.3
    body_rate = 100_000.0


class Wire:
    """A connection, byte by byte."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.early = b""

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data, seconds=0.05):
        """A byte now and then, until the other side has had enough; how long that took."""
        began = time.monotonic()
        for byte in data:
            await self.send(bytes([byte]))
            try:
                self.early = await asyncio.wait_for(self.reader.read(1), seconds)
                break
            except TimeoutError:
                pass
        return time.monotonic() - began

    async def answer(self):
        """Status and headers and body of the next answer; None where the connection ended without one."""
        try:
            head = self.early + await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
            self.early = b""
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(lines[0].split()[1]), headers, body

    async def is_closed(self):
        try:
            return await asyncio.wait_for(self.reader.read(1), 5) == b""
        except ConnectionError:
            return True


class Server:
    """An application that answers with how much it was sent, after a while where that is asked for."""

    def __init__(self):
        self.served = []
        self.left = 0

    async def app(self, scope, receive, send):
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        self.served.append(scope["path"])
        if scope["path"] == "/slow":
            await asyncio.sleep(0.8)
        body = str(size).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def play(scene, protocol=Quick):
    async def whole():
        server = Server()
        config = uvicorn.Config(
            server.app, http=protocol, ws="none", lifespan="off", log_config=None, interface="asgi3"
        )
        config.load()
        state, loop = ServerState(), asyncio.get_running_loop()
        listening = await loop.create_server(lambda: protocol(config, state, {}, loop), "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        opened = []

        async def wire():
            found = Wire(*await asyncio.open_connection("127.0.0.1", port))
            opened.append(found)
            return found

        try:
            await scene(wire, server)
        finally:
            for each in opened:
                each.writer.close()
            listening.close()
            for connection in list(state.connections):
                connection.transport.abort()
            await asyncio.sleep(0.05)
            assert not state.connections

    asyncio.run(whole())


def is_problem(answer, status, code):
    assert answer is not None
    assert (answer[0], answer[1]["content-type"]) == (status, "application/problem+json")
    assert json.loads(answer[2])["code"] == code
    assert answer[1]["connection"] == "close"
    assert answer[1]["x-content-type-options"] == "nosniff"


def test_a_head_that_drips_is_ended_in_time():
    async def scene(wire, server):
        slow = await wire()
        lasted = await slow.drip(HEAD * 4)
        assert lasted < 3
        is_problem(await slow.answer(), 408, "request_too_slow")
        assert await slow.is_closed()
        assert server.served == []

    play(scene)


def test_a_connection_on_which_nothing_comes_is_ended_in_time():
    async def scene(wire, server):
        silent = await wire()
        is_problem(await silent.answer(), 408, "request_too_slow")
        assert await silent.is_closed()

    play(scene)


def test_a_body_that_drips_is_ended_in_time_and_reaches_nobody():
    async def scene(wire, server):
        slow = await wire()
        await slow.send(HEAD + b"content-length: 1000\r\n\r\n")
        assert await slow.drip(b"x" * 100) < 3
        is_problem(await slow.answer(), 408, "request_too_slow")
        await asyncio.sleep(0.05)
        assert (server.served, server.left) == ([], 1)

    play(scene)


def test_a_chunked_body_without_end_is_ended_in_time():
    async def scene(wire, server):
        slow = await wire()
        await slow.send(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        assert await slow.drip(b"1\r\nx\r\n" * 20) < 3
        is_problem(await slow.answer(), 408, "request_too_slow")
        assert server.served == []

    play(scene)


def test_a_large_body_may_take_its_time_as_long_as_it_comes():
    async def scene(wire, server):
        honest = await wire()
        await honest.send(HEAD + b"content-length: 100000\r\n\r\n")
        for _ in range(10):
            await honest.send(b"x" * 10_000)
            await asyncio.sleep(0.08)
        status, _, body = await honest.answer()
        assert (status, body) == (200, b"100000")

    play(scene)


def test_the_second_request_of_a_connection_has_its_own_time():
    async def scene(wire, server):
        kept = await wire()
        for _ in range(3):
            await kept.send(HEAD + b"content-length: 2\r\n\r\nok")
            assert (await kept.answer())[2] == b"2"
            await asyncio.sleep(0.2)
        assert await kept.drip(HEAD) < 3
        is_problem(await kept.answer(), 408, "request_too_slow")

    play(scene)


def test_an_answer_that_takes_long_is_waited_for():
    async def scene(wire, server):
        patient = await wire()
        await patient.send(b"GET /slow HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await patient.answer())[0] == 200
        early = await wire()
        await early.send(b"GET /slow HTTP/1.1\r\nhost: here\r\n\r\n")
        await asyncio.sleep(0.05)
        await early.send(b"GET /sl")
        assert (await early.answer())[0] == 200
        is_problem(await early.answer(), 408, "request_too_slow")
        pipelined = await wire()
        await pipelined.send(b"GET /slow HTTP/1.1\r\nhost: here\r\n\r\n" * 2 + b"GET /sl")
        assert (await pipelined.answer())[0] == 200
        assert (await pipelined.answer())[0] == 200

    play(scene)


def test_hundreds_of_slow_ones_keep_nobody_else_from_being_served():
    async def scene(wire, server):
        slow = [await wire() for _ in range(300)]
        for each in slow:
            await each.send(HEAD)
        quick = await wire()
        await quick.send(HEAD + b"content-length: 2\r\n\r\nok")
        assert (await quick.answer())[0] == 200
        assert [await each.is_closed() for each in slow if await each.answer()] == [True] * 300

    play(scene)


@pytest.mark.parametrize("line", [b"x-large: ", b"cookie: a=", b"x: y\r\nx-more: "])
def test_headers_without_end_are_refused_at_their_limit_and_not_kept(line):
    async def scene(wire, server):
        large = await wire()
        try:
            await large.send(HEAD + line)
            for _ in range(40):
                await large.send(b"x" * 8_192)
        except ConnectionError:
            pass
        answer = await large.answer()
        if answer is not None:  # else what was still on its way reset the connection before it could be read
            is_problem(answer, 431, "headers_too_large")
        assert server.served == []

    play(scene, CarefulProtocol)


def test_headers_just_over_the_limit_are_told_so():
    async def scene(wire, server):
        large = await wire()
        await large.send(HEAD + b"x-large: " + b"x" * (MOST_HEAD + 1))
        is_problem(await large.answer(), 431, "headers_too_large")

    play(scene, CarefulProtocol)


def test_an_address_beyond_all_bounds_is_not_even_begun():
    async def scene(wire, server):
        for size in (40_000, 65_600, 131_100):
            long = await wire()
            await long.send(b"GET /" + b"a" * size)
            await asyncio.sleep(0)
            await long.send(b" HTTP/1.1\r\nhost: here\r\n\r\n")
            answer = await long.answer()
            assert answer is None or answer[0] in {414, 431}
        assert server.served == []

    play(scene, CarefulProtocol)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nhost: a\r\n b: folded\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_two_servers_could_read_differently_is_refused_as_a_problem(sent):
    async def scene(wire, server):
        odd = await wire()
        await odd.send(sent)
        is_problem(await odd.answer(), 400, "usage")
        assert await odd.is_closed()
        assert server.served == []

    play(scene)
