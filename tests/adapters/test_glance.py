"""Documents of a store that another process works on: seen as they are committed, and left alone."""

import asyncio

import pytest

from chalicelib.adapters.sqlite.glance import GlancedDocuments
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.errors import StoreError
from chalicelib.wiring import vault_key_file
from tests.contracts.world import HandClock


def test_what_another_process_writes_is_seen_and_nothing_is_written(tmp_path):
    async def story():
        path = tmp_path / "store.db"
        glanced = GlancedDocuments(path)
        assert await glanced.get("main", "k", "a") is None
        assert not path.exists()
        store = await SqliteStore.open(path, HandClock())
        for number in range(3):
            await store.documents.put("main", "k", f"a{number}", {"n": number}, seen=None)
        assert (await glanced.get("main", "k", "a1")) == await store.documents.get("main", "k", "a1")
        assert [each.key for each in await glanced.page("main", "k", after="a0", most=1)] == ["a1"]
        assert await glanced.get("other", "k", "a1") is None
        await store.documents.put("main", "k", "b", {}, seen=None)
        assert len(await glanced.page("main", "k")) == 4
        await store.close()
        assert len(await glanced.page("main", "k")) == 4
        for work in (glanced.put("main", "k", "c", {}, seen=None), glanced.delete("main", "k", "b", seen="x")):
            with pytest.raises(StoreError, match="only read here"):
                await work
        with pytest.raises(StoreError, match="forwards"):
            await glanced.page("main", "k", backwards=True)

    asyncio.run(story())


def test_what_is_no_store_is_said_to_be_none(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"no store at all, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        asyncio.run(GlancedDocuments(path).get("main", "k", "a"))


def test_the_key_file_lies_beside_the_store_unless_the_environment_says_where(tmp_path):
    store = tmp_path / "store.db"
    assert vault_key_file(store, {}) == tmp_path / "vault-key"
    assert vault_key_file(store, {"PENSTOCK_VAULT_KEY_FILE": "/elsewhere/key"}).as_posix() == "/elsewhere/key"
