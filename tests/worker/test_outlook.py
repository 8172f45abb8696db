"""What the plan lets expect of the writes to come, and what packs are called."""

from chalicelib.engine.facts import Claimed, Done, Fact, How
from chalicelib.engine.packs import Outlook
from chalicelib.worker.outlook import FACT_BYTES, IN_A_LOOP, outlook
from chalicelib.worker.packing import pack_name
from tests.worker.house import CountedIds, House, run

FLOW = """
flow: f
{durability}steps:
  read: {{uses: http.request, with: {{url: "https://api.example/read"}}}}
  post: {{uses: http.request, after: read, with: {{method: POST, url: "https://api.example/post"}}}}
  put: {{uses: http.request, after: post, with: {{method: PUT, url: "https://api.example/put"}}}}
  pause: {{uses: wait, after: put, with: {{for: 1h}}}}
  last: {{uses: set, after: pause, with: {{n: 1}}}}
"""


def plan_of(durability=""):
    async def published():
        return await House().publish(FLOW.format(durability=durability))

    return run(published())


def done() -> Fact:
    return Done(How.SUCCEEDED, "done", 1, 1)


def test_a_write_is_expected_for_each_open_step_that_is_more_than_reading_and_computing():
    plan = plan_of()
    assert outlook(plan, {}, ()) == Outlook(3, 5 * FACT_BYTES // 3)
    assert outlook(plan, {"f0": done()}, {"f1"}) == Outlook(2, 3 * FACT_BYTES // 2)
    assert outlook(plan, {"f1": Claimed("t", 9, 1)}, {"f0"}) == Outlook(3, 4 * FACT_BYTES // 3)
    assert outlook(plan, {f"f{n}": done() for n in range(4)}, ()) == Outlook(1, FACT_BYTES)


def test_with_full_durability_every_open_step_is_a_write():
    assert outlook(plan_of("durability: every\n"), {"f0": done()}, ()) == Outlook(4, FACT_BYTES)


def test_a_loops_record_has_no_plan():
    assert outlook(None, {"f0": done()}, {"f1"}) == IN_A_LOOP


def test_a_pack_is_called_by_its_write_and_a_little_randomness():
    async def story():
        house = House()
        entered = await house.enter("flow: f\nsteps:\n  a: {uses: set, with: {n: 1}}\n")
        image = await house.image(entered.execution)
        assert image.rev == 1
        names = [pack_name(image, house.ids) for _ in range(3)]
        assert len(set(names)) == 3
        assert all(name.startswith("p1") and len(name) == 9 for name in names)
        assert pack_name(None, CountedIds()).startswith("p0")

    run(story())
