"""What is remembered of a schedule, in every store."""

from dataclasses import replace

from chalicelib.engine.ticking import Memory, memory_of, remember, schedule_key
from chalicelib.engine.writes import Applied, Refused
from tests.contracts.world import NOW, World

KEY = schedule_key("main", "orders", "night")


def test_it_is_written_by_who_saw_the_record_last(world: World) -> None:
    facts = world.facts
    assert world.run(facts.read(KEY)) is None
    memory = Memory(NOW, "0" * 26, NOW - 60_000, NOW - 59_000, NOW, 2)
    first = world.run(facts.write(remember(KEY, None, memory, NOW)))
    assert isinstance(first, Applied)
    assert isinstance(world.run(facts.write(remember(KEY, None, Memory(5), NOW))), Refused)
    seen = world.run(facts.read(KEY))
    assert memory_of(seen) == memory
    later = replace(memory, handled=NOW + 1, execution="", skips=3)
    assert isinstance(world.run(facts.write(remember(KEY, seen, later, NOW))), Applied)
    late = world.run(facts.write(remember(KEY, seen, memory, NOW)))
    assert isinstance(late, Refused)
    assert memory_of(late.image) == memory_of(world.run(facts.read(KEY))) == later


def test_it_is_no_execution(world: World) -> None:
    world.run(world.facts.write(remember(KEY, None, Memory(NOW), NOW)))
    assert list(world.run(world.facts.due(NOW * 2, 10))) == []
    assert list(world.run(world.facts.unfinished(10))) == []
