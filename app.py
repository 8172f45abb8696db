"""The AWS front door: what `chalice deploy` deploys. Events in, answers out; every decision is made in the rooms.

Five functions share this file: `app` answers HTTP, `worker` takes the queue's messages and `dead` those that came too
often, schedules invoke `tick`, and every minute `sweep` looks for what is due.
"""
# ruff: noqa: E402, PTH120  what is imported first decides how fast the rest is; pathlib would be an import more

import gc
import logging
import os
import sys
from typing import Any

from chalicelib.cloud import precompiled

precompiled.use(os.path.dirname(__file__))  # before anything defines a dataclass
gc.set_threshold(50_000, 20, 20)  # what is imported stays: looking for garbage among it costs a cold start 9 ms

from chalice.app import Chalice, CloudWatchEvent, SQSEvent

if "chalice.cli" in sys.modules:  # we are being deployed
    from infra import deploy_hooks

    deploy_hooks.install(os.path.dirname(__file__))

from chalicelib.adapters.clock import SystemClock
from chalicelib.api.answer_headers import guarded
from chalicelib.api.problems import problem_of
from chalicelib.api.routes import TABLE
from chalicelib.cloud.bridge import Bridge
from chalicelib.cloud.gateway import from_gateway, to_gateway
from chalicelib.cloud.logs import log_to_lambda
from chalicelib.errors import PenstockError
from chalicelib.wiring_aws import OnAws, on_aws

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
STAGE = os.environ.get("PENSTOCK_STAGE", "dev")  # Chalice's command sets it from .chalice/config.json

log = logging.getLogger("penstock.aws")
clock = SystemClock()
bridge: Bridge[OnAws] = Bridge(lambda: on_aws(os.environ), clock)


class Front(Chalice):
    """Chalice deploys it; requests never pass through Chalice's own router, which turns bytes into text."""

    def __init__(self, house: Bridge[OnAws]) -> None:
        # Chalice would log by itself, in plain text, and keep our warnings back.
        super().__init__(app_name="penstock", configure_logs=False)  # pyright: ignore[reportUnknownMemberType]  untyped
        self._house = house

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer an event of API Gateway; a deployment that is set up wrongly, or has no table, is an answer too."""
        request = from_gateway(event, _now())
        try:
            answer = self._house.run(lambda house: house.api(request))
        except PenstockError as error:
            log.warning("The house could not be built: %s", error.detail, extra={"code": error.code})
            answer = guarded(problem_of(error), is_encrypted=True)  # the gateway takes https alone
        return to_gateway(answer)


def registered(**_: str) -> None:
    """Stands for every route in Chalice's eyes; `Front` answers before Chalice would call it."""
    raise AssertionError("Front answers every request itself")


def _now() -> int:
    return int(clock.now().timestamp() * 1000)


app = Front(bridge)
app.api.binary_types.append("*/*")  # the gateway hands every body over as the bytes that came

# So that Chalice and the gateway know every address, and the last two those that do not exist: the 404 is ours, and so
# is the 405, hence every verb everywhere.
for path in dict.fromkeys([*(route.path for route in TABLE), "/", "/{proxy+}"]):
    app.route(path, methods=VERBS, content_types=["*/*"], name="front")(registered)


@app.on_sqs_message(queue=f"penstock-{STAGE}-jobs", batch_size=10, maximum_concurrency=20)
def worker(event: SQSEvent) -> dict[str, Any]:
    """Work off a batch of messages; those that must come again are named in the answer."""
    from chalicelib.cloud.messages import read_batch

    batch = read_batch(event.to_dict())
    return batch.answer(bridge.run(lambda house: house.work(batch.received, _seconds(event))))


@app.on_sqs_message(queue=f"penstock-{STAGE}-jobs-dead", batch_size=10, maximum_concurrency=2)
def dead(event: SQSEvent) -> dict[str, Any]:
    """Make failures that people see of what came too often; those that must come again are named in the answer."""
    from chalicelib.cloud.messages import read_batch

    batch = read_batch(event.to_dict())
    return batch.answer(bridge.run(lambda house: house.bury(batch.received, _seconds(event))))


def _seconds(event: SQSEvent) -> float:
    """What is left to this invocation, but for a second, which is kept for the answer itself."""
    context: Any = event.context
    return context.get_remaining_time_in_millis() / 1000 - 1


@app.schedule("rate(1 minute)")
def sweep(event: CloudWatchEvent) -> dict[str, Any]:  # noqa: ARG001
    """Look at what is due; how many executions there were."""
    return {"looked_at": bridge.run(lambda house: house.sweep())}


@app.lambda_function(name="tick")
def tick(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """A schedule's moment has come: {"tenant", "flow", "trigger", "at"}."""
    from chalicelib.cloud.messages import read_tick

    found = read_tick(event)
    return {"execution": bridge.run(lambda house: house.tick(*found))}


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    log_to_lambda(os.environ["AWS_LAMBDA_FUNCTION_NAME"], os.environ)
