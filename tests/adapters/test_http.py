"""The HTTP client against a real loopback server, over both transports."""
# ruff: noqa: RUF001  the corpus is made of characters that look alike

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chalicelib.adapters.http import HttpClient, client_for_engine, client_for_flows
from chalicelib.adapters.http_guard import EgressPolicy
from chalicelib.errors import (
    AddressRefusedError,
    AnswerTooLargeError,
    CutOffError,
    NotSentError,
    ParameterError,
    TimedOutError,
)
from chalicelib.ports import HttpRequest
from tests.stub import Answer, Stub

LOOPBACK = EgressPolicy(("127.0.0.1/32",))
MAKERS = [client_for_flows, client_for_engine]
both = pytest.mark.parametrize("make", MAKERS, ids=["flows", "engine"])


class Names(AbstractResolver):
    """A resolver that says what it is told, one answer after the other, the last for ever."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = list(hosts)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.hosts.pop(0) if len(self.hosts) > 1 else self.hosts[0]
        return [
            ResolveResult(hostname=host, host=found, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
        ]

    async def close(self) -> None:
        pass


def play(
    scene: Callable[[Stub, HttpClient], Awaitable[None]],
    make: Callable[..., HttpClient],
    policy: EgressPolicy = LOOPBACK,
    **options: object,
) -> None:
    """Run a scene with a stub server and a client, and close both."""

    async def whole() -> None:
        async with Stub() as stub:
            client = make(policy, **options)
            try:
                await asyncio.wait_for(scene(stub, client), 30)
            finally:
                await client.close()

    asyncio.run(whole())


def request(stub: Stub, path: str = "/", method: str = "GET", **rest: object) -> HttpRequest:
    return HttpRequest(method, stub.url + path, **{"timeout_seconds": 10.0, **rest})


@both
def test_an_exchange_carries_exactly_what_it_was_given(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.answer("/a", Answer(201, (("X-One", "1"), ("x-one", "zwö"), ("Set-Cookie", "a=b")), b"\x00body"))
        headers = (("X-Sent", "ü"), ("x-sent", "2"), ("Content-Type", "text/plain"))
        answer = await client.send(request(stub, "/a?b=%2f", "POST", headers=headers, body=b"abc"))
        assert (answer.status, answer.body) == (201, b"\x00body")
        assert answer.headers[:3] == (
            ("x-one", "1"),
            ("x-one", "zwÃ¶".encode("latin-1").decode()),
            ("set-cookie", "a=b"),
        )
        seen = stub.requests[0]
        assert (seen.method, seen.target, seen.body) == ("POST", "/a?b=%2f", b"abc")
        assert [v.encode("latin-1").decode() for k, v in seen.headers if k == "x-sent"] == ["ü", "2"]
        names = {name for name, _ in seen.headers}
        assert names - {"accept-encoding"} == {"host", "x-sent", "content-type", "content-length"}
        assert seen.header("host") == f"127.0.0.1:{stub.port}"

    play(scene, make)


@both
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_goes_out_with_an_empty_body(make, method: str) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(headers=(("content-encoding", "gzip"), ("content-length", "0")))
        for _ in range(2):
            answer = await client.send(request(stub, method=method))
            assert (answer.status, answer.body) == (200, b"")
        assert [seen.method for seen in stub.requests] == [method, method]
        # RFC 9110, 8.6: said where a body is expected; a DELETE may say it.
        said = {"POST": {"0"}, "PUT": {"0"}, "PATCH": {"0"}, "DELETE": {"0", None}}.get(method, {None})
        assert stub.requests[0].header("content-length") in said
        assert stub.connections == 1

    play(scene, make)


@both
def test_a_head_answer_may_announce_a_body_over_the_limit(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(headers=(("content-length", "99999999"),))
        answer = await client.send(request(stub, method="HEAD", limit_bytes=10))
        assert dict(answer.headers)["content-length"] == "99999999"

    play(scene, make)


@both
@pytest.mark.parametrize(
    "path", ["/%7e/%2f//a/../b", "/x?q=%2F+|&r=%3b", "/a;b=%3B", "/?a=1&a=2&b", "/%zz", "/é ü", "/a:b@c"]
)
def test_the_target_arrives_byte_for_byte(make, path: str) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        await client.send(request(stub, path))
        assert stub.requests[0].target == path.replace("é", "%C3%A9").replace(" ", "%20").replace("ü", "%C3%BC")

    play(scene, make)


@both
def test_many_calls_are_in_flight_at_once_and_then_reuse_their_connections(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        gate = asyncio.Event()
        stub.default = Answer(hold=gate)
        calls = [asyncio.create_task(client.send(request(stub))) for _ in range(40)]
        await stub.until_in_flight(40)
        gate.set()
        await asyncio.gather(*calls)
        for _ in range(3):
            await client.send(request(stub))
        assert stub.connections == 40

    play(scene, make)


@both
def test_a_large_body_goes_out_and_comes_back(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        body = bytes(range(256)) * 12_000
        stub.answer("/", lambda seen: Answer(body=seen.body))
        assert (await client.send(request(stub, method="PUT", body=body))).body == body

    play(scene, make)


@both
def test_a_redirect_is_an_answer(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        for status in (301, 302, 303, 307, 308):
            stub.answer("/from", Answer(status, (("Location", f"{stub.url}/to"),)))
            answer = await client.send(request(stub, "/from"))
            assert answer.status == status
        assert stub.seen("/to") == []

    play(scene, make)


@both
def test_cookies_are_not_kept(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(headers=(("Set-Cookie", "session=1; Path=/"),))
        for _ in range(3):
            # By name: jars that keep cookies often ignore bare addresses.
            await client.send(HttpRequest("GET", f"http://localhost:{stub.port}/"))
        assert [seen.header("cookie") for seen in stub.requests] == [None] * 3

    play(scene, make, EgressPolicy(("127.0.0.1/32", "::1/128")))


@both
def test_proxies_and_passwords_of_the_environment_are_not_used(make, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        assert (await client.send(request(stub))).status == 200
        assert stub.requests[0].target == "/"
        assert stub.requests[0].header("authorization") is None

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    play(scene, make)


# --- what happened, honestly


@both
def test_a_refused_connection_was_not_sent(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/private-path?token=secret"
            with pytest.raises(NotSentError) as caught:
                await client.send(HttpRequest("POST", url, body=b"x"))
        assert "secret" not in caught.value.detail
        assert "private-path" not in caught.value.detail

    play(scene, make)


@both
def test_an_unknown_name_was_not_sent(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        with pytest.raises(NotSentError, match="name is not known"):
            await client.send(HttpRequest("GET", "http://does-not-exist.invalid/"))

    play(scene, make)


@both
def test_a_connection_that_is_never_accepted_was_not_sent(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        # A listener whose queue is full answers no further SYN; the connections that fill it stay open meanwhile.
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}/"
            with pytest.raises(NotSentError, match="no connection within"):
                await client.send(HttpRequest("POST", url, body=b"x", timeout_seconds=0.2))
            with pytest.raises(NotSentError, match="no connection within"):
                await client.send(HttpRequest("POST", url, body=b"x"))
            for filler in fillers:
                filler.close()

    play(scene, make, connect_seconds=0.3)


@both
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("cut", ["before", "headers", "body"])
def test_a_cut_connection_is_unknown_and_nothing_is_sent_twice(make, method: str, cut) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.answer("/", Answer(), Answer(body=b"0123456789", cut=cut))
        await client.send(request(stub, method=method, body=b"x"))  # so that the second goes over a kept connection
        with pytest.raises(CutOffError):
            await client.send(request(stub, method=method, body=b"x"))
        assert len(stub.requests) == 2

    play(scene, make)


@both
def test_a_connection_that_the_server_dropped_while_idle_is_not_used_again(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        for _ in range(5):
            await client.send(request(stub, method="POST", body=b"x"))
            await stub.drop_connections()
            for _ in range(3):
                await asyncio.sleep(0)  # the two turns of the loop that the front door grants after a freeze, and one
        assert len(stub.requests) == stub.connections == 5

    play(scene, make)


@both
def test_forgotten_connections_are_made_anew(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        await client.send(request(stub))
        await client.forget_connections()
        await client.send(request(stub))
        assert stub.connections == 2

    play(scene, make)


@both
def test_an_answer_that_does_not_come_is_timed_out(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(hold=asyncio.Event())
        with pytest.raises(TimedOutError, match="unknown"):
            await client.send(request(stub, method="POST", body=b"x", timeout_seconds=0.2))
        assert len(stub.requests) == 1

    play(scene, make)


@both
def test_a_cancelled_call_leaves_nothing_for_the_next_one(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        gate = asyncio.Event()
        stub.answer("/slow", Answer(hold=gate, body=b"slow"))
        stub.answer("/next", Answer(body=b"next"))
        call = asyncio.create_task(client.send(request(stub, "/slow")))
        await stub.until_in_flight(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        gate.set()
        assert (await client.send(request(stub, "/next"))).body == b"next"
        assert stub.connections == 2

    play(scene, make)


@both
def test_a_body_that_drips_is_cut_by_the_deadline_of_the_whole(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(body=b"x" * 10_000, drip=0.01)
        with pytest.raises(TimedOutError):
            await client.send(request(stub, timeout_seconds=0.3))
        stub.default = Answer()
        assert (await client.send(request(stub))).status == 200  # and the spoilt connection was not kept
        assert stub.connections == 2

    play(scene, make)


@both
@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_is_not_http_is_cut_off(make, raw: bytes) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(raw=raw)
        with pytest.raises(CutOffError):
            await client.send(request(stub))

    play(scene, make)


@both
def test_headers_without_end_are_too_large(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(headers=(("x-long", "x" * 200_000),))
        with pytest.raises(AnswerTooLargeError):
            await client.send(request(stub))
        stub.default = Answer(headers=tuple((f"x-{n}", "y" * 300) for n in range(1000)))
        with pytest.raises((AnswerTooLargeError, CutOffError)):
            await client.send(request(stub))

    play(scene, make)


@both
def test_interim_answers_are_passed_over(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(
            raw=b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        )
        assert (await client.send(request(stub))).body == b"ok"

    play(scene, make)


# --- sizes


@both
def test_an_answer_over_the_limit_is_refused_and_one_at_the_limit_is_not(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(body=b"x" * 1000)
        assert len((await client.send(request(stub, limit_bytes=1000))).body) == 1000
        with pytest.raises(AnswerTooLargeError, match="999 bytes"):
            await client.send(request(stub, limit_bytes=999))
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (1000, b"y" * 1000)
        stub.default = Answer(headers=(("transfer-encoding", "chunked"),), body=chunked)
        assert len((await client.send(request(stub, limit_bytes=1000))).body) == 1000
        with pytest.raises(AnswerTooLargeError):
            await client.send(request(stub, limit_bytes=999))

    play(scene, make)


@both
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "raw deflate", "members"])
def test_a_compressed_answer_is_handed_over_decompressed(make, coding: str) -> None:
    plain = bytes(range(256)) * 2000
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(plain),
        "x-gzip": gzip.compress(plain),
        "deflate": zlib.compress(plain),
        "raw deflate": raw.compress(plain) + raw.flush(),
        "members": gzip.compress(plain[:7]) + gzip.compress(b"") + gzip.compress(plain[7:]) + b"\0\0",
    }[coding]
    name = {"raw deflate": "deflate", "members": "gzip"}.get(coding, coding)

    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(headers=(("Content-Encoding", name), ("x-kept", "1")), body=packed)
        answer = await client.send(request(stub, limit_bytes=len(plain)))
        assert answer.body == plain
        assert answer.headers == (("x-kept", "1"),)
        with pytest.raises(AnswerTooLargeError):
            await client.send(request(stub, limit_bytes=len(plain) - 1))

    play(scene, make)


@both
@pytest.mark.parametrize(("coding", "bits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_a_bomb_costs_the_limit_and_nothing_beyond(make, coding: str, bits: int) -> None:
    import tracemalloc

    bomb = zlib.compressobj(9, wbits=bits)
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(200)) + bomb.flush()
    assert len(packed) < 300_000

    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(headers=(("content-encoding", coding),), body=packed)
        await client.send(request(stub, "/warm", method="HEAD"))
        tracemalloc.start()
        with pytest.raises(AnswerTooLargeError):
            await client.send(request(stub, limit_bytes=1_000_000))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8_000_000

    play(scene, make)


@both
def test_compressed_data_that_never_becomes_anything_is_cut_at_the_limit(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        stub.default = Answer(headers=(("content-encoding", "gzip"),), body=gzip.compress(b"") * 20_000)
        with pytest.raises(AnswerTooLargeError):
            await client.send(request(stub, limit_bytes=1000))

    play(scene, make)


@both
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_damaged_or_shortened_compressed_data_is_cut_off(make, coding: str) -> None:
    packed = gzip.compress(b"hello" * 100) if coding == "gzip" else zlib.compress(b"hello" * 100)

    async def scene(stub: Stub, client: HttpClient) -> None:
        for body in (packed[:-4], b"\xff" * 40, packed[:15] + b"\xff\xff" + packed[17:]):
            stub.default = Answer(headers=(("content-encoding", coding),), body=body)
            with pytest.raises(CutOffError, match="compressed body"):
                await client.send(request(stub))

    play(scene, make)


@both
def test_a_coding_that_we_do_not_know_is_handed_over_as_it_came(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        for coding in ("br", "zstd", "identity", "aws-chunked"):
            stub.default = Answer(headers=(("content-encoding", coding),), body=b"opaque")
            answer = await client.send(request(stub))
            assert (answer.body, dict(answer.headers)["content-encoding"]) == (b"opaque", coding)

    play(scene, make)


@both
def test_a_body_that_is_compressed_twice_is_refused_however_that_is_said(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        twice = gzip.compress(gzip.compress(b"x"))
        for said in (("gzip, gzip",), ("gzip", "gzip"), ("deflate", "identity, gzip"), ("br", "gzip")):
            stub.default = Answer(headers=tuple(("Content-Encoding", each) for each in said), body=twice)
            with pytest.raises(CutOffError, match="more than once"):
                await client.send(request(stub))

    play(scene, make)


# --- what must not go out


@both
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "1\r\nX-B: 2"),
        ("X-A", "1\nX-B: 2"),
        ("X-A", "1\r"),
        ("X-A", "\x00"),
        ("X-A", "half \ud800"),
        ("X-A\r\nX-B", "1"),
        ("X A", "1"),
        ("X-A:", "1"),
        ("", "1"),
        ("X-Ä", "1"),
        ("Transfer-Encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("Connection", "close"),
        ("Expect", "100-continue"),
        ("Upgrade", "h2c"),
        ("TE", "trailers"),
        ("Content-Length", "4"),
        ("Host", "other.example"),
        ("Proxy-Authorization", "x"),
    ],
)
def test_a_header_that_could_say_more_than_itself_is_refused(make, name: str, value: str) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        with pytest.raises(ParameterError):
            await client.send(request(stub, method="POST", headers=((name, value),), body=b"abc"))
        assert stub.connections == 0

    play(scene, make)


@both
def test_too_many_headers_or_too_much_in_them_is_refused(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        for headers in (tuple((f"x-{n}", "1") for n in range(101)), (("x-a", "x" * 66_000),)):
            with pytest.raises(ParameterError):
                await client.send(request(stub, headers=headers))
        assert stub.connections == 0

    play(scene, make)


@both
@pytest.mark.parametrize("method", ["GET /other HTTP/1.1\r\n", "", "GE T", "CONNECT", "connect", "PÖST"])
def test_a_method_that_is_not_a_word_is_refused(make, method: str) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        with pytest.raises(ParameterError):
            await client.send(request(stub, method=method))
        assert stub.connections == 0

    play(scene, make)


# --- TLS


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Callable[[], ssl.SSLContext]]:
    """A server's context with a certificate for one name, and the maker of a client's context that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(plain + made.public_bytes(Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, lambda: ssl.create_default_context(cafile=str(pem))


@both
@pytest.mark.parametrize(("name", "is_trusted"), [("localhost", True), ("localhost", False), ("other.example", True)])
def test_a_certificate_must_be_trusted_and_name_the_host(make, tmp_path: Path, name: str, is_trusted) -> None:
    server, trust = certificate(tmp_path, name)

    async def whole() -> None:
        async with Stub(tls=server) as stub:
            client = make(EgressPolicy(("127.0.0.1/32", "::1/128")), **({"tls": trust} if is_trusted else {}))
            sent = HttpRequest("POST", f"{stub.url}/a", body=b"x")
            if name == "localhost" and is_trusted:
                for _ in range(2):
                    assert (await client.send(sent)).status == 200
                assert stub.connections == 1
                assert stub.requests[0].header("host") == f"localhost:{stub.port}"
            else:
                with pytest.raises(NotSentError, match="certificate is not valid"):
                    await client.send(sent)
                assert stub.requests == []
            await client.close()

    asyncio.run(whole())


# --- addresses


SPELLINGS = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "127.0.0.1%00",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "0x0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "sub.localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[::ffff:0:127.0.0.1]",
    "[fe80::1%25lo]",
    "[::1%25lo]",
    "[fe80::1%lo]",
    "１２７.０.０.１",
    "127。0。0。1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "127%2e0%2e0%2e1",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[fe80::a9fe:a9fe]",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "2852039166",
    "0xa9fea9fe",
    "metadata.google.internal.",
    "example.com@127.0.0.1",
    "127.0.0.1\\@example.com",
]


@both
def test_no_spelling_of_a_private_address_connects(make) -> None:
    async def scene(stub: Stub, client: HttpClient) -> None:
        assert len(SPELLINGS) >= 37
        for host in SPELLINGS:
            with pytest.raises((AddressRefusedError, NotSentError)):
                await client.send(HttpRequest("GET", f"http://{host}:{stub.port}/", timeout_seconds=5))
        assert stub.connections == 0

    play(scene, make, EgressPolicy(), connect_seconds=1.0)


def test_no_spelling_connects_even_where_only_the_socket_is_asked() -> None:
    """The second gate alone: the URL's own check is bypassed by a resolver that answers with each spelling."""

    async def scene(stub: Stub, _: HttpClient) -> None:
        for spelling in (*(host.strip("[]") for host in SPELLINGS), "::1%lo", "fe80::1%1"):
            client = client_for_flows(EgressPolicy(), resolver=Names(spelling))
            with pytest.raises(AddressRefusedError):
                await client.send(HttpRequest("GET", f"http://public.example:{stub.port}/", timeout_seconds=5))
            await client.close()
        assert stub.connections == 0

    play(scene, client_for_flows)


def test_a_name_that_changes_its_address_is_refused_at_the_second_connection() -> None:
    async def scene(stub: Stub, _: HttpClient) -> None:
        client = client_for_flows(LOOPBACK, resolver=Names("127.0.0.1", "127.0.0.2"))
        url = f"http://rebinding.example:{stub.port}/"
        assert (await client.send(HttpRequest("GET", url))).status == 200
        assert stub.requests[0].header("host") == f"rebinding.example:{stub.port}"
        await client.forget_connections()
        with pytest.raises(AddressRefusedError):
            await client.send(HttpRequest("GET", url))
        await client.close()
        assert stub.connections == 1

    play(scene, client_for_flows)


def test_a_name_with_one_private_address_among_public_ones_is_refused_there() -> None:
    class Two(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            return [r for name in ("127.0.0.1", "127.0.0.3") for r in await Names(name).resolve(host, port, family)]

    async def scene(stub: Stub, _: HttpClient) -> None:
        client = client_for_flows(EgressPolicy(("127.0.0.3/32",)), resolver=Two("x"))
        with pytest.raises(AddressRefusedError):
            await client.send(HttpRequest("GET", f"http://two.example:{stub.port}/"))
        await client.close()
        assert stub.connections == 0

    play(scene, client_for_flows)
