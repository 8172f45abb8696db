"""Parsers of what we wrote ourselves, and may find damaged: messages, facts, records, links, cursors, settings."""

import base64
import json
from importlib import import_module
from typing import Any, Final

from chalicelib.errors import LinkWrongError, StoreError, UsageError
from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, object_of, text_of, value_of

_ID: Final = "01h" + "0" * 23
_BIRTH: Final = {
    "flow": "shop", "version": "v" * 64, "trigger": "placed", "started": 1, "input_pack": "", "input_hash": "",
    "deadline": 0, "parent": "", "retry_of": "", "keyed": True, "depth": 0, "lanes": ["a"],
}  # fmt: skip
_PLACE: Final = {"v": 1, "tenant": "main", "execution": _ID}
MESSAGES: Final = (
    {**_PLACE, "kind": "start", "birth": _BIRTH, "born": 1795158000000, "input": '{"inputs":{}}'},
    {**_PLACE, "kind": "go", "epoch": 0, "steps": ["a", "b"]},
    {**_PLACE, "kind": "resume", "epoch": 2},
    {**_PLACE, "kind": "chunk", "epoch": 0, "step": "each", "index": 3},
    {**_PLACE, "kind": "tick", "flow": "shop", "trigger": "nightly", "at": 1795158000000},
)
_FACTS: Final = (
    *(
        "c|0001795158000|token|1|boot",
        "r|1795158000|2|http_500|p1",
        "w|approval|1795158000|1795157000|x|p",
        "s|1795158000|p2",
    ),
    *(
        "m|0|1",
        "l|1795158000|1|0",
        "n|3",
        "dkf12oi4k|p1|#3",
        "w|wait|1|2",
        "dkf12oi4k|p1|F|error|2",
        "d|S|done|1|1795158000|p",
    ),
)
_LINK_KEY: Final = b"a key of thirty-two bytes for links"


def _message() -> Take:
    """Read it, and what is read says itself again."""
    messages: Any = import_module("chalicelib.engine.messages")

    def take(content: bytes) -> object:
        message = messages.from_json(value_of(content))
        if messages.from_json(json.loads(json.dumps(messages.to_json(message)))) != message:
            raise AssertionError("a message that was read is another one once it is written")
        return message

    return take


def _batch() -> Take:
    """A body of the queue, whatever it is, is a delivery: in a function, and in both queues."""
    read: Any = import_module("chalicelib.cloud.messages").read_batch
    message_in: Any = import_module("chalicelib.adapters.aws.queue").message_in
    letter: Any = import_module("chalicelib.adapters.sqlite.queue")._letter  # noqa: SLF001 - what lies in the file

    def take(content: bytes) -> object:
        body = content.decode("utf-8", "replace")
        message_in(body)
        letter(1, content, 0, 1)
        return read({"Records": [{"receiptHandle": "h", "messageId": "i", "body": body, "attributes": {}}]})

    return take


def _tick() -> Take:
    read: Any = import_module("chalicelib.cloud.messages").read_tick
    return lambda content: read(object_of(content))


def _gateway() -> Take:
    """An event of API Gateway, of which strangers write the path, the query, the headers and the body."""
    gateway: Any = import_module("chalicelib.cloud.gateway")

    def take(content: bytes) -> object:
        text = text_of(content)
        head, _, body = text.partition("\n\n")
        names = {line.partition(":")[0]: [line.partition(":")[2]] for line in head.split("\n")}
        event = {
            "httpMethod": text[:5],
            "path": head[:200],
            "multiValueHeaders": names,
            "body": body,
            "queryStringParameters": None,
        }
        return gateway.from_gateway(event, 1)

    return take


def _fact() -> Take:
    facts: Any = import_module("chalicelib.engine.facts")

    def take(content: bytes) -> object:
        text = facts.to_text(facts.from_text(text_of(content)))
        if facts.to_text(facts.from_text(text)) != text:
            raise AssertionError("a fact that was written reads as another one")
        return text

    return take


def _entry() -> Take:
    packs: Any = import_module("chalicelib.engine.packs")
    return lambda content: packs.entry_from_json(object_of(content))


def _record() -> Take:
    """An item of the table."""
    records: Any = import_module("chalicelib.adapters.aws.records")
    key: Any = import_module("chalicelib.engine.records").RecordKey("main", _ID)

    def take(content: bytes) -> object:
        typed = {
            name: {"S" if isinstance(value, str) else "N": str(value)} for name, value in object_of(content).items()
        }
        return records.image_of(key, typed)

    return take


def _link() -> Take:
    """Whatever stands in an address, and whatever stands behind a right signature."""
    links: Any = import_module("chalicelib.signing.links")

    def take(content: bytes) -> object:
        payload = base64.urlsafe_b64encode(content).decode().rstrip("=")
        for text in (text_of(content), f"{payload}.{links._mac(_LINK_KEY, payload)}"):  # noqa: SLF001 - as our own key would
            try:
                links.read_link(_LINK_KEY, text)
            except LinkWrongError:
                continue
        return None

    return take


def _link_texts() -> list[bytes]:
    links: Any = import_module("chalicelib.signing.links")
    made = links.make_link(_LINK_KEY, ("main", _ID, "rows", "approve", (0, 1)))
    return [made.encode(), json.dumps(["main", _ID, "", "approve", []]).encode(), b'["main","x","p","s",[1,2]]']


def _cursor() -> Take:
    """Read it, and look behind it as both stores do."""
    listing: Any = import_module("chalicelib.adapters.listing")
    pages: Any = import_module("chalicelib.adapters.aws.pages")

    def take(content: bytes) -> object:
        for text in (text_of(content), base64.urlsafe_b64encode(content).decode().rstrip("=")):
            try:
                listing.from_cursor(text)
                pages._place_behind(text)  # noqa: SLF001 - what a listing does with it
            except UsageError:
                continue
        return None

    return take


def _bucket_page() -> Take:
    read: Any = import_module("chalicelib.adapters.aws.listing").read_page
    return read


def _frame() -> Take:
    """What a helper process that evaluated somebody's expression answers."""
    frames: Any = import_module("chalicelib.adapters.expression_frames")
    return lambda content: frames.from_answer(content, 2)


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    record = {"v": 1, "st": "R", "ep": 0, "rev": 1, "vh": "v" * 64, "tr": "placed", "lp": "main#shop#2026-11-20",
              "ls": f"0001795158000#{_ID}", "b": '["","",0,"","",0]', "f0": "m|0|1", "gs": 5, "en": 5,
              "rs": '["F","a","http_500","m"]'}  # fmt: skip
    entries = (
        {"v": 1, "i": {"a": 1}, "a": [1, 5]},
        {"b": [1], "a": [[1, 2, 3, "", ""], [2, 3, 4, "timeout", "m"]], "e": {"code": "x"}},
    )
    page = b"""<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Contents><Key>a%2Fb</Key>
<Size>5</Size></Contents><NextContinuationToken>t</NextContinuationToken><IsTruncated>true</IsTruncated></ListBucketResult>"""
    answers = (
        {"values": [[1], []], "spent": False},
        {"error": {"kind": "expression", "detail": "d", "where": "w"}, "spent": True},
    )
    return (
        Parser(
            "message",
            "engine.messages.from_json",
            lambda: corpus.as_json(*MESSAGES),
            _message,
            (ValueError,),
            600,
            "json",
        ),
        Parser(
            "queue_body",
            "cloud.messages.read_batch, adapters.aws.queue.message_in, adapters.sqlite.queue",
            lambda: corpus.as_json(*MESSAGES),
            _batch,
            (),
            500,
            words=(b'"kind":"go"',),
        ),
        Parser(
            "tick",
            "cloud.messages.read_tick",
            lambda: corpus.as_json({"tenant": "main", "flow": "a", "trigger": "t", "at": "2026-11-20T06:00:00Z"}),
            _tick,
            (UsageError,),
            500,
            "json",
        ),
        Parser(
            "gateway",
            "cloud.gateway.from_gateway",
            lambda: corpus.as_bytes("Host: a\nContent-Type: application/json\nX: y\n\n{}", "a:b\n\nbody"),
            _gateway,
            (),
            500,
        ),
        Parser(
            "fact",
            "engine.facts.from_text",
            lambda: corpus.as_bytes(*_FACTS),
            _fact,
            (ValueError,),
            2500,
            words=(b"|", b"|#", b"c|", b"w|", b"zz", b"d"),
            most_bytes=5_000,
        ),
        Parser(
            "entry",
            "engine.packs.entry_from_json",
            lambda: corpus.as_json(*entries),
            _entry,
            (KeyError, TypeError),
            500,
            "json",
        ),
        Parser(
            "record",
            "adapters.aws.records.image_of",
            lambda: corpus.as_json(record),
            _record,
            (StoreError,),
            400,
            "json",
        ),
        Parser(
            "link",
            "signing.links.read_link",
            _link_texts,
            _link,
            (),
            700,
            words=(b".", b"_", b"-", b"[", b'"'),
            most_bytes=5_000,
        ),
        Parser(
            "cursor",
            "adapters.listing.from_cursor, adapters.aws.pages",
            lambda: corpus.as_bytes(
                f"1795158000000.{_ID}", base64.urlsafe_b64encode(f"1795158000000.{_ID}".encode()).decode()
            ),
            _cursor,
            (),
            800,
            words=(b".", b"-1", b"=", b"_"),
            most_bytes=5_000,
        ),
        Parser(
            "bucket_page",
            "adapters.aws.listing.read_page",
            lambda: [page],
            _bucket_page,
            (StoreError,),
            150,
            words=(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<Key>", b"</Key>", b"<Size>"),
        ),
        Parser(
            "expression_frame",
            "adapters.expression_frames.from_answer",
            lambda: corpus.as_json(*answers),
            _frame,
            (ValueError,),
            300,
            "json",
        ),
    )
