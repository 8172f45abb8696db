"""A test file once it has been understood: its cases, what stands in for the world in each, and what is expected."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from chalicelib.flow.plan import Plan
from chalicelib.flow.text import Document
from chalicelib.flow.values import Json, Pointer
from chalicelib.kit.values import Failure


@dataclass(frozen=True, slots=True)
class Reply:
    """A mock that succeeds: the step's value, and the port it is left by."""

    value: Json
    port: str
    after_seconds: float | None = None
    """How long it takes, on the virtual clock."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A mock that fails: why the attempt failed."""

    failure: Failure
    after_seconds: float | None = None


Mock: TypeAlias = Reply | Refusal
"""What one attempt comes to."""

Script: TypeAlias = "Mock | tuple[Script, ...]"
"""What stands in for a step: one mock for all it does, or one after another.

Within a loop the outermost list goes by its turns, within two loops the next one by those of the inner loop; the
innermost goes by attempts.
"""


def mock_of(script: Script, turns: tuple[int, ...], attempt: int) -> Mock | None:
    """The mock of a turn (each counted from 0) and an attempt (from 1); None where the list is over before."""
    for place in (*turns, attempt - 1):
        if not isinstance(script, tuple):
            return script
        if place >= len(script):
            return None
        script = script[place]
    return script if not isinstance(script, tuple) else None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a case says must come of it; None where it says nothing."""

    status: str = "succeeded"
    ran: tuple[str, ...] | None = None
    skipped: tuple[str, ...] | None = None
    failed: tuple[str, ...] | None = None
    sent: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """By step: one object that every call must match, or a list with one for each call."""
    output: Json = None
    has_output: bool = False
    clock: datetime | None = None
    is_clock_exact: bool = False
    """Whether the moment was written with fractions of a second."""


@dataclass(frozen=True, slots=True)
class Case:
    """One execution, and what must come of it."""

    name: str
    pointer: Pointer
    plan: Plan
    """The flow with this case's `vars`."""
    text: str
    """The version's canonical text."""
    clock: datetime
    trigger: str | None
    document: Mapping[str, Json] | None
    """What the trigger hands over, as the file says it."""
    inputs: Mapping[str, Json] | None
    mocks: Mapping[str, Script]
    expect: Expectation


@dataclass(frozen=True, slots=True)
class Suite:
    """A flow and its cases."""

    path: Path
    """The test file."""
    document: Document
    """The test file as read: it says where things stand."""
    plan: Plan
    """The flow as it stands in its file."""
    cases: tuple[Case, ...]
