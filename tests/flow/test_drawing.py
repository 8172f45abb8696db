"""A plan drawn for people and for programs."""

import json

from chalicelib.flow.drawing import draw, to_data, to_lines
from tests.flow.catalogue import FILES, order_intake, planned


def test_the_order_intake_is_drawn_by_what_starts_at_once_and_what_follows():
    plan = planned(order_intake())
    lines = list(to_lines(draw(plan)))
    assert lines == [
        f"order-intake  {plan.version[:12]}",
        "started by placed (webhook, verified by shopify)",
        "started by by_hand (manual)",
        "at once",
        "  charge   stripe.create_payment_intent  · at most once",
        "  reserve  http.request  · up to 6 attempts (timeout, 429, 5xx)  · its failure is handled  · at least once",
        "  size     switch  · ports large, else",
        "then",
        "  approve  approval  · after size.large  · ports approved, rejected, expired",
        "then",
        "  confirm  slack.post_message  · after charge, reserve, any of (size.else, approve.approved)  · at least once",
        (
            "  refund   stripe.create_refund  · after charge, first of (reserve.error, approve.rejected, approve.expired)"
            "  · at least once"
        ),
    ]


def test_a_loop_shows_its_body_and_on_failure_stands_apart():
    lines = list(to_lines(draw(planned((FILES / "15-export-poll.yaml").read_text(encoding="utf-8")))))
    assert lines[1:8] == [
        "started by weekly (schedule 0 6 * * MON)",
        "at once",
        "  start  http.request  · at least once",
        "then",
        "  poll  repeat  · after start",
        "    each time",
        "      ask  http.request",
    ]
    assert lines[-3:] == ["when it fails", "  at once", "    tell  slack.post_message  · at least once"]


def test_the_drawing_is_plain_json():
    data = to_data(draw(planned((FILES / "15-export-poll.yaml").read_text(encoding="utf-8"))))
    assert json.loads(json.dumps(data)) == data
    assert [[step["id"] for step in stage] for stage in data["stages"]] == [
        ["start"],
        ["poll"],
        ["bad", "file"],
        ["keep"],
    ]
    assert data["stages"][1][0]["body"][0][0]["id"] == "ask"
    assert [[step["id"] for step in stage] for stage in data["on_failure"]] == [["tell"]]


def test_what_limits_its_executions_and_its_times_is_drawn():
    steps = (
        "steps:\n  a: {uses: http.request, with: {url: x}, retry: {attempts: 3, within: 10m}}\n  b: {uses: callback}\n"
    )
    triggers = (
        "triggers:\n  t: {uses: schedule, with: {every: 1h}, overlap: skip, catch_up: last}\n"
        "  u: {uses: error, with: {flows: [x, y]}}\n  v: {uses: error}\n"
    )
    drawing = draw(planned(f"concurrency: {{max: 2, key: '${{ trigger.name }}'}}\n{triggers}{steps}"))
    assert list(to_lines(drawing))[1:] == [
        "started by t (schedule 1h, overlap skip, catch up last)",
        "started by u (error of x, y)",
        "started by v (error)",
        "at most 2 executions at once for each trigger.name",
        "at once",
        "  a  http.request  · up to 3 attempts within 10m (timeout, connect, 429, 5xx)",
        "  b  callback  · ports received, expired",
    ]
    assert to_data(drawing)["limits"] == ["at most 2 executions at once for each trigger.name"]
    assert draw(planned(f"concurrency: 1\n{steps}")).limits == ("at most 1 execution at once",)
    assert draw(planned(steps)).limits == ()


def test_every_note_is_drawn():
    lines = list(
        to_lines(
            draw(
                planned(
                    "triggers: {hook: {uses: webhook, verify: none}}\nsteps:\n  a: {uses: set, run: apart, on_error: continue}\n"
                    "  b: {uses: set, if: '${ inputs.x = 1 }'}\n  c: {uses: set, after: {at_least: 2, of: [a, b, d]}}\n  d: {uses: set}\n"
                )
            )
        )
    )
    assert lines[1:] == [
        "started by hook (webhook, verifies nothing)",
        "at once",
        "  a  set  · goes on after a failure  · in an invocation of its own",
        "  b  set  · if its condition holds",
        "  d  set",
        "then",
        "  c  set  · after at least 2 of (a, b, d)",
    ]
