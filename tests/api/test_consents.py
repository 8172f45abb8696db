"""Connecting a credential over REST, with a service on loopback that holds us to the rules."""

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chalicelib.adapters.http import client_for_flows
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.adapters.oauth_consents import KIND, LASTS_SECONDS, StoredConsents
from chalicelib.api.app import Api
from chalicelib.api.auth import Caller, Role
from chalicelib.api.request import Answer, Request, read_query
from chalicelib.api.times import to_milliseconds
from chalicelib.ports import Document
from chalicelib.vault.record import Share
from tests.adapters.test_oauth_tokens import Process, ShiftedClock
from tests.api.house import House, conforms, loaded, refused
from tests.oauth_provider import SECRET, Provider
from tests.stub import Answer as StubAnswer
from tests.stub import Stub

BROWSER = {"accept": "text/html,application/xhtml+xml"}
CALLERS = {
    "ed": Caller("key_ed", Role.EDITOR),
    "eve": Caller("key_eve", Role.EDITOR),
    "ada": Caller("key_ada", Role.ADMIN),
    "olaf": Caller("key_olaf", Role.OPERATOR),
    "other": Caller("key_ed", Role.ADMIN, "acme"),
}


class Keys:
    async def caller(self, key: str) -> Caller | None:
        return CALLERS.get(key)

    def used(self, caller: Caller) -> None:
        return None


class SlowDocuments(MemoryDocuments):
    """A store like one that lies elsewhere: others come in between a look and a write."""

    async def get(self, tenant: str, kind: str, key: str) -> Document | None:
        found = await super().get(tenant, kind, key)
        await asyncio.sleep(0)
        return found


class Scene:
    def __init__(self, folder: Path, stub: Stub, http: Any, base_url: str = "https://penstock.example") -> None:
        self.clock = ShiftedClock()
        self.documents = SlowDocuments()
        self.provider = Provider(stub)
        self.process = Process(folder, self.documents, self.clock, http)
        consents = StoredConsents(
            self.process.admin, self.documents, http, self.clock, base_url=base_url, random=os.urandom
        )
        tools = replace(House().tools, keys=Keys(), clock=self.clock, consents=lambda: consents)
        self.api = Api(tools)
        self.answers: list[Answer] = []

    async def set(self, **more: str) -> None:
        await self.process.set("oauth2_authorization_code", {**self.provider.fields, **more})

    async def ask(self, method: str, path: str, key: str = "ed", headers: dict[str, str] | None = None) -> Answer:
        given = dict(headers or {}) | ({"authorization": f"Bearer {key}"} if key else {})
        address, _, query = path.partition("?")
        request = Request(
            method, address, read_query(query), given, b"", to_milliseconds(self.clock.now()), query_text=query
        )
        answer = await self.api(request)
        self.answers.append(answer)
        return answer

    async def begin(self, key: str = "ed") -> dict[str, Any]:
        answer = await self.ask("POST", "/api/v1/credentials/crm/connect", key)
        assert answer.status == 200, answer.body
        return conforms(answer, "ConsentBegun")

    async def come_back(self, **query: str) -> Answer:
        return await self.ask("GET", f"/oauth/callback?{urlencode(query)}", "", BROWSER)

    async def standing(self, attempt: str, key: str = "ed") -> dict[str, Any]:
        answer = await self.ask("GET", f"/api/v1/credentials/crm/connect/{attempt}", key)
        assert answer.status == 200, answer.body
        return conforms(answer, "Consent")


@asynccontextmanager
async def stage(folder: Path, **how: str) -> Any:
    http = client_for_flows(EgressPolicy(allow=("127.0.0.1/32",)))
    async with Stub() as stub:
        try:
            yield Scene(folder, stub, http, **how)
        finally:
            await http.close()


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    def whole(scene: Callable[[Scene], Awaitable[None]], **how: str) -> None:
        async def played() -> None:
            async with stage(tmp_path, **how) as here:
                await scene(here)

        asyncio.run(played())

    return whole


def is_page(answer: Answer, status: int) -> str:
    assert answer.status == status, answer.body
    headers = dict(answer.headers)
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    return answer.body.decode()


def test_a_credential_is_connected_by_a_persons_consent(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        begun = await here.begin()
        assert (await here.standing(begun["attempt"]))["status"] == "pending"
        back = here.provider.agree(begun["url"])
        page = is_page(await here.come_back(**back), 200)
        assert "crm" in page
        assert "key_ed" in page
        assert (await here.standing(begun["attempt"]))["status"] == "connected"
        stored = await here.process.stored()
        assert stored.fields["token"].startswith("access-")
        assert {stored.fields["refresh_token"]} == here.provider.living
        assert stored.record.version == 2
        assert await here.process.token() == stored.fields["token"]
        (form,) = here.provider.token_requests
        assert form["redirect_uri"] == "https://penstock.example/oauth/callback"
        # Nothing that opens anything stands in an answer.
        secret = {SECRET, back["code"], stored.fields["token"], stored.fields["refresh_token"], form["code_verifier"]}
        for answer in here.answers:
            assert not any(each in answer.body.decode() for each in secret)
            assert not any(each in str(answer.headers) for each in secret)

    play(scene)


def test_what_is_stored_meanwhile_is_neither_the_state_nor_the_verifier(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        begun = await here.begin()
        back = here.provider.agree(begun["url"])
        (document,) = await here.documents.page("main", KIND)
        text = json.dumps(dict(document.value)) + document.key
        assert back["state"] not in text
        assert document.key == hashlib.sha256(back["state"].encode()).hexdigest() == begun["attempt"]
        await here.come_back(**back)
        verifier = here.provider.token_requests[0]["code_verifier"]
        assert verifier not in text
        assert base64.b64encode(verifier.encode()).decode() not in text

    play(scene)


def test_each_beginning_has_a_state_and_a_challenge_of_its_own(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        asked = [parse_qs(urlsplit((await here.begin())["url"]).query) for _ in range(20)]
        for name in ("state", "code_challenge"):
            assert len({each[name][0] for each in asked}) == 20
        assert all(len(each["state"][0]) > 43 for each in asked)

    play(scene)


def test_of_many_answers_to_one_state_one_wins(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        back = here.provider.agree((await here.begin())["url"])
        answers = await asyncio.gather(*(here.come_back(**back) for _ in range(10)))
        assert sorted(each.status for each in answers) == [200] + [409] * 9
        assert len(here.provider.token_requests) == 1
        assert not here.provider.is_revoked, "the code was shown once"
        assert "answered before" in is_page(await here.come_back(**back), 409)

    play(scene)


def test_a_state_that_nobody_began_with_leads_nowhere(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        back = here.provider.agree((await here.begin())["url"])
        state = back["state"]
        body, _, tenant = state.partition(".")
        other = base64.urlsafe_b64encode(b"acme").decode().rstrip("=")
        for wrong in ("", "x", "ü", "x" * 5_000, f"{body}.{other}", f"{body[:-1]}A.{tenant}", f"{body}.", f"{body}.%"):
            answer = await here.come_back(code=back["code"], state=wrong)
            assert "Nobody asked for this" in is_page(answer, 400)
        twice = await here.ask("GET", f"/oauth/callback?{urlencode(back)}&code=other", "", BROWSER)
        assert "twice" in is_page(twice, 400)
        assert here.provider.token_requests == []
        is_page(await here.come_back(**back), 200)

    play(scene)


def test_who_only_looks_ahead_uses_nothing_up(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        back = here.provider.agree((await here.begin())["url"])
        for method in ("HEAD", "POST", "OPTIONS"):
            answer = await here.ask(method, f"/oauth/callback?{urlencode(back)}", "", BROWSER)
            assert answer.status == (204 if method == "OPTIONS" else 405)
        is_page(await here.come_back(**back), 200)

    play(scene)


def test_after_ten_minutes_it_is_over(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        begun = await here.begin()
        back = here.provider.agree(begun["url"])
        here.clock.shift += timedelta(seconds=LASTS_SECONDS)
        assert (await here.standing(begun["attempt"]))["status"] == "expired"
        assert "time for this is over" in is_page(await here.come_back(**back), 410)
        assert here.provider.token_requests == []

    play(scene)


def test_who_did_not_begin_it_is_not_told_how_it_stands(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        await here.process.set("bearer", {"token": "t"}, name="mail")
        begun = await here.begin()
        for key, name in (("eve", "crm"), ("ada", "crm"), ("other", "crm"), ("ed", "mail")):
            answer = await here.ask("GET", f"/api/v1/credentials/{name}/connect/{begun['attempt']}", key)
            refused(answer, 400, "consent_unknown")
        refused(await here.ask("GET", "/api/v1/credentials/crm/connect/%C3%BC"), 400, "consent_unknown")

    play(scene)


def test_editors_connect_and_operators_and_strangers_do_not(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        refused(await here.ask("POST", "/api/v1/credentials/crm/connect", "olaf"), 403, "forbidden")
        refused(await here.ask("POST", "/api/v1/credentials/crm/connect", ""), 401, "unauthenticated")
        refused(await here.ask("POST", "/api/v1/credentials/crm/connect", "other"), 422, "credential_missing")
        await here.process.admin.share("main", "crm", Share("admin"))
        refused(await here.ask("POST", "/api/v1/credentials/crm/connect", "ed"), 403, "credential_not_shared")
        assert (await here.begin("ada"))["name"] == "crm"

    play(scene)


def test_what_needs_no_person_or_is_not_there_is_not_connected(play: Any) -> None:
    async def scene(here: Scene) -> None:
        refused(await here.ask("POST", "/api/v1/credentials/crm/connect"), 422, "credential_missing")
        await here.process.set("bearer", {"token": "t"})
        refused(await here.ask("POST", "/api/v1/credentials/crm/connect"), 422, "credential_unfit")
        client = {"client_id": "c", "client_secret": "s", "token_url": "https://t.example"}
        await here.process.set("oauth2_client_credentials", client)
        told = refused(await here.ask("POST", "/api/v1/credentials/crm/connect"), 422, "credential_unfit")
        assert "needs no person" in told["detail"]

    play(scene)


def test_a_refusal_at_the_service_is_shown_escaped_and_ends_it(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        begun = await here.begin()
        state = here.provider.agree(begun["url"])["state"]
        said = f"<script>alert(1)</script>{SECRET}\r\nSet-Cookie: a=b " + "x" * 5_000
        answer = await here.come_back(state=state, error="access_denied", error_description=said)
        page = is_page(answer, 400)
        assert "access_denied" in page
        assert "&lt;script&gt;" in page
        assert "<script" not in page
        assert SECRET not in page
        assert "set-cookie" not in dict(answer.headers)
        assert len(page) < 10_000
        standing = await here.standing(begun["attempt"])
        assert standing["status"] == "denied"
        assert "access_denied" in standing["said"]
        assert "answered before" in is_page(await here.come_back(state=state, code="c"), 409)
        assert here.provider.token_requests == []

    play(scene)


@pytest.mark.parametrize(
    ("named", "sent", "status"),
    [
        ("https://honest.example", "https://honest.example", 200),
        ("https://honest.example", "https://attacker.example", 400),
        ("https://honest.example", None, 400),
        ("", "https://attacker.example", 400),
    ],
)
def test_an_answer_of_another_service_is_refused_before_its_code_goes_anywhere(
    play: Any, named: str, sent: str | None, status: int
) -> None:
    async def scene(here: Scene) -> None:
        await here.set(**({"issuer": named} if named else {}))
        here.provider.issuer = sent
        back = here.provider.agree((await here.begin())["url"])
        page = is_page(await here.come_back(**back), status)
        assert len(here.provider.token_requests) == (status == 200)
        assert status == 200 or "another service" in page

    play(scene)


def test_a_credential_that_was_pointed_elsewhere_meanwhile_gets_no_code(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        back = here.provider.agree((await here.begin())["url"])
        await here.set(token_url="https://attacker.example/token")
        assert "was changed" in is_page(await here.come_back(**back), 400)
        assert here.provider.token_requests == []

    play(scene)


def test_a_credential_that_was_shared_meanwhile_keeps_both(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        gate = asyncio.Event()
        back = here.provider.agree((await here.begin())["url"])
        here.provider.before = lambda: StubAnswer.of_json(here.provider.tokens(), hold=gate)
        coming = asyncio.create_task(here.come_back(**back))
        await here.provider.stub.until_requests(1)
        await here.process.admin.share("main", "crm", Share("editor", ("shop",)))
        gate.set()
        is_page(await coming, 200)
        stored = await here.process.stored()
        assert stored.fields["token"].startswith("access-")
        assert stored.record.share.flows == ("shop",)

    play(scene)


@pytest.mark.parametrize(
    "answer",
    [
        StubAnswer(503),
        StubAnswer(body=b"<html>"),
        StubAnswer(cut="before"),
        StubAnswer.of_json({"error": "invalid_client"}, 401),
        StubAnswer.of_json({"access_token": "t", "token_type": "mac"}),
    ],
)
def test_a_service_that_gives_no_token_leaves_the_credential_as_it_was(play: Any, answer: StubAnswer) -> None:
    async def scene(here: Scene) -> None:
        await here.set(token="of before")
        here.provider.before = lambda: answer
        begun = await here.begin()
        back = here.provider.agree(begun["url"])
        page = is_page(await here.come_back(**back), 400)
        assert "penstock credentials connect crm" in page
        assert back["code"] not in page
        assert (await here.standing(begun["attempt"]))["status"] == "denied"
        assert (await here.process.stored()).fields["token"] == "of before"
        assert (await here.process.stored()).record.version == 1

    play(scene)


def test_a_second_consent_replaces_all_of_the_first(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        for _ in range(2):
            is_page(await here.come_back(**here.provider.agree((await here.begin())["url"])), 200)
        here.provider.before = lambda: StubAnswer.of_json({"access_token": "no-refresh", "token_type": "bearer"})
        is_page(await here.come_back(**here.provider.agree((await here.begin())["url"])), 200)
        fields = (await here.process.stored()).fields
        assert fields["token"] == "no-refresh"
        assert not {"refresh_token", "expires_at"} & fields.keys()

    play(scene)


def test_programs_are_answered_in_json(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        back = here.provider.agree((await here.begin())["url"])
        wanted = {"accept": "application/json"}
        conforms(await here.ask("GET", f"/oauth/callback?{urlencode(back)}", "", wanted), "Connected")
        refused(await here.ask("GET", "/oauth/callback?state=x", "", wanted), 400, "consent_unknown")

    play(scene)


def test_without_an_address_to_come_back_to_nothing_is_begun(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        answer = await here.ask("POST", "/api/v1/credentials/crm/connect")
        assert "PENSTOCK_URL" in loaded(answer)["detail"]

    play(scene, base_url="")


def test_a_deployment_without_a_vault_says_so() -> None:
    house = House()
    house.api = Api(replace(house.tools, consents=None))
    answer = house.send("POST", "/api/v1/credentials/crm/connect", role="editor")
    assert "keeps no credentials" in loaded(answer)["detail"]


def test_what_is_kept_of_a_consent_goes_by_itself(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.set()
        await here.begin()
        (document,) = await here.documents.page("main", KIND)
        assert 0 < document.expires - datetime.now(UTC).timestamp() <= 3600

    play(scene)
