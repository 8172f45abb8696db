import asyncio
from dataclasses import replace

import pytest

from chalicelib.errors import NotFoundError
from chalicelib.ports import Live, Version
from tests.contracts.world import NOW, World, filled

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


def test_a_pointer_says_when_the_flow_was_enabled_again(world: World) -> None:
    enabled = replace(LIVE, since=NOW + 5)
    assert world.run(world.versions.set_live(enabled))
    assert world.run(world.versions.live("main", "orders")) == enabled
    assert list(world.run(world.versions.flows("main"))) == [enabled]
    assert enabled.begun == NOW + 5


def test_a_pointer_says_what_is_listened_for_and_whether_the_flow_is_paused(world: World) -> None:
    listening = replace(LIVE, listens=("error", "error:mails"), paused=True)
    assert world.run(world.versions.set_live(listening))
    assert world.run(world.versions.live("main", "orders")) == listening
    assert list(world.run(world.versions.flows("main"))) == [listening]
    resumed = replace(listening, rev=2, paused=False, listens=())
    assert world.run(world.versions.set_live(resumed))
    assert world.run(world.versions.live("main", "orders")) == resumed
    assert world.run(world.versions.set_live(replace(resumed, rev=3, paused=True)))
    found = world.run(world.versions.live("main", "orders"))
    assert found is not None
    assert (found.paused, found.listens) == (True, ())


def test_everything_that_a_pointer_can_say_comes_back(world: World) -> None:
    live = filled(LIVE, tenant="main", flow="orders", rev=1)
    assert world.run(world.versions.set_live(live))
    assert world.run(world.versions.live("main", "orders")) == live
