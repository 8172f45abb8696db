"""The helper process: what it answers, what ends it, and what does not reach it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters import expression_answers
from chalicelib.adapters import expression_frames as frames
from chalicelib.adapters.expression_helper import Helper, TookTooMuchError
from chalicelib.adapters.expression_process import MEMORY_BYTES
from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.expressions_apart import (
    MOST_HELPERS,
    PATIENCE_SECONDS,
    PATIENCE_SECONDS_PER_MEGABYTE,
    ApartEvaluator,
)
from chalicelib.errors import ExpressionError, PenstockError, WorkerMishapError
from chalicelib.flow import growth
from chalicelib.flow.expressions import MOST_DEPTH, MOST_ROWS, TIMEOUT_MILLISECONDS, took_too_much
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.targets import UNTYPED
from chalicelib.flow.templates import Expression, compile_template, expressions
from chalicelib.flow.values import Json
from tests.flow.test_expressions import MOMENT, NAMES

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone honours RLIMIT_AS and has /proc")
MAPPED = "$map([1..3], function($n) { $n + inputs.one })"
DOUBLED = '$reduce([1..40], function($a, $n) {{"a": $a, "b": $a}}, "x")'
HOARDED = "$length($replace($join([1..90000].('aaaaaaaaaa')), 'a', $join([1..9000].('aaaaaaaaaa'))))"
ENDLESS = "($f := function($n) { $f($n + 1) }; $f(0))"
ONE: dict[str, Json] = {"inputs": {"one": 1, "x": [1, 2]}}


class Counted:
    """Starts helpers, and counts them and what they are asked."""

    def __init__(self) -> None:
        self.started: list[Helper] = []
        self.asked: list[bytes] = []

    async def start(self) -> Helper:
        counted = self

        class Listening(Helper):
            async def ask(self, content: bytes | None, seconds: float) -> bytes:
                if content is not None:
                    counted.asked.append(content)
                return await super().ask(content, seconds)

        helper = await Listening.start()
        self.started.append(helper)
        return helper


def compiled(*texts: str) -> tuple[Expression, ...]:
    return expressions(compile_template([f"${{{text}}}" for text in texts], UNTYPED, "with", NAMES))


def story(play: Callable[[ApartEvaluator, Counted], Coroutine[Any, Any, None]], patience_seconds: float = 30.0) -> None:
    """Play it, and see to it that no helper is left."""

    async def whole() -> None:
        counted = Counted()
        evaluator = ApartEvaluator(counted.start, patience_seconds)
        try:
            await play(evaluator, counted)
        finally:
            await evaluator.close()
        assert not any(helper.is_alive for helper in counted.started)

    asyncio.run(whole())


async def outcome(asked: Awaitable[Any]) -> tuple[str, str]:
    """What it gives, with every type in it; or the error, and what it says."""
    try:
        return "value", repr(await asked)
    except PenstockError as error:
        return type(error).__name__, f"{error.detail} {error.facts}"


def test_what_is_bounded_starts_no_process():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        found = await evaluator.evaluate(compiled("inputs.one", "inputs.one + 1", "$sum(inputs.x)"), ONE, MOMENT)
        assert found == [1, 2, 3]
        assert counted.started == []

    story(play)


def test_one_evaluation_is_one_round_trip_however_many_expressions_it_has():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        asked = compiled(MAPPED, "inputs.one", "inputs.one + 1", "[1..3]", "inputs.gone", MAPPED)
        for times in range(1, 6):
            found = await evaluator.evaluate(asked, ONE, MOMENT)
            assert found == [[2, 3, 4], 1, 2, [1, 2, 3], MISSING, [2, 3, 4]]
            assert (len(counted.asked), len(counted.started)) == (times, 1)

    story(play)


def test_at_most_so_many_helpers_work_at_once_and_all_are_answered():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        found = await asyncio.gather(*(evaluator.evaluate(compiled(MAPPED), ONE, MOMENT) for _ in range(20)))
        assert found == [[[2, 3, 4]]] * 20
        assert len(counted.started) <= MOST_HELPERS
        assert len(counted.asked) == 20

    story(play)


@pytest.mark.parametrize("text", [DOUBLED, f"$length($string({DOUBLED}))", "$count($distinct([1..99999]))"])
def test_what_takes_too_much_ends_as_an_error_while_others_are_answered(text: str):
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await evaluator.evaluate(compiled("inputs.one + 1"), ONE, MOMENT)
                turns += 1
                await asyncio.sleep(0.005)

        beside = asyncio.create_task(others())
        with pytest.raises(ExpressionError, match="takes more memory or computing than an expression may") as raised:
            await evaluator.evaluate(compiled("inputs.one", "[1..2]", text), ONE, MOMENT)
        beside.cancel()
        assert raised.value.facts["where"] == "with[2]"
        assert turns >= 5
        # The next one is answered by a new helper.
        assert await evaluator.evaluate(compiled(MAPPED), ONE, MOMENT) == [[2, 3, 4]]
        assert len(counted.started) == 2
        assert not counted.started[0].is_alive

    story(play)


@LINUX
def test_what_takes_too_much_memory_ends_as_the_same_error():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        with pytest.raises(ExpressionError, match="takes more memory or computing than an expression may"):
            await evaluator.evaluate(compiled(HOARDED), ONE, MOMENT)
        most = Path(f"/proc/{(await started(evaluator, counted)).pid}/limits").read_text()
        assert next(line.split()[3] for line in most.splitlines() if line.startswith("Max address space")) == str(
            512 << 20
        )

    story(play)


@LINUX
@pytest.mark.parametrize(
    "text", ["$reduce([1..22], function($a, $n) {{'a': $a, 'b': $a}}, {})", "$lines([1..9].($inputs.long))"]
)
def test_where_the_process_itself_evaluates_its_lack_of_memory_is_the_same_error(text: str):
    """As in an invocation: a process with little memory, and no helper."""
    story = (
        "import asyncio, resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\n"
        "from tests.adapters.test_expression_helper import MOMENT, HereEvaluator, compiled, outcome\n"
        f"asked = compiled({text!r})\n"
        "print(asyncio.run(outcome(HereEvaluator().evaluate(asked, {'inputs': {'long': 'x' * 20_000_000}}, MOMENT))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", story], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert "ExpressionError" in done.stdout, done.stderr
    assert "takes more memory or computing than an expression may" in done.stdout


def test_an_endless_loop_ends_as_the_mishap_it_is_in_any_process():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        asked = compiled(ENDLESS)
        apart = await outcome(evaluator.evaluate(asked, ONE, MOMENT))
        assert apart == await outcome(HereEvaluator().evaluate(asked, ONE, MOMENT))
        assert apart[0] == "WorkerMishapError"

    story(play)


async def started(evaluator: ApartEvaluator, counted: Counted) -> Helper:
    """A helper that is up, and idle."""
    await evaluator.evaluate(compiled(MAPPED), ONE, MOMENT)
    return counted.started[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_helper_that_died_is_replaced():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        helper = await started(evaluator, counted)
        os.kill(helper.pid, signal.SIGKILL)
        await helper.end()
        assert await evaluator.evaluate(compiled(MAPPED), ONE, MOMENT) == [[2, 3, 4]]
        assert len(counted.started) == 2

    story(play)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_helper_that_is_killed_by_another_is_a_mishap_and_no_fact():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        helper = await started(evaluator, counted)
        os.kill(helper.pid, signal.SIGSTOP)
        asked = asyncio.create_task(outcome(evaluator.evaluate(compiled(MAPPED), ONE, MOMENT)))
        await asyncio.sleep(0.05)
        os.kill(helper.pid, signal.SIGKILL)
        assert (await asked)[0] == "WorkerMishapError"
        assert await evaluator.evaluate(compiled(MAPPED), ONE, MOMENT) == [[2, 3, 4]]

    story(play)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_helper_that_gives_no_answer_is_ended_when_patience_is():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        helper = await started(evaluator, counted)
        os.kill(helper.pid, signal.SIGSTOP)
        kind, said = await outcome(evaluator.evaluate(compiled(MAPPED), ONE, MOMENT))
        assert (kind, "no answer within" in said) == ("WorkerMishapError", True)
        assert not helper.is_alive

    story(play, patience_seconds=1.0)


def test_who_is_cancelled_leaves_no_answer_behind_for_the_next():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        await started(evaluator, counted)
        asked = asyncio.create_task(evaluator.evaluate(compiled(DOUBLED), ONE, MOMENT))
        await asyncio.sleep(0.02)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await evaluator.evaluate(compiled(MAPPED), ONE, MOMENT) == [[2, 3, 4]]

    story(play)


def test_after_its_end_nothing_is_started_any_more():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        await started(evaluator, counted)
        await evaluator.close()
        assert (await outcome(evaluator.evaluate(compiled(MAPPED), ONE, MOMENT)))[0] == "WorkerMishapError"
        assert len(counted.started) == 1

    story(play)


def test_a_helper_ends_where_its_input_does():
    async def whole() -> None:
        helper = await Helper.start()
        process = helper._process
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(20):
            assert await process.wait() == 0

    asyncio.run(whole())


def test_a_server_that_holds_much_itself_keeps_its_helper():
    """What a process held before it became another counts in `ru_maxrss` of that one too (getrusage(2))."""

    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        held = b"x" * (expression_answers.SPENT_BYTES + 2**24)
        for _ in range(3):
            assert await evaluator.evaluate(compiled(MAPPED), ONE, MOMENT) == [[2, 3, 4]]
        assert len(counted.started) == 1
        assert held

    story(play)


@pytest.mark.skipif(sys.platform == "win32", reason="there nobody can tell")
def test_a_helper_that_has_grown_is_replaced_after_its_answer():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        scope: dict[str, Json] = {"inputs": {"rows": {str(n): [{"a": 0.5} for _ in range(90_000)] for n in range(10)}}}
        asked = compiled("$exists(inputs.rows) and $count([1..2]) = 2")
        assert await evaluator.evaluate(asked, scope, MOMENT) == [True]
        assert not counted.started[0].is_alive
        assert await evaluator.evaluate(compiled(MAPPED), ONE, MOMENT) == [[2, 3, 4]]
        assert len(counted.started) == 2

    story(play)


@LINUX
def test_nothing_of_the_environment_reaches_a_helper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PENSTOCK_CREDENTIAL_SHOP", "canary-4711")

    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        with (tmp_path / "open.txt").open("w") as opened:
            os.set_inheritable(opened.fileno(), True)
            process = Path(f"/proc/{(await started(evaluator, counted)).pid}")
            assert (process / "environ").read_bytes() == b""
            assert b"canary-4711" not in (process / "cmdline").read_bytes()
            held = {str(each.readlink()) for each in (process / "fd").iterdir()}
        assert all(each.startswith(("pipe:", "socket:", "/dev/null")) for each in held), held

    story(play)


def test_of_a_scope_only_what_is_spelled_reaches_a_helper():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        scope: dict[str, Json] = {
            "inputs": {"one": 1},
            "trigger": {"body": "canary-1"},
            "vars": {"x": "canary-2"},
            "steps": {"a": {"x": 5}, "other": {"x": "canary-3"}},
            "errors": {},
        }
        found = await evaluator.evaluate(compiled("[1..steps.a.x]", "trigger.body"), scope, MOMENT)
        assert found == [[1, 2, 3, 4, 5], "canary-1"]
        assert b"canary" not in counted.asked[0]
        assert await evaluator.evaluate(compiled("[1..steps.'\\u0061'.x]"), scope, MOMENT) == [[1, 2, 3, 4, 5]]

    story(play)


def test_the_first_of_several_errors_is_told_wherever_it_is_evaluated():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        here, bad, apart, worse = "inputs.one + 1", "$number('x')", "[1..2]", "[1..'x']"
        for texts in (
            (bad, worse),
            (worse, bad),
            (apart, bad, worse),
            (here, apart, worse, bad),
            (bad, apart),
            (apart, bad),
        ):
            asked = compiled(*texts)
            expected = await outcome(HereEvaluator().evaluate(asked, ONE, MOMENT))
            assert await outcome(evaluator.evaluate(asked, ONE, MOMENT)) == expected
            assert expected[0] == "ExpressionError"
        before = len(counted.asked)
        await outcome(evaluator.evaluate(compiled(bad, apart), ONE, MOMENT))
        assert len(counted.asked) == before  # what comes after an error is not asked

    story(play)


def test_too_much_data_and_too_deep_data_are_errors_that_name_the_place():
    deep: Json = 1
    for _ in range(100_000):
        deep = [deep]
    shared: Json = "x"
    for _ in range(200):
        shared = [shared, shared]

    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        long: Json = "x" * (frames.MOST_BYTES + 1)
        for value, words in ((deep, "nested too deeply"), (shared, "more than 16 MB"), (long, "more than 16 MB")):
            kind, said = await outcome(evaluator.evaluate(compiled("[1..inputs.x]"), {"inputs": {"x": value}}, MOMENT))
            assert (kind, words in said, "with[0]" in said) == ("ExpressionError", True, True), said
        assert counted.asked == []

    story(play)
    while isinstance(deep, list):
        deep = deep.pop()


def test_an_answer_too_large_for_a_frame_is_an_error():
    async def play(evaluator: ApartEvaluator, counted: Counted) -> None:
        scope: dict[str, Json] = {"inputs": {"x": "y" * 1_000_000, "one": 1}}
        with pytest.raises(ExpressionError, match="takes more memory or computing"):
            await evaluator.evaluate(compiled("[1..20].($inputs.x)"), scope, MOMENT)
        assert await evaluator.evaluate(compiled(MAPPED), scope, MOMENT) == [[2, 3, 4]]

    story(play)


def test_values_of_every_kind_go_there_and_back_unchanged():
    values: list[Json | Missing] = [
        MISSING,
        None,
        True,
        1,
        1.0,
        2**80,
        -0.5,
        1e300,
        "",
        "ö\ud800\u2028\x00",
        [],
        {},
        {"": [None]},
    ]
    for value in values:
        made = frames.from_answer(frames.to_answer(frames.Answer((value, MISSING))), 2)
        assert repr(made.values) == repr((value, MISSING))
    scope: dict[str, Json] = {"inputs": [each for each in values if each is not MISSING]}
    asked = compiled("[inputs]")
    question = frames.from_question(frames.to_question(asked, scope, MOMENT))
    assert repr(question.scope) == repr(scope)
    assert question.moment == MOMENT
    assert question.expressions == tuple(replace(each, path=None, defines_function=False) for each in asked)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"null", b"\xff", b'{"values": 1, "spent": false}', b'{"error": {"kind": "os"}}', b'{"values": [], "spent": false}', b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_answer_is_refused(content: bytes):
    with pytest.raises(ValueError, match=r"no answer|too few"):
        frames.from_answer(content, 1)


def test_a_frame_over_the_bound_is_none():
    assert frames.length_of((5).to_bytes(4, "big")) == 5
    with pytest.raises(ValueError, match="no frame"):
        frames.length_of((frames.MOST_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(ValueError, match="no frame"):
        frames.length_of(b"\0\0")


def test_a_helper_that_cannot_be_started_is_a_mishap():
    async def refuse() -> Helper:
        raise WorkerMishapError("no processes left")

    async def whole() -> None:
        evaluator = ApartEvaluator(refuse)
        for _ in range(MOST_HELPERS + 1):  # no place is lost
            assert (await outcome(evaluator.evaluate(compiled(MAPPED), ONE, MOMENT)))[0] == "WorkerMishapError"
        assert await evaluator.evaluate(compiled("inputs.one"), ONE, MOMENT) == [1]
        await evaluator.close()

    asyncio.run(whole())


def test_a_limit_is_told_with_the_place_of_the_expression_that_met_it():
    async def whole() -> None:
        helper = await Helper.start()
        with pytest.raises(TookTooMuchError) as raised:
            await helper.ask(frames.to_question(compiled("[1..2]", DOUBLED, MAPPED), ONE, MOMENT), 30)
        assert raised.value.place == 1
        assert not helper.is_alive

    asyncio.run(whole())


@pytest.mark.parametrize("command", [["check"], ["plan"], ["fmt", "--check"], ["test"], ["--help"]], ids=" ".join)
def test_no_command_but_those_that_run_flows_starts_a_process(command: list[str], tmp_path: Path):
    """Nor does an import: told by Python's audit, in a process of its own."""
    flow = f'flow: f\nsteps:\n  a:\n    uses: set\n    with: {{v: "${{ [{MAPPED.replace("inputs.one", "1")}] }}"}}\n'
    case = "flow: f\ncases:\n  adds:\n    inputs: {}\n    expect: {ran: [a]}\n"
    (tmp_path / "f.yaml").write_text(flow)
    (tmp_path / "f.test.yaml").write_text(case)
    story = (
        "import sys\n"
        "seen = []\n"
        "names = ('subprocess.Popen', 'os.fork', 'os.forkpty', 'os.posix_spawn', 'os.exec', 'os.spawn', 'os.system')\n"
        "sys.addaudithook(lambda event, about: seen.append(event) if event in names else None)\n"
        "import chalicelib.wiring, chalicelib.wiring_aws, chalicelib.adapters.expressions_apart\n"
        "import chalicelib.adapters.expression_answers, chalicelib.adapters.expression_process\n"
        "from chalicelib.cli.main import main\n"
        "sys.argv[0] = 'penstock'\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    print('ended', end.code)\n"
        "print('processes', seen)\n"
    )
    path = [] if command == ["--help"] else [str(tmp_path)] if command == ["test"] else [str(tmp_path / "f.yaml")]
    done = subprocess.run(
        [sys.executable, "-c", story, *command, *path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "processes []" in done.stdout, done.stdout + done.stderr
    assert "ended 2" not in done.stdout, done.stdout + done.stderr


def test_the_page_says_the_limits_that_there_are():
    page = (ROOT / "docs" / "expressions.md").read_text(encoding="utf-8")
    assert f"{expression_answers.PROCESSOR_SECONDS * 1000:.0f} ms of processor time" in page
    assert f"{expression_answers.PROCESSOR_SECONDS_PER_MEGABYTE * 1000:.0f} ms for each megabyte" in page
    assert f"{MEMORY_BYTES >> 20} MB of address space" in page
    assert f"{frames.MOST_BYTES // 1_000_000} MB of the data" in page
    assert f"within {PATIENCE_SECONDS:.0f} s (and {PATIENCE_SECONDS_PER_MEGABYTE:.0f} s for each megabyte)" in page
    assert f"more than {growth.MOST_COPIES} names, more than {growth.LONGEST:,} characters" in page
    assert f"{TIMEOUT_MILLISECONDS} ms for one expression" in page
    assert f"calls {MOST_DEPTH} deep, lists of {MOST_ROWS:,} rows" in page
    assert took_too_much("x").partition(":")[0] in page
