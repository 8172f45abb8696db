"""`penstock run`: in this process, on a store of its own."""

import json
from pathlib import Path

import pytest

from tests.cli.calling import BROKEN, GOOD, penstock, write
from tests.stub import Answer, stub_in_thread

ROOT = Path(__file__).parents[2]
FAILS = """\
flow: fails
inputs: {name: {type: string, default: x}}
steps:
  stop: {uses: fail, with: {message: "No ${ inputs.name } today"}}
  never: {uses: set, after: stop}
"""
HOOKS = """\
flow: hooks
inputs: {total: {type: number}}
triggers:
  placed:
    uses: webhook
    verify: {scheme: hmac, credential: shop, header: x-signature}
    if: "${ trigger.body.kind = 'order' }"
    inputs: {total: "${ trigger.body.total }"}
  text: {uses: webhook, verify: none, inputs: {total: "${ $number(trigger.body) }"}}
  clock: {uses: schedule, with: {every: 5m}, inputs: {total: 1}}
  by_hand: {uses: manual}
steps:
  keep: {uses: set, with: {total: "${ inputs.total }", by: "${ trigger.name ?? 'nobody' }"}}
output: "${ steps.keep }"
"""


def test_a_flow_runs_its_steps_go_to_stderr_and_its_output_to_stdout(tmp_path):
    flows = write(tmp_path / "flows", good=GOOD)
    said = penstock("run", "greet", "--flows", flows)
    assert said.code == 0
    assert said.json == "Hello world"
    assert said.err.splitlines()[0].startswith("succeeded  say  set  ")


def test_input_comes_from_a_file_or_from_stdin(tmp_path):
    flows = write(tmp_path / "flows", good=GOOD)
    file = tmp_path / "in.json"
    file.write_text('{"name": "Ann"}')
    assert penstock("run", flows / "good.yaml", "--input", file).json == "Hello Ann"
    assert penstock("run", flows / "good.yaml", "--input", "-", given='{"name": "Bo"}').json == "Hello Bo"


def test_as_json_the_whole_execution_is_shown(tmp_path):
    flows = write(tmp_path / "flows", good=GOOD)
    said = penstock("run", "greet", "--flows", flows, "--json")
    shown = said.json
    assert (said.code, shown["status"], shown["output"]) == (0, "succeeded", "Hello world")
    assert [(step["id"], step["status"], step["input"]) for step in shown["steps"]] == [
        ("say", "succeeded", {"text": "Hello world"})
    ]
    assert shown["trigger"] is None


def test_an_execution_that_fails_ends_with_1_and_says_where_and_why(tmp_path):
    flows = write(tmp_path / "flows", fails=FAILS)
    said = penstock("run", "fails", "--flows", flows)
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[-1].startswith("fails failed at step stop")
    assert "No x today" in said.err.splitlines()[-1]
    as_json = penstock("run", "fails", "--flows", flows, "--json")
    assert (as_json.code, as_json.json["status"], as_json.json["reason"]["step"]) == (1, "failed", "stop")


ASKS = """\
flow: asks
steps:
  paid: {uses: callback, with: {expires: 1s}}
  late: {uses: set, after: paid.expired, with: {late: true}}
output: "${ steps.late }"
"""


def test_a_flow_that_waits_for_an_answer_says_that_nobody_can_give_one(tmp_path):
    said = penstock("run", "asks", "--flows", write(tmp_path / "flows", asks=ASKS))
    assert (said.code, said.json) == (0, {"late": True})
    lines = said.err.splitlines()
    assert lines[0].startswith("waiting    paid  callback  until ")
    assert "callbacks/" not in said.err
    assert [line for line in lines if "penstock dev" in line] == lines[1:2]


def test_a_flow_with_mistakes_is_not_run(tmp_path):
    flows = write(tmp_path / "flows", broken=BROKEN)
    said = penstock("run", flows / "broken.yaml")
    assert (said.code, said.out) == (2, "")
    assert f"{flows / 'broken.yaml'}:3:" in said.err


def test_a_trigger_can_be_played(tmp_path):
    flows = write(tmp_path / "flows", hooks=HOOKS)

    def run(trigger: str, given: str | None, *more: str):
        options = ["--input", "-"] if given is not None else []
        return penstock("run", "hooks", "--flows", flows, "--trigger", trigger, *options, *more, given=given)

    assert run("placed", '{"kind": "order", "total": 7}').json == {"total": 7, "by": "placed"}
    whole = '{"body": {"kind": "order", "total": 8}, "headers": {"x-shop": "a"}}'
    assert run("placed", whole, "--document").json == {"total": 8, "by": "placed"}
    assert run("by_hand", '{"total": 9}').json == {"total": 9, "by": "by_hand"}
    assert run("clock", None).json == {"total": 1, "by": "clock"}
    ignored = run("placed", '{"kind": "other", "total": 7}')
    assert (ignored.code, ignored.out) == (0, "")
    assert "`if` is false: no execution" in ignored.err
    assert run("placed", '{"kind": "other"}', "--json").json == {"execution": None, "ignored": True}
    text = tmp_path / "total.txt"
    text.write_text("12.5")
    said = penstock("run", "hooks", "--flows", flows, "--trigger", "text", "--input", text)
    assert said.json == {"total": 12.5, "by": "text"}
    wrong = run("plcaed", "{}")
    assert wrong.code == 2
    assert "Its triggers: placed, text, clock, by_hand." in wrong.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "stdin holds no JSON"),
        ("", "stdin holds no JSON"),
        ("[1]", "JSON object"),
        ('{"total": "many"}', "inputs.total"),
        ('{"total": 1, "extra": 2}', "extra"),
        ("{}", "total"),
        (b'{"total": "\xff"}', "stdin holds no JSON"),
        ("[" * 100_000, "stdin holds no JSON"),
    ],
)
def test_input_that_does_not_fit_is_refused_by_name(given, told, tmp_path):
    flows = write(tmp_path / "flows", hooks=HOOKS)
    said = penstock("run", "hooks", "--flows", flows, "--input", "-", given=given)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_input_of_no_use_is_refused(tmp_path):
    flows = write(tmp_path / "flows", good=GOOD)
    assert "trigger" in penstock("run", "greet", "--flows", flows, "--document").err
    missing = penstock("run", "greet", "--flows", flows, "--input", tmp_path / "no.json")
    assert (missing.code, missing.out) == (2, "")
    assert "no.json cannot be read" in missing.err


def test_large_numbers_and_halves_of_characters_come_out_whole(tmp_path):
    text = (
        "flow: echo\ninputs: {x: {}}\nsteps:\n  a: {uses: set, with: {x: '${ inputs.x }'}}\noutput: '${ steps.a.x }'\n"
    )
    flows = write(tmp_path / "flows", echo=text)
    big = penstock("run", "echo", "--flows", flows, "--input", "-", given='{"x": 123456789012345678901234567890}')
    assert big.json == 123456789012345678901234567890
    half = penstock("run", "echo", "--flows", flows, "--input", "-", given='{"x": "\\ud83d"}')
    assert half.code in {0, 2}
    assert half.code == 2 or half.json == "\ud83d"


def test_secrets_are_masked_wherever_the_flow_puts_them(tmp_path):
    secret = "t0p-s3cret-token"
    with stub_in_thread() as stub:
        stub.default = Answer.of_json({"you_sent": secret, "ok": True})
        text = f"""
flow: leaky
steps:
  call:
    uses: http.request
    credential: api
    with: {{url: "{stub.url}/echo"}}
  tell: {{uses: set, with: {{text: "${{ $string(steps.call.body) }}"}}}}
output: {{said: "${{ steps.call.body.you_sent }}", text: "${{ steps.tell.text }}"}}
"""
        flows = write(tmp_path / "flows", leaky=text)
        said = penstock(
            *("run", "leaky", "--flows", flows, "--allow-private", "127.0.0.1/32", "--json"),
            PENSTOCK_CREDENTIAL_API=json.dumps({"kind": "bearer", "token": secret}),
        )
        assert said.code == 0, said.err
        assert stub.requests[0].header("authorization") == f"Bearer {secret}"
    assert secret not in said.out + said.err
    assert "***" in said.out


def test_private_addresses_are_refused_unless_allowed_and_a_missing_credential_is_named(tmp_path):
    with stub_in_thread() as stub:
        text = f"flow: near\nsteps:\n  a: {{uses: http.request, with: {{url: '{stub.url}/x'}}}}\n"
        flows = write(
            tmp_path / "flows", near=text, far=text.replace("near", "far").replace("with:", "credential: k, with:")
        )
        said = penstock("run", "near", "--flows", flows)
        assert (said.code, stub.requests) == (1, [])
        assert "address" in said.err
        said = penstock("run", "far", "--flows", flows, "--allow-private", "127.0.0.1/32")
        assert (said.code, stub.requests) == (1, [])
        assert "PENSTOCK_CREDENTIAL_K" in said.err
        assert penstock("run", "near", "--flows", flows, "--allow-private", "127.0.0.1/32").code == 0
        assert len(stub.requests) == 1
        wrong = penstock("run", "near", "--flows", flows, "--allow-private", "home")
        assert wrong.code == 2
        assert "127.0.0.1/32" in wrong.err


def test_a_redirect_to_another_host_takes_no_secret_along(tmp_path):
    secret = "t0p-s3cret-token"
    with stub_in_thread() as stub:
        elsewhere = f"http://localhost:{stub.port}/b"
        stub.answer("/a", Answer(302, (("Location", "/same"),)))
        stub.answer("/same", Answer(302, (("Location", elsewhere),)))
        stub.answer("/b", Answer(302, (("Location", f"{stub.url}/back"),)))
        text = f"""
flow: moved
steps:
  call:
    uses: http.request
    credential: api
    with: {{url: "{stub.url}/a", follow: 3, headers: {{x-api-key: k, cookie: c=1, accept: text/plain}}}}
"""
        flows = write(tmp_path / "flows", moved=text)
        opened = [option for net in ("127.0.0.1/32", "::1/128") for option in ("--allow-private", net)]
        credential = json.dumps({"kind": "bearer", "token": secret})
        said = penstock("run", "moved", "--flows", flows, *opened, PENSTOCK_CREDENTIAL_API=credential)
        assert said.code == 0, said.err
        seen = [
            (each.path, *(each.header(name) for name in ("host", "authorization", "x-api-key", "cookie", "accept")))
            for each in stub.requests
        ]
        here, there = f"127.0.0.1:{stub.port}", f"localhost:{stub.port}"
        assert seen == [
            ("/a", here, f"Bearer {secret}", "k", "c=1", "text/plain"),
            ("/same", here, f"Bearer {secret}", "k", "c=1", "text/plain"),
            ("/b", there, None, None, None, "text/plain"),
            ("/back", here, None, None, None, "text/plain"),
        ]


def test_with_a_list_of_hosts_no_other_is_called(tmp_path):
    with stub_in_thread() as stub:
        text = f"flow: near\nsteps:\n  a: {{uses: http.request, with: {{url: '{stub.url}/x'}}}}\n"
        flows = write(tmp_path / "flows", near=text)
        run = ("run", "near", "--flows", flows, "--allow-private", "127.0.0.1/32", "--json")
        for listed in (penstock(*run, "--only-host", "api.example"), penstock(*run, PENSTOCK_ONLY_HOSTS="api.example")):
            assert (listed.code, stub.requests) == (1, [])
            assert listed.json["reason"]["code"] == "host_not_listed"
            assert "PENSTOCK_ONLY_HOSTS" in listed.json["reason"]["message"]
        assert penstock(*run, "--only-host", f"127.0.0.1:{stub.port}", PENSTOCK_ONLY_HOSTS="api.example").code == 0
        assert len(stub.requests) == 1
        wrong = penstock(*run, "--only-host", "https://api.example/")
        assert wrong.code == 2
        assert "'https://api.example/' is not a host" in wrong.err


def test_without_a_store_nothing_is_kept_and_with_one_it_is(tmp_path):
    flows = write(tmp_path / "flows", good=GOOD)
    assert penstock("run", "greet", "--flows", flows).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flows"]
    store = tmp_path / "kept" / "store.db"
    first = penstock("run", "greet", "--flows", flows, "--store", store, "--json").json["id"]
    second = penstock("run", "greet", "--flows", flows, "--store", store, "--json").json["id"]
    assert store.is_file()
    assert first != second


def test_a_flow_can_call_another_of_the_folder(tmp_path):
    with stub_in_thread() as stub:
        caller = (
            "flow: caller\nsteps:\n  go: {uses: call, with: {flow: called, inputs: {n: 5}}}\noutput: ${ steps.go.id }\n"
        )
        called = f"""
flow: called
inputs: {{n: {{type: integer}}}}
steps:
  tell: {{uses: http.request, with: {{method: POST, url: "{stub.url}/n", json: "${{ inputs.n }}"}}}}
"""
        flows = write(tmp_path / "flows", caller=caller, called=called, broken=BROKEN)
        said = penstock("run", "caller", "--flows", flows, "--allow-private", "127.0.0.1/32")
        assert said.code == 0, said.err
        assert len(said.json) == 26
        assert [request.json() for request in stub.requests] == [5]


def test_a_flow_called_in_a_loop_is_waited_for_as_any_other(tmp_path):
    caller = """
flow: caller
steps:
  each:
    uses: foreach
    with: {over: [1, 2]}
    steps:
      go: {uses: call, with: {flow: called, inputs: {n: "${ item }"}}}
    output: "${ steps.go.id }"
"""
    with stub_in_thread() as stub:
        called = f"""
flow: called
inputs: {{n: {{type: integer}}}}
steps:
  look: {{uses: http.request, with: {{url: "{stub.url}/slow"}}}}
  tell: {{uses: http.request, after: look, with: {{method: POST, url: "{stub.url}/n", json: "${{ inputs.n }}"}}}}
"""
        stub.answer("/slow", Answer(delay=2.0), Answer(delay=2.0))
        flows = write(tmp_path / "flows", caller=caller, called=called)
        said = penstock("run", "caller", "--flows", flows, "--allow-private", "127.0.0.1/32")
        assert said.code == 0, said.err
        assert sorted(request.json() for request in stub.requests if request.path == "/n") == [1, 2]


def test_our_own_order_desk_runs_with_no_account_and_no_network():
    said = penstock(
        *("run", "order-desk", "--flows", ROOT / "flows", "--trigger", "placed"),
        *("--input", ROOT / "flows" / "order-desk.input.json"),
    )
    assert said.code == 0
    assert said.json["total"] == "528.98"
