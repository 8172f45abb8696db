"""The stub server itself: what the other tests rely on."""

import asyncio
import urllib.request

from tests.stub import Answer, Seen, Stub, stub_in_thread


async def _exchange(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    answer = await reader.read()
    writer.close()
    return answer


def test_it_records_what_came_and_answers_in_turn() -> None:
    async def scene() -> None:
        async with Stub() as stub:
            stub.answer("/a", Answer(503), Answer(body=b"two", close=True))
            first = b"POST /a?x=%2f HTTP/1.1\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc"
            both = await _exchange(stub.port, first + b"GET /a HTTP/1.1\r\n\r\n")
            assert both.startswith(b"HTTP/1.1 503 ")
            assert both.endswith(b"content-length: 3\r\n\r\ntwo")
            assert stub.requests[0] == Seen(
                "POST", "/a?x=%2f", (("x-one", "1"), ("content-length", "3")), b"abc", connection=1
            )
            assert (stub.requests[0].path, stub.requests[0].query) == ("/a", "x=%2f")
            assert stub.connections == 1

    asyncio.run(scene())


def test_held_requests_are_counted_while_they_are_in_flight() -> None:
    async def scene() -> None:
        gate = asyncio.Event()
        async with Stub(default=Answer(hold=gate, close=True)) as stub:
            calls = [asyncio.create_task(_exchange(stub.port, b"GET / HTTP/1.1\r\n\r\n")) for _ in range(3)]
            await stub.until_in_flight(3)
            assert not any(call.done() for call in calls)
            gate.set()
            await asyncio.gather(*calls)
            assert (stub.in_flight, stub.most_in_flight) == (0, 3)

    asyncio.run(scene())


def test_a_cut_connection_ends_where_it_was_told() -> None:
    async def scene() -> None:
        async with Stub() as stub:
            stub.answer("/before", Answer(cut="before"))
            stub.answer("/body", Answer(body=b"abcdef", cut="body"))
            assert await _exchange(stub.port, b"GET /before HTTP/1.1\r\n\r\n") == b""
            assert (await _exchange(stub.port, b"GET /body HTTP/1.1\r\n\r\n")).endswith(b"content-length: 6\r\n\r\nabc")

    asyncio.run(scene())


def test_it_serves_from_a_thread_for_code_that_blocks() -> None:
    with stub_in_thread() as stub:
        stub.answer("/x", lambda seen: Answer(body=seen.method.encode()))
        with urllib.request.urlopen(stub.url + "/x") as answer:
            assert answer.read() == b"GET"
        assert len(stub.seen("/x")) == 1
