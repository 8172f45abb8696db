"""A schedule's moment has come: start the flow, once for each planned moment."""

from chalicelib.errors import NotFoundError
from chalicelib.flow.values import Json
from chalicelib.ports import Door, Entered, Knock, Plans, TurnedAway
from chalicelib.worker.budget import to_text


async def tick(
    door: Door, plans: Plans, tenant: str, flow: str, trigger: str, planned: int, previous: int | None
) -> Entered | None:
    """Start the published version for the planned moment (epoch milliseconds); once and not again.

    None where the flow is disabled or the trigger's `if` is false. Raises NotFoundError where the flow or the trigger
    is gone: the schedule outlived it.
    """
    live = await plans.live(tenant, flow)
    if live is None:
        raise NotFoundError(f"The flow `{flow}` is not published.")
    if not live.enabled:
        return None
    plan = await plans.plan(tenant, flow, live.version)
    entry = plan.triggers.get(trigger)
    if entry is None or entry.uses != "schedule":
        raise NotFoundError(f"The flow `{flow}` has no schedule `{trigger}`.")
    at, before = to_text(planned), to_text(previous) if previous is not None else None
    document: dict[str, Json] = {"name": trigger, "at": at, "previous": before}
    # The moment alone says what is the same tick: which one came before is known to some, and to others not.
    knock = Knock(tenant, plan, entry, document, None, "accepted", planned, key=at, fingerprint=at)
    entered = await door.enter(knock)
    return None if isinstance(entered, TurnedAway) else entered
