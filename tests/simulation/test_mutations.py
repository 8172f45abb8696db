"""Deliberate mistakes, each switched on by itself: the simulation finds every one of them."""

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation

FROM_THE_MODELS = {
    "ack before send",
    "loser acks without dispatch",
    "naive counter",
    "no fence",
    "send before commit",
    "ack on live lease",
    "fenced-out loser acks",
    "stale read",
    "mark before result",
    "duplicate mark stops",
    "duplicate root stops",
    "dropping a leased result with a refused group",
    "effect before its inputs are durable",
    "overwriting the due entry",
    "bump without rev",
    "removing the due entry too early",
    "a dead letter only notes itself",
    "a resume that knows only the head",
    "no commit order for numbered groups",
}
"""Every mistake of the small models of the protocol."""


def found(mutation: Mutation) -> int | None:
    """The first seed that finds it."""
    with mutation.on():
        for seed in range(mutation.within):
            violations = mutation.schedule(seed).run().violations
            if violations and violations[0].startswith(mutation.found_by):
                return seed
    return None


def test_every_mistake_of_the_models_is_among_them():
    assert MUTATIONS.keys() >= FROM_THE_MODELS
    assert len(MUTATIONS) >= 20


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_deliberate_mistake_is_found_within_so_many_seeds(name, record_property):
    mutation = MUTATIONS[name]
    seed = found(mutation)
    assert seed is not None, f"{name}: not found within {mutation.within} seeds"
    assert mutation.schedule(seed).run().violations == [], "it is the mistake that was found, not something else"
    record_property("covered", f"mutations: {name}: found after {seed + 1} seeds")
