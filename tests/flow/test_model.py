"""The document's shape: keys, ids, kinds, and what `after`, `retry`, `on_error` and the rest are read as."""

import pytest

from chalicelib.flow.model import Alternatives, CapModel, Named
from chalicelib.flow.plan import Effect, RetryPolicy
from chalicelib.flow.reading_steps import read_model
from tests.flow.catalogue import FLOWS, document


def read(text):
    model, findings = read_model(document(text).data)
    assert findings == []
    return model


def found(text):
    _, findings = read_model(document(text).data)
    return [(".".join(str(part) for part in one.pointer), one.what) for one in findings]


def step(body):
    return f"steps:\n  a: {{uses: set}}\n  b: {body}\n"


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_the_reference_flows_are_read_without_a_mistake(path):
    model = read(path.read_text(encoding="utf-8"))
    assert [one.id for one in model.steps] == list(model.data["steps"])


def test_a_step_is_read_with_everything_it_says():
    model = read(
        step(
            "{uses: http.request, name: Ask, credential: crm, after: [a.settled, {first: [a, a.error]}], timeout: 1m30s, "
            "retry: {attempts: 6, first: 5s, factor: 3, cap: 2m, for: [timeout, 429, 5xx]}, on_error: {use: {x: 1}}, "
            "effect: at_most_once, run: apart, with: {url: x}}"
        )
    )
    b = model.steps[1]
    assert (b.uses, b.name, b.credential, b.timeout_seconds, b.apart) == ("http.request", "Ask", "crm", 90.0, True)
    assert b.retry == RetryPolicy(6, 5.0, 3.0, 120.0, ("timeout", "429", "5xx"))
    assert (b.has_on_error, b.on_error, b.effect) == (True, {"x": 1}, Effect.AT_MOST_ONCE)
    at = ("steps", "b", "after")
    assert b.after[0] == Named("a", "settled", (*at, 0))
    members = (Named("a", None, (*at, 1, "first", 0)), Named("a", "error", (*at, 1, "first", 1)))
    assert b.after[1] == Alternatives(1, members, (*at, 1, "first"))


def test_a_step_that_says_nothing_has_the_usual_values():
    a = read(step("{uses: set}")).steps[0]
    assert (a.timeout_seconds, a.retry, a.has_on_error, a.effect, a.apart) == (20.0, RetryPolicy(), False, None, False)
    assert RetryPolicy().attempts == 1


def test_continue_stands_for_null_and_a_group_may_stand_alone():
    model = read(step("{uses: set, on_error: continue, after: {at_least: 2, of: [a, c, d]}}"))
    b = model.steps[1]
    assert (b.has_on_error, b.on_error) == (True, None)
    (group,) = b.after
    assert isinstance(group, Alternatives)
    assert (group.at_least, [str(one) for one in group.members]) == (2, ["a", "c", "d"])


def test_a_first_pause_beyond_the_usual_cap_is_not_cut():
    retry = read(step("{uses: set, retry: {attempts: 2, first: 5m}}")).steps[1].retry
    assert (retry.first_seconds, retry.cap_seconds) == (300.0, 300.0)


def test_the_rest_of_a_flow_is_read():
    model = read(
        "flow: my-flow\ndescription: d\ntimezone: Europe/Berlin\ndeadline: 2h\ndurability: every\nretention: 30d\n"
        "inputs: {total: {type: number}}\nvars: {url: x}\n"
        "triggers: {in1: {uses: webhook, verify: {scheme: github, credential: hook}, respond: result, with: {method: PUT}}}\n"
        "on_failure: {tell: {uses: set}}\nsteps: {a: {uses: set}}\n"
    )
    assert (model.flow, model.description, model.timezone) == ("my-flow", "d", "Europe/Berlin")
    assert (model.deadline_seconds, model.durability, model.retention_seconds) == (7200.0, "every", 30 * 86400.0)
    (trigger,) = model.triggers
    assert (trigger.verify, trigger.respond) == ({"scheme": "github", "credential": "hook"}, "result")
    assert [one.id for one in model.walk()] == ["tell", "a"]  # as they stand in the file


def test_steps_are_walked_in_document_order_through_bodies():
    model = read(
        "steps:\n  a: {uses: set}\n  l: {uses: foreach, steps: {b: {uses: set}, m: {uses: repeat, steps: {c: {uses: set}}}}}\n"
        "  d: {uses: set}\non_failure: {e: {uses: set}}\n"
    )
    assert [one.id for one in model.walk()] == ["a", "l", "b", "m", "c", "d", "e"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my-step", "`my-step` cannot name a step: in an expression a dash is a minus."),
        ("Big", "`Big` cannot name a step."),
        ("2nd", "`2nd` cannot name a step."),
        ("in", "`in` is a word of the expression language."),
        ("a" * 41, f"`{'a' * 41}` cannot name a step."),
    ],
)
def test_an_id_that_expressions_could_not_name_is_refused(name, sentence):
    assert found(f"steps:\n  {name}: {{uses: set}}\n") == [(f"steps.{name}", sentence)]


@pytest.mark.parametrize("name", ["a", "a" * 40, "a_1", "item"])
def test_a_proper_id_is_taken(name):
    assert found(f"steps:\n  {name}: {{uses: set}}\n") == []


def test_one_id_means_one_thing_in_the_whole_file():
    text = (
        "triggers: {a: {uses: manual}}\n"
        "steps:\n  a: {uses: set}\n  l: {uses: foreach, steps: {b: {uses: set}}}\n  b: {uses: set}\n"
        "on_failure: {l: {uses: set}}\n"
    )
    assert found(text) == [
        ("steps.a", "`a` already names a trigger: triggers / a."),
        ("steps.b", "`b` already names a step: steps / l / steps / b."),
        ("on_failure.l", "`l` already names a step: steps / l."),
    ]


@pytest.mark.parametrize(
    ("text", "where", "sentence"),
    [
        ("on: {a: {}}\n", "on", "A flow has no key `on`."),
        ("trigers: {}\n", "trigers", "A flow has no key `trigers`. Did you mean `triggers`?"),
        ("timezone: Mars/Base\n", "timezone", "There is no time zone `Mars/Base`."),
        ("durability: always\n", "durability", '`durability` is end, barrier or every, not the text "always".'),
        ("deadline: 20\n", "deadline", "`deadline` is a duration, not 20."),
        ("overlap: skip\n", "overlap", "A flow has no key `overlap`."),
        ("inputs: [a]\n", "inputs", "`inputs` is a map, not a list."),
        ("vars: {a-b: 1}\n", "vars.a-b", "`a-b` cannot name a var: in an expression a dash is a minus."),
        ("triggers: {a: webhook}\n", "triggers.a", 'The trigger `a` is a map, not the text "webhook".'),
        ("triggers: {a: {verify: none}}\n", "triggers.a", "The trigger `a` does not say what it uses."),
        (
            "triggers: {a: {uses: webhook, verify: all}}\n",
            "triggers.a.verify",
            '`verify` says which scheme and credential, not the text "all".',
        ),
        (
            "triggers: {a: {uses: webhook, respond: now}}\n",
            "triggers.a.respond",
            '`respond` is accepted, result or step, not the text "now".',
        ),
        (
            "triggers: {a: {uses: schedule, overlap: never}}\n",
            "triggers.a.overlap",
            '`overlap` is allow, skip or queue, not the text "never".',
        ),
        (
            "triggers: {a: {uses: schedule, catch_up: every, overlap: allow}}\n",
            "triggers.a.catch_up",
            '`catch_up` is none, last or all, not the text "every".',
        ),
        ("concurrency: 0\n", "concurrency", "`concurrency` is a whole number from 1 to 1000, not 0."),
        ("concurrency: 1001\n", "concurrency", "`concurrency` is a whole number from 1 to 1000, not 1001."),
        ("concurrency: true\n", "concurrency", "`concurrency` is a whole number from 1 to 1000, not true."),
        ("concurrency: 2.5\n", "concurrency", "`concurrency` is a whole number from 1 to 1000, not 2.5."),
        ("concurrency: [1]\n", "concurrency", "`concurrency` is a whole number from 1 to 1000, not a list."),
        (
            "concurrency: '${ vars.n }'\n",
            "concurrency",
            '`concurrency` is a whole number from 1 to 1000, not the text "${ vars.n }".',
        ),
        ("concurrency: {}\n", "concurrency", "`concurrency` does not say how many executions at once."),
        (
            "concurrency: {max: 0, key: '${ inputs.a }'}\n",
            "concurrency.max",
            "`max` is a whole number from 1 to 1000, not 0.",
        ),
        (
            "concurrency: {key: customer}\n",
            "concurrency.key",
            '`key` is an expression that tells executions apart, not the text "customer".',
        ),
        (
            "concurrency: {max: 2, key: null}\n",
            "concurrency.key",
            "`key` is an expression that tells executions apart, not nothing.",
        ),
        (
            "concurrency: {max: 2, key: ['${ inputs.a }']}\n",
            "concurrency.key",
            "`key` is an expression that tells executions apart, not a list.",
        ),
        ("deadline: 0s\n", "deadline", "`deadline` must be longer than nothing."),
        ("deadline: 11w500000d\n", "deadline", "`deadline` must be at most 3660d."),
        ("retention: forever\n", "retention", '`retention` is a duration, not the text "forever".'),
    ],
)
def test_a_mistake_in_the_flow_itself_is_named(text, where, sentence):
    assert found(f"{text}steps: {{s: {{uses: set}}}}\n") == [(where, sentence)]


@pytest.mark.parametrize(
    ("body", "where", "sentence"),
    [
        ("{uses: set, wiht: {}}", "wiht", "A step has no key `wiht`. Did you mean `with`?"),
        ("{with: {}}", "", "The step `b` does not say what it uses."),
        ("{uses: Set}", "uses", '`uses` names a node, such as http.request, not the text "Set".'),
        ("{uses: 5}", "uses", "`uses` names a node, such as http.request, not 5."),
        ("{uses: set, name: 5}", "name", "`name` is a text, not 5."),
        ("{uses: set, with: null}", "with", "`with` is a map, not nothing."),
        ("{uses: set, timeout: 0s}", "timeout", "`timeout` must be longer than nothing."),
        ("{uses: set, timeout: 20m}", "timeout", "`timeout` must be at most 4m."),
        (
            "{uses: set, effect: exactly_once}",
            "effect",
            "`effect` is pure, read, idempotent, at_least_once or at_most_once",
        ),
        ("{uses: set, run: far}", "run", '`run` is inline or apart, not the text "far".'),
        ("{uses: set, on_error: stop}", "on_error", '`on_error` is `continue` or {use: value}, not the text "stop".'),
        ("{uses: set, on_error: {use: 1, and: 2}}", "on_error", "`on_error` is `continue` or {use: value}, not a map."),
        ("{uses: set, retry: 3}", "retry", "`retry` is a map, not 3."),
        ("{uses: set, retry: {first: 5s}}", "retry", "`retry` does not say how many attempts."),
        ("{uses: set, retry: {attempts: 2, max: 5s}}", "retry.max", "`retry` has no key `max`."),
        (
            "{uses: set, retry: {attempts: 2.5}}",
            "retry.attempts",
            "`attempts` is a whole number from 1 to 100, not 2.5.",
        ),
        (
            "{uses: set, retry: {attempts: true}}",
            "retry.attempts",
            "`attempts` is a whole number from 1 to 100, not true.",
        ),
        (
            "{uses: set, retry: {attempts: 2, factor: 0.5}}",
            "retry.factor",
            "`factor` is a number from 1 to 10, not 0.5.",
        ),
        ("{uses: set, retry: {attempts: 2, first: 9s, cap: 1s}}", "retry.cap", "`cap` is shorter than `first`."),
        (
            "{uses: set, retry: {attempts: 2, within: 0s}}",
            "retry.within",
            "`within` must be longer than nothing.",
        ),
        (
            "{uses: set, retry: {attempts: 2, first: 9s, within: 8s}}",
            "retry.within",
            "`within` is shorter than `first`: no second attempt would be made.",
        ),
        (
            "{uses: set, retry: {attempts: 2, within: 500ms}}",
            "retry.within",
            "`within` is shorter than the first pause of 1s: no second attempt would be made.",
        ),
        ("{uses: set, retry: {attempts: 2, within: soon}}", "retry.within", "`within` is a duration, not the text"),
        ("{uses: set, retry: {attempts: 2, for: [tmeout]}}", "retry.for.0", 'The text "tmeout" is no kind of failure.'),
        ("{uses: set, after: 5}", "after", "`after` names steps, not 5."),
        ("{uses: set, after: a.b.c}", "after", '`after` names steps, not the text "a.b.c".'),
        ("{uses: set, after: '${ steps.a }'}", "after", "`after` names steps; it takes no expression"),
        ("{uses: set, after: {all: [a]}}", "after", "This is no group of alternatives."),
        ("{uses: set, after: {any: a}}", "after.any", '`any` takes a list, not the text "a".'),
        ("{uses: set, after: {any: [{any: [a]}]}}", "after.any.0", "A group cannot stand in a group."),
        (
            "{uses: set, after: {at_least: 0, of: [a, c]}}",
            "after.at_least",
            "`at_least` is a whole number from 1, not 0.",
        ),
        ("{uses: set, steps: {c: {uses: set}}}", "steps", "Only foreach and repeat have `steps`; `b` uses set."),
        ("{uses: set, output: 1}", "output", "Only foreach and repeat have `output`; `b` uses set."),
        ("{uses: foreach}", "", "The loop `b` has no steps."),
    ],
)
def test_a_mistake_in_a_step_is_named(body, where, sentence):
    ((at, what),) = found(step(body))
    assert at == f"steps.b.{where}".rstrip(".")
    assert what.startswith(sentence)


@pytest.mark.parametrize(
    ("written", "cap"),
    [
        ("3", CapModel(3)),
        ("1000", CapModel(1000)),
        ("{max: 5}", CapModel(5)),
        ("{key: '${ inputs.a }'}", CapModel(1, "${ inputs.a }")),
        ("{max: 2, key: 'c-${ inputs.a }'}", CapModel(2, "c-${ inputs.a }")),
    ],
)
def test_a_cap_is_a_number_or_a_map_with_a_key_whose_lanes_take_one_at_a_time(written, cap):
    model, findings = read_model(document(f"concurrency: {written}\nsteps: {{s: {{uses: set}}}}\n").data)
    assert (model.concurrency, findings) == (cap, [])


def test_a_retry_says_how_long_after_the_first_attempt_another_may_begin():
    model, findings = read_model(document(step("{uses: set, retry: {attempts: 5, first: 2s, within: 10m}}")).data)
    assert findings == []
    retries = [one.retry for one in model.walk() if one.id == "b"]
    assert retries == [RetryPolicy(5, 2.0, within_seconds=600.0)]


def test_a_schedule_says_what_becomes_of_times_that_overlap_or_were_missed():
    text = "triggers: {a: {uses: schedule, overlap: queue, catch_up: last}, b: {uses: schedule}}\n"
    model, findings = read_model(document(f"{text}steps: {{s: {{uses: set}}}}\n").data)
    assert findings == []
    assert [(one.overlap, one.catch_up) for one in model.triggers] == [("queue", "last"), ("allow", "none")]


def test_what_stands_where_a_credential_s_name_belongs_is_never_repeated():
    _, findings = read_model(document(step("{uses: set, credential: sk-live-5up3r53cr3t}")).data)
    (one,) = findings
    assert one.pointer == ("steps", "b", "credential")
    assert "5up3r" not in one.what + one.do


def test_a_flow_needs_a_name_and_steps():
    _, findings = read_model({})
    assert [one.what for one in findings] == ["The flow has no name.", "The flow has no steps."]
    _, findings = read_model({"flow": "Order", "steps": {}})
    assert [one.what for one in findings] == ["`Order` cannot name a flow.", "The flow has no steps."]


def test_loops_nest_eight_deep_and_no_deeper():
    body = {"uses": "set"}
    for depth in range(10, 0, -1):
        body = {"uses": "foreach", "with": {"over": []}, "steps": {f"s{depth}": body}}
    _, findings = read_model({"flow": "x", "steps": {"s0": body}})
    assert [one.what for one in findings] == ["Loops stand in loops at most 8 deep."]
