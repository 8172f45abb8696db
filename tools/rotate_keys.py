"""Kill the rotation of the vault's master key at random moments, and count what can still be opened.

A process of its own makes new master keys and rewraps every credential, on SQLite and a key file, until it is killed
with SIGKILL; then every credential is opened, and it goes on. Run with
`python -m tools.rotate_keys --credentials 10000 --kills 30`; `--json FILE` writes what was found.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.environment import EnvironmentCredentials
from chalicelib.adapters.sqlite.documents import SqliteDocuments
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.adapters.vault import KIND, VaultCredentials
from chalicelib.adapters.vault_admin import VaultAdmin
from chalicelib.adapters.vault_key_file import VaultKeyFile
from chalicelib.errors import NotSentError, PenstockError
from chalicelib.flow.values import Json
from chalicelib.ports import Documents, HttpAnswer, HttpRequest
from chalicelib.vault.record import record_from
from chalicelib.vault.sealing import wrapped_of

TENANT = "main"
STORE = "store.db"
EVERY_WITH_FORMER = 7
"""Each seventh credential has a former version too, which is wrapped by itself."""


@dataclass
class Found:
    """What a run showed."""

    credentials: int
    kills: int = 0
    in_the_middle: int = 0
    """Kills after which some credentials lay under one master key and some under another."""
    lost: int = 0
    master_keys: int = 0
    opened: int = 0
    seconds: float = 0.0
    under: list[list[int]] = field(default_factory=list[list[int]])
    """After each kill, how many credentials lay under each master key."""


class Nobody:
    """Fulfils `ports.Http`: no credential is tested here."""

    async def send(self, request: HttpRequest) -> HttpAnswer:
        """Refuse."""
        raise NotSentError(f"Nothing is sent to {request.url}.")


class House:
    """The store, the key file and the vault over them."""

    def __init__(self, folder: Path, store: SqliteStore, documents: Documents | None = None) -> None:
        self.store = store
        self.keys = VaultKeyFile(folder / "vault-key")
        self.credentials = VaultCredentials(
            documents or store.documents, lambda: self.keys, EnvironmentCredentials({}), SystemClock()
        )
        self.admin = VaultAdmin(self.credentials, Nobody(), renew=self.keys.renew)

    async def close(self) -> None:
        """Let the next process in."""
        await self.store.close()


async def a_house(folder: Path) -> House:
    """The house in this folder, opened."""
    return House(folder, await SqliteStore.open(folder / STORE, SystemClock()))


def values_of(number: int) -> dict[str, str]:
    """What was stored under a number, and is to be opened again."""
    return {"secret": f"secret-of-{number}", "verify_token": "v" * (number % 97)}


async def fill(folder: Path, count: int) -> None:
    """Store so many credentials."""
    house = await a_house(folder)

    async def one(number: int) -> None:
        name = f"c{number:06}"
        await house.admin.keep(TENANT, name, values_of(number), type_name="secret", share=None, is_admin=True)
        if number % EVERY_WITH_FORMER == 0:
            await house.admin.rotate(TENANT, name, values_of(number), overlap_seconds=86_400, is_admin=True)

    for start in range(0, count, 100):
        await asyncio.gather(*(one(number) for number in range(start, min(count, start + 100))))
    await house.close()


class Telling:
    """Fulfils `ports.Documents`, and tells our parent of each write, so that it can kill us among them."""

    def __init__(self, inner: SqliteDocuments) -> None:
        self._inner = inner
        self.get, self.page, self.delete = inner.get, inner.page, inner.delete

    async def put(
        self, tenant: str, kind: str, key: str, value: Mapping[str, Json], *, seen: str | None, expires: int = 0
    ) -> str | None:
        """Write it, and say so."""
        rev = await self._inner.put(tenant, kind, key, value, seen=seen, expires=expires)
        sys.stdout.write(".")
        sys.stdout.flush()
        return rev


async def rotate_for_ever(folder: Path) -> None:
    """New master keys and everything under them, again and again: what is killed."""
    store = await SqliteStore.open(folder / STORE, SystemClock())
    house = House(folder, store, Telling(store.documents))
    while True:
        await rotate_once(house)


async def rotate_once(house: House) -> None:
    """One new master key, and every credential under it."""
    cursor: str | None = ""
    is_first = True
    while cursor is not None:
        done = await house.admin.rewrap(TENANT, after=cursor, with_new_key=is_first)
        is_first, cursor = False, done.cursor


async def look(folder: Path) -> tuple[int, Counter[str]]:
    """Open every credential: how many open with their values, and how many lie under which master key."""
    house = await a_house(folder)
    good, under, after = 0, Counter[str](), ""
    while page := await house.store.documents.page(TENANT, KIND, after=after, most=500):
        after = page[-1].key
        for document in page:
            number = int(document.key[1:])
            wanted = {name: value for name, value in values_of(number).items() if value}
            if number % EVERY_WITH_FORMER == 0:
                wanted["previous"] = wanted["secret"]
            record = record_from(document.value)
            under[wrapped_of(record.sealed).key] += 1
            try:
                opened = await house.credentials.opened(TENANT, document.key, record, document.rev)
            except PenstockError:
                continue
            good += dict(opened.for_steps) == wanted
    await house.close()
    return good, under


def rotate_and_kill(folder: Path, count: int, kills: int, seed: int) -> Found:
    """Fill a store, kill its rotation so often, and count."""
    began, chance, found = time.monotonic(), random.Random(seed), Found(count)  # noqa: S311  nothing secret depends on it
    asyncio.run(fill(folder, count))
    for _ in range(kills):
        with subprocess.Popen(
            [sys.executable, "-m", "tools.rotate_keys", "--work", str(folder)], stdout=subprocess.PIPE, text=True
        ) as process:
            if process.stdout is not None:
                process.stdout.read(chance.randrange(count))
            time.sleep(chance.uniform(0, 0.01))
            process.kill()
        good, under = asyncio.run(look(folder))
        found.kills += 1
        found.opened += good
        found.lost += count - good
        found.in_the_middle += len(under) > 1
        found.under.append(sorted(under.values(), reverse=True))
    asyncio.run(_end(folder))
    good, under = asyncio.run(look(folder))
    found.opened += good
    found.lost += count - good + (len(under) != 1)
    found.master_keys = len(json.loads((folder / "vault-key").read_text())["keys"])
    found.seconds = round(time.monotonic() - began, 1)
    return found


async def _end(folder: Path) -> None:
    house = await a_house(folder)
    await rotate_once(house)
    await house.close()


def main() -> None:
    """Run, print, and fail where a credential was lost."""
    parser = argparse.ArgumentParser(description="Kill the rotation of the vault's master key at random moments.")
    parser.add_argument("--credentials", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work is not None:
        asyncio.run(rotate_for_ever(given.work))
    with tempfile.TemporaryDirectory(prefix="penstock-rotate-") as folder:
        found = rotate_and_kill(Path(folder), given.credentials, given.kills, given.seed)
    text = json.dumps(asdict(found), indent=1)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n", encoding="utf-8")
    if found.lost:
        raise SystemExit(f"{found.lost} credentials could not be opened.")


if __name__ == "__main__":
    main()
