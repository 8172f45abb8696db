"""What has ended is forgotten in time, on disk and in memory; what still matters stays."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from chalicelib.adapters.sqlite.retention import MOST_AT_ONCE, MOST_PARTS, TOMBSTONE_SECONDS
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.engine.controls import lane_key, leave, place, recheck, redrive
from chalicelib.engine.facts import Claimed, Done, How, Placed
from chalicelib.engine.records import Reason, RecordKey, Status
from chalicelib.engine.writes import Applied, Commit, Finish, Free, NotDone, Put, Refused
from chalicelib.ports import Listing
from tests.contracts.world import NOW, HandClock, birth, creation

SECOND = NOW // 1000
LATER = SECOND + 60
DONE = Done(How.SUCCEEDED, "done", 1, NOW, "i1")


def key_of(number: int) -> RecordKey:
    return RecordKey("main", f"{number:026d}")


def with_store(path: Path, work: Any) -> Any:
    async def whole() -> Any:
        store = await SqliteStore.open(path / "store.db", HandClock())
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(whole())


def rows(path: Path) -> dict[str, int]:
    with sqlite3.connect(path / "store.db") as db:
        counts = {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("records", "facts", "packs")
        }
    db.close()
    return counts


async def ended(
    store: SqliteStore, number: int, *, expires: int = SECOND + 10, told: bool = True, **born: Any
) -> RecordKey:
    """An execution with a fact, a pack and a loop's record, that has come to its end."""
    key = key_of(number)
    puts = {"f0": Put(DONE, NotDone())}
    assert isinstance(
        await store.facts.write(creation(key, birth=birth(**born), puts=puts, packs={"pa": "x"})), Applied
    )
    loop = RecordKey(key.tenant, key.execution, "rows")
    made = Commit(loop, 0, NOW, creates=True, puts=puts, packs={"pb": "y"}, expires=expires + 14 * 86_400)
    assert isinstance(await store.facts.write(made), Applied)
    finish = Finish(Status.SUCCEEDED, "pa", told=told)
    assert isinstance(await store.facts.write(Commit(key, 0, NOW, finish=finish, expires=expires)), Applied)
    return key


def test_an_execution_goes_with_all_its_rows_once_its_time_is_over(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        old = await ended(store, 1)
        young = await ended(store, 2, expires=LATER + 1)
        assert await store.facts.forget(SECOND + 9) == 0
        assert await store.facts.forget(LATER) == 1
        assert await store.facts.read(old) is None
        assert await store.facts.read(RecordKey(old.tenant, old.execution, "rows")) is None
        assert await store.facts.read(young) is not None
        page = await store.facts.page(Listing("main"))
        assert [each.id for each in page.items] == [young.execution]

    with_store(tmp_path, story)
    assert rows(tmp_path) == {"records": 2, "facts": 2, "packs": 3}


def test_what_is_running_or_has_somebody_to_tell_stays(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        untold = await ended(store, 1, told=False)
        key = await ended(store, 2)
        failed = key_of(3)
        await store.facts.write(creation(failed))
        reason = Reason(Status.FAILED, "a", "x", "y")
        finish = Commit(failed, 0, NOW, ending=reason, finish=Finish(Status.FAILED), expires=SECOND + 10)
        image = (await store.facts.write(finish)).image
        assert image is not None
        again = redrive(image, NOW, frozenset(), {}, NOW + 9, Status.RUNNING)
        assert isinstance(await store.facts.write(again), Applied)
        assert await store.facts.forget(LATER) == 1
        assert await store.facts.read(key) is None
        assert (await store.facts.read(failed)) is not None, "it was redriven, and runs again"
        left = await store.facts.read(untold)
        assert left is not None
        await store.facts.write(recheck(left, NOW, None))
        assert await store.facts.forget(LATER) == 1
        assert await store.facts.read(untold) is None

    with_store(tmp_path, story)


def test_a_delivery_does_not_start_a_second_execution_after_the_first_was_forgotten(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        key = await ended(store, 1, keyed=True)
        assert await store.facts.forget(LATER) == 1
        assert await store.facts.read(key) is None
        assert (await store.facts.page(Listing("main"))).items == []
        again = await store.facts.write(creation(key, birth=birth(keyed=True)))
        assert isinstance(again, Refused)
        assert again.image is not None
        assert (again.image.status, again.image.birth.input_hash) == (Status.SUCCEEDED, "b" * 64)
        assert again.image.facts == {}
        assert await store.facts.forget(SECOND + TOMBSTONE_SECONDS - 1) == 0
        assert await store.facts.forget(SECOND + TOMBSTONE_SECONDS) == 1
        assert isinstance(await store.facts.write(creation(key, birth=birth(keyed=True))), Applied)

    with_store(tmp_path, story)


def test_one_that_is_old_enough_leaves_no_tombstone(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        long_ago = NOW - TOMBSTONE_SECONDS * 1000
        await ended(store, 1, keyed=True, started=long_ago)
        assert await store.facts.forget(LATER) == 1

    with_store(tmp_path, story)
    assert rows(tmp_path) == {"records": 0, "facts": 0, "packs": 0}


def test_a_lane_goes_when_nobody_has_a_place_in_it(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        held, empty = lane_key("main", "a" * 26), lane_key("main", "b" * 26)
        for key in (held, empty):
            placed = place(None, key, "e" * 26, Placed(NOW, True), NOW, SECOND + 10)
            lane = (await store.facts.write(placed)).image
            assert lane is not None
        await store.facts.write(leave(lane, "e" * 26, {}, NOW, SECOND + 10))
        assert await store.facts.forget(LATER) == 1
        assert await store.facts.read(held) is not None
        assert await store.facts.read(empty) is None

    with_store(tmp_path, story)
    assert rows(tmp_path)["records"] == 1


def test_a_record_that_is_written_in_the_same_moment_is_left_alone(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        failed = key_of(1)
        await store.facts.write(creation(failed, puts={"f0": Put(DONE, NotDone())}))
        reason = Reason(Status.FAILED, "a", "x", "y")
        finish = Commit(failed, 0, NOW, ending=reason, finish=Finish(Status.FAILED), expires=SECOND + 10)
        image = (await store.facts.write(finish)).image
        assert image is not None
        again = redrive(image, NOW, frozenset(), {}, NOW + 9, Status.RUNNING)
        before = store.commits
        _, forgotten = await asyncio.gather(store.facts.write(again), store.facts.forget(LATER))
        assert store.commits == before + 1, "both were in one transaction"
        assert forgotten == 0

    with_store(tmp_path, story)

    async def look(store: SqliteStore) -> None:
        image = await store.facts.read(key_of(1))
        assert image is not None
        assert (image.status, image.facts) == (Status.RUNNING, {"f0": DONE})

    with_store(tmp_path, look)


def test_there_is_more_as_long_as_the_answer_says_so(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> list[int]:
        await asyncio.gather(*(ended(store, number) for number in range(MOST_AT_ONCE + 5)))
        return [await store.facts.forget(LATER) for _ in range(3)]

    assert with_store(tmp_path, story) == [MOST_AT_ONCE, 5, 0]
    assert rows(tmp_path) == {"records": 0, "facts": 0, "packs": 0}


def test_an_execution_with_very_many_loop_records_goes_bit_by_bit(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> list[int]:
        key = await ended(store, 1)
        other = RecordKey("other", key.execution)
        await store.facts.write(creation(other))
        parts = [
            Commit(RecordKey(each, key.execution, f"rows/b{n}"), 0, NOW, creates=True)
            for n in range(MOST_PARTS)
            for each in ("main", "other")[: 1 + (n < 3)]
        ]
        await asyncio.gather(*(store.facts.write(part) for part in parts))
        first = await store.facts.forget(LATER)
        assert await store.facts.read(key) is not None, "its loops' records go first"
        return [first, await store.facts.forget(LATER), await store.facts.forget(LATER)]

    assert with_store(tmp_path, story) == [MOST_AT_ONCE, 1, 0]
    assert rows(tmp_path)["records"] == 4, "what belongs to another tenant stays"


def test_what_has_ended_is_not_kept_in_memory_nor_are_its_loops(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        slots = store.facts._memory.slots
        for number in range(20):
            await ended(store, number)
        assert slots == {}
        key = key_of(90)
        claim = {"f0": Put(Claimed("t", NOW + 9, 1, store.boot), Free())}
        await store.facts.write(creation(key))
        loop = RecordKey("main", key.execution, "rows")
        await store.facts.write(Commit(loop, 0, NOW, creates=True, puts=claim))
        assert set(slots) == {key, loop}
        finish = Commit(key, 0, NOW, finish=Finish(Status.SUCCEEDED), expires=SECOND + 10)
        both = Commit(loop, 0, NOW, puts={"f1": Put(DONE, NotDone())})
        await asyncio.gather(store.facts.write(finish), store.facts.write(both))
        assert slots == {}
        image = await store.facts.read(loop)
        assert image is not None
        assert set(image.facts) == {"f0", "f1"}

    with_store(tmp_path, story)


def test_documents_that_have_expired_are_removed_a_few_at_a_time(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        for name, expires in (("a", SECOND - 2), ("b", SECOND - 1), ("c", SECOND), ("d", SECOND + 1), ("e", 0)):
            await store.documents.put("main", "k", name, {}, seen=None, expires=expires)
        assert await store.documents.forget(SECOND, 2) == 2
        assert [each.key for each in await store.documents.page("main", "k")] == ["c", "d", "e"]
        assert await store.documents.forget(SECOND, 2) == 1
        assert await store.documents.forget(SECOND, 2) == 0
        assert [each.key for each in await store.documents.page("main", "k")] == ["d", "e"]

    with_store(tmp_path, story)
