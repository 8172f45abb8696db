"""`date.now`."""

from chalicelib.flow import dates
from chalicelib.kit.action import Action, Conversation, Example
from chalicelib.kit.values import GetMoment, Moment
from chalicelib.nodes.date.clocks import AT_EIGHT, answer, with_offset


class Now(Action):
    """The time at which this step could begin: when the last step that it waits for ended.

    It is the same however often the step is tried, and equals `$now()`.
    """

    effect = "pure"
    example = Example(given={}, sends=(GetMoment(),), receives=(AT_EIGHT,), returns="2026-11-20T07:00:00.000Z")
    more_examples = (
        Example(
            given={"zone": "America/New_York"},
            sends=(GetMoment(),),
            receives=(AT_EIGHT,),
            returns="2026-11-20T02:00:00.000-05:00",
            about="As clocks elsewhere show it",
        ),
    )

    zone: str | None = None
    """The time zone to write it in, such as `Europe/Berlin`; left out, UTC."""

    def run(self) -> Conversation:
        """The time as ISO 8601."""
        moment: Moment = yield GetMoment()
        zone = self.zone
        if zone is None:
            return dates.iso(moment.now)
        return answer(lambda: with_offset(moment.now, dates.zone_of(zone)))
