"""Running cases on the real engine: mocks stand in for the world, pure steps really run, time jumps."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rehearsal.flows import DESK, DESK_MOCKS, differences, run

ROOT = Path(__file__).parents[2]
NOW = 'clock: "2026-11-20T07:00:00Z"\n'


def desk(folder, cases, mocks=DESK_MOCKS):
    return run(folder, DESK, f"flow: desk\n{NOW}{mocks}cases:\n{cases}")


def one(folder, flow, case, head=""):
    """The only case of a flow called `it`."""
    results = run(folder, flow, f"flow: it\n{NOW}{head}cases:\n  one: {case}\n")
    return results["one"]


def test_pure_steps_really_run_and_what_is_sent_is_seen(tmp_path):
    cases = """\
  small:
    inputs: {total: 19.99}
    expect:
      ran: [charge, stock, size, tell]
      skipped: [review, refuse, sold_out]
      failed: []
      sent:
        charge: {method: POST, json: {cents: 1999}}
        tell: {channel: "#desk", text: "Charged ch_1, left 4, by nobody"}
      output: {charge: ch_1}
      clock: "2026-11-20T07:00:00Z"
"""
    (result,) = desk(tmp_path, cases).values()
    assert differences(result) == []
    assert result.went.calls["stock"] == [{"url": "https://stock.example/of", "query": {"name": "Ann"}}]


def test_a_person_answers_after_as_long_as_the_mock_says(tmp_path):
    cases = """\
  yes:
    inputs: {total: 250}
    mocks: {review: {port: approved, returns: {by: ann}, after: 5h}}
    expect: {ran: [charge, stock, size, review, tell], clock: "2026-11-20T12:00:00Z",
             sent: {review: {ask: Ship 250 to Ann?}, tell: {text: "Charged ch_1, left 4, by ann"}}}
  no:
    inputs: {total: 250}
    mocks: {review: {port: rejected, returns: {comment: too dear}, after: 1h}}
    expect: {ran: [charge, stock, size, review, refuse], sent: {refuse: {text: "No: too dear"}}}
  nobody:
    inputs: {total: 250}
    mocks: {review: {port: expired}}
    expect: {ran: [charge, stock, size, review, refuse], clock: "2026-11-22T07:00:00Z"}
  too late:
    inputs: {total: 250}
    mocks: {review: {port: approved, after: 3d}}
    expect: {skipped: [tell, sold_out], clock: "2026-11-22T07:00:00Z", sent: {refuse: {text: "No: too late"}}}
"""
    assert {name: differences(result) for name, result in desk(tmp_path, cases).items()} == {
        "yes": [],
        "no": [],
        "nobody": [],
        "too late": [],
    }


def test_the_triggers_condition_and_its_inputs_really_run(tmp_path):
    cases = """\
  mapped:
    trigger: {placed: {body: {kind: order, total: 5}, headers: {x-name: Bo}}}
    expect: {sent: {stock: {query: {name: Bo}}}}
  another kind:
    trigger: {placed: {body: {kind: greeting}}}
    expect: {status: ignored}
  taken for ignored:
    trigger: {placed: {body: {kind: order, total: 5}, headers: {x-name: Bo}}}
    expect: {status: ignored}
  without a total:
    trigger: {placed: {body: {kind: order}, headers: {x-name: Bo}}}
    expect: {status: refused}
  refused though none expects it:
    trigger: {placed: {body: {kind: order, total: many}, headers: {x-name: Bo}}}
  by hand:
    trigger: {by_hand: {}}
    inputs: {total: 5, name: Cy}
    expect: {sent: {stock: {query: {name: Cy}}}}
"""
    found = {name: differences(result) for name, result in desk(tmp_path, cases).items()}
    assert found["taken for ignored"] == ["status"]
    status, reason = found["refused though none expects it"]
    assert status == "status"
    assert "total" in reason
    assert {name for name, each in found.items() if each} == {"taken for ignored", "refused though none expects it"}


def test_a_step_that_would_touch_the_world_fails_the_case_and_says_how_to_mock_it(tmp_path):
    flow = """\
flow: it
steps:
  ask: {uses: http.request, on_error: continue, with: {url: "https://a.example/"}}
  put:
    uses: s3.put_object
    credential: aws
    on_error: continue
    with: {bucket: box, key: k, text: hello, region: eu-central-1}
  child: {uses: call, effect: pure, on_error: continue, with: {flow: it}}
  wait: {uses: callback, with: {expires: 1h}}
  sign: {uses: crypto.hmac, credential: key, on_error: continue, with: {text: hello}}
  lies: {uses: http.request, effect: pure, on_error: continue, with: {url: "https://b.example/?token=x"}}
  stop:
    uses: fail
    after: [ask.settled, put.settled, child.settled, wait.error, sign.settled, lies.settled]
    with: {message: enough}
on_failure:
  tell: {uses: slack.post_message, credential: slack, with: {channel: c, text: t}}
"""
    result = one(tmp_path, flow, "{inputs: {}, expect: {status: failed}}")
    said = "\n".join(differences(result))
    assert "`ask` (`http.request`) would reach the world, and has no mock. Add under `mocks`: ask: {returns: " in said
    assert "`put` (`s3.put_object`) would reach the world" in said
    assert "`child` would start another flow" in said
    assert (
        "`wait` (`callback`) waits for somebody, and has no mock. Say who answers, under `mocks`: wait: {port" in said
    )
    assert "`sign` uses the credential `key`, and has no mock. Add under `mocks`: sign: {returns: ...}" in said
    assert "`lies` would send GET https://b.example/, and has no mock." in said
    assert "token" not in said
    assert "`tell` (`slack.post_message`) would reach the world" in said


def test_even_a_failure_that_the_flow_handles_does_not_hide_a_missing_mock(tmp_path):
    flow = """\
flow: it
steps:
  ask: {uses: http.request, on_error: continue, with: {url: "https://a.example/"}}
output: "${ steps.ask ?? 'nothing' }"
"""
    result = one(tmp_path, flow, "{inputs: {}}")
    assert result.went.status == "succeeded"
    assert [each.split(",")[0] for each in differences(result)] == ["`ask` (`http.request`) would reach the world"]


def test_a_pure_step_may_be_mocked_and_a_parameter_that_does_not_fit_is_found_all_the_same(tmp_path):
    flow = """\
flow: it
inputs: {n: {type: integer}}
steps:
  sign: {uses: crypto.hmac, credential: key, with: {text: hello}}
  size: {uses: switch, with: {cases: {large: "${ inputs.n > 5 }"}}}
  a: {uses: set, after: size.large, with: {x: 1}}
  put: {uses: sqs.send_message, credential: aws, with: {queue_url: "https://sqs.example/q", body: "${ $string(inputs.n) & '' }", delay_seconds: "${ inputs.n }"}}
"""
    head = "mocks: {sign: {returns: abc}, size: {port: large}, put: {returns: {message_id: m}}}\n"
    good = one(tmp_path, flow, "{inputs: {n: 1}, expect: {ran: [sign, size, a, put]}}", head)
    assert differences(good) == []
    bad = one(tmp_path, flow, "{inputs: {n: 901}, expect: {status: failed, failed: put}}", head)
    assert differences(bad) == []
    assert "delay_seconds" in bad.went.reason


def test_a_list_of_mocks_goes_by_attempts_and_retries_move_the_clock(tmp_path):
    cases = """\
  in the end:
    inputs: {total: 1}
    mocks: {stock: [{error: {code: timeout}}, {error: {status: 429, retry_after: 90s}}, {returns: {body: {left: 1}}}]}
    expect: {sent: {stock: [{}, {}, {}]}, status: succeeded}
  never:
    inputs: {total: 1}
    mocks: {stock: {error: {status: 503}}}
    expect: {failed: stock, ran: [charge, size, sold_out], sent: {stock: [{}, {}, {}]}}
  not tried again:
    inputs: {total: 1}
    mocks: {stock: {error: {status: 404}}}
    expect: {failed: stock, sent: {stock: [{}]}}
  the list is too short:
    inputs: {total: 1}
    mocks: {stock: [{error: {status: 503}}, {error: {status: 503}}]}
    expect: {failed: stock}
"""
    found = desk(tmp_path, cases)
    good = {name: differences(result) for name, result in found.items() if name != "the list is too short"}
    assert good == {"in the end": [], "never": [], "not tried again": []}
    waited = found["in the end"].went.ended
    assert waited is not None
    assert 90 <= (waited - found["in the end"].case.clock).total_seconds() <= 95
    assert differences(found["the list is too short"]) == [
        "`stock` is tried once more than its list of mocks says. Add a mock to it."
    ]


def test_a_mock_that_takes_longer_than_its_step_may_times_out_and_nobody_knows_of_an_effect(tmp_path):
    cases = """\
  read: {inputs: {total: 1}, mocks: {stock: {returns: {body: {left: 1}}, after: 20s}}, expect: {failed: stock}}
  just in time: {inputs: {total: 1}, mocks: {stock: {returns: {body: {left: 1}}, after: 19s}}, expect: {failed: [], clock: "2026-11-20T07:00:19Z"}}
  effect: {inputs: {total: 1}, mocks: {charge: {returns: {body: {id: 1}}, after: 25s}}, expect: {status: failed, failed: charge}}
"""
    found = desk(tmp_path, cases)
    assert [differences(result) for result in found.values()] == [[], [], []]
    assert "unknown" in found["effect"].went.fates["charge"].said


def test_a_flow_sees_of_a_mocked_error_what_it_would_see_of_a_real_one(tmp_path):
    flow = """\
flow: it
steps:
  ask: {uses: http.request, with: {url: "https://a.example/"}}
  seen: {uses: set, with: {it: "${ errors.ask }"}}
output: "${ steps.seen.it }"
"""
    error = "{error: {code: http_409, message: sold out, detail: {sku: A}}}"
    result = one(tmp_path, flow, f"{{inputs: {{}}, mocks: {{ask: {error}}}}}")
    assert result.went.output == {"code": "http_409", "message": "sold out", "status": 409, "detail": {"sku": "A"}}


LOOPS = """\
flow: it
inputs: {rows: {type: array, default: [1, 2, 3]}}
steps:
  all:
    uses: foreach
    with: {over: "${ inputs.rows }", tolerate: 100%, concurrency: 2}
    steps:
      odd: {uses: switch, with: {cases: {yes: "${ item % 2 = 1 }"}}}
      post:
        uses: http.request
        after: odd.yes
        retry: {attempts: 2, first: 1s}
        with: {method: POST, url: "https://a.example/${ item }"}
      even: {uses: set, after: odd.else, with: {even: "${ item }"}}
      never: {uses: set, if: "${ item > 100 }", with: {x: 1}}
    output: "${ steps.post.body.id ?? 'none' }"
output: "${ steps.all.results }"
"""


def test_a_list_of_mocks_goes_by_the_turns_of_a_loop_and_then_by_attempts(tmp_path):
    post = "[{returns: {body: {id: a}}}, {returns: {}}, [{error: {status: 503}}, {returns: {body: {id: c}}}]]"
    case = f"""{{inputs: {{}}, mocks: {{post: {post}}}, expect: {{
    ran: [all, odd, post, even], skipped: [never], output: [a, none, c],
    sent: {{post: [{{url: "https://a.example/1"}}, {{url: "https://a.example/3"}}, {{url: "https://a.example/3"}}]}}}}}}"""
    assert differences(one(tmp_path, LOOPS, case)) == []


def test_of_a_loops_body_a_step_has_failed_that_failed_in_any_turn(tmp_path):
    case = """{inputs: {}, mocks: {post: [{returns: {body: {id: a}}}, {returns: {}}, {error: {status: 400}}]}, expect: {
    ran: [all, odd, post, even], failed: post, skipped: [never], output: [a, none, null]}}"""
    assert differences(one(tmp_path, LOOPS, case)) == []
    bad = one(tmp_path, LOOPS, "{inputs: {rows: [x]}, expect: {ran: [all], failed: odd}}")
    assert differences(bad) == []


def test_a_loop_without_items_leaves_its_body_neither_run_nor_skipped(tmp_path):
    case = "{inputs: {rows: []}, expect: {ran: [all], skipped: [], failed: [], output: []}}"
    assert differences(one(tmp_path, LOOPS, case)) == []


def test_a_loop_that_is_mocked_whole_runs_nothing_of_its_body(tmp_path):
    case = "{inputs: {}, mocks: {all: {returns: {results: [x, y], failed: [], count: 2}}}, expect: {ran: [all], output: [x, y]}}"
    assert differences(one(tmp_path, LOOPS, case)) == []
    fails = (
        "{inputs: {}, mocks: {all: {error: {code: loop, message: all of them}}}, expect: {status: failed, failed: all}}"
    )
    assert differences(one(tmp_path, LOOPS, fails)) == []


def test_a_wide_loop_has_a_mock_for_every_turn_of_its_chunks(tmp_path):
    posts = ", ".join(f"{{returns: {{body: {{id: {n}}}}}}}" for n in range(1, 36))
    rows = list(range(1, 36))
    case = f"{{inputs: {{rows: {rows}}}, mocks: {{post: [{posts}]}}, expect: {{ran: [all, odd, post, even]}}}}"
    result = one(tmp_path, LOOPS, case)
    assert differences(result) == []
    assert result.went.output == [n if n % 2 else "none" for n in rows]


NESTED = """\
flow: it
steps:
  outer:
    uses: foreach
    with: {over: [a, b], as: row}
    steps:
      inner:
        uses: repeat
        with: {until: "${ steps.look.body.done }", every: 10s, max: 4}
        steps:
          look: {uses: http.request, with: {url: "https://x.example/${ row }/${ round }"}}
        output: "${ steps.look.body.at }"
output: "${ steps.outer.results }"
"""


def test_in_loops_within_loops_lists_stand_in_lists_and_rounds_count_from_the_first(tmp_path):
    more = "{returns: {body: {done: false, at: 0}}}"
    look = f"[[{{returns: {{body: {{done: true, at: 1}}}}}}], [{more}, {more}, {{returns: {{body: {{done: true, at: 3}}}}}}]]"
    case = f"""{{inputs: {{}}, mocks: {{look: {look}}}, expect: {{
      ran: [outer, inner, look], output: [1, 3], clock: "2026-11-20T07:00:20Z",
      sent: {{look: [{{url: "https://x.example/a/1"}}, {{url: "https://x.example/b/1"}}, {{url: "https://x.example/b/2"}}, {{url: "https://x.example/b/3"}}]}}}}}}"""
    assert differences(one(tmp_path, NESTED, case)) == []


def test_a_repeat_that_is_never_done_fails_with_the_engines_own_code(tmp_path):
    case = "{inputs: {}, mocks: {look: {returns: {body: {done: false, at: 0}}}}, expect: {status: failed, failed: [outer, inner]}}"
    result = one(tmp_path, NESTED, case)
    assert differences(result) == []
    assert "repeat_max" in result.went.reason


def test_a_repeat_may_be_mocked_whole_and_its_until_is_not_asked(tmp_path):
    case = "{inputs: {}, mocks: {inner: [{returns: 7}, {returns: 8}]}, expect: {ran: [outer, inner], output: [7, 8]}}"
    assert differences(one(tmp_path, NESTED, case)) == []


def test_answers_in_a_loop_go_by_its_turns(tmp_path):
    flow = """\
flow: it
inputs: {rows: {type: array}}
steps:
  all:
    uses: foreach
    with: {over: "${ inputs.rows }", concurrency: 10}
    steps:
      ask: {uses: approval, with: {ask: "${ item }? ${ execution.links.ask }", expires: 2h}}
      yes: {uses: set, after: ask.approved, with: {by: "${ steps.ask.by }"}}
      no: {uses: set, after: {any: [ask.rejected, ask.expired]}, with: {by: nobody}}
    output: "${ steps.yes.by ?? steps.no.by ?? 'lost' }"
output: "${ steps.all.results }"
"""
    ask = "[{port: approved, returns: {by: ann}, after: 30m}, {port: rejected, after: 1h}, {port: expired}]"
    case = f'{{inputs: {{rows: [a, b, c]}}, mocks: {{ask: {ask}}}, expect: {{output: [ann, nobody, nobody], clock: "2026-11-20T09:00:00Z"}}}}'
    result = one(tmp_path, flow, case)
    assert differences(result) == []
    assert {port for port in result.went.ports if port.startswith("ask.")} == {
        "ask.approved",
        "ask.rejected",
        "ask.expired",
    }
    rows = list(range(25))
    wide = f"{{inputs: {{rows: {rows}}}, mocks: {{ask: {{port: approved, returns: {{by: bo}}, after: 30m}}}}, expect: {{ran: [all, ask, yes]}}}}"
    result = one(tmp_path, flow, wide)
    assert differences(result) == []
    assert result.went.output == ["bo"] * 25


def test_waits_and_pauses_jump_the_clock_a_year_if_need_be(tmp_path):
    flow = """\
flow: it
steps:
  long: {uses: wait, with: {for: 366d}}
  until: {uses: wait, after: long, with: {until: "2028-01-01"}}
  done: {uses: callback, after: until, with: {expires: 30d, heartbeat: 2d}}
  thanks: {uses: set, after: done.received, with: {x: "${ steps.done.body.x }"}}
"""
    case = '{inputs: {}, mocks: {done: {port: received, returns: {body: {x: 7}}, after: 1d}}, expect: {clock: "2028-01-02T00:00:00Z", ran: [long, until, done, thanks]}}'
    assert differences(one(tmp_path, flow, case)) == []


def test_another_flow_is_never_started_its_mock_says_what_came_of_it(tmp_path):
    flow = """\
flow: it
steps:
  left: {uses: call, with: {flow: other, inputs: {n: 1}}}
  child: {uses: call, with: {flow: other, wait: true, inputs: {n: 2}}}
  failed: {uses: set, with: {why: "${ errors.child.code }: ${ errors.child.detail.step }"}}
output: "${ steps.child.total ?? steps.failed.why ?? 'nothing' }"
"""
    left = "left: {returns: {id: x, url: y}}"
    well = f'{{inputs: {{}}, mocks: {{{left}, child: {{returns: {{total: 5}}, after: 3h}}}}, expect: {{output: 5, clock: "2026-11-20T10:00:00Z", sent: {{child: {{inputs: {{n: 2}}}}}}}}}}'
    assert differences(one(tmp_path, flow, well)) == []
    error = "{error: {code: child_failed, message: it failed, detail: {step: pay}}, after: 1h}"
    badly = f'{{inputs: {{}}, mocks: {{{left}, child: {error}}}, expect: {{failed: child, output: "child_failed: pay", clock: "2026-11-20T08:00:00Z"}}}}'
    assert differences(one(tmp_path, flow, badly)) == []


def test_on_failure_runs_and_a_deadline_ends_what_takes_too_long(tmp_path):
    flow = """\
flow: it
deadline: 1h
steps:
  pause: {uses: wait, with: {for: 2h}}
on_failure:
  tell: {uses: slack.post_message, credential: slack, with: {channel: c, text: "${ failure.code }"}}
"""
    head = "mocks: {tell: {returns: {}}}\n"
    case = '{inputs: {}, expect: {status: timed_out, ran: [tell], sent: {tell: {text: deadline}}, clock: "2026-11-20T08:00:00Z"}}'
    assert differences(one(tmp_path, flow, case, head)) == []


def test_vars_are_those_of_the_file_and_of_the_case(tmp_path):
    cases = """\
  file: {inputs: {total: 30}, expect: {skipped: [review, refuse, sold_out]}}
  case: {inputs: {total: 30}, vars: {limit: 20}, mocks: {review: {port: rejected}}, expect: {ran: [charge, stock, size, review, refuse], sent: {refuse: {channel: "#night"}}}}
"""
    found = desk(tmp_path, cases, f'vars: {{channel: "#night"}}\n{DESK_MOCKS}')
    assert [differences(result) for result in found.values()] == [[], []]


def test_a_case_may_begin_at_a_time_of_its_own(tmp_path):
    flow = 'flow: it\nsteps:\n  a: {uses: set, with: {day: "${ $day($now()) }"}}\noutput: "${ steps.a.day }"\n'
    assert one(tmp_path, flow, '{inputs: {}, expect: {output: "2026-11-20"}}').has_passed
    assert one(
        tmp_path, flow, '{inputs: {}, clock: "2027-02-03T04:05:06.789Z", expect: {output: "2027-02-03"}}'
    ).has_passed
    exact = '{inputs: {}, clock: "2027-02-03T04:05:06.789Z", expect: {clock: "%s"}}'
    assert one(tmp_path, flow, exact % "2027-02-03T04:05:06.789Z").has_passed
    assert one(tmp_path, flow, exact % "2027-02-03T04:05:06Z").has_passed
    assert not one(tmp_path, flow, exact % "2027-02-03T04:05:06.788Z").has_passed


RANDOM = """\
flow: it
steps:
  a: {uses: set, with: {now: "${ $now() }", uuid: "${ $uuid() }", random: "${ $random() }", id: "${ execution.id }"}}
  first: {uses: http.request, with: {url: "https://a.example/"}}
  second: {uses: http.request, with: {url: "https://b.example/"}}
  won: {uses: set, after: {first: [first.done, second.done]}, with: {by: "${ $exists(steps.first) ? 'first' : 'second' }"}}
output: {it: "${ steps.a }", won: "${ steps.won.by }"}
"""


def test_the_same_case_gives_the_same_on_every_run(tmp_path):
    head = "mocks: {first: {returns: {}}, second: {returns: {}}}\n"
    outputs = [one(tmp_path, RANDOM, "{inputs: {}}", head).went.output for _ in range(3)]
    assert outputs[0] == outputs[1] == outputs[2]
    assert outputs[0]["it"]["now"] == "2026-11-20T07:00:00.000Z"
    script = (
        "import sys; from pathlib import Path\n"
        "from chalicelib.rehearsal.files import read_tests\n"
        "from chalicelib.rehearsal.running import run_case\n"
        "print([run_case(case).went.output for case in read_tests(Path(sys.argv[1])).cases])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script, tmp_path / "it.test.yaml"],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {f"{[outputs[0]]}\n"}


def test_an_execution_that_never_ends_is_told_of(tmp_path):
    flow = "flow: it\nsteps:\n  ask: {uses: approval, with: {ask: Well?}}\n"
    result = one(tmp_path, flow, "{inputs: {}, mocks: {ask: {port: expired}}}")
    assert differences(result) == ["status", "the reason: it never ended: running, `ask` is open"]


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_what_an_expression_cannot_find_is_a_failure_like_any_other(tmp_path, status):
    flow = """\
flow: it
steps:
  ask: {uses: http.request, with: {url: "https://a.example/"}}
  use: {uses: set, with: {status: "${ steps.ask.status }"}}
"""
    result = one(
        tmp_path, flow, f"{{inputs: {{}}, mocks: {{ask: {{returns: {{body: 1}}}}}}, expect: {{status: {status}}}}}"
    )
    assert result.has_passed is (status == "failed")
    assert "steps.ask.status" in result.went.reason


def test_what_follows_a_failure_elsewhere_is_tested_by_what_its_trigger_hands_over(tmp_path):
    flow = """\
flow: it
inputs: {flow: {type: string}, code: {type: string}}
triggers:
  failed: {uses: error, with: {flows: [shop]}, inputs: {flow: "${ trigger.flow }", code: "${ trigger.code }"}}
steps:
  tell: {uses: slack.post_message, credential: slack, with: {channel: c, text: "${ inputs.flow }: ${ inputs.code }"}}
"""
    case = "{trigger: {failed: {flow: shop, code: http_500}}, mocks: {tell: {returns: {}}}, expect: {sent: {tell: {text: 'shop: http_500'}}}}"
    assert differences(one(tmp_path, flow, case)) == []


@pytest.mark.parametrize(
    "more", ["concurrency: 1", "concurrency: {key: '${ inputs.n }'}", "durability: every", "durability: end"]
)
def test_a_flow_with_a_cap_or_another_durability_ends_as_any_other(tmp_path, more):
    flow = f"""\
flow: it
{more}
inputs: {{n: {{type: integer}}}}
steps:
  a: {{uses: http.request, with: {{url: "https://a.example/"}}}}
  b: {{uses: http.request, with: {{method: POST, url: "https://b.example/${{ steps.a.body }}"}}}}
output: "${{ steps.b.body }}"
"""
    head = "mocks: {a: {returns: {body: 1}, after: 3s}, b: {returns: {body: 2}, after: 4s}}\n"
    case = '{inputs: {n: 1}, expect: {ran: [a, b], output: 2, clock: "2026-11-20T07:00:07Z"}}'
    assert differences(one(tmp_path, flow, case, head)) == []


def test_steps_that_run_apart_run_beside_one_another(tmp_path):
    flow = """\
flow: it
steps:
  a: {uses: http.request, run: apart, timeout: 4m, with: {url: "https://a.example/"}}
  b: {uses: http.request, run: apart, timeout: 4m, with: {url: "https://b.example/"}}
  both: {uses: set, with: {a: "${ steps.a.body }", b: "${ steps.b.body }"}}
output: "${ steps.both }"
"""
    head = "mocks: {a: {returns: {body: 1}, after: 2m}, b: {returns: {body: 2}, after: 3m}}\n"
    case = '{inputs: {}, expect: {ran: [a, b, both], output: {a: 1, b: 2}, clock: "2026-11-20T07:03:00Z"}}'
    assert differences(one(tmp_path, flow, case, head)) == []


def test_a_thousand_items_and_a_thousand_rounds_take_little_time(tmp_path):
    case = f"{{inputs: {{rows: {list(range(1000))}}}, mocks: {{post: {{returns: {{body: {{id: x}}}}}}}}, expect: {{ran: [all, odd, post, even, never]}}}}"
    assert differences(one(tmp_path, LOOPS, case)) == []
    flow = """\
flow: it
steps:
  poll:
    uses: repeat
    with: {until: "${ round = 1000 }", every: 1m, max: 1000}
    steps: {look: {uses: set, with: {at: "${ round }"}}}
"""
    result = one(tmp_path, flow, '{inputs: {}, expect: {ran: [poll, look], clock: "2026-11-20T23:39:00Z"}}')
    assert differences(result) == []
