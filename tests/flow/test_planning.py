"""The plan of a checked flow."""

import hashlib
import subprocess
import sys

import pytest

from chalicelib.flow.plan import Concurrency, Effect, Need, RetryPolicy
from chalicelib.flow.planning import make_plan, version_of
from chalicelib.flow.targets import CONDITION, TEXT
from chalicelib.flow.templates import Literal, Object, Whole, expressions
from chalicelib.flow.text import read_yaml
from tests.flow.catalogue import CATALOGUE, FLOWS, document, order_intake, planned


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_every_reference_flow_has_a_plan_that_agrees_with_itself(path):
    data = read_yaml(path.read_text(encoding="utf-8"), path.name).data
    plan = make_plan(data, CATALOGUE)
    assert plan.flow == data["flow"]
    assert sorted(one.ordinal for one in plan.by_id.values()) == list(range(len(plan.by_id)))
    for step in plan.by_id.values():
        sources = [*step.needs, *(need for group in step.groups for need in group.needs)]
        assert all(step.id in plan.dependents[need.source] for need in sources)
    assert all(plan.by_id[one.id] is one for one in (*plan.steps, *plan.on_failure))


def test_the_order_intake_becomes_this_plan():
    plan = planned(order_intake())
    charge, reserve, size, approve, confirm, refund = plan.steps
    assert [one.ordinal for one in plan.steps] == [0, 1, 2, 3, 4, 5]
    assert (charge.effect, charge.credential, charge.needs) == (Effect.AT_MOST_ONCE, "stripe_live", ())
    assert reserve.retry == RetryPolicy(6, 5.0, 2.0, 60.0, ("timeout", "429", "5xx"))
    assert (reserve.error_is_named, reserve.feeds_count, reserve.effect) == (True, True, Effect.AT_LEAST_ONCE)
    assert (size.ports, size.effect, size.feeds_count) == (("large", "else"), Effect.PURE, False)
    assert (approve.ports, approve.needs) == (("approved", "rejected", "expired"), (Need("size", "large"),))
    assert (approve.feeds_count, approve.error_is_named) == (True, False)
    assert confirm.needs == (Need("charge", "done"), Need("reserve", "done"))
    assert confirm.mentions == ("charge", "reserve", "approve")
    assert confirm.groups[0].at_least is None
    assert refund.groups[0].at_least == 1
    assert plan.dependents == {
        "placed": (),
        "by_hand": (),
        "charge": ("confirm", "refund"),
        "reserve": ("confirm", "refund"),
        "size": ("approve", "confirm"),
        "approve": ("confirm", "refund"),
        "confirm": (),
        "refund": (),
    }
    assert plan.output_needs == ("charge",)
    assert isinstance(plan.output, Object)
    assert (plan.timezone, plan.durability, plan.deadline_seconds) == ("Europe/Berlin", "barrier", None)
    assert list(plan.inputs) == ["total", "name", "lines"]


def test_a_trigger_s_plan_says_how_it_is_verified_mapped_and_answered():
    plan = planned(order_intake())
    placed, by_hand = plan.triggers["placed"], plan.triggers["by_hand"]
    assert placed.verify == {"scheme": "shopify", "credential": "shop_hook"}
    assert isinstance(placed.condition, Whole)
    assert placed.inputs is not None
    assert [one.text.strip() for one in expressions(placed.inputs)] == [
        "$number(trigger.body.total_price)",
        "trigger.body.email",
        "trigger.body.line_items",
    ]
    assert (placed.respond, placed.dedupe) == ("accepted", None)
    assert (by_hand.uses, by_hand.verify, by_hand.inputs, by_hand.condition) == ("manual", None, None, None)


def test_ordinals_follow_the_file_through_bodies_and_on_failure():
    plan = planned(
        "on_failure: {f: {uses: set}}\nsteps:\n  a: {uses: set}\n"
        "  l: {uses: foreach, with: {over: [1]}, steps: {b: {uses: set}}}\n  c: {uses: set}\n"
    )
    assert {name: one.ordinal for name, one in plan.by_id.items()} == {"f": 0, "a": 1, "l": 2, "b": 3, "c": 4}
    assert [one.id for one in plan.steps] == ["a", "l", "c"]
    assert [one.id for one in plan.on_failure] == ["f"]


@pytest.mark.parametrize(
    ("body", "effect"),
    [
        ("{uses: http.request, with: {url: x}}", Effect.READ),
        ("{uses: http.request, with: {url: x, method: PUT}}", Effect.IDEMPOTENT),
        ("{uses: http.request, with: {url: x, method: post}}", Effect.AT_LEAST_ONCE),
        ("{uses: http.request, with: {url: x, method: '${ inputs.m }'}}", Effect.AT_LEAST_ONCE),
        ("{uses: http.request, effect: read, with: {url: x, method: POST}}", Effect.READ),
        ("{uses: set}", Effect.PURE),
        ("{uses: s3.put_object, credential: c}", Effect.IDEMPOTENT),
    ],
)
def test_the_effect_follows_the_node_the_method_or_the_author(body, effect):
    assert planned(f"steps:\n  a: {body}\n").by_id["a"].effect is effect


def test_the_usual_values_stand_where_nothing_is_said():
    (step,) = planned("steps:\n  a: {uses: set}\n").steps
    assert (step.timeout_seconds, step.retry, step.on_error, step.condition) == (20.0, RetryPolicy(), None, None)
    assert (step.ports, step.apart, step.body, step.name, step.credential) == (("done",), False, None, "", None)


def test_a_repeat_asks_its_until_in_its_body_with_the_body_s_names():
    plan = planned(
        "steps:\n  a: {uses: set, with: {n: 3}}\n"
        "  r:\n    uses: repeat\n"
        '    with: {until: "${ steps.b.v = steps.a.n or last.v > round }", every: 30s, max: 5}\n'
        '    steps: {b: {uses: set, with: {v: "${ round + (last.v ?? 0) }"}}}\n'
        '  c: {uses: set, with: {v: "${ steps.r.v }"}}\n'
    )
    r = plan.by_id["r"]
    assert r.parameters == Literal({"every": "30s", "max": 5})
    assert r.body is not None
    assert isinstance(r.body.until, Whole)
    assert (r.body.until.target, r.body.until.expression.where) == (CONDITION, "with.until")
    assert (r.body.item, r.body.last, [one.id for one in r.body.steps]) == ("", "b", ["b"])
    # What `until` names outside wires the loop; what it names in the body does not.
    assert (r.needs, r.mentions) == ((Need("a", "done"),), ("a",))
    assert plan.by_id["c"].needs == (Need("r", "done"),)


def test_an_until_without_an_expression_is_a_condition_too():
    (r,) = planned("steps:\n  r: {uses: repeat, with: {until: true}, steps: {b: {uses: set}}}\n").steps
    assert r.body is not None
    assert (r.body.until, r.parameters) == (Literal(True), Literal({}))


def test_a_foreach_has_no_until_and_keeps_the_name_of_its_item():
    (f,) = planned("steps:\n  f: {uses: foreach, with: {over: [1], as: row}, steps: {b: {uses: set}}}\n").steps
    assert f.body is not None
    assert (f.body.until, f.body.item) == (None, "row")


def test_a_cap_becomes_how_many_and_the_key_of_a_lane():
    step = "steps:\n  a: {uses: set}\n"
    assert planned(step).concurrency is None
    assert planned(f"concurrency: 3\n{step}").concurrency == Concurrency(3)
    assert planned(f"concurrency: {{max: 2}}\n{step}").concurrency == Concurrency(2)
    lanes = planned(f'concurrency: {{key: "${{ inputs.customer }}"}}\n{step}').concurrency
    assert lanes is not None
    assert lanes.most == 1
    assert isinstance(lanes.key, Whole)
    assert (lanes.key.target, lanes.key.expression.path) == (TEXT, ("inputs", "customer"))
    mixed = planned(f'concurrency: {{max: 4, key: "${{ vars.a }}-${{ trigger.name }}"}}\nvars: {{a: x}}\n{step}')
    assert mixed.concurrency is not None
    assert mixed.concurrency.most == 4
    assert mixed.concurrency.key is not None
    assert [one.text.strip() for one in expressions(mixed.concurrency.key)] == ["vars.a", "trigger.name"]


def test_what_a_flow_says_of_itself_and_its_schedules_stands_in_its_plan():
    plan = planned(
        "deadline: 1h\nretention: 30d\ndurability: every\n"
        "triggers: {t: {uses: schedule, with: {every: 1h}, overlap: queue, catch_up: all}}\n"
        "steps:\n  a: {uses: http.request, retry: {attempts: 3, within: 10m}, with: {url: x}}\n"
    )
    assert (plan.deadline_seconds, plan.retention_seconds, plan.durability) == (3600.0, 2_592_000.0, "every")
    assert (plan.triggers["t"].overlap, plan.triggers["t"].catch_up) == ("queue", "all")
    assert plan.by_id["a"].retry.within_seconds == 600.0


def test_the_plan_names_the_steps_whose_links_are_asked_for_and_waits_for_none_of_them():
    plan = planned(
        "steps:\n  z: {uses: callback}\n"
        "  tell: {uses: set, with: {at: \"${ execution.links.ask } ${ 'execution.links.other' }\"}}\n"
        "  ask: {uses: approval, after: tell, with: {ask: ok?}}\n"
        "  other: {uses: callback}\n"
        "  each:\n    uses: foreach\n    with: {over: [1]}\n    steps:\n"
        '      inner: {uses: callback}\n      send: {uses: set, with: {v: "${ [item][$ = $execution.links.inner][0] }"}}\n'
        "    output: 1\n"
    )
    assert plan.linked == ("ask", "inner")
    assert plan.by_id["tell"].needs == plan.by_id["send"].needs == ()
    assert plan.by_id["tell"].mentions == ()
    assert plan.by_id["ask"].needs == (Need("tell", "done"),)


def test_what_stands_in_for_a_failure_is_a_template():
    plan = planned(
        "steps:\n  a: {uses: set, on_error: continue}\n  b: {uses: set, on_error: {use: {x: '${ inputs.y }'}}}\n"
    )
    a, b = plan.steps
    assert a.on_error is not None
    assert a.on_error.value == Literal(None)
    assert b.on_error is not None
    assert isinstance(b.on_error.value, Object)


def test_a_node_s_former_name_becomes_its_present_one():
    assert planned("steps:\n  a: {uses: data.order, with: {rows: [1]}}\n").by_id["a"].uses == "data.sort"


def test_a_version_is_the_hash_of_the_document_in_its_own_order():
    data = document("steps:\n  a: {uses: set, with: {v: ä, n: 12345678901234567890}}\n").data
    version, text = version_of(data)
    assert text == '{"flow":"order","steps":{"a":{"uses":"set","with":{"v":"ä","n":12345678901234567890}}}}'
    assert version == hashlib.sha256(text.encode()).hexdigest() == make_plan(data, CATALOGUE).version
    turned = {"steps": data["steps"], "flow": "order"}
    assert version_of(turned)[0] != version


def test_a_stage_s_vars_are_part_of_the_version_and_only_declared_ones():
    data = document("vars: {url: a, limit: 1}\nsteps:\n  a: {uses: set, with: {v: '${ vars.url }'}}\n").data
    plan = make_plan(data, CATALOGUE, stage_vars={"url": "b", "other": "c"})
    assert plan.variables == {"url": "b", "limit": 1}
    version, text = version_of(data, {"url": "b", "other": "c"})
    assert plan.version == version != version_of(data)[0]
    assert '"vars":{"url":"b","limit":1}' in text
    assert version_of(data, {"other": "c"}) == version_of(data)
    assert data["vars"] == {"url": "a", "limit": 1}


def test_making_a_plan_needs_no_pydantic_no_yaml_and_no_jsonata():
    program = (
        "import sys\nfrom chalicelib.flow.planning import make_plan\n"
        "make_plan({'flow': 'x', 'steps': {'a': {'uses': 'set', 'after': 'b', 'with': {'v': '${ steps.b.v }'}},"
        " 'b': {'uses': 'set', 'timeout': '5s'}}}, {'set': {'kind': 'control', 'effect': 'pure'}})\n"
        "print([name for name in ('pydantic', 'ruamel', 'jsonatapy', 'asyncio') if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
