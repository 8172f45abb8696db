"""app.py: events of API Gateway, SQS and Scheduler through the real handlers, on a local AWS."""

import base64
import hashlib
import hmac
import json
import logging

import pytest

from tests.infra.here import fresh_names, on, provision, session
from tools.aws_local_world import gateway_event

KEY = "a-key-for-the-tests-of-app"
SECRET = "a-secret-for-the-tests-of-app"
FLOW = """
flow: greet
inputs: {who: {type: string}}
triggers:
  hook:
    uses: webhook
    verify: {scheme: github, credential: hook}
    inputs: {who: "${ $default(trigger.query.who, 'nobody') }"}
  picture: {uses: webhook, verify: {scheme: github, credential: hook}, respond: step, inputs: {who: "you"}}
  night: {uses: schedule, with: {cron: "0 3 * * *"}, inputs: {who: "${ $default(trigger.previous, 'first') }"}}
steps:
  greeting: {uses: set, with: {text: "Hello ${ inputs.who }"}}
  answer:
    uses: respond
    with:
      status: 201
      headers: {x-greeting: "${ steps.greeting.text }"}
      json: {text: "${ steps.greeting.text }"}
output: {text: "${ steps.greeting.text }"}
"""


class Context:
    """Lambda's, as far as we look at it."""

    def get_remaining_time_in_millis(self):
        return 20_000


class Front:
    """The handlers, and a caller's way to them."""

    def __init__(self, module, names):
        self.module, self.names = module, names

    def ask(self, method, path, body=b"", **headers):
        given = self.module.app(gateway_event(method, path, body, headers), Context())
        assert given["isBase64Encoded"] is True
        return given["statusCode"], given["multiValueHeaders"], base64.b64decode(given["body"])

    def ask_as_admin(self, method, path, body=b"", kind="application/json"):
        return self.ask(method, path, body, authorization=f"Bearer {KEY}", **{"content-type": kind})

    def hook(self, path, body, delivery="d-1", **headers):
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return self.ask(
            "POST", path, body, **{"x-hub-signature-256": signature, "x-github-delivery": delivery, **headers}
        )

    def messages(self):
        queues = session().client("sqs")
        url = queues.get_queue_url(QueueName=self.names.queue)["QueueUrl"]
        found = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", [])
        for each in found:
            queues.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return found

    def work(self, messages):
        records = [
            {
                "messageId": each["MessageId"],
                "receiptHandle": each["ReceiptHandle"],
                "body": each["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for each in messages
        ]
        return self.module.worker({"Records": records}, Context())


@pytest.fixture(scope="module")
def front(aws_url):
    """app.py on a stage of its own, with one flow published."""
    names = fresh_names()
    variables = {
        "PENSTOCK_ADMIN_KEY_HASH": hashlib.sha256(KEY.encode()).hexdigest(),
        "PENSTOCK_CREDENTIAL_HOOK": json.dumps({"secret": SECRET}),
        "PENSTOCK_URL": "https://penstock.example/live/",
    }
    with on(aws_url, names, **variables):
        provision(names)
        import app

        made = Front(app, names)
        status, _, body = made.ask_as_admin("PUT", "/api/v1/flows/greet", FLOW.encode(), "application/yaml")
        assert status == 201, body
        yield made
        app.bridge.close()


def test_an_address_that_does_not_exist_is_our_own_404(front):
    status, headers, body = front.ask("GET", "/nothing/here")
    assert (status, headers["content-type"]) == (404, ["application/problem+json"])
    assert json.loads(body)["code"] == "not_found"


def test_a_verb_that_an_address_does_not_take_is_our_own_405(front):
    status, headers, body = front.ask("DELETE", "/api/v1/health")
    assert (status, headers["content-type"]) == (405, ["application/problem+json"])
    assert "GET" in headers["allow"][0]
    assert json.loads(body)["code"] == "method_not_allowed"


def test_nobody_gets_in_without_a_key(front):
    assert front.ask("GET", "/api/v1/flows")[0] == 401


def test_a_hook_is_accepted_with_the_executions_address(front):
    status, headers, body = front.hook(
        "/hooks/greet/hook?who=Ada", b"{}", "d-address", **{"content-type": "application/json"}
    )
    assert status == 202, body
    assert headers["content-type"] == ["application/json"]
    found = json.loads(body)
    assert found["url"] == f"https://penstock.example/live/api/v1/executions/{found['execution']}"
    (message,) = front.messages()
    assert front.work([message]) == {"batchItemFailures": []}
    shown = json.loads(front.ask_as_admin("GET", f"/api/v1/executions/{found['execution']}")[2])
    assert (shown["status"], shown["output"]) == ("succeeded", {"text": "Hello Ada"})


@pytest.mark.parametrize("body", [b"\xff\xfe\x00 not UTF-8 \x80", bytes(range(256))], ids=["not utf-8", "every byte"])
def test_the_signature_is_over_the_very_bytes(front, body):
    status, _, answer = front.hook(
        "/hooks/greet/hook", body, hashlib.md5(body).hexdigest(), **{"content-type": "application/octet-stream"}
    )
    assert status == 202, answer
    front.messages()
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    as_text = body.decode("utf-8", "replace").encode()
    headers = {"x-hub-signature-256": signature, "x-github-delivery": "d", "content-type": "application/octet-stream"}
    assert front.ask("POST", "/hooks/greet/hook", as_text, **headers)[0] == 401


def test_a_step_answers_while_the_sender_waits(front):
    status, headers, body = front.hook("/hooks/greet/picture", b"{}", "d-step", **{"content-type": "application/json"})
    assert (status, headers["x-greeting"]) == (201, ["Hello you"])
    assert json.loads(body) == {"text": "Hello you"}
    front.messages()


def test_a_message_that_is_none_of_ours_is_the_one_that_comes_again(front):
    front.hook("/hooks/greet/hook", b'{"n": 1}', "d-batch", **{"content-type": "application/json"})
    (good,) = front.messages()
    queues = session().client("sqs")
    url = queues.get_queue_url(QueueName=front.names.queue)["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody="no message")
    (bad,) = queues.receive_message(QueueUrl=url).get("Messages")
    assert front.work([good, bad]) == {"batchItemFailures": [{"itemIdentifier": bad["MessageId"]}]}
    queues.purge_queue(QueueUrl=url)


def test_a_schedules_moment_starts_one_execution_however_often_it_comes(front):
    moment = {"tenant": "main", "flow": "greet", "trigger": "night", "at": "2026-11-20T03:00:00Z"}
    first = front.module.tick(moment, Context())["execution"]
    assert front.module.tick(moment, Context())["execution"] == first
    assert front.module.tick({**moment, "at": "2026-11-21T03:00:00Z"}, Context())["execution"] != first
    messages = front.messages()
    assert front.work(messages) == {"batchItemFailures": []}
    listed = json.loads(front.ask_as_admin("GET", "/api/v1/executions?flow=greet")[2])
    assert [each["id"] for each in listed["items"]].count(first) == 1


def test_a_moment_that_can_never_start_anything_is_logged_and_does_not_come_again(front, caplog):
    moment = {"tenant": "main", "flow": "greet", "trigger": "gone", "at": "2026-11-20T03:00:00Z"}
    assert front.module.tick(moment, Context()) == {"execution": None}
    assert "no schedule `gone`" in caplog.text


def test_a_moment_of_a_disabled_flow_starts_nothing(front):
    front.ask_as_admin("POST", "/api/v1/flows/greet/disable")
    moment = {"tenant": "main", "flow": "greet", "trigger": "night", "at": "2026-11-22T03:00:00Z"}
    try:
        assert front.module.tick(moment, Context()) == {"execution": None}
    finally:
        front.ask_as_admin("POST", "/api/v1/flows/greet/enable")
    assert front.messages() == []


def test_publishing_made_the_flows_schedule(front):
    group = front.names.schedule_group
    found = session().client("scheduler").list_schedules(GroupName=group)["Schedules"]
    assert len(found) == 1


def test_a_schedule_that_aws_cannot_say_is_refused_before_anything_is_stored(front):
    flow = FLOW.replace('cron: "0 3 * * *"', "every: 90s")
    before = front.ask_as_admin("GET", "/api/v1/flows/greet")[2]
    for query in ("", "?dry_run=true"):
        status, _, body = front.ask_as_admin("PUT", f"/api/v1/flows/greet{query}", flow.encode(), "application/yaml")
        assert status == 422, body
        assert "triggers.night" in json.loads(body)["detail"]
    assert front.ask_as_admin("GET", "/api/v1/flows/greet")[2] == before


def test_a_deployment_without_its_settings_answers_with_a_problem(aws_url):
    from chalicelib.cloud.bridge import Bridge
    from chalicelib.wiring_aws import on_aws

    with on(aws_url):
        import app

        bridge = Bridge(lambda: on_aws({}), app.clock)
        given = app.Front(bridge)(gateway_event("GET", "/api/v1/health", b"", {}), Context())
        bridge.close()
    body = json.loads(base64.b64decode(given["body"]))
    assert (given["statusCode"], body["code"]) == (500, "setting")
    assert "AWS" in body["detail"]


def test_chalice_knows_every_address(front):
    from chalicelib.api.routes import TABLE

    assert {route.path for route in TABLE} | {"/", "/{proxy+}"} == set(front.module.app.routes)
    assert all(len(methods) == 7 for methods in front.module.app.routes.values())
    assert "*/*" in front.module.app.api.binary_types


def test_chalice_does_not_log_beside_us(front):

    assert logging.getLogger("penstock").handlers == []
    assert logging.getLogger("penstock").level == logging.NOTSET
