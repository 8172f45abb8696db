"""Secrets planted in a credential of every type turn up nowhere: not in a fact, a log line, an answer, a file."""

import asyncio
import hashlib
import json
import logging
from base64 import b64encode
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from chalicelib.errors import CutOffError, TimedOutError
from chalicelib.ports import HttpAnswer
from chalicelib.vault.types import find_type, opened_fields, types
from tests.stories.place import KINDS, a_place

TYPES = [each.name for each in types()]
SENT = {"bearer", "basic", "header", "query", "aws"}
NEEDED = {
    "authorize_url": "https://id.example/authorize",
    "token_url": "https://id.example/token",
    "topic": "arn:aws:sns:eu-central-1:123456789012:orders",
    "name": "x-canary",
    "access_key_id": "AKIDEXAMPLE",
    "client_auth": "basic",
    "expires_at": "4102444800",
}
FLOW = """
flow: NAME
inputs: {path: {type: string}}
triggers:
  by_hand: {uses: manual}
  shown: {uses: webhook, verify: {scheme: token, credential: NAME}, inputs: {path: echo}}
steps:
  first: {uses: http.request, credential: NAME, with: {method: POST, url: "https://HOST/${ inputs.path }", json: {n: 1}}}
  shows: {uses: set, with: {all: "${ steps.first }", typed: "${ $string(steps.first.body) }"}}
  nap: {uses: wait, after: first, with: {for: 10m}}
  again: {uses: http.request, after: nap, credential: NAME, with: {url: "https://HOST/${ inputs.path }"}}
  keyed: {uses: crypto.hmac, after: nap, credential: NAME, on_error: continue, with: {text: x, algorithm: sha256}}
on_failure:
  tell: {uses: http.request, with: {method: POST, url: "https://tell.example/tell", json: {why: "${ failure.message }"}}}
output: "${ steps.shows }"
"""


def canary(type_name, field, version="1"):
    """A secret that no two fields share, with characters that every encoding writes in its own way."""
    mark = hashlib.sha256(f"{type_name} {field} {version}".encode()).hexdigest()[:20]
    return f"cnry/{mark}+\"{version}'&<é=="


def planted(type_name, version="1"):
    """Fields of a type, a canary in each secret one."""
    kind = find_type(type_name)
    fields = {each.name: NEEDED.get(each.name, "x") for each in kind.fields if each.is_required}
    # What goes into a header as it is can hold no more than a header can.
    sendable = {"token", "value", "secret_access_key", "session_token", "secret"}
    for each in kind.fields:
        if each.is_secret:
            text = canary(type_name, each.name, version)
            fields[each.name] = text.replace("é", "e").replace('"', "") if each.name in sendable else text
    if kind.takes_any:
        fields |= {"kind": "bearer", "token": canary(type_name, "token", version).replace("é", "e").replace('"', "")}
    if "expires_at" in {each.name for each in kind.fields}:
        fields["expires_at"] = NEEDED["expires_at"]
    return fields


def secrets_of(type_name, version="1"):
    return [value for value in planted(type_name, version).values() if value.startswith("cnry/")]


def host_of(type_name):
    kind = find_type(type_name)
    if kind.name == "aws":
        return "sqs.eu-central-1.amazonaws.com"
    return kind.hosts[0].replace("*.", "a.") if kind.hosts else "api.example.com"


def spellings(secret):
    """Every form that is masked: those of JSON, URLs, HTML, hexadecimal, and Base64 wherever in a text."""
    raw = secret.encode()
    yield escape(secret)
    yield from (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret), raw.hex(), raw.hex().upper())
    yield from (b64encode(b"x" * before + raw + b"x").decode() for before in range(3))


def traces(secret):
    """What of each form would show that it was there: of Base64 less the letters that depend on what is beside."""
    for number, form in enumerate(spellings(secret)):
        yield form[4:-8] if number >= 9 else form


def leaks(text, secrets):
    return [form for secret in secrets for form in traces(secret) if form in text]


class World:
    """A place, what it answered, and what services were sent besides the credential itself."""

    def __init__(self, place, type_name):
        self.place, self.type_name = place, type_name
        self.said = []
        seen = opened_fields(find_type(type_name), planted(type_name))
        self.echoed = [value for value in seen.values() if value.startswith("cnry/")]
        place.http.answers |= {
            "/echo": self.echo,
            "/complain": self.complain,
            "/fails": self.fails,
            "/slow": self.slow,
            "/cut": self.cut,
            "/odd": self.odd,
            "/bug": self.bug,
        }

    async def ask(self, method, target, body=b"", kind=""):
        headers = {"authorization": "Bearer an admin key for the stories"}
        if kind:
            headers["content-type"] = kind
        answer = await self.place.send(method, f"/api/v1/{target}", body, headers)
        self.said.append(repr(answer.headers) + answer.body.decode())
        return answer

    def repeated(self, request):
        """All that a service could say back: what it got, and the secret in every form."""
        forms = {str(n): form for n, form in enumerate(form for each in self.echoed for form in spellings(each))}
        return {"url": request.url, "headers": dict(request.headers), "body": request.body.decode(), **forms}

    async def echo(self, request):
        told = self.repeated(request)
        headers = [("content-type", "application/json"), ("x-echo", self.echoed[0] if self.echoed else "")]
        return HttpAnswer(200, tuple(headers), json.dumps(told, ensure_ascii=False).encode())

    async def complain(self, request):
        body = json.dumps({"message": f"bad {self.echoed}", "error": self.repeated(request)}).encode()
        return HttpAnswer(403, (("content-type", "application/json"),), body)

    async def fails(self, request):
        return HttpAnswer(500, (("content-type", "text/html"),), f"<p>{self.echoed}</p>".encode())

    async def odd(self, request):
        return HttpAnswer(200, (("content-type", "application/json"),), f'{{"not json: {self.echoed}'.encode())

    async def slow(self, request):
        raise TimedOutError(f"No answer from {request.url}, which was asked with {self.echoed}.")

    async def cut(self, request):
        raise CutOffError(f"Cut off: {self.echoed}")

    async def bug(self, request):
        raise RuntimeError(f"a bug that knows {self.echoed}")

    async def everything_said(self, folder, kind, caplog):
        """Answers, logs with their tracebacks, what was stored, and what went to others."""
        place = self.place
        found = [*self.said, caplog.text, *(repr(record.__dict__) for record in caplog.records)]
        found += [each.url + each.body.decode() for each in place.http.sent if "tell.example" in each.url]
        if kind == "sqlite":
            await place.background.stop()
            found += [file.read_bytes().decode("utf-8", "replace") for file in folder.iterdir() if file.is_file()]
        else:
            found.append(place.store.everything())
        return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("type_name", TYPES)
def test_what_is_planted_in_a_credential_turns_up_nowhere(kind, type_name, tmp_path, caplog):
    """T1: a credential leaves the vault for the request that it signs, and for nothing else."""
    caplog.set_level(logging.DEBUG)

    async def story():
        async with a_place(kind, tmp_path) as place:
            world = World(place, type_name)
            name = f"c_{type_name}"
            await set_up(world, name)
            for path in ("echo", "complain", "fails", "slow", "cut", "odd", "bug"):
                answer = await world.ask("POST", f"flows/{name}/run", {"inputs": {"path": path}})
                await place.settle()
                execution = json.loads(answer.body)["execution"]
                shown = json.loads((await world.ask("GET", f"executions/{execution}")).body)
                assert shown["status"] in {"succeeded", "failed"}, shown
            await deliveries(world, name)
            await refusals(world, name)
            for target in ("executions", f"flows/{name}", f"flows/{name}/versions", "refusals", "openapi.json"):
                assert (await world.ask("GET", target)).status == 200
            said = await world.everything_said(tmp_path, kind, caplog)
            planted_now = [*secrets_of(type_name), *secrets_of(type_name, "2")]
            assert {form for text in said for form in leaks(text, planted_now)} == set()
            if find_type(type_name).kind in SENT:
                assert any("***" in text for text in world.said), "nothing was echoed: the story tells nothing"

    asyncio.run(story())


async def set_up(world, name):
    """The credential, set twice, rotated, shared, tested, shown; and a flow that uses it."""
    body = {"type": world.type_name, "fields": planted(world.type_name, "2")}
    answer = await world.ask("PUT", f"credentials/{name}", body)
    assert answer.status == 201, answer.body
    fields = {key: value for key, value in planted(world.type_name).items() if key != "topic"}
    rotated = await world.ask("POST", f"credentials/{name}/rotate", {"fields": fields, "overlap_seconds": 3600})
    assert rotated.status == (200 if world.type_name != "topic" else rotated.status), rotated.body
    assert (await world.ask("POST", f"credentials/{name}/share", {"flows": [name]})).status == 200
    assert (await world.ask("POST", "vault/rewrap", {"new_key": True})).status == 200
    await world.ask("POST", f"credentials/{name}/test")
    for path in ("echo", "complain", "slow", "bug"):
        await world.ask("POST", f"credentials/{name}/test", {"url": f"https://{host_of(world.type_name)}/{path}"})
    await world.ask("GET", "credentials")
    await world.ask("GET", f"credentials/{name}")
    flow = FLOW.replace("NAME", name).replace("HOST", host_of(world.type_name))
    answer = await world.ask("PUT", f"flows/{name}", flow.encode(), "application/yaml")
    assert answer.status == 201, answer.body


async def deliveries(world, name):
    """A sender that shows the secret itself, rightly, wrongly and in the wrong place."""
    for secret in secrets_of(world.type_name):
        plain = secret.encode("ascii", "ignore").decode()
        for headers in ({"authorization": f"Bearer {plain}"}, {"authorization": "Bearer wrong"}, {"x-token": plain}):
            answer = await world.place.send("POST", f"/hooks/{name}/shown", b"{}", headers)
            world.said.append(repr(answer.headers) + answer.body.decode())
    await world.place.settle()


async def refusals(world, name):
    """Bodies that hold the secret where it does not belong."""
    secret = planted(world.type_name, "2")
    for body in ({"type": world.type_name, "fields": {**secret, "unknown!": "x"}}, {"fields": list(secret.values())}):
        assert (await world.ask("PUT", f"credentials/{name}", body)).status in {200, 400, 422}
    raw = json.dumps(secret, ensure_ascii=False).encode()
    for content in (raw, raw[:-1], raw[1:], b"\xff" + raw):
        for kind in ("application/json", "text/plain"):
            assert (await world.ask("PUT", f"credentials/{name}", content, kind)).status < 500
            assert (await world.ask("POST", f"credentials/{name}/rotate", content, kind)).status < 500


def test_a_secret_that_turned_up_would_be_found():
    """The story's own eye: every spelling of a canary is seen in the text that holds it."""
    for type_name in TYPES:
        for secret in secrets_of(type_name):
            assert all(leaks(f"before {form} after", [secret]) for form in spellings(secret))
            assert len(list(spellings(secret))) == 12
            assert all(len(trace) > 12 for trace in traces(secret))
    assert {type_name for type_name in TYPES if not secrets_of(type_name)} == set()
