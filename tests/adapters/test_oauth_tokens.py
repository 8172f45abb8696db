"""Tokens that are kept fresh: asked for once however many want them, never lost, never used before they are stored."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.aws.documents import AwsDocuments
from chalicelib.adapters.clock import RandomIds
from chalicelib.adapters.environment import EnvironmentCredentials
from chalicelib.adapters.http import HttpClient, client_for_flows
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.adapters.oauth_late import LateRenewal
from chalicelib.adapters.oauth_tokens import (
    KIND,
    LEASE_SECONDS,
    REFUSED_SECONDS,
    TROUBLE_SECONDS,
    WAIT_SECONDS,
    Renewal,
)
from chalicelib.adapters.vault import REMEMBERED_SECONDS, Opened, VaultCredentials
from chalicelib.adapters.vault_admin import VaultAdmin
from chalicelib.adapters.vault_key_file import VaultKeyFile
from chalicelib.errors import CutOffError, PenstockError, StoreError
from chalicelib.ports import Document, Documents
from chalicelib.vault.oauth_errors import CredentialNotConnectedError, TokenRefusedError, TokenTroubleError
from tests.aws_place import place
from tests.oauth_provider import CLIENT, SECRET, Provider
from tests.stub import Answer, Stub


class ShiftedClock:
    """The real clock, moved on when it is told to; waiting is real, and short."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    async def sleep(self, seconds: float) -> None:
        self.shift += timedelta(seconds=seconds)
        await asyncio.sleep(0.005)


class Process:
    """What one process knows: a vault of its own over the one store, and a client of its own."""

    def __init__(self, folder: Path, documents: Documents, clock: ShiftedClock, http: HttpClient) -> None:
        keys = VaultKeyFile(folder / "house" / "vault-key")
        self.credentials = VaultCredentials(documents, lambda: keys, EnvironmentCredentials({}), clock)
        self.credentials.renew = LateRenewal(self.credentials, http, RandomIds())
        self.admin = VaultAdmin(self.credentials, http)

    async def token(self, name: str = "crm", tenant: str = "main") -> str:
        return (await self.credentials.open(tenant, name, flow="shop"))["token"]

    async def set(self, type_name: str, fields: Mapping[str, object], name: str = "crm") -> None:
        await self.admin.keep("main", name, fields, type_name=type_name, share=None, is_admin=True)

    async def stored(self, name: str = "crm") -> Opened:
        found = await self.credentials.read("main", name)
        assert found is not None
        return found


class Scene:
    def __init__(self, folder: Path, documents: Documents, provider: Provider, http: HttpClient) -> None:
        self.clock = ShiftedClock()
        self.documents, self.provider, self.http = documents, provider, http
        self.folder = folder
        self.first, self.second = self.process(), self.process()

    def process(self) -> Process:
        return Process(self.folder, self.documents, self.clock, self.http)

    async def connected(self, *, seconds: int = 30) -> None:
        """A credential whose token lasts so much longer, and can be renewed."""
        expires = str(int(self.clock.now().timestamp()) + seconds)
        tokens = {"token": "access-of-before", "refresh_token": self.provider.new_refresh(), "expires_at": expires}
        await self.first.set("oauth2_authorization_code", {**self.provider.fields, **tokens})

    @property
    def asked(self) -> int:
        return len(self.provider.token_requests)

    def pass_time(self, seconds: float) -> None:
        self.clock.shift += timedelta(seconds=seconds)


Play = Callable[[Scene], Awaitable[None]]


@asynccontextmanager
async def stage(folder: Path, documents: Documents) -> AsyncIterator[Scene]:
    http = client_for_flows(EgressPolicy(allow=("127.0.0.1/32",)))
    async with Stub() as stub:
        try:
            yield Scene(folder, documents, Provider(stub), http)
        finally:
            await http.close()


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Play], None]:
    def whole(scene: Play) -> None:
        async def played() -> None:
            async with stage(tmp_path, MemoryDocuments()) as here:
                await scene(here)

        asyncio.run(played())

    return whole


async def fifty_openers(scene: Scene) -> None:
    await scene.connected(seconds=-1)
    openers = [scene.first, scene.second] * 25
    random.shuffle(openers)
    tokens = await asyncio.gather(*(each.token() for each in openers))
    assert scene.asked == 1
    assert len(set(tokens)) == 1
    stored = await scene.second.stored()
    assert stored.fields["token"] == tokens[0] != "access-of-before"
    assert {stored.fields["refresh_token"]} == scene.provider.living
    assert stored.record.version == 2


def test_fifty_openers_in_two_processes_ask_once(play: Any) -> None:
    play(fifty_openers)


def test_fifty_openers_whose_token_still_lasts_a_little_ask_once_and_none_of_them_gets_nothing(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=30)
        tokens = await asyncio.gather(*(each.token() for each in [here.first, here.second] * 25))
        assert here.asked == 1
        new = (await here.first.stored()).fields["token"]
        assert set(tokens) <= {new, "access-of-before"}
        assert await here.first.token() == await here.second.token() == new, "the former one is not remembered"

    play(scene)


def test_fifty_openers_in_two_processes_ask_once_on_aws(tmp_path: Path, aws_url: str) -> None:
    async def played() -> None:
        async with place(aws_url) as there:
            clock = ShiftedClock()
            async with stage(tmp_path, AwsDocuments(there.aws, there.table, clock)) as here:
                await fifty_openers(here)

    asyncio.run(played())


def test_a_token_that_lasts_is_left_alone(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=3600)
        assert await here.first.token() == "access-of-before"
        here.pass_time(3600 - 60 - REMEMBERED_SECONDS)
        assert await here.second.token() == "access-of-before"
        assert here.asked == 0
        here.pass_time(REMEMBERED_SECONDS + 5)
        assert await here.second.token() != "access-of-before"
        assert here.asked == 1

    play(scene)


def test_what_is_to_be_renewed_soon_is_remembered_for_no_longer(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=65)
        assert await here.first.token() == "access-of-before"
        here.pass_time(6)
        assert await here.first.token() != "access-of-before"

    play(scene)


def test_refresh_tokens_that_are_replaced_each_time_are_never_lost(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected()
        tokens: list[str] = []
        for turn in range(8):
            tokens.append(await (here.first if turn % 2 else here.second).token())
            here.pass_time(3600)
        assert len(set(tokens)) == here.asked == 8
        assert not here.provider.is_revoked

    play(scene)


def test_a_refresh_token_that_is_not_replaced_stays(play: Any) -> None:
    async def scene(here: Scene) -> None:
        here.provider.rotates = False
        await here.connected()
        for _ in range(3):
            await here.first.token()
            here.pass_time(3600)
        assert len({form["refresh_token"] for form in here.provider.token_requests}) == 1

    play(scene)


def test_a_step_is_handed_the_token_and_where_it_may_go_and_nothing_that_renews_it(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected()
        opened = await here.first.credentials.open("main", "crm", flow="shop")
        assert set(opened) == {"kind", "token"}

    play(scene)


def test_a_client_or_an_account_gets_its_token_when_a_step_needs_it(play: Any) -> None:
    async def scene(here: Scene) -> None:
        fields = {"client_id": CLIENT, "client_secret": SECRET, "token_url": here.provider.fields["token_url"]}
        await here.first.set("oauth2_client_credentials", fields)
        assert here.asked == 0
        assert await here.first.token() == await here.second.token()
        assert here.provider.token_requests == [{"grant_type": "client_credentials"}]

    play(scene)


def test_one_that_nobody_connected_and_one_that_nobody_can_renew_say_what_to_do(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.first.set("oauth2_authorization_code", here.provider.fields)
        with pytest.raises(CredentialNotConnectedError, match="`crm` is not connected yet"):
            await here.first.token()
        expires = str(int(here.clock.now().timestamp()) + 30)
        await here.first.set("oauth2_authorization_code", {**here.provider.fields, "token": "t", "expires_at": expires})
        assert await here.first.token() == "t", "for as long as it lasts"
        here.pass_time(31)
        with pytest.raises(CredentialNotConnectedError, match="nothing to renew it with"):
            await here.first.token()
        assert here.asked == 0

    play(scene)


def test_a_refusal_names_the_credential_and_what_was_said_but_no_secret_and_is_not_repeated(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        refresh = (await here.first.stored()).fields["refresh_token"]
        here.provider.is_revoked = True
        openers = [here.first, here.second] * 25
        errors = await asyncio.gather(*(each.token() for each in openers), return_exceptions=True)
        assert {type(each) for each in errors} == {TokenRefusedError}
        assert here.asked == 1
        (said,) = {str(each) for each in errors}
        assert said.startswith("The credential `crm`: The service refused to give a token: invalid_grant")
        assert "The refresh token *** was used" in said
        assert "penstock credentials connect crm" in said
        assert refresh not in said
        here.pass_time(REFUSED_SECONDS + 1)
        with pytest.raises(TokenRefusedError):
            await here.second.token()
        assert here.asked == 2

    play(scene)


def test_what_was_refused_counts_for_those_values_alone(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        here.provider.is_revoked = True
        with pytest.raises(TokenRefusedError):
            await here.first.token()
        here.provider.is_revoked = False
        await here.connected(seconds=-1)
        assert await here.second.token()

    play(scene)


def test_trouble_passes_and_is_tried_again_a_little_later(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        here.provider.before = lambda: Answer(503)
        for process in (here.first, here.second):
            with pytest.raises(TokenTroubleError, match="`crm`: The service answered 503") as caught:
                await process.token()
            assert caught.value.retry
        assert here.asked == 1
        here.provider.before = None
        here.pass_time(TROUBLE_SECONDS + 1)
        assert await here.first.token()

    play(scene)


def test_a_service_that_cannot_be_reached_is_trouble_and_one_that_may_not_be_is_refused(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        here.provider.before = lambda: Answer(cut="before")
        with pytest.raises(TokenTroubleError, match="could not be asked"):
            await here.first.token()
        for url in ("https://169.254.169.254/token", "https://10.0.0.1/token"):
            fields = {
                **here.provider.fields,
                "token_url": url,
                "refresh_token": "r" * 20,
                "token": "t",
                "expires_at": "1",
            }
            await here.first.set("oauth2_authorization_code", fields)
            with pytest.raises(PenstockError) as caught:
                await here.first.token()
            assert caught.value.code == "address_refused"

    play(scene)


def test_the_lease_of_a_process_that_died_ends_by_itself(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        until = int((here.clock.now().timestamp() + LEASE_SECONDS) * 1000)
        assert await here.documents.put("main", KIND, "crm", {"until": until}, seen=None)
        with pytest.raises(TokenTroubleError, match="another process") as caught:
            await here.first.token()
        assert caught.value.retry_after == WAIT_SECONDS
        here.pass_time(LEASE_SECONDS)
        assert await here.first.token()
        assert here.asked == 1

    play(scene)


def test_whoever_is_overtaken_between_the_look_and_the_lease_looks_again(tmp_path: Path) -> None:
    class Overtaken(MemoryDocuments):
        overtake: Callable[[], Awaitable[str]] | None = None

        async def get(self, tenant: str, kind: str, key: str) -> Document | None:
            if kind == KIND and self.overtake is not None:
                overtake, self.overtake = self.overtake, None
                await overtake()
            return await super().get(tenant, kind, key)

    async def played() -> None:
        documents = Overtaken()
        async with stage(tmp_path, documents) as here:
            await here.connected(seconds=-1)
            documents.overtake = here.second.token
            assert await here.first.token() == await here.second.token()
            assert here.asked == 1

    asyncio.run(played())


def test_while_another_process_renews_it_a_token_that_still_lasts_is_used(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=45)
        until = int((here.clock.now().timestamp() + LEASE_SECONDS) * 1000)
        assert await here.documents.put("main", KIND, "crm", {"until": until}, seen=None)
        assert await here.first.token() == "access-of-before"
        assert here.asked == 0

    play(scene)


def test_an_opener_that_gives_up_does_not_lose_what_the_service_replaced(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        gate = asyncio.Event()
        here.provider.before = lambda: Answer.of_json(
            {**here.provider.tokens(), "refresh_token": here.provider.new_refresh()}, hold=gate
        )
        opener = asyncio.create_task(here.first.token())
        await here.provider.stub.until_requests(1)
        opener.cancel()
        asyncio.get_running_loop().call_later(0.05, gate.set)
        with pytest.raises(asyncio.CancelledError):
            await opener
        assert {(await here.second.stored()).fields["refresh_token"]} == here.provider.living

    play(scene)


class FailingDocuments:
    """Documents of another store whose writes of credentials fail in turn, as they are told to."""

    def __init__(self, inner: Documents) -> None:
        self.inner = inner
        self.failures: list[tuple[Exception, bool]] = []
        self.wrote: list[str] = []

    async def get(self, tenant: str, kind: str, key: str) -> Document | None:
        return await self.inner.get(tenant, kind, key)

    async def put(self, tenant: str, kind: str, key: str, value: Any, *, seen: str | None, expires: int = 0) -> Any:
        if kind == "credential" and self.failures:
            error, is_written = self.failures.pop(0)
            if is_written:
                await self.inner.put(tenant, kind, key, value, seen=seen, expires=expires)
            raise error
        self.wrote.append(kind)
        return await self.inner.put(tenant, kind, key, value, seen=seen, expires=expires)

    async def delete(self, tenant: str, kind: str, key: str, *, seen: str) -> bool:
        return await self.inner.delete(tenant, kind, key, seen=seen)

    async def page(self, tenant: str, kind: str, **how: Any) -> Any:
        return await self.inner.page(tenant, kind, **how)


@pytest.mark.parametrize(
    "failures",
    [
        [(StoreError("throttled"), False)] * 3,
        [(CutOffError("who knows"), True)],
        [(CutOffError("who knows"), False), (StoreError("throttled"), False)],
    ],
)
def test_a_store_that_fails_for_a_moment_loses_no_refresh_token(tmp_path: Path, failures: Any) -> None:
    async def played() -> None:
        documents = FailingDocuments(MemoryDocuments())
        async with stage(tmp_path, documents) as here:
            await here.connected(seconds=-1)
            documents.failures = list(failures)
            token = await here.first.token()
            stored = await here.second.stored()
            assert stored.fields["token"] == token
            assert {stored.fields["refresh_token"]} == here.provider.living
            assert here.asked == 1

    asyncio.run(played())


def test_a_token_that_could_not_be_stored_is_not_used(tmp_path: Path) -> None:
    async def played() -> None:
        documents = FailingDocuments(MemoryDocuments())
        async with stage(tmp_path, documents) as here:
            await here.connected(seconds=-1)
            documents.failures = [(StoreError("down"), False)] * 50
            with pytest.raises(TokenTroubleError, match="could not be stored"):
                await here.first.token()

    asyncio.run(played())


def test_where_nothing_can_be_written_nothing_is_asked_for(tmp_path: Path) -> None:
    class OnlyRead(MemoryDocuments):
        async def put(self, tenant: str, kind: str, key: str, value: Any, **how: Any) -> str | None:
            if kind == KIND:
                raise StoreError("it is only read here")
            return await super().put(tenant, kind, key, value, **how)

    async def played() -> None:
        async with stage(tmp_path, OnlyRead()) as here:
            await here.connected(seconds=-1)
            with pytest.raises(TokenTroubleError, match="only read here"):
                await here.first.token()
            assert here.asked == 0

    asyncio.run(played())


def test_values_that_somebody_sets_while_it_is_renewed_are_those_that_count(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        expires = str(int(here.clock.now().timestamp()) + 3600)
        gate = asyncio.Event()
        here.provider.before = lambda: Answer.of_json(here.provider.tokens(), hold=gate)
        opener = asyncio.create_task(here.first.token())
        await here.provider.stub.until_requests(1)
        given = {**here.provider.fields, "token": "set-by-hand", "expires_at": expires}
        await here.second.set("oauth2_authorization_code", given)
        gate.set()
        assert await opener == "set-by-hand"
        assert (await here.second.stored()).fields["token"] == "set-by-hand"

    play(scene)


def test_a_credential_that_is_shared_anew_while_it_is_renewed_keeps_both(play: Any) -> None:
    async def scene(here: Scene) -> None:
        from chalicelib.vault.record import Share

        await here.connected(seconds=-1)
        gate = asyncio.Event()
        here.provider.before = lambda: Answer.of_json(here.provider.tokens(), hold=gate)
        opener = asyncio.create_task(here.first.token())
        await here.provider.stub.until_requests(1)
        await here.second.admin.share("main", "crm", Share("editor", ("shop",)))
        gate.set()
        token = await opener
        stored = await here.second.stored()
        assert stored.fields["token"] == token
        assert stored.record.share.flows == ("shop",)

    play(scene)


def test_a_tenants_lease_is_its_own(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        until = int((here.clock.now().timestamp() + LEASE_SECONDS) * 1000)
        assert await here.documents.put("other", KIND, "crm", {"until": until}, seen=None)
        assert await here.first.token()

    play(scene)


def test_a_test_of_a_credential_renews_it_first(play: Any) -> None:
    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        here.provider.stub.answer("/me", Answer(200))
        tested = await here.first.admin.test("main", "crm", url=f"{here.provider.stub.url}/me", is_admin=True)
        assert tested.works
        (seen,) = here.provider.stub.seen("/me")
        assert seen.header("authorization") == f"Bearer {(await here.first.stored()).fields['token']}"

    play(scene)


def test_without_a_lease_there_would_be_more_requests_than_one(play: Any) -> None:
    """That the count can fail: the same openers, each of whose processes finds the lease free."""

    class Blind(MemoryDocuments):
        async def get(self, tenant: str, kind: str, key: str) -> Document | None:
            return None if kind == KIND else await super().get(tenant, kind, key)

        async def put(self, tenant: str, kind: str, key: str, value: Any, **how: Any) -> str | None:
            return "mine" if kind == KIND else await super().put(tenant, kind, key, value, **how)

    async def scene(here: Scene) -> None:
        await here.connected(seconds=-1)
        here.provider.rotates = False
        shelf = VaultAdmin(here.first.credentials, here.http)
        opened = await here.first.stored()
        blind = [Renewal(shelf, Blind(), here.http, here.clock, RandomIds()) for _ in range(5)]
        await asyncio.gather(*(each.fresh("main", "crm", opened) for each in blind))
        assert here.asked > 1

    play(scene)
