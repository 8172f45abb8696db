"""app.py: events of API Gateway, SQS and Scheduler through the real handlers, on a local AWS."""

import base64
import hashlib
import hmac
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.engine.records import Birth, RecordKey
from chalicelib.engine.writes import Applied, Commit
from chalicelib.errors import StoreError
from chalicelib.ports import Link
from tests import matrix
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


SCHEDULED = {
    "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1",
    "time": "2026-11-20T06:00:00Z", "region": "eu-central-1", "resources": [], "detail": {},
}  # fmt: skip


async def itself(house):
    return house


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

    def messages(self, queue=None):
        queues = session().client("sqs")
        url = queues.get_queue_url(QueueName=queue or self.names.queue)["QueueUrl"]
        found = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", [])
        for each in found:
            queues.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return found

    def work(self, messages):
        return self.module.worker(delivered(messages), Context())

    def bury(self, *bodies):
        messages = [
            {"MessageId": f"m{number}", "ReceiptHandle": f"h{number}", "Body": body}
            for number, body in enumerate(bodies)
        ]
        return self.module.dead(delivered(messages, "11"), Context())

    def shown(self, execution):
        return json.loads(self.ask_as_admin("GET", f"/api/v1/executions/{execution}")[2])


def delivered(messages, count="1"):
    records = [
        {
            "messageId": each["MessageId"],
            "receiptHandle": each["ReceiptHandle"],
            "body": each["Body"],
            "attributes": {"ApproximateReceiveCount": count},
            "eventSource": "aws:sqs",
        }
        for each in messages
    ]
    return {"Records": records}


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


def test_what_is_refused_is_counted_in_the_table(front):
    for _ in range(2):
        assert front.ask("POST", "/hooks/greet/picture", b"{}", **{"x-hub-signature-256": "sha256=00"})[0] == 401
    status, _, body = front.ask_as_admin("GET", "/api/v1/refusals?flow=greet")
    found = {(each["trigger"], each["reason"]): each["count"] for each in json.loads(body)["items"]}
    assert status == 200
    assert found["picture", "signature_wrong"] == 2


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


class Then:
    """The clock of a moment that is past."""

    def __init__(self, time):
        self.time = time

    def now(self):
        return self.time

    async def sleep(self, seconds):
        raise AssertionError("nobody sleeps here")


@pytest.fixture
def tick(front):
    """Says that it was three o'clock in the night, so many days ago: what the function answers."""
    house = front.module.bridge.run(itself)
    tools = house.tools
    three = datetime.now(UTC).replace(hour=3, minute=0, second=0, microsecond=0)

    async def publish_long_ago(house):
        live = await house.versions.live("main", "greet")
        published = int((three - timedelta(days=9)).timestamp() * 1000)
        assert await house.versions.set_live(replace(live, published=published, since=0, rev=live.rev + 1))

    front.module.bridge.run(publish_long_ago)

    def come(days, trigger="night"):
        at = three - timedelta(days=days)
        house.tools = replace(tools, clock=Then(at + timedelta(seconds=20)))
        event = {"tenant": "main", "flow": "greet", "trigger": trigger, "at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        return front.module.tick(event, Context())

    yield come
    house.tools = tools


def test_a_schedules_moment_starts_one_execution_however_often_it_comes(front, tick):
    first = tick(1)["execution"]
    assert first is not None
    assert tick(1)["execution"] == first
    assert tick(2)["execution"] not in {first, None}
    messages = front.messages()
    assert front.work(messages) == {"batchItemFailures": []}
    listed = json.loads(front.ask_as_admin("GET", "/api/v1/executions?flow=greet")[2])
    assert [each["id"] for each in listed["items"]].count(first) == 1


def test_a_moment_that_can_never_start_anything_is_logged_and_does_not_come_again(tick, caplog):
    assert tick(1, "gone") == {"execution": None}
    assert "no schedule `gone`" in caplog.text


def test_a_moment_of_a_disabled_flow_starts_nothing(front, tick):
    front.ask_as_admin("POST", "/api/v1/flows/greet/disable")
    try:
        assert tick(3) == {"execution": None}
    finally:
        front.ask_as_admin("POST", "/api/v1/flows/greet/enable")
    assert front.messages() == []


def test_publishing_made_the_flows_schedule(front):
    group = front.names.schedule_group
    found = session().client("scheduler").list_schedules(GroupName=group)["Schedules"]
    assert len(found) == 1


def test_a_schedule_that_scheduler_has_no_words_for_is_planned_all_the_same(front):
    flow = FLOW.replace('cron: "0 3 * * *"', "every: 7m")
    status, _, body = front.ask_as_admin("PUT", "/api/v1/flows/greet", flow.encode(), "application/yaml")
    try:
        assert status == 200, body
        scheduler = session().client("scheduler")
        (found,) = scheduler.list_schedules(GroupName=front.names.schedule_group)["Schedules"]
        schedule = scheduler.get_schedule(GroupName=front.names.schedule_group, Name=found["Name"])
        assert schedule["ScheduleExpression"] == "cron(* * * * ? *)"
    finally:
        front.ask_as_admin("PUT", "/api/v1/flows/greet", FLOW.encode(), "application/yaml")


def test_a_dead_letter_becomes_a_failure_that_people_see(front):
    _, _, body = front.hook("/hooks/greet/hook", b"{}", "d-dead", **{"content-type": "application/json"})
    (message,) = front.messages()
    assert front.bury(message["Body"]) == {"batchItemFailures": []}
    shown = front.shown(json.loads(body)["execution"])
    assert shown["status"] == "failed"
    assert "dead_letter" in json.dumps(shown)
    assert front.bury(message["Body"]) == {"batchItemFailures": []}, "a second time there is nothing to do"


def test_a_dead_letter_that_is_none_of_ours_is_set_aside_and_no_word_of_it_is_logged(front, caplog):
    bodies = ["a secret that somebody sent", '{"v": 99, "kind": "secret"}']
    assert front.bury(*bodies) == {"batchItemFailures": []}
    assert sorted(each["Body"] for each in front.messages(front.names.unreadable)) == sorted(bodies)
    assert hashlib.sha256(bodies[0].encode()).hexdigest()[:16] in caplog.text
    assert "secret" not in caplog.text


def test_a_dead_letter_that_cannot_be_dealt_with_now_is_the_one_that_comes_again(front, caplog, monkeypatch):
    _, _, body = front.hook("/hooks/greet/hook", b"{}", "d-again", **{"content-type": "application/json"})
    (message,) = front.messages()
    execution = json.loads(body)["execution"]
    house = front.module.bridge.run(itself)

    class Facts:
        """A table that does not know one execution for a moment."""

        async def read(self, key):
            if key.execution == execution:
                raise StoreError("The table is throttled.")
            return await house.tools.facts.read(key)

    with monkeypatch.context() as patched:
        patched.setattr(house, "tools", replace(house.tools, facts=Facts()))
        assert front.bury("garbage", message["Body"]) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert "The table is throttled." in caplog.text
    front.messages(front.names.unreadable)
    assert front.bury(message["Body"]) == {"batchItemFailures": []}
    assert front.shown(execution)["status"] == "failed"


def test_the_sweeper_sends_for_what_is_due_and_for_nothing_else(front):
    version = json.loads(front.ask_as_admin("GET", "/api/v1/flows/greet")[2])["version"]
    house = front.module.bridge.run(itself)
    now = int(front.module.clock.now().timestamp() * 1000)

    def make(name, next_check):
        key = RecordKey("main", name * 26)
        birth = Birth("greet", version, "hook", now, "i0", "h")
        given = json.dumps({"trigger": {"query": {}}, "inputs": {"who": name}})
        write = Commit(key, 0, now, birth=birth, inline={"i0": given}, next_check=next_check)
        assert isinstance(front.module.bridge.run(lambda here: here.tools.facts.write(write)), Applied)

    make("1", now - 5)
    make("2", now + 600_000)
    assert front.module.sweep(SCHEDULED, Context())["looked_at"] >= 1
    assert house.tools.links is not None
    messages = front.messages()
    assert [json.loads(each["Body"])["execution"] for each in messages] == ["1" * 26]
    assert front.work(messages) == {"batchItemFailures": []}
    assert front.shown("1" * 26)["output"] == {"text": "Hello 1"}
    assert front.shown("2" * 26)["status"] == "running"
    assert front.module.sweep(SCHEDULED, Context()) == {"looked_at": 0}


def test_links_are_of_this_deployment_and_their_key_is_kept_in_its_settings(front):
    link = Link("main", "1" * 26, "", "ask", ())

    async def made(house):
        address = await house.tools.links.address("approval", link)
        assert await house.tools.links.read(address.rpartition("/")[2]) == link
        return address

    address = front.module.bridge.run(made)
    assert address.startswith("https://penstock.example/live/approvals/")
    front.module.bridge.close()  # another process of the same function
    assert front.module.bridge.run(made) == address


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


def test_every_cell_of_who_and_route_is_answered_as_the_table_says(front):
    def rest(method, path, body):
        status, _, told = front.ask_as_admin(method, f"/api/v1{path}", json.dumps(body).encode())
        return status, json.loads(told)

    def ask(method, path, key):
        return front.ask(method, path, **({"authorization": f"Bearer {key}"} if key else {}))[0]

    tenant, kind, key, value = matrix.expired_record()
    front.module.bridge.run(lambda house: house.documents.put(tenant, kind, key, value, seen=None))
    rest("PUT", "/flows/plain", {"flow": "plain", "steps": {"a": {"uses": "set", "with": {"x": 1}}}})
    count, wrong = matrix.ask_all(matrix.settle_in(rest, "plain"), ask)
    assert wrong == []
    assert count > 500
