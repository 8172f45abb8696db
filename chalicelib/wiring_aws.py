"""Where everything meets on AWS: the other half of `wiring`.

What a delivery that is only accepted does not need is imported when it is first asked for: the listener and its engine,
the client for flows, the scheduler.
"""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chalicelib import catalogue
from chalicelib.adapters.aws.blobs import AwsBlobs
from chalicelib.adapters.aws.client import Aws, Endpoints
from chalicelib.adapters.aws.documents import AwsDocuments
from chalicelib.adapters.aws.facts import AwsFacts
from chalicelib.adapters.aws.keys import keys_from_environment, region_from_environment
from chalicelib.adapters.aws.limits import AwsLimits
from chalicelib.adapters.aws.names import Names
from chalicelib.adapters.aws.queue import AwsQueue
from chalicelib.adapters.aws.refusals import AwsRefusals
from chalicelib.adapters.aws.settings import LINK_KEY_BYTES, read_base_url, read_link_key
from chalicelib.adapters.aws.versions import AwsVersions
from chalicelib.adapters.clock import RandomIds, SystemClock
from chalicelib.adapters.egress import policy_for_flows, words
from chalicelib.adapters.environment import EnvironmentCredentials, stage_vars_from
from chalicelib.adapters.expressions import HereEvaluator
from chalicelib.adapters.http import HttpClient, client_for_engine, client_for_flows
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.memory.limits import MemoryLimits
from chalicelib.adapters.oauth_late import LateRenewal
from chalicelib.adapters.vault import VaultCredentials
from chalicelib.api.app import Api
from chalicelib.api.audit_log import AuditLog
from chalicelib.api.auth import AdminKeys, hashes_from
from chalicelib.api.gate import gate_of
from chalicelib.api.refusal_tally import RefusalTally
from chalicelib.api.sender_hosts import SenderHosts
from chalicelib.api.tools import Settings as ApiSettings
from chalicelib.api.tools import Tools as ApiTools
from chalicelib.api.watch import watch_from
from chalicelib.errors import PenstockError, SettingError
from chalicelib.signing.forms import AwsKeys
from chalicelib.worker.budget import Budget, to_milliseconds
from chalicelib.worker.door import FrontDoor
from chalicelib.worker.ends import Ends
from chalicelib.worker.links import Links
from chalicelib.worker.plans import RememberedPlans
from chalicelib.worker.tools import Settings, Tools

if TYPE_CHECKING:
    from chalicelib.adapters.vault_admin import VaultAdmin
    from chalicelib.flow.plan import Plan
    from chalicelib.ports import Live, Received
    from chalicelib.ports.oauth import Consents
    from chalicelib.vault.keys import KeyService

log = logging.getLogger("penstock.aws")

INVOCATION_SECONDS = 295.0
"""How long the worker may work at a time: its function's `lambda_timeout` of 300 s, less what its answer takes."""

WAIT_SECONDS = 25.0
"""How long a request waits for a result: API Gateway ends it after 29 s (quotas for REST APIs)."""

MOST_SWEPT = 1_000
"""Heads that one sweep looks at: it comes every minute, and takes a few seconds for so many."""


class Cloud(NamedTuple):
    """The way to AWS: whose calls, through what, to where, and what things are called there."""

    http: HttpClient
    keys: AwsKeys
    endpoints: Endpoints
    names: Names
    aws: Aws


class OnAws:
    """One deployment as one process of its functions sees it."""

    def __init__(self, environment: Mapping[str, str], cloud: Cloud, base_url: str) -> None:
        """Put the house together; `on_aws` makes what it is handed."""
        self._cloud = cloud
        self._base_url = base_url
        allow = words(environment.get("PENSTOCK_ALLOW_PRIVATE", ""))
        self._http = client_for_flows(policy_for_flows(environment, (base_url,), allow=allow))
        aws, names = cloud.aws, cloud.names
        self.clock = SystemClock()
        self.ids = RandomIds()
        self.blobs = AwsBlobs(aws, names.bucket)
        self.queue = AwsQueue(aws, names.queue_url, self.blobs, self.clock)
        self.versions = AwsVersions(aws, names.table, self.blobs)
        self.plans = RememberedPlans(self.versions, catalogue.entries(), self.clock)
        self.documents = AwsDocuments(aws, names.table, self.clock)
        self.credentials = VaultCredentials(
            self.documents, self._key_service, EnvironmentCredentials(environment), self.clock
        )
        self.credentials.renew = LateRenewal(self.credentials, self._http, self.ids)
        ends = Ends()
        self.tools = Tools(
            clock=self.clock,
            ids=self.ids,
            facts=AwsFacts(aws, names.table, self.clock),
            queue=self.queue,
            blobs=self.blobs,
            http=self._http,
            credentials=self.credentials,
            evaluator=HereEvaluator(),
            plans=self.plans,
            build=catalogue.build,
            settings=Settings(base_url=base_url, invocation_seconds=INVOCATION_SECONDS),
            announce=ends.announce,
            links=Links(lambda: read_link_key(aws, names.table, os.urandom(LINK_KEY_BYTES)), base_url),
        )
        self.door = FrontDoor(self.tools, ends)
        admin = AdminKeys(hashes_from(environment.get("PENSTOCK_ADMIN_KEY_HASH", "")))
        self.refusals = RefusalTally(AwsRefusals(aws, names.table), self.clock)
        watch = watch_from(environment)
        self.api = Api(
            ApiTools(
                door=self.door,
                plans=self.plans,
                versions=self.versions,
                facts=self.tools.facts,
                blobs=self.blobs,
                credentials=self.credentials,
                documents=self.documents,
                clock=self.clock,
                ids=self.ids,
                keys=gate_of(admin, self.documents, environment, self._http, self.clock),
                settings=ApiSettings(
                    base_url=base_url, wait_seconds=WAIT_SECONDS, stage_vars=stage_vars_from(environment), watch=watch
                ),
                sender_hosts=SenderHosts(self._http, self.clock),
                refusals=self.refusals,
                audit=AuditLog(self.documents, self.clock, self.ids, days=watch.audit_days),
                limits=AwsLimits(aws, names.table, self.clock),
                peer_limits=MemoryLimits(self.clock),
                vault=self._vault,
                consents=self._consents,
                on_published=self._published,
            )
        )

    def _key_service(self) -> "KeyService":
        from chalicelib.adapters.aws.kms import KmsKeys

        return KmsKeys(self._cloud.aws, self._cloud.names)

    def _vault(self) -> "VaultAdmin":
        from chalicelib.adapters.vault_admin import VaultAdmin

        return VaultAdmin(self.credentials, self._http)

    def _consents(self) -> "Consents":
        from chalicelib.adapters.oauth_consents import StoredConsents

        documents = self.credentials.documents
        return StoredConsents(
            *(self._vault(), documents, self._http, self.clock), base_url=self._base_url, random=os.urandom
        )

    async def work(self, batch: "Sequence[Received]", seconds: float) -> "Sequence[Received]":
        """Work off what an invocation with so many seconds left was handed; those that must come again."""
        from chalicelib.worker.listener import work_batch

        return await work_batch(self.tools, self.queue, batch, self._budget(seconds))

    async def bury(self, batch: "Sequence[Received]", seconds: float) -> "Sequence[Received]":
        """Make dead letters failures that people see; those that must come again."""
        budget = self._budget(seconds)
        done = await asyncio.gather(*(self._is_buried(each, budget) for each in batch))
        return [each for each, is_done in zip(batch, done, strict=True) if not is_done]

    async def _is_buried(self, received: "Received", budget: Budget) -> bool:
        from chalicelib.worker.burial import bury

        try:
            if await bury(self.tools, received.message, received.body, budget):
                return True
            if received.message is None:
                # Here it would come again for a fortnight; there it can be looked at, and nobody works it off.
                aside = AwsQueue(self._cloud.aws, self._cloud.names.unreadable_url, self.blobs, self.clock)
                await aside.send_text(received.body)
                return True
        except PenstockError as error:
            log.warning("A dead letter will come again: %s", error.detail, extra={"code": error.code})
        except Exception:  # one letter's bug must not keep the others from being buried
            log.exception("A dead letter met a bug; it will come again.")
        return False

    async def sweep(self) -> int:
        """Look at every execution whose moment has come; how many there were."""
        from chalicelib.worker.sweeper import sweep

        return await sweep(self.tools, MOST_SWEPT)

    def _budget(self, seconds: float) -> Budget:
        return Budget(to_milliseconds(self.clock.now()) + int(seconds * 1000))

    async def tick(self, tenant: str, flow: str, trigger: str, planned: int) -> str | None:
        """A schedule's minute (epoch milliseconds) has come; the last execution of it, None where none is to be yet.

        What may pass is raised, and Lambda comes again.
        """
        from chalicelib.worker.minutes import minute_came

        executions = await minute_came(self.tools, tenant, flow, trigger, planned)
        return executions[-1] if executions else None

    async def forget_connections(self) -> None:
        """Drop every pooled connection, as after a long freeze."""
        await self._cloud.http.forget_connections()
        await self._http.forget_connections()

    async def _published(self, live: "Live", plan: "Plan") -> None:
        from chalicelib.adapters.aws.schedules import SchedulerSchedules

        cloud = self._cloud
        schedules = SchedulerSchedules(cloud.http, cloud.keys, cloud.names, cloud.endpoints, self.clock)
        await schedules.replace(live, plan)
        if any(trigger.uses == "schedule" for trigger in plan.triggers.values()):
            from chalicelib.worker.minutes import replaced

            await replaced(self.tools, live, plan)


async def on_aws(environment: Mapping[str, str]) -> OnAws:
    """The deployment that the environment names.

    `PENSTOCK_STAGE` and `PENSTOCK_ACCOUNT` say which; keys and region are as Lambda sets them; the rest is what
    `infra/deploy_hooks.py` passes on.

    Raises:
        SettingError: something is missing or wrong; the message names it.
        StoreError: the table cannot be read, and `PENSTOCK_URL` does not say where we are.
    """
    home = Path(environment.get("HOME", "/"))
    region = region_from_environment(environment, home)
    names = Names.of(_setting(environment, "PENSTOCK_STAGE"), _setting(environment, "PENSTOCK_ACCOUNT"), region)
    endpoints = Endpoints(environment.get("AWS_ENDPOINT_URL"), environment.get("PENSTOCK_DYNAMODB_URL"))
    http = client_for_engine(EgressPolicy.for_engine(endpoints.named()))
    keys = keys_from_environment(environment, home)
    aws = Aws(http, keys, region, endpoints, SystemClock(), jitter=_jitter)
    base_url = environment.get("PENSTOCK_URL") or await read_base_url(aws, names.table)
    return OnAws(environment, Cloud(http, keys, endpoints, names, aws), base_url.rstrip("/"))


def _setting(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise SettingError(f"{name} is not set. Deploy again: `penstock deploy` and `chalice deploy` set it.")
    return value


def _jitter() -> float:
    """From 0 to 1. The module `random` would be an import more, for a number that is seldom asked for."""
    return int.from_bytes(os.urandom(4), "big") / 2**32
