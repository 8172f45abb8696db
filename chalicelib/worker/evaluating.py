"""Computing what a template stands for, at a moment that is the same on every worker."""

import hashlib

from chalicelib.flow.moment import Moment
from chalicelib.flow.templates import Template, expressions, fill
from chalicelib.flow.values import Json
from chalicelib.ports import Evaluator
from chalicelib.worker.budget import from_milliseconds


async def evaluated(evaluator: Evaluator, template: Template, scope: dict[str, Json], moment: Moment) -> Json:
    """A template's value in this scope.

    Raises ExpressionError, MissingValueError, ParameterError; WorkerMishapError where another worker may fare better.
    """
    wanted = expressions(template)
    if not wanted:
        return fill(template, ())
    return fill(template, await evaluator.evaluate(wanted, scope, moment), scope)


def moment_for(execution: str, step: str, path: tuple[int, ...], ended: int, zone: str) -> Moment:
    """The same on every worker: the latest end in the facts it sees, and a stream of its own (design 4.4)."""
    seed = hashlib.sha256(f"{execution}/{step}/{'.'.join(map(str, path))}".encode()).digest()
    return Moment(from_milliseconds(ended), seed, zone)
