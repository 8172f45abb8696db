import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.engine.messages import Resume, Send
from tests.contracts.world import HandClock


def _with(path: Path, work: Any, clock: HandClock | None = None, **options: int) -> Any:
    """Open the store, do this with it, close it."""

    async def whole() -> Any:
        store = await SqliteStore.open(path, clock or HandClock(), **options)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(whole())


def _resume(name: str) -> Resume:
    return Resume("main", name, 0)


def test_what_was_out_for_delivery_is_visible_after_a_restart(tmp_path: Path) -> None:
    async def first(store: SqliteStore) -> None:
        await store.queue.send(
            [Send(_resume("a")), Send(_resume("b")), Send(_resume("later"), 600), Send(_resume("done"))]
        )
        received = await store.queue.receive(10, 0)
        assert len(received) == 3
        await store.queue.acknowledge([each for each in received if each.message == _resume("done")])
        await store.queue.fail(received[1], 600)

    async def second(store: SqliteStore) -> Any:
        received = await store.queue.receive(10, 0)
        return {each.message.execution: each.count for each in received if each.message}

    _with(tmp_path / "store.db", first)
    assert _with(tmp_path / "store.db", second) == {"a": 2, "b": 2}
    clock = HandClock()
    asyncio.run(clock.advance(601))
    assert _with(tmp_path / "store.db", second, clock) == {"a": 3, "b": 3, "later": 1}


def test_a_message_that_came_too_often_is_kept_apart_until_it_is_acknowledged(tmp_path: Path) -> None:
    async def receive(store: SqliteStore) -> Any:
        return [each.count for each in await store.queue.receive(10, 0)]

    async def dead(store: SqliteStore) -> Any:
        found = await store.queue.dead_letters(10)
        await store.queue.acknowledge(found)
        return [(each.message, each.count) for each in found]

    _with(tmp_path / "store.db", lambda store: store.queue.send([Send(_resume("poison"))]))
    # Each time the process dies with the message in its hands.
    assert [_with(tmp_path / "store.db", receive, most_receives=3) for _ in range(5)] == [[1], [2], [3], [], []]
    assert _with(tmp_path / "store.db", dead) == [(_resume("poison"), 4)]
    assert _with(tmp_path / "store.db", dead) == []


def test_a_dead_letter_is_received_after_a_restart_and_its_count_goes_on(tmp_path: Path) -> None:
    async def die(store: SqliteStore) -> None:
        await store.queue.send([Send(_resume("poison"))])
        for _ in range(3):
            for each in await store.queue.receive(10, 0):
                await store.queue.fail(each, 0)
        (dead,) = await store.queue.dead.receive(10, 0)
        assert (dead.message, dead.count) == (_resume("poison"), 4)
        assert [each.count for each in await store.queue.dead_letters(10)] == [4]

    async def deal(store: SqliteStore) -> None:
        (dead,) = await store.queue.dead.receive(10, 0)
        assert (dead.message, dead.count) == (_resume("poison"), 4)
        await store.queue.dead.acknowledge([dead])

    _with(tmp_path / "store.db", die, most_receives=2)
    _with(tmp_path / "store.db", deal)
    _with(tmp_path / "store.db", _nothing_is_dead)


async def _nothing_is_dead(store: SqliteStore) -> None:
    assert await store.queue.dead.receive(10, 0) == []
    assert await store.queue.dead_letters(10) == []


def test_a_dead_letter_that_is_none_of_ours_is_listed_with_its_text(tmp_path: Path) -> None:
    _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("INSERT INTO messages VALUES (1, 'garbage', 0, 3)")
    db.close()

    async def die(store: SqliteStore) -> None:
        assert await store.queue.receive(10, 0) == []
        (dead,) = await store.queue.dead.receive(10, 0)
        assert (dead.message, dead.body) == (None, "garbage")
        await store.queue.dead.fail(dead, 1000)
        assert await store.queue.dead.receive(10, 0) == []
        assert [each.body for each in await store.queue.dead_letters(10)] == ["garbage"]

    _with(tmp_path / "store.db", die, most_receives=3)


def test_a_message_that_is_none_of_ours_is_handed_out_with_its_text(tmp_path: Path) -> None:
    _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("INSERT INTO messages VALUES (1, '{\"v\":99}', 0, 0)")
    db.close()
    (received,) = _with(tmp_path / "store.db", lambda store: store.queue.receive(10, 0))
    assert (received.message, received.body) == (None, '{"v":99}')


def test_numbers_are_never_used_again_while_somebody_may_hold_them(tmp_path: Path) -> None:
    async def send(store: SqliteStore) -> Any:
        await store.queue.send([Send(_resume("x"))])
        received = await store.queue.receive(1, 0)
        return received[0].handle.partition(".")[0]

    async def bury(store: SqliteStore) -> None:
        await store.queue.receive(1, 0)

    number = _with(tmp_path / "store.db", send)
    for _ in range(2):
        _with(tmp_path / "store.db", bury, most_receives=1)
    assert _with(tmp_path / "store.db", send) != number


def test_acknowledging_many_takes_few_commits(tmp_path: Path) -> None:
    async def many(store: SqliteStore) -> int:
        await asyncio.gather(*(store.queue.send([Send(_resume(f"e{number}"))]) for number in range(300)))
        before = store.commits
        while received := await store.queue.receive(10, 0):
            await store.queue.acknowledge(received)
        await store.queue.send([Send(_resume("last"))])
        return store.commits - before

    assert _with(tmp_path / "store.db", many) < 20
