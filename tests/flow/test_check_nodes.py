"""Nodes, triggers, credentials, loops, and what is only warned of."""

import pytest

from chalicelib.flow.check import check
from tests.flow.catalogue import CATALOGUE, checked, document, problems

STEP = "steps:\n  s: {uses: set}\n"


def of_trigger(body, steps=STEP, rest=""):
    return [one.what for one in checked(f"{rest}triggers:\n  t: {body}\n{steps}").problems]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("{uses: webhook}", "The trigger `t` does not say how deliveries are verified."),
        ("{uses: webhok, verify: none}", "There is no node `webhok`. Did you mean `webhook`?"),
        ("{uses: set}", "`set` is no trigger."),
        ("{uses: webhook, verify: {credential: x}}", "`verify` does not name its scheme."),
        ("{uses: webhook, verify: {scheme: githb, credential: x}}", "There is no verification scheme `githb`. Did you mean `github`?"),
        ("{uses: webhook, verify: {scheme: github}}", "`verify` does not name the credential that holds the secret."),
        ("{uses: webhook, verify: {scheme: hmac, credential: x, header: '${ vars.h }'}}", "`header` of `verify` takes no expression."),
        ("{uses: webhook, verify: none, dedupe: '${ trigger.body.id }'}", "`dedupe` needs a sender that is verified: anybody could use up a delivery's id."),
        ("{uses: webhook, verify: {scheme: github, credential: x}, dedupe: [1]}", "`dedupe` is an expression, not a list."),
        ("{uses: webhook, verify: {scheme: github, credential: x}, dedupe: id}", '`dedupe` is an expression, not the text "id".'),
        ("{uses: webhook, verify: none, respond: step}", "The trigger `t` lets a step answer, and no step uses `respond`."),
        ("{uses: webhook, verify: none, with: {method: FETCH}}", '`method` is GET, POST or PUT, not the text "FETCH".'),
        ("{uses: webhook, verify: none, if: trigger.body.ok}", '`if` needs an expression; this is the text "trigger.body.ok".'),
        ("{uses: webhook, verify: none, if: '${ steps.s.ok }'}", "`steps.s`: no step has run yet when a trigger starts the flow."),
        ("{uses: webhook, verify: none, if: '${ inputs.a = 1 }'}", "Unknown name `inputs`."),
        ("{uses: webhook, verify: none, credential: x}", "`webhook` takes no credential."),
        ("{uses: schedule, verify: none}", "`verify` is for webhooks; nobody sends `schedule` anything."),
        ("{uses: schedule, respond: result}", "`respond` is for webhooks; nobody sends `schedule` anything."),
        ("{uses: schedule, with: {cron: '${ vars.cron }'}}", "A trigger's parameters are fixed when the flow is published: they take no expression."),
        ("{uses: webhook, verify: none, overlap: skip}", "`overlap` is for schedules; `webhook` has no times of its own."),
        ("{uses: manual, catch_up: last}", "`catch_up` is for schedules; `manual` has no times of its own."),
        ("{uses: schedule, with: {every: 1h}, overlap: cancel}", '`overlap` is allow, skip or queue, not the text "cancel".'),
        ("{uses: schedule, with: {every: 1h}, catch_up: 3}", "`catch_up` is none, last or all, not 3."),
        ("{uses: error, with: {flows: order}}", "The trigger `t` names `order`, the flow that it stands in: it would start itself."),
        ("{uses: error, with: {flows: [other, order]}}", "The trigger `t` names `order`, the flow that it stands in: it would start itself."),
        ("{uses: error, respond: result}", "`respond` is for webhooks; nobody sends `error` anything."),
        ("{uses: manual, inputs: {a: 1}}", "The flow declares no input `a`."),
        ("{uses: manual, inputs: [1]}", "`inputs` is a map, or one expression that gives one."),
    ],
)  # fmt: skip
def test_a_mistake_in_a_trigger_is_named(body, what):
    assert of_trigger(body) == [what]


def test_sensible_triggers_are_taken():
    for body in (
        "{uses: webhook, verify: none}",
        "{uses: webhook, verify: {scheme: hmac, credential: x, header: x-sig}, dedupe: '${ trigger.body.id }', with: {method: [GET, PUT]}}",
        "{uses: schedule, with: {every: 1h}}",
        "{uses: schedule, with: {every: 1h}, overlap: queue, catch_up: all}",
        "{uses: schedule, with: {every: 1h}, overlap: allow, catch_up: none}",
        "{uses: error}",
        "{uses: error, with: {flows: other}, if: \"${ trigger.status = 'timed_out' }\"}",
        "{uses: manual}",
    ):
        assert of_trigger(body) == []
    answering = "steps:\n  s: {uses: respond, with: {status: 204}}\n"
    assert of_trigger("{uses: webhook, verify: none, respond: step}", answering) == []


def test_the_schemes_there_are_can_be_told():
    text = "triggers:\n  t: {uses: webhook, verify: {scheme: mine, credential: x}}\nsteps:\n  s: {uses: set}\n"
    assert len(check(document(text), CATALOGUE).problems) == 1
    assert check(document(text), CATALOGUE, schemes={"mine"}).problems == ()


def test_a_trigger_fills_the_inputs_that_the_flow_needs():
    needed = (
        "inputs: {total: {type: number}, note: {type: string, optional: true}, cur: {type: string, default: EUR}}\n"
    )
    hook = "{uses: webhook, verify: none"
    assert of_trigger(f"{hook}}}", rest=needed) == ["The trigger `t` does not fill the input `total`."]
    assert of_trigger("{uses: schedule}", rest=needed) == ["The trigger `t` does not fill the input `total`."]
    assert of_trigger("{uses: manual}", rest=needed) == []
    assert of_trigger("{uses: error}", rest=needed) == ["The trigger `t` does not fill the input `total`."]
    assert of_trigger(f"{hook}, inputs: {{note: x}}}}", rest=needed) == [
        "The trigger `t` does not fill the input `total`."
    ]
    assert of_trigger(f"{hook}, inputs: {{total: 1, totl: 2}}}}", rest=needed) == [
        "The flow declares no input `totl`. Did you mean `total`?"
    ]
    assert of_trigger(f"{hook}, inputs: {{total: '${{ trigger.body.total }}'}}}}", rest=needed) == []
    assert of_trigger(f"{hook}, inputs: '${{ trigger.body }}'}}", rest=needed) == []
    # A list input takes rows as they come: one becomes a list of one.
    rows = "inputs: {lines: {type: array}}\n"
    assert of_trigger(f"{hook}, inputs: {{lines: '${{ trigger.body.lines[qty > 0] }}'}}}}", rest=rows) == []


def test_the_body_is_asked_of_a_trigger_that_surely_started():
    text = (
        "triggers:\n  one: {uses: webhook, verify: none}\n  two: {uses: schedule, with: {every: 1h}}\nsteps:\n"
        "  a: {uses: set, AFTER with: {v: '${ trigger.body.x }'}}\n"
        "  b: {uses: set, after: a, with: {v: '${ trigger.body.y }', at: '${ trigger.at }', n: '${ trigger.name }'}}\n"
    )
    found = checked(text.replace("AFTER ", "")).problems
    sentence = "`trigger.body` depends on which trigger started the flow: `one` or `two`."
    assert [(one.line, one.what) for one in found] == [(6, sentence), (7, sentence)]
    assert problems(text.replace("AFTER", "after: one,")) == []
    assert len(problems(text.replace("AFTER", "after: one.settled,"))) == 2
    body = text.replace("  a: {uses: set, AFTER with: {v: '${ trigger.body.x }'}}\n", "  a: {uses: set, after: one}\n")
    looped = (
        "  l: {uses: foreach, after: a, with: {over: [1]}, steps: {c: {uses: set, with: {v: '${ trigger.body }'}}}}\n"
    )
    assert problems(body + looped) == []


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("trigger.bdy", "There is no `trigger.bdy`. Did you mean `body`?"),
        ("$count(trigger.headrs)", "There is no `trigger.headrs`. Did you mean `headers`?"),
        ("vars.ulr", "There is no `vars.ulr`. Did you mean `url`?"),
        ("inputs.totl", "There is no `inputs.totl`. Did you mean `total`?"),
        ("rows.inputs", "Unknown name `rows`."),
        ("execution.started", "There is no `execution.started`. Did you mean `started_at`?"),
        ("execution.link.s", "There is no `execution.link`. Did you mean `links`?"),
        ("inputs.total[$inputs.totel > 1][0]", "There is no `inputs.totel`. Did you mean `total`?"),
    ],
)
def test_a_name_that_nobody_hands_over_is_refused(expression, what):
    rest = "inputs: {total: {type: number, optional: true}}\nvars: {url: x}\n"
    step = f"steps:\n  s: {{uses: set, with: {{v: '${{ {expression} }}'}}}}\n"
    assert of_trigger("{uses: webhook, verify: none}", step, rest) == [what]


@pytest.mark.parametrize(
    "expression",
    [
        "trigger.headers.'x-shop'", "trigger.body.anything", "vars.url", "inputs.total", "execution.id", "trigger.body.inputs.x",
        '"inputs.totl"', "trigger.body[vars = 1][0]", "trigger.body.(inputs.a)[0]",
    ],
)  # fmt: skip
def test_names_that_there_are_and_fields_of_the_same_name_are_taken(expression):
    rest = "inputs: {total: {type: number, optional: true}}\nvars: {url: x}\n"
    step = f'steps:\n  s: {{uses: data.sort, with: {{rows: "${{ {expression.replace(chr(34), chr(39))} }}"}}}}\n'
    found = of_trigger("{uses: webhook, verify: none}", step, rest)
    assert [one for one in found if one.startswith("There is no")] == []


def test_a_flow_that_declares_no_inputs_takes_any():
    assert problems("steps:\n  s: {uses: set, with: {v: '${ inputs.whatever }'}}\n") == []


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("{uses: webhook}", "`webhook` is a trigger: it starts a flow, and is no step."),
        ("{uses: slack.post_message, with: {channel: x, text: y}}", "`slack.post_message` needs a credential."),
        ("{uses: set, credential: x}", "`set` takes no credential."),
        ("{uses: switch, with: {cases: {done: '${ 1 = 1 }'}}}", "A case cannot be named `done`: that is a port with a meaning of its own."),
        ("{uses: switch, with: {cases: {else: '${ 1 = 1 }'}}}", "A case cannot be named `else`: that is a port with a meaning of its own."),
        ("{uses: switch, with: {cases: {Big: '${ 1 = 1 }'}}}", "`Big` cannot name a case: a case is a port."),
        ("{uses: switch, with: {cases: {big: inputs.x}}}", '`big` needs an expression; this is the text "inputs.x".'),
        ("{uses: wait, with: {for: 367d}}", '`for` is at most 366d, not the text "367d".'),
        ("{uses: wait, timeout: 1m, with: {for: 2m}}", "`timeout` says nothing of `wait`: it is no attempt that could take too long."),
        ("{uses: callback, timeout: 1m}", "`timeout` says nothing of `callback`: it is no attempt that could take too long."),
        ("{uses: approval, timeout: 1m, with: {ask: x}}", "`timeout` says nothing of `approval`: it is no attempt that could take too long."),
        ("{uses: callback, retry: {attempts: 2}}", "`retry` says nothing of `callback`: there is nothing to try again."),
        ("{uses: callback, effect: at_most_once}", "`effect` says nothing of `callback`: it touches nothing."),
        ("{uses: wait, run: apart, with: {for: 2m}}", "`run` says nothing of `wait`: while it waits nothing runs."),
        ("{uses: foreach, with: {over: [1]}, steps: {b: {uses: callback, run: apart}}}", "`run` says nothing of `callback`: while it waits nothing runs."),
        ("{uses: foreach, with: {over: [1], as: steps}, steps: {b: {uses: set}}}", "`as: steps` is no name for an item."),
        ("{uses: foreach, with: {over: [1]}, steps: {b: {uses: set}, c: {uses: set}}}", "The loop `s` does not say what each turn gives: its body ends with `b` and `c`."),
        ("{uses: foreach, with: {over: [1], as: row, batch: 2}, steps: {b: {uses: set}}}", "With `batch` the items go by the name `items`."),
        ("{uses: foreach, with: {over: [1]}, steps: {b: {uses: set, run: apart}}}", "`run: apart` says nothing inside a loop: `s` spreads its turns by itself."),
        ("{uses: set, if: 'x ${ inputs.a }'}", "`if` needs one expression and nothing around it; this is text with expressions inside."),
        ("{uses: set, if: 5}", "`if` needs an expression; this is 5."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_use_of_a_node_is_named(body, what):
    assert [one.what for one in checked(f"steps:\n  s: {body}\n").problems] == [what]


def test_a_credential_is_optional_where_any_kind_will_do():
    assert problems("steps:\n  s: {uses: http.request, with: {url: x}}\n") == []
    assert problems("steps:\n  s: {uses: http.request, credential: c, with: {url: x}}\n") == []


def test_a_loop_within_a_loop_names_its_items():
    text = (
        "steps:\n  a:\n    uses: foreach\n    with: {over: [1]}\n    steps:\n"
        "      b: {uses: foreach, with: {over: '${ item }' AS}, steps: {c: {uses: set, with: {v: '${ item }'}}}}\n"
    )
    (problem,) = problems(text.replace(" AS", ""))
    assert "`item` is already the item of the loop `a` around `b`." in problem
    assert problems(text.replace(" AS", ", as: row")) == []
    assert problems(text.replace(" AS", ", batch: 2")) == []


def test_a_name_of_a_loop_ends_with_its_body():
    text = "steps:\n  a: {uses: foreach, with: {over: [1], as: row}, steps: {b: {uses: set, with: {v: '${ NAME }'}}}}\n"
    assert problems(text.replace("NAME", "row.x & index")) == []
    assert "Unknown name `item`." in problems(text.replace("NAME", "item"))[0]


def warnings(text):
    report = checked(text)
    assert report.problems == ()
    return [(one.line, one.what) for one in report.warnings]


def test_an_effect_that_waits_for_nothing_while_others_wait_is_a_warning():
    send = "  send: {uses: http.request, with: {url: x, method: POST}}\n"
    waiting = "  b: {uses: set, after: send}\n"
    sentence = "`send` acts on the world (at_least_once) and waits for nothing: it starts at once."
    assert warnings(f"steps:\n{send}{waiting}") == [(3, sentence)]
    assert warnings(f"steps:\n{send}") == []
    assert warnings(f"steps:\n{send.replace('POST', 'GET')}{waiting}") == []
    led = send.replace("url: x", "url: '${ inputs.u }'")
    assert warnings(f"steps:\n{led}{waiting}") == []
    assert (
        warnings(f"triggers: {{t: {{uses: manual}}}}\nsteps:\n{send.replace('uses', 'after: t, uses')}{waiting}") == []
    )


def test_a_respond_that_nobody_waits_for_is_a_warning():
    step = "steps:\n  r: {uses: respond, with: {status: 200}}\n"
    hook = "triggers:\n  t: {uses: webhook, verify: none, respond: step}\n"
    assert warnings(step) == [(3, "`r` answers nobody: no trigger says `respond: step`.")]
    assert warnings(hook + step) == []


def test_an_output_that_may_be_missing_is_a_warning():
    text = "steps:\n  a: {uses: set, if: '${ inputs.x = 1 }', with: {v: 1}}\n  b: {uses: set}\noutput: ['${ steps.a.v }', '${ steps.b }']\n"
    assert warnings(text) == [(5, "`a` may be skipped or fail, and then `steps.a.v` is missing.")]
    assert warnings(text.replace("steps.a.v", "steps.a.v ?? null")) == []


def test_one_name_for_an_input_and_a_step_is_a_warning():
    text = "inputs: {a: {type: string, default: x}}\nvars: {b: 1}\nsteps:\n  a: {uses: set}\n  b: {uses: set}\n"
    assert warnings(text) == [(2, "`a` names two things in this file."), (3, "`b` names two things in this file.")]


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ("number", 'The input `a` is described by a map, not the text "number".'),
        ("{type: nubmer}", '`type` is string, number, integer, boolean, array, object or null, not the text "nubmer".'),
        ("{type: string, minimun: 1}", "An input's schema has no `minimun` here. Did you mean `minimum`?"),
        ("{type: string, pattern: '['}", "`pattern` is no regular expression."),
        ("{type: string, minLength: x}", '`minLength` is a whole number from 0, not the text "x".'),
        ("{type: number, default: x}", "The default does not fit. It is text, and a number is needed."),
        ("{type: array, items: string}", 'A schema is a map, not the text "string".'),
        ("{type: array, items: false}", "A schema is a map, not false."),
        ("{type: object, required: [1]}", "`required` is a list of names, not a list."),
        (
            "{type: object, properties: {b: {type: integer, default: zz}}}",
            "The default does not fit. It is text, and a",
        ),
        ("{type: object, properties: {b: {type: x}}}", "`type` is string, number, integer"),
        ("{enum: []}", "`enum` is a list with entries, not a list."),
    ],
)
def test_a_mistake_in_an_input_s_schema_is_named(schema, what):
    (problem,) = checked(f"inputs: {{a: {schema}}}\n{STEP}").problems
    assert problem.what.startswith(what)


def test_a_var_is_a_plain_value():
    (problem,) = problems(f"vars: {{a: ['${{ inputs.x }}']}}\n{STEP}")
    assert "The var `a` holds an expression: vars are plain values." in problem
    assert problems(f"vars: {{a: {{b: [1, '$${{x}}']}}}}\n{STEP}") == []


def of_lane(key, rest=""):
    text = f"{rest}concurrency: {{key: '${{ {key} }}'}}\n{STEP}"
    found = checked(text).problems
    assert all("concurrency" in text.splitlines()[one.line - 2] for one in found)
    return [(one.what, one.do) for one in found]


@pytest.mark.parametrize(
    ("key", "what", "do"),
    [
        ("steps.s.x", "`steps.s`: no step has run yet when a trigger starts the flow.", "Use `trigger`, `inputs` and `vars` here."),
        ("errors.gone.code", "`errors.gone`: no step has run yet when a trigger starts the flow.", "Use `trigger`, `inputs` and `vars` here."),
        ("vars.regin", "There is no `vars.regin`. Did you mean `region`?", "Names here: region."),
        ("inputs.custmer", "There is no `inputs.custmer`. Did you mean `customer`?", "Names here: customer."),
        ("trigger.body.id", "`trigger.body` depends on which trigger started the flow: `a` or `b`.", "Let each trigger fill `inputs` and use those, or let the step be `after` its trigger."),
    ],
)  # fmt: skip
def test_the_key_of_a_lane_sees_what_starts_an_execution_and_nothing_else(key, what, do):
    rest = (
        "vars: {region: eu}\ninputs: {customer: {type: string, optional: true}}\n"
        "triggers: {a: {uses: webhook, verify: none}, b: {uses: manual}}\n"
    )
    assert of_lane(key, rest) == [(what, do)]


def test_the_key_of_a_lane_knows_no_execution_and_no_item():
    for name in ("execution.id", "item", "failure.code", "customer"):
        ((what, _),) = of_lane(name)
        assert what == f"Unknown name `{name.partition('.')[0]}`."


def test_a_key_from_inputs_vars_and_the_trigger_is_taken():
    rest = "vars: {region: eu}\ninputs: {customer: {type: string}}\n"
    assert of_lane("inputs.customer & vars.region & trigger.name", rest) == []
    assert problems(f"concurrency: {{max: 3, key: 'c-${{ trigger.body.id }}'}}\n{STEP}") == []
    assert problems(f"concurrency: 3\n{STEP}") == []


def test_a_step_that_is_called_as_the_flow_s_key_is_another_thing():
    text = "concurrency: {key: '${ inputs.a }'}\nsteps:\n  concurrency: {uses: set}\n  key: {uses: set, after: concurrency}\n"
    assert problems(text) == []


def test_a_cap_is_known_by_the_words_of_other_tools():
    (problem,) = checked(f"concurrency: {{group: x, max: 2}}\n{STEP}").problems
    assert problem.do == 'What tells executions apart stands in `key`: "${ ... }".'


def test_what_waits_for_an_answer_may_stand_in_a_loop_and_not_below_on_failure():
    body = "{uses: foreach, with: {over: [1]}, steps: {b: BODY}}"
    for waiting in ("{uses: callback}", "{uses: approval, with: {ask: x}}", "{uses: wait, with: {for: 2d}}"):
        assert problems(f"steps:\n  s: {body.replace('BODY', waiting)}\n") == []
    assert problems(f"{STEP}on_failure:\n  w: {{uses: wait, with: {{for: 1m}}}}\n") == []
    (problem,) = checked(f"{STEP}on_failure:\n  ask: {{uses: approval, with: {{ask: x}}}}\n").problems
    assert problem.what == "`approval` cannot stand below `on_failure`: an execution that is ending takes no answer."
    assert problem.do == "Let `call` start a flow that asks."


def test_the_cure_for_a_timeout_of_a_wait_is_how_long_it_waits():
    (problem,) = checked("steps:\n  s: {uses: approval, timeout: 1m, with: {ask: x}}\n").problems
    assert problem.do == "Write how long it waits: with: {expires: 2d}."


@pytest.mark.parametrize("key", ["retry: {attempts: 3}", "timeout: 1m"])
def test_what_says_nothing_of_a_repeat_is_refused_too(key):
    (problem,) = problems(f"steps:\n  r: {{uses: repeat, {key}, with: {{until: true}}, steps: {{a: {{uses: set}}}}}}\n")
    assert "says nothing of a loop: each step below `r` is tried, and timed, by itself." in problem


@pytest.mark.parametrize("key", ["retry: {attempts: 3}", "timeout: 1m"])
def test_what_says_nothing_of_a_loop_is_refused_at_the_loop_and_taken_at_its_steps(key):
    text = """flow: f
steps:
  each:
    uses: foreach
    LOOP
    with: {over: [1, 2]}
    steps:
      a:
        uses: set
        BODY
        with: {v: '${ item }'}
"""
    (problem,) = checked(text.replace("    LOOP\n", f"    {key}\n").replace("        BODY\n", "")).problems
    assert (problem.line, problem.column) == (5, 5)
    assert "says nothing of a loop" in problem.what
    assert checked(text.replace("    LOOP\n", "").replace("BODY", key)).problems == ()
