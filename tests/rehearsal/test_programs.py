"""Programs in rehearsals: they run for real, and virtual time stands still meanwhile."""

from tests.rehearsal.flows import differences, run

FLOW = """\
flow: it
triggers: {by_hand: {uses: manual}}
steps:
  compute:
    uses: code.javascript
    with:
      code: |-
        if (input.n > 1) throw new Error("too much");
        let sum = 0;
        for (let i = 0; i < 1e5; i += 1) sum += 1;
        return [sum, new Date().toISOString()];
      input: {n: "${ inputs.n }"}
output: "${ steps.compute }"
"""

CASES = """\
flow: it
clock: "2026-11-20T07:00:00Z"
cases:
  good:
    inputs: {n: 1}
    expect: {output: [100000, "2026-11-20T07:00:00.000Z"], clock: "2026-11-20T07:00:00Z"}
  bad:
    inputs: {n: 2}
    expect: {status: failed, failed: [compute], clock: "2026-11-20T07:00:00Z"}
"""


def test_a_program_runs_in_a_rehearsal_and_takes_no_time(tmp_path):
    results = run(tmp_path, FLOW, CASES)
    assert [differences(result) for result in results.values()] == [[], []]
