"""Documents: written over what was seen and nothing else, apart by tenant and kind, in the order of their keys."""

import asyncio

import pytest

from chalicelib.errors import StoreError
from chalicelib.ports import Document
from chalicelib.ports.documents import LONGEST_DOCUMENT
from tests.contracts.world import NOW, World

VALUE = {"name": "crm", "half": "\ud800", "deep": [1, None, {"umlaut": "ü"}]}


def test_what_was_put_is_found_as_it_was(world: World) -> None:
    documents = world.documents
    rev = world.run(documents.put("main", "credential", "crm", VALUE, seen=None, expires=NOW // 1000))
    assert rev
    assert world.run(documents.get("main", "credential", "crm")) == Document("crm", rev, VALUE, NOW // 1000)
    assert world.run(documents.get("main", "credential", "other")) is None


def test_a_document_is_written_over_what_was_seen_and_nothing_else(world: World) -> None:
    put = world.documents.put
    first = world.run(put("main", "k", "a", {"n": 1}, seen=None))
    assert world.run(put("main", "k", "a", {"n": 2}, seen=None)) is None
    assert world.run(put("main", "k", "b", {"n": 2}, seen=first)) is None
    second = world.run(put("main", "k", "a", {"n": 2}, seen=first))
    assert second not in {None, first}
    assert world.run(put("main", "k", "a", {"n": 3}, seen=first)) is None
    assert world.run(world.documents.get("main", "k", "a")) == Document("a", second or "", {"n": 2})
    assert world.run(world.documents.get("main", "k", "b")) is None


def test_of_many_who_saw_the_same_one_writes(world: World) -> None:
    async def race() -> list[str | None]:
        seen = await world.documents.put("main", "k", "a", {"n": 0}, seen=None)
        puts = (world.documents.put("main", "k", "a", {"n": number}, seen=seen) for number in range(1, 9))
        return await asyncio.gather(*puts)

    revs = world.run(race())
    winner = next(rev for rev in revs if rev)
    assert [rev for rev in revs if rev] == [winner]
    assert world.run(world.documents.get("main", "k", "a")) == Document("a", winner, {"n": 1 + revs.index(winner)})


def test_what_was_removed_is_gone_and_its_writer_has_lost_it(world: World) -> None:
    documents = world.documents
    seen = world.run(documents.put("main", "k", "a", {"n": 1}, seen=None)) or ""
    world.run(documents.put("main", "k", "b", {"n": 1}, seen=None))
    assert not world.run(documents.delete("main", "k", "a", seen="another"))
    assert world.run(documents.delete("main", "k", "a", seen=seen))
    assert not world.run(documents.delete("main", "k", "a", seen=seen))
    assert world.run(documents.get("main", "k", "a")) is None
    assert [each.key for each in world.run(documents.page("main", "k"))] == ["b"]
    assert world.run(documents.put("main", "k", "a", {"n": 2}, seen=seen)) is None
    again = world.run(documents.put("main", "k", "a", {"n": 3}, seen=None))
    assert again not in {None, seen}
    assert world.run(documents.put("main", "k", "a", {"n": 4}, seen=seen)) is None
    assert world.run(documents.get("main", "k", "a")) == Document("a", again or "", {"n": 3})


def test_tenants_and_kinds_are_apart(world: World) -> None:
    for tenant, kind in (("main", "k"), ("other", "k"), ("main", "l")):
        world.run(world.documents.put(tenant, kind, "a", {"is": f"{tenant} {kind}"}, seen=None))
    assert [each.value for each in world.run(world.documents.page("other", "k"))] == [{"is": "other k"}]
    assert [each.value for each in world.run(world.documents.page("main", "l"))] == [{"is": "main l"}]
    assert list(world.run(world.documents.page("nobody", "k"))) == []


def test_pages_go_through_the_keys_in_order_both_ways(world: World) -> None:
    keys = sorted(f"{'aZ09_#/ '[number % 8]}{number:02d}" for number in range(25))
    revs: dict[str, str] = {}
    for key in keys:
        revs[key] = world.run(world.documents.put("main", "k", key, {}, seen=None)) or ""
    for gone in keys[3:9]:
        assert world.run(world.documents.delete("main", "k", gone, seen=revs[gone]))
    left = keys[:3] + keys[9:]

    async def walk(*, backwards: bool) -> list[str]:
        found: list[str] = []
        while page := await world.documents.page(
            "main", "k", after=found[-1] if found else "", most=4, backwards=backwards
        ):
            found += [each.key for each in page]
            assert len(page) <= 4
        return found

    assert world.run(walk(backwards=False)) == left
    assert world.run(walk(backwards=True)) == left[::-1]


@pytest.mark.parametrize("key", ["", "ü", "k" * 1_001, "\ud800"])
def test_a_name_that_no_store_could_keep_is_not_found_and_not_written(world: World, key: str) -> None:
    assert world.run(world.documents.get("main", "k", key)) is None
    assert not world.run(world.documents.delete("main", "k", key, seen="rev"))
    with pytest.raises(StoreError, match="ASCII"):
        world.run(world.documents.put("main", "k", key, {}, seen=None))


def test_a_document_that_no_store_could_keep_is_refused_and_a_long_one_is_not(world: World) -> None:
    with pytest.raises(StoreError, match="300,000"):
        world.run(world.documents.put("main", "k", "a", {"text": "x" * LONGEST_DOCUMENT}, seen=None))
    assert world.run(world.documents.get("main", "k", "a")) is None
    long = {"text": "x" * (LONGEST_DOCUMENT - 20)}
    assert world.run(world.documents.put("main", "k", "a", long, seen=None))
    found = world.run(world.documents.get("main", "k", "a"))
    assert found is not None
    assert found.value == long
