"""A process may die at any call to the world: what was accepted still ends, in the same way, and nothing is done twice.

Here every single death is tried on memory, and a sample of everything else; `make crashes` tries all of it.
"""

import pytest

from tests.worker.canon import CANON
from tests.worker.crash_stores import tried_on_aws
from tests.worker.crashes import STORIES, points, tried, undisturbed
from tests.worker.lives import run

PAIRS = 40
"""Pairs of deaths that are tried for each flow."""

ON_AWS = 3
"""Single deaths that are tried for each flow on the local AWS."""


def test_there_are_at_least_twenty_canonical_flows():
    assert len(CANON) >= 20


@pytest.mark.parametrize("boots", [True, False], ids=["restarted", "redelivered"])
@pytest.mark.parametrize("name", STORIES)
def test_whatever_call_a_process_dies_at_the_execution_ends_the_same_and_nothing_is_done_twice(
    name, boots, record_property
):
    async def sweep():
        whole = await undisturbed(CANON[name])
        assert whole.calls > 4
        for point in points(whole.calls):
            assert await tried(name, (point,), whole, boots=boots) == 1
        return 2 * whole.calls

    how = "restarted" if boots else "redelivered"
    record_property("covered", f"crash points in memory: {name}, {how}: {run(sweep())} single deaths")


@pytest.mark.parametrize("name", STORIES)
def test_whatever_two_calls_processes_die_at_it_still_ends_the_same(name):
    async def sweep():
        whole = await undisturbed(CANON[name])
        pairs = [(first, second) for first in points(whole.calls) for second in points(whole.calls)]
        stride = max(1, len(pairs) // PAIRS)
        chosen = pairs[STORIES.index(name) % stride :: stride]
        return [await tried(name, pair, whole, boots=number % 2 == 0) for number, pair in enumerate(chosen)]

    met = run(sweep())
    assert len(met) >= PAIRS
    assert min(met) >= 1


@pytest.mark.parametrize("name", STORIES)
def test_the_same_on_the_local_aws(name, aws_url):
    async def sweep():
        whole = await undisturbed(CANON[name])
        single = list(points(whole.calls))
        stride = max(1, len(single) // ON_AWS)
        return [
            await tried_on_aws(aws_url, name, (point,), whole)
            for point in single[STORIES.index(name) % stride :: stride][:ON_AWS]
        ]

    assert any(run(sweep()))
