"""An end by choice."""

from typing import Annotated

from pydantic import Field

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import LongText
from chalicelib.kit.values import Failed, Failure, Moment, Outcome


class Fail(Control):
    """Fail with a message of your own.

    Like any failure it takes the step's `error` port where somebody named it, and ends the execution where nobody did.
    """

    example = Example(
        given={"message": "The export failed: no reason given", "code": "export_failed"},
        returns=Failed(Failure("export_failed", "The export failed: no reason given")),
    )

    message: LongText
    """What went wrong, for people."""
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "failed"
    """What went wrong, for programs: lower-case letters, digits and underscores; read as `errors.<step>.code`."""

    def decide(self, moment: Moment) -> Outcome:
        """The failure."""
        return Failed(Failure(self.code, self.message))
