import asyncio

import pytest

from chalicelib.adapters.aws.queue import AwsQueue
from chalicelib.engine.messages import Go, Message, Resume, Send, Start
from chalicelib.ports import Received
from tests.contracts.world import MOST_RECEIVES, NOW, VISIBILITY_SECONDS, World, birth


def _go(name: str) -> Go:
    return Go("main", name, 2, ("a", "b"))


def _send(world: World, *messages: Message, delay: int = 0) -> None:
    world.run(world.queue.send([Send(message, delay) for message in messages]))


def _receive(world: World, most: int = 10) -> list[Received]:
    return list(world.run(world.inbox.receive(most, 0)))


def _messages(received: list[Received]) -> set[str]:
    return {each.message.execution for each in received if each.message}


def test_every_kind_of_message_comes_as_it_was_sent(world: World) -> None:
    start = Start("main", "e1", birth(deadline=7, keyed=True), NOW, '{"trigger":{"body":"\u20ac"}}')
    sent: list[Message] = [start, _go("e2"), Resume("main", "e3", 1)]
    _send(world, *sent)
    received = _receive(world)
    assert sorted((each.message for each in received), key=lambda each: each.execution if each else "") == sent
    assert [each.count for each in received] == [1, 1, 1]


def test_what_is_acknowledged_does_not_come_again(world: World) -> None:
    _send(world, _go("e1"), _go("e2"))
    received = _receive(world)
    assert _messages(received) == {"e1", "e2"}
    world.run(world.inbox.acknowledge(received))
    world.run(world.inbox.acknowledge(received))
    world.run(world.let_pass(VISIBILITY_SECONDS + 1))
    assert _receive(world) == []


def test_what_is_out_for_delivery_is_hidden_for_a_while(world: World) -> None:
    _send(world, _go("e1"))
    first = _receive(world)
    assert _receive(world) == []
    world.run(world.let_pass(VISIBILITY_SECONDS + 1))
    second = _receive(world)
    assert _messages(first) == _messages(second) == {"e1"}
    assert (first[0].count, second[0].count) == (1, 2)


def test_an_old_handle_still_acknowledges(world: World) -> None:
    _send(world, _go("e1"))
    first = _receive(world)
    world.run(world.let_pass(VISIBILITY_SECONDS + 1))
    assert _messages(_receive(world)) == {"e1"}
    world.run(world.inbox.acknowledge(first))
    world.run(world.let_pass(VISIBILITY_SECONDS + 1))
    assert _receive(world) == []


def test_what_is_failed_comes_again_when_it_was_told_to(world: World) -> None:
    _send(world, _go("e1"), _go("e2"))
    received = {each.message.execution: each for each in _receive(world) if each.message}
    world.run(world.inbox.fail(received["e1"], 0))
    world.run(world.inbox.fail(received["e2"], 2))
    assert _messages(_receive(world)) == {"e1"}
    world.run(world.let_pass(2.2))
    assert "e2" in _messages(_receive(world))


def test_a_delayed_message_comes_when_its_time_has_come(world: World) -> None:
    _send(world, _go("later"), delay=2)
    _send(world, _go("now"))
    received = _receive(world)
    assert _messages(received) == {"now"}
    world.run(world.inbox.acknowledge(received))
    world.run(world.let_pass(2.2))
    assert _messages(_receive(world)) == {"later"}


def test_no_more_are_handed_out_than_were_asked_for(world: World) -> None:
    _send(world, *(_go(f"e{number}") for number in range(25)))
    seen: set[str] = set()
    while received := _receive(world, most=4):
        assert len(received) <= 4
        seen |= _messages(received)
        world.run(world.inbox.acknowledge(received))
    assert len(seen) == 25


def test_who_waits_is_woken_by_a_message(world: World) -> None:
    async def both() -> list[Received]:
        waiting = asyncio.create_task(world.inbox.receive(10, 15))
        await asyncio.sleep(0)
        await world.queue.send([Send(_go("e1"))])
        return list(await waiting)

    assert _messages(world.run(both())) == {"e1"}


def _let_die(world: World, *names: str) -> None:
    """Deliver them as often as may be, and once more."""
    _send(world, *(_go(name) for name in names))
    for count in range(1, MOST_RECEIVES + 1):
        received = _receive(world)
        assert [each.count for each in received] == [count] * len(names)
        for each in received:
            world.run(world.inbox.fail(each, 0))
    assert _receive(world) == []


def _receive_dead(world: World, most: int = 10) -> list[Received]:
    return list(world.run(world.dead.receive(most, 0)))


def test_what_came_too_often_is_a_dead_letter_until_it_is_acknowledged(world: World) -> None:
    _let_die(world, "e1", "e2")
    dead = _receive_dead(world)
    assert [each.message for each in sorted(dead, key=lambda each: each.body or str(each.message))] == [
        _go("e1"), _go("e2"),
    ]  # fmt: skip
    assert all(each.count > MOST_RECEIVES for each in dead)
    assert _receive_dead(world) == []
    world.run(world.dead.acknowledge([each for each in dead if each.message == _go("e1")]))
    world.run(world.let_pass(VISIBILITY_SECONDS + 1))
    assert _messages(_receive_dead(world)) == {"e2"}
    assert _receive(world) == []


def test_a_dead_letter_that_could_not_be_dealt_with_comes_again(world: World) -> None:
    _let_die(world, "e1")
    (first,) = _receive_dead(world)
    world.run(world.dead.fail(first, 0))
    (second,) = _receive_dead(world)
    assert second.message == _go("e1")
    assert second.count > first.count
    world.run(world.dead.acknowledge([second]))
    world.run(world.let_pass(VISIBILITY_SECONDS + 1))
    assert _receive_dead(world) == []


def test_whoever_finishes_late_takes_the_dead_letter_back(world: World) -> None:
    if isinstance(world.inbox, AwsQueue):
        pytest.skip("a handle is of one queue there; the sweeper finds that nothing is left to do")
    _send(world, _go("e1"))
    handles: list[Received] = []
    for _ in range(MOST_RECEIVES):
        handles += _receive(world)
        world.run(world.let_pass(VISIBILITY_SECONDS + 1))
    assert _receive(world) == []
    world.run(world.inbox.acknowledge(handles[-1:]))
    assert _receive_dead(world) == []


def test_who_waits_for_a_dead_letter_is_woken_by_it(world: World) -> None:
    if isinstance(world.inbox, AwsQueue):
        pytest.skip("its waiting is SQS's own")
    _send(world, _go("e1"))
    for _ in range(MOST_RECEIVES):
        for each in _receive(world):
            world.run(world.inbox.fail(each, 0))

    async def both() -> list[Received]:
        waiting = asyncio.create_task(world.dead.receive(10, 15))
        await asyncio.sleep(0)
        assert list(await world.inbox.receive(10, 0)) == []
        return list(await waiting)

    assert _messages(world.run(both())) == {"e1"}


def test_a_delay_beyond_what_the_queue_takes_is_the_longest_it_takes(world: World) -> None:
    _send(world, _go("e1"), delay=100_000)
    _send(world, _go("e2"))
    (received,) = _receive(world)
    world.run(world.inbox.fail(received, 10_000_000))
    world.run(world.let_pass(VISIBILITY_SECONDS + 1))
    assert _receive(world) == []


def test_sending_nothing_sends_nothing(world: World) -> None:
    world.run(world.queue.send([]))
    assert _receive(world) == []
