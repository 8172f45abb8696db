"""`make aws-local`: a whole deployment's life on a local AWS, on loopback, with no account; prints what it proved.

The stack, `chalice deploy`, a signed webhook through the deployed zip and its queue, a join across invocations, a
schedule's moment, an execution whose messages were lost, dead letters, a loop over 10,000 items, a second deployment in
place, and nothing left at the end. Ends with 1 at the first thing that is not so.
"""

import hashlib
import hmac
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra import vendor
from infra.deploy import deploy, destroy
from tools.aws_local import esm
from tools.aws_local_wide import wide_loop
from tools.aws_local_world import HOOK_SECRET, World, machine, world

STAGE = "story"
ROOT = Path(__file__).parent.parent

INTAKE = """
flow: intake
inputs: {total: {type: number}, who: {type: string}}
triggers:
  placed:
    uses: webhook
    verify: {scheme: github, credential: shop_hook}
    inputs: {total: "${ $number(trigger.body.total) }", who: "${ trigger.body.who }"}
steps:
  doubled: {uses: set, with: {amount: "${ inputs.total * 2 }"}}
  greeting: {uses: set, with: {text: "Hello ${ inputs.who }, ${ steps.doubled.amount }"}}
output: {text: "${ steps.greeting.text }"}
"""

APART = """
flow: apart
triggers: {by_hand: {uses: manual}}
steps:
  first: {uses: http.request, with: {url: "{stub}/first"}}
  left: {uses: http.request, run: apart, after: first, with: {url: "{stub}/left"}}
  right: {uses: http.request, run: apart, after: first, with: {url: "{stub}/right"}}
  join:
    uses: http.request
    after: [left, right]
    with:
      method: POST
      url: "{stub}/join"
      json: {left: "${ steps.left.body.path }", right: "${ steps.right.body.path }"}
output: {path: "${ steps.join.body.path }"}
"""

NIGHTLY = """
flow: nightly
timezone: Europe/Berlin
inputs: {planned: {type: string}}
triggers:
  night: {uses: schedule, with: {cron: "0 3 * * MON-FRI"}, inputs: {planned: "${ trigger.at }"}}
  minute: {uses: schedule, with: {cron: "* * * * *"}, inputs: {planned: "${ trigger.at }"}}
steps:
  note: {uses: set, with: {planned: "${ inputs.planned }"}}
output: {planned: "${ steps.note.planned }"}
"""


def prove(sentence: str, holds: object, shown: object = "") -> None:
    """Say that something holds; AssertionError, with what was seen instead, where it does not."""
    if not holds:
        raise AssertionError(f"not so: {sentence}. Seen: {str(shown)[:2000]}")
    print(f"  ok  {sentence}", flush=True)


def main() -> int:
    """Tell the story; 0 where everything held."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for every call
    vendor.build_if_stale(ROOT, vendor.target_of({"PENSTOCK_ARCHITECTURE": machine()}), print)
    with tempfile.TemporaryDirectory(prefix="penstock-story-") as scratch, world(STAGE, ROOT, Path(scratch)) as here:
        for chapter in (
            *(_deploys, _publishes, _takes_a_webhook, _joins, _ticks, _sweeps, _buries, _loops, _deploys_again),
            _leaves_nothing,
        ):
            print(chapter.__doc__, flush=True)
            try:
                chapter(here)
            except AssertionError as error:
                print(f"  NO  {error}", file=sys.stderr)
                return 1
    print("All of it held.")
    return 0


def _deploys(here: World) -> None:
    """Deploying."""
    planned = deploy(STAGE, project=here.project, plan_only=True, environment=here.environment, say=_quiet)
    prove("the plan says what will be done", any("create the stack" in each for each in planned.steps), planned)
    prove("a plan does nothing", _stacks(here) == [], _stacks(here))
    done = deploy(STAGE, project=here.project, environment=here.environment, say=_indented)
    size = max(each["CodeSize"] for each in here.client("lambda").list_functions()["Functions"])
    prove("the package is below the 50 MB that Lambda takes", 0 < size < 50_000_000, size)
    print(f"      ({size / 1e6:.1f} MB)", flush=True)
    prove("the stage is deployed, and reached by its stage `live`", done.url.endswith("/live"), done)
    mappings = here.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    prove("both queues' mappings have ReportBatchItemFailures", _reports(mappings), mappings)
    limits = [each["ScalingConfig"]["MaximumConcurrency"] for each in mappings]
    prove("they limit how many workers there are at once", sorted(limits) == [2, 20], limits)
    prove("a rule invokes one function, the sweeper", here.fire() == 1)
    for name in ("api", "worker", "dead"):
        found = here.client("lambda").get_function_recursion_config(FunctionName=here.names.function(name))
        prove(
            f"{here.names.function(name)} may call itself by way of the queue", found["RecursiveLoop"] == "Allow", found
        )


def _publishes(here: World) -> None:
    """Publishing through the deployed API."""
    prove("nobody gets in without a key", here.ask("GET", "/api/v1/flows").status == 401)
    for name, text in (("intake", INTAKE), ("apart", APART), ("nightly", NIGHTLY)):
        body = text.replace("{stub}", here.stub.url).encode()
        answer = here.ask_as_admin("PUT", f"/api/v1/flows/{name}", body, "application/yaml")
        prove(f"the flow {name} is checked and published", answer.status == 201, answer.body)
    group = here.names.schedule_group
    found = here.client("scheduler").list_schedules(GroupName=group)["Schedules"]
    prove("its two crons are schedules of the stage's group", len(found) == 2, found)
    schedules = [here.client("scheduler").get_schedule(GroupName=group, Name=each["Name"]) for each in found]
    said = [(each["ScheduleExpression"], each["ScheduleExpressionTimezone"]) for each in schedules]
    prove("in the words and the time zone of the flow", ("cron(0 3 ? * 2-6 *)", "Europe/Berlin") in said, said)
    invoked = {each["Target"]["Arn"] for each in schedules}
    prove("they invoke tick", invoked == {here.names.function_arn("tick")}, schedules)


def _takes_a_webhook(here: World) -> None:
    """A signed webhook."""
    body, headers = _delivery("d-1")
    refused = here.ask("POST", "/hooks/intake/placed", body + b" ", headers)
    prove("another body under the same signature is refused", refused.status == 401, refused.body)
    answer = here.ask("POST", "/hooks/intake/placed", body, headers)
    prove("the deployed zip accepts it", answer.status == 202, answer.body)
    execution = answer.json()["execution"]
    url = answer.json()["url"]
    prove("it says where to look, on this deployment", f"/live/api/v1/executions/{execution}" in url, url)
    prove("one message is in the queue", _waiting(here) == 1, _waiting(here))
    prove("it reaches the worker of the same zip", here.deliver() == 1)
    shown = _finished(here, execution)
    prove("the execution is visible with its output", shown["output"] == {"text": "Hello Ada, 25"}, shown)
    item = here.client("dynamodb").get_item(
        TableName=here.names.table, Key={"pk": {"S": f"main#E#{execution}"}, "sk": {"S": "H"}}
    )["Item"]
    prove("it is finished in the table", item["st"] == {"S": "S"}, item)
    again = here.ask("POST", "/hooks/intake/placed", body, headers)
    prove("the same delivery again is the same execution", again.json()["execution"] == execution, again.body)
    prove("and starts nothing", here.deliver() == 0)


def _joins(here: World) -> None:
    """A diamond whose steps run apart."""
    answer = here.ask_as_admin("POST", "/api/v1/flows/apart/run", b"{}")
    prove("it starts", answer.status in {200, 202}, answer.body)
    delivered = here.deliver()
    prove("its steps went through the queue", delivered >= 2, delivered)
    _finished(here, answer.json()["execution"])
    once = {"/first": 1, "/left": 1, "/right": 1, "/join": 1}
    prove("each step was carried out once, the join too", here.stub.requests == once, here.stub.requests)
    here.stub.requests.clear()
    answer = here.ask_as_admin("POST", "/api/v1/flows/apart/run", b"{}")
    with _one_message_at_a_time(here), ThreadPoolExecutor(3) as pool:
        for _ in range(2):  # the second round finds what the first one sent
            for under_way in [pool.submit(here.deliver) for _ in range(3)]:
                under_way.result()
    _finished(here, answer.json()["execution"])
    prove("nor twice where three workers take a message each", here.stub.requests == once, here.stub.requests)


def _ticks(here: World) -> None:
    """A schedule's moment."""
    _make_older(here, "nightly")
    minute = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")
    moment = {"tenant": "main", "flow": "nightly", "trigger": "minute", "at": f"{minute}:00Z"}
    first = here.invoke("tick", moment)["execution"]
    here.deliver()
    again = here.invoke("tick", moment)["execution"]
    here.deliver()
    prove("the same moment twice is one execution", first == again, (first, again))
    shown = _finished(here, first)
    prove("it knows its planned time", shown["output"] == {"planned": f"{minute}:00.000Z"}, shown)
    listed = here.ask_as_admin("GET", "/api/v1/executions?flow=nightly").json()
    prove("the listing shows it once", [each["id"] for each in listed["items"]] == [first], listed)


def _sweeps(here: World) -> None:
    """An execution whose messages were lost."""
    here.stub.requests.clear()
    execution = here.ask_as_admin("POST", "/api/v1/flows/apart/run", b"{}").json()["execution"]
    esm.deliver(here.client("sqs"), here.client("lambda"), _workers_mapping(here))
    prove("its first step is done, two are in the queue", _waiting(here) == 2, _waiting(here))
    queues = here.client("sqs")
    queues.purge_queue(QueueUrl=_queue(here, here.names.queue))
    prove("they are lost", here.deliver() == 0)
    here.fire()
    prove("the sweeper finds nothing to do before its time", _waiting(here) == 0, _waiting(here))
    _make_due(here, execution)
    here.fire()
    prove("then it sends for the execution", _waiting(here) == 1, _waiting(here))
    here.fire()
    prove("once", _waiting(here) == 1, _waiting(here))
    here.deliver()
    _finished(here, execution)
    once = {"/first": 1, "/left": 1, "/right": 1, "/join": 1}
    prove("each step was carried out once", here.stub.requests == once, here.stub.requests)


def _buries(here: World) -> None:
    """Dead letters."""
    body, headers = _delivery("d-2")
    execution = here.ask("POST", "/hooks/intake/placed", body, headers).json()["execution"]
    queues, jobs, dead = here.client("sqs"), _queue(here, here.names.queue), _queue(here, here.names.dead_letters)
    (start,) = queues.receive_message(QueueUrl=jobs)["Messages"]
    queues.delete_message(QueueUrl=jobs, ReceiptHandle=start["ReceiptHandle"])
    queues.send_message(QueueUrl=dead, MessageBody=start["Body"])  # as SQS does after ten deliveries
    queues.send_message(QueueUrl=dead, MessageBody="garbage")
    here.deliver()
    shown = here.ask_as_admin("GET", f"/api/v1/executions/{execution}").json()
    prove("a start that is a dead letter is an execution that failed", shown.get("status") == "failed", shown)
    prove("which says so", "dead_letter" in json.dumps(shown), shown)
    left = queues.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
    counts = (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"])
    prove("no dead letter is left", counts == ("0", "0"), left)
    aside = queues.receive_message(QueueUrl=_queue(here, here.names.unreadable)).get("Messages", [])
    prove("what nobody can read is set aside, as it came", [each["Body"] for each in aside] == ["garbage"], aside)


def _loops(here: World) -> None:
    """A loop over 10,000 items."""
    wide_loop(here, prove)


def _deploys_again(here: World) -> None:
    """Deploying again."""
    before, code, settings = _addresses(here), _code(here), _settings(here)
    here.environment.pop("PENSTOCK_CREDENTIAL_SHOP_HOOK")
    page = here.project / "chalicelib" / "cloud" / "__init__.py"
    page.write_text(page.read_text() + "\n# changed\n")
    deploy(STAGE, project=here.project, environment=here.environment, say=_quiet)
    prove("the gateway, the functions and the mappings are the same", _addresses(here) == before, _addresses(here))
    prove(
        "links that were given out still count: their key is the same", _settings(here) == settings and settings["lk"]
    )
    prove("their code is the new one", not code & _code(here), code)
    mappings = here.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    prove("the mappings still have ReportBatchItemFailures", _reports(mappings), mappings)
    kept = here.client("lambda").get_function_configuration(FunctionName=here.names.function("api"))
    variables = kept["Environment"]["Variables"]
    prove("a secret that the caller did not name again is kept", "PENSTOCK_CREDENTIAL_SHOP_HOOK" in variables)
    answer = here.ask_as_admin("GET", "/api/v1/flows")
    prove("the flows are still there", len(answer.json()["items"]) == 4, answer.body)


def _leaves_nothing(here: World) -> None:
    """Destroying."""
    destroy(STAGE, project=here.project, environment=here.environment, say=_quiet)
    for kind, found in _leftovers(here).items():
        prove(f"no {kind} is left", found == [], found)


@contextmanager
def _one_message_at_a_time(here: World) -> Generator[None]:
    """Every message is an invocation of its own."""
    functions, mapping = here.client("lambda"), _workers_mapping(here)
    functions.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=1)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=mapping["BatchSize"])


def _workers_mapping(here: World) -> dict[str, Any]:
    found = here.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = (each for each in found if each["FunctionArn"] == here.names.function_arn("worker"))
    return mapping


def _leftovers(here: World) -> dict[str, list[Any]]:
    """Everything of ours that is still there, by kind."""
    client = here.client
    ours = here.names.prefix
    roles = [each["RoleName"] for each in client("iam").list_roles()["Roles"]]
    keys = [each["KeyId"] for each in client("kms").list_keys()["Keys"]]
    states = {key: client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in keys}
    groups: list[str] = [each["Name"] for each in client("scheduler").list_schedule_groups()["ScheduleGroups"]]
    return {
        "stack": _stacks(here),
        "function": client("lambda").list_functions()["Functions"],
        "event source mapping": client("lambda").list_event_source_mappings()["EventSourceMappings"],
        "rule": client("events").list_rules()["Rules"],
        "REST API": client("apigateway").get_rest_apis()["items"],
        "role": [name for name in roles if name.startswith(ours)],
        "queue": client("sqs").list_queues().get("QueueUrls", []),
        "table": client("dynamodb").list_tables()["TableNames"],
        "bucket": client("s3").list_buckets()["Buckets"],
        "key that is not about to be deleted": [key for key, state in states.items() if state != "PendingDeletion"],
        "alias of a key": [
            each["AliasName"] for each in client("kms").list_aliases()["Aliases"] if ours in each["AliasName"]
        ],
        "schedule": client("scheduler").list_schedules()["Schedules"],
        "schedule group": [name for name in groups if name.startswith(ours)],
        "log group": client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{ours}")["logGroups"],
    }


def _finished(here: World, execution: str) -> Any:
    shown = here.ask_as_admin("GET", f"/api/v1/executions/{execution}").json()
    prove("the execution has succeeded", shown.get("status") == "succeeded", shown)
    return shown


def _stacks(here: World) -> list[str]:
    found = here.client("cloudformation").list_stacks()["StackSummaries"]
    return [each["StackName"] for each in found if each["StackStatus"] != "DELETE_COMPLETE"]


def _waiting(here: World) -> int:
    url = _queue(here, here.names.queue)
    found = here.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def _queue(here: World, name: str) -> str:
    return here.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]


def _delivery(name: str) -> tuple[bytes, dict[str, str]]:
    """A signed delivery of that id: its body, and its headers."""
    body = json.dumps({"total": "12.5", "who": "Ada"}).encode()
    signature = "sha256=" + hmac.new(HOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {"content-type": "application/json", "x-github-delivery": name, "x-hub-signature-256": signature}


def _make_due(here: World, execution: str) -> None:
    """As if the time had passed for which its invocation had said that it would be busy."""
    here.client("dynamodb").update_item(
        TableName=here.names.table,
        Key={"pk": {"S": f"main#E#{execution}"}, "sk": {"S": "H"}},
        UpdateExpression="SET gs=:past,bz=:past",
        ConditionExpression="attribute_exists(gp)",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )


def _make_older(here: World, flow: str) -> None:
    """As if it had been published an hour ago: moments before that never were."""
    here.client("dynamodb").update_item(
        TableName=here.names.table,
        Key={"pk": {"S": f"main#F#{flow}"}, "sk": {"S": "LIVE"}},
        UpdateExpression="SET published=published-:hour",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":hour": {"N": "3600000"}},
    )


def _settings(here: World) -> dict[str, Any]:
    key = {"pk": {"S": "SETTINGS"}, "sk": {"S": "SETTINGS"}}
    return here.client("dynamodb").get_item(TableName=here.names.table, Key=key)["Item"]


def _reports(mappings: list[dict[str, Any]]) -> bool:
    return [each.get("FunctionResponseTypes") for each in mappings] == [["ReportBatchItemFailures"]] * 2


def _addresses(here: World) -> dict[str, list[str]]:
    functions = here.client("lambda")
    return {
        "apis": [each["id"] for each in here.client("apigateway").get_rest_apis()["items"]],
        "functions": sorted(each["FunctionArn"] for each in functions.list_functions()["Functions"]),
        "mappings": [each["UUID"] for each in functions.list_event_source_mappings()["EventSourceMappings"]],
    }


def _code(here: World) -> set[str]:
    return {each["CodeSha256"] for each in here.client("lambda").list_functions()["Functions"]}


def _indented(line: str) -> None:
    print(f"      {line}", flush=True)


_quiet: Callable[[str], None] = lambda _: None  # noqa: E731


if __name__ == "__main__":
    sys.exit(main())
