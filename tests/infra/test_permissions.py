"""A journey through all five functions: what each asks of AWS is what its policy allows, and nothing more is allowed."""

import hashlib
import hmac
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from chalicelib.adapters.aws.settings import settings_update
from chalicelib.cloud.gateway import from_gateway
from chalicelib.cloud.messages import read_batch
from chalicelib.engine.records import Birth, RecordKey
from chalicelib.engine.writes import Commit
from tests.infra.here import fresh_names, on, provision, session
from tests.infra.permissions import CALLED, FUNCTIONS, allows, deployed
from tests.infra.watched import Functions
from tests.stub import Answer, stub_in_thread
from tools.aws_local_world import gateway_event

KEY, SECRET = "a-key-for-this-journey", "a-secret-for-this-journey"
# Its text is too long for a record, so that whoever works on it reads a blob.
FLOW = f"""
flow: long
description: "{"a long story " * 5_000}"
inputs: {{text: {{type: string}}}}
triggers:
  hook: {{uses: webhook, verify: {{scheme: github, credential: hook}}, inputs: {{text: "${{ trigger.body.text }}"}}}}
  minutely:
    uses: schedule
    overlap: skip
    with: {{cron: "* * * * *"}}
    inputs: {{text: "{"x" * 250_000}"}}
steps:
  first: {{uses: set, with: {{text: "${{ inputs.text }}"}}}}
  second: {{uses: wait, after: first, with: {{for: 2h}}}}
  third: {{uses: set, after: second, with: {{text: "${{ inputs.text }} and more"}}}}
on_failure:
  large: {{uses: set, with: {{text: "{"z" * 400_000}"}}}}
"""
SHORT = f"""
flow: short
triggers:
  hook: {{uses: webhook, verify: {{scheme: github, credential: hook}}}}
steps:
  only: {{uses: wait, with: {{for: 2h}}}}
on_failure:
  small: {{uses: set, with: {{text: "{"y" * 7_500}"}}}}
  signed: {{uses: crypto.hmac, credential: vaulted, with: {{text: "x"}}}}
  told: {{uses: http.request, credential: renewed, timeout: 3s, with: {{method: GET, url: "$url/lost"}}}}
"""
# Its credentials lie in the vault; a token that is at its end at once is renewed, and stored, whenever it is opened.
CALLING = """
flow: calling
triggers:
  hook: {uses: webhook, verify: {scheme: github, credential: vault_hook}}
steps:
  call: {uses: http.request, credential: renewed, timeout: 3s, with: {method: GET, url: "$url/here"}}
  lost: {uses: fail, after: call, with: {code: on_purpose, message: "It is meant to."}}
on_failure:
  tell: {uses: http.request, credential: renewed, timeout: 3s, with: {method: GET, url: "$url/failed"}}
"""
FAILING = """
flow: failing
triggers:
  hook: {uses: webhook, verify: {scheme: github, credential: hook}}
steps:
  sign: {uses: crypto.hmac, credential: vaulted, with: {text: "x"}}
  stop: {uses: fail, after: sign, with: {code: on_purpose, message: "${ 'It is meant to: ' & trigger.body.text }"}}
"""
LISTENER = """
flow: listener
triggers:
  failed: {uses: error}
steps:
  note: {uses: set, with: {of: "${ trigger.flow }"}}
"""


class Journey:
    """Does on the functions what the world would."""

    def __init__(self, names):
        self.names = names
        self.functions = Functions(names)

    def ask(self, method, path, body=b"", **headers):
        given = {"authorization": f"Bearer {KEY}", "content-type": "application/yaml"} | headers
        request = from_gateway(gateway_event(method, path, body, given), milliseconds(datetime.now(UTC)))
        answer = self.functions.run("api", lambda house: house.api(request))
        assert answer.status < 300, (path, answer)
        return answer

    def hook(self, flow, text, delivery):
        body = json.dumps({"text": text}).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-hub-signature-256": signature, "x-github-delivery": delivery, "content-type": "application/json"}
        self.ask("POST", f"/hooks/{flow}/hook", body, **headers)

    def taken(self):
        """The messages in the queue, as an event of SQS's."""
        queues = session().client("sqs")
        url = queues.get_queue_url(QueueName=self.names.queue)["QueueUrl"]
        found = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        records = [
            {"messageId": each["MessageId"], "receiptHandle": each["ReceiptHandle"], "body": each["Body"]}
            for each in found
        ]
        return {"Records": records}, lambda: [
            queues.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"]) for each in found
        ]

    def work_off(self, function="worker"):
        event, acknowledge = self.taken()
        received = read_batch(event).received
        if function == "worker":
            assert self.functions.run("worker", lambda house: house.work(received, 20.0)) == []
        else:
            assert self.functions.run("dead", lambda house: house.bury(received, 20.0)) == []
        acknowledge()
        return len(received)

    def send_garbage(self):
        queues = session().client("sqs")
        queues.send_message(QueueUrl=queues.get_queue_url(QueueName=self.names.queue)["QueueUrl"], MessageBody="x")
        event, acknowledge = self.taken()
        received = read_batch(event).received
        assert len(self.functions.run("worker", lambda house: house.work(received, 20.0))) == 1
        assert self.functions.run("dead", lambda house: house.bury(received, 20.0)) == []
        acknowledge()


def milliseconds(time):
    return int(time.timestamp() * 1000)


@pytest.fixture(scope="module")
def seen(aws_url):
    """What each function asked for, and the stage's names."""
    names = fresh_names()
    variables = {
        "PENSTOCK_ADMIN_KEY_HASH": hashlib.sha256(KEY.encode()).hexdigest(),
        "PENSTOCK_CREDENTIAL_HOOK": json.dumps({"secret": SECRET}),
        "PENSTOCK_ALLOW_PRIVATE": "127.0.0.1/32",
    }
    with on(aws_url, names, **variables), stub_in_thread() as service:
        provision(names)
        update = settings_update("https://penstock.example/live", os.urandom(32))
        session().client("dynamodb").update_item(TableName=names.table, **update)
        journey = Journey(names)
        try:
            go(journey, service)
        finally:
            journey.functions.close()
        yield journey.functions.seen, names


def go(journey, service):
    publish(journey, service)
    work(journey)  # before others fail: a worker remembers for a few seconds who listened then
    credentials(journey, service)
    tick(journey)
    sweep(journey)
    bury(journey)


def publish(journey, service):
    stored = json.dumps({"fields": {"secret": "kept in the vault"}}).encode()
    for method, path, body in (
        ("PUT", "credentials/vaulted", stored),
        ("POST", "credentials/vaulted/test", b"{}"),
        ("POST", "vault/rewrap", b"{}"),
    ):
        journey.ask(method, f"/api/v1/{path}", body, **{"content-type": "application/json"})
    for name, flow in {"long": FLOW, "short": SHORT, "failing": FAILING, "listener": LISTENER}.items():
        journey.ask("PUT", f"/api/v1/flows/{name}", flow.replace("$url", service.url).encode())
    # With another schedule the former one goes.
    journey.ask("PUT", "/api/v1/flows/long", FLOW.replace("* * * * *", "*/2 * * * *").encode())
    journey.ask("PUT", "/api/v1/flows/long", FLOW.encode())
    for path in ("/api/v1/flows", "/api/v1/flows/long/versions", "/api/v1/executions?flow=long"):
        journey.ask("GET", path)


def credentials(journey, service):
    """Set, used by a hook and by a step, and renewed by the step."""
    service.answer("/token", Answer.of_json({"access_token": "t" * 20, "token_type": "bearer", "expires_in": 0}))

    def keep(name, kind, **fields):
        body = json.dumps({"type": kind, "fields": fields}).encode()
        journey.ask("PUT", f"/api/v1/credentials/{name}", body, **{"content-type": "application/json"})

    keep("vault_hook", "secret", secret=SECRET)
    token_url = f"{service.url}/token"
    keep("renewed", "oauth2_client_credentials", client_id="c", client_secret="s" * 20, token_url=token_url)
    journey.ask("PUT", "/api/v1/flows/calling", CALLING.replace("$url", service.url).encode())
    journey.hook("calling", "x", "d-0")
    assert journey.work_off() >= 1
    assert [seen.header("authorization") for seen in service.seen("/here")] == [f"Bearer {'t' * 20}"]
    assert len(service.seen("/failed")) == 1
    while journey.work_off():
        pass


def work(journey):
    # Too large for the record, so a pack beside it; and one that only a blob can hold.
    journey.hook("long", "x" * 6_000, "d-1")
    journey.hook("long", "x" * 500_000, "d-2")
    assert journey.work_off() == 2
    journey.hook("failing", "x", "d-3")
    while journey.work_off():
        pass
    listed = json.loads(journey.ask("GET", "/api/v1/executions?flow=listener").body)["items"]
    assert len(listed) == 1, "who listens for failures heard of one"
    journey.send_garbage()


def tick(journey):
    now = datetime.now(UTC).replace(second=0, microsecond=0)

    async def publish_long_ago(house):
        live = await house.versions.live("main", "long")
        published = milliseconds(now - timedelta(days=1))
        assert await house.versions.set_live(replace(live, published=published, since=0, rev=live.rev + 1))

    journey.functions.run("api", publish_long_ago)
    started = journey.functions.run("tick", lambda house: house.tick("main", "long", "minutely", milliseconds(now)))
    assert started is not None
    assert journey.work_off() >= 1


def sweep(journey):
    now = milliseconds(datetime.now(UTC))

    async def lose(flow, execution, version, house):
        birth = Birth(flow, version, "hook", now, "i0", "h")
        given = json.dumps({"trigger": {}, "inputs": {"text": "x" * 5_000}})
        write = Commit(RecordKey("main", execution), 0, now, birth=birth, inline={"i0": given}, next_check=now - 5)
        await house.tools.facts.write(write)

    lost = {"long": "1" * 26, "short": "2" * 26}
    for flow, execution in lost.items():
        version = json.loads(journey.ask("GET", f"/api/v1/flows/{flow}").body)["version"]
        journey.functions.run("api", partial(lose, flow, execution, version))
    assert journey.functions.run("sweep", lambda house: house.sweep()) >= 2
    # What it sent is taken for dead letters: the executions fail, and what they do on failure is done there.
    assert journey.work_off("dead") == 2
    for execution in lost.values():
        assert json.loads(journey.ask("GET", f"/api/v1/executions/{execution}").body)["status"] == "failed"


def bury(journey):
    """Starts that nobody carried out, and a failure that somebody listens to."""
    for flow, text in (("long", "x" * 500_000), ("failing", "x")):
        while journey.work_off():
            pass
        journey.hook(flow, text, f"d-dead-{flow}")
        journey.functions.restart("dead")
        assert journey.work_off("dead") == 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_whatever_a_function_asks_for_its_policy_allows(seen, function):
    asked, names = seen
    assert asked[function], "the journey came to every function"
    statements = deployed(function, names)
    assert {each for each in asked[function] if not allows(statements, *each)} == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_whatever_a_function_is_said_to_call_it_calls(seen, function):
    asked, _ = seen
    assert {action for action, _ in asked[function]} == set(CALLED[function])


def test_what_is_allowed_to_one_function_is_refused_to_another(seen):
    """That the check can fail: the worker's and the API's requests are not the sweeper's."""
    asked, names = seen
    sweeps = deployed("sweep", names)
    assert {action for action, resource in asked["worker"] if not allows(sweeps, action, resource)} >= {
        "dynamodb:PutItem",
        "s3:PutObject",
        "sqs:ChangeMessageVisibility",
    }


def test_another_stages_table_is_refused(seen):
    asked, names = seen
    table = next(resource for action, resource in asked["api"] if action == "dynamodb:GetItem")
    assert not allows(deployed("api", names._replace(stage="other")), "dynamodb:GetItem", table)
    assert not allows(deployed("api", names._replace(account="210987654321")), "dynamodb:GetItem", table)
    assert not allows(deployed("api", names._replace(region="eu-west-1")), "dynamodb:GetItem", table)
