"""The embedded server and its helper process: when there is one, what it withstands, how both end."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from chalicelib.adapters.expression_helper import _OWN_FAULT
from tests.dev_server import DevServer, dev_server, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

FLOWS = {
    "plain": 'output: "${ $sum(inputs.rows) + 1 }"',
    "mapped": 'output: "${ [$map(inputs.rows, function($row) { $row * 2 })] }"',
    "doubled": """output: "${ $reduce([1..40], function($all, $row) {{'a': $all, 'b': $all}}, 'x') }\"""",
}


def folder(tmp_path: Path) -> tuple[Path, Path]:
    flows = tmp_path / "flows"
    flows.mkdir()
    for name, output in FLOWS.items():
        trigger = "triggers:\n  knock: {uses: webhook, verify: none, respond: result, inputs: {rows: '${ trigger.body.rows }'}}\n"
        head = f"flow: {name}\ninputs: {{rows: {{type: array}}}}\n{trigger}"
        (flows / f"{name}.yaml").write_text(f"{head}steps:\n  one: {{uses: set, with: {{a: 1}}}}\n{output}\n")
    return flows, tmp_path / "penstock" / "store.db"


def knock(dev: DevServer, flow: str) -> httpx.Response:
    hooks = {each["flow"]: each["triggers"][0]["url"] for each in dev.situation["flows"]}
    return httpx.post(hooks[flow], json={"rows": [1, 2, 3]}, trust_env=False, timeout=60)


def helpers(dev: DevServer) -> list[int]:
    children = Path(f"/proc/{dev.process.pid}/task/{dev.process.pid}/children").read_text().split()
    return [int(each) for each in children if b"expression_process" in Path(f"/proc/{each}/cmdline").read_bytes()]


def is_there(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def is_running(process: int) -> bool:
    """Whether it is at work, or was, and has ended since."""
    return not is_there(process) or "State:\tR" in status_of(process)


def status_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/status").read_text()
    except OSError:
        return "State:\tR"


def test_a_helper_is_started_when_it_is_needed_and_replaced_when_it_died(tmp_path):
    with dev_server(*folder(tmp_path)) as dev:
        assert knock(dev, "plain").json() == 7
        assert helpers(dev) == []
        assert knock(dev, "mapped").json() == [2, 4, 6]
        (helper,) = helpers(dev)
        assert knock(dev, "mapped").json() == [2, 4, 6]
        assert helpers(dev) == [helper]
        assert Path(f"/proc/{helper}/environ").read_bytes() == b""
        os.kill(helper, signal.SIGKILL)
        until(lambda: not is_there(helper), lambda: "the end of the helper")
        assert knock(dev, "mapped").json() == [2, 4, 6]
        (another,) = helpers(dev)
        assert another != helper
        assert dev.stop() == 0
        assert not is_there(another)
        assert dev.errors == ""


def test_a_structure_that_doubles_fails_its_own_execution_while_others_are_answered(tmp_path):
    with dev_server(*folder(tmp_path)) as dev, ThreadPoolExecutor(4) as threads:
        doubling = [threads.submit(knock, dev, "doubled") for _ in range(4)]
        answered = 0
        while not all(each.done() for each in doubling):
            assert knock(dev, "plain").json() == 7
            answered += 1
        assert answered >= 3
        for each in doubling:
            assert each.result().status_code == 500, each.result().text
            assert each.result().json()["reason"] == "expression", each.result().text
        failed = dev.ask("GET", "/executions?status=failed").json()["items"]
        assert len(failed) == 4
        shown = dev.ask("GET", f"/executions/{failed[0]['id']}").json()
        assert "takes more memory or computing than an expression may" in str(shown)
        assert knock(dev, "mapped").json() == [2, 4, 6]


def test_a_helper_ends_with_a_server_that_is_killed_also_in_the_middle_of_its_work(tmp_path):
    with dev_server(*folder(tmp_path)) as dev, ThreadPoolExecutor(1) as threads:
        assert knock(dev, "mapped").json() == [2, 4, 6]
        (helper,) = helpers(dev)
        asked = threads.submit(knock, dev, "doubled")
        until(lambda: is_running(helper), lambda: "the helper at work")
        dev.kill()
        assert isinstance(asked.exception(), httpx.HTTPError)
        until(lambda: not is_there(helper), lambda: "the end of the helper")


def test_the_signals_that_a_helper_gives_itself_are_known_here():
    assert {signal.SIGPROF, signal.SIGABRT, signal.SIGSEGV} <= _OWN_FAULT


def test_a_server_that_is_told_to_stop_ends_its_helpers_at_work_too(tmp_path):
    with dev_server(*folder(tmp_path)) as dev, ThreadPoolExecutor(4) as threads:
        assert knock(dev, "mapped").json() == [2, 4, 6]
        (helper,) = helpers(dev)
        asked = [threads.submit(knock, dev, "doubled") for _ in range(4)]
        until(lambda: is_running(helper), lambda: "the helper at work")
        assert dev.stop() == 0
        assert all(each.exception() or each.result().status_code in (202, 500, 503) for each in asked)
        until(lambda: not is_there(helper), lambda: "the end of the helper")
        assert "Traceback" not in dev.errors
        assert "Warning" not in dev.errors
