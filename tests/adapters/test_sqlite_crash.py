"""kill -9 at random moments: whatever was acknowledged is there, and nothing is torn."""

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.engine.facts import Done
from chalicelib.engine.records import RecordKey
from tests.contracts.world import HandClock

ROUNDS = 4
LEAST_PER_ROUND = 40

_WRITE = """
import asyncio, sys
from pathlib import Path
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.engine.facts import Done, How
from chalicelib.engine.messages import Resume, Send
from chalicelib.engine.records import RecordKey
from chalicelib.engine.writes import Applied, Commit, NotDone, Put
from tests.contracts.world import NOW, HandClock, creation

async def one(store, lane, number):
    key = RecordKey("main", f"{store.boot}-{lane}-{number}")
    packs = {"pa": "x" * 3000}
    assert isinstance(await store.facts.write(creation(key, packs=packs)), Applied)
    print("created", key.execution, flush=True)
    puts = {f"f{n}": Put(Done(How.SUCCEEDED, "done", n, NOW, "pa"), NotDone()) for n in range(3)}
    assert isinstance(await store.facts.write(Commit(key, 0, NOW, puts=puts)), Applied)
    print("facts", key.execution, flush=True)
    await store.queue.send([Send(Resume("main", key.execution, 0))])
    print("sent", key.execution, flush=True)

async def lane(store, name):
    for number in range(10**9):
        await one(store, name, number)

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), HandClock())
    await asyncio.gather(*(lane(store, name) for name in range(8)))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_being_killed_at_any_moment(tmp_path: Path, record_property) -> None:
    path = tmp_path / "store.db"
    chance = random.Random(11)
    said: list[tuple[str, str]] = []
    for _ in range(ROUNDS):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITE, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert writer.stdout is not None
        # Killed after a number of acknowledgements, not after a time: in the middle of the next ones.
        wanted = LEAST_PER_ROUND + chance.randrange(200)
        for line in writer.stdout:
            said.append(tuple(line.split()))
            if len(said) % 7 == 0:
                wanted -= 7
            if wanted <= 0:
                break
        writer.kill()
        rest = writer.stdout.read().splitlines(keepends=True)
        said.extend(tuple(line.split()) for line in rest if line.endswith("\n"))
        writer.wait()
        writer.stdout.close()
        _check(path, said)
    record_property("covered", f"sqlite: {ROUNDS} times kill -9, {len(said):,} acknowledged writes, 0 missing")


def _check(path: Path, said: list[tuple[str, str]]) -> None:
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    queued = {json.loads(body)["execution"] for (body,) in db.execute("SELECT body FROM messages")}
    db.close()

    async def read() -> None:
        store = await SqliteStore.open(path, HandClock())
        for what, execution in said:
            key = RecordKey("main", execution)
            image = await store.facts.read(key)
            assert image is not None
            assert image.rev == 1 + bool(image.facts)
            assert len(image.facts) in {0, 3}, "a write is whole or not at all"
            assert await store.facts.pack(key, "pa") == "x" * 3000
            if what == "facts":
                assert all(isinstance(fact, Done) for fact in image.facts.values())
                assert len(image.facts) == 3
            if what == "sent":
                assert execution in queued
        await store.close()

    asyncio.run(read())
