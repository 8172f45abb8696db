"""A queue with a tap: shut, nothing more comes; what was taken is waited for."""

import asyncio
from collections.abc import Sequence

import pytest

from chalicelib.adapters.tap import Tap
from chalicelib.errors import StoreError
from chalicelib.ports import Received


def letter(name: str) -> Received:
    return Received(name, 1, None, "")


class Box:
    """An inbox that is filled by hand."""

    def __init__(self) -> None:
        self.letters: asyncio.Queue[Received] = asyncio.Queue()
        self.acknowledged: list[str] = []
        self.failed: list[tuple[str, int]] = []
        self.is_broken = False

    async def receive(self, most: int, wait_seconds: float) -> Sequence[Received]:
        if self.is_broken:
            raise StoreError
        return [await self.letters.get()]

    async def acknowledge(self, received: Sequence[Received]) -> None:
        self.acknowledged += [each.handle for each in received]
        if self.is_broken:
            raise StoreError

    async def fail(self, received: Received, delay_seconds: int) -> None:
        self.failed.append((received.handle, delay_seconds))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_shutting_waits_for_everything_that_was_taken():
    async def scene() -> None:
        box = Box()
        tap = Tap(box)
        for name in ("a", "b"):
            box.letters.put_nowait(letter(name))
        first, second = [(await tap.receive(1, 20))[0] for _ in range(2)]
        shutting = asyncio.create_task(tap.shut())
        await settle()
        assert not shutting.done()
        await tap.acknowledge([first])
        await settle()
        assert not shutting.done()
        await tap.fail(second, 3)
        await shutting
        assert (box.acknowledged, box.failed) == (["a"], [("b", 3)])

    asyncio.run(scene())


def test_nothing_comes_through_a_tap_that_is_shut():
    async def scene() -> None:
        box = Box()
        tap = Tap(box)
        listening = asyncio.create_task(tap.receive(1, 20))
        await settle()
        await tap.shut()
        box.letters.put_nowait(letter("late"))
        await settle()
        assert not listening.done()
        assert box.failed == [("late", 0)]  # given back, for the next start
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening

    asyncio.run(scene())


def test_trouble_with_the_queue_is_passed_on_and_does_not_hold_the_tap_open():
    async def scene() -> None:
        box = Box()
        tap = Tap(box)
        box.letters.put_nowait(letter("a"))
        taken = await tap.receive(1, 20)
        box.is_broken = True
        with pytest.raises(StoreError):
            await tap.receive(1, 20)
        with pytest.raises(StoreError):
            await tap.acknowledge(taken)
        await tap.shut()

    asyncio.run(scene())
