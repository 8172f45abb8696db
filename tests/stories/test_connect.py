"""A credential connected by a person, used by a flow, renewed, and taken back: the real server, the real command."""

import json
import subprocess
import sys
from pathlib import Path

import httpx

from tests.cli.calling import penstock
from tests.dev_server import ROOT, DevServer, dev_server, environment
from tests.oauth_provider import SECRET, Provider
from tests.stub import Answer, stub_in_thread

FLOW = """\
flow: calling
steps:
  call: {uses: http.request, credential: crm, with: {method: GET, url: "$url/me"}}
output: "${ steps.call.body }"
"""


def ran(dev: DevServer) -> dict[str, object]:
    answer = dev.ask("POST", "/flows/calling/run", params={"wait": "20"}, json={})
    assert answer.status_code == 200, answer.text
    return dev.ask("GET", f"/executions/{answer.json()['execution']}").json()


def test_a_flow_uses_what_a_person_agreed_to_for_as_long_as_the_service_lets_it(tmp_path: Path) -> None:
    with stub_in_thread() as stub:
        provider = Provider(stub, expires_in=30)  # so short that it is renewed whenever it is opened
        stub.answer("/me", lambda seen: Answer.of_json({"echo": seen.header("authorization")}))
        flows = tmp_path / "flows"
        flows.mkdir()
        (flows / "calling.yaml").write_text(FLOW.replace("$url", stub.url))
        store = tmp_path / ".penstock" / "store.db"
        with dev_server(flows, store, "--allow-private", "127.0.0.1/32") as dev:
            told = {"PENSTOCK_URL": dev.url, "PENSTOCK_KEY": dev.key}
            kept = penstock(
                *("credentials", "set", "crm", "--type", "oauth2_authorization_code"),
                given=json.dumps(provider.fields),
                **told,
            )
            assert kept.code == 0, kept.err
            missing = ran(dev)
            assert missing["status"] == "failed"
            assert missing["reason"]["code"] == "credential_not_connected"  # type: ignore[index]

            state = connect(dev, provider, told)

            seen_tokens: list[str] = []
            for _ in range(3):
                done = ran(dev)
                assert done["status"] == "succeeded", done
                assert done["output"] == {"echo": "Bearer ***"}
                seen_tokens.append(str(stub.seen("/me")[-1].header("authorization")))
            assert len(set(seen_tokens)) == 3
            assert [form["grant_type"] for form in provider.token_requests] == [
                "authorization_code",
                *(["refresh_token"] * 3),
            ]

            provider.is_revoked = True
            refused = ran(dev)
            assert refused["status"] == "failed"
            reason = refused["reason"]
            assert reason["code"] == "token_refused"  # type: ignore[index]
            assert "penstock credentials connect crm" in reason["message"]  # type: ignore[index]
            assert "invalid_grant" in reason["message"]  # type: ignore[index]

            secrets = {SECRET, state, *(each.removeprefix("Bearer ") for each in seen_tokens)}
            for form in provider.token_requests:
                secrets |= {form[name] for name in ("code", "code_verifier", "refresh_token") if name in form}
            shown = json.dumps([missing, done, refused, dev.ask("GET", "/credentials").json()])
            for secret in secrets:
                assert len(secret) > 10
                assert secret not in shown
                assert secret not in dev.errors
                for file in store.parent.iterdir():
                    assert secret.encode() not in file.read_bytes(), file.name


def connect(dev: DevServer, provider: Provider, told: dict[str, str]) -> str:
    """Begin with the command, agree at the service, come back; the state that it was done with."""
    command = [sys.executable, "-m", "chalicelib.cli.main", "credentials", "connect", "crm", "--every", "0.1"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(told)
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        back = provider.agree(url)
        page = httpx.get(f"{dev.url}/oauth/callback", params=back, headers={"accept": "text/html"}, trust_env=False)
        assert page.status_code == 200, page.text
        assert "Connected" in page.text
        assert back["code"] not in page.text
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert out == ""
    assert "crm is connected" in err
    return back["state"]
