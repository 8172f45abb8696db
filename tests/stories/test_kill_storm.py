"""Sixty webhooks of mixed flows, and ten `kill -9` at random moments: a tenth of what `make kill` does.

What is counted, and what must hold, `tools/kill.py` says; here it must hold on every run of the tests.
"""

import asyncio

import pytest

from tools.kill import lines_of, storm
from tools.load_kinds import kind_of

EXECUTIONS, KILLS, SEED = 60, 10, 3


@pytest.mark.slow
def test_ten_kills_lose_nothing_and_do_nothing_twice(tmp_path, record_property):
    counts = asyncio.run(storm(EXECUTIONS, KILLS, SEED, tmp_path))
    figures = counts.to_data()
    assert figures["problems"] == []
    assert figures["accepted"] == EXECUTIONS == sum(counts.statuses.values())
    assert counts.statuses["failed"] == sum(kind_of(n).status == "failed" for n in range(EXECUTIONS)) > 0
    assert counts.answers
    assert counts.children
    # What was not in danger proves nothing: the kills must have met deliveries, requests and payments under way.
    assert counts.kills_with_calls_in_flight >= KILLS // 3
    assert counts.refused
    assert counts.replayed + counts.effects.repeated, "no kill came between an effect and its record"
    assert counts.effects.unsure
    record_property(
        "covered", "kill -9 again and again: " + "; ".join(" ".join(line.split()) for line in lines_of(counts))
    )
