"""`make aws-local`, as a test: a whole deployment's life on a local AWS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.xdist_group("aws-story")
def test_a_deployments_life_from_nothing_to_nothing(record_property):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PENSTOCK_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tools.aws_local_story"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    proved = [line for line in done.stdout.splitlines() if line.startswith("  ok  ")]
    for wanted in (
        "both queues' mappings have ReportBatchItemFailures",
        "the deployed zip accepts it",
        "it is finished in the table",
        "each step was carried out once, the join too",
        "the same moment twice is one execution",
        "the gateway, the functions and the mappings are the same",
        "then it sends for the execution",
        "a start that is a dead letter is an execution that failed",
        "what nobody can read is set aside, as it came",
        "no event source mapping is left",
    ):
        assert f"  ok  {wanted}" in proved
    record_property("covered", f"a deployment on a local AWS: {len(proved)} things proved")
