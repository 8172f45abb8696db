"""The AWS adapters as a world: on the local AWS, and their table wherever PENSTOCK_DYNAMODB_URL says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chalicelib.adapters.aws.directory import enter_flow
from chalicelib.adapters.aws.documents import AwsDocuments
from chalicelib.adapters.aws.limits import AwsLimits
from chalicelib.adapters.aws.refusals import AwsRefusals
from chalicelib.adapters.aws.table import Table
from tests.aws_place import place
from tests.contracts.world import MOST_RECEIVES, NOW, VISIBILITY_SECONDS, HandClock, World

FLOWS = (("main", "orders"), ("main", "mails"), ("other", "orders"))
"""The flows that the contracts' executions are of: a listing looks for those that were ever published."""


@asynccontextmanager
async def aws_world(url: str, dynamodb_url: str | None = None) -> AsyncIterator[World]:
    """Time passes as it does: queues here have a clock of their own."""
    clock = HandClock()

    async def let_pass(seconds: float) -> None:
        await clock.advance(seconds)
        await asyncio.sleep(seconds)

    options = {"visibility_seconds": VISIBILITY_SECONDS, "most_receives": MOST_RECEIVES}
    async with place(url, clock, dynamodb_url=dynamodb_url, **options) as here:
        for tenant, flow in FLOWS:
            await enter_flow(Table(here.aws, here.table), tenant, flow, NOW)
        yield World(
            here.facts,
            here.versions,
            here.queue,
            here.queue,
            here.dead,
            here.blobs,
            AwsRefusals(here.aws, here.table),
            AwsDocuments(here.aws, here.table, clock),
            AwsLimits(here.aws, here.table, clock),
            clock,
            let_pass,
            has_boots=False,
        )
