"""Flows and test files on disk, for tests of the tests."""

from pathlib import Path

from chalicelib.rehearsal.coverage import coverage
from chalicelib.rehearsal.files import read_tests
from chalicelib.rehearsal.running import Result, run_case

DESK = """\
flow: desk
inputs:
  total: {type: number}
  name: {type: string, default: Ann}
vars: {limit: 100, channel: "#desk"}
triggers:
  placed:
    uses: webhook
    verify: {scheme: token, credential: desk_token}
    if: "${ trigger.body.kind = 'order' }"
    inputs: {total: "${ trigger.body.total }", name: "${ trigger.headers.'x-name' }"}
  by_hand: {uses: manual}
steps:
  charge:
    uses: http.request
    effect: at_most_once
    with: {method: POST, url: "https://pay.example/charge", json: {cents: "${ $cents(inputs.total) }"}}
  stock:
    uses: http.request
    retry: {attempts: 3, first: 5s, factor: 2, cap: 60s}
    timeout: 20s
    with: {url: "https://stock.example/of", query: {name: "${ inputs.name }"}}
  size:
    uses: switch
    with: {cases: {large: "${ inputs.total > vars.limit }"}}
  review:
    uses: approval
    after: size.large
    with: {ask: "Ship ${ inputs.total } to ${ inputs.name }?", expires: 2d}
  tell:
    uses: slack.post_message
    credential: slack_bot
    after: {any: [size.else, review.approved]}
    with:
      channel: "${ vars.channel }"
      text: "Charged ${ steps.charge.body.id }, left ${ steps.stock.body.left }, by ${ steps.review.by ?? 'nobody' }"
  refuse:
    uses: slack.post_message
    credential: slack_bot
    after: {any: [review.rejected, review.expired]}
    with: {channel: "${ vars.channel }", text: "No: ${ steps.review.comment ?? 'too late' }"}
  sold_out:
    uses: set
    with: {why: "${ errors.stock.code }"}
output: {charge: "${ steps.charge.body.id }"}
"""
"""Both kinds of retry, a switch, an approval, a handled failure."""

DESK_MOCKS = """\
mocks:
  charge: {returns: {status: 201, body: {id: ch_1}}}
  stock: {returns: {body: {left: 4}}}
  tell: {returns: {ok: true}}
  refuse: {returns: {ok: true}}
"""


def write(folder: Path, flow: str, tests: str, name: str = "it") -> Path:
    """A flow and its tests beside it; the test file."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(flow)
    path = folder / f"{name}.test.yaml"
    path.write_text(tests)
    return path


def run(folder: Path, flow: str, tests: str) -> dict[str, Result]:
    """Every case of a file, by its name."""
    suite = read_tests(write(folder, flow, tests))
    return {case.name: run_case(case) for case in suite.cases}


def differences(result: Result) -> list[str]:
    """What differed, without places."""
    return [each.what for each in result.differences]


def covered(folder: Path, flow: str, tests: str):
    """What the cases cover."""
    suite = read_tests(write(folder, flow, tests))
    return coverage(suite.plan, [run_case(case).went for case in suite.cases])
