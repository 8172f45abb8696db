"""Refused writes, replaced values, stores that fail: nothing is lost, repeated or invented."""

import asyncio
import json
from dataclasses import replace

import pytest

from chalicelib.engine.facts import Claimed, Done, How, Retrying, fact_name
from chalicelib.engine.records import Status
from chalicelib.engine.writes import Exactly
from chalicelib.errors import StoreError
from chalicelib.ports import HttpAnswer
from chalicelib.worker.budget import to_milliseconds
from tests.worker.house import House, Watched, run, statuses, urls

BUSY = HttpAnswer(503, (), b"")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_request_is_made_of_what_was_recorded_even_where_another_worker_was_first(method):
    async def story():
        async def other_is_first(store, write):
            """Another worker has recorded its own answer of `read`, in the same millisecond, just before."""
            if store.count == 1:
                done = write.puts["f0"]
                text = '{"f0":{"v":{"status":200,"headers":{},"body":{"n":"theirs"}},"i":{},"a":[]}}'
                (mine,) = {name for name in write.inline if name != write.birth.input_pack}
                theirs = replace(
                    write, puts={"f0": done}, inline={**write.inline, mine: text}, finish=None, ending=None
                )
                await store.inner.write(theirs)

        house = House(facts=Watched(other_is_first))
        house.http.answers["/read"] = {"n": "ours"}
        entered = await house.enter(f"""
flow: f
steps:
  read: {{uses: http.request, with: {{url: "https://api.example/read"}}}}
  send: {{uses: http.request, with: {{method: {method}, url: "https://api.example/send", json: {{n: "${{ steps.read.body.n }}"}}}}}}
output: "${{ steps.read.body.n }}"
""")
        assert entered.image.status is Status.SUCCEEDED
        assert entered.output == "theirs"
        assert [json.loads(each.body) for each in house.http.sent if each.method == method] == [{"n": "theirs"}]

    run(story())


def test_a_read_that_came_back_with_a_replaced_value_in_its_question_is_asked_again():
    async def story():
        asked = asyncio.Event()

        async def other_is_first(store, write):
            """Another worker recorded its own answer of `a` just before, and ours of `b` has come back meanwhile."""
            if store.count == 1:
                text = '{"f0":{"v":{"status":200,"headers":{},"body":{"n":"theirs"}},"i":{},"a":[]}}'
                (mine,) = {name for name in write.inline if name != write.birth.input_pack}
                theirs = replace(write, puts={"f0": write.puts["f0"]}, inline={**write.inline, mine: text})
                await store.inner.write(theirs)
                asked.set()
                for _ in range(20):
                    await asyncio.sleep(0)

        house = House(facts=Watched(other_is_first))

        async def echo(request):
            await asked.wait()
            return {"n": request.url.rpartition("=")[2]}

        async def after_b_left(request):
            while not any("/b?" in each.url for each in house.http.sent):
                await asyncio.sleep(0)
            return {}

        house.http.answers |= {"/a": {"n": "ours"}, "/b": echo, "/z": after_b_left}
        entered = await house.enter("""
flow: f
steps:
  a: {uses: http.request, with: {url: "https://api.example/a"}}
  b: {uses: http.request, with: {url: "https://api.example/b", query: {n: "${ steps.a.body.n }"}}}
  z: {uses: http.request, with: {url: "https://api.example/z"}}
  post: {uses: http.request, after: z, with: {method: POST, url: "https://api.example/post"}}
output: {a: "${ steps.a.body.n }", b: "${ steps.b.body.n }"}
""")
        assert entered.image.status is Status.SUCCEEDED
        assert entered.output == {"a": "theirs", "b": "theirs"}

    run(story())


def test_more_facts_than_one_write_takes_are_cut_into_several():
    async def story():
        house = House()
        reads = "\n".join(f"  s{n}: {{uses: set, with: {{v: {n}}}}}" for n in range(130))
        posts = "\n".join(
            f'  p{n}: {{uses: http.request, with: {{method: POST, url: "https://api.example/p{n}"}}}}'
            for n in range(130)
        )
        entered = await house.enter(f"flow: wide\nsteps:\n{reads}\n{posts}\n")
        assert entered.image.status is Status.SUCCEEDED
        assert sorted(urls(house)) == sorted(f"/p{n}" for n in range(130))

    run(story())


def test_a_store_that_fails_for_a_moment_loses_no_outcome_of_a_request_in_the_air():
    async def story():
        landed = asyncio.Event()

        async def fails_while_charging(store, write):
            if store.count == 2:
                landed.set()
                raise StoreError("throttled")

        house = House(facts=Watched(fails_while_charging))

        async def slow(request):
            await landed.wait()
            return {"id": 1}

        house.http.answers["/charge"] = slow
        entered = await house.enter("""
flow: f
steps:
  charge: {uses: http.request, effect: at_most_once, with: {method: POST, url: "https://api.example/charge"}}
  look: {uses: http.request, with: {url: "https://api.example/look"}}
  put: {uses: http.request, after: look, with: {method: PUT, url: "https://api.example/put"}}
""")
        assert entered.image.status is Status.RUNNING
        assert isinstance(entered.image.facts["f0"], Done), "recorded with a last try"
        await house.drain()
        details = await house.details(entered.execution)
        assert set(statuses(details).values()) == {"succeeded"}
        assert urls(house).count("/charge") == 1

    run(story())


def test_a_claim_that_came_with_the_news_of_a_failure_is_let_go_at_once():
    async def story():
        async def failure_elsewhere(store, write):
            """While `post` is being claimed, another worker records a failure that nobody handles."""
            if any(isinstance(put.fact, Claimed) for put in write.puts.values()) and not store.is_told:
                store.is_told = True
                boom = Done(How.FAILED, "error", 1, write.now)
                put = next(iter(write.puts.values()))
                await store.inner.write(
                    replace(write, birth=None, puts={"f1": replace(put, fact=boom)}, inline={}, packs={})
                )

        store = Watched(failure_elsewhere)
        store.is_told = False
        house = House(facts=store)
        entered = await house.enter("""
flow: f
steps:
  start: {uses: http.request, with: {method: PUT, url: "https://api.example/start"}}
  boom: {uses: http.request, run: apart, with: {url: "https://api.example/boom"}}
  post: {uses: http.request, after: start, with: {method: POST, url: "https://api.example/post"}}
""")
        assert entered.image.status is Status.FAILED, "not after a lease that nobody uses has run out"
        assert urls(house) == ["/start"]
        assert isinstance(entered.image.facts["f2"], Retrying)
        assert statuses(await house.details(entered.execution))["post"] == "not_run"

    run(story())


def test_a_lost_lease_that_another_has_taken_drops_the_outcome_and_what_followed_from_it():
    async def story():
        house = House()

        async def loses_it(request):
            """So slow that the lease runs out, and another worker claims the step."""
            (key,) = house.facts._images
            image = house.facts._images[key]
            until = to_milliseconds(house.clock.now()) + 3_600_000
            other = {**image.facts, "f0": Claimed("another", until, 2, 0)}
            house.facts._images[key] = replace(image, facts=other)
            return {"n": 1}

        house.http.answers["/a"] = loses_it
        entered = await house.enter("""
flow: f
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: set, with: {n: "${ steps.a.body.n }"}}
  c: {uses: http.request, with: {method: PUT, url: "https://api.example/c", json: {n: "${ steps.b.n }"}}}
""")
        assert entered.image.status is Status.RUNNING
        assert set(entered.image.facts) == {"f0"}, "a stale token never commits, nor what was computed from its value"
        assert urls(house) == ["/a"]

    run(story())


def test_guards_of_failures_and_retries_name_the_attempt_on_record():
    async def story():
        seen = []

        async def look(store, write):
            seen.extend((type(put.fact), put.guard) for put in write.puts.values())

        house = House(facts=Watched(look))
        house.http.answers["/a"] = [HttpAnswer(429, (("retry-after", "60"),), b""), BUSY]
        await house.enter(
            'flow: f\nsteps:\n  a: {uses: http.request, retry: {attempts: 2}, with: {url: "https://api.example/a"}}\n'
        )
        await house.drain()
        (retrying, _), (done, guard) = seen
        assert (retrying, done) == (Retrying, Done)
        assert isinstance(guard, Exactly)
        assert isinstance(guard.fact, Retrying)
        assert fact_name(0) == "f0"

    run(story())
