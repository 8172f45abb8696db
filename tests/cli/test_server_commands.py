"""The commands that talk to a server, to a real one: flows, executions, publish, doctor."""

import json
import subprocess
import sys

import pytest

from tests.cli.calling import BROKEN, GOOD, penstock, write
from tests.dev_server import dev_server, environment, until
from tests.stub import Answer, stub_in_thread

OPEN = """\
flow: open-door
inputs: {n: {type: integer, default: 1}}
triggers:
  knock: {uses: webhook, verify: none, respond: result}
steps:
  a: {uses: set, with: {n: "${ inputs.n }"}}
"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    place = tmp_path_factory.mktemp("server")
    flows = write(place / "flows", good=GOOD)
    with dev_server(flows, place / "penstock" / "store.db", "--allow-private", "127.0.0.1/32") as server:
        yield server
        assert server.stop() == 0
        assert server.errors == ""


@pytest.fixture
def ask(dev):
    def call(*arguments, **rest):
        return penstock(*arguments, **{"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key, **rest})

    return call


def start(dev, flow: str, **inputs: object) -> str:
    answer = dev.ask("POST", f"/flows/{flow}/run", json={"inputs": inputs})
    assert answer.status_code == 202, answer.text
    return answer.json()["execution"]


def test_publish_checks_all_files_before_it_publishes_one(ask, tmp_path):
    flows = write(tmp_path / "flows", door=OPEN, broken=BROKEN)
    said = ask("publish", "--flows", flows)
    assert (said.code, said.out) == (2, "")
    assert f"{flows / 'broken.yaml'}:3:" in said.err
    assert "Nothing was published." in said.err
    assert ask("flows", "show", "open-door").code == 2
    as_json = ask("publish", "--flows", flows, "--json")
    assert as_json.code == 2
    assert as_json.json["files"][0]["problems"][0]["line"] == 3
    dry = ask("publish", flows / "door.yaml", "--dry-run")
    assert (dry.code, dry.out.split("\t")[2]) == (0, "good\n")
    assert ask("flows", "show", "open-door").code == 2
    done = ask("publish", flows / "door.yaml")
    assert done.code == 0
    name, version, verb = done.out.rstrip("\n").split("\t")
    assert (name, len(version), verb) == ("open-door", 12, "published")
    assert "/hooks/open-door/knock/" in done.err
    assert ask("publish", flows / "door.yaml").out.endswith("\tas it was\n")
    (again,) = ask("publish", flows / "door.yaml", "--json").json["files"]
    assert (again["flow"], again["changed"], again["file"]) == ("open-door", False, str(flows / "door.yaml"))


def test_publish_to_another_address_than_the_one_in_the_environment(ask, dev, tmp_path):
    flows = write(tmp_path / "flows", door=OPEN)
    assert ask("publish", "--flows", flows, "--to", dev.url, PENSTOCK_URL="http://127.0.0.1:1").code == 0
    assert ask("publish", "--flows", flows, "--to", "http://127.0.0.1:1").code == 3
    said = ask("publish", "--flows", flows, "--to", "ftp://here")
    assert (said.code, said.out) == (2, "")
    assert "no address of a server" in said.err


def test_flows_are_listed_shown_switched_and_rolled_back(ask, tmp_path):
    flows = write(tmp_path / "flows", door=OPEN)
    ask("publish", "--flows", flows)
    first = ask("flows", "show", "open-door", "--json").json["version"]
    write(flows, door=OPEN.replace("default: 1", "default: 2"))
    ask("publish", "--flows", flows)
    listed = [line.split("\t")[0] for line in ask("flows", "list").out.splitlines()]
    assert {"greet", "open-door"} <= set(listed)
    assert {each["flow"] for each in ask("flows", "list", "--json").json} == set(listed)
    shown = ask("flows", "show", "open-door")
    assert "trigger knock  webhook  POST http://" in shown.out
    assert "input n  integer" in shown.out
    assert "default: 2" in ask("flows", "show", "open-door", "--text").out
    versions = ask("flows", "versions", "open-door", "--json").json
    assert next(each["live"] for each in versions) is True
    assert first in [each["version"] for each in versions]
    assert ask("flows", "versions", "open-door").out.splitlines()[0].endswith("\tlive")
    assert ask("flows", "rollback", "open-door", first[:10]).out == f"open-door\t{first[:12]}\tpublished\n"
    assert ask("flows", "rollback", "open-door", "abcdefabcdef").code == 2
    assert ask("flows", "disable", "open-door").out == "open-door\tdisabled\n"
    assert ask("flows", "disable", "open-door", "--json").json["enabled"] is False
    assert "\tdisabled\n" in ask("publish", "--flows", flows).out
    assert ask("flows", "enable", "open-door").out == "open-door\tenabled\n"
    before = ask("flows", "show", "open-door", "--json").json["triggers"][0]["url"]
    rotated = ask("flows", "rotate", "open-door", "knock").out.strip()
    assert rotated != before
    assert ask("flows", "show", "open-door", "--json").json["triggers"][0]["url"] == rotated


def test_executions_are_listed_shown_watched_and_retried(ask, dev):
    execution = start(dev, "greet", name="Ann")
    watched = ask("executions", "watch", execution)
    assert (watched.code, watched.json) == (0, "Hello Ann")
    assert watched.err.startswith("succeeded  say  set  ")
    shown = ask("executions", "show", execution)
    assert shown.out.splitlines()[0] == f"greet\t{execution}\tsucceeded"
    assert ask("executions", "show", execution, "--json").json["inputs"] == {"name": "Ann"}
    page = ask("executions", "list", "--flow", "greet", "--status", "succeeded", "--limit", "1", "--json").json
    assert page["items"][0]["id"] == execution
    assert ask("executions", "list").out.splitlines()[0].split("\t")[:3] == [execution, "greet", "succeeded"]
    again = ask("executions", "retry", execution, "--watch")
    assert (again.code, again.json) == (0, "Hello Ann")
    third = ask("executions", "retry", execution)
    assert third.out.split("\t")[1] == "started\n"
    assert ask("executions", "retry", execution, "--json").json["retry_of"] == execution
    ended = ask("executions", "cancel", execution)
    assert (ended.code, ended.out) == (3, "")
    assert "has succeeded already" in ended.err
    rest = ask("executions", "list", "--limit", "1")
    assert "There are more: --cursor " in rest.err
    cursor = rest.err.rpartition(" ")[2].strip()
    assert ask("executions", "list", "--limit", "1", "--cursor", cursor).out != rest.out


def test_an_execution_that_runs_can_be_cancelled_and_then_watched_to_its_bad_end(ask, dev, tmp_path):
    with stub_in_thread() as stub:
        stub.default = Answer(delay=60)
        text = f"flow: slow\nsteps:\n  a: {{uses: http.request, with: {{method: POST, url: '{stub.url}/x'}}}}\n  b: {{uses: set, after: a}}\n"
        flows = write(tmp_path / "flows", slow=text)
        assert ask("publish", "--flows", flows).code == 0
        execution = start(dev, "slow")
        until(lambda: stub.in_flight, lambda: "the call")
        running = ask("executions", "list", "--flow", "slow", "--json").json["items"]
        assert [(each["id"], each["status"], each["ended"]) for each in running] == [(execution, "running", None)]
        cancelled = ask("executions", "cancel", execution, "--message", "enough", "--json").json
        assert cancelled["execution"] == execution
    watched = ask("executions", "watch", execution)
    assert watched.code == 1
    assert "cancelled" in watched.err
    assert "enough" in watched.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("flows", "show", "nothing-here"),
        ("flows", "enable", "../../admin"),
        ("executions", "show", "nonsense"),
        ("executions", "watch", "0" * 26),
        ("executions", "list", "--status", "odd"),
        ("executions", "list", "--since", "yesterday"),
        ("executions", "list", "--cursor", "rubbish"),
    ],
)
def test_what_the_server_does_not_know_is_usage_and_says_so(arguments, ask):
    said = ask(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.strip()
    as_json = ask(*arguments, "--json")
    assert {"code", "detail", "errors"} == set(json.loads(as_json.err))


def test_without_a_key_or_a_server_it_is_refused(ask):
    for variables in ({"PENSTOCK_KEY": "wrong"}, {"PENSTOCK_KEY": ""}):
        said = ask("flows", "list", **variables)
        assert (said.code, said.out) == (3, "")
        assert "No valid key" in said.err
    nobody = ask("flows", "list", PENSTOCK_URL="http://127.0.0.1:1")
    assert nobody.code == 3
    assert "Nobody answers at http://127.0.0.1:1" in nobody.err
    assert "penstock dev" in nobody.err
    odd = ask("flows", "list", PENSTOCK_KEY="a\nb")
    assert odd.code == 2
    assert "PENSTOCK_KEY" in odd.err


def test_a_server_that_is_none_of_ours_is_told_apart(ask):
    with stub_in_thread() as stub:
        for answer in (Answer(200, body=b"<html>"), Answer(404, body=b"no"), Answer(302, (("location", "/login"),))):
            stub.default = answer
            said = ask("flows", "list", PENSTOCK_URL=stub.url)
            assert said.code == 3
            assert "not" in said.err
            assert "as Penstock does" in said.err
        stub.default = Answer(cut="before")
        cut = ask("flows", "list", PENSTOCK_URL=stub.url)
        assert cut.code == 3
        assert "Whether it acted is unknown" in cut.err


def test_the_key_that_the_local_server_keeps_is_found_and_goes_to_loopback_alone(dev, tmp_path):
    place = tmp_path / "place"
    (place / ".penstock").mkdir(parents=True)
    (place / ".penstock" / "key").write_text(dev.key + "\n")
    with stub_in_thread() as stub:
        command = [sys.executable, "-m", "chalicelib.cli.main", "flows", "list"]

        def call(url: str):
            variables = environment({"PENSTOCK_URL": url})
            return subprocess.run(
                command, cwd=place, env=variables, capture_output=True, text=True, timeout=60, check=False
            )

        local = call(dev.url)
        assert (local.returncode, local.stderr) == (0, "")
        assert "greet\t" in local.stdout
        assert call(stub.url.replace("127.0.0.1", "127.0.0.2")).returncode == 3
        assert all(request.header("authorization") is None for request in stub.requests)


def test_doctor_looks_at_everything_and_ends_with_1_where_something_is_bad(ask, dev, tmp_path):
    text = GOOD.replace("{uses: set, with", "{uses: slack.post_message, credential: slack_bot, with")
    text = text.replace("text:", "channel: x, text:").replace(".text }", ".ts }")
    flows = write(tmp_path / "flows", greet=text)
    store = tmp_path / "store.db"
    said = ask("doctor", "--flows", flows, "--store", store, "--json")
    found = {each["what"]: each for each in said.json}
    assert said.code == 0
    assert {name: each["state"] for name, each in found.items()} == {
        "python": "good",
        "packages": "good",
        "store": "note",
        "flows": "good",
        "credentials": "note",
        "server": "good",
        "clock": "good",
        "key": "good",
    }
    assert "PENSTOCK_CREDENTIAL_SLACK_BOT" in found["credentials"]["text"]
    assert "greet" in found["credentials"]["text"]
    held = ask("doctor", "--flows", flows, "--store", dev.situation["store"])
    assert "a server runs on it" in held.out
    secret = "xoxb-secret"
    there = ask("doctor", "--flows", flows, "--store", store, PENSTOCK_CREDENTIAL_SLACK_BOT=f'{{"token": "{secret}"}}')
    assert "good  credentials  slack_bot" in there.out
    assert secret not in there.out
    write(flows, broken=BROKEN)
    bad = ask("doctor", "--flows", flows, "--store", store, PENSTOCK_KEY="wrong")
    assert bad.code == 1
    assert "bad   flows        " in bad.out
    assert "bad   key          " in bad.out
    assert ask("doctor", "--flows", tmp_path / "no", "--store", store, PENSTOCK_URL="http://127.0.0.1:1").code == 1
