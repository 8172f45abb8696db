"""Hold a node's conversation by hand: no network, no mocks."""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

from chalicelib.kit.action import Action, Control
from chalicelib.kit.values import Moment

MOMENT = Moment(datetime(2026, 11, 20, 7, 0, tzinfo=UTC), "Europe/Berlin", bytes(range(32)))
"""The moment at which nodes are tried."""


def talk(node: Action | Control, *replies: Any, moment: Moment = MOMENT) -> tuple[tuple[Any, ...], Any]:
    """Answer what the node asks, in order; return what it asked and what it concluded."""
    begun = node.run() if isinstance(node, Action) else node.decide(moment)
    if not isinstance(begun, Generator):
        assert not replies, f"{node!r} asked nothing, and was told {replies!r}"
        return (), begun
    asked: list[Any] = []
    waiting = iter(replies)
    try:
        ask = next(begun)
        while True:
            asked.append(ask)
            try:
                reply = next(waiting)
            except StopIteration:
                raise AssertionError(f"{node!r} is still waiting for an answer to {ask!r}") from None
            ask = begun.send(reply)
    except StopIteration as end:
        left = list(waiting)
        assert not left, f"{node!r} did not ask for {left!r}"
        return tuple(asked), end.value
