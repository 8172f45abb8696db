"""Turns that write to one record beside one another: few writes, and none that waits for a turn under way."""

import asyncio
import json

import pytest

from chalicelib.engine.controls import hold
from chalicelib.engine.facts import HELD, Claimed, Done
from chalicelib.engine.messages import Chunk, Send
from chalicelib.engine.records import RecordKey, Status
from chalicelib.engine.writes import Commit
from chalicelib.errors import StoreError
from chalicelib.ports import HttpAnswer
from chalicelib.worker.budget import to_milliseconds
from chalicelib.worker.ledger import Committed
from chalicelib.worker.together import Together
from tests.worker.house import House, Watched, run, urls

FAN = """
flow: fan
steps:
  each:
    uses: foreach
    with: {over: "${ [0..29] }", concurrency: 30}
    steps:
      put: {uses: http.request, with: {method: POST, url: "https://api.example/put/${ item }"}}
    output: "${ item }"
output: "${ steps.each.results }"
"""
TWICE = FAN.replace(
    "    output:",
    '      then: {uses: http.request, after: put, with: {method: POST, url: "https://api.example/then"}}\n    output:',
)


def watched(seen, part="each/b1", before=None):
    """A store that notes what is written to one record: how many claims, how many outcomes, whether it is the end."""

    async def note(store, write):
        if write.key.part == part:
            if before is not None:
                await before(store, write)
            facts = [put.fact for put in write.puts.values()]
            claims = sum(isinstance(fact, Claimed) for fact in facts)
            seen.append((claims, sum(isinstance(fact, Done) for fact in facts), write.finish is not None))

    return House(facts=Watched(note))


async def finished(house, entered):
    await house.drain(200, idle_minutes=3)
    details = await house.details(entered.execution)
    assert details.image.status is Status.SUCCEEDED, details.image.reason
    assert details.output == list(range(30))


def test_a_chunk_of_leased_turns_is_its_claims_and_its_outcomes_with_its_end():
    async def story():
        seen = []
        house = watched(seen)
        await finished(house, await house.enter(FAN))
        assert seen == [(10, 0, False), (0, 10, True)]
        assert sorted(urls(house)) == sorted(f"/put/{item}" for item in range(30))

    run(story())


def test_outcomes_go_with_the_claims_of_what_follows_them_in_each_turn():
    async def story():
        seen = []
        house = watched(seen)
        await finished(house, await house.enter(TWICE))
        assert seen == [(10, 0, False), (10, 10, False), (0, 10, True)]

    run(story())


def test_what_has_landed_waits_for_no_turn_that_has_not():
    async def story():
        seen = []
        house = watched(seen)

        async def late(request):
            while len(seen) < 2:  # not before the others are recorded
                await asyncio.sleep(0)
            return HttpAnswer(200, (("content-type", "application/json"),), b"{}")

        house.http.answers["/put/13"] = late
        await finished(house, await house.enter(FAN))
        assert seen == [(10, 0, False), (0, 9, False), (0, 1, True)]

    run(story())


def test_where_the_end_is_refused_the_outcomes_that_came_with_it_are_recorded():
    async def story():
        seen = []

        async def pause(store, write):
            if write.finish is not None and len(seen) == 1:
                now = to_milliseconds(house.clock.now())
                await store.inner.write(hold(write.key, write.epoch, now, 0, None, is_held=True))

        house = watched(seen, before=pause)
        entered = await house.enter(FAN)
        await house.drain(60, sweeps=False, idle_minutes=1)
        key = RecordKey("main", entered.execution, "each/b1")
        image = await house.facts.read(key)
        assert image.status is Status.PAUSED
        assert sum(isinstance(fact, Done) for fact in image.facts.values()) == 10
        now = to_milliseconds(house.clock.now())
        await house.facts.inner.write(hold(key, 0, now, 0, image.facts[HELD], is_held=False))
        await house.queue.send([Send(Chunk("main", entered.execution, 0, "each", 1))])
        await finished(house, entered)
        assert len(house.http.sent) == 30

    run(story())


def test_where_another_worker_ended_a_turn_first_the_chunk_is_judged_again():
    """Its lease has run out, and another worker has made the turn's request again and recorded what came of it."""

    async def story():
        seen = []

        async def be_first(store, write):
            if write.finish is not None and len(seen) == 1:
                image = await store.inner.read(write.key)
                (name, put), *_ = write.puts.items()
                entry = {"v": {"status": 200, "headers": {}, "body": {"theirs": 1}}, "i": {}, "a": []}
                inline = {put.fact.pack: json.dumps({name: entry})}
                theirs = Commit(write.key, 0, write.now, puts={name: put}, inline=inline)
                assert isinstance(image.facts[name], Claimed)
                await store.inner.write(theirs)

        house = watched(seen, before=be_first)
        entered = await house.enter(FAN)
        await finished(house, entered)
        assert len(house.http.sent) == 30
        image = await house.facts.read(RecordKey("main", entered.execution, "each/b1"))
        assert image.status is Status.SUCCEEDED
        assert any("theirs" in text for text in image.inline.values())

    run(story())


class Slow:
    """Takes its time over each write, and notes what was in it."""

    def __init__(self, error=None):
        self.written, self.error, self.freed = [], error, asyncio.Event()

    async def commit_together(self, parts):
        self.written.append([part.finished for part in parts])
        await self.freed.wait()
        if self.error is not None:
            raise self.error
        return Committed()


def test_what_comes_while_a_write_is_in_flight_makes_the_next_one():
    async def story():
        ledger = Slow()
        together = Together(ledger)
        first = [asyncio.create_task(together.commit((n,), {})) for n in "ab"]
        await asyncio.sleep(0.01)
        second = [asyncio.create_task(together.commit((n,), {})) for n in "cde"]
        await asyncio.sleep(0.01)
        ledger.freed.set()
        await asyncio.gather(*first, *second)
        assert ledger.written == [[("a",), ("b",)], [("c",), ("d",), ("e",)]]
        await together.commit(("f",), {})
        assert ledger.written[2:] == [[("f",)]]

    run(story())


@pytest.mark.parametrize("cancelled", ["writer", "other", "both"])
def test_who_is_cancelled_takes_nobody_along(cancelled):
    async def story():
        ledger = Slow()
        together = Together(ledger)
        tasks = [asyncio.create_task(together.commit((n,), {})) for n in "abc"]
        await asyncio.sleep(0.01)
        gone = {"writer": [0], "other": [1], "both": [0, 1]}[cancelled]
        for each in gone:
            tasks[each].cancel()
        await asyncio.sleep(0.01)
        ledger.freed.set()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert [isinstance(each, asyncio.CancelledError) for each in results] == [n in gone for n in range(3)]
        assert results[2] == Committed()
        assert ledger.written[0] == [("a",), ("b",), ("c",)]
        # Whether the first try took place is not known: what is left of it is written again.
        assert ledger.written[1:] == (
            [[n for n in (("b",), ("c",)) if n != ("b",) or 1 not in gone]] if 0 in gone else []
        )
        await together.commit(("d",), {})

    run(story())


def test_a_write_that_fails_fails_for_all_that_were_in_it():
    async def story():
        ledger = Slow(StoreError("the table is away"))
        ledger.freed.set()
        together = Together(ledger)
        results = await asyncio.gather(*(together.commit((n,), {}) for n in "abc"), return_exceptions=True)
        assert [str(each) for each in results] == [str(StoreError("the table is away"))] * 3
        ledger.error = None
        assert await together.commit(("a",), {}) == Committed()

    run(story())
