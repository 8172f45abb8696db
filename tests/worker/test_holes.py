"""What went wrong once, or nearly: each test is a way to lose, repeat or invent something."""

import asyncio
import json

import pytest

from chalicelib.adapters.memory.facts import MemoryFacts
from chalicelib.engine.facts import Claimed, Done, How, Retrying, fact_name
from chalicelib.engine.messages import Go, Resume, Start
from chalicelib.engine.records import Birth, RecordKey, Status
from chalicelib.engine.writes import Exactly
from chalicelib.errors import ConflictError, ExecutionEndedError, NotFoundError, StoreError, WorkerMishapError
from chalicelib.ports import HttpAnswer, Received
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import Acknowledge, GiveBack, deliver
from chalicelib.worker.listener import work_off
from chalicelib.worker.tools import Settings
from tests.worker.house import House, run

BUSY, GONE = HttpAnswer(503, (), b""), HttpAnswer(404, (), b"")


def budget_of(house, seconds=840):
    return Budget(to_milliseconds(house.clock.now()) + seconds * 1000)


def statuses(details):
    return {step.id: step.status for step in details.steps}


def urls(house):
    return [each.url.removeprefix("https://api.example") for each in house.http.sent]


class Watched:
    """A store where a test can step in before a write."""

    def __init__(self, before):
        self.inner, self.before, self.count = MemoryFacts(), before, 0

    async def write(self, write):
        self.count += 1
        await self.before(self, write)
        return await self.inner.write(write)

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_request_is_made_of_what_was_recorded_even_where_another_worker_was_first(method):
    async def story():
        async def other_is_first(store, write):
            """Another worker has recorded its own answer of `read`, in the same millisecond, just before."""
            if store.count == 1:
                done = write.puts["f0"]
                text = '{"f0":{"v":{"status":200,"headers":{},"body":{"n":"theirs"}},"i":{},"a":[]}}'
                (mine,) = {name for name in write.inline if name != write.birth.input_pack}
                from dataclasses import replace

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


def test_a_mishap_in_one_turn_lets_the_requests_of_the_others_land():
    async def story():
        class Evaluator:
            def __init__(self, inner):
                self.inner, self.fails = inner, True

            async def evaluate(self, expressions, scope, moment):
                if self.fails and scope.get("item") == 2:
                    self.fails = False
                    raise WorkerMishapError("the evaluator was killed")
                return await self.inner.evaluate(expressions, scope, moment)

        from dataclasses import replace

        house = House()
        house.tools = replace(house.tools, evaluator=Evaluator(house.tools.evaluator))
        house.door._tools = house.tools
        entered = await house.enter("""
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 3}
    steps:
      post: {uses: http.request, effect: at_most_once, with: {method: POST, url: "https://api.example/n/${ item }"}}
    output: "${ steps.post.body.path }"
output: "${ steps.each.results }"
""")
        assert entered.image.status is Status.RUNNING
        await house.drain()
        assert (await house.details(entered.execution)).output == ["/n/1", "/n/2", "/n/3"]
        assert sorted(urls(house)) == ["/n/1", "/n/2", "/n/3"]

    run(story())


def test_on_failure_steps_are_tried_again_and_may_loop():
    async def story():
        house = House()
        house.http.answers["/tell"] = [BUSY, {"ok": True}]
        entered = await house.enter("""
flow: f
steps:
  boom: {uses: fail, with: {message: no, code: broken}}
on_failure:
  tell: {uses: http.request, retry: {attempts: 2, first: 1s}, with: {method: POST, url: "https://api.example/tell"}}
  each:
    uses: foreach
    after: tell
    with: {over: [1, 2]}
    steps:
      warn: {uses: http.request, with: {method: POST, url: "https://api.example/warn/${ item }", json: {why: "${ failure.code }"}}}
""")
        assert entered.image.status is Status.FAILED
        details = await house.details(entered.execution)
        assert statuses(details) == {"boom": "failed", "tell": "succeeded", "each": "succeeded"}
        assert sorted(urls(house)) == ["/tell", "/tell", "/warn/1", "/warn/2"]

    run(story())


def test_a_cancel_between_two_steps_of_a_turn_ends_it_at_once_and_keeps_what_was_sent():
    async def story():
        house = House()
        gate = asyncio.Event()

        async def cancel_now(request):
            key = next(key for key in house.facts._images if key.is_head)
            await house.door.cancel("main", key.execution, "enough")
            gate.set()
            return {"id": 1}

        async def slow(request):
            await gate.wait()
            return {"id": 2}

        house.http.answers |= {"/a/1": cancel_now, "/a/2": slow}
        entered = await house.enter("""
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 2}
    steps:
      a: {uses: http.request, with: {method: POST, url: "https://api.example/a/${ item }"}}
      b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b/${ item }"}}
""")
        assert entered.image.status is Status.CANCELLED
        assert sorted(urls(house)) == ["/a/1", "/a/2"]
        loop = await house.facts.read(RecordKey("main", entered.execution, "each"))
        assert {name: type(fact) for name, fact in loop.facts.items()} == {"f1_0": Done, "f1_1": Done}

    run(story())


def test_what_a_failure_elsewhere_stops_is_also_the_loop_of_another_invocation():
    async def story():
        house = House()
        gate = asyncio.Event()

        async def slow(request):
            await gate.wait()
            return {"id": 1}

        house.http.answers["/n/1"] = slow
        house.http.answers["/boom"] = GONE
        text = """
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 1}
    steps:
      post: {uses: http.request, with: {method: POST, url: "https://api.example/n/${ item }"}}
    output: "${ item }"
  boom: {uses: http.request, run: apart, with: {url: "https://api.example/boom"}}
"""
        task = asyncio.ensure_future(house.enter(text))
        while "/n/1" not in urls(house):
            await asyncio.sleep(0)
        (key,) = {key for key in house.facts._images if key.is_head}
        verdict = await deliver(house.tools, Go("main", key.execution, 0, ("boom",)), budget_of(house))
        assert isinstance(verdict, GiveBack), "somebody still holds a turn: the end waits for it"
        assert (await house.image(key.execution)).status is Status.ENDING
        gate.set()
        entered = await task
        await house.drain()
        assert (await house.image(entered.execution)).status is Status.FAILED
        assert [url for url in urls(house) if url.startswith("/n")] == ["/n/1"], "no claim succeeds after the failure"

    run(story())


def test_a_wait_in_a_turn_that_does_not_fit_goes_on_in_another_invocation():
    async def story():
        house = House()
        entered = await house.enter("""
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2], concurrency: 1}
    steps:
      post: {uses: http.request, with: {method: POST, url: "https://api.example/n/${ item }"}}
      nap: {uses: wait, after: post, with: {for: 10m}}
    output: "${ item }"
output: "${ steps.each.results }"
""")
        assert entered.image.status is Status.RUNNING
        before = house.clock.now()
        await house.drain()
        assert (await house.details(entered.execution)).output == [1, 2]
        assert (house.clock.now() - before).total_seconds() >= 1200
        assert urls(house) == ["/n/1", "/n/2"]

    run(story())


def test_a_retry_in_a_turn_that_does_not_fit_is_recorded_and_goes_on_later():
    async def story():
        house = House(settings=Settings(invocation_seconds=60))
        house.http.answers["/n/1"] = [HttpAnswer(429, (("retry-after", "300"),), b""), {"ok": 1}]
        entered = await house.enter("""
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1, 2]}
    steps:
      post: {uses: http.request, retry: {attempts: 2}, with: {method: POST, url: "https://api.example/n/${ item }"}}
    output: "${ steps.post.status }"
output: "${ steps.each.results }"
""")
        assert entered.image.status is Status.RUNNING
        await house.drain()
        assert (await house.details(entered.execution)).output == [200, 200]
        assert sorted(urls(house)) == ["/n/1", "/n/1", "/n/2"]

    run(story())


def test_a_loop_of_reads_that_never_fits_fails_instead_of_beginning_anew_for_ever():
    async def story():
        house = House()
        house.http.answers["/n/1"] = HttpAnswer(429, (("retry-after", "600"),), b"")
        entered = await house.enter(
            """
flow: f
steps:
  each:
    uses: foreach
    with: {over: [1]}
    steps:
      get: {uses: http.request, retry: {attempts: 9}, with: {url: "https://api.example/n/${ item }"}}
    output: 1
""",
            wait_seconds=840.0,
        )
        await house.drain()
        image = await house.image(entered.execution)
        assert (image.status, image.reason.code) == (Status.FAILED, "too_long")

    run(story())


def test_a_time_out_longer_than_an_invocation_is_cut_to_what_one_can_hold():
    async def story():
        house = House()
        entered = await house.enter(
            'flow: f\nsteps:\n  a: {uses: http.request, timeout: 15m, with: {method: POST, url: "https://api.example/a"}}\n'
        )
        await house.drain(most=5)
        assert (await house.image(entered.execution)).status is Status.SUCCEEDED
        assert house.http.sent[0].timeout_seconds == 820

    run(story())


def test_a_deadline_ends_what_waits_and_what_is_asked_and_runs_on_failure():
    async def story():
        house = House()
        never = asyncio.Event()

        async def hangs(request):
            await never.wait()

        house.http.answers["/hangs"] = hangs
        for step in (
            "{uses: wait, with: {for: 15m}}",
            '{uses: http.request, timeout: 10m, with: {url: "https://api.example/hangs"}}',
        ):
            began = house.clock.now()
            entered = await house.enter(
                f"""
flow: f
deadline: 2m
steps:
  long: {step}
  never: {{uses: set, after: long, with: {{v: 1}}}}
on_failure:
  tell: {{uses: http.request, with: {{method: POST, url: "https://api.example/tell", json: {{why: "${{ failure.code }}"}}}}}}
""",
                wait_seconds=840.0,
            )
            await house.drain()
            image = await house.image(entered.execution)
            assert (image.status, image.reason.code) == (Status.TIMED_OUT, "deadline")
            assert 120_000 <= image.ended - to_milliseconds(began) < 300_000
            assert json.loads(house.http.sent[-1].body) == {"why": "deadline"}

    run(story())


def test_a_start_that_comes_twice_is_given_back_while_the_first_is_at_it():
    async def story():
        house = House()
        plan = await house.publish(
            'flow: f\nsteps:\n  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}\n'
        )
        now = to_milliseconds(house.clock.now())
        birth = Birth(plan.flow, plan.version, "", now, "", "hash", keyed=True)
        start = Start("main", "0" * 26, birth, now, '{"trigger": null, "inputs": {}}')
        again = Start(
            "main", "0" * 26, Birth(plan.flow, plan.version, "", now + 1, "", "hash", keyed=True), now + 1, start.input
        )
        verdicts = []

        async def meanwhile(request):
            verdicts.append(await deliver(house.tools, again, budget_of(house)))
            return {}

        house.http.answers["/a"] = meanwhile
        assert isinstance(await deliver(house.tools, start, budget_of(house)), Acknowledge)
        (verdict,) = verdicts
        assert isinstance(verdict, GiveBack), "should the first one die, nobody else would know"
        assert isinstance(await deliver(house.tools, again, budget_of(house)), Acknowledge)
        assert urls(house) == ["/a"]

    run(story())


def test_only_another_body_is_a_conflict_that_needs_no_second_look():
    async def story():
        async def conflict(store, write):
            raise ConflictError("somebody moved first")

        house = House(facts=Watched(conflict))
        plan = await house.publish("flow: f\nsteps:\n  a: {uses: set, with: {v: 1}}\n")
        birth = Birth(plan.flow, plan.version, "", 0, "", "hash")
        now = to_milliseconds(house.clock.now())
        start = Start("main", "0" * 26, birth, now, '{"trigger": null, "inputs": {}}')
        assert await work_off(house.tools, Received("h", 1, start, ""), budget_of(house)) is not None

    run(story())


def test_a_version_that_is_gone_is_a_visible_failure_and_whoever_waits_is_told():
    async def story():
        house = House()
        now = to_milliseconds(house.clock.now())
        ended = house.ends.of("0" * 26)
        start = Start("main", "0" * 26, Birth("f", "v" * 64, "", now, "", "hash"), now, "{}")
        assert isinstance(await deliver(house.tools, start, budget_of(house)), Acknowledge)
        assert ended.result().reason.code == "version_missing"
        with pytest.raises(NotFoundError, match="never stored"):
            await house.door.retry("main", "0" * 26, now)
        late = Start("main", "1" * 26, start.birth, now - 15 * 86_400_000, "{}")
        await deliver(house.tools, late, budget_of(house))
        assert (await house.image("1" * 26)).reason.code == "expired"

    run(story())


def test_cancelling_again_sends_again_what_a_dead_process_may_not_have_sent():
    async def story():
        house = House()
        entered = await house.enter("flow: f\nsteps:\n  nap: {uses: wait, with: {for: 10m}}\n")
        await house.queue.acknowledge(await house.queue.receive(10, 0))
        await house.door.cancel("main", entered.execution, "enough")
        await house.queue.acknowledge(await house.queue.receive(10, 0))  # as if it had never been sent
        await house.door.cancel("main", entered.execution, "enough")
        (received,) = await house.queue.receive(10, 0)
        assert received.message == Resume("main", entered.execution, 0)
        await deliver(house.tools, received.message, budget_of(house))
        assert (await house.image(entered.execution)).status is Status.CANCELLED
        with pytest.raises(ExecutionEndedError):
            await house.door.cancel("main", entered.execution, "enough")

    run(story())


def test_a_go_for_a_step_that_is_done_starts_what_follows_and_one_that_is_held_is_given_back():
    async def story():
        house = House()
        entered = await house.enter("""
flow: f
steps:
  b: {uses: http.request, run: apart, with: {method: POST, url: "https://api.example/b"}}
  c: {uses: http.request, after: b, with: {method: POST, url: "https://api.example/c"}}
""")
        key = RecordKey("main", entered.execution)
        go = Go("main", entered.execution, 0, ("b",))
        held = []

        async def meanwhile(request):
            held.append(await deliver(house.tools, go, budget_of(house)))
            return {}

        house.http.answers["/b"] = meanwhile
        house.http.answers["/c"] = meanwhile
        assert isinstance(await deliver(house.tools, go, budget_of(house)), Acknowledge)
        assert [type(each) for each in held] == [GiveBack, GiveBack]
        assert urls(house) == ["/b", "/c"]
        assert (await house.facts.read(key)).status is Status.SUCCEEDED

    run(story())


def test_a_claim_that_came_with_the_news_of_a_failure_is_let_go_at_once():
    async def story():
        async def failure_elsewhere(store, write):
            """While `post` is being claimed, another worker records a failure that nobody handles."""
            if any(isinstance(put.fact, Claimed) for put in write.puts.values()) and not store.is_told:
                store.is_told = True
                from dataclasses import replace

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
            from dataclasses import replace

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


def test_an_expired_lease_of_an_at_most_once_step_is_unknown_and_its_error_port_is_taken():
    async def story():
        house = House()
        entered = await house.enter("""
flow: f
steps:
  nap: {uses: wait, with: {for: 10m}}
  charge: {uses: http.request, effect: at_most_once, after: nap, with: {method: POST, url: "https://api.example/charge"}}
  look: {uses: set, after: charge.error, with: {code: "${ errors.charge.code }"}}
output: "${ steps.look.code ?? 'none' }"
""")
        (key,) = house.facts._images
        from dataclasses import replace

        image = house.facts._images[key]
        nap = image.facts["f0"]
        done = Done(How.SUCCEEDED, "done", 1, nap.due)
        house.facts._images[key] = replace(image, facts={"f0": done, "f1": Claimed("dead", nap.due, 1, 0)})
        await house.drain()
        details = await house.details(entered.execution)
        assert statuses(details) == {"nap": "succeeded", "charge": "unknown", "look": "succeeded"}
        assert details.output == "lease_lost"
        assert house.http.sent == []

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
