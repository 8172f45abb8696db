"""`penstock credentials connect`: the address, and how it ended."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.api.app import Api
from chalicelib.ports.oauth import Begun, CallbackAnswer, Connected, ConsentStanding
from chalicelib.vault.oauth_errors import ConsentUnknownError
from tests.api.house import DUE, KEYS, House
from tests.cli.api_server import serving
from tests.cli.calling import Said, penstock

URL = "https://service.example/authorize?state=s&code_challenge=c"


class Scripted:
    """Fulfils `ports.oauth.Consents`: how it stands, look by look."""

    def __init__(self) -> None:
        self.standings: list[ConsentStanding | Exception] = []
        self.looks = 0

    async def begin(self, tenant: str, name: str, who: str, *, is_admin: bool) -> Begun:
        return Begun(URL, "a1", DUE)

    async def standing(self, tenant: str, name: str, who: str, attempt: str) -> ConsentStanding:
        assert (tenant, name, attempt) == ("main", "crm", "a1")
        self.looks += 1
        standing = self.standings.pop(0)
        if isinstance(standing, Exception):
            raise standing
        return standing

    async def finish(self, answer: CallbackAnswer) -> Connected:
        raise ConsentUnknownError


@pytest.fixture
def consents() -> Scripted:
    return Scripted()


Ask = Callable[..., Said]


@pytest.fixture
def ask(consents: Scripted) -> Iterator[Ask]:
    house = House()
    house.api = Api(replace(house.tools, consents=lambda: consents))
    with serving(house) as url:

        def call(*arguments: str, role: str = "editor", **variables: str) -> Said:
            told = {"PENSTOCK_URL": url, "PENSTOCK_KEY": KEYS[role], **variables}
            return penstock("credentials", "connect", "crm", "--every", "0.01", *arguments, **told)

        yield call


def stands(status: Any, said: str = "") -> ConsentStanding:
    return ConsentStanding(status, DUE, said)


def test_it_prints_the_address_and_waits_until_somebody_agreed(consents: Scripted, ask: Ask) -> None:
    consents.standings = [stands("pending"), stands("pending"), stands("connected")]
    said = ask()
    assert (said.code, said.out) == (0, URL + "\n")
    assert "Open this address" in said.err
    assert "crm is connected" in said.err
    assert consents.looks == 3


def test_a_program_gets_how_it_ended_as_one_object_and_the_address_beside_it(consents: Scripted, ask: Ask) -> None:
    consents.standings = [stands("connected")]
    said = ask("--json")
    assert said.json == {
        "name": "crm",
        "url": URL,
        "attempt": "a1",
        "expires": "2026-11-22T07:00:00.000Z",
        "status": "connected",
        "said": None,
    }
    assert said.err.strip() == URL


def test_it_need_not_wait(consents: Scripted, ask: Ask) -> None:
    assert ask("--no-wait").out == URL + "\n"
    begun = ask("--no-wait", "--json").json
    assert (begun["url"], begun["attempt"]) == (URL, "a1")
    assert consents.looks == 0


@pytest.mark.parametrize(
    ("standing", "says"),
    [
        (stands("denied", "access_denied\x1b[31m"), "not connected. access_denied\N{REPLACEMENT CHARACTER}[31m"),
        (stands("expired"), "nobody agreed in time"),
    ],
)
def test_where_nobody_agreed_it_ends_with_1(consents: Scripted, ask: Ask, standing: Any, says: str) -> None:
    consents.standings = [standing]
    said = ask()
    assert said.code == 1
    assert says in said.err
    consents.standings = [standing]
    assert ask("--json").json["status"] == standing.status


def test_a_refusal_ends_it(consents: Scripted, ask: Ask) -> None:
    consents.standings = [stands("pending"), ConsentUnknownError()]
    assert ask().code == 3
    assert ask(role="operator").code == 3
