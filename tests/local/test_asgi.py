"""The border to HTTP, over real sockets: what is too large, what is no text, who hangs up."""

import json
import socket
import threading

import pytest

from tests.dev_server import dev_server
from tests.stub import Answer, Seen, stub_in_thread

FLOWS = """
flow: border
inputs: {body: {optional: true}, query: {type: object}}
triggers:
  echo: {uses: webhook, verify: none, respond: result, inputs: &MAPPED}
  file: {uses: webhook, verify: none, respond: step, inputs: &MAPPED}
  small: {uses: webhook, verify: none, respond: result, with: {limit_bytes: 10}, inputs: &MAPPED}
  slow: {uses: webhook, verify: none, respond: result, inputs: &MAPPED}
  look: {uses: webhook, verify: none, respond: result, with: {method: [GET, DELETE]}, inputs: &MAPPED}
steps:
  which: {uses: switch, with: {cases: {file: "${ trigger.name = 'file' }", slow: "${ trigger.name = 'slow' }"}}}
  call: {uses: http.request, after: which.slow, with: {method: POST, url: "${ inputs.body }"}}
  give: {uses: respond, after: which.file, with: {status: 201, headers: {x-flow: "1"}, file: "${ inputs.body }"}}
output: {body: "${ inputs.body }", query: "${ inputs.query }"}
""".replace("&MAPPED", '{body: "${ trigger.body }", query: "${ trigger.query }"}')
MEGABYTE = 1_000_000
"""The deployment's limit."""


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    place = tmp_path_factory.mktemp("border")
    (place / "flows").mkdir()
    (place / "flows" / "border.yaml").write_text(FLOWS)
    with dev_server(place / "flows", place / "penstock" / "store.db", "--allow-private", "127.0.0.1/32") as server:
        yield server
        assert server.stop() == 0
        assert "Traceback" not in server.errors


def path_of(dev, trigger: str) -> str:
    triggers = {each["id"]: each["url"] for each in dev.situation["flows"][0]["triggers"]}
    return triggers[trigger].removeprefix(dev.url)


class Wire:
    """A connection, byte by byte."""

    def __init__(self, dev) -> None:
        host, _, port = dev.url.removeprefix("http://").partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """One answer: status, headers, body."""
        status = int(self.reader.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self.reader.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(": ")
            headers[name] = value
        length = int(headers.get("content-length", 0)) if has_body else 0
        return status, headers, self.reader.read(length)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost"]
    if body:
        lines.append(f"content-length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def exchange(dev, data: bytes, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
    with Wire(dev) as wire:
        wire.send(data)
        return wire.read(has_body=has_body)


def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(dev):
    with Wire(dev) as wire:
        wire.send(request("POST", path_of(dev, "echo"), content_length=str(10**12), content_type="application/json"))
        status, headers, body = wire.read()
        assert (status, headers["content-type"]) == (413, "application/problem+json")
        assert json.loads(body)["code"] == "body_too_large"


def test_a_body_of_unknown_length_is_read_up_to_the_limit_and_no_further(dev):
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with Wire(dev) as wire:
        wire.send(request("POST", path_of(dev, "echo"), transfer_encoding="chunked", content_type="text/plain"))
        for _ in range(MEGABYTE // 65536 + 1):  # over the limit, and without an end
            wire.send(chunk)
        status, _, body = wire.read()
        assert (status, json.loads(body)["code"]) == (413, "body_too_large")


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(dev):
    whole = b'"' + b"a" * (MEGABYTE - 2) + b'"'
    status, _, body = exchange(dev, request("POST", path_of(dev, "echo"), whole, content_type="application/json"))
    assert (status, len(json.loads(body)["body"])) == (200, MEGABYTE - 2)
    status, _, body = exchange(
        dev, request("POST", path_of(dev, "echo"), whole + b" ", content_type="application/json")
    )
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")


def test_a_trigger_may_take_less_than_the_deployment(dev):
    status, _, body = exchange(dev, request("POST", path_of(dev, "small"), b'"12345678"', content_type="text/json"))
    assert (status, json.loads(body)["body"]) == (200, "12345678")
    status, _, body = exchange(dev, request("POST", path_of(dev, "small"), b'"123456789"', content_type="text/json"))
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_utf_8_is_refused_by_name(dev, content_type):
    data = request("POST", path_of(dev, "echo"), b'"caf\xe9"', content_type=content_type)
    status, _, body = exchange(dev, data)
    if content_type == "application/x-www-form-urlencoded":
        assert status in {200, 400}
    else:
        assert (status, json.loads(body)["code"]) == (400, "body_unreadable")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"{", "body_unreadable"),
        (b"[" * 100_000, "body_unreadable"),
        (b'{"a": 1, "a": 2}', ""),
        (b'"\\ud800"', ""),
        (b"123456789012345678901234567890", ""),
        (b"NaN", "body_unreadable"),
        (b"1e999", "body_unreadable"),
    ],
)
def test_strange_json_is_answered_and_the_server_stays_up(dev, sent, code):
    status, _, body = exchange(dev, request("POST", path_of(dev, "echo"), sent, content_type="application/json"))
    answer = json.loads(body)
    assert status in ({400} if code else {200, 400}), answer
    assert not code or answer["code"] == code
    if sent.isdigit():
        assert (status, answer["body"]) == (200, int(sent))
    assert exchange(dev, request("GET", "/api/v1/health"))[0] == 200


def test_head_is_get_without_its_body(dev):
    for path in ("/", "/api/v1/health", "/api/v1/openapi.json", "/api/v1/flows"):
        status, headers, whole = exchange(dev, request("GET", path))
        with Wire(dev) as wire:
            wire.send(request("HEAD", path) + request("GET", "/api/v1/health"))
            head = wire.read(has_body=False)
            assert (head[0], head[1]["content-length"]) == (status, str(len(whole))), path
            assert head[1]["content-type"] == headers["content-type"]
            assert wire.read()[2] == b'{"status":"ok"}'  # nothing of a body lies between the two answers


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*", "image/png;q=0", ""])
def test_bytes_come_back_as_they_are_whatever_is_accepted(dev, accept):
    sent = bytes(range(256)) * 3
    data = request("POST", path_of(dev, "file"), sent, content_type="image/png", accept=accept)
    status, headers, body = exchange(dev, data)
    assert (status, headers["content-type"], headers["x-flow"]) == (201, "image/png", "1")
    assert body == sent


def started(dev) -> list[object]:
    """The bodies that executions were started with, newest first."""
    page = dev.ask("GET", "/executions", params={"limit": "100"}).json()
    return [dev.ask("GET", f"/executions/{each['id']}").json()["document"]["body"] for each in page["items"]]


def test_whoever_hangs_up_half_way_starts_nothing(dev):
    before = started(dev)
    with Wire(dev) as wire:
        wire.send(
            request("POST", path_of(dev, "echo"), content_length="1000", content_type="application/json") + b'{"a'
        )
    with Wire(dev) as wire:
        wire.send(b"POST /hooks/border/echo HTTP/1.1\r\nhost: h")
    assert exchange(dev, request("POST", path_of(dev, "echo"), b'"next"', content_type="text/json"))[0] == 200
    assert started(dev)[: len(started(dev)) - len(before)] == ["next"]


def test_an_execution_goes_on_though_nobody_waits_for_its_answer_any_more(dev):
    gate = threading.Event()

    def answer(_: Seen) -> Answer:
        gate.wait(60)
        return Answer()

    with stub_in_thread() as stub:
        stub.answer("/held", answer)
        with Wire(dev) as wire:
            body = json.dumps(f"{stub.url}/held").encode()
            wire.send(request("POST", path_of(dev, "slow"), body, content_type="application/json"))
            dev.until(lambda: stub.in_flight, "the step's call")
        gate.set()
        newest = dev.ask("GET", "/executions").json()["items"][0]
        dev.until(lambda: dev.ask("GET", f"/executions/{newest['id']}").json()["status"] == "succeeded", "its end")


def test_what_is_no_http_is_refused_and_the_server_stays_up(dev):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with Wire(dev) as wire:
            wire.send(data)
            assert b" 400 " in wire.reader.readline()
    double = request("POST", path_of(dev, "echo"), b"{}", content_type="application/json", Content_Length="3")
    with Wire(dev) as wire:
        wire.send(double)
        assert b" 400 " in wire.reader.readline()


def test_a_hook_answers_the_methods_it_names_and_no_other(dev):
    status, _, body = exchange(dev, request("GET", path_of(dev, "look") + "?a=%C3%BC&a=2&b=1"))
    assert (status, json.loads(body)["query"]) == (200, {"a": "ü", "b": "1"})
    for method in ("POST", "HEAD", "PATCH"):
        status, headers, _ = exchange(dev, request(method, path_of(dev, "look")), has_body=False)
        assert (status, headers["allow"].startswith("GET, DELETE")) == (405, True), method


def test_a_websocket_is_not_spoken_here(dev):
    upgrade = request(
        "GET",
        "/api/v1/health",
        connection="Upgrade",
        upgrade="websocket",
        sec_websocket_key="x",
        sec_websocket_version="13",
    )
    assert exchange(dev, upgrade)[0] == 200
