"""One step, once: what it is given, what it does, what came of it."""

import asyncio
from collections.abc import Generator, Mapping
from dataclasses import dataclass
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
from chalicelib.worker.redaction import Secrets
from chalicelib.worker.tools import Tools


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an attempt takes place."""

    tenant: str
    execution: str
    path: tuple[int, ...]
    zone: str
    secrets: Secrets


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step that is ready to act: its parameters are computed."""

    step: StepPlan
    parameters: Mapping[str, Json]
    moment: Moment


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


async def act(tools: Tools, prepared: Prepared, around: Surroundings, timeout_seconds: float) -> Outcome:
    """Run the node once. Whatever goes wrong is an outcome; only a mishap of this worker or its store is raised."""
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
            return _outcome(await _hold(cast("Generator[Ask, Any, Any]", begun), errand))
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
    return _failed(failure, around.secrets, has_answers=errand is not None and errand.answered > 0)


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


def _failed(failure: Failure, secrets: Secrets, *, has_answers: bool) -> Failed:
    """The failure with every secret masked. Where an earlier request was answered, something has left."""
    return Failed(
        Failure(
            failure.code,
            secrets.mask_text(failure.message),
            failure.status,
            failure.is_retriable,
            failure.retry_after_seconds,
            "answered" if failure.sent == "no" and has_answers else failure.sent,
            secrets.mask(failure.detail),
            secrets.mask_text(failure.url) if failure.url else failure.url,
        )
    )
