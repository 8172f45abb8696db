"""Answers questions about expressions, one after the other: the work of the helper process (`expression_process`).

Each expression may take so much processor time, held by a timer whose signal ends the process also in the middle of
native code, and whatever became of the server.
"""

import contextlib
import sys
from pathlib import Path
from typing import BinaryIO

from chalicelib.adapters.expression_frames import (
    MOST_BYTES,
    Answer,
    Question,
    from_question,
    length_of,
    to_answer,
)
from chalicelib.errors import ExpressionError, PenstockError
from chalicelib.flow.exactness import Screen
from chalicelib.flow.expressions import TIMEOUT_MILLISECONDS, answer, took_too_much
from chalicelib.flow.paths import Missing
from chalicelib.flow.values import Json
from chalicelib.sandbox.confinement import arm
from chalicelib.sandbox.frames import HEADER_BYTES, framed

SPENT_BYTES = 192 * 1024 * 1024
"""A helper that once held so much is replaced after its answer: what it holds is not all given back."""

PROCESSOR_SECONDS = 2 * TIMEOUT_MILLISECONDS / 1000
PROCESSOR_SECONDS_PER_MEGABYTE = 0.1
"""For reading values in and writing them out, per 1,000,000 bytes of the question."""


def serve(questions: BinaryIO, answers_out: BinaryIO) -> None:
    """Answer question after question; returns where there are no more."""
    while len(header := questions.read(HEADER_BYTES)) == HEADER_BYTES:
        length = length_of(header)
        content = questions.read(length)
        if len(content) < length:
            return
        seconds = PROCESSOR_SECONDS + PROCESSOR_SECONDS_PER_MEGABYTE * length / 1_000_000
        arm(seconds)
        question = from_question(content)
        del content
        reply = _encoded(question, answered(question, seconds, answers_out))
        arm(0)
        send(answers_out, reply)


def answered(question: Question, seconds: float, answers_out: BinaryIO) -> Answer:
    """The value of each expression, or the first error; each may take so much processor time.

    Of several, an empty frame says that the next one is begun: where the process ends, it is known at which.
    """
    values: list[Json | Missing] = []
    screen = Screen()
    for place, expression in enumerate(question.expressions):
        if place:
            send(answers_out, b"")
        arm(seconds)
        try:
            values.append(answer(expression, question.scope, question.moment, screen))
        except PenstockError as error:
            return Answer(error=error)
    return Answer(tuple(values))


def _encoded(question: Question, answer_made: Answer) -> bytes:
    text, where = question.expressions[0].text, question.expressions[0].where
    spent = Answer(answer_made.values, answer_made.error, is_spent=_is_spent())
    try:
        reply = to_answer(spent)
    except MemoryError:
        reply = b""
    except RecursionError:
        said = f"`{where}`: the result is nested too deeply.  ->  Take out of it what is needed."
        return to_answer(Answer(error=ExpressionError(said, where=where), is_spent=_is_spent()))
    if reply and len(reply) <= MOST_BYTES:
        return reply
    said = f"`{where}`: {took_too_much(text)}"
    return to_answer(Answer(error=ExpressionError(said, where=where), is_spent=True))


def _is_spent() -> bool:
    return _most_held() > max(SPENT_BYTES, _AT_START)


def _most_held() -> int:
    """The most memory that this process ever held, in bytes; 0 where nobody can tell."""
    try:
        import resource  # there is none on Windows
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if most > SPENT_BYTES and sys.platform == "linux":
        # The server's memory may be in it: getrusage(2) counts what was held before the program was started.
        with contextlib.suppress(OSError, StopIteration, ValueError):
            lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
            return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    return most


_AT_START = _most_held()
"""Where the server's memory cannot be told from its own, a helper has grown when it holds more than both."""


def send(answers_out: BinaryIO, content: bytes) -> None:
    """Write one frame."""
    answers_out.write(framed(content))
    answers_out.flush()
