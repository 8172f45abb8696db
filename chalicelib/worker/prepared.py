"""A step that is about to act, and where."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.flow.moment import Moment
from chalicelib.flow.plan import StepPlan
from chalicelib.flow.values import Json
from chalicelib.worker.redaction import Secrets


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an attempt takes place."""

    tenant: str
    execution: str
    path: tuple[int, ...]
    zone: str
    secrets: Secrets
    part: str = ""
    """The record that the step's facts lie in; empty for the head."""
    depth: int = 0
    """How many calls lie above the execution."""
    redrive: str = ""
    """`r<n>` after n redrives of the step itself, `w<n>` after n of the loop around it that made it begin anew."""
    flow: str = ""
    """The flow it takes place in."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step that is ready to act: its parameters are computed."""

    step: StepPlan
    parameters: Mapping[str, Json]
    moment: Moment
