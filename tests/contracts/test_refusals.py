"""Counts of refused deliveries: added up by day, trigger and reason, apart by flow and tenant, forgotten in time."""

from chalicelib.ports import DAYS_KEPT, Refusal
from tests.contracts.world import NOW, World

DAY = NOW // 86_400_000


def refusal(trigger: str = "placed", reason: str = "signature_wrong", *, flow: str = "orders", **more: int) -> Refusal:
    return Refusal(flow, trigger, reason, more.get("day", DAY), more.get("count", 1), more.get("last", NOW))


def test_counts_add_up_and_the_last_time_is_kept(world: World) -> None:
    add = world.refusals.add
    world.run(add("main", "orders", DAY, [refusal(count=2), refusal("paid", "delivery_stale", count=5)]))
    world.run(add("main", "orders", DAY, [refusal(count=3, last=NOW + 7)]))
    found = world.run(world.refusals.of("main", "orders", DAY))
    assert sorted(found, key=lambda each: each.trigger) == [
        refusal("paid", "delivery_stale", count=5),
        refusal(count=5, last=NOW + 7),
    ]


def test_flows_tenants_and_days_are_apart(world: World) -> None:
    add, of = world.refusals.add, world.refusals.of
    world.run(add("main", "orders", DAY, [refusal()]))
    world.run(add("main", "mails", DAY, [refusal(flow="mails", count=4)]))
    world.run(add("other", "orders", DAY, [refusal(count=6)]))
    world.run(add("main", "orders", DAY + 1, [refusal(day=DAY + 1, count=8)]))
    world.run(add("main", "", DAY, [refusal("", "not_found", flow="", count=9)]))
    assert [each.count for each in world.run(of("main", "mails", DAY))] == [4]
    assert [each.count for each in world.run(of("other", "orders", DAY))] == [6]
    assert sorted(each.count for each in world.run(of("main", "orders", DAY))) == [1, 8]
    assert list(world.run(of("main", "orders", DAY + 1))) == [refusal(day=DAY + 1, count=8)]
    assert list(world.run(of("main", "", 0))) == [refusal("", "not_found", flow="", count=9)]
    assert list(world.run(of("main", "none", 0))) == []


def test_many_counts_at_once_are_all_kept(world: World) -> None:
    many = [refusal(f"t{number}", "not_found", count=number + 1) for number in range(100)]
    world.run(world.refusals.add("main", "orders", DAY, many))
    found = world.run(world.refusals.of("main", "orders", DAY))
    assert {each.trigger: each.count for each in found} == {f"t{number}": number + 1 for number in range(100)}


def test_a_day_is_forgotten_in_time(world: World) -> None:
    """By the next write, or by the table's own time to live, which nobody can wait for here."""
    world.run(world.refusals.add("main", "orders", DAY, [refusal()]))
    later = DAY + DAYS_KEPT + 1
    world.run(world.refusals.add("main", "orders", later, [refusal(day=later)]))
    assert {each.day for each in world.run(world.refusals.of("main", "orders", later - DAYS_KEPT))} == {later}
    if world.has_boots:
        assert {each.day for each in world.run(world.refusals.of("main", "orders", 0))} == {later}
