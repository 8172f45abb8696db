import asyncio
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.engine.facts import Claimed, Done, How
from chalicelib.engine.records import Reason, RecordKey, Status
from chalicelib.engine.writes import Applied, Commit, Finish, Free, NotDone, Put, Refused
from chalicelib.errors import SettingError, StoreError
from chalicelib.ports import Listing, Live
from tests.contracts.world import NOW, HandClock, birth, creation

DONE = Done(How.SUCCEEDED, "done", 1, NOW, "i1")
KEY = RecordKey("main", "e" * 26)


def _with(path: Path, work: Any, **options: int) -> Any:
    """Open the store, do this with it, close it."""

    async def whole() -> Any:
        store = await SqliteStore.open(path, HandClock(), **options)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(whole())


def _applied(answer: Any) -> Any:
    assert isinstance(answer, Applied)
    return answer.image


def test_a_record_is_the_same_after_the_store_was_opened_anew(tmp_path: Path) -> None:
    async def write(store: SqliteStore) -> Any:
        puts = {"f0": Put(DONE, NotDone(), numbered=True), "f1": Put(Claimed("t", NOW + 9, 1, store.boot), Free())}
        await store.facts.write(creation(KEY, puts=puts, birth=birth(keyed=True, deadline=3), packs={"pa": "text"}))
        reason = Reason(Status.FAILED, "a", "x", "\u20ac \ud800")
        commit = Commit(KEY, 0, NOW, ending=reason, inline={"i1": "\ud83d lone"}, busy=7)
        return _applied(await store.facts.write(commit))

    before = _with(tmp_path / "store.db", write)
    assert _with(tmp_path / "store.db", lambda store: store.facts.read(KEY)) == before
    assert _with(tmp_path / "store.db", lambda store: store.facts.pack(KEY, "pa")) == "text"

    async def go_on(store: SqliteStore) -> Any:
        return _applied(await store.facts.write(Commit(KEY, 0, NOW, puts={"f2": Put(DONE, NotDone())})))

    assert _with(tmp_path / "store.db", go_on) == replace(
        before, rev=before.rev + 1, facts={**before.facts, "f2": DONE}, size=before.size + 34
    )


def test_claims_of_an_earlier_boot_are_void_at_once(tmp_path: Path) -> None:
    async def claim(store: SqliteStore) -> Any:
        put = {"f0": Put(Claimed("t", NOW + 10**9, 1, store.boot), Free())}
        write = creation(KEY, puts=put) if store.boot == 1 else Commit(KEY, 0, NOW, boot=store.boot, puts=put)
        first = await store.facts.write(write)
        again = await store.facts.write(Commit(KEY, 0, NOW, boot=store.boot, puts=put))
        return store.boot, type(first), type(again)

    boots = [_with(tmp_path / "store.db", claim) for _ in range(3)]
    assert boots == [(number, Applied, Refused) for number in (1, 2, 3)]


def test_writes_that_wait_together_share_a_commit(tmp_path: Path) -> None:
    async def many(store: SqliteStore) -> tuple[int, int]:
        before = store.commits
        keys = [RecordKey("main", f"{number:026d}") for number in range(200)]
        answers = await asyncio.gather(*(store.facts.write(creation(key)) for key in keys))
        assert all(isinstance(answer, Applied) for answer in answers)
        return len(answers), store.commits - before

    writes, commits = _with(tmp_path / "store.db", many)
    assert commits < writes / 4


def test_an_unkeyed_id_that_came_before_is_refused_and_spoils_nothing_else(tmp_path: Path) -> None:
    async def begin(store: SqliteStore) -> None:
        await store.facts.write(creation(KEY, finish=Finish(Status.SUCCEEDED)))

    async def again(store: SqliteStore) -> Any:
        others = [creation(RecordKey("main", f"{number:026d}")) for number in range(5)]
        return await asyncio.gather(*(store.facts.write(write) for write in [*others, creation(KEY), *others]))

    _with(tmp_path / "store.db", begin)
    answers = _with(tmp_path / "store.db", again)
    assert [type(answer) for answer in answers] == [Applied] * 5 + [Refused] * 6
    assert answers[5].image.status is Status.SUCCEEDED


def test_a_piece_of_work_that_fails_fails_alone(tmp_path: Path) -> None:
    async def both(store: SqliteStore) -> list[Any]:
        bad = Live("main", "flow", "v", enabled=True, published=2**70, rev=1)
        good = replace(bad, flow="good", published=1)
        work = [store.versions.set_live(each) for each in (good, bad, replace(good, flow="other"))]
        return await asyncio.gather(*work, store.facts.write(creation(KEY)), return_exceptions=True)

    found = _with(tmp_path / "store.db", both)
    assert found[0] is True
    assert isinstance(found[1], OverflowError)
    assert found[2] is True
    assert isinstance(found[3], Applied)


def test_a_write_that_the_disk_refuses_is_a_store_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def full(store: SqliteStore) -> Any:
        await store.facts.write(creation(KEY))
        pages = (await store._journal.write(lambda batch: batch.db.execute("PRAGMA page_count").fetchone()))[0]
        await store._journal.write(lambda batch: batch.db.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
        commit = Commit(KEY, 0, NOW, packs={"pa": "x" * 100_000}, puts={"f0": Put(DONE, NotDone())})
        with pytest.raises(StoreError, match="full"):
            await store.facts.write(commit)
        image = await store.facts.read(KEY)
        assert image is not None
        assert (image.rev, image.facts) == (1, {})
        await store._journal.write(lambda batch: batch.db.execute("PRAGMA max_page_count = 100000").fetchone())
        return _applied(await store.facts.write(commit)).rev

    assert _with(tmp_path / "store.db", full) == 2


def test_a_cancelled_writer_still_writes(tmp_path: Path) -> None:
    async def cancelled(store: SqliteStore) -> Any:
        task = asyncio.create_task(store.facts.write(creation(KEY)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return type(await store.facts.write(creation(KEY)))

    assert _with(tmp_path / "store.db", cancelled) is Refused


def test_a_read_that_cannot_open_the_file_says_so_and_the_next_one_may(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        path = store.path
        away = path.with_suffix(".away")
        path.rename(away)
        path.mkdir()  # what stands there now cannot be opened as a store
        with pytest.raises(StoreError):
            await store.versions.history("main", "orders")
        path.rmdir()
        away.rename(path)
        assert await store.versions.history("main", "orders") == []

    _with(tmp_path / "store.db", story)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async def close(store: SqliteStore) -> None:
        await store.close()
        await store.close()
        with pytest.raises(StoreError, match="closed"):
            await store.facts.write(creation(KEY))

    async def whole() -> None:
        await close(await SqliteStore.open(tmp_path / "store.db", HandClock()))

    asyncio.run(whole())


def test_another_process_is_named(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "store.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(SettingError, match=f"process {holder.pid}"):
        _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    holder.communicate("\n")
    assert holder.returncode == 0
    _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))


_HOLD = """
import asyncio, sys
from pathlib import Path
from chalicelib.adapters.sqlite.store import SqliteStore
from tests.contracts.world import HandClock

async def hold():
    store = await SqliteStore.open(Path(sys.argv[1]), HandClock())
    print("open", flush=True)
    sys.stdin.readline()
    await store.close()

asyncio.run(hold())
"""


def test_a_store_of_a_newer_penstock_is_refused(tmp_path: Path) -> None:
    _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SettingError, match=r"newer Penstock \(schema 99"):
        _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))


def test_a_file_that_is_no_store_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"hello" * 1000)
    with pytest.raises(StoreError, match=r"store\.db cannot be opened"):
        _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    assert (tmp_path / "store.db").read_bytes() == b"hello" * 1000


def test_listings_and_the_look_for_unfinished_ones_walk_an_index(tmp_path: Path) -> None:
    from chalicelib.adapters.sqlite.facts import UNFINISHED, page_query

    _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    db = sqlite3.connect(tmp_path / "store.db")
    listings = [
        Listing("main"),
        Listing("main", flow="f", since=1, until=2),
        Listing("main", status=Status.FAILED, since=1),
        Listing("main", flow="f", status=Status.FAILED, cursor="MS5h"),
    ]
    queries = [page_query(listing) for listing in listings]
    for query, values in [*queries, (UNFINISHED, [10])]:
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", values))
        assert "USING INDEX records_" in plan or "USING COVERING INDEX records_" in plan
        assert "TEMP B-TREE" not in plan
        assert "SCAN records" not in plan or query == UNFINISHED
    db.close()
