"""The bridge: one loop across freezes, nothing in flight in between."""

import asyncio
import contextvars
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.http import client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.cloud.bridge import Bridge
from chalicelib.ports import HttpRequest


@dataclass
class Hands:
    """A clock that is set by hand."""

    time: datetime = datetime(2026, 11, 20, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class House:
    """Counts how often its connections were forgotten."""

    forgotten: int = 0
    loops: list[int] = field(default_factory=list)

    async def forget_connections(self) -> None:
        self.forgotten += 1


def bridge_to(house, clock=None):
    async def build():
        return house

    return Bridge(build, clock or Hands())


@pytest.fixture
def opened():
    """Bridges to close at the end."""
    made = []
    yield lambda bridge: made.append(bridge) or bridge
    for bridge in made:
        bridge.close()


def test_every_turn_is_in_the_same_loop_and_the_house_is_built_once(opened):
    built = []

    async def build():
        built.append(1)
        return House()

    bridge = opened(Bridge(build, Hands()))

    async def work(house):
        return asyncio.get_running_loop(), house

    assert bridge.run(work) == bridge.run(work)
    assert built == [1]


def test_a_build_that_fails_is_tried_again_at_the_next_turn(opened):
    tries = []

    async def build():
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the table cannot be reached")
        return House()

    bridge = opened(Bridge(build, Hands()))

    async def work(house):
        return house

    with pytest.raises(OSError, match="cannot be reached"):
        bridge.run(work)
    assert isinstance(bridge.run(work), House)


def test_what_is_still_under_way_at_the_end_of_a_turn_is_cancelled(opened):
    bridge, ended = opened(bridge_to(House())), []

    async def for_ever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def work(house):
        house.task = asyncio.get_running_loop().create_task(for_ever())
        await asyncio.sleep(0)
        return "done"

    assert bridge.run(work) == "done"
    assert ended == ["cancelled"]


def test_it_is_cancelled_where_the_work_fails_too(opened):
    bridge, tasks = opened(bridge_to(House())), []

    async def work(house):
        tasks.append(asyncio.get_running_loop().create_task(asyncio.Event().wait()))
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        bridge.run(work)
    assert tasks[0].cancelled()


def test_a_context_variable_does_not_leak_into_the_next_turn(opened):
    bridge = opened(bridge_to(House()))
    who = contextvars.ContextVar("who", default="nobody")

    async def work(house):
        before = who.get()
        who.set("somebody")
        return before

    assert [bridge.run(work), bridge.run(work)] == ["nobody", "nobody"]


def test_another_thread_is_refused(opened):
    bridge, seen = opened(bridge_to(House())), []

    async def work(house):
        return None

    bridge.run(work)

    def elsewhere():
        try:
            bridge.run(work)
        except RuntimeError as error:
            seen.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(seen) == 1
    assert "another thread" in seen[0]


@pytest.mark.parametrize(("slept", "forgotten"), [(29, 0), (31, 1), (7200, 1)])
def test_connections_are_forgotten_after_half_a_minute_of_wall_clock_sleep(opened, slept, forgotten):
    house, clock = House(), Hands()
    bridge = opened(bridge_to(house, clock))

    async def work(house):
        return None

    bridge.run(work)
    clock.time += timedelta(seconds=slept)
    bridge.run(work)
    assert house.forgotten == forgotten


def test_time_spent_at_work_is_no_sleep(opened):
    house, clock = House(), Hands()
    bridge = opened(bridge_to(house, clock))

    async def long_work(house):
        clock.time += timedelta(minutes=4)

    bridge.run(long_work)
    bridge.run(long_work)
    assert house.forgotten == 0


def test_a_connection_that_the_peer_closed_while_we_were_frozen_is_not_used_again(opened):
    """Recipe F6: without the two ticks the first POST after a freeze goes onto a dead connection, and its fate is unknown."""
    closed = threading.Event()
    seen = []

    def serve(listener):
        for _ in range(2):
            connection, _ = listener.accept()
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            seen.append(data)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            connection.close()
            closed.set()

    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    server = threading.Thread(target=serve, args=(listener,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

    class Speaking(House):
        def __init__(self):
            super().__init__()
            self.http = client_for_engine(EgressPolicy.for_engine([url]))

    house = Speaking()
    bridge = opened(bridge_to(house))

    async def post(house):
        return (await house.http.send(HttpRequest("POST", url))).body

    assert bridge.run(post) == b"ok"
    closed.wait(10)  # the FIN is on its way; nobody runs the loop meanwhile, as in a freeze
    assert bridge.run(post) == b"ok"
    assert len(seen) == 2

    async def close(house):
        await house.http.close()

    bridge.run(close)
    server.join(10)
    listener.close()
