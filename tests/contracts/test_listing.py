import pytest

from chalicelib.engine.records import RecordKey, Status
from chalicelib.engine.writes import Commit, Finish
from chalicelib.errors import UsageError
from chalicelib.ports import Listing, Summary
from tests.contracts.world import NOW, World, birth, creation


def _fill(world: World, count: int = 12) -> list[Summary]:
    """Executions of two flows, every third ended, two of each moment; newest first."""
    made: list[Summary] = []
    for number in range(count):
        key = world.new_key()
        flow = "orders" if number % 2 else "mails"
        started = NOW + number // 2 * 1000
        world.run(world.facts.write(creation(key, birth=birth(flow=flow, started=started))))
        ended = number % 3 == 0
        if ended:
            world.run(world.facts.write(Commit(key, 0, NOW + 99, finish=Finish(Status.SUCCEEDED))))
        status = Status.SUCCEEDED if ended else Status.RUNNING
        made.append(Summary(key.execution, flow, "a" * 64, status, "placed", started, NOW + 99 if ended else 0))
    return sorted(made, key=lambda each: (each.started, each.id), reverse=True)


def _all(world: World, **asked: object) -> list[Summary]:
    """Every page of a listing, three at a time."""
    found: list[Summary] = []
    cursor: str | None = None
    while True:
        page = world.run(world.facts.page(Listing("main", limit=3, cursor=cursor, **asked)))
        found.extend(page.items)
        assert len(page.items) <= 3
        cursor = page.cursor
        if cursor is None:
            return found
        assert page.items


def test_pages_hold_every_execution_once_newest_first(world: World) -> None:
    made = _fill(world)
    assert _all(world) == made
    page = world.run(world.facts.page(Listing("main", limit=12)))
    assert (list(page.items), page.cursor) == (made, None)


def test_filters_narrow_a_listing_alone_and_together(world: World) -> None:
    made = _fill(world)
    since, until = NOW + 1000, NOW + 3000
    assert _all(world, flow="orders") == [each for each in made if each.flow == "orders"]
    assert _all(world, status=Status.SUCCEEDED) == [each for each in made if each.status is Status.SUCCEEDED]
    assert _all(world, since=since, until=until) == [each for each in made if since <= each.started <= until]
    both = [each for each in made if each.flow == "mails" and each.status is Status.RUNNING and each.started >= since]
    assert both
    assert _all(world, flow="mails", status=Status.RUNNING, since=since) == both


def test_a_listing_shows_one_tenant(world: World) -> None:
    made = _fill(world, 2)
    world.run(world.facts.write(creation(RecordKey("other", "x" * 26))))
    assert _all(world) == made
    page = world.run(world.facts.page(Listing("other")))
    assert [each.id for each in page.items] == ["x" * 26]


def test_a_loops_record_is_not_listed(world: World) -> None:
    made = _fill(world, 1)
    world.run(world.facts.write(Commit(RecordKey("main", made[0].id, "items"), 0, NOW, creates=True)))
    assert _all(world) == made


def test_an_empty_listing_is_one_empty_page(world: World) -> None:
    page = world.run(world.facts.page(Listing("main", flow="nobody")))
    assert (list(page.items), page.cursor) == ([], None)


@pytest.mark.parametrize("cursor", ["", "!", "bm8", "\u20ac", "MTIz"])
def test_a_cursor_that_is_none_of_ours_is_refused(world: World, cursor: str) -> None:
    _fill(world, 1)
    with pytest.raises(UsageError):
        world.run(world.facts.page(Listing("main", cursor=cursor)))
