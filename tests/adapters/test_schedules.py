"""Flows' schedules in EventBridge Scheduler, against a local AWS."""

import asyncio
import json
from dataclasses import replace

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from chalicelib.adapters.aws.client import Endpoints
from chalicelib.adapters.aws.names import Names
from chalicelib.adapters.aws.schedules import PLANNED, SchedulerSchedules, flow_prefix
from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.http import client_for_engine
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.errors import StoreError
from chalicelib.flow.plan import Plan, TriggerPlan
from chalicelib.ports import HttpAnswer, Live
from chalicelib.signing.forms import AwsKeys
from tests.aws_server import REGION, boto, fresh_name


def plan(**triggers):
    return Plan(
        "digest",
        "0" * 64,
        (),
        (),
        {
            name: TriggerPlan(name, "schedule", parameters, None, None, None, None, None, "accepted")
            for name, parameters in triggers.items()
        },
        {},
        {},
        None,
        timezone="Europe/Berlin",
    )


def live(flow="digest", *, enabled=True):
    return Live("main", flow, "0" * 64, enabled, 0, 1)


class Here:
    """One stage's group on the local AWS."""

    def __init__(self, url):
        self.names = Names.of(fresh_name("s").replace("-", ""), "123456789012", REGION)
        self.boto = boto(url, "scheduler")
        self.url, self.keys = url, AwsKeys("testing", "testing")
        self.boto.create_schedule_group(Name=self.names.schedule_group)

    def replace(self, *given):
        async def main():
            http = client_for_engine(EgressPolicy.for_engine([self.url]))
            schedules = SchedulerSchedules(http, self.keys, self.names, Endpoints(self.url), SystemClock())
            try:
                await schedules.replace(*given)
            finally:
                await http.close()

        asyncio.run(main())

    def all(self):
        """Every schedule by name, without what differs from call to call."""
        group = self.names.schedule_group
        pages = self.boto.get_paginator("list_schedules").paginate(GroupName=group)
        names = [each["Name"] for page in pages for each in page["Schedules"]]
        found = {name: self.boto.get_schedule(GroupName=group, Name=name) for name in names}
        for each in found.values():
            each.pop("ResponseMetadata")
        return found


@pytest.fixture
def here(aws_url):
    return Here(aws_url)


def test_every_schedule_of_a_flow_is_one_of_the_stages_group(here):
    here.replace(live(), plan(morning={"cron": "0 6 * * MON"}, often={"every": "5m"}))
    found = here.all()
    assert {each["ScheduleExpression"] for each in found.values()} == {
        "cron(0 6 ? * 2 *)",
        "cron(0,5,10,15,20,25,30,35,40,45,50,55 * * * ? *)",
    }
    assert all(name.startswith(flow_prefix("main", "digest")) for name in found)


def test_it_invokes_tick_with_whose_moment_it_is(here):
    here.replace(live(), plan(morning={"cron": "0 6 * * MON", "timezone": "Asia/Tokyo"}))
    ((_, found),) = here.all().items()
    assert found["ScheduleExpressionTimezone"] == "Asia/Tokyo"
    assert found["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert found["Target"]["Arn"] == here.names.function_arn("tick")
    assert found["Target"]["RoleArn"] == here.names.schedule_role
    assert json.loads(found["Target"]["Input"]) == {
        "tenant": "main",
        "flow": "digest",
        "trigger": "morning",
        "at": PLANNED,
    }


def test_another_version_replaces_what_is_different_and_leaves_the_rest(here):
    here.replace(live(), plan(a={"cron": "0 6 * * *"}, b={"cron": "0 7 * * *"}))
    before = here.all()
    here.replace(live(), plan(a={"cron": "0 6 * * *"}, b={"cron": "0 8 * * *"}))
    after = here.all()
    assert {each["ScheduleExpression"] for each in after.values()} == {"cron(0 6 * * ? *)", "cron(0 8 * * ? *)"}
    assert len(before.keys() & after.keys()) == 1


def test_the_same_again_changes_nothing(here):
    given = plan(a={"cron": "0 6 * * *"}, b={"every": "15m"})
    here.replace(live(), given)
    before = here.all()
    here.replace(live(), given)
    assert here.all() == before


def test_a_disabled_flow_has_none_and_gets_them_back(here):
    given = plan(a={"cron": "0 6 * * *"})
    here.replace(live(), given)
    here.replace(live(enabled=False), given)
    assert here.all() == {}
    here.replace(live(), given)
    assert len(here.all()) == 1


def test_other_flows_and_other_tenants_schedules_are_left_alone(here):
    given = plan(a={"cron": "0 6 * * *"})
    here.replace(live("digest"), given)
    here.replace(live("other"), given)
    here.replace(Live("acme", "digest", "0" * 64, True, 0, 1), given)
    assert len(here.all()) == 3
    here.replace(live("other", enabled=False), given)
    assert len(here.all()) == 2


def test_more_than_a_page_of_schedules_is_replaced_whole(here):
    here.replace(live(), plan(**{f"t{n}": {"cron": f"{n % 60} {n // 60} * * *"} for n in range(105)}))
    assert len(here.all()) == 105
    here.replace(live(), plan(only={"cron": "0 6 * * *"}))
    assert len(here.all()) == 1


def test_what_scheduler_cannot_say_is_there_all_the_same(here):
    here.replace(live(), plan(a={"cron": "*/10 * * * * *"}, b={"every": "90s"}, c={"every": "2d"}))
    said = sorted((each["ScheduleExpression"], each["ScheduleExpressionTimezone"]) for each in here.all().values())
    assert said == [
        ("cron(* * * * ? *)", "UTC"),
        ("cron(* * * * ? *)", "UTC"),
        ("cron(0 0 * * ? *)", "Europe/Berlin"),
    ], "each trigger has its own"


def test_a_version_with_the_same_schedules_leaves_them_in_place(here):
    """So that no moment falls between an old one and a new one: which version is live is asked when it fires."""
    here.replace(live(), plan(a={"cron": "0 6 * * *"}))
    before = here.all()
    here.replace(replace(live(), version="1" * 64, published=5, rev=2), plan(a={"cron": "0 6 * * *"}))
    assert here.all() == before


def test_a_late_moment_is_handed_over_for_as_long_as_scheduler_can(here):
    here.replace(live(), plan(a={"cron": "0 6 * * *"}))
    ((_, found),) = here.all().items()
    assert found["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


def test_a_cancelled_flow_without_schedules_asks_for_nothing_but_the_list(here):
    here.replace(live(), plan())
    assert here.all() == {}


class Recorder:
    """Answers from a list, and keeps what was sent."""

    def __init__(self, *answers):
        self.answers, self.sent = list(answers), []

    async def send(self, request):
        self.sent.append(request)
        return self.answers.pop(0)


def replace_through(http, *given):
    names = Names.of("dev", "123456789012", REGION)
    schedules = SchedulerSchedules(http, AwsKeys("AKIDEXAMPLE", "secret"), names, Endpoints(), SystemClock())
    asyncio.run(schedules.replace(*given))


def answer(status, body):
    return HttpAnswer(status, (("x-amzn-errortype", body.get("__type", "")),), json.dumps(body).encode())


def test_a_missing_group_says_what_to_do():
    missing = answer(404, {"__type": "ResourceNotFoundException", "Message": "Schedule group does not exist."})
    http = Recorder(answer(200, {"Schedules": []}), missing)
    with pytest.raises(StoreError, match=r"no schedule group penstock-dev\. Deploy again"):
        replace_through(http, live(), plan(a={"cron": "0 6 * * *"}))


def test_one_that_somebody_else_made_or_removed_meanwhile_is_fine():
    there = answer(409, {"__type": "ConflictException", "Message": "Schedule already exists."})
    gone = answer(404, {"__type": "ResourceNotFoundException", "Message": "Schedule does not exist."})
    old = flow_prefix("main", "digest") + "old"
    http = Recorder(answer(200, {"Schedules": [{"Name": old}]}), there, gone)
    replace_through(http, live(), plan(a={"cron": "0 6 * * *"}))
    assert [each.method for each in http.sent] == ["GET", "POST", "DELETE"]


def test_a_long_list_is_read_to_its_end():
    old = [flow_prefix("main", "digest") + name for name in "ab"]
    http = Recorder(
        answer(200, {"Schedules": [{"Name": old[0]}], "NextToken": "a+b/c="}),
        answer(200, {"Schedules": [{"Name": old[1]}]}),
        answer(200, {}),
        answer(200, {}),
    )
    replace_through(http, live(enabled=False), plan())
    assert http.sent[1].url.endswith("&NextToken=a%2Bb%2Fc%3D")
    assert {each.url.rpartition("/")[2].partition("?")[0] for each in http.sent[2:]} == set(old)


def test_every_call_is_signed_as_botocore_signs_it():
    """moto verifies no signed GET of this service, not even boto3's own; so botocore is asked directly."""
    old = flow_prefix("main", "digest") + "old"
    http = Recorder(answer(200, {"Schedules": [{"Name": old}]}), answer(200, {}), answer(200, {}))
    replace_through(http, live(), plan(a={"cron": "0 6 * * *"}))
    assert [each.method for each in http.sent] == ["GET", "POST", "DELETE"]
    for sent in http.sent:
        assert sent.url.startswith(f"https://scheduler.{REGION}.amazonaws.com/schedules")
        headers = {name.lower(): value for name, value in sent.headers}
        ours = headers.pop("authorization")
        request = AWSRequest(sent.method, sent.url, dict(headers), sent.body)
        signer = SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "scheduler", REGION)
        request.context["timestamp"] = headers["x-amz-date"]
        canonical = signer.canonical_request(request)
        signature = signer.signature(signer.string_to_sign(request, canonical), request)
        assert ours.endswith(f"Signature={signature}"), sent.method
