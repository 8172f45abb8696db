"""What a knock becomes: a trigger's `if` and `inputs`, the id that a delivery key gives, the lanes, the birth."""

import hashlib
import json
from collections.abc import Mapping

from chalicelib.engine.ids import hashed_id
from chalicelib.engine.messages import Start
from chalicelib.engine.records import Birth
from chalicelib.engine.ticking import schedule_lane
from chalicelib.errors import ParameterError
from chalicelib.flow.inputs import fit_inputs
from chalicelib.flow.values import Json
from chalicelib.ports import Knock, TurnedAway
from chalicelib.worker.budget import from_milliseconds
from chalicelib.worker.evaluating import evaluated, moment_for
from chalicelib.worker.lanes import lanes_for
from chalicelib.worker.packing import json_text, to_start
from chalicelib.worker.tools import Tools


async def understand(tools: Tools, knock: Knock) -> tuple[str | None, Mapping[str, Json]] | TurnedAway:
    """The delivery key, and {"trigger", "inputs"} of the execution; or that there is to be none.

    Raises ParameterError and ExpressionError where the inputs do not fit.
    """
    plan, trigger, key = knock.plan, knock.trigger, knock.key
    inputs: Json = dict(knock.inputs or {})
    document: Json = None
    if trigger is not None and knock.document is not None:
        document = dict(knock.document)
        scope: dict[str, Json] = {"trigger": document, "vars": dict(plan.variables), "steps": {}, "errors": {}}
        moment = moment_for(plan.flow, trigger.id, (), knock.received, plan.timezone)
        evaluator = tools.evaluator
        if trigger.condition and await evaluated(evaluator, trigger.condition, scope, moment) is not True:
            return TurnedAway()
        if trigger.inputs is not None:
            inputs = await evaluated(evaluator, trigger.inputs, scope, moment)
            if not isinstance(inputs, dict):
                raise ParameterError(f"`triggers.{trigger.id}.inputs` must give an object, a field for each input.")
        if trigger.dedupe is not None and (trigger.verify is not None or trigger.uses != "webhook"):
            key = json.dumps(await evaluated(evaluator, trigger.dedupe, scope, moment))
    is_mapped = trigger is not None and trigger.inputs is not None
    where = f"triggers.{trigger.id}.inputs" if trigger is not None and is_mapped else "inputs"
    if plan.inputs or inputs:
        inputs = fit_inputs(plan.inputs, inputs, where=where, drop_unknown=is_mapped)
    return key, {"trigger": document, "inputs": inputs}


async def start_of(tools: Tools, knock: Knock, key: str | None, given: Mapping[str, Json]) -> Start:
    """The message that starts it: the same for the same key, whoever makes it."""
    plan, trigger = knock.plan, knock.trigger
    name = trigger.id if trigger is not None else ""
    if key is None:
        execution = tools.ids.execution(from_milliseconds(knock.received))
    else:
        execution = hashed_id(knock.tenant, plan.flow, name, knock.who, key)
    text = json_text(given)
    fingerprint = knock.fingerprint or hashlib.sha256(text.encode()).hexdigest()
    deadline = knock.received + int(plan.deadline_seconds * 1000) if plan.deadline_seconds else 0
    lanes = await lanes_for(tools, plan, knock.tenant, given, knock.received) if plan.concurrency else ()
    if trigger is not None and trigger.uses == "schedule" and trigger.overlap == "queue":
        lanes = (f"1:{schedule_lane(plan.flow, name)}", *lanes)
    birth = Birth(
        plan.flow,
        plan.version,
        name,
        knock.received,
        "",
        fingerprint,
        deadline,
        retry_of=knock.retry_of,
        keyed=key is not None,
        lanes=lanes,
    )
    return await to_start(tools.blobs, knock.tenant, execution, birth, text)
