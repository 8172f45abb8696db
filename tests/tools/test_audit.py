"""`make audit` and continuous integration: what is asked about, by which programs, with which rights."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.lock import LOCK, read_lock

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
STEPS = [
    (path.name, step)
    for path in WORKFLOWS
    for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    for step in job["steps"]
]


def audit_arguments():
    (command,) = re.findall(r"\$\(BIN\)/pip-audit (.*)", MAKEFILE)
    return command.split()


def test_the_audit_reads_every_package_of_the_lock_and_refuses_one_without_a_hash(tmp_path):
    """All but the asking: `--dry-run` ends before the first request."""
    done = run_audit(audit_arguments())
    assert f"would have audited {len(read_lock((ROOT / LOCK).read_text('utf-8')))} packages" in done.stderr
    loose = tmp_path / "loose.txt"
    loose.write_text((ROOT / LOCK).read_text("utf-8") + "six==1.17.0\n")
    refused = run_audit([str(loose) if each == LOCK else each for each in audit_arguments()])
    assert refused.returncode != 0
    assert "does not contain a hash" in refused.stderr


def run_audit(arguments):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pip_audit", "--dry-run", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_audit_fails_where_it_cannot_ask():
    assert {"--strict", "--require-hashes", "--disable-pip"} <= set(audit_arguments())


def test_there_are_steps():
    assert len(STEPS) >= 3


@pytest.mark.parametrize(("file", "step"), [(file, step) for file, step in STEPS if "uses" in step])
def test_an_action_is_pinned_to_a_commit_and_says_its_version(file, step):
    assert re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40}", step["uses"]), f"{file}: {step['uses']}"
    text = (ROOT / ".github" / "workflows" / file).read_text("utf-8")
    assert re.search(re.escape(step["uses"]) + r"  # v\d+\.\d+\.\d+\n", text)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_the_repository_and_nothing_more(path):
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow["jobs"].values())
    # YAML 1.1 reads the key `on` as true.
    assert "pull_request_target" not in workflow[True], "it would run a stranger's code with our rights"
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_no_text_of_an_event_is_put_into_a_command():
    """`${{ github.event.* }}` in a script is whatever a stranger wrote as a title."""
    assert [step["run"] for _, step in STEPS if "${{" in step.get("run", "")] == []


def test_what_is_run_there_are_the_commands_that_are_run_here():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    commands = [line for _, step in STEPS for line in step.get("run", "").splitlines()]
    assert {"make check", "make test", "make audit"} <= set(commands)
    assert {command.split()[1] for command in commands if command.startswith("make ")} <= targets
