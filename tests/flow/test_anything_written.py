"""Whatever bytes stand where an expression, a template, or a frame between processes is read: an answer or a named error.

What is read is bounded by the length of the text; nothing crashes, nothing hangs.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.adapters import expression_frames as frames
from chalicelib.adapters.expressions_apart import ApartEvaluator
from chalicelib.errors import PenstockError
from chalicelib.flow.expressions import compile_check
from chalicelib.flow.growth import may_grow
from chalicelib.flow.mentions import analyse
from chalicelib.flow.paths import Missing
from chalicelib.flow.scanner import Hole, NotClosed, scan
from chalicelib.flow.targets import UNTYPED, Condition
from chalicelib.flow.templates import Expression, Literal, compile_template, expressions, fill
from chalicelib.flow.tokens import tokens
from chalicelib.flow.values import Json
from tests.adapters.test_evaluators_agree import corpus
from tests.flow.escaping import is_plain, strings
from tests.flow.test_expressions import MOMENT, NAMES, SCOPE
from tests.flow.test_growth import GROWING

WRITTEN = [*(each.text for each in corpus()), *strings(), *GROWING]
BYTES = st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
TEXTS = st.one_of(
    BYTES,
    st.text(max_size=120),
    st.text(alphabet="${}()[].,:;?!~>^|@#%&*+-/=\\\"'` \n\t0aeλ_", max_size=80),
    st.builds(
        lambda text, at, cut, put: text[: at % (len(text) + 1)] + put + text[at % (len(text) + 1) + cut :],
        st.sampled_from(WRITTEN),
        st.integers(0, 400),
        st.integers(0, 8),
        st.one_of(
            st.sampled_from(["", "(", ")", "[", "}", "${", "'", "/", "\x00", "\ud800", "function($x){", "..", "~>"]),
            BYTES,
        ),
    ),
    st.lists(st.sampled_from(WRITTEN), min_size=1, max_size=3).map("&".join),
)
ANYTHING = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Evaluating:
    """An evaluator on a loop of its own, for many examples."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.evaluator = runner.run(self._made())

    async def _made(self) -> ApartEvaluator:
        return ApartEvaluator()

    def answers(self, asked: tuple[Expression, ...]) -> list[Json | Missing] | PenstockError:
        try:
            return list(self._runner.run(self.evaluator.evaluate(asked, SCOPE, MOMENT)))
        except PenstockError as error:
            return error


@pytest.fixture(scope="module")
def evaluating() -> Iterator[Evaluating]:
    with asyncio.Runner() as runner:
        made = Evaluating(runner)
        yield made
        runner.run(made.evaluator.close())


@ANYTHING
@given(text=TEXTS)
def test_any_text_as_an_expression_is_an_answer_or_a_named_error(evaluating: Evaluating, text: str):
    cut = list(tokens(text))
    assert all(0 <= each.start < each.end <= len(text) for each in cut)
    may_grow(text)  # raises nothing
    analysis = analyse(text, NAMES)
    assert len(analysis.mistakes) <= 50
    assert all(0 <= each.offset <= len(text) and each.what for each in analysis.mistakes)
    mistake = compile_check(analysis.rewritten)
    if analysis.mistakes or mistake is not None:
        return
    found = evaluating.answers((Expression(text, analysis.rewritten, analysis.path, "with", 0),))
    assert found.detail.startswith("`with`: ") if isinstance(found, PenstockError) else all(map(is_plain, found))


@ANYTHING
@given(text=TEXTS, opened=st.booleans())
def test_any_text_as_a_template_is_a_value_or_a_named_error(evaluating: Evaluating, text: str, opened: bool):
    written = f"a ${{{text}}} b" if opened else text
    try:
        pieces = list(scan(written))
    except NotClosed:
        return
    if any(isinstance(piece, Hole) and analyse(piece.text, NAMES).mistakes for piece in pieces):
        return
    for target in (UNTYPED, Condition()):
        template = compile_template(written, target, "with", NAMES)
        asked = expressions(template)
        if any(compile_check(each.rewritten) is not None for each in asked):
            return
        if isinstance(template, Literal):
            assert template.value == "".join(piece for piece in pieces if isinstance(piece, str))
            continue
        answers = evaluating.answers(asked)
        if isinstance(answers, list):
            with contextlib.suppress(PenstockError):
                assert is_plain(fill(template, answers, SCOPE))


LONG = 10_000
MONOTONOUS = [
    "(", "[", "{", "'", '"', "`", "/", "/*", "\\", "$", "$$", "${", "}", ")", "-", "!", "?", ":", "~>", "..", "**", "%", "|", "@", "#",
    "function(", "λ($x){", "$not(", "inputs.", "inputs.a[", "1+", "1 and ", "a ? ", "a ?? ", "a:=", "'a'&", ".a", "[0]", "^(", "\x00", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("piece", MONOTONOUS)
def test_one_piece_over_and_over_is_read_to_its_end(piece: str):
    for text in (piece * LONG, f"inputs.a{piece * LONG}", f"${{{piece * 500}}}" * 20):
        analysis = analyse(text, NAMES)
        assert may_grow(text)
        with contextlib.suppress(NotClosed):
            assert len(list(scan(text))) <= len(text)
        if not analysis.mistakes:
            compile_check(analysis.rewritten)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=20,
)


@ANYTHING
@given(
    content=st.one_of(st.binary(max_size=300), JSON.map(lambda value: json.dumps(value).encode())),
    count=st.integers(0, 3),
)
def test_any_bytes_as_an_answer_of_a_helper_are_an_answer_or_none(content: bytes, count: int):
    try:
        answer = frames.from_answer(content, count)
    except ValueError:
        return
    assert answer.error is not None or len(answer.values) == count


@ANYTHING
@given(values=st.lists(JSON, min_size=1, max_size=4))
def test_any_values_come_back_from_a_helper_as_they_are(values: list[Json]):
    answer = frames.from_answer(frames.to_answer(frames.Answer(tuple(values))), len(values))
    assert repr(answer.values) == repr(tuple(values))
