"""A person answers after a restart, and after a newer version was published: the version it began with goes on."""

import time

import httpx

from tests.dev_server import dev_server
from tests.stub import Answer, stub_in_thread

FLOW = """
flow: signing
steps:
  tell:
    uses: http.request
    with: {{method: POST, url: "{url}/tell", json: {{link: "${{ execution.links.sign }}"}}}}
  sign:
    uses: approval
    after: tell
    with: {{ask: "Ship <b>it</b>?", expires: 2d}}
  ship:
    uses: http.request
    after: sign.approved
    with: {{method: POST, url: "{url}/{version}", json: {{by: "${{ steps.sign.by }}"}}}}
output: {{by: "${{ steps.sign.by }}", version: "{version}"}}
"""
PAUSE = 0.5


def test_an_approval_after_a_restart_and_a_newer_version_finishes_on_the_version_it_began_with(tmp_path):
    flows, store = tmp_path / "flows", tmp_path / "penstock" / "store.db"
    flows.mkdir()
    file = flows / "signing.yaml"
    private = ("--allow-private", "127.0.0.1/32")
    with stub_in_thread() as stub:
        stub.default = Answer.of_json({"ok": True})
        file.write_text(FLOW.format(url=stub.url, version="first"))
        with dev_server(flows, store, *private) as dev:
            started = dev.ask("POST", "/flows/signing/run", json={"inputs": {}}).json()
            execution = started["execution"]
            step = dev.until(lambda: waiting(dev, execution), "the approval to wait")
            before = dev.url
            dev.kill()
        link = step["link"].removeprefix(before)
        assert stub.requests[-1].json()["link"].removeprefix(before) == link
        file.write_text(FLOW.format(url=stub.url, version="second"))
        with dev_server(flows, store, *private) as dev, httpx.Client(base_url=dev.url, trust_env=False) as person:
            history = dev.ask("GET", "/flows/signing/versions").json()
            assert len(history["items"] if "items" in history else history["versions"]) == 2
            page = person.get(link)
            assert page.status_code == 200
            assert "Ship &lt;b&gt;it&lt;/b&gt;?" in page.text
            assert (
                "script-src 'none'" in page.headers["content-security-policy"]
                or "default-src 'none'" in (page.headers["content-security-policy"])
            )
            time.sleep(PAUSE)
            assert waiting(dev, execution), "a GET answers nothing"
            altered = person.post(link[:-2] + ("AA" if link[-2:] != "AA" else "BB"), data={"decision": "approved"})
            assert altered.status_code == 404
            answered = person.post(link, data={"decision": "approved", "by": "Ann", "comment": "good"})
            assert answered.status_code == 200, answered.text
            shown = dev.until(lambda: ended(dev, execution), "the end")
            again = person.post(link, data={"decision": "rejected", "by": "Eve"})
            assert again.status_code == 409
            assert dev.stop() == 0
    assert shown["status"] == "succeeded"
    assert shown["output"] == {"by": "Ann", "version": "first"}
    assert [request.path for request in stub.requests] == ["/tell", "/first"]


def waiting(dev, execution):
    answer = dev.ask("GET", f"/executions/{execution}")
    steps = answer.json().get("steps", []) if answer.status_code == 200 else []
    return next((step for step in steps if step["id"] == "sign" and step["status"] == "waiting"), None)


def ended(dev, execution):
    shown = dev.ask("GET", f"/executions/{execution}").json()
    return shown if shown["status"] not in {"running", "ending"} else None
