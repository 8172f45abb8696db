"""What a plugin may ask of its host: each thing by its grant, bounded, and in the words of the page alone."""

import asyncio
import base64
import logging

import pytest

from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.errors import BodyTooLargeError, CutOffError, NotSentError, PenstockError
from chalicelib.ports import HttpAnswer
from chalicelib.ports.plugins import Sent
from chalicelib.sandbox.manifest import Asks
from chalicelib.worker.plugin_host import (
    MOST_KEYS,
    BadCallError,
    HostNotGrantedError,
    KeyValueFullError,
    NotGrantedError,
    PluginHost,
    forget_space,
)

ALL = Asks(("a.example", "*.b.example", "c.example:8443"), kv=True, log=True)


class Http:
    def __init__(self, answer=None):
        self.answer = answer or HttpAnswer(200, (("x", "1"), ("x", "2")), b"hi")
        self.sent = []

    async def send(self, request):
        self.sent.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def with_host(story, granted=ALL, *, plugin="geo", tenant="main", documents=None, http=None):
    """Run a story with a host; what it sent."""
    sent = Sent()

    async def told():
        host = PluginHost(
            *(tenant, plugin, granted, sent),
            http=http or Http(),
            documents=documents or MemoryDocuments(),
            mask=lambda text: text.replace("hunter2", "***"),
            seconds=5,
        )
        return await story(host)

    return asyncio.run(told()), sent.word


def asked(method, what, **options):
    return with_host(lambda host: getattr(host, method)(what), **options)[0]


@pytest.mark.parametrize("method", ["http", "kv"])
def test_without_the_grant_nothing_is_looked_at(method):
    with pytest.raises(NotGrantedError):
        asked(method, {"do": "nonsense"}, granted=Asks())


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://a.example/x", True),
        ("https://A.EXAMPLE/x", True),
        ("https://a.example:8443/", True),
        ("https://x.b.example/", True),
        ("https://c.example:8443/", True),
        ("https://c.example/", False),
        ("https://b.example/", False),
        ("https://xa.example/", False),
        ("https://a.example.evil.example/", False),
        ("http://169.254.169.254/latest", False),
        ("https://a.example@evil.example/", None),
        ("https://evil.example\\@a.example/", None),
        ("ftp://a.example/", None),
        ("//a.example/", None),
        ("https://a.example/\r\nx: y", None),
        ("", None),
    ],
)
def test_a_request_goes_to_the_granted_hosts_alone(url, may):
    http = Http()
    if may:
        assert asked("http", {"url": url}, http=http) == {"status": 200, "headers": {"x": "1, 2"}, "body": "hi"}
        assert [request.url for request in http.sent] == [url]
        return
    with pytest.raises(HostNotGrantedError if may is False else BadCallError):
        asked("http", {"url": url}, http=http)
    assert http.sent == []


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"url": 1},
        {"url": "https://a.example/", "method": "CONNECT"},
        {"url": "https://a.example/", "method": ["GET"]},
        {"url": "https://a.example/", "headers": []},
        {"url": "https://a.example/", "headers": {"a": 1}},
        {"url": "https://a.example/", "headers": {"Host": "evil.example"}},
        {"url": "https://a.example/", "headers": {"transfer-encoding": "chunked"}},
        {"url": "https://a.example/", "body": {}},
        {"url": "https://a.example/", "body": "a", "body_base64": "YQ=="},
        {"url": "https://a.example/", "body_base64": "not base64"},
        {"url": "https://a.example/", "credential": "stripe_live"},
    ],
)
def test_a_request_in_other_words_is_refused_and_not_sent(said):
    http = Http()
    with pytest.raises(BadCallError):
        asked("http", said, http=http)
    assert http.sent == []


def test_bytes_go_and_come_as_base64_and_a_body_has_its_limit():
    http = Http(HttpAnswer(500, (), b"\xff\x00"))
    answer = asked("http", {"url": "https://a.example/", "method": "POST", "body_base64": "/wA="}, http=http)
    assert answer == {"status": 500, "headers": {}, "body_base64": base64.b64encode(b"\xff\x00").decode()}
    assert http.sent[0].body == b"\xff\x00"
    with pytest.raises(BodyTooLargeError):
        asked("http", {"url": "https://a.example/", "body": "x" * 1_000_001})


@pytest.mark.parametrize(
    ("answer", "word"),
    [(None, "answered"), (NotSentError("no"), "no"), (CutOffError("cut"), "maybe")],
)
def test_what_was_sent_is_known_whatever_the_plugin_makes_of_it(answer, word):
    async def story(host):
        try:
            await host.http({"url": "https://a.example/"})
        except PenstockError as error:
            return error.code
        return None

    assert with_host(story, http=Http(answer))[1] == word


def test_a_space_holds_so_many_keys_and_no_more():
    documents = MemoryDocuments()

    async def story(host):
        for number in range(MOST_KEYS):
            assert await host.kv({"do": "put", "key": f"k{number}", "value": number}) is False
        with pytest.raises(KeyValueFullError):
            await host.kv({"do": "put", "key": "one-more", "value": 1})
        assert await host.kv({"do": "put", "key": "k7", "value": "again"}) is True
        assert await host.kv({"do": "delete", "key": "k7"}) is True
        assert await host.kv({"do": "delete", "key": "k7"}) is False
        assert await host.kv({"do": "put", "key": "one-more", "value": 1}) is False

    with_host(story, documents=documents)
    asyncio.run(forget_space(documents, "main", "geo"))
    assert asyncio.run(documents.page("main", "plugin_kv")) == []
    assert asked("kv", {"do": "list"}, documents=documents) == []


def test_keys_are_listed_in_order_by_prefix_and_in_pages():
    documents = MemoryDocuments()

    async def story(host):
        for key in ("a", "ab", "ab/c", "b", "~"):
            await host.kv({"do": "put", "key": key, "value": None})
        assert await host.kv({"do": "list"}) == ["a", "ab", "ab/c", "b", "~"]
        assert await host.kv({"do": "list", "prefix": "ab"}) == ["ab", "ab/c"]
        assert await host.kv({"do": "list", "prefix": "ab", "after": "ab"}) == ["ab/c"]
        assert await host.kv({"do": "list", "after": "ab", "limit": 2}) == ["ab/c", "b"]
        assert await host.kv({"do": "list", "prefix": "ab", "limit": 1}) == ["ab"]

    with_host(story, documents=documents)
    for other in ({"plugin": "ge"}, {"plugin": "geo_"}, {"tenant": "other"}):
        assert asked("kv", {"do": "list"}, documents=documents, **other) == []
        assert asked("kv", {"do": "get", "key": "a"}, documents=documents, **other) is None


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"do": "drop"},
        {"do": "get"},
        {"do": "get", "key": 1},
        {"do": "get", "key": ""},
        {"do": "get", "key": "a b"},
        {"do": "get", "key": "ü"},
        {"do": "get", "key": "k" * 201},
        {"do": "get", "key": "a", "tenant": "other"},
        {"do": "put", "key": "a"},
        {"do": "put", "key": "a", "value": "x" * 100_001},
        {"do": "list", "limit": 0},
        {"do": "list", "limit": 101},
        {"do": "list", "limit": True},
        {"do": "list", "prefix": 1},
        {"do": "list", "prefix": "a b"},
        {"do": "list", "kind": "credential"},
    ],
)
def test_an_operation_in_other_words_is_refused(said):
    with pytest.raises(BadCallError):
        asked("kv", said)


def test_a_line_is_one_line_without_secrets_and_nothing_without_the_grant(caplog):
    async def story(host):
        host.log(2, "a hunter2\nERROR forged \x1b[31m")
        host.log(99, "loud")

    with caplog.at_level(logging.DEBUG, "penstock.plugins"):
        with_host(story)
        assert [record.getMessage() for record in caplog.records] == [
            "plugin geo: a *** ERROR forged  [31m",
            "plugin geo: loud",
        ]
        assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR]
        caplog.clear()
        with_host(story, granted=Asks(kv=True))
        assert caplog.records == []
