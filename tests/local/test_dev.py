"""`penstock dev` as a process: what it says, what it reloads, what it refuses, how it ends."""

import hashlib
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.dev_server import CREDENTIAL, dev_server, environment, signed
from tests.stub import Answer, Seen, stub_in_thread

OPEN_HOOK = """
flow: greet
inputs: {name: {type: string, default: world}}
triggers:
  knock: {uses: webhook, verify: none, respond: result}
steps:
  say: {uses: set, with: {text: "Hello"}}
output: "${ steps.say.text }"
"""
SIGNED_HOOK = """
flow: orders
triggers:
  placed: {uses: webhook, verify: {scheme: standard-webhooks, credential: shop}, respond: result}
steps:
  keep: {uses: set, with: {total: "${ trigger.body.total }"}}
output: {total: "${ steps.keep.total }"}
"""


def folder(tmp_path: Path, **files: str) -> tuple[Path, Path]:
    flows = tmp_path / "flows"
    flows.mkdir()
    for name, text in files.items():
        (flows / f"{name}.yaml").write_text(text)
    return flows, tmp_path / "penstock" / "store.db"


def dev_command(flows: Path, store: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "chalicelib.cli.main", "dev", "--port", "0"]
    return [*command, "--flows", str(flows), "--store", str(store), *more]


def test_it_serves_open_and_signed_hooks_and_nothing_else_without_a_key(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK, orders=SIGNED_HOOK)
    with dev_server(flows, store, variables={"PENSTOCK_CREDENTIAL_SHOP": CREDENTIAL}) as dev:
        hooks = {each["flow"]: each["triggers"][0]["url"] for each in dev.situation["flows"]}
        assert hooks["orders"] == f"{dev.url}/hooks/orders/placed"
        assert hooks["greet"].startswith(f"{dev.url}/hooks/greet/knock/")
        with httpx.Client(trust_env=False, timeout=30) as client:
            assert client.post(hooks["greet"], json={}).json() == "Hello"
            assert client.post(f"{dev.url}/hooks/greet/knock", json={}).status_code == 404
            body = b'{"total": 12345678901234567890123}'
            good = client.post(hooks["orders"], content=body, headers=signed(body, "msg_1"))
            assert (good.status_code, good.text) == (200, '{"total":12345678901234567890123}')
            forged = client.post(hooks["orders"], content=body + b" ", headers=signed(body, "msg_2"))
            assert (forged.status_code, forged.json()["code"]) == (401, "signature_wrong")
            for path in ("/flows", "/flows/greet", "/executions", "/nodes", "/nodes/set"):
                assert client.get(f"{dev.url}/api/v1{path}").status_code == 401, path
            assert client.put(f"{dev.url}/api/v1/flows/greet", content=b"x").status_code == 401
            assert client.get(f"{dev.url}/api/v1/health").json() == {"status": "ok"}
            assert client.get(f"{dev.url}/api/v1/openapi.json").status_code == 401
            assert "Penstock" in client.get(dev.url).text
        assert dev.ask("GET", "/executions").json()["items"][0]["status"] == "succeeded"
        assert dev.stop() == 0
        assert dev.errors == ""


def test_what_is_refused_is_counted_and_still_known_after_a_restart(tmp_path):
    flows, store = folder(tmp_path, orders=SIGNED_HOOK)
    command = [sys.executable, "-m", "chalicelib.cli.main", "refusals", "orders"]
    for times in (1, 2):
        with dev_server(flows, store, variables={"PENSTOCK_CREDENTIAL_SHOP": CREDENTIAL}) as dev:
            for _ in range(25 // times):  # beyond what is written at once: the rest is written when it ends
                forged = httpx.post(f"{dev.url}/hooks/orders/placed", content=b"{}", trust_env=False, timeout=30)
                assert forged.json()["code"] == "signature_missing"
            if times == 2:
                variables = environment({"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key})
                said = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
                day, *rest, count, last = said.stdout.strip().split("\t")
                assert rest == ["orders", "placed", "signature_missing"]
                assert (int(count), last[:10]) == (25 + 12, day)
            assert dev.stop() == 0


def test_a_changed_file_is_published_again_and_a_broken_one_leaves_the_version_before_it(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    with dev_server(flows, store) as dev:
        hook = dev.situation["flows"][0]["triggers"][0]["url"]

        def says(text: str) -> bool:
            return httpx.post(hook, json={}, trust_env=False, timeout=30).json() == text

        assert says("Hello")
        file = flows / "greet.yaml"
        file.write_text(OPEN_HOOK.replace("Hello", "Good day"))
        dev.until(lambda: says("Good day"), "the second version")
        dev.until(lambda: f"{file}: greet is now " in dev.errors, "word of the second version")
        file.write_text(OPEN_HOOK.replace("Hello", "Never").replace("uses: set", "uses: sett"))
        dev.until(lambda: "the version before it stays" in dev.errors, "word of the broken file")
        assert f"{file}:7:" in dev.errors
        assert "sett" in dev.errors
        assert says("Good day")
        file.write_text("flow: [")
        dev.until(lambda: dev.errors.count("the version before it stays") == 2, "word of the unreadable file")
        file.write_text(OPEN_HOOK.replace("Hello", "Mended"))
        dev.until(lambda: says("Mended"), "the mended version")
        (flows / "second.yaml").write_text(OPEN_HOOK.replace("flow: greet", "flow: second"))
        dev.until(lambda: dev.ask("GET", "/flows/second").status_code == 200, "a flow in a new file")
        (flows / "second.yaml").unlink()
        dev.until(lambda: "second stays published" in dev.errors, "word of the file that is gone")
        assert dev.stop() == 0
        assert "Traceback" not in dev.errors


def test_a_second_server_on_the_same_store_says_who_holds_it(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    with dev_server(flows, store) as dev:
        second = subprocess.run(
            dev_command(flows, store), env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert second.returncode == 2
        assert second.stdout == ""
        assert f"is in use by process {dev.process.pid}" in second.stderr
        assert "Traceback" not in second.stderr
        port = dev.url.rpartition(":")[2]
        taken = [*dev_command(flows, tmp_path / "other" / "store.db"), "--port", port]
        third = subprocess.run(taken, env=environment(), capture_output=True, text=True, timeout=60, check=False)
        assert (third.returncode, third.stdout) == (2, "")
        assert f"Cannot listen on 127.0.0.1 port {port}" in third.stderr


def test_listening_on_more_than_loopback_is_a_choice_and_is_said(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    assert "OPEN TO THE NETWORK" not in first_lines(flows, store)[0]
    opened = first_lines(flows, store, "--host", "0.0.0.0")[0]
    assert "OPEN TO THE NETWORK" in opened
    assert "http://127.0.0.1:" in opened


def test_the_key_is_shown_once_and_kept_for_its_owner_alone(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    first = first_lines(flows, store)
    key = (store.parent / "key").read_text().strip()
    assert key.startswith("penstock_")
    assert sum(key in line for line in first) == 1
    assert stat.S_IMODE((store.parent / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700
    (store.parent / "key").chmod(0o644)
    second = first_lines(flows, store)
    assert not any(key in line for line in second)
    assert stat.S_IMODE((store.parent / "key").stat().st_mode) == 0o600
    assert key.encode() not in b"".join(file.read_bytes() for file in store.parent.glob("store.db*"))


def first_lines(flows: Path, store: Path, *more: str, **variables: str) -> list[str]:
    """What it says once it is up, up to the line that says how to try it."""
    with subprocess.Popen(
        dev_command(flows, store, *more),
        env=environment(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("try ")):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            lines.append(line.rstrip("\n"))
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert rest == ""
    return lines


def test_it_says_where_it_is_in_at_most_ten_lines_whatever_the_folder_holds(tmp_path):
    flows, store = folder(tmp_path, **{f"greet{n}": OPEN_HOOK.replace("greet", f"greet{n}") for n in range(14)})
    (flows / "tick.yaml").write_text(
        "flow: tick\ntriggers:\n  often: {uses: schedule, with: {every: 5m}}\nsteps:\n  a: {uses: slack.post_message, "
        "credential: slack_bot, after: often, with: {channel: x, text: y}}\n"
    )
    lines = first_lines(flows, store, "--allow-private", "10.0.0.0/8", "--only-host", "*.example.com")
    assert len(lines) <= 10
    text = "\n".join(lines)
    assert "http://127.0.0.1:" in lines[0]
    assert "more hooks: penstock flows show NAME" in text
    assert "tick/often at " in text
    assert "PENSTOCK_CREDENTIAL_SLACK_BOT" in text
    assert "flows may also call 10.0.0.0/8" in text
    assert "flows may call *.example.com and nothing else" in text
    assert lines[-1].startswith("try       curl -X POST ")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_line_to_try_it_with_works_as_it_stands(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    (flows / "greet.yaml").write_text(
        "flow: greet\ninputs: {name: {type: string}}\nsteps:\n  a: {uses: set, with: {text: 'Hi ${ inputs.name }'}}\n"
        'output: "${ steps.a.text }"\n'
    )
    (flows / "greet.input.json").write_text('{"name": "Ann \'and\' Bob"}')
    with subprocess.Popen(
        dev_command(flows, store), env=environment(), stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("try "))
        done = subprocess.run(
            ["bash", "-c", line.removeprefix("try ").strip()],
            env={**environment(), "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        process.terminate()
        process.stdout.read()
    assert '"output":"Hi Ann \'and\' Bob"' in done.stdout, done


def test_with_a_hash_in_the_environment_no_key_is_kept(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    variables = {"PENSTOCK_ADMIN_KEY_HASH": hashlib.sha256(b"my own key").hexdigest()}
    with dev_server(flows, store, variables=variables) as dev:
        assert dev.situation["key_file"] is None
        url = f"{dev.url}/api/v1/flows"
        with httpx.Client(trust_env=False) as client:
            assert client.get(url, headers={"authorization": "Bearer my own key"}).status_code == 200
            assert client.get(url, headers={"authorization": "Bearer other"}).status_code == 401
    assert not (store.parent / "key").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--flows", "nowhere"], "There is no folder nowhere"),
        (["--allow-private", "the office"], "--allow-private takes a network such as 127.0.0.1/32"),
        (["--only-host", "https://api.example"], "'https://api.example' is not a host"),
        (["--port", "99999"], "Cannot listen on 127.0.0.1 port 99999"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(arguments, told, tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    done = subprocess.run(
        [*dev_command(flows, store), *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hash_that_is_none_is_refused(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    done = subprocess.run(
        dev_command(flows, store),
        env=environment({"PENSTOCK_ADMIN_KEY_HASH": "hunter2"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "PENSTOCK_ADMIN_KEY_HASH" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_broken_file_at_the_start_is_told_of_and_the_others_are_served(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK, broken="flow: broken\nsteps:\n  a: {uses: sett}\n")
    (flows / "twin.yaml").write_text(OPEN_HOOK)
    (flows / "greet.test.yaml").write_text("cases: []\n")
    (flows / "greet.input.json").write_text("{}")
    with dev_server(flows, store) as dev:
        assert [each["flow"] for each in dev.situation["flows"]] == ["greet"]
        assert "broken.yaml:3:" in dev.errors
        assert f"the flow greet is in {flows / 'greet.yaml'} too" in dev.errors


@pytest.mark.parametrize("is_allowed", [False, True])
def test_a_flow_calls_its_own_server_only_where_the_deployment_or_the_step_means_it(tmp_path, is_allowed):
    text = (
        "flow: mirror\ninputs: {url: {type: string}}\nsteps:\n"
        "  look: {uses: http.request, with: {url: '${ inputs.url }'}}\n"
    )
    meant = text.replace("mirror", "meant").replace("with: {", "with: {own: true, ")
    flows, store = folder(tmp_path, mirror=text, meant=meant)
    variables = {"PENSTOCK_ALLOW_OWN": "1"} if is_allowed else {}
    open_here = ("--allow-private", "127.0.0.0/8", "--allow-private", "::1/128")
    with dev_server(flows, store, *open_here, variables=variables) as dev:
        meant = dev.ask("POST", "/flows/meant/run?wait=20", json={"inputs": {"url": f"{dev.url}/api/v1/health"}}).json()
        assert meant["status"] == "succeeded", meant
        for url in (dev.url, dev.url.replace("127.0.0.1", "localhost")):
            started = {"inputs": {"url": f"{url}/api/v1/health"}}
            shown = dev.ask("POST", "/flows/mirror/run?wait=20", json=started).json()
            if is_allowed:
                assert shown["status"] == "succeeded", shown
            else:
                assert (shown["status"], shown["reason"]["code"]) == ("failed", "own_address"), shown


def test_a_server_told_to_stop_lets_the_step_under_way_end(tmp_path):
    gate = threading.Event()

    def answer(_: Seen) -> Answer:
        gate.wait(60)
        return Answer.of_json({"charged": True})

    with stub_in_thread() as stub:
        stub.answer("/charge", answer)
        text = f"""
flow: charge
steps:
  charge:
    uses: http.request
    effect: at_most_once
    with: {{method: POST, url: "{stub.url}/charge"}}
output: {{charged: "${{ steps.charge.body.charged }}"}}
"""
        flows, store = folder(tmp_path, charge=text)
        private = ("--allow-private", "127.0.0.1/32")
        with dev_server(flows, store, *private) as dev:
            execution = dev.ask("POST", "/flows/charge/run", json={}).json()["execution"]
            dev.until(lambda: stub.in_flight, "the charge")
            dev.process.terminate()

            def takes_no_more() -> bool:
                try:
                    httpx.get(f"{dev.url}/api/v1/health", trust_env=False, timeout=5)
                except httpx.TransportError:
                    return True
                return False

            dev.until(takes_no_more, "the end of listening")
            assert dev.process.poll() is None
            gate.set()
            assert dev.process.wait(60) == 0
            assert dev.errors == ""
        with dev_server(flows, store, *private) as dev:
            shown = dev.ask("GET", f"/executions/{execution}").json()
            dev.until(
                lambda: dev.ask("GET", f"/executions/{execution}").json()["status"] == "succeeded", f"its end; {shown}"
            )
        assert len(stub.requests) == 1
