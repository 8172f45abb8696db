"""Runs cases: one virtual clock, one deployment in memory, one execution each."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib import catalogue
from chalicelib.api.running import document_of
from chalicelib.errors import CallerError
from chalicelib.ports import Knock, TurnedAway
from chalicelib.rehearsal.clock import VirtualClock, VirtualLoop
from chalicelib.rehearsal.comparing import Difference, compare
from chalicelib.rehearsal.deployment import TENANT, Deployment
from chalicelib.rehearsal.happened import Happened, happened
from chalicelib.rehearsal.standing_in import Cast
from chalicelib.rehearsal.suite import Case
from chalicelib.worker.budget import to_milliseconds


@dataclass(frozen=True, slots=True)
class Result:
    """One case that has run."""

    case: Case
    went: Happened
    differences: Sequence[Difference]
    seconds: float
    """How long it really took."""

    @property
    def has_passed(self) -> bool:
        """Whether all went as expected."""
        return not self.differences


def run_case(case: Case) -> Result:
    """Run a case to its end, on virtual time; the same case gives the same on every run."""
    started = time.perf_counter()
    clock = VirtualClock(case.clock)
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        went = runner.run(_rehearse(case, clock))
    return Result(case, went, compare(case, went), time.perf_counter() - started)


async def _rehearse(case: Case, clock: VirtualClock) -> Happened:
    cast = Cast(case.plan, case.mocks, catalogue.entries(), clock)
    deployment = Deployment(clock, cast, frozenset(case.mocks))
    received = to_milliseconds(clock.now())
    trigger = case.plan.triggers[case.trigger] if case.trigger is not None else None
    document = None
    if trigger is not None:
        document = document_of(case.plan.flow, trigger, dict(case.document or {}), received)
    knock = Knock(TENANT, case.plan, trigger, document, case.inputs, "accepted", received)
    try:
        entered = await deployment.enter(case.plan, case.text, knock)
    except CallerError as error:
        said = "; ".join(f"`{one.where}`: {one.what}" for one in error.problems) or error.detail
        return Happened("refused", f"nothing was started: {said}")
    if isinstance(entered, TurnedAway):
        return Happened("ignored", "the trigger's `if` is false")
    details = await deployment.play(entered.execution)
    return happened(case.plan, details, cast.seen)
