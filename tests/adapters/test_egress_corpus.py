"""The corpus of addresses, URLs and names: every row through both transports, by four ways, on a loop with no network.

What is counted is attempts to connect. A refused row must make none; an allowed one must make its own.
"""

import asyncio
import ipaddress
import json
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.http import HttpClient, client_for_engine, client_for_flows
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.errors import AddressRefusedError, CallerError, CutOffError, NotSentError
from chalicelib.kit.encode import encode
from chalicelib.kit.service import Service
from chalicelib.kit.values import Request, Response
from chalicelib.nodes.http.redirects import STATUSES, followed
from chalicelib.ports import HttpRequest
from tests.adapters.no_network import FRONT, PUBLIC, NoNetwork, Turning, here
from tests.stub import Answer, Stub

CORPUS = json.loads((Path(__file__).parents[1] / "vectors" / "egress.json").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = CORPUS["rows"]
Way = Callable[[HttpClient, dict[str, Any], int], Awaitable[Exception | None]]
MAKERS = [client_for_flows, client_for_engine]
both = pytest.mark.parametrize("make", MAKERS, ids=["flows", "engine"])
SECONDS = 10.0
STRICT = EgressPolicy()


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(ROWS) >= 400
    told = (Path(__file__).parents[2] / "docs" / "egress.md").read_text(encoding="utf-8")
    assert f"holds {len(ROWS)} addresses, URLs and names" in told
    assert len({json.dumps([row["kind"], row["value"], row.get("answers")]) for row in ROWS}) == len(ROWS)
    counted = Counter((row["kind"], row["verdict"]) for row in ROWS)
    assert min(counted[kind, verdict] for kind in CORPUS["kinds"] for verdict in ("refused", "allowed")) >= 4
    assert all(row["what"] and row["why"] for row in ROWS)


def url_of(row: dict[str, Any]) -> str:
    value = row["value"]
    match row["kind"]:
        case "url":
            return value
        case "address" if ":" in value:
            return f"http://[{value}]/"
        case _:
            return f"http://{value}/"


def wanted(row: dict[str, Any]) -> set[tuple[str, int]]:
    """Where an allowed row may connect to: each its first try."""
    match row["kind"]:
        case "address":
            return {(row["value"], 80)}
        case "url":
            return {(PUBLIC, row["port"])}
        case _:
            return {(answer, 80) for answer in row["answers"]}


def script(row: dict[str, Any]) -> None:
    """Names as this row has them."""
    names = here().names
    if row["kind"] == "name":
        for name in (row["value"], row["value"].lower()):
            names[name] = row["answers"]
    elif row["kind"] == "url" and row["verdict"] == "allowed":
        names[row["looked_up"]] = [PUBLIC]


async def sent(client: HttpClient, url: str) -> Exception | None:
    """Send it; what it ended in."""
    try:
        await client.send(HttpRequest("GET", url, timeout_seconds=SECONDS))
    except (CallerError, NotSentError) as error:
        return error
    return None


async def directly(client: HttpClient, row: dict[str, Any], _: int) -> Exception | None:
    return await sent(client, url_of(row))


async def by_a_redirect(client: HttpClient, row: dict[str, Any], number: int) -> Exception | None:
    """As `http.request` follows it: a public server answers with the row's URL as its Location."""
    location = url_of(row).encode("utf-8", "replace").decode("latin-1")
    if "\r" in location or "\n" in location or "\0" in location:
        return AddressRefusedError("no header can carry it")
    request = Request("GET", f"http://front.example/{number}", allow=STATUSES)
    here().location = location
    talk = followed(request, 3)
    try:
        ask = next(talk)
        while True:
            encoded = encode(ask, Service("HTTP", credential="none"), base_url="", fields={})
            answer = await client.send(HttpRequest(encoded.method, encoded.url, encoded.headers, b"", SECONDS))
            ask = talk.send(Response(answer.status, answer.body, dict(answer.headers)))
    except (CallerError, NotSentError) as error:
        return error
    except CutOffError:
        return AddressRefusedError("the transport does not take a header with it")
    except StopIteration:
        return None


async def by_a_name(client: HttpClient, row: dict[str, Any], number: int) -> Exception | None:
    """A harmless name leads to it; of a URL, its host as a resolver would have to say it."""
    name = f"n{number}.example"
    here().names[name] = row["answers"] if row["kind"] == "name" else [_host(row)]
    return await sent(client, f"http://{name}/")


async def by_a_name_that_turns(client: HttpClient, row: dict[str, Any], number: int) -> Exception | None:
    """The name is public when it is looked at first, and leads to the row when it is looked at again."""
    name = f"r{number}.example"
    then = row["answers"] if row["kind"] == "name" else [_host(row)]
    here().names[name] = Turning([PUBLIC], then)
    first = await sent(client, f"http://{name}/")
    await client.forget_connections()
    second = await sent(client, f"http://{name}/")
    return second or first


def _host(row: dict[str, Any]) -> str:
    if row["kind"] == "address":
        return row["value"]
    return row["value"].partition("://")[2].rstrip("/").strip("[]")


def play(
    make: Callable[..., HttpClient], way: Way, rows: list[dict[str, Any]], policy: EgressPolicy = STRICT
) -> list[str]:
    """Each row by this way; what went otherwise than the corpus says."""
    wrong: list[str] = []

    async def scene() -> None:
        loop = here()
        loop.names["front.example"] = [FRONT]
        loop.unknown = ["127.0.0.1"]  # whatever else a refused URL may be taken for
        async with Stub() as stub:
            loop.front = ("127.0.0.1", stub.port)
            stub.default = Answer(200)
            client = make(policy)
            try:
                for number, row in enumerate(rows):
                    stub.answer(f"/{number}", lambda _: Answer(302, (("Location", loop.location),)))
                    script(row)
                    loop.begin()
                    error = await way(client, row, number)
                    if said := judged(row, way, error, loop):
                        wrong.append(f"{row['value']!a}: {said}; connected to {loop.others}, ended in {error!r}")
            finally:
                await client.close()

    with asyncio.Runner(loop_factory=NoNetwork) as runner:
        runner.run(scene())
    return wrong


def judged(row: dict[str, Any], way: Way, error: Exception | None, loop: NoNetwork) -> str:
    """What is wrong about how it went; empty where nothing is."""
    public = {(PUBLIC, 80)} if way is by_a_name_that_turns else set[tuple[str, int]]()
    tried = {(_spelled(host), port) for host, port in loop.others} - public
    if row["verdict"] == "allowed":
        return "" if tried <= {(_spelled(host), port) for host, port in wanted(row)} and loop.others else "not called"
    if tried:
        return "called"
    if way is by_a_redirect and row["kind"] == "url" and error is None:
        # A Location without a host of its own is read from the answer's: it led back to the public server.
        return "" if set(loop.looked_up) <= {"front.example"} else "not refused"
    if not isinstance(error, CallerError):
        return "not refused"
    if row["kind"] == "url" and way is directly and loop.looked_up:
        return "refused only after it was looked up"
    return ""


@both
def test_nothing_refused_is_called_directly_and_nothing_else_is_refused(make) -> None:
    assert play(make, directly, ROWS) == []


@both
def test_nothing_refused_is_called_by_a_redirect(make) -> None:
    assert play(make, by_a_redirect, [row for row in ROWS if row["verdict"] == "refused"]) == []


@both
def test_what_is_allowed_is_called_by_a_redirect(make) -> None:
    assert play(make, by_a_redirect, [row for row in ROWS if row["verdict"] == "allowed"]) == []


@both
def test_nothing_refused_is_called_by_a_name_that_leads_to_it(make) -> None:
    assert play(make, by_a_name, [row for row in ROWS if _can_be_answered(row)]) == []


@both
def test_nothing_refused_is_called_by_a_name_that_changes_between_check_and_connect(make) -> None:
    assert play(make, by_a_name_that_turns, [row for row in ROWS if _can_be_answered(row)]) == []


def _spelled(address: str) -> str:
    """An address in one spelling; what is none stays as it is."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _can_be_answered(row: dict[str, Any]) -> bool:
    """Whether a resolver could answer with it: addresses, names' answers, and hosts whose spelling is the trouble."""
    if row["kind"] != "url":
        return True
    return row["verdict"] == "refused" and re.fullmatch(r"http://([^:/?#]+|\[[^\]]*\])/", row["value"]) is not None


@both
def test_by_https_it_is_the_same(make) -> None:
    rows = [row for row in ROWS if row["kind"] == "address" and "%" not in row["value"]]
    secure = [{**row, "kind": "url", "value": url_of(row).replace("http:", "https:"), "port": 443} for row in rows]
    refused = [row for row in secure if row["verdict"] == "refused"]
    assert play(make, directly, refused) == play(make, by_a_redirect, refused) == []


@both
def test_with_a_list_of_hosts_nothing_of_it_is_called_or_even_looked_up(make) -> None:
    rows = [{**row, "verdict": "refused", "kind": "url", "value": url_of(row)} for row in ROWS]
    assert play(make, directly, rows, EgressPolicy(only_hosts=("nobody.example",))) == []


def test_an_opened_network_opens_nothing_else() -> None:
    one = EgressPolicy(("127.0.0.1/32",))
    wide = EgressPolicy.for_engine()
    for row in ROWS:
        if row["kind"] != "address" or row["verdict"] == "allowed":
            continue
        address = ipaddress.ip_address(row["value"])
        inner = (address.ipv4_mapped or address) if address.version == 6 else address
        assert is_open(one, row["value"]) == (str(inner) == "127.0.0.1"), row
        # The engine's own policy opens private networks, and never what hands out credentials in one of them.
        if is_open(wide, row["value"]):
            assert any(inner in network for network in PRIVATE if network.version == inner.version), row
            assert "metadata" not in row["what"], row
            assert "credentials" not in row["what"], row


PRIVATE = [ipaddress.ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


def is_open(policy: EgressPolicy, address: str) -> bool:
    try:
        policy.check_address(address, 443)
    except AddressRefusedError:
        return False
    return True


class Blind(EgressPolicy):
    """A guard that reads URLs and looks at no socket."""

    def open_socket(self, info: Any, *, to_own: bool = False) -> socket.socket:
        return socket.socket(*info[:3])

    def check_address(self, host: str, port: int, *, to_own: bool = False) -> None:
        pass


@both
@pytest.mark.parametrize("way", [directly, by_a_redirect, by_a_name, by_a_name_that_turns])
def test_the_corpus_finds_a_guard_that_looks_at_no_socket(make, way: Way) -> None:
    rows = [row for row in ROWS if row["kind"] == "address" and row["verdict"] == "refused"]
    called = [said for said in play(make, way, rows, Blind()) if ": called" in said]
    scoped = sum("%" in row["value"] for row in rows)  # these a URL cannot say, so reading alone refuses them
    assert len(called) == len(rows) - scoped * (way in {directly, by_a_redirect})


def test_the_corpus_finds_a_guard_that_trusts_python_alone() -> None:
    """The rows tell a lax guard from ours: what `ipaddress.is_global` calls public among the refused ones."""
    lax = [
        row["value"]
        for row in ROWS
        if row["kind"] == "address" and row["verdict"] == "refused" and ipaddress.ip_address(row["value"]).is_global
    ]
    assert {"168.63.129.16", "64:ff9b::7f00:1", "2001:470:1:2:0:5efe:a9fe:a9fe"} <= set(lax)
