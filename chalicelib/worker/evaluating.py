"""Computing what a template stands for, at a moment that is the same on every worker."""

import hashlib
from collections.abc import Mapping

from chalicelib.flow.moment import Moment
from chalicelib.flow.templates import Expression, Literal, Template, expressions, fill
from chalicelib.flow.values import Json
from chalicelib.ports import Evaluator
from chalicelib.worker.budget import from_milliseconds


async def evaluated(
    evaluator: Evaluator,
    template: Template,
    scope: dict[str, Json],
    moment: Moment,
    absent: Mapping[str, str] | None = None,
) -> Json:
    """A template's value in this scope; `absent` says of steps without a value why, for a message.

    Raises ExpressionError, MissingValueError, ParameterError; WorkerMishapError where another worker may fare better.
    """
    if isinstance(template, Literal):
        return template.value
    wanted = _wanted(template)
    return fill(template, await evaluator.evaluate(wanted, scope, moment), scope, absent)


_MOST_REMEMBERED = 8192
_remembered: dict[int, tuple[Template, tuple[Expression, ...]]] = {}


def _wanted(template: Template) -> tuple[Expression, ...]:
    """The expressions of this very template, remembered by identity: a plan is immutable and outlives its steps."""
    known = _remembered.get(id(template))
    if known is not None and known[0] is template:
        return known[1]
    if len(_remembered) >= _MOST_REMEMBERED:
        _remembered.clear()
    wanted = expressions(template)
    _remembered[id(template)] = (template, wanted)
    return wanted


def moment_for(execution: str, step: str, path: tuple[int, ...], ended: int, zone: str) -> Moment:
    """The same on every worker: the latest end in the facts it sees, and a stream of its own (design 4.4)."""
    place = ".".join(map(str, path)) if path else ""
    seed = hashlib.sha256(f"{execution}/{step}/{place}".encode()).digest()
    return Moment(from_milliseconds(ended), seed, zone)
