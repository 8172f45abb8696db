import asyncio
import json

import pytest

from chalicelib.engine.facts import Claimed, Done, How, fact_name
from chalicelib.engine.messages import Go, Resume, Start
from chalicelib.engine.records import RecordKey, Status
from chalicelib.errors import CutOffError, DeliveryConflictError, NotSentError, ServiceError, TimedOutError
from chalicelib.ports import HttpAnswer
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.deliver import deliver
from tests.worker.house import House, run

URL = "https://api.example"


class DiedError(BaseException):
    """The process is gone: nothing catches it."""


def statuses(details):
    return {step.id: step.status for step in details.steps}


def test_a_linear_flow_of_reads_and_pure_steps_is_one_write():
    async def story():
        house = House()
        entered = await house.enter("""
flow: five
steps:
  a: {uses: set, with: {n: 1}}
  b: {uses: http.request, with: {url: "https://api.example/b", query: {n: "${ steps.a.n }"}}}
  c: {uses: set, with: {path: "${ steps.b.body.path }"}}
  d: {uses: http.request, with: {url: "https://api.example${ steps.c.path }"}}
  e: {uses: set, with: {path: "${ steps.d.body.path }"}}
output: "${ steps.e.path }"
""")
        assert entered.output == "/b"
        assert entered.image.rev == 1
        assert entered.image.status is Status.SUCCEEDED
        assert entered.image.next_check is None
        assert entered.image.output_pack.startswith("i")

    run(story())


def test_leased_steps_in_a_row_cost_one_write_more_than_there_are():
    async def story():
        house = House()
        entered = await house.enter("""
flow: posts
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b"}}
  c: {uses: http.request, after: b, with: {method: POST, url: "https://api.example/c"}}
""")
        assert entered.image.status is Status.SUCCEEDED
        assert entered.image.rev == 4
        assert [each.url for each in house.http.sent] == [f"{URL}/a", f"{URL}/b", f"{URL}/c"]

    run(story())


def test_a_claim_is_durable_before_its_request_leaves():
    async def story():
        house = House()
        seen = []

        async def look(request):
            (key,) = house.facts._images
            seen.append(dict(house.facts._images[key].facts))
            return {"ok": True}

        house.http.answers["/pay"] = look
        await house.enter("""
flow: pay
steps:
  total: {uses: set, with: {amount: 5}}
  pay: {uses: http.request, with: {method: POST, url: "https://api.example/pay", json: {amount: "${ steps.total.amount }"}}}
""")
        (facts,) = seen
        assert isinstance(facts["f1"], Claimed)
        assert isinstance(facts["f0"], Done), "what the request is computed from is durable before it leaves"

    run(story())


def test_a_failure_nobody_handles_ends_the_execution_and_runs_on_failure():
    async def story():
        house = House()
        house.http.answers["/boom"] = HttpAnswer(404, (("content-type", "application/json"),), b'{"message": "gone"}')
        entered = await house.enter("""
flow: failing
steps:
  boom: {uses: http.request, with: {url: "https://api.example/boom"}}
  after_it: {uses: set, after: boom, with: {v: 1}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell", json: {step: "${ failure.step }", code: "${ failure.code }"}}}
output: "${ steps.after_it.v }"
""")
        assert entered.image.status is Status.FAILED
        assert entered.image.reason.step == "boom"
        assert entered.image.reason.code == "http_404"
        assert "gone" in entered.image.reason.message
        details = await house.details(entered.execution)
        assert statuses(details) == {"boom": "failed", "after_it": "not_run", "tell": "succeeded"}
        assert json.loads(house.http.sent[-1].body) == {"step": "boom", "code": "http_404"}

    run(story())


def test_a_handled_failure_goes_on_by_the_error_port():
    async def story():
        house = House()
        house.http.answers["/boom"] = HttpAnswer(500, (), b"")
        entered = await house.enter("""
flow: handled
steps:
  boom: {uses: http.request, with: {url: "https://api.example/boom"}}
  good: {uses: set, after: boom, with: {v: 1}}
  bad: {uses: set, after: boom.error, with: {v: "${ errors.boom.code }"}}
output: "${ steps.bad.v ?? 'none' }"
""")
        assert entered.image.status is Status.SUCCEEDED
        assert entered.output == "http_500"
        details = await house.details(entered.execution)
        assert statuses(details) == {"boom": "failed", "good": "skipped", "bad": "succeeded"}

    run(story())


def test_on_error_uses_its_value():
    async def story():
        house = House()
        house.http.answers["/boom"] = HttpAnswer(500, (), b"")
        entered = await house.enter("""
flow: forgiving
steps:
  boom: {uses: http.request, on_error: {use: {body: {rate: 1}}}, with: {url: "https://api.example/boom"}}
  go: {uses: set, with: {v: "${ steps.boom.body.rate }"}}
output: "${ steps.go.v }"
""")
        assert entered.output == 1

    run(story())


def test_a_short_retry_stays_in_the_invocation_and_keeps_every_attempt():
    async def story():
        house = House()
        busy = HttpAnswer(503, (), b"")
        house.http.answers["/flaky"] = [busy, busy, {"ok": True}]
        entered = await house.enter("""
flow: flaky
steps:
  call: {uses: http.request, retry: {attempts: 3, first: 1s, cap: 1s}, with: {url: "https://api.example/flaky"}}
output: "${ steps.call.body.ok }"
""")
        assert entered.output is True
        details = await house.details(entered.execution)
        (call,) = details.steps
        assert [(each.number, each.code) for each in call.attempts] == [(1, "http_503"), (2, "http_503"), (3, "")]

    run(story())


def test_a_long_retry_goes_through_the_queue_and_keeps_the_earlier_attempts():
    async def story():
        house = House()
        slow = HttpAnswer(429, (("retry-after", "120"),), b"")
        house.http.answers["/slow"] = [slow, {"ok": True}]
        entered = await house.enter("""
flow: slow
steps:
  call: {uses: http.request, retry: {attempts: 3}, with: {method: POST, url: "https://api.example/slow"}}
output: "${ steps.call.body.ok }"
""")
        assert entered.image.status is Status.RUNNING
        assert (await house.details(entered.execution)).steps[0].status == "retrying"
        before = house.clock.now()
        await house.drain()
        assert (house.clock.now() - before).total_seconds() >= 120
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        assert [(each.number, each.code) for each in details.steps[0].attempts] == [(1, "http_429"), (2, "")]
        assert details.output is True

    run(story())


def test_a_pause_beyond_what_the_queue_holds_back_is_kept_whole():
    async def story():
        house = House()
        house.http.answers["/down"] = [HttpAnswer(503, (), b""), {"ok": True}]
        entered = await house.enter("""
flow: patient
steps:
  call: {uses: http.request, retry: {attempts: 2, first: 1h, cap: 1h}, with: {url: "https://api.example/down"}}
""")
        await house.drain()
        details = await house.details(entered.execution)
        assert details.image.status is Status.SUCCEEDED
        first, second = details.steps[0].attempts
        pause = (second.start - first.end) / 1000
        assert 900 < pause <= 3600, "the chance of full jitter is drawn from the execution's id, which is counted here"
        assert len(house.http.sent) == 2

    run(story())


def test_an_at_most_once_step_that_may_have_happened_is_unknown_and_takes_the_error_port():
    async def story():
        house = House()
        house.http.answers["/charge"] = TimedOutError("no answer")
        entered = await house.enter("""
flow: charge-once
steps:
  charge: {uses: http.request, effect: at_most_once, retry: {attempts: 5}, with: {method: POST, url: "https://api.example/charge"}}
  look: {uses: set, after: charge.error, with: {code: "${ errors.charge.code }"}}
output: "${ steps.look.code ?? 'none' }"
""")
        assert entered.output == "timeout"
        assert len(house.http.sent) == 1
        assert statuses(await house.details(entered.execution))["charge"] == "unknown"

    run(story())


def test_an_at_most_once_step_that_certainly_did_not_leave_is_tried_again():
    async def story():
        house = House()
        house.http.answers["/charge"] = [NotSentError("no connection"), {"id": 7}]
        entered = await house.enter("""
flow: charge-once
steps:
  charge: {uses: http.request, effect: at_most_once, retry: {attempts: 2, first: 1s, cap: 1s}, with: {method: POST, url: "https://api.example/charge"}}
output: "${ steps.charge.body.id }"
""")
        assert entered.output == 7

    run(story())


def test_a_wait_is_recorded_and_goes_on_through_the_queue():
    async def story():
        house = House()
        entered = await house.enter("""
flow: waiting
steps:
  nap: {uses: wait, with: {for: 10m}}
  done: {uses: set, after: nap, with: {v: 1}}
output: "${ steps.done.v }"
""")
        assert entered.image.status is Status.RUNNING
        assert statuses(await house.details(entered.execution)) == {"nap": "waiting", "done": "pending"}
        before = house.clock.now()
        await house.drain()
        assert (house.clock.now() - before).total_seconds() >= 600
        assert (await house.details(entered.execution)).output == 1

    run(story())


DIAMOND = """
flow: diamond
steps:
  a: {uses: set, with: {v: 1}}
  b: {uses: http.request, run: apart, after: a, with: {method: POST, url: "https://api.example/b"}}
  c: {uses: http.request, run: apart, after: a, with: {method: POST, url: "https://api.example/c"}}
  d: {uses: http.request, after: [b, c], with: {method: POST, url: "https://api.example/d"}}
output: "${ steps.d.body.path }"
"""


def test_a_diamond_run_apart_hops_through_the_queue_and_joins_exactly_once():
    async def story():
        house = House()
        entered = await house.enter(DIAMOND)
        assert entered.image.status is Status.RUNNING
        waiting = [each.message for each in await house.queue.receive(10, 0)]
        assert sorted(message.steps for message in waiting) == [("b",), ("c",)]
        for message in waiting:
            await deliver(house.tools, message, Budget(to_milliseconds(house.clock.now()) + 60_000))
        image = await house.image(entered.execution)
        assert image.status is Status.SUCCEEDED
        assert sorted(each.url for each in house.http.sent) == [f"{URL}/b", f"{URL}/c", f"{URL}/d"]

    run(story())


def test_a_diamond_run_apart_at_the_same_time_joins_exactly_once():
    async def story():
        house = House()
        entered = await house.enter(DIAMOND)
        waiting = [each.message for each in await house.queue.receive(10, 0)]
        budget = Budget(to_milliseconds(house.clock.now()) + 60_000)
        await asyncio.gather(*(deliver(house.tools, message, budget) for message in waiting + waiting))
        await house.drain()
        image = await house.image(entered.execution)
        assert image.status is Status.SUCCEEDED
        urls = sorted(each.url for each in house.http.sent)
        assert urls == [f"{URL}/b", f"{URL}/c", f"{URL}/d"], "duplicates of a message repeat no leased step"

    run(story())


def test_replaying_every_message_after_the_end_changes_nothing():
    async def story():
        house = House()
        entered = await house.enter(DIAMOND)
        await house.drain()
        image = await house.image(entered.execution)
        sent = len(house.http.sent)
        key = entered.execution
        start = Start("main", key, image.birth, image.birth.started, '{"trigger": null, "inputs": {}}')
        budget = Budget(to_milliseconds(house.clock.now()) + 60_000)
        for message in (start, Go("main", key, 0, ("b",)), Go("main", key, 0, ("d",)), Resume("main", key, 0)):
            await deliver(house.tools, message, budget, is_first=False)
            await deliver(house.tools, message, budget, is_first=True)
        assert await house.image(key) == image
        assert len(house.http.sent) == sent

    run(story())


def test_a_loop_with_effects_keeps_its_facts_in_a_record_of_its_own():
    async def story():
        house = House()
        entered = await house.enter("""
flow: loop
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], concurrency: 2}
    steps:
      send: {uses: http.request, with: {method: POST, url: "https://api.example/n/${ item }", json: {n: "${ item }"}}}
    output: "${ steps.send.body.path }"
  count: {uses: set, with: {n: "${ steps.each.count }"}}
output: {n: "${ steps.count.n }", results: "${ steps.each.results }"}
""")
        assert entered.output == {"n": 3, "results": ["/n/1", "/n/2", "/n/3"]}
        loop = await house.facts.read(RecordKey("main", entered.execution, "each"))
        assert sorted(loop.facts) == ["f1_0", "f1_1", "f1_2"]

    run(story())


def test_a_loop_goes_on_where_a_dead_worker_left_it():
    async def story():
        house = House()
        calls = []

        async def count(request):
            calls.append(request.url)
            if len(calls) == 3:
                raise DiedError
            return {"ok": len(calls)}

        for n in (1, 2, 3, 4):
            house.http.answers[f"/n/{n}"] = count
        text = """
flow: loop
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3, 4], concurrency: 1}
    steps:
      send: {uses: http.request, with: {method: PUT, url: "https://api.example/n/${ item }"}}
    output: "${ steps.send.body.ok }"
output: "${ steps.each.results }"
"""
        with pytest.raises(DiedError):
            await house.enter(text)
        (key,) = {key for key in house.facts._images if key.is_head}
        budget = Budget(to_milliseconds(house.clock.now()) + 60_000)
        await deliver(house.tools, Resume("main", key.execution, 0), budget)
        image = await house.image(key.execution)
        assert image.status is Status.SUCCEEDED
        assert [url[-1] for url in calls] == ["1", "2", "3", "3", "4"], "what was recorded is not repeated"

    run(story())


def test_turns_may_fail_as_far_as_the_loop_tolerates():
    async def story():
        house = House()
        house.http.answers["/n/2"] = HttpAnswer(500, (), b"")
        text = """
flow: loop
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3], tolerate: TOLERATED}
    steps:
      send: {uses: http.request, with: {method: GET, url: "https://api.example/n/${ item }"}}
    output: "${ item }"
output: {r: "${ steps.each.results }", f: "${ [steps.each.failed.index] }"}
"""
        entered = await house.enter(text.replace("TOLERATED", "1"))
        assert entered.output == {"r": [1, None, 3], "f": [1]}
        entered = await house.enter(text.replace("TOLERATED", "0"))
        assert entered.image.status is Status.FAILED
        assert "1 of 3 turns failed" in entered.image.reason.message

    run(story())


def test_cancel_stops_new_steps_and_keeps_the_outcome_of_a_running_one():
    async def story():
        house = House()
        holder = {}

        async def cancel_now(request):
            (key,) = house.facts._images
            holder["execution"] = key.execution
            await house.door.cancel("main", key.execution, "enough")
            return {"id": 1}

        house.http.answers["/a"] = cancel_now
        entered = await house.enter("""
flow: cancelled
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b"}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://api.example/tell"}}
""")
        await house.drain()
        image = await house.image(entered.execution)
        assert image.status is Status.CANCELLED
        assert image.reason.message == "enough"
        details = await house.details(entered.execution)
        assert statuses(details) == {"a": "succeeded", "b": "not_run"}
        assert [each.url for each in house.http.sent] == [f"{URL}/a"]

    run(story())


def test_cancel_reaches_a_loop_under_way():
    async def story():
        house = House()

        async def cancel_now(request):
            key = next(key for key in house.facts._images if key.is_head)
            await house.door.cancel("main", key.execution, "enough")
            return {"id": 1}

        house.http.answers["/n/2"] = cancel_now
        entered = await house.enter("""
flow: loop
steps:
  each:
    uses: foreach
    with: {over: [1, 2, 3, 4], concurrency: 1}
    steps:
      send: {uses: http.request, with: {method: POST, url: "https://api.example/n/${ item }"}}
    output: "${ steps.send.body }"
""")
        await house.drain()
        assert (await house.image(entered.execution)).status is Status.CANCELLED
        assert [each.url[-1] for each in house.http.sent] == ["1", "2"]

    run(story())


def test_a_delivery_key_is_one_execution_and_another_body_is_a_conflict():
    async def story():
        house = House()
        text = "flow: keyed\ninputs: {n: {type: number}}\nsteps:\n  a: {uses: set, with: {n: '${ inputs.n }'}}\noutput: '${ steps.a.n }'\n"
        first = await house.enter(text, {"n": 1}, key="k1", fingerprint="one")
        again = await house.enter(text, {"n": 1}, key="k1", fingerprint="one")
        assert (first.execution, first.output, first.is_new) == (again.execution, again.output, True)
        assert first.image.rev == 2, "a delivery key costs one write more"
        with pytest.raises(DeliveryConflictError):
            await house.enter(text, {"n": 2}, key="k1", fingerprint="two")
        with pytest.raises(DeliveryConflictError):
            await house.enter(text, {"n": 2}, "accepted", key="k1", fingerprint="two")
        replay = await house.enter(text, {"n": 1}, "accepted", key="k1", fingerprint="one")
        assert (replay.execution, replay.is_new) == (first.execution, False)

    run(story())


def test_an_accepted_start_is_in_the_queue_and_runs_from_there():
    async def story():
        house = House()
        entered = await house.enter(
            "flow: f\nsteps:\n  a: {uses: set, with: {v: 3}}\noutput: '${ steps.a.v }'\n", respond="accepted"
        )
        assert entered.is_new
        assert entered.image is None
        await house.drain()
        assert (await house.details(entered.execution)).output == 3

    run(story())


def test_an_output_larger_than_an_item_lies_in_a_blob():
    async def story():
        house = House()
        house.http.answers["/big"] = {"text": "x" * 500_000, "n": 9007199254740993}
        entered = await house.enter("""
flow: big
steps:
  get: {uses: http.request, with: {url: "https://api.example/big"}}
  post: {uses: http.request, with: {method: POST, url: "https://api.example/back", json: {n: "${ steps.get.body.n }"}}}
output: {n: "${ steps.get.body.n }", text: "${ steps.get.body.text }"}
""")
        assert entered.output["n"] == 9007199254740993
        assert len(entered.output["text"]) == 500_000
        assert entered.image.size < 5_000
        assert house.http.sent[1].body == b'{"n":9007199254740993}'

    run(story())


def test_a_secret_echoed_by_a_service_is_masked_everywhere():
    async def story():
        house = House(api={"kind": "bearer", "token": "s3cr3t-canary-value"})

        async def echo(request):
            return {"you_sent": dict(request.headers)["Authorization"]}

        house.http.answers["/echo"] = echo
        entered = await house.enter("""
flow: echo
steps:
  call: {uses: http.request, credential: api, with: {url: "https://api.example/echo", headers: {x-api-key: not-for-eyes}}}
output: "${ steps.call.body }"
""")
        assert ("Authorization", "Bearer s3cr3t-canary-value") in house.http.sent[0].headers
        image = await house.image(entered.execution)
        everything = (
            repr(image) + repr(house.facts._packs) + repr(entered) + repr(await house.details(entered.execution))
        )
        assert "s3cr3t-canary-value" not in everything
        assert "not-for-eyes" not in everything
        assert entered.output == {"you_sent": "Bearer ***"}

    run(story())


def test_a_secret_in_a_failure_is_masked_in_the_attempts_too():
    async def story():
        house = House(api={"kind": "bearer", "token": "s3cr3t-canary-value"})
        entered = await house.enter("""
flow: told
vars: {said: s3cr3t-canary-value}
steps:
  call: {uses: http.request, credential: api, with: {url: "https://api.example/a"}}
  stop: {uses: fail, after: call, with: {message: "They sent ${ vars.said }"}}
""")
        (attempt,) = (await house.details(entered.execution)).steps[1].attempts
        assert attempt.message == "They sent ***"
        assert entered.image.reason.message == "They sent ***"

    run(story())


def test_a_step_without_its_credential_fails_with_the_cure():
    async def story():
        house = House()
        entered = await house.enter("""
flow: no-key
steps:
  call: {uses: slack.post_message, credential: slack_bot, with: {channel: "#a", text: hi}}
""")
        assert entered.image.status is Status.FAILED
        assert entered.image.reason.code == "credential_missing"
        assert house.http.sent == []

    run(story())


def test_a_call_starts_the_other_flow_once():
    async def story():
        house = House()
        await house.publish(
            "flow: child\ninputs: {n: {type: number}}\nsteps:\n  a: {uses: set, with: {n: '${ inputs.n }'}}\noutput: '${ steps.a.n }'\n"
        )
        entered = await house.enter(
            "flow: parent\nsteps:\n  go: {uses: call, with: {flow: child, inputs: {n: 4}}}\noutput: '${ steps.go.id }'\n"
        )
        child = entered.output
        await house.drain()
        details = await house.details(child)
        assert details.output == 4
        assert details.image.birth.parent == f"{entered.execution}.go"

    run(story())


class FlakyFacts:
    """Applies writes and then says that nobody knows."""

    def __init__(self, inner, every=2):
        self.inner, self.every, self.count = inner, every, 0

    async def write(self, write):
        self.count += 1
        answer = await self.inner.write(write)
        if self.count % self.every == 0:
            raise CutOffError("the connection ended")
        return answer

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_write_whose_answer_never_came_is_looked_up_not_repeated(every):
    async def story():
        from chalicelib.adapters.memory.facts import MemoryFacts

        class Once(FlakyFacts):
            """Each write loses its answer the first time it is sent."""

            async def write(self, write):
                self.count += 1
                answer = await self.inner.write(write)
                if self.count % (every + 1) == 1:
                    raise CutOffError("the connection ended")
                return answer

        facts = Once(MemoryFacts())
        house = House(facts=facts)
        entered = await house.enter("""
flow: posts
steps:
  a: {uses: http.request, with: {method: POST, url: "https://api.example/a"}}
  b: {uses: http.request, after: a, with: {method: POST, url: "https://api.example/b"}}
""")
        assert entered.image.status is Status.SUCCEEDED
        assert [each.url for each in house.http.sent] == [f"{URL}/a", f"{URL}/b"]
        assert entered.image.rev == 3

    run(story())


def test_an_unforeseen_error_in_a_node_fails_its_step_and_not_the_worker():
    async def story():
        house = House()

        async def odd(request):
            raise RuntimeError("s3cr3t detail")

        house.http.answers["/odd"] = odd
        entered = await house.enter(
            'flow: odd\nsteps:\n  a: {uses: http.request, with: {url: "https://api.example/odd"}}\n'
        )
        assert entered.image.status is Status.FAILED
        assert entered.image.reason.code == "node_bug"
        assert "s3cr3t" not in entered.image.reason.message

    run(story())


def test_first_of_two_fires_by_commit_order_and_once():
    async def story():
        house = House()
        gate = asyncio.Event()

        async def slow(request):
            await gate.wait()
            return {"who": "slow"}

        async def quick(request):
            return {"who": "quick"}

        async def winner(request):
            gate.set()
            return {"ok": True}

        house.http.answers |= {"/slow": slow, "/quick": quick, "/won": winner}
        entered = await house.enter("""
flow: race
steps:
  a: {uses: http.request, with: {url: "https://api.example/slow"}}
  b: {uses: http.request, with: {url: "https://api.example/quick"}}
  won: {uses: http.request, after: {first: [a, b]}, with: {url: "https://api.example/won", query: {who: "${ steps.a.body.who ?? steps.b.body.who ?? 'nobody' }"}}}
""")
        assert entered.image.status is Status.SUCCEEDED
        urls = [each.url for each in house.http.sent]
        assert f"{URL}/won?who=quick" in urls
        assert len(urls) == 3

    run(story())


def test_a_stopped_store_gives_the_delivery_back_and_loses_nothing():
    async def story():
        from chalicelib.adapters.memory.facts import MemoryFacts
        from chalicelib.errors import StoreError

        class Down(FlakyFacts):
            async def write(self, write):
                self.count += 1
                if self.count == 2:
                    raise StoreError("throttled")
                return await self.inner.write(write)

        house = House(facts=Down(MemoryFacts()))
        entered = await house.enter("""
flow: posts
steps:
  a: {uses: http.request, with: {method: PUT, url: "https://api.example/a"}}
  b: {uses: http.request, after: a, with: {method: PUT, url: "https://api.example/b"}}
""")
        await house.drain()
        assert (await house.image(entered.execution)).status is Status.SUCCEEDED

    run(story())


def test_names_of_facts_are_short():
    assert fact_name(0) == "f0"
    assert fact_name(36) == "f10"
    assert fact_name(1, (3, 0)) == "f1_3.0"
    assert How.SUCCEEDED.value == "S"
    assert issubclass(ServiceError, Exception)
