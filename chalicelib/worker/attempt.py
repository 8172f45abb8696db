"""One step, once: what it is given, what it does, what came of it."""

import asyncio
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from chalicelib.engine.retry import failure_of
from chalicelib.errors import (
    ExpressionError,
    MissingValueError,
    ParameterError,
    PenstockError,
    StoreError,
    WorkerMishapError,
)
from chalicelib.flow.moment import Moment
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.values import Json
from chalicelib.kit.action import Action, Control, Trigger
from chalicelib.kit.service import Service
from chalicelib.kit.values import Ask, Failed, Failure, Outcome, Succeeded, Unknown, Waits
from chalicelib.kit.values import Moment as KitMoment
from chalicelib.worker.asks import AskFailedError, Errand, moment_of
from chalicelib.worker.evaluating import evaluated
from chalicelib.worker.prepared import Prepared, Surroundings
from chalicelib.worker.redaction import masked
from chalicelib.worker.tools import Tools


@dataclass(frozen=True, slots=True)
class SkippedByIf:
    """Its `if` is false."""


async def prepare(
    tools: Tools,
    step: StepPlan,
    scope: dict[str, Json],
    moment: Moment,
    absent: Mapping[str, str] | None = None,
) -> Prepared | SkippedByIf | Failure:
    """Ask its `if`, and compute its parameters. A mishap of this worker is raised, never a result."""
    try:
        if step.condition is not None and await evaluated(tools.evaluator, step.condition, scope, moment) is not True:
            return SkippedByIf()
        parameters = await evaluated(tools.evaluator, step.parameters, scope, moment, absent)
    except (ExpressionError, MissingValueError, ParameterError) as error:
        return failure_of(error)
    return Prepared(step, cast("Mapping[str, Json]", parameters), moment)


async def act(
    tools: Tools, prepared: Prepared, around: Surroundings, timeout_seconds: float, number: int = 1
) -> Outcome:
    """Run the node once. Whatever goes wrong is an outcome; only a mishap of this worker or its store is raised.

    `number` is that of the attempt, from 1.
    """
    if tools.stand_in is not None and (stood_in := await tools.stand_in(prepared, around, number)) is not None:
        return stood_in
    if prepared.step.plugin:
        from chalicelib.worker.plugin_steps import run_plugin  # imported late: few flows have one

        return await run_plugin(tools, prepared, around, timeout_seconds)
    return await _run_node(tools, prepared, around, timeout_seconds)


async def _run_node(tools: Tools, prepared: Prepared, around: Surroundings, timeout_seconds: float) -> Outcome:
    step = prepared.step
    try:
        node = tools.build(step.uses, prepared.parameters)
    except PenstockError as error:
        return Failed(failure_of(error))
    if isinstance(node, Trigger):
        return Failed(Failure("parameter", f"`{step.uses}` is a trigger: it starts a flow, and is no step in it."))
    moment = moment_of(prepared.moment.now, prepared.moment.zone, prepared.moment.seed)
    errand: Errand | None = None
    try:
        begun: Any = node.decide(moment) if isinstance(node, Control) else node.run()
        if not isinstance(begun, Generator):
            return _outcome(begun)
        service = node.service if isinstance(node, Action) else None
        errand = _errand(tools, prepared, around, service, moment, timeout_seconds)
        async with asyncio.timeout(timeout_seconds):
            outcome = _outcome(await _hold(cast("Generator[Ask, Any, Any]", begun), errand))
        return Failed(_as_sent(outcome.failure, errand)) if isinstance(outcome, Failed) else outcome
    except AskFailedError as error:
        failure = error.failure
    except WorkerMishapError:
        raise
    except StoreError as error:
        if errand is not None and errand.has_asked and step.effect.is_leased:
            failure = failure_of(error)  # asking again is the retry policy's to decide: something has left already
        else:
            raise
    except TimeoutError:
        said = f"No answer within {timeout_seconds:g} s. Allow more with `timeout`, or make the request smaller."
        failure = Failure("timeout", said, is_retriable=True, sent=_sent(errand))
    except PenstockError as error:
        failure = failure_of(error)
    except Exception as error:  # noqa: BLE001  a node is other people's code: its bug fails its step alone
        said = f"The node `{step.uses}` failed in an unforeseen way ({type(error).__name__}); this is a bug in it."
        failure = Failure("node_bug", said, sent=_sent(errand))
    return masked(_as_sent(failure, errand), around.secrets)


def _errand(
    tools: Tools,
    prepared: Prepared,
    around: Surroundings,
    service: Service | None,
    moment: KitMoment,
    timeout_seconds: float,
) -> Errand:
    step = prepared.step
    return Errand(
        tools=tools,
        tenant=around.tenant,
        execution=around.execution,
        step=step.id,
        path=around.path,
        service=service,
        parameters=prepared.parameters,
        credential=step.credential,
        moment=moment,
        secrets=around.secrets,
        timeout_seconds=timeout_seconds,
        is_effect=step.effect.needs_barrier,
        part=around.part,
        depth=around.depth,
        redrive=around.redrive,
    )


def _sent(errand: Errand | None) -> str:
    """Whether a request is on its way and unanswered."""
    return "maybe" if errand is not None and errand.is_sent else "no"


async def _hold(conversation: Generator[Ask, Any, Any], errand: Errand) -> Any:
    """Hold the conversation: hand each answer in, until the node has its value."""
    try:
        ask = next(conversation)
        while True:
            ask = conversation.send(await errand.answer(ask))
    except StopIteration as end:
        return end.value
    finally:
        conversation.close()


def _outcome(value: Any) -> Outcome:
    if isinstance(value, Succeeded | Failed | Unknown | Waits):
        return value
    return Succeeded(value)


def _as_sent(failure: Failure, errand: Errand | None) -> Failure:
    """The failure, and whether the attempt can have had an effect: what was answered before it counts too."""
    if errand is None or not errand.answered or failure.sent == "maybe":
        return failure
    # An earlier request of the same attempt may have had its effect, whatever became of the last one.
    return replace(failure, sent="partly" if errand.asked > 1 else "answered")
