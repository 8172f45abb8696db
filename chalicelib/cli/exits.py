"""How the command line ends: one table from errors to exit codes."""

from enum import IntEnum

from chalicelib.errors import (
    CallerError,
    ConflictError,
    FlowDisabledError,
    ForbiddenError,
    LinkExpiredError,
    PenstockError,
    RedriveRefusedError,
    SignatureWrongError,
    StepFailedError,
    UnauthenticatedError,
    WorldError,
)


class Exit(IntEnum):
    """What a script may rely on."""

    DONE = 0
    FAILED = 1
    """The thing failed: an execution, a deployment, a diagnosis."""
    USAGE = 2
    """What was typed, or a file named in it, is wrong."""
    REFUSED = 3
    """Nobody answers, or who answers refuses: no key, a flow that is disabled, an execution that has ended."""


_EXITS: tuple[tuple[type[PenstockError], Exit], ...] = (
    (StepFailedError, Exit.FAILED),
    (UnauthenticatedError, Exit.REFUSED),
    (ForbiddenError, Exit.REFUSED),
    (FlowDisabledError, Exit.REFUSED),
    (SignatureWrongError, Exit.REFUSED),
    (LinkExpiredError, Exit.REFUSED),
    (RedriveRefusedError, Exit.REFUSED),
    (CallerError, Exit.USAGE),
    (WorldError, Exit.REFUSED),
    (ConflictError, Exit.REFUSED),
)


def exit_of(error: PenstockError) -> Exit:
    """The exit code that an error ends in."""
    return next((code for kind, code in _EXITS if isinstance(error, kind)), Exit.FAILED)
