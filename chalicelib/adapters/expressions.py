"""Expressions, evaluated in this process."""

from collections.abc import Sequence

from chalicelib.flow.expressions import answers
from chalicelib.flow.moment import Moment
from chalicelib.flow.paths import Missing
from chalicelib.flow.templates import Expression
from chalicelib.flow.values import Json


class HereEvaluator:
    """Fulfils `ports.Evaluator` within this process: its memory, its time."""

    async def evaluate(
        self, expressions: Sequence[Expression], scope: dict[str, Json], moment: Moment
    ) -> Sequence[Json | Missing]:
        """Each expression's value in this scope."""
        return answers(expressions, scope, moment)
