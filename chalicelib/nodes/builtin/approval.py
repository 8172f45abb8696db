"""A question to a person."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import LongText, Patience, one_as_list
from chalicelib.kit.values import Moment, Outcome, Succeeded, Waits

_MOST_PEOPLE = 50


def _people(names: list[str]) -> list[str]:
    """Who may answer: somebody, each once."""
    people = list(dict.fromkeys(name.strip() for name in names))
    if not people or "" in people:
        raise ValueError("names nobody; leave it out where whoever has the link may answer")
    if len(people) > _MOST_PEOPLE:
        raise ValueError(f"names more than {_MOST_PEOPLE} people")
    return people


def _asked(question: str) -> str:
    """A question that says something."""
    if not question.strip():
        raise ValueError("is empty; write what is asked")
    return question


class Approval(Control):
    """Ask a person and wait for the answer: leaves by `approved`, `rejected` or `expired`.

    The page that asks is at `${ execution.links.<step> }`: send it to whoever decides, in a step before this one or
    beside it. Opening the page decides nothing; a button on it does, once. Left by `approved` or `rejected` the value
    is `{"by", "comment", "via"}`: who answered, what they wrote, and by which way; left by `expired` it is null.
    """

    ports = ("approved", "rejected", "expired")
    output = {
        "type": ["object", "null"],
        "properties": {"by": {"type": "string"}, "comment": {"type": "string"}, "via": {"type": "string"}},
        "required": ["by", "comment", "via"],
        "additionalProperties": False,
    }
    example = Example(
        given={"ask": "Ship 250 € to Ann?", "expires": "2d"},
        returns=Waits(datetime(2026, 11, 22, 7, 0, tzinfo=UTC), port="expired", for_="approval"),
        becomes=Succeeded({"by": "ann@shop.example", "comment": "", "via": "link"}, "approved"),
    )
    more_examples = (
        Example(
            given={"ask": "Refund order 17?", "by": ["ann@shop.example", "Bo"]},
            returns=Waits(None, port="expired", for_="approval"),
            becomes=Succeeded({"by": "Bo", "comment": "Sent twice already", "via": "link"}, "rejected"),
            about="One of two people; the page asks which of them answers.",
        ),
    )

    ask: Annotated[LongText, AfterValidator(_asked), Field(max_length=10_000)]
    """The question."""
    expires: Patience | None = None
    """After how long it counts as unanswered and leaves by `expired`; without it, it waits as long as the execution."""
    by: Annotated[
        list[Annotated[str, Field(max_length=200)]],
        BeforeValidator(one_as_list),
        AfterValidator(_people),
        Field(json_schema_extra={"x-place": "list"}),
    ] = []
    """Who may answer, by name or e-mail address, one or a list; without it, whoever has the link."""

    def decide(self, moment: Moment) -> Outcome:
        """Wait, at the latest until it expires, counted from the step's own time."""
        nothing: Any = None
        return Waits(None if self.expires is None else moment.now + self.expires, nothing, "expired", "approval")
