"""Schedules of flows in EventBridge Scheduler: a flow's are replaced as a whole whenever its pointer is written.

A schedule's name is a hash of whose it is and of what it says: the same one again is there already, another one has
another name, and what is left over under the flow's prefix is removed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from chalicelib.adapters.aws.answers import read_json_refusal
from chalicelib.adapters.aws.client import Endpoints
from chalicelib.adapters.aws.names import Names
from chalicelib.adapters.aws.schedule_text import Spoken, spoken
from chalicelib.errors import NotFoundError, StoreError
from chalicelib.flow.plan import Plan
from chalicelib.kit.cron import schedule_of
from chalicelib.ports import Clock, Http, HttpAnswer, HttpRequest, Live
from chalicelib.signing.forms import AwsKeys
from chalicelib.signing.sigv4 import sign_headers

PLANNED = "<aws.scheduler.scheduled-time>"
"""What Scheduler replaces by the planned moment (its guide, "Adding context attributes")."""

_LATEST_SECONDS = 86_400
"""How long Scheduler goes on trying to hand a moment over, the longest it can. What is too late to start anything is
the flow's to say (`catch_up`), and a late one finds whatever was missed before it."""

_TRIES = 185
"""How often, the most it can (API reference, RetryPolicy)."""


class SchedulerSchedules:
    """Fulfils `ports.Schedules`."""

    def __init__(self, http: Http, keys: AwsKeys, names: Names, endpoints: Endpoints, clock: Clock) -> None:
        """Take the engine's own client, whose keys they are, and where things are; see `adapters.aws.client.Aws`."""
        self._http = http
        self._keys = keys
        self._names = names
        self._clock = clock
        self._endpoint = (endpoints.every or f"https://scheduler.{names.region}.{names.domain}").rstrip("/")

    async def replace(self, live: Live, plan: Plan) -> None:
        """A flow's schedules are those of this version, and no other's; a disabled flow has none.

        A schedule that says the same as one that is there already stays as it is: what it invokes asks which version
        is live.

        Raises StoreError, TimedOutError or CutOffError where it could not be carried out whole; the same again
        completes it.
        """
        prefix = flow_prefix(live.tenant, live.flow)
        wanted = dict(self._definitions(live, plan)) if live.enabled else {}
        present = await self._names_under(prefix)
        for name, definition in wanted.items():
            if name not in present:
                await self._create(name, definition)
        for name in present - wanted.keys():
            await self._delete(name)

    def _definitions(self, live: Live, plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
        for trigger, each in schedules_of(plan, self._clock.now()):
            event = {"tenant": live.tenant, "flow": live.flow, "trigger": trigger, "at": PLANNED}
            said = json.dumps([each.expression, each.zone, event, self._names])
            name = f"{flow_prefix(live.tenant, live.flow)}{_hash(said)}"
            yield name, self._definition(each.expression, each.zone, event)

    def _definition(self, expression: str, zone: str, event: Mapping[str, str]) -> dict[str, Any]:
        names = self._names
        return {
            "GroupName": names.schedule_group,
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": zone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED",
            "Target": {
                "Arn": names.function_arn("tick"),
                "RoleArn": names.schedule_role,
                "Input": json.dumps(event),
                "RetryPolicy": {"MaximumEventAgeInSeconds": _LATEST_SECONDS, "MaximumRetryAttempts": _TRIES},
            },
        }

    async def _names_under(self, prefix: str) -> set[str]:
        found: set[str] = set()
        token = ""
        while True:
            query = f"ScheduleGroup={self._names.schedule_group}&NamePrefix={prefix}&MaxResults=100"
            query += f"&NextToken={quote(token, safe='')}" if token else ""
            page = json.loads((await self._ask("ListSchedules", "GET", f"/schedules?{query}")).body)
            found |= {str(each["Name"]) for each in page["Schedules"]}
            token = page.get("NextToken") or ""
            if not token:
                return found

    async def _create(self, name: str, definition: dict[str, Any]) -> None:
        body = json.dumps(definition).encode()
        # 409: it is there already, word for word, since its name says so.
        await self._ask("CreateSchedule", "POST", f"/schedules/{name}", body, bearable=409)

    async def _delete(self, name: str) -> None:
        path = f"/schedules/{name}?groupName={self._names.schedule_group}"
        await self._ask("DeleteSchedule", "DELETE", path, bearable=404)

    async def _ask(self, action: str, method: str, path: str, body: bytes = b"", *, bearable: int = 0) -> HttpAnswer:
        headers = (("Content-Type", "application/json"),) if body else ()
        url = self._endpoint + path
        signed = sign_headers(
            method,
            url,
            headers,
            body,
            keys=self._keys,
            region=self._names.region,
            service="scheduler",
            now=self._clock.now(),
        )
        answer = await self._http.send(HttpRequest(method, url, tuple(signed), body, 10.0, 1_000_000))
        if answer.status < 300 or answer.status == bearable:
            return answer
        error = read_json_refusal(answer).to_error(f"AWS scheduler.{action}")
        if isinstance(error, NotFoundError):
            raise StoreError(
                f"There is no schedule group {self._names.schedule_group}. Deploy again: it is made with the stack."
            ) from error
        raise error


def schedules_of(plan: Plan, now: datetime) -> list[tuple[str, Spoken]]:
    """Every schedule of a plan with its trigger's id."""
    found: list[tuple[str, Spoken]] = []
    for trigger in plan.triggers.values():
        if trigger.uses == "schedule":
            zone = str(trigger.parameters.get("timezone") or plan.timezone)
            found += [(trigger.id, each) for each in spoken(schedule_of(trigger.parameters), zone, now)]
    return found


def flow_prefix(tenant: str, flow: str) -> str:
    """What the names of a flow's schedules begin with: a hash, since names allow few characters and 64 of them."""
    return f"{_hash(json.dumps([tenant, flow]))}-"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
