"""What `make kill` and `make soak` count with: the service that counts, what is held against it, the verdict on memory."""

import asyncio
import json

import aiohttp
import pytest

from tools.load_kinds import KINDS, Effects, kind_of
from tools.load_service import CountingService, is_cut, receipt
from tools.soak import Sample, Soak, lines_of


async def post(service, path, key="", body=b"{}"):
    headers = {"idempotency-key": key} if key else {}
    async with (
        aiohttp.ClientSession() as session,
        session.post(service.url + path, data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


def serving(work):
    async def whole():
        async with CountingService(seed=1, slowest_seconds=0.001) as service:
            await work(service)
            return service

    return asyncio.run(whole())


def test_a_key_is_applied_once_and_answered_alike():
    async def work(service):
        answers = await asyncio.gather(*(post(service, "/keyed/a/b/1", "k1") for _ in range(3)))
        assert answers == [(200, {"path": "/keyed/a/b/1", "receipt": receipt("/keyed/a/b/1")})] * 3

    service = serving(work)
    assert (service.applied["/keyed/a/b/1"], service.requests["/keyed/a/b/1"], service.repeats) == (1, 3, 2)
    assert service.violations == []


def test_a_key_with_another_body_and_a_request_without_a_key_are_violations():
    async def work(service):
        await post(service, "/keyed/a/b/1", "k1", b'{"a": 1}')
        assert (await post(service, "/keyed/a/b/1", "k1", b'{"a": 2}'))[0] == 422
        assert (await post(service, "/keyed/a/b/2", "k1", b'{"a": 1}'))[0] == 422
        assert (await post(service, "/keyed/a/b/3"))[0] == 400
        await post(service, "/never/called")

    assert len(serving(work).violations) == 4


def test_a_flaky_path_serves_after_two_refusals_and_a_payment_is_applied_each_time():
    async def work(service):
        assert [(await post(service, "/flaky/a/b/1", "k"))[0] for _ in range(4)] == [503, 503, 200, 200]
        assert [(await post(service, "/once/a/b/1"))[0] for _ in range(2)] == [200, 200]
        assert is_cut("/once/a/b/3")
        with pytest.raises(aiohttp.ClientError):
            await post(service, "/once/a/b/3")
        await post(service, "/keyed/a/tell/7", "t", json.dumps({"link": "http://here/x"}).encode())

    service = serving(work)
    assert (service.applied["/flaky/a/b/1"], service.applied["/once/a/b/1"], service.applied["/once/a/b/3"]) == (
        1,
        2,
        1,
    )
    assert (service.answered["/once/a/b/1"], service.answered["/once/a/b/3"]) == (2, 0)
    assert service.links == {"/keyed/a/tell/7": "http://here/x"}


def linear(n=0, paid="yes"):
    output = {"receipt": receipt(f"/keyed/linear/order/{n}"), "told": receipt(f"/keyed/linear/tell/{n}"), "paid": paid}
    return {"id": "e", "status": "succeeded", "output": output}


def served(**changes):
    """What the service counts after one payment went well; `changes` by the last word of a path."""
    service = CountingService(seed=1)
    for word, path in (
        ("order", "/keyed/linear/order/0"),
        ("tell", "/keyed/linear/tell/0"),
        ("pay", "/once/linear/pay/0"),
    ):
        service.requests[path] = service.applied[path] = service.answered[path] = changes.get(word, 1)
    return service


@pytest.mark.parametrize(
    ("shown", "service", "said"),
    [
        (linear(), served(), ""),
        (linear(paid="unsure"), served(), ""),
        (linear(paid="unsure"), served(pay=0), ""),
        (linear(), served(pay=0), "counts as paid"),
        (linear(), served(pay=2), "may come once"),
        (linear(), served(order=2), "applied 2 times"),
        (linear(), served(tell=0), "applied 0 times"),
        (linear(paid="no"), served(), "gave"),
        ({**linear(), "status": "running"}, served(), "is running"),
    ],
)
def test_an_execution_is_held_against_what_its_flow_promises(shown, service, said):
    assert kind_of(0) is KINDS[0]
    effects = Effects()
    effects.judge(0, shown, service)
    assert bool(effects.problems) == bool(said)
    assert said in "; ".join(effects.problems)


def test_every_kind_is_in_the_mix_and_has_its_flow():
    assert {kind_of(n).flow for n in range(100)} == {kind.flow for kind in KINDS}
    assert len({kind.flow for kind in KINDS}) == len(KINDS)


def soaked(*megabytes, problems=()):
    samples = [Sample(6.0 * (place + 1), 10 * place, mb, 5.0, 1, 1) for place, mb in enumerate(megabytes)]
    return Soak(minutes=len(megabytes) / 10, rate=20, samples=samples, problems=list(problems))


def test_memory_that_grows_before_the_end_of_the_warm_up_is_not_judged():
    soak = soaked(*([50.0] * 10), *([80.0] * 90))
    assert abs(soak.growth) < 0.01
    assert soak.is_met


def test_memory_that_goes_on_growing_is_a_miss():
    soak = soaked(*(80 + 0.08 * place for place in range(100)))
    assert soak.growth > 0.05
    assert not soak.is_met
    assert "MISSED" in "\n".join(lines_of(soak))


def test_one_sample_that_stands_out_decides_nothing():
    assert soaked(*([80.0] * 99), 120.0).is_met


def test_what_went_wrong_is_a_miss_however_little_memory_grew():
    soak = soaked(*([80.0] * 100), problems=["delivery 7 was answered 500"])
    assert not soak.is_met
    assert "WRONG: delivery 7" in "\n".join(lines_of(soak))
    assert soak.to_data()["is_met"] is False
