"""A wait for somebody else's request."""

from datetime import UTC, datetime, timedelta

from chalicelib.kit.action import Control, Example
from chalicelib.kit.fields import Patience
from chalicelib.kit.values import Json, Moment, Outcome, Succeeded, Waits


class Callback(Control):
    """Wait for a request to an address made for this step: leaves by `received`, or by `expired`.

    The address is `${ execution.links.<step> }`: hand it to whoever is to answer, in a step before this one or beside
    it. The first request to it is the answer; one that comes before the step waits is kept for it.
    Left by `received` the value is `{"body", "headers", "query", "method"}`, left by `expired` it is null.

    With `heartbeat` whoever works on the answer says so in time, by a POST to `<address>/heartbeat`; silence is read
    as `expired`. `expires` holds all the same.
    """

    ports = ("received", "expired")
    output = {
        "type": ["object", "null"],
        "properties": {
            "body": {},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "query": {"type": "object", "additionalProperties": {"type": "string"}},
            "method": {"type": "string"},
        },
        "required": ["body", "headers", "query", "method"],
        "additionalProperties": False,
    }
    example = Example(
        given={"expires": "2h"},
        returns=Waits(datetime(2026, 11, 20, 9, 0, tzinfo=UTC), port="expired", for_="callback"),
        becomes=Succeeded(
            {"body": {"ok": True}, "headers": {"content-type": "application/json"}, "query": {}, "method": "POST"},
            "received",
        ),
    )
    more_examples = (
        Example(
            given={"expires": "1d", "heartbeat": "10m"},
            returns=Waits(
                datetime(2026, 11, 20, 7, 10, tzinfo=UTC),
                port="expired",
                for_="callback",
                heartbeat=timedelta(minutes=10),
            ),
            becomes=Succeeded(None, "expired"),
            about="Ten minutes without a word, or a day in all.",
        ),
    )

    expires: Patience | None = None
    """After how long it stops waiting and leaves by `expired`; without it, it waits as long as the execution lasts."""
    heartbeat: Patience | None = None
    """The longest silence: when neither the answer nor a heartbeat came for this long, it leaves by `expired`."""

    def decide(self, moment: Moment) -> Outcome:
        """Wait, at the latest until it expires or falls silent, counted from the step's own time."""
        lengths = [length for length in (self.expires, self.heartbeat) if length is not None]
        until = moment.now + min(lengths) if lengths else None
        nothing: Json = None
        return Waits(until, nothing, "expired", "callback", self.heartbeat)
