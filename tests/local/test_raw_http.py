"""What comes over the socket may be anything: there is an answer or an end, and the server stays up."""

import random

import httpx
import pytest

from tests.dev_server import dev_server
from tests.local.raw_http import BAD, GOOD, broken, heard

FLOW = "flow: echo\ntriggers:\n  placed: {uses: webhook, verify: none}\nsteps:\n  note: {uses: set, with: {value: 1}}\n"
RANDOM = 200


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    flows = folder / "flows"
    flows.mkdir()
    (flows / "echo.yaml").write_text(FLOW)
    with dev_server(flows, folder / "data" / "store.db") as dev:
        yield dev


def is_up(dev):
    with httpx.Client(trust_env=False, timeout=30) as client:
        return dev.process.poll() is None and client.get(f"{dev.url}/api/v1/health").json() == {"status": "ok"}


@pytest.mark.parametrize("content", GOOD, ids=range(len(GOOD)))
def test_what_is_well_formed_is_answered(server, content):
    head, host, rest = content.rpartition(b"Host: localhost\r\n")
    found = heard(server.url, head + host + b"Connection: close\r\n" + rest, is_half_closed=False)
    assert found.is_closed
    assert len(found.statuses) == content.count(b"HTTP/1.1")
    assert max(found.statuses) < 500


@pytest.mark.parametrize("what", BAD)
def test_whatever_is_sent_is_answered_or_ended(server, what):
    found = heard(server.url, BAD[what])
    assert found.is_closed
    assert all(status < 500 for status in found.statuses), found.content[:300]
    assert is_up(server)


def test_requests_after_each_other_get_their_answers_in_order(server):
    one = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    other = b"GET /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = other.replace(b"Host", b"Connection: close\r\nHost")
    found = heard(server.url, (one + other) * 9 + one + last, is_half_closed=False)
    assert found.statuses == [200, 401] * 10


def test_a_length_and_chunks_together_smuggle_no_second_request(server):
    """RFC 9112 section 6.3: whoever reads the one and not the other would see another request behind it."""
    found = heard(server.url, BAD["a length and chunks"])
    assert found.statuses[:1] == [400]
    assert len(found.statuses) == 1


def test_random_bytes_between_requests_never_bring_it_down(server, record_property):
    dice = random.Random(0)
    answers: dict[str, int] = {}
    for number in range(RANDOM):
        content = broken(dice)
        found = heard(server.url, content)
        assert found.is_closed, (number, content[:300])
        assert all(status < 500 for status in found.statuses), (number, content[:300], found.content[:300])
        kind = str(found.statuses[0]) if found.statuses else "ended"
        answers[kind] = answers.get(kind, 0) + 1
    assert is_up(server)
    assert {"200", "400"} <= set(answers)
    assert "Traceback" not in server.errors
    record_property("covered", f"raw HTTP: {len(BAD) + RANDOM} broken requests, {answers}")
