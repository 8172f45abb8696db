"""The names that the embedded server answers to: a stranger's name is not among them, wherever it leads."""

from pathlib import Path

import httpx
import pytest

from chalicelib.errors import UsageError
from chalicelib.local.hosts import Hosts
from chalicelib.local.server import DevSettings, hosts_of
from tests.cli.calling import GOOD, penstock, write
from tests.dev_server import dev_server


@pytest.mark.parametrize(
    "header",
    ["localhost", "localhost:8700", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]:8700"],
)
def test_the_loopback_is_meant_by_its_names_and_addresses(header):
    assert Hosts().answers_to(header)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "evil.example",
            "evil.example:8700",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io",
        ),
        *("localhost@evil.example", "evil.example@localhost", "localhost/x", "//localhost", "[", "[::1", "[::1]x:a"),
        *("192.168.1.7", "8.8.8.8", "[2001:db8::1]", "0.0.0.0", "[::]", "localhost, evil.example", "local host"),
        *("2130706433", "0x7f000001", "127.1", "::ffff:127.0.0.1.evil.example"),
    ],
)
def test_every_other_name_is_foreign(header):
    assert not Hosts().answers_to(header)


def test_an_open_server_answers_to_any_address_and_to_no_name_it_was_not_told():
    hosts = Hosts(["box.lan"], is_open=True)
    for header in ("192.168.1.7:8700", "[2001:db8::1]", "box.lan", "BOX.LAN:80", "localhost"):
        assert hosts.answers_to(header), header
    for header in ("evil.example", "box.lan.evil.example", "sub.box.lan"):
        assert not hosts.answers_to(header), header


def settings(**given):
    return DevSettings(Path("flows"), Path("store.db"), {}, **given)


def test_the_names_are_those_of_the_url_and_those_that_are_listed():
    hosts = hosts_of(settings(url="https://tunnel.example:8443/x", allow_hosts=("box.lan", "https://other.example")))
    assert all(hosts.answers_to(name) for name in ("tunnel.example", "box.lan", "other.example:1", "127.0.0.1"))
    assert not hosts.answers_to("192.168.1.7")
    assert hosts_of(settings(host="box.lan")).answers_to("box.lan")
    assert hosts_of(settings(host="0.0.0.0")).answers_to("192.168.1.7")
    assert not hosts_of(settings(host="0.0.0.0")).answers_to("evil.example")


@pytest.mark.parametrize("name", ["", "*", "*.example", "http://", "[", ":80"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(UsageError):
        Hosts([name])


def test_a_name_that_is_none_ends_the_start(tmp_path):
    said = penstock("dev", "--flows", write(tmp_path / "flows", greet=GOOD), "--allow-host", "*")
    assert said.code == 2
    assert "no name of a host" in said.err


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    place = tmp_path_factory.mktemp("hosts")
    folder = write(place / "flows", greet=GOOD)
    with dev_server(folder, place / "penstock" / "store.db", "--allow-host", "box.lan") as server:
        yield server


@pytest.mark.parametrize("path", ["/", "/api/v1/health", "/api/v1/flows", "/hooks/greet/by_hand", "/nowhere"])
def test_a_request_in_a_strangers_name_is_refused_whatever_it_asks_for(dev, path):
    with httpx.Client(trust_env=False) as client:
        for name in ("evil.example", "evil.example:80"):
            answer = client.get(f"{dev.url}{path}", headers={**dev.authorization, "host": name})
            assert (answer.status_code, answer.json()["code"]) == (421, "host_unknown")
            assert "evil" not in answer.text
        assert client.get(f"{dev.url}{path}", headers={**dev.authorization, "host": "box.lan"}).status_code != 421
        assert client.get(f"{dev.url}{path}", headers=dev.authorization).status_code != 421


def test_it_listens_on_the_loopback_unless_it_is_told_otherwise(dev):
    assert DevSettings(Path(), Path(), {}).host == "127.0.0.1"
    assert dev.url.startswith("http://127.0.0.1:")
