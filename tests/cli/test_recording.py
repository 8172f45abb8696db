"""`penstock test --record`: a case written from an execution of a real server, which then passes."""

import json

import httpx
import pytest

from chalicelib.flow.text import read_yaml
from tests.cli.calling import penstock
from tests.dev_server import dev_server, until
from tests.stub import Answer, stub_in_thread

SECRET = "whole-secret-of-the-shop"

FLOW = """\
flow: shop
inputs: {{name: {{type: string}}, rows: {{type: array}}}}
triggers:
  placed:
    uses: webhook
    verify: {{scheme: token, credential: shop_token, header: x-shop-token}}
    if: "${{ trigger.body.rows != null }}"
    inputs: {{name: "${{ trigger.headers.'x-name' }}", rows: "${{ trigger.body.rows }}"}}
steps:
  stock:
    uses: http.request
    retry: {{attempts: 3, first: 10ms, cap: 20ms}}
    with: {{url: "{stub}/stock", query: {{name: "${{ inputs.name }}"}}}}
  pay:
    uses: http.request
    credential: pay
    with:
      method: POST
      url: "{stub}/pay"
      headers: {{X-Session: "${{ inputs.name }}-session"}}
      json: {{left: "${{ steps.stock.body.left }}", about: "${{ execution.url }}"}}
  ask:
    uses: approval
    with: {{ask: "Pay for ${{ inputs.name }}?", expires: 2d}}
  invite:
    uses: http.request
    with: {{method: PUT, url: "{stub}/invite", json: {{to: "${{ inputs.name }}", link: "${{ execution.links.ask }}"}}}}
  thanks: {{uses: set, after: ask.approved, with: {{by: "${{ steps.ask.by }}"}}}}
  tell:
    uses: http.request
    on_error: continue
    with: {{method: PUT, url: "{stub}/tell"}}
  marked:
    uses: foreach
    with: {{over: "${{ inputs.rows }}"}}
    steps:
      mark: {{uses: set, with: {{row: "${{ item }}"}}}}
      skip: {{uses: set, if: "${{ item = 99 }}", with: {{x: 1}}}}
    output: "${{ steps.mark.row }}"
  posted:
    uses: foreach
    with: {{over: "${{ inputs.rows }}"}}
    steps:
      post: {{uses: http.request, with: {{method: POST, url: "{stub}/post", json: "${{ item }}"}}}}
    output: "${{ steps.post.body.ok }}"
output: {{paid: "${{ steps.pay.body.id }}", rows: "${{ steps.marked.results }}", posted: "${{ steps.posted.count }}"}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A server with the flow, its folder, and the id of an execution of it that has ended."""
    place = tmp_path_factory.mktemp("shop")
    flows = place / "flows"
    flows.mkdir()
    credentials = {
        "PENSTOCK_CREDENTIAL_SHOP_TOKEN": json.dumps({"token": SECRET}),
        "PENSTOCK_CREDENTIAL_PAY": json.dumps({"token": "bearer-of-the-bank"}),
    }
    with stub_in_thread() as stub:
        kind = (("content-type", "application/json"),)
        stub.answer("/stock", Answer(503), Answer(headers=kind, body=b'{"left": 4}'))
        stub.answer("/pay", Answer(201, headers=kind, body=b'{"id": "p1", "echo": "bearer-of-the-bank"}'))
        stub.answer("/invite", Answer(headers=kind, body=b'{"ok": true}'))
        stub.answer("/tell", Answer(404, headers=kind, body=b'{"message": "nobody there"}'))
        stub.answer("/post", Answer(headers=kind, body=b'{"ok": true}'))
        (flows / "shop.yaml").write_text(FLOW.format(stub=stub.url))
        private = ("--allow-private", "127.0.0.1/32")
        with dev_server(flows, place / "penstock" / "store.db", *private, variables=credentials) as dev:
            headers = {"x-shop-token": SECRET, "x-name": "Ann", "authorization": "Basic abc", "cookie": "sid=abc"}
            body = {"rows": [1, 2]}
            with httpx.Client(trust_env=False) as client:
                answer = client.post(f"{dev.url}/hooks/shop/placed?from=shop&api_key=k", json=body, headers=headers)
            assert answer.status_code == 202, answer.text
            execution = answer.json()["execution"]

            def asked():
                steps = dev.ask("GET", f"/executions/{execution}").json().get("steps", [])
                return next((step["link"] for step in steps if step["id"] == "ask" and step["link"]), None)

            link = until(asked, lambda: dev.errors)
            with httpx.Client(trust_env=False) as client:
                said = client.post(link, json={"decision": "approved", "by": "Ann", "comment": ""})
            assert said.status_code == 200, said.text

            def ended():
                shown = dev.ask("GET", f"/executions/{execution}").json()
                return shown if shown.get("status") in {"succeeded", "failed"} else None

            shown = until(ended, lambda: dev.errors)
            assert shown["status"] == "succeeded", shown["reason"]
            yield dev, flows, execution


def record(shop, *arguments):
    dev, flows, execution = shop
    address = {"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key}
    return penstock("test", "--record", execution, "--flows", flows, *arguments, **address)


def test_a_recorded_case_is_written_beside_its_flow_and_passes(shop):
    _, flows, execution = shop
    said = record(shop)
    assert (said.code, said.err.splitlines()[-1]) == (0, "1 case, none failed"), said.out + said.err
    name = f"recorded {execution}"
    assert f"  ok    {name}" in said.out
    text = (flows / "shop.test.yaml").read_text()
    data = read_yaml(text, "shop.test.yaml").data
    assert data["flow"] == "shop"
    case = data["cases"][name]
    handed = case["trigger"]["placed"]
    assert (handed["body"], handed["query"]) == ({"rows": [1, 2]}, {"from": "shop"})
    assert handed["headers"]["x-name"] == "Ann"
    first, second = case["mocks"]["stock"]
    assert first["error"]["code"] == "http_503"
    assert second["returns"]["body"] == {"left": 4}
    assert case["mocks"]["pay"]["returns"]["body"] == {"id": "p1", "echo": "***"}
    assert case["mocks"]["tell"]["error"]["status"] == 404
    assert case["mocks"]["posted"] == {"returns": {"results": [True, True], "failed": [], "count": 2}}
    assert set(case["mocks"]) == {"stock", "pay", "tell", "posted", "ask", "invite"}
    answer = case["mocks"]["ask"]
    assert (answer["port"], answer["returns"]["by"]) == ("approved", "Ann")
    expect = case["expect"]
    assert (expect["status"], set(expect["ran"])) == (
        "succeeded",
        {"stock", "pay", "ask", "invite", "thanks", "marked", "posted", "mark"},
    )
    assert (expect["failed"], expect["skipped"]) == (["tell"], ["skip"])
    assert expect["sent"]["pay"]["json"] == {"left": 4}
    assert expect["sent"]["invite"]["json"] == {"to": "Ann"}
    assert expect["sent"]["ask"] == {"ask": "Pay for Ann?", "expires": "2d"}
    assert "/approvals/" not in text.replace("/approvals/***", "")
    assert expect["output"] == {"paid": "p1", "rows": [1, 2], "posted": 2}
    for secret in (SECRET, "bearer-of-the-bank", "abc", "api_key", "Ann-session", "authorization", "x-shop-token"):
        assert secret not in text
    # From now on it needs no server.
    assert penstock("test", flows).code == 0


def test_a_case_is_added_under_a_name_and_replaced_only_by_force(shop):
    _, flows, _ = shop
    path = flows / "shop.test.yaml"
    path.write_text("flow: shop  # ours\ncases:\n  # By hand.\n  refused: {inputs: {}, expect: {status: refused}}\n")
    assert record(shop, "--case", "a good day").code == 0
    assert path.read_text().startswith(
        "flow: shop  # ours\ncases:\n  # By hand.\n  refused: {inputs: {}, expect: {status: refused}}\n  a good day:\n"
    )
    before = path.read_text()
    again = record(shop, "--case", "a good day")
    assert (again.code, path.read_text()) == (2, before)
    assert "has a case `a good day` already" in again.err
    forced = record(shop, "--case", "refused", "--force")
    assert forced.code == 0
    after = read_yaml(path.read_text(), "f").data["cases"]
    assert list(after) == ["refused", "a good day"]
    assert after["refused"] == after["a good day"]
    assert "# By hand." in path.read_text()


def test_what_cannot_be_recorded_says_why(shop, tmp_path):
    dev, flows, execution = shop
    address = {"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key}
    (tmp_path / "other.yaml").write_text("flow: other\nsteps:\n  a: {uses: set, with: {x: 1}}\n")
    wrong = penstock("test", "--record", execution, tmp_path / "other.yaml", **address)
    assert (wrong.code, "is the flow other, and the execution is of shop" in wrong.err) == (2, True)
    nowhere = penstock("test", "--record", execution, "--flows", tmp_path, **address)
    assert (nowhere.code, "No file in" in nowhere.err) == (2, True)
    unknown = penstock("test", "--record", "0" * 26, "--flows", flows, **address)
    assert unknown.code == 2
    named = penstock("test", "--record", execution, flows / "shop.test.yaml", **address)
    assert (named.code, "name its flow" in named.err) == (2, True)
    twice = penstock("test", "--record", execution, "--case", "a", "--case", "b", "--flows", flows, **address)
    assert twice.code == 2
    assert list(tmp_path.glob("*.test.yaml")) == []


def test_another_version_than_the_one_that_ran_is_told_of(shop):
    _, flows, _ = shop
    path = flows / "shop.yaml"
    before = path.read_text()
    try:
        path.write_text(before.replace("/tell", "/told"))
        said = record(shop, "--case", "elsewhere")
        assert "is not the version that ran" in said.err
        assert said.code == 1
        assert "sent.tell.url" in said.out
    finally:
        path.write_text(before)
