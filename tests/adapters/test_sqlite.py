import asyncio
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.sqlite.rows import REMOVE_FACTS
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.engine.conditions import weight
from chalicelib.engine.facts import Claimed, Done, How
from chalicelib.engine.records import Image, Reason, RecordKey, Status
from chalicelib.engine.writes import Applied, Commit, Finish, Free, NotDone, Put, Refused
from chalicelib.errors import SettingError, StoreError
from chalicelib.ports import Listing, Live
from tests.adapters.aws_writes import PARTS, Chance
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
        before, rev=before.rev + 1, facts={**before.facts, "f2": DONE}, size=before.size + weight(DONE) + len("f2")
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


_FIRST = """
CREATE TABLE boots (number INTEGER PRIMARY KEY) STRICT;
CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL, execution TEXT NOT NULL, part TEXT NOT NULL,
  status TEXT NOT NULL, epoch INTEGER NOT NULL, rev INTEGER NOT NULL, busy INTEGER NOT NULL, next_check INTEGER,
  reason TEXT, output_pack TEXT NOT NULL, ended INTEGER NOT NULL, size INTEGER NOT NULL, expires INTEGER NOT NULL,
  flow TEXT, version TEXT, trigger_id TEXT, started INTEGER, input_pack TEXT, input_hash TEXT, deadline INTEGER,
  parent TEXT, retry_of TEXT, keyed INTEGER,
  UNIQUE (execution, tenant, part)
) STRICT;
CREATE INDEX records_by_start ON records (tenant, started, execution) WHERE part = '';
CREATE INDEX records_by_flow ON records (tenant, flow, started, execution) WHERE part = '';
CREATE INDEX records_by_status ON records (tenant, status, started, execution) WHERE part = '';
CREATE INDEX records_due ON records (next_check) WHERE part = '' AND next_check IS NOT NULL;
CREATE TABLE facts (record INTEGER, name TEXT, fact TEXT NOT NULL, PRIMARY KEY (record, name)) STRICT, WITHOUT ROWID;
CREATE TABLE packs (record INTEGER, name TEXT, is_inline INTEGER NOT NULL, content ANY NOT NULL,
  PRIMARY KEY (record, name)) STRICT, WITHOUT ROWID;
CREATE TABLE versions (tenant TEXT, flow TEXT, version TEXT, content ANY NOT NULL, stored INTEGER NOT NULL,
  PRIMARY KEY (tenant, flow, version)) STRICT, WITHOUT ROWID;
CREATE TABLE live (tenant TEXT, flow TEXT, version TEXT NOT NULL, enabled INTEGER NOT NULL, published INTEGER NOT NULL,
  rev INTEGER NOT NULL, tokens TEXT NOT NULL, PRIMARY KEY (tenant, flow)) STRICT, WITHOUT ROWID;
CREATE TABLE messages (number INTEGER PRIMARY KEY, body ANY NOT NULL, visible_at INTEGER NOT NULL,
  count INTEGER NOT NULL) STRICT;
CREATE TABLE dead_letters (number INTEGER PRIMARY KEY, body ANY NOT NULL, count INTEGER NOT NULL,
  died INTEGER NOT NULL) STRICT;
CREATE TABLE blobs (name TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO boots VALUES (4);
INSERT INTO records VALUES (7, 'main', 'eeeeeeeeeeeeeeeeeeeeeeeeee', '', 'R', 0, 3, 0, 1772366460000, NULL, '', 0, 400, 0,
  'orders', 'v', 'placed', 1772366400000, 'i0', 'h', 0, '', '', 1);
INSERT INTO records VALUES (8, 'main', 'eeeeeeeeeeeeeeeeeeeeeeeeee', 'rows', 'R', 0, 1, 0, NULL, NULL, '', 0, 400, 0,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO facts VALUES (7, 'f0', 'd|S|done|1|1772366400000|i1');
INSERT INTO live VALUES ('main', 'orders', 'v', 1, 1772366400000, 1, '{"open":"tok"}');
PRAGMA user_version = 1;
"""
"""A store of schema 1, with a running execution and a published flow."""


def test_a_store_of_the_first_schema_goes_on_where_it_was(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.executescript(_FIRST)
    db.close()

    async def look(store: SqliteStore) -> Any:
        return (
            store.boot,
            await store.facts.read(KEY),
            await store.facts.read(RecordKey("main", KEY.execution, "rows")),
            await store.versions.live("main", "orders"),
            await store.facts.due(NOW + 60_000, 5),
        )

    boot, image, loop, live, due = _with(tmp_path / "store.db", look)
    assert boot == 5
    assert (image.rev, image.facts, image.birth.flow, image.birth.keyed, image.birth.depth) == (
        3, {"f0": DONE}, "orders", True, 0,
    )  # fmt: skip
    assert (loop.birth, loop.rev) == (None, 1)
    assert live == Live("main", "orders", "v", enabled=True, published=NOW, rev=1, tokens={"open": "tok"})
    assert due == [KEY]

    async def go_on(store: SqliteStore) -> Any:
        deep = RecordKey("main", "d" * 26)
        await store.facts.write(creation(deep, birth=birth(depth=3)))
        assert await store.versions.set_live(replace(live, rev=2, listens=("error",), paused=True))
        _applied(await store.facts.write(Commit(KEY, 0, NOW, removes=frozenset({"f0"}))))

    _with(tmp_path / "store.db", go_on)

    async def look_again(store: SqliteStore) -> Any:
        deep = await store.facts.read(RecordKey("main", "d" * 26))
        assert deep is not None
        assert deep.birth == birth(depth=3)
        assert await store.versions.live("main", "orders") == replace(live, rev=2, listens=("error",), paused=True)
        return await store.facts.read(KEY)

    assert _with(tmp_path / "store.db", look_again).facts == {}
    with sqlite3.connect(tmp_path / "store.db") as db, sqlite3.connect(tmp_path / "new.db") as new:
        _with(tmp_path / "new.db", lambda store: asyncio.sleep(0))
        columns = (
            'SELECT m.name, p.name, p.type, p."notnull", p.dflt_value FROM sqlite_master m, pragma_table_info(m.name) p'
        )
        assert set(db.execute(columns)) == set(new.execute(columns))
        assert db.execute("PRAGMA user_version").fetchone() == new.execute("PRAGMA user_version").fetchone() == (4,)
    db.close()
    new.close()


@pytest.mark.parametrize("part", PARTS)
def test_whatever_was_written_is_the_same_after_the_store_was_opened_anew(tmp_path: Path, part: str) -> None:
    keys = [RecordKey("main", f"{number:026d}", part) for number in range(20)]

    async def walk(store: SqliteStore) -> Any:
        images: list[Image | None] = []
        for number, key in enumerate(keys):
            chance, image = Chance(number, key), None
            for _ in range(15):
                image = (await store.facts.write(chance.write(image))).image
            images.append(image)
        return images

    async def read(store: SqliteStore) -> Any:
        return [await store.facts.read(key) for key in keys]

    images = _with(tmp_path / "store.db", walk)
    assert sum(image is not None for image in images) > 15
    assert _with(tmp_path / "store.db", read) == images


def test_facts_are_removed_along_the_key(tmp_path: Path) -> None:
    _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    db = sqlite3.connect(tmp_path / "store.db")
    for rows in (1, 2, 64):
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {REMOVE_FACTS.of(rows)}", [1, "f0"] * rows)]
        assert any("SEARCH facts USING PRIMARY KEY (record=? AND name=?)" in step for step in plan)
        assert not any("SCAN" in step for step in plan)
    db.close()


def test_a_file_that_is_no_store_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"hello" * 1000)
    with pytest.raises(StoreError, match=r"store\.db cannot be opened"):
        _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    assert (tmp_path / "store.db").read_bytes() == b"hello" * 1000


def test_listings_and_the_look_for_unfinished_ones_walk_an_index(tmp_path: Path) -> None:
    from chalicelib.adapters.sqlite.facts import DUE, UNFINISHED, page_query

    _with(tmp_path / "store.db", lambda store: asyncio.sleep(0))
    db = sqlite3.connect(tmp_path / "store.db")
    listings = [
        Listing("main"),
        Listing("main", flow="f", since=1, until=2),
        Listing("main", status=Status.FAILED, since=1),
        Listing("main", flow="f", status=Status.FAILED, cursor="MS5h"),
    ]
    queries = [page_query(listing) for listing in listings]
    for query, values in [*queries, (UNFINISHED, [10]), (DUE, [NOW, 10])]:
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", values))
        assert "USING INDEX records_" in plan or "USING COVERING INDEX records_" in plan
        assert "TEMP B-TREE" not in plan
        assert "SCAN records" not in plan or query == UNFINISHED
    db.close()
