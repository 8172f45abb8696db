"""`after` and mentions made into needs, and the names in them checked."""

import random

import pytest

from chalicelib.flow.order import in_order
from chalicelib.flow.plan import Group, Need
from tests.flow.catalogue import checked, planned, problems

A_TO_D = (
    "  a: {uses: set}\n  c: {uses: set, on_error: continue}\n"
    "  d: {uses: switch, with: {cases: {yes: '${ 1 = 1 }', no: '${ 1 = 2 }'}}}\n"
    "  e: {uses: http.request, with: {url: x}}\n"
)


def waits(body, steps=A_TO_D):
    b = planned(f"triggers: {{go: {{uses: manual}}}}\nsteps:\n{steps}  b: {body}\n").by_id["b"]
    return [f"{one.source}.{one.port}" for one in b.needs], [_shown(group) for group in b.groups]


def _shown(group):
    return (group.at_least, [f"{one.source}.{one.port}" for one in group.needs])


@pytest.mark.parametrize(
    ("after", "needs", "groups"),
    [
        ("a", ["a.done"], []),
        ("a.done", ["a.done"], []),
        ("[a, d.yes]", ["a.done", "d.yes"], []),
        ("[a, a]", ["a.done"], []),
        ("go", ["go.done"], []),
        ("a.settled", ["a.settled"], []),
        ("e.error", ["e.error"], []),
        ("{any: [a, d.yes]}", [], [(None, ["a.done", "d.yes"])]),
        ("{first: [a, d.yes]}", [], [(1, ["a.done", "d.yes"])]),
        ("{at_least: 2, of: [a, c, d.yes]}", [], [(2, ["a.done", "c.done", "d.yes"])]),
        (
            "[a, {any: [c, d.yes]}, {first: [d.no, e.error]}]",
            ["a.done"],
            [(None, ["c.done", "d.yes"]), (1, ["d.no", "e.error"])],
        ),
        ("{any: [d.yes, d.no, d.settled]}", [], [(None, ["d.yes", "d.no", "d.settled"])]),
    ],
)
def test_after_becomes_needs_and_groups(after, needs, groups):
    assert waits(f"{{uses: set, after: {after}}}") == (needs, groups)


@pytest.mark.parametrize(
    ("expression", "needs"),
    [
        ("steps.a.x", ["a.done"]),
        ("steps.a.x ?? 0", ["a.settled"]),
        ("$default(steps.a.x, 0)", ["a.settled"]),
        ("$exists(steps.a)", ["a.settled"]),
        ("errors.e.code", ["e.error"]),
        ("errors.e.code ?? 1", ["e.settled"]),
        ("errors.c.code", ["c.settled"]),
        ("steps.c.x ?? errors.c.code", ["c.settled"]),
        ("steps.a.x & steps.e.y", ["a.done", "e.done"]),
        ("inputs.x", []),
        ("trigger.at", []),
        ('"steps.a"', []),
    ],
)
def test_a_mention_becomes_a_need(expression, needs):
    assert waits(f"{{uses: set, with: {{v: '${{ {expression} }}'}}}}") == (needs, [])


def test_a_mention_in_the_condition_and_in_what_stands_in_for_a_failure_counts_too():
    assert waits("{uses: set, if: '${ steps.a.x = 1 }'}") == (["a.done"], [])
    assert waits("{uses: set, on_error: {use: '${ steps.a.x }'}}") == (["a.done"], [])


def test_a_need_that_another_already_says_is_said_once():
    assert waits("{uses: set, after: [d.yes, a.settled], with: {v: '${ steps.d.case }', w: '${ steps.a.x }'}}") == (
        ["d.yes", "a.done"],
        [],
    )
    assert waits("{uses: set, after: d.settled, with: {v: '${ steps.d.case }'}}") == (["d.done"], [])


def test_a_mention_with_a_way_out_of_an_alternative_adds_no_need():
    group = (1, ["a.done", "e.error"])
    for expression in ("steps.a.x ?? errors.e.code ?? 0", "steps.a.x ?? 0"):
        body = f"{{uses: set, after: {{first: [a, e.error]}}, with: {{v: '${{ {expression} }}'}}}}"
        assert waits(body) == ([], [group])


def test_a_loop_waits_for_what_its_body_mentions_of_the_steps_around_it():
    plan = planned(
        "steps:\n  a: {uses: set}\n  b: {uses: set}\n"
        "  outer:\n    uses: foreach\n    with: {over: '${ inputs.rows }'}\n    output: '${ steps.last.v }'\n    steps:\n"
        "      first: {uses: set, with: {v: '${ steps.a.v & item }'}}\n"
        "      inner:\n        uses: foreach\n        with: {over: '${ steps.first.v }', as: row}\n"
        "        steps: {deep: {uses: set, with: {v: '${ steps.b.v ?? row }', w: '${ steps.first.v }'}}}\n"
        "      last: {uses: set, with: {v: '${ steps.inner.results }'}}\n"
    )
    outer, inner = plan.by_id["outer"], plan.by_id["inner"]
    assert outer.needs == (Need("a", "done"), Need("b", "settled"))
    assert inner.needs == (Need("first", "done"),)
    assert plan.by_id["deep"].needs == ()
    assert plan.by_id["last"].needs == (Need("inner", "done"),)
    assert outer.mentions == ("a", "b")
    assert inner.mentions == ("first", "b")
    assert plan.by_id["deep"].mentions == ("b", "first")
    assert plan.dependents["a"] == ("outer",)
    assert plan.dependents["first"] == ("inner",)
    assert outer.body is not None
    assert (outer.body.last, outer.body.item) == (None, "item")
    assert inner.body is not None
    assert (inner.body.last, inner.body.item) == ("deep", "row")


def test_until_and_output_of_a_loop_are_read_inside_it():
    plan = planned(
        "steps:\n  a: {uses: set}\n"
        "  poll:\n    uses: repeat\n    with: {until: '${ steps.ask.ready = steps.a.v }'}\n    output: '${ steps.ask.body }'\n"
        "    steps: {ask: {uses: set, with: {v: '${ last.x ?? round }'}}}\n"
    )
    assert plan.by_id["poll"].needs == (Need("a", "done"),)
    assert plan.by_id["ask"].needs == ()


def test_whoever_names_a_failure_handles_it():
    plan = planned(
        "steps:\n  a: {uses: set}\n  b: {uses: set, after: a.error}\n  c: {uses: set}\n  d: {uses: set}\n"
        "  e: {uses: set, with: {v: '${ errors.c.code ?? 1 }'}}\n  f: {uses: set, after: {any: [d.error, d]}}\n  g: {uses: set}\n"
    )
    assert [one.id for one in plan.steps if one.error_is_named] == ["a", "c", "d"]
    assert [one.id for one in plan.steps if one.is_handled] == ["a", "c", "d"]


def test_the_sources_of_a_group_that_counts_feed_it():
    plan = planned(
        "steps:\n  a: {uses: set}\n  b: {uses: set}\n  c: {uses: set}\n  d: {uses: set, after: {first: [a, b]}}\n"
        "  e: {uses: set, after: {any: [b, c]}}\n"
    )
    assert [one.id for one in plan.steps if one.feeds_count] == ["a", "b"]
    assert plan.by_id["d"].groups == (Group(1, (Need("a", "done"), Need("b", "done"))),)


# What the check says of names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        ("aa", "There is no step `aa`. Did you mean `a`?"),
        ("d", "`d` can end as yes, no or else."),
        ("d.maybe", "`d` has no port `maybe`."),
        ("d.yess", "`d` has no port `yess`. Did you mean `yes`?"),
        ("a.approved", "`a` has no port `approved`."),
        ("c.error", "`c` has `on_error`, so its failure never takes the `error` port."),
        ("go.error", "`go` is a trigger: it has no port `error`."),
        ("{any: [a]}", "A group of one has no alternatives."),
        ("{any: [a, a]}", "A group of one has no alternatives."),
        ("{any: []}", "A group of none has no alternatives."),
        ("{at_least: 3, of: [a, c]}", "At least 3 can never hold: the list names 2."),
        ("{at_least: 1, of: [a.skipped, c]}", "`a.skipped` cannot count here"),
        ("{first: [a.settled, c]}", "`a.settled` cannot count here"),
        ("{any: [a, d]}", "`d` can end as yes, no or else."),
        ("b", "`b` waits for itself."),
        ("a.skipped", "`b` can never run: `a.skipped` never happens."),
        ("[d.yes, d.no]", "`b` can never run: `d.yes` and `d.no` exclude each other."),
        ("[a, a.error]", "`b` can never run: `a` and `a.error` exclude each other."),
        ("[go, go.skipped]", "`b` can never run: `go` and `go.skipped` exclude each other."),
        (
            "[d.yes, {any: [d.no, d.else]}]",
            "`b` can never run: `d.yes`, `d.no` and `d.else` can never hold as it asks.",
        ),
        ("[d.yes, {any: [d.no, a]}]", "`d.no` is no alternative for `b`: it excludes `d.yes`, needed as well."),
        ("{any: [a, c.skipped]}", "`c.skipped` never happens, so it is no alternative."),
    ],
)
def test_a_need_that_cannot_be_meant_is_refused(after, sentence):
    (problem,) = checked(
        f"triggers: {{go: {{uses: manual}}}}\nsteps:\n{A_TO_D}  b: {{uses: set, after: {after}}}\n"
    ).problems
    assert problem.what.startswith(sentence)
    assert (problem.line, bool(problem.do)) == (8, True)


def test_two_triggers_never_start_the_same_execution():
    text = "triggers: {x: {uses: manual}, y: {uses: manual}}\nsteps:\n  a: {uses: set, after: [x, y]}\n"
    (problem,) = problems(text)
    assert "`a` can never run: `x` and `y` exclude each other.  ->  Write after: {any: [x, y]}." in problem
    assert problems(text.replace("[x, y]", "{any: [x, y]}")) == []
    assert problems(text.replace("[x, y]", "[x, y.skipped]")) == []


def test_only_the_first_step_that_can_never_run_is_named_not_those_behind_it():
    found = problems(
        "steps:\n  d: {uses: switch, with: {cases: {yes: '${ 1 = 1 }'}}}\n"
        "  a: {uses: set, after: d.yes}\n  b: {uses: set, after: d.else}\n  c: {uses: set, after: [a, b]}\n"
        "  e: {uses: set, after: c}\n  f: {uses: set, after: {first: [c, e]}}\n"
    )
    assert len(found) == 1
    assert "`c` can never run: `a` (behind `d.yes`) and `b` (behind `d.else`) exclude each other." in found[0]


@pytest.mark.parametrize(
    "loop",
    [
        "{uses: foreach, AFTER with: {over: [1]}, steps: {b: {uses: set, with: {v: '${ steps.ask.by }'}}}}",
        "{uses: foreach, AFTER with: {over: [1]}, steps: {b: {uses: set}}, output: '${ steps.ask.by }'}",
        "{uses: repeat, AFTER with: {until: '${ steps.ask.by = 1 }'}, steps: {b: {uses: set}}}",
        (
            "{uses: foreach, AFTER with: {over: [1]}, steps: {c: {uses: repeat, with: {until: true}, steps: "
            "{b: {uses: set, with: {v: '${ steps.ask.by }'}}}}}}"
        ),
    ],
)
def test_a_loop_whose_body_wants_the_value_of_a_step_with_several_ports_needs_a_port_too(loop):
    text = f"steps:\n  ask: {{uses: approval, with: {{ask: x}}}}\n  each: {loop}\n"
    (problem,) = checked(text.replace("AFTER ", "")).problems
    assert problem.what == "`ask` can end as approved, rejected or expired."
    assert problem.do == "Name one at the loop `each`: `after: ask.approved`; `ask.settled` if any will do."
    assert problems(text.replace("AFTER", "after: ask.approved,")) == []


def test_within_the_body_that_it_stands_in_it_needs_a_port_as_anywhere():
    text = (
        "steps:\n  each:\n    uses: foreach\n    with: {over: [1]}\n    steps:\n      ask: {uses: approval, with: {ask: x}}\n"
        "      b: {uses: set, AFTER with: {v: '${ steps.ask.by }'}}\n    output: '${ steps.ask.by ?? null }'\n"
    )
    (problem,) = checked(text.replace("AFTER ", "")).problems
    assert problem.do == "Name one: `after: ask.approved`; `ask.settled` if any will do."
    assert problems(text.replace("AFTER", "after: ask.approved,")) == []


def test_a_value_of_a_step_with_several_ports_needs_a_port():
    text = "steps:\n  ask: {uses: approval, with: {ask: x}}\n  b: {uses: set, with: {v: '${ steps.ask.by }'}}\n"
    (problem,) = problems(text)
    assert (
        "order.yaml:4:32  `ask` can end as approved, rejected or expired.  ->  Name one: `after: ask.approved`"
        in problem
    )
    for fine in ("after: ask.approved, with: {v: '${ steps.ask.by }'}", "with: {v: '${ steps.ask.by ?? 1 }'}"):
        assert problems(text.replace("with: {v: '${ steps.ask.by }'}", fine)) == []


def test_a_mention_of_what_both_alternatives_bring_needs_no_way_out():
    text = (
        "steps:\n  ask: {uses: approval, with: {ask: x}}\n"
        "  no: {uses: set, after: {any: [ask.rejected, ask.expired]}, with: {v: '${ steps.ask.comment }'}}\n"
    )
    assert problems(text) == []


def test_a_mention_behind_one_alternative_only_is_refused_where_the_other_would_never_fire():
    text = (
        "steps:\n  size: {uses: switch, with: {cases: {large: '${ inputs.x > 1 }'}}}\n  big: {uses: set, after: size.large}\n"
        "  ask: {uses: set, after: big}\n"
        "  b: {uses: set, after: {any: [size.else, ask]}, with: {v: '${ steps.big.v }'}}\n"
    )
    (problem,) = problems(text)
    assert "`b` may run without `big` (through size.else), but uses `steps.big.v`." in problem
    assert problems(text.replace("steps.big.v", "steps.big.v ?? 0")) == []


def test_a_mention_that_excludes_another_need_is_told_to_leave_a_way_out():
    text = (
        "steps:\n  size: {uses: switch, with: {cases: {large: '${ inputs.x > 1 }'}}}\n  big: {uses: set, after: size.large}\n"
        "  b: {uses: set, after: size.else, with: {v: '${ steps.big.v }'}}\n"
    )
    (problem,) = problems(text)
    assert problem == (
        "order.yaml:5:50  `b` can never run: `size.else` and `big` (behind `size.large`) exclude each other.  ->  "
        'It waits for `big` by using it. Give it a way out: ${ steps.big.v ?? "none" }.'
    )
    assert problems(text.replace("steps.big.v", "steps.big.v ?? 0")) == []


def test_a_mention_beside_an_alternative_that_does_not_depend_on_it_is_a_need_on_top():
    text = (
        "steps:\n  a: {uses: http.request, with: {url: x}}\n  b: {uses: set, if: '${ inputs.x = 1 }'}\n  c: {uses: set}\n"
        "  d: {uses: set, after: {first: [a.error, c]}, with: {v: '${ steps.b.v }'}}\n"
    )
    assert problems(text) == []


LOOP = "  l: {{uses: foreach, with: {{over: '${{ inputs.rows }}'}}, steps: {{x: {body}}}}}\n  a: {{uses: set}}\n"


@pytest.mark.parametrize(
    ("text", "sentence", "do"),
    [
        (
            "  b: {uses: set, after: x}\n",
            "`x` is inside the loop `l`.",
            "From outside only the loop can be named: `l`.",
        ),
        (
            "  b: {uses: set, with: {v: '${ steps.x.v }'}}\n",
            "`x` is inside the loop `l`.",
            "From outside only the loop can be named: `l`.",
        ),
        ("  b: {uses: set, with: {v: '${ item }'}}\n", "Unknown name `item`.", "It is known only inside a `foreach`"),
        ("  b: {uses: set, with: {v: '${ last }'}}\n", "Unknown name `last`.", "It is known only inside a `repeat`"),
        (
            "  b: {uses: set, with: {v: '${ failure.step }'}}\n",
            "Unknown name `failure`.",
            "It is known only in the steps under `on_failure`.",
        ),
        (
            "  b: {uses: set, after: o}\non_failure: {o: {uses: set}}\n",
            "`o` is an on_failure step",
            "Name an ordinary step.",
        ),
        ("on_failure: {o: {uses: set, after: a}}\n", "`a` is not an on_failure step", "Use `failure`"),
        (
            "on_failure: {o: {uses: set, with: {v: '${ steps.a ?? 1 }'}}}\n",
            "`a` is not an on_failure step",
            "Use `failure`",
        ),
    ],
)
def test_what_cannot_be_seen_cannot_be_named(text, sentence, do):
    (problem,) = checked(f"steps:\n{LOOP.format(body='{uses: set}')}{text}").problems
    assert problem.what.startswith(sentence)
    assert problem.do.startswith(do)


def test_a_body_step_orders_itself_among_its_own_kind_only():
    (problem,) = checked(f"steps:\n{LOOP.format(body='{uses: set, after: a}')}").problems
    assert problem.what == "`a` is outside the loop `l`, and `x` inside."
    assert problem.do == "Write `after: a` at the loop `l`."


def test_a_loop_is_not_used_in_its_own_body():
    body = "{uses: set, with: {v: '${ steps.l.count }'}}"
    (problem,) = problems(f"steps:\n{LOOP.format(body=body)}")
    assert "`l` is the loop around this: it has no value before its last turn ends." in problem


def test_a_trigger_is_mentioned_as_trigger():
    (problem,) = problems("triggers: {go: {uses: manual}}\nsteps:\n  a: {uses: set, with: {v: '${ steps.go.at }'}}\n")
    assert "`go` is a trigger, not a step.  ->  What it hands over is `trigger`" in problem


def test_on_error_cannot_say_by_which_of_several_ports_it_goes_on():
    (problem,) = problems("steps:\n  ask: {uses: approval, with: {ask: x}, on_error: continue}\n")
    assert "`ask` can end as approved, rejected or expired: `on_error` cannot say as which." in problem


def test_the_order_puts_sources_first_and_circles_are_found_without_recursion():
    chance = random.Random(3)
    names = [f"s{number}" for number in range(400)]
    waits = {name: chance.sample(names[:number], min(number, 3)) for number, name in enumerate(names)}
    shuffled = dict(chance.sample(list(waits.items()), len(waits)))
    order, circles = in_order(shuffled)
    assert circles == []
    place = {name: number for number, name in enumerate(order)}
    assert all(place[source] < place[name] for name, sources in waits.items() for source in sources)
    long = {f"s{number}": [f"s{number - 1}"] for number in range(1, 5000)} | {"s0": ["s4999"]}
    order, (circle,) = in_order(long)
    assert (order, len(circle)) == ([], 5000)
    assert all(long[name] == [after] for name, after in zip(circle, [*circle[1:], circle[0]], strict=True))


def test_two_knots_are_two_circles_and_what_hangs_behind_is_no_third():
    order, circles = in_order({"a": ["b"], "b": ["a"], "c": ["a"], "d": ["e"], "e": ["d"], "f": []})
    assert (order, circles) == (["f"], [["a", "b"], ["d", "e"]])
