"""The sandbox's processes: whose they are, what they hold, what becomes of them; and the machine code on disk."""

import asyncio
import logging
import os
import sys
from pathlib import Path

import pytest

from chalicelib.adapters.machine_code import MachineCode
from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.adapters.sandbox_helper import SandboxHelper
from chalicelib.errors import NotFoundError, WorkerMishapError
from chalicelib.ports import SandboxLimits, SandboxModule
from chalicelib.sandbox.errors import ModuleRefusedError, ModuleTrappedError
from chalicelib.sandbox.process import MEMORY_BYTES
from tests.sandbox.guests import IMPORTS, LIMITS, OK, answering, asking, call, module_of, working

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells it")


class Watched:
    """A sandbox whose processes are counted."""

    def __init__(self, code=None):
        self.started = []
        self.sandbox = ProcessSandbox(code, self.start)

    async def start(self):
        helper = await SandboxHelper.start()
        self.started.append(helper)
        return helper


def run(story):
    return asyncio.run(asyncio.wait_for(story, 100))


async def key():
    return b"k" * 32


def test_a_module_is_compiled_once_in_a_process_that_never_runs_it():
    async def story():
        place = Watched()
        module = module_of(answering('{"ok": 5}'))
        for _ in range(3):
            assert await place.sandbox.call(module, {}, tenant="main", limits=LIMITS) == {"ok": 5}
        compiled, ran = place.started
        assert not compiled.is_alive
        assert ran.is_alive
        await place.sandbox.close()
        assert not ran.is_alive

    run(story())


def test_no_process_serves_two_tenants_or_two_modules():
    async def story():
        place = Watched()
        one, other = module_of(answering('{"ok": 1}')), module_of(answering('{"ok": 2}'))
        for module, tenant in ((one, "a"), (one, "b"), (other, "a"), (one, "a")):
            await place.sandbox.call(module, {}, tenant=tenant, limits=LIMITS)
        assert len(place.started) == 2 + 3  # two that compiled; three that run
        await place.sandbox.close()

    run(story())


def test_nothing_is_left_of_the_call_before():
    counting = working(
        f"""(global.set $n (i32.add (global.get $n) (i32.const 1)))
            (i32.store8 (i32.const 6) (i32.add (i32.const 48) (global.get $n))) {OK}""",
        more="(global $n (mut i32) (i32.const 0))",
    )

    async def story():
        place = Watched()
        module = module_of(counting)
        answers = [await place.sandbox.call(module, {}, tenant="a", limits=LIMITS) for _ in range(3)]
        assert answers == [{"ok": 1}] * 3
        await place.sandbox.close()

    run(story())


@LINUX
def test_the_process_has_no_environment_no_file_and_can_open_none():
    async def story():
        place = Watched()
        os.environ["PENSTOCK_CREDENTIAL_CANARY"] = "canary"
        try:
            await place.sandbox.call(module_of(answering('{"ok": 1}')), {}, tenant="main", limits=LIMITS)
        finally:
            del os.environ["PENSTOCK_CREDENTIAL_CANARY"]
        proc = Path(f"/proc/{place.started[-1].pid}")
        assert b"canary" not in (proc / "environ").read_bytes()
        targets = {str(each.readlink()).split(":")[0] for each in (proc / "fd").iterdir()}
        assert targets <= {"pipe", "/dev/null", "socket"}  # its pipes; asyncio may make them of sockets
        limits = {line[:26].strip(): line[26:].split()[0] for line in (proc / "limits").read_text().splitlines()}
        assert (limits["Max open files"], limits["Max processes"], limits["Max file size"]) == ("0", "0", "0")
        assert int(limits["Max address space"]) == MEMORY_BYTES
        await place.sandbox.close()

    run(story())


def test_a_process_that_dies_is_replaced_and_its_call_may_be_tried_again():
    async def story():
        place = Watched()
        module = module_of(working(f"(loop $l (br $l)) {OK}"))
        limits = SandboxLimits(seconds=30, fuel=2**62)
        calling = asyncio.create_task(place.sandbox.call(module, {}, tenant="main", limits=limits))
        while len(place.started) < 2:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        place.started[-1].kill()
        with pytest.raises(WorkerMishapError):
            await calling
        with pytest.raises(ModuleTrappedError):
            await place.sandbox.call(module, {}, tenant="main", limits=LIMITS)
        await place.sandbox.close()

    run(story())


def test_who_is_cancelled_leaves_no_process_at_work():
    async def story():
        place = Watched()
        module = module_of(working(f"(loop $l (br $l)) {OK}"))
        limits = SandboxLimits(seconds=60, fuel=2**62)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await place.sandbox.call(module, {}, tenant="main", limits=limits)
        await asyncio.sleep(0.2)
        assert not any(helper.is_alive for helper in place.started)
        await place.sandbox.close()

    run(story())


def test_a_request_and_an_answer_have_their_limits():
    limits = SandboxLimits(seconds=2, request_bytes=1_000, answer_bytes=20)
    with pytest.raises(ModuleTrappedError, match="1,000 is the most") as raised:
        call(answering('{"ok": 1}'), {"parameters": "x" * 2_000}, limits=limits)
    assert raised.value.facts["reason"] == "request"
    with pytest.raises(ModuleTrappedError, match="more than 20") as raised:
        call(answering('{"ok": "12345678901234567890"}'), limits=limits)
    assert raised.value.facts["reason"] == "answer"


def test_bytes_that_are_not_those_of_the_hash_are_not_compiled():
    async def load():
        return b"\0asm"

    async def story():
        place = Watched()
        with pytest.raises(ModuleRefusedError, match="hash"):
            await place.sandbox.call(SandboxModule("0" * 64, "x", load), {}, tenant="main")
        assert place.started == []

    run(story())


class Host:
    def __init__(self):
        self.asked = []
        self.lines = []

    async def http(self, asked):
        self.asked.append(asked)
        raise NotFoundError("There is none.")

    async def kv(self, asked):
        self.asked.append(asked)
        return {"kept": [1, None, "ü"]}

    def log(self, level, text):
        self.lines.append((level, text))


def test_a_host_is_asked_once_and_its_answer_reaches_the_guest_whole():
    host = Host()
    assert call(asking("kv", '{"do": "get"}'), host=host) == {"ok": {"kept": [1, None, "ü"]}}
    answer = call(asking("http", '{"url": "x"}'), host=host)
    assert answer == {"error": {"code": "not_found", "message": "There is none.", "retry": False}}
    assert host.asked == [{"do": "get"}, {"url": "x"}]


def test_what_is_asked_in_no_json_is_answered_and_nobody_is_asked():
    host = Host()
    for asked in ("{", "[1]", '{"a": NaN}', "[" * 5_000):
        assert call(asking("kv", asked), host=host)["error"]["code"] == "bad_call"
    assert host.asked == []


def test_lines_are_bounded_and_the_last_one_says_so():
    host = Host()
    wat = working(
        f"""(loop $l
              (call $log (i32.const 9) (i32.const 0) (i32.const 8))
              (global.set $n (i32.add (global.get $n) (i32.const 1)))
              (br_if $l (i32.lt_u (global.get $n) (i32.const 500))))
            {OK}""",
        imports=IMPORTS,
        more="(global $n (mut i32) (i32.const 0))",
    )
    assert call(wat, host=host) == {"ok": 1}
    assert len(host.lines) == LIMITS.log_lines
    assert host.lines[0] == (3, '{"ok":1}')
    assert "left out" in host.lines[-1][1]


def test_machine_code_is_kept_across_lives_and_what_was_altered_is_made_anew(tmp_path, caplog):
    module = module_of(answering('{"ok": 5}'))

    async def life():
        place = Watched(MachineCode(tmp_path / "code", key))
        assert await place.sandbox.call(module, {}, tenant="main", limits=LIMITS) == {"ok": 5}
        await place.sandbox.close()
        return len(place.started)

    assert run(life()) == 2
    assert run(life()) == 1  # nothing to compile
    (file,) = (tmp_path / "code").iterdir()
    whole = file.read_bytes()
    for altered in (whole[:40] + b"\xcc" + whole[41:], whole[:-1], b"\0" * 32 + whole[32:], b"", whole[32:]):
        file.write_bytes(altered)
        with caplog.at_level(logging.WARNING):
            assert run(life()) == 2
        assert "was altered" in caplog.text
        assert file.read_bytes()[32:] == whole[32:]


def test_machine_code_of_another_module_or_another_deployment_is_none(tmp_path):
    async def story():
        async def other():
            return b"o" * 32

        one = MachineCode(tmp_path, key)
        await one.put("a" * 64, b"code")
        assert await one.get("a" * 64) == b"code"
        assert await MachineCode(tmp_path, other).get("a" * 64) is None
        (file,) = tmp_path.iterdir()
        file.rename(file.with_name(file.name.replace("a" * 64, "b" * 64)))
        assert await one.get("b" * 64) is None
        if os.name == "posix":
            await one.put("c" * 64, b"code")
            assert {oct(each.stat().st_mode & 0o777) for each in tmp_path.glob("c*")} == {"0o600"}

    run(story())


def test_where_nothing_can_be_kept_it_still_runs(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")

    async def story():
        place = Watched(MachineCode(tmp_path / "file", key))
        assert await place.sandbox.call(module_of(answering('{"ok": 5}')), {}, tenant="main", limits=LIMITS) == {
            "ok": 5
        }
        await place.sandbox.close()

    run(story())
    assert "cannot be kept" in caplog.text


def test_a_closed_sandbox_starts_nothing():
    async def story():
        place = Watched()
        await place.sandbox.close()
        with pytest.raises(WorkerMishapError):
            await place.sandbox.call(module_of(answering('{"ok": 5}')), {}, tenant="main")
        assert place.started == []

    run(story())
