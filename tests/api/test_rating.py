"""Rates at the front door: each hook and each key by itself, strangers apart from senders, honest words for who waits."""

import asyncio
from datetime import timedelta

import pytest

from chalicelib.api.watch import Watch
from chalicelib.errors import StoreError
from chalicelib.kit.rates import Rate
from tests.api.house import KEYS, House, loaded, refused, standard

TWO = (
    "flow: shop\ntriggers:\n"
    "  placed: {uses: webhook, verify: {scheme: standard-webhooks, credential: hook}, with: {rate: 3/minute}}\n"
    "  paid: {uses: webhook, verify: {scheme: standard-webhooks, credential: hook}}\n"
    "steps:\n  note: {uses: set, with: {value: 1}}\n"
)


class Senders:
    """Deliveries to the hooks of a flow, each one new."""

    def __init__(self, **settings):
        self.house = House(**settings)
        self.house.publish(TWO)
        self.count = 0

    def deliver(self, trigger="placed", *, good=True, peer="192.0.2.1"):
        self.count += 1
        body = b'{"n": %d}' % self.count
        headers = standard(body, delivery_id=f"msg_{self.count}", at=self.house.clock.moment)
        return self.house.send("POST", f"/hooks/shop/{trigger}", body if good else b"{}", headers=headers, peer=peer)

    def statuses(self, times, **how):
        return [self.deliver(**how).status for _ in range(times)]


def test_a_hook_takes_as_many_as_its_rate_says_and_tells_the_rest_when_to_come_again():
    senders = Senders()
    assert senders.statuses(3) == [202] * 3
    answer = senders.deliver()
    problem = refused(answer, 429, "rate_limited")
    assert "3 a minute" in problem["detail"]
    assert answer.header("retry-after") == "20"
    assert answer.header("ratelimit-policy") == '"hook";q=3;w=60'
    assert answer.header("ratelimit") == '"hook";r=0;t=20'
    assert len(senders.house.door.knocks) == 3
    senders.house.clock.moment += timedelta(seconds=20)
    assert senders.statuses(2) == [202, 429]


def test_t12_one_hook_that_is_flooded_does_not_stop_another():
    """T12: never one shared bucket for all anonymous callers."""
    senders = Senders(watch=Watch(hook_rate=Rate(2, 60), peer_rate=Rate(5, 60)))
    assert senders.statuses(6)[-1] == 429
    assert senders.statuses(2, trigger="paid") == [202, 202]
    assert senders.statuses(1, trigger="paid") == [429]


def test_t12_a_stranger_who_knocks_without_end_does_not_use_up_the_senders_bucket():
    senders = Senders()
    assert set(senders.statuses(50, good=False, peer="203.0.113.9")) == {401}
    assert senders.statuses(3) == [202] * 3


def test_t12_an_address_that_knocks_too_often_is_stopped_before_anything_is_verified_and_others_are_not():
    senders = Senders(watch=Watch(peer_rate=Rate(4, 60)))
    opened = senders.house.credentials.known
    assert senders.statuses(6, good=False, peer="203.0.113.9") == [401] * 4 + [429] * 2
    opened.clear()  # verifying would fail now
    answer = senders.deliver(peer="203.0.113.9")
    refused(answer, 429, "rate_limited")
    assert answer.header("ratelimit-policy") == '"peer";q=4;w=60'
    opened["hook"] = House().credentials.known["hook"]
    assert senders.statuses(3, peer="192.0.2.1") == [202] * 3
    assert senders.statuses(1, trigger="paid", peer="203.0.113.9") == [202]


def test_one_network_of_ipv6_is_one_address():
    senders = Senders(watch=Watch(peer_rate=Rate(2, 60)))
    peers = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2:3::", "2001:db8:1:3::1"]
    assert [senders.deliver(peer=peer).status for peer in peers] == [202, 202, 429, 202]


def test_what_was_refused_for_its_rate_is_counted_as_every_refusal_is():
    senders = Senders()
    senders.statuses(5)
    found = loaded(senders.house.send("GET", "/api/v1/refusals?flow=shop", role="viewer"))["items"]
    assert [(each["trigger"], each["reason"], each["count"]) for each in found] == [("placed", "rate_limited", 2)]


def test_a_trigger_without_a_rate_takes_any_number():
    assert set(Senders().statuses(200, trigger="paid")) == {202}


@pytest.mark.parametrize("rate", ["100", "0/minute", "100/fortnight", "1e3/minute", "100 / minute", "-1/day"])
def test_a_rate_that_is_none_is_refused_when_the_flow_is_published(rate):
    text = TWO.replace("3/minute", f'"{rate}"')
    house = House()
    headers = {"content-type": "application/yaml"}
    answer = house.send("PUT", "/api/v1/flows/shop", text.encode(), headers=headers, role="editor")
    problem = refused(answer, 422, "flow_check")
    (mistake,) = problem["errors"]
    assert mistake["what"].startswith("`rate` ")
    assert mistake["do"] == "Write it like 100/minute."
    assert (mistake["line"], mistake["column"]) == (3, text.splitlines()[2].index(f'"{rate}"') + 1)


def test_a_key_may_ask_as_often_as_the_deployment_says_and_no_other_key_waits_for_it():
    house = House(watch=Watch(key_rate=Rate(3, 60)))
    assert [house.send("GET", "/api/v1/flows", role="viewer").status for _ in range(4)] == [200] * 3 + [429]
    answer = house.send("GET", "/api/v1/flows", role="viewer")
    refused(answer, 429, "rate_limited")
    assert answer.header("ratelimit-policy") == '"key";q=3;w=60'
    assert house.send("GET", "/api/v1/flows", role="operator").status == 200
    denied = loaded(house.send("GET", "/api/v1/audit?outcome=denied", role="admin"))["items"]
    assert {(each["who"], each["code"]) for each in denied} == {("key_viewer", "rate_limited")}


def test_a_key_may_have_a_rate_of_its_own():
    house = House(watch=Watch(key_rate=Rate(100, 60)))
    house.keys.rates["viewer"] = Rate(1, 60)
    assert [house.send("GET", "/api/v1/flows", role="viewer").status for _ in range(2)] == [200, 429]


def test_who_has_no_key_uses_up_nobodys_rate():
    house = House(watch=Watch(key_rate=Rate(3, 60)))
    for _ in range(20):
        refused(house.send("GET", "/api/v1/flows"), 401, "unauthenticated")
        refused(house.send("GET", "/api/v1/flows", headers={"authorization": "Bearer x"}), 401, "unauthenticated")
    assert house.send("GET", "/api/v1/flows", headers={"authorization": f"Bearer {KEYS['viewer']}"}).status == 200


def test_where_the_bucket_cannot_be_asked_the_delivery_goes_on(caplog):
    class Broken:
        async def take(self, tenant, name, cost, rate):
            raise StoreError("throttled")

    senders = Senders(watch=Watch(key_rate=Rate(1, 60), peer_rate=Rate(1, 60)))
    for name in ("limits", "peer_limits"):
        object.__setattr__(senders.house.tools, name, Broken())
    assert senders.statuses(5) == [202] * 5
    assert senders.house.send("GET", "/api/v1/flows", role="viewer").status == 200
    assert "a rate could not be asked for" in caplog.text


def test_without_a_rate_no_bucket_is_asked():
    class Never:
        async def take(self, tenant, name, cost, rate):
            raise AssertionError(name)

    senders = Senders()
    for name in ("limits", "peer_limits"):
        object.__setattr__(senders.house.tools, name, Never())
    assert senders.statuses(2, trigger="paid") == [202] * 2
    assert senders.house.send("GET", "/api/v1/flows", role="viewer").status == 200


def test_of_many_deliveries_at_once_no_more_get_in_than_the_rate_says():
    senders = Senders()
    house = senders.house

    async def rush():
        from chalicelib.api.request import Request
        from chalicelib.api.times import to_milliseconds

        now = to_milliseconds(house.clock.now())
        requests = []
        for number in range(20):
            body = b'{"n": %d}' % number
            headers = standard(body, delivery_id=f"rush_{number}", at=house.clock.moment)
            requests.append(Request("POST", "/hooks/shop/placed", (), headers, body, now))
        return await asyncio.gather(*(house.api(each) for each in requests))

    statuses = [answer.status for answer in asyncio.run(rush())]
    assert (statuses.count(202), statuses.count(429)) == (3, 17)
