"""What a webhook's sender is told."""

import asyncio

import pytest

from chalicelib.api.answer_headers import guarded
from chalicelib.api.request import Answer
from chalicelib.engine.records import Status
from chalicelib.ports import Entered
from chalicelib.ports.files import Files
from tests.api.house import OPEN, House, failed, image, loaded, refused

ID = "01h" + "0" * 23
URL = f"https://penstock.example/api/v1/executions/{ID}"
FLOW = OPEN + "    respond: {}\nsteps:\n  say: {{uses: respond, with: {{text: hello}}}}\n"


def told(respond, entered, headers=None):
    house = House()
    published = house.publish(FLOW.format(respond))
    house.door.answer = entered(house) if callable(entered) else entered
    target = published["triggers"][0]["url"].removeprefix("https://penstock.example")
    answer = house.send("POST", target, b"", headers=headers)
    assert house.door.knocks[0].respond == respond
    return answer


def said(**response):
    value = {"status": 200, "headers": {}, "as": "nothing", "body": None, **response}
    return Entered(ID, is_new=True, response=value)


def as_said(answer):
    """What the flow said, without what every answer says to browsers."""
    ours = dict(guarded(Answer(200), is_encrypted=True, is_flows=True).headers)
    return (answer.status, tuple(pair for pair in answer.headers if ours.get(pair[0]) != pair[1]), answer.body)


def ended(output):
    return Entered(ID, is_new=True, image=image(ID, Status.SUCCEEDED), output=output)


@pytest.mark.parametrize("output", [{"a": [1, "ü"]}, None, "text", 2**70, [], False])
def test_a_result_is_the_flows_output_as_json(output):
    answer = told("result", ended(output))
    assert (answer.status, loaded(answer)) == (200, output)
    assert answer.header("content-type") == "application/json"


@pytest.mark.parametrize("status", [None, Status.RUNNING, Status.ENDING])
@pytest.mark.parametrize("respond", ["result", "step"])
def test_what_outlasts_the_request_turns_into_its_address(respond, status):
    answer = told(respond, Entered(ID, is_new=True, image=image(ID, status) if status else None))
    assert (answer.status, loaded(answer)) == (202, {"execution": ID, "url": URL})


def test_an_accepted_delivery_is_answered_the_same_once_its_execution_has_ended():
    answer = told("accepted", ended({"a": 1}))
    assert (answer.status, loaded(answer)) == (202, {"execution": ID, "url": URL})


@pytest.mark.parametrize("respond", ["result", "step"])
def test_a_failed_execution_is_a_problem_that_names_the_step_and_hides_the_message(respond):
    answer = told(respond, Entered(ID, is_new=True, image=failed(ID)))
    problem = refused(answer, 500, "execution_failed")
    assert (problem["execution"], problem["url"], problem["step"]) == (ID, URL, "charge")
    assert "secret inside" not in answer.body.decode()


def test_a_cancelled_and_a_timed_out_execution_are_told_apart():
    refused(told("result", Entered(ID, is_new=True, image=image(ID, Status.CANCELLED))), 500, "execution_cancelled")
    refused(told("result", Entered(ID, is_new=True, image=image(ID, Status.TIMED_OUT))), 504, "execution_timed_out")


def test_a_step_answers_with_its_status_its_headers_and_its_body():
    headers = {"content-type": "application/json", "x-shop": "1"}
    answer = told("step", said(**{"status": 404, "headers": headers, "as": "json", "body": {"error": "ü"}}))
    assert as_said(answer) == (404, (("content-type", "application/json"), ("x-shop", "1")), '{"error":"ü"}'.encode())


def test_a_step_may_answer_json_null_text_or_nothing():
    assert told("step", said(**{"as": "json", "body": None})).body == b"null"
    plain = {"content-type": "text/plain; charset=utf-8"}
    assert told("step", said(**{"as": "text", "body": "grüß", "headers": plain})).body == "grüß".encode()
    answer = told("step", said(status=302, headers={"location": "https://shop.example/"}))
    assert as_said(answer) == (302, (("location", "https://shop.example/"),), b"")


@pytest.mark.parametrize("accept", [None, "application/json", "text/html", "*/*", "image/png", "", "garbage"])
def test_an_answer_of_bytes_is_exact_whatever_the_sender_accepts(accept):
    content = bytes(range(256)) + b"\x89PNG\r\n\xff\xfe{"

    def entered(house):
        name = asyncio.run(Files(house.blobs, "main").put(content))
        file = {"file": name, "name": "a.png", "type": "image/png", "size": len(content)}
        return said(**{"as": "file", "body": file, "headers": {"content-type": "image/png"}})

    answer = told("step", entered, {} if accept is None else {"accept": accept})
    assert as_said(answer) == (200, (("content-type", "image/png"),), content)


def test_without_a_respond_step_that_is_done_the_output_is_the_answer():
    answer = told("step", ended({"a": 1}))
    assert (answer.status, loaded(answer)) == (200, {"a": 1})


def test_a_flows_page_gets_an_origin_of_its_own():
    page = {"headers": {"content-type": "text/html; charset=utf-8"}, "as": "text", "body": "<script>1</script>"}
    policy = told("step", said(**page)).header("content-security-policy")
    assert policy is not None
    assert policy.startswith("sandbox ")
    assert "allow-same-origin" not in policy
    plain = told("step", said(headers={"content-type": "text/plain"})).header("content-security-policy")
    assert plain is not None
    assert "sandbox" not in plain


def test_a_flow_may_say_its_own_policy_and_sets_no_cookie_of_ours():
    given = {"content-security-policy": "img-src *", "referrer-policy": "origin", "set-cookie": "shop=1"}
    answer = told("step", said(headers={"content-type": "text/plain", **given}))
    assert {name: answer.header(name) for name in given} == given
    for cookie in ("penstock=x", " __Host-penstock = x; Path=/", "__HOST-Penstock=x"):
        assert told("step", said(headers={"set-cookie": cookie})).header("set-cookie") is None


def test_addresses_have_no_host_where_the_deployment_does_not_know_its_own():
    house = House(base_url="")
    target = house.publish(FLOW.format("accepted"))["triggers"][0]["url"]
    assert target.startswith("/hooks/shop/placed/")
    answer = loaded(house.send("POST", target, b"", headers={"host": "evil.example"}))
    assert answer["url"] == f"/api/v1/executions/{answer['execution']}"
