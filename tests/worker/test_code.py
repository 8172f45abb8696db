"""What becomes of a program's answer, and of what the sandbox says of it."""

import asyncio
from datetime import UTC, datetime

import pytest

from chalicelib.kit.values import Failed, Failure, Moment, RunCode, Succeeded
from chalicelib.sandbox.errors import ModuleTrappedError
from chalicelib.worker.code import Place, run_code
from chalicelib.worker.redaction import Secrets

MOMENT = Moment(datetime(2026, 11, 20, 7, 0, tzinfo=UTC), "Europe/Berlin", bytes(32))


class Sandbox:
    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def call(self, module, request, *, tenant, host, limits):
        self.asked.append((module, request, tenant, host, limits))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def outcome(sandbox, *, seconds=10.0):
    ask, place = RunCode("javascript", "return input", {"a": 1}), Place("acme", "01j", "s")
    return asyncio.run(run_code(sandbox, ask, place, MOMENT, seconds, Secrets()))


def test_a_program_is_asked_with_its_time_its_randomness_and_nothing_else():
    sandbox = Sandbox({"ok": {"value": {"a": 1}}})
    assert outcome(sandbox, seconds=3.0) == Succeeded({"a": 1})
    ((module, request, tenant, _, limits),) = sandbox.asked
    given = {"code": "return input", "input": {"a": 1}, "now": "2026-11-20T07:00:00.000Z", "seed": "00" * 32}
    assert (request, tenant) == ({"node": "code.javascript", "parameters": given}, "acme")
    assert (module.name, limits.seconds) == ("code.javascript", 3.0)


def test_a_program_never_gets_more_than_ten_seconds():
    sandbox = Sandbox({"ok": {"value": 1}})
    outcome(sandbox, seconds=3600.0)
    assert sandbox.asked[0][4].seconds == 10.0


def test_what_a_program_may_ask_of_its_host_is_refused():
    sandbox = Sandbox({"ok": {"value": 1}})
    outcome(sandbox)
    host = sandbox.asked[0][3]
    for ask in (host.http, host.kv):
        with pytest.raises(Exception, match="A program"):
            asyncio.run(ask({"url": "https://example.com/"}))


def test_without_a_sandbox_the_step_fails_by_name():
    found = outcome(None)
    assert isinstance(found, Failed)
    assert found.failure.code == "code_not_here"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("time", "it ran longer than 10 s"),
        ("fuel", "it ran longer than 10 s"),
        ("stack", "its calls are nested too deeply"),
        ("memory", "it needed more than 64 MB"),
        ("request", "its input is larger than 4 MB"),
        ("answer", "what it returned is larger than 4 MB"),
        ("unreachable", "its engine failed"),
    ],
)
def test_a_limit_is_named(reason, words):
    found = outcome(Sandbox(ModuleTrappedError("stopped", reason=reason)))
    assert found == Failed(Failure("code_stopped", f"The program was stopped: {words}."))


@pytest.mark.parametrize(
    "answer", [{"ok": 1}, {"ok": {"value": 1, "more": 2}}, {"error": {"message": "x"}}, {"ok": {"error": {}}}, {}]
)
def test_an_answer_that_is_none_is_a_failure(answer):
    found = outcome(Sandbox(answer))
    assert isinstance(found, Failed)
    assert found.failure.code == "code_stopped"
