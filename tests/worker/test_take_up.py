"""What a new boot takes up: whatever an earlier one had recorded and not yet sent for goes on at once."""

from datetime import timedelta

from chalicelib.engine.facts import Waiting
from chalicelib.engine.records import RecordKey, Status
from chalicelib.worker.sweeper import take_up
from tests.worker.house import House, run, urls

WIDE = """
flow: wide
steps:
  each:
    uses: foreach
    with: {over: "${ [1..30] }", as: number, concurrency: 20}
    steps:
      book: {uses: http.request, with: {method: POST, url: "https://api.example/book/${ number }"}}
    output: "${ number }"
output: "${ steps.each.results }"
"""


def test_the_chunks_of_a_wide_loop_that_were_never_sent_for_are_sent_for_at_the_next_start():
    async def story():
        house = House()
        entered = await house.enter(WIDE, respond="accepted")
        await house.drain(most=1)
        image = await house.image(entered.execution)
        assert [fact.kind for fact in image.facts.values() if isinstance(fact, Waiting)] == ["cut"]
        assert urls(house) == []
        lost = await house.queue.receive(10, 0)  # as if the worker had died between its write and its sends
        assert lost
        await house.queue.acknowledge(lost)
        house.clock.time += timedelta(seconds=1)
        before = house.clock.time
        assert await take_up(house.tools, [RecordKey("main", entered.execution)]) == 1
        await house.drain(sweeps=False, idle_minutes=1)
        image = await house.image(entered.execution)
        assert image.status is Status.SUCCEEDED, "it did not wait for the lease of the one before"
        assert house.clock.time - before < timedelta(minutes=5)
        return house, await house.details(entered.execution)

    house, details = run(story())
    assert details.output == list(range(1, 31))
    assert sorted(urls(house)) == sorted(f"/book/{number}" for number in range(1, 31))
