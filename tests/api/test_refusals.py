"""What is refused is counted by flow, trigger and reason, shown without its body, and costs few writes."""

import asyncio
import json
from datetime import timedelta

import pytest

from chalicelib.adapters.memory.refusals import MemoryRefusals
from chalicelib.api.refusal_tally import BURST, MOST_PENDING, RefusalTally
from chalicelib.errors import DeliveryConflictError, StoreError, TimedOutError
from tests.api.house import OPEN, SIGNED, STEPS, Clock, House, conforms, loaded, opened_hook, refused, standard

BODY = b'{"card":"4111111111111111"}'
TARGET = "/hooks/shop/placed"


class Store(MemoryRefusals):
    """Counts writes, and fails as often as it is told to."""

    def __init__(self):
        super().__init__()
        self.writes = 0
        self.raises = []

    async def add(self, tenant, flow, day, refusals):
        self.writes += 1
        if self.raises:
            raise self.raises.pop()
        await super().add(tenant, flow, day, refusals)


@pytest.fixture
def house():
    house = House()
    house.publish(SIGNED + STEPS)
    return house


def _counts(house, target="/api/v1/refusals", role="viewer"):
    items = conforms(house.send("GET", target, role=role), "Refusals")["items"]
    return {(each["flow"], each["trigger"], each["reason"]): each["count"] for each in items}


def test_every_refusal_is_counted_under_its_flow_its_trigger_and_its_reason(house):
    good = standard(BODY)
    assert house.send("POST", TARGET, BODY, headers=good).status == 202
    for _ in range(3):
        house.send("POST", TARGET, BODY + b" ", headers=good)
    house.send("POST", TARGET, BODY)
    house.send("POST", TARGET, b"a" * 1_000_001, headers=good)
    house.send("DELETE", TARGET, BODY, headers=good)
    house.send("POST", TARGET, b"{", headers=standard(b"{"))
    house.send("POST", "/hooks/shop/nothing", BODY)
    house.send("POST", f"{TARGET}/token", BODY)
    house.send("POST", "/hooks/nowhere/placed", BODY)
    house.send("POST", "/t/somebody/hooks/nowhere/placed", BODY)
    house.door.raises = DeliveryConflictError()
    house.send("POST", TARGET, BODY, headers=good)
    house.clock.moment += timedelta(seconds=301)
    house.send("POST", TARGET, BODY, headers=good)
    assert _counts(house) == {
        ("shop", "placed", "signature_wrong"): 3,
        ("shop", "placed", "signature_missing"): 1,
        ("shop", "placed", "body_too_large"): 1,
        ("shop", "placed", "method_not_allowed"): 1,
        ("shop", "placed", "body_unreadable"): 1,
        ("shop", "placed", "delivery_conflict"): 1,
        ("shop", "placed", "delivery_stale"): 1,
        ("shop", "placed", "not_found"): 1,
        ("shop", None, "not_found"): 1,
        (None, None, "not_found"): 2,
    }
    assert len(house.door.knocks) == 2


def test_a_hook_that_cannot_verify_and_one_that_is_switched_off_are_counted_too(house):
    del house.credentials.known["hook"]
    refused(house.send("POST", TARGET, BODY, headers=standard(BODY)), 500, "setting")
    house.send("POST", "/api/v1/flows/shop/disable", role="operator")
    house.plans.forget("main", "shop")
    refused(house.send("POST", TARGET, BODY, headers=standard(BODY)), 409, "flow_disabled")
    assert _counts(house) == {("shop", "placed", "setting"): 1, ("shop", "placed", "flow_disabled"): 1}


def test_nothing_of_the_delivery_is_kept_or_shown(house):
    house.send("POST", f"{TARGET}?secret=q", BODY, headers={**standard(BODY), "webhook-signature": "v1,c2VjcmV0"})
    answer = house.send("GET", "/api/v1/refusals?flow=shop", role="viewer")
    (item,) = loaded(answer)["items"]
    assert item == {
        "day": "2026-11-20",
        "flow": "shop",
        "trigger": "placed",
        "reason": "signature_wrong",
        "count": 1,
        "last": "2026-11-20T07:00:00.000Z",
    }


def test_they_are_shown_by_flow_and_by_days_and_only_with_a_key(house):
    other = (OPEN + STEPS).replace("flow: shop", "flow: other")
    house.publish(other, "other")
    house.send("POST", TARGET, BODY)
    house.clock.moment += timedelta(days=2)
    house.send("POST", "/hooks/other/placed/wrong", BODY)
    assert _counts(house) == {("shop", "placed", "signature_missing"): 1, ("other", "placed", "not_found"): 1}
    assert _counts(house, "/api/v1/refusals?flow=shop") == {("shop", "placed", "signature_missing"): 1}
    assert _counts(house, "/api/v1/refusals?days=2") == {("other", "placed", "not_found"): 1}
    assert loaded(house.send("GET", "/api/v1/refusals", role="viewer"))["items"][0]["day"] == "2026-11-22"
    assert house.send("GET", "/api/v1/refusals").status == 401
    for wrong in ("days=0", "days=31", "days=x", "flow=A B"):
        assert house.send("GET", f"/api/v1/refusals?{wrong}", role="viewer").status == 400


def test_trouble_in_the_store_is_no_refusal_and_is_not_written_down_there(house):
    house.refusals.store = store = Store()
    house.door.raises = StoreError()
    refused(house.send("POST", TARGET, BODY, headers=standard(BODY)), 503, "store")
    assert (store.writes, house.refusals._pending) == (0, {})


def test_a_delivery_that_is_accepted_writes_nothing_down(house):
    house.refusals.store = store = Store()
    hook = opened_hook(house)
    assert house.send("POST", hook, BODY).status == 202
    assert store.writes == 0


def test_a_flood_costs_a_few_writes_and_is_counted_whole(house):
    house.refusals.store = store = Store()
    for number in range(2000):
        house.clock.moment += timedelta(milliseconds=50)
        house.send("POST", TARGET, BODY, headers=standard(BODY, delivery_id=f"{number}", secret="whsec_AAAA"))
    assert store.writes <= BURST + 2000 * 50 / 10_000
    house.clock.moment += timedelta(seconds=10)
    assert _counts(house) == {("shop", "placed", "signature_wrong"): 2000}


def test_the_first_few_are_seen_at_once(house):
    house.refusals.store = store = Store()
    for number in range(1, BURST + 1):
        house.send("POST", TARGET, BODY)
        assert [each.count for each in asyncio.run(store.of("main", "shop", 0))] == [number]


def _tally(store):
    clock = Clock()
    return RefusalTally(store, clock), clock


def _noted(tally, *notes):
    async def note():
        for each in notes:
            await tally.note("main", *each)

    asyncio.run(note())


def _stored(store, flow="shop"):
    return {(each.trigger, each.reason): each.count for each in asyncio.run(store.of("main", flow, 0))}


def test_what_could_not_be_written_is_written_later_unless_it_may_have_been():
    store = Store()
    tally, _ = _tally(store)
    store.raises = [StoreError()]
    _noted(tally, ("shop", "placed", "a"))
    assert _stored(store) == {}
    _noted(tally, ("shop", "placed", "a"))
    assert _stored(store) == {("placed", "a"): 2}
    store.raises = [TimedOutError()]
    _noted(tally, ("shop", "placed", "a"), ("shop", "placed", "a"))
    assert _stored(store) == {("placed", "a"): 3}


def test_a_store_that_fails_does_not_change_what_the_sender_is_told(house):
    house.refusals.store = store = Store()
    store.raises = [StoreError()]
    refused(house.send("POST", TARGET, BODY), 401, "signature_missing")


def test_what_is_gathered_in_memory_is_bounded():
    store = Store()
    tally, _ = _tally(store)
    tally._left = 0
    _noted(tally, *((f"flow-{number}", "placed", "a") for number in range(MOST_PENDING + 500)))
    assert len(tally._pending) == MOST_PENDING
    asyncio.run(tally.flush(is_last=True))
    assert (len(tally._pending), store.writes) == (0, MOST_PENDING)


def test_all_counts_of_a_flow_go_in_one_write():
    store = Store()
    tally, _ = _tally(store)
    tally._left = 0
    _noted(tally, *(("shop", f"t{number % 5}", f"r{number % 3}") for number in range(60)))
    tally._left = 1
    asyncio.run(tally.flush())
    assert store.writes == 1
    assert sum(_stored(store).values()) == 60


def test_the_body_never_reaches_the_log(house, caplog):
    with caplog.at_level("DEBUG"):
        house.send("POST", TARGET, BODY, headers={**standard(BODY), "webhook-signature": "v1,AAAA"})
    assert "4111" not in caplog.text
    assert json.loads(BODY)["card"] not in caplog.text
