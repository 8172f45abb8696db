"""Expressions that may grow, evaluated in a helper process that may die of them; all others in this one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from chalicelib.adapters.expression_frames import Answer, from_answer, to_question
from chalicelib.adapters.expression_helper import Helper, TookTooMuchError
from chalicelib.errors import ExpressionError, PenstockError, WorkerMishapError
from chalicelib.flow.expressions import answers, took_too_much
from chalicelib.flow.growth import may_grow
from chalicelib.flow.moment import Moment
from chalicelib.flow.paths import MISSING, Missing
from chalicelib.flow.templates import Expression
from chalicelib.flow.values import Json

MOST_HELPERS = 2
"""Processes at once; a question waits where all are asked."""

PATIENCE_SECONDS = 5.0
"""For one expression, wall clock: far more than the processor time that a helper allows itself."""

PATIENCE_SECONDS_PER_MEGABYTE = 1.0


class ApartEvaluator:
    """Fulfils `ports.Evaluator` for a server that must stay up: what may grow is evaluated in a helper process.

    A helper is started when the first such expression comes, kept, and replaced when it died or has grown. All such
    expressions of one `evaluate` are one question. Made and used on one event loop; `close` ends every helper.
    """

    def __init__(
        self, start: Callable[[], Awaitable[Helper]] = Helper.start, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """`start` starts a helper."""
        self._start = start
        self._patience_seconds = patience_seconds
        self._free = asyncio.Semaphore(MOST_HELPERS)
        self._idle: list[Helper] = []
        self._all: set[Helper] = set()
        self._is_closed = False

    async def evaluate(
        self, expressions: Sequence[Expression], scope: dict[str, Json], moment: Moment
    ) -> Sequence[Json | Missing]:
        """Each expression's value in this scope; of several that fail, the first one's error."""
        apart = [place for place, each in enumerate(expressions) if _is_apart(each)]
        if not apart:
            return answers(expressions, scope, moment)
        found: dict[int, Json | Missing] = {}
        failure: PenstockError | None = None
        for place, expression in enumerate(expressions):
            if place not in apart:
                try:
                    found[place] = answers([expression], scope, moment)[0]
                except PenstockError as error:
                    failure, apart = error, [each for each in apart if each < place]
                    break
        if apart:
            asked = [expressions[place] for place in apart]
            found.update(zip(apart, await self._ask(asked, scope, moment), strict=True))
        if failure is not None:
            raise failure
        return [found.get(place, MISSING) for place in range(len(expressions))]

    async def close(self) -> None:
        """End every helper; who asks now is told of a mishap."""
        self._is_closed = True
        ending, self._all, self._idle = self._all, set(), []
        await asyncio.gather(*(helper.end() for helper in ending))

    async def _ask(
        self, expressions: Sequence[Expression], scope: dict[str, Json], moment: Moment
    ) -> Sequence[Json | Missing]:
        try:
            async with self._free:
                # Made in here, so that no more questions lie in memory than are asked.
                answer = await self._answer(to_question(expressions, scope, moment), len(expressions))
        except TookTooMuchError as error:
            guilty = expressions[min(error.place, len(expressions) - 1)]
            said = f"`{guilty.where}`: {took_too_much(guilty.text)}"
            raise ExpressionError(said, where=guilty.where) from error
        if answer.error is not None:
            raise answer.error
        return answer.values

    async def _answer(self, content: bytes, count: int) -> Answer:
        patience = self._patience_seconds * count + PATIENCE_SECONDS_PER_MEGABYTE * len(content) / 1_000_000
        helper = await self._helper()
        try:
            answer = from_answer(await helper.ask(content, patience), count)
        except (TookTooMuchError, WorkerMishapError):
            await self._drop(helper)
            raise
        except ValueError as error:
            await self._drop(helper)
            raise WorkerMishapError("the process that evaluates expressions gave an answer that is none") from error
        if answer.is_spent:
            await self._drop(helper)
        else:
            self._idle.append(helper)
        return answer

    async def _helper(self) -> Helper:
        """A helper that listens: one that is idle, or a new one."""
        while self._idle:
            helper = self._idle.pop()
            if helper.is_alive:
                return helper
            await self._drop(helper)
        for helper in [each for each in self._all if not each.is_alive]:
            self._all.discard(helper)  # who asked it was cancelled
        if self._is_closed:
            raise WorkerMishapError("the server is ending")
        helper = await self._start()
        self._all.add(helper)
        return helper

    async def _drop(self, helper: Helper) -> None:
        await helper.end()
        self._all.discard(helper)


def _is_apart(expression: Expression) -> bool:
    return expression.path is None and (expression.defines_function or may_grow(expression.text))
