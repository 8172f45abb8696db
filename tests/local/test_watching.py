"""`penstock dev` as a process: rates by setting, sessions by cookie, the audit log on disk, bounds on the wire."""

import json
import subprocess
import sys

import httpx
import pytest

from tests.dev_server import dev_server, environment
from tests.local.test_asgi import Wire
from tests.local.test_dev import OPEN_HOOK, folder

SETTINGS = {"PENSTOCK_HOOK_RATE": "3/hour", "PENSTOCK_TRUSTED_PROXIES": "127.0.0.0/8"}


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    flows, store = folder(tmp_path_factory.mktemp("watching"), greet=OPEN_HOOK)
    with dev_server(flows, store, variables=SETTINGS) as server:
        yield server
        assert server.stop() == 0
        assert "Traceback" not in server.errors


def test_a_hook_is_rated_as_the_setting_says(dev):
    (hook,) = [each["triggers"][0]["url"] for each in dev.situation["flows"]]
    with httpx.Client(trust_env=False, timeout=30) as client:
        answers = [client.post(hook, json={}) for _ in range(5)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["retry-after"]) > 1_000
    assert answers[-1].headers["ratelimit-policy"] == '"hook";q=3;w=3600'


def test_the_console_signs_in_changes_something_and_signs_out(dev):
    with httpx.Client(trust_env=False, timeout=30, base_url=f"{dev.url}/api/v1") as browser:
        opened = browser.post("/session", headers=dev.authorization)
        assert opened.status_code == 201
        assert "HttpOnly" in opened.headers["set-cookie"]
        assert browser.get("/flows").status_code == 200
        assert browser.post("/flows/greet/disable").json()["code"] == "cross_site"
        ours = {"x-penstock-csrf": opened.json()["csrf"], "origin": dev.url}
        assert browser.post("/flows/greet/disable", headers=ours).status_code == 200
        assert browser.delete("/session", headers=ours).status_code == 204
        assert browser.get("/flows").status_code == 401


def test_the_audit_log_outlives_the_server_and_is_read_on_the_command_line(tmp_path):
    flows, store = folder(tmp_path, greet=OPEN_HOOK)
    command = [sys.executable, "-m", "chalicelib.cli.main", "audit", "--json", "--action", "publishing_disable"]
    with dev_server(flows, store, variables=SETTINGS) as dev:
        headers = {**dev.authorization, "x-forwarded-for": "198.51.100.7, 203.0.113.9"}
        with httpx.Client(trust_env=False, timeout=30, base_url=f"{dev.url}/api/v1") as client:
            assert client.post("/flows/greet/disable", headers=headers).status_code == 200
            for _ in range(40):  # beyond what is written at once: the rest is written when it ends
                assert client.post("/flows/greet/disable").status_code == 401
        assert dev.stop() == 0
    with dev_server(flows, store, variables=SETTINGS) as dev:
        variables = environment({"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key})
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables, timeout=120)
        entries = json.loads(done.stdout)
        assert [(each["who"] is None, each["peer"]) for each in entries if each["outcome"] == "allowed"] == [
            (False, "203.0.113.9")
        ]
        assert sum(each["count"] for each in entries if each["outcome"] == "denied") == 40
        assert dev.key not in done.stdout


def test_headers_without_end_are_refused_by_the_server_that_is_deployed(dev):
    with Wire(dev) as wire:
        wire.send(b"GET /api/v1/health HTTP/1.1\r\nhost: here\r\nx-large: " + b"x" * 70_000)
        status, headers, body = wire.read()
        assert (status, json.loads(body)["code"]) == (431, "headers_too_large")
        assert headers["content-security-policy"].startswith("default-src 'none'")
    with Wire(dev) as wire:
        wire.send(b"GET /api/v1/health?" + b"q" * 9_000 + b" HTTP/1.1\r\nhost: " + dev.url[7:].encode() + b"\r\n\r\n")
        assert wire.read()[0] == 414
