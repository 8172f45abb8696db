import asyncio
from dataclasses import replace

import pytest

from chalicelib.errors import NotFoundError
from chalicelib.ports import Live, Version
from tests.contracts.world import NOW, World

LIVE = Live("main", "orders", "a" * 64, enabled=True, published=NOW, rev=1, tokens={"open": "tok"})


def test_a_version_is_stored_once_and_for_good(world: World) -> None:
    put = world.versions.put
    world.run(put("main", "orders", "a" * 64, '{"flow":"orders","n":1,"\u20ac":2}', NOW))
    world.run(put("main", "orders", "a" * 64, "something else", NOW + 1))
    assert world.run(world.versions.text("main", "orders", "a" * 64)) == '{"flow":"orders","n":1,"\u20ac":2}'
    assert list(world.run(world.versions.history("main", "orders"))) == [Version("a" * 64, NOW)]


def test_a_version_that_is_not_there_is_named(world: World) -> None:
    world.run(world.versions.put("main", "orders", "a" * 64, "{}", NOW))
    for tenant, flow, version in (
        ("main", "orders", "b" * 64),
        ("main", "other", "a" * 64),
        ("other", "orders", "a" * 64),
    ):
        with pytest.raises(NotFoundError):
            world.run(world.versions.text(tenant, flow, version))


def test_the_history_is_one_flows_newest_first(world: World) -> None:
    for number, flow in enumerate(["orders", "mails", "orders", "orders"]):
        world.run(world.versions.put("main", flow, f"{number}" * 64, "{}", NOW + number))
    history = world.run(world.versions.history("main", "orders"))
    assert [each.version[0] for each in history] == ["3", "2", "0"]
    assert list(world.run(world.versions.history("main", "none"))) == []


def test_the_pointer_moves_only_from_what_was_seen(world: World) -> None:
    set_live = world.versions.set_live
    assert world.run(world.versions.live("main", "orders")) is None
    assert not world.run(set_live(replace(LIVE, rev=2)))
    assert world.run(set_live(LIVE))
    assert not world.run(set_live(replace(LIVE, version="b" * 64)))
    assert world.run(world.versions.live("main", "orders")) == LIVE
    second = replace(LIVE, version="b" * 64, enabled=False, published=NOW + 1, rev=2, tokens={})
    assert world.run(set_live(second))
    assert not world.run(set_live(replace(second, version="c" * 64)))
    assert world.run(world.versions.live("main", "orders")) == second


def test_of_many_who_publish_at_once_one_wins(world: World) -> None:
    async def race() -> list[bool]:
        lives = [replace(LIVE, version=f"{number}" * 64) for number in range(6)]
        return list(await asyncio.gather(*(world.versions.set_live(live) for live in lives)))

    assert sum(world.run(race())) == 1


def test_flows_are_listed_by_name_within_a_tenant(world: World) -> None:
    for flow in ("zeta", "alpha", "mid-dle"):
        world.run(world.versions.set_live(replace(LIVE, flow=flow)))
    world.run(world.versions.set_live(replace(LIVE, tenant="other", flow="theirs")))
    assert [live.flow for live in world.run(world.versions.flows("main"))] == ["alpha", "mid-dle", "zeta"]
    assert world.run(world.versions.live("other", "zeta")) is None
