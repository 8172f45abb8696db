"""`penstock credentials`: values typed or piped in, seen by nobody, in no argument and no output."""

import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from tests.cli.calling import penstock, write
from tests.dev_server import dev_server, environment
from tests.stub import Answer, stub_in_thread

TOKEN = "sk-live-0123456789abcdef"
USES = """\
flow: asks
triggers: {by_hand: {uses: manual}}
steps:
  ask: {uses: http.request, credential: crm, with: {url: "STUB/me"}}
output: "${ steps.ask.body }"
"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    place = tmp_path_factory.mktemp("server")
    flows = write(place / "flows")
    variables = {"PENSTOCK_CREDENTIAL_OLD": json.dumps({"token": "of the environment"})}
    with dev_server(
        flows, place / ".penstock" / "store.db", "--allow-private", "127.0.0.1/32", variables=variables
    ) as up:
        yield up
        assert up.stop() == 0
        assert TOKEN not in up.errors


@pytest.fixture
def ask(dev):
    def call(*arguments, given=None, **rest):
        said = penstock(*arguments, given=given, **{"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key, **rest})
        assert TOKEN not in said.out + said.err
        return said

    return call


@pytest.fixture
def crm(ask):
    said = ask("credentials", "set", "crm", given=json.dumps({"token": TOKEN, "hosts": "api.example.com"}))
    assert said.code == 0, said.err
    yield "crm"
    ask("credentials", "delete", "crm")


def test_a_credential_is_piped_in_listed_rotated_shared_and_deleted(ask):
    said = ask("credentials", "set", "first", "--type", "bearer", "--field", "token", given=f"{TOKEN}\n")
    assert (said.code, said.out) == (0, "first\tbearer\tversion 1\tstored\n")
    assert "names no hosts" in said.err
    again = ask("credentials", "set", "first", "--json", given=json.dumps({"token": TOKEN, "hosts": "a.example"}))
    assert (again.json["version"], again.json["hosts"]) == (2, ["a.example"])
    rotated = ask("credentials", "rotate", "first", "--field", "token", "--overlap", "1h", given=TOKEN)
    assert (rotated.code, rotated.out) == (0, "first\tbearer\tversion 3\trotated\n")
    assert "counts at hooks until" in rotated.err
    shared = ask("credentials", "share", "first", "--role", "admin", "--flow", "shop")
    assert shared.code == 0
    rows = ask("credentials", "list").out.splitlines()
    assert [row.split("\t")[:6] for row in rows] == [
        ["first", "vault", "bearer", "3", "a.example", "shop; admins publish"],
        ["old", "environment", "", "", "", ""],
    ]
    assert ask("credentials", "list", "--json").json[0]["share"] == {"role": "admin", "flows": ["shop"]}
    assert ask("credentials", "delete", "first").out == "first\tremoved\n"
    assert ask("credentials", "delete", "first").code == 2


def test_what_hides_the_environments_says_so(ask):
    assert "the vault's is used" in ask("credentials", "set", "old", given=json.dumps({"token": TOKEN})).err
    assert "vault, hides the environment's" in ask("credentials", "list").out
    assert "used from now on" in ask("credentials", "delete", "old").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("crm", TOKEN),
        ("crm", f"token={TOKEN}"),
        ("crm", f"--token={TOKEN}"),
        ("crm", "--token", TOKEN),
        ("crm", "--field", "token", TOKEN),
        ("crm", "--type", "bearer", "-t", TOKEN),
    ],
)
@pytest.mark.parametrize("command", ["set", "rotate"])
def test_a_value_in_an_argument_is_refused_with_the_cure_and_not_repeated(ask, crm, command, arguments):
    given = tuple(each for each in arguments if command == "set" or each not in {"--type", "bearer"})
    said = ask("credentials", command, *given, given=json.dumps({"token": TOKEN}))
    assert said.code == 2
    assert "Type them at the prompt" in said.err
    assert ask("credentials", "list", "--json").json[0]["version"] == 1


@pytest.mark.parametrize(
    "given", ["", TOKEN, f'"{TOKEN}"', f'["{TOKEN}"]', f'{{"token": "{TOKEN}"', f'{{"token": {TOKEN}}}']
)
def test_what_is_piped_in_and_cannot_be_read_is_not_repeated(ask, given):
    said = ask("credentials", "set", "crm", given=given)
    assert (said.code, said.out) == (2, "")
    assert "no JSON object" in said.err
    assert ask("credentials", "set", "crm", given=b"\xff" + TOKEN.encode()).code == 2


def test_fields_that_do_not_fit_are_refused_by_their_names(ask):
    said = ask("credentials", "set", "crm", "--type", "github", given=json.dumps({"token": TOKEN, "tokn": TOKEN}))
    assert said.code == 2
    assert "no field tokn" in said.err
    assert ask("credentials", "share", "crm", "--flow", "a", "--all-flows").code == 2
    assert ask("credentials", "share", "crm").code == 2
    assert ask("credentials", "rotate", "crm", "--overlap", "soon", given="{}").code == 2


def test_a_test_asks_the_service_and_fails_where_it_says_no(ask):
    with stub_in_thread() as stub:
        stub.answer("/me", Answer(200, body=TOKEN.encode()), Answer(401, body=TOKEN.encode()))
        ask("credentials", "set", "crm", given=json.dumps({"token": TOKEN, "hosts": "127.0.0.1"}))
        good = ask("credentials", "test", "crm", "--url", f"{stub.url}/me")
        assert (good.code, "answered 200" in good.out) == (0, True)
        bad = ask("credentials", "test", "crm", "--url", f"{stub.url}/me", "--json")
        assert (bad.code, bad.json["works"]) == (1, False)
    ask("credentials", "delete", "crm")


def test_everything_is_brought_under_a_new_master_key(ask, crm, dev):
    said = ask("credentials", "rotate-key")
    assert said.code == 0
    assert said.out.startswith("1 of 1 credentials rewrapped under master-")
    assert ask("credentials", "rotate-key", "--resume").out == "0 of 1 credentials rewrapped\n"
    assert ask("credentials", "test", crm).code == 0


def test_what_is_typed_is_not_shown(dev):
    """A real terminal: what comes back is all that somebody beside us could read."""
    command = [sys.executable, "-m", "chalicelib.cli.main", "credentials", "set", "typed"]
    variables = environment({"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key})
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables, start_new_session=True
    )
    os.close(theirs)
    shown = ""
    try:
        for prompt, text in (
            ("Type [bearer]: ", ""),
            ("token (not shown): ", TOKEN),
            ("previous, if any (not shown): ", ""),
            ("hosts, if any: ", "api.example.com"),
            ("base_url, if any: ", ""),
            ("stored", None),
        ):
            before, limit = len(shown), time.monotonic() + 60
            while prompt not in shown[before - 1 if before else 0 :]:
                assert time.monotonic() < limit, shown
                if select.select([ours], [], [], 1)[0]:
                    try:
                        shown += os.read(ours, 4096).decode()
                    except OSError:
                        break
            if text is not None:
                time.sleep(0.2)  # until the terminal's echo is off
                os.write(ours, f"{text}\n".encode())
        assert process.wait(30) == 0, shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert "typed\tbearer\tversion 1\tstored" in shown
    assert TOKEN not in shown
    assert "api.example.com" in shown
    opened = penstock("credentials", "test", "typed", PENSTOCK_URL=dev.url, PENSTOCK_KEY=dev.key)
    assert opened.code == 0
    penstock("credentials", "delete", "typed", PENSTOCK_URL=dev.url, PENSTOCK_KEY=dev.key)


def test_run_opens_the_vault_of_this_folder_whether_a_server_runs_or_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with stub_in_thread() as stub:
        stub.answer("/me", Answer.of_json({"who": "me"}))
        flows = write(tmp_path / "flows", asks=USES.replace("STUB", stub.url))
        store = tmp_path / ".penstock" / "store.db"
        run = ("run", "asks", "--flows", flows, "--allow-private", "127.0.0.1/32")
        missing = penstock(*run)
        assert missing.code == 1
        assert "penstock credentials set crm" in missing.err
        with dev_server(flows, store, "--allow-private", "127.0.0.1/32") as dev:
            connected = {"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key}
            said = penstock("credentials", "set", "crm", given=json.dumps({"token": TOKEN}), **connected)
            assert said.code == 0, said.err
            beside = penstock(*run)
            assert (beside.code, beside.json) == (0, {"who": "me"}), beside.err
            doctor = penstock("doctor", "--flows", flows, "--json", **connected)
            assert "crm, in the vault" in doctor.out
            assert dev.stop() == 0
        alone = penstock(*run)
        assert (alone.code, alone.json) == (0, {"who": "me"}), alone.err
        assert all(each.header("authorization") == f"Bearer {TOKEN}" for each in stub.requests)
        for file in (tmp_path / ".penstock").iterdir():
            assert TOKEN.encode() not in file.read_bytes()
