"""Which credentials a flow names, and which of them are not there."""

from collections.abc import Iterable

from chalicelib.flow.plan import Plan


def credentials_of(plan: Plan) -> set[str]:
    """The names of all credentials that a flow's steps and triggers use."""
    named = {step.credential for step in plan.by_id.values()}
    for trigger in plan.triggers.values():
        named.add(trigger.credential)
        verified = (trigger.verify or {}).get("credential")
        named.add(verified if isinstance(verified, str) else None)
    return {name for name in named if name}


def missing(plans: Iterable[Plan], there: Iterable[str]) -> list[str]:
    """The names that flows use and nobody has set, sorted."""
    named = {name for plan in plans for name in credentials_of(plan)}
    return sorted(named - set(there))
