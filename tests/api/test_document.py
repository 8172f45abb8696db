"""Bodies by what they say they are: JSON, forms, text, files, packed or not."""

import asyncio
import gzip
import zlib

import pytest

from chalicelib.adapters.memory.blobs import MemoryBlobs
from chalicelib.api.document import document_of
from chalicelib.api.request import Request, read_query
from chalicelib.errors import BodyTooLargeError, BodyUnreadableError, UsageError
from tests.api.house import House, opened_hook, refused

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XyZ"


def handed(body, kind=None, query="", **headers):
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind is not None:
        given["content-type"] = kind
    pairs = query if isinstance(query, tuple) else read_query(query)
    request = Request("POST", "/hooks/shop/placed", pairs, given, body, 0)
    blobs = MemoryBlobs()
    document = asyncio.run(
        document_of(request, trigger="placed", path=request.path, secret_header="", limit=10_000, blobs=blobs)
    )
    return document, blobs


def body_of(body, kind=None, **headers):
    return handed(body, kind, **headers)[0]["body"]


def part(head, content):
    return b"--XyZ\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


@pytest.mark.parametrize("kind", [None, "application/json", FORM, MULTIPART, "text/plain", "image/png"])
def test_an_empty_body_is_null_whatever_it_claims(kind):
    assert body_of(b"", kind) is None


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", "text/json"]
)
def test_json_is_parsed_under_all_its_names(kind):
    assert body_of(b'{"a":[1,2.5,null,true]}', kind) == {"a": [1, 2.5, None, True]}


def test_of_a_key_that_stands_twice_the_last_counts():
    assert body_of(b'{"a":1,"a":2}', "application/json") == {"a": 2}


def test_a_byte_order_mark_is_no_part_of_json_or_text():
    assert body_of(b"\xef\xbb\xbf[1]", "application/json") == [1]
    assert body_of(b"\xef\xbb\xbfhi", "text/plain") == "hi"


def test_whole_characters_written_as_escapes_are_welcome():
    assert body_of(b'"\\ud83d\\ude00"', "application/json") == "😀"


def test_json_may_be_a_hundred_levels_deep_and_no_deeper():
    deepest = b"[" * 100 + b"]" * 100
    body_of(deepest, "application/json")
    body_of(b'["' + b"[" * 500 + b'"]', "application/json")
    body_of(b"[" * 99 + b"[],[]" + b"]" * 99, "application/json")
    body_of(b"[" + b"[]," * 500 + b"[]]", "application/json")
    with pytest.raises(BodyUnreadableError, match="100 levels"):
        body_of(b"[" + deepest + b"]", "application/json")


def test_the_fields_of_a_form_are_text_and_a_repeated_one_is_a_list():
    body = b"name=Ann+B&tag=a&tag=b&tag=c&empty=&%C3%BC=%E2%82%AC"
    assert body_of(body, FORM) == {"name": "Ann B", "tag": ["a", "b", "c"], "empty": "", "ü": "€"}


def test_a_form_may_name_its_charset():
    assert body_of(b"a=%FC", f"{FORM}; charset=iso-8859-1") == {"a": "ü"}


@pytest.mark.parametrize("body", [b"a=%ff", b"a=\xff", b"&".join([b"a=1"] * 1001)])
def test_a_form_that_cannot_be_read_has_its_named_error(body):
    with pytest.raises(BodyUnreadableError):
        body_of(body, FORM)


def test_a_multipart_form_gives_fields_and_files():
    content = bytes(range(256)) + b"\r\n--Xy"
    body = (
        part('Content-Disposition: form-data; name="note"', "grüß".encode())
        + part('content-disposition: form-data; name="tag"', b"a")
        + part('content-disposition: form-data; name="tag"', b"b")
        + part(
            'Content-Disposition: form-data; name="photo"; filename="C:\\\\new\\\\a b.png"\r\nContent-Type: image/png',
            content,
        )
        + part('Content-Disposition: form-data; name="none"; filename=""', b"")
        + part('Content-Disposition: form-data; name="empty"', b"")
        + b"--XyZ--\r\n"
    )
    document, blobs = handed(body, MULTIPART)
    assert document["body"] == {"note": "grüß", "tag": ["a", "b"], "empty": ""}
    photo = document["files"]["photo"]
    assert {name: photo[name] for name in ("name", "type", "size")} == {
        "name": "a b.png",
        "type": "image/png",
        "size": len(content),
    }
    assert asyncio.run(blobs.get(photo["file"])) == content
    assert set(document["files"]) == {"photo"}


def test_several_files_under_one_name_are_a_list():
    head = 'Content-Disposition: form-data; name="f"; filename="{}.txt"'
    body = part(head.format(1), b"1") + part(head.format(2), b"2") + part(head.format(3), b"3") + b"--XyZ--"
    document, _ = handed(body, MULTIPART)
    assert [file["name"] for file in document["files"]["f"]] == ["1.txt", "2.txt", "3.txt"]


def test_a_preamble_is_skipped_and_a_quoted_boundary_is_understood():
    body = b"preamble\r\n" + part('Content-Disposition: form-data; name="a"', b"1") + b"--XyZ--"
    assert body_of(body, 'multipart/form-data; boundary="XyZ"') == {"a": "1"}


GOOD = part('Content-Disposition: form-data; name="a"', b"1")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (GOOD + b"--XyZ--", "multipart/form-data"),
        (GOOD + b"--XyZ--", f"multipart/form-data; boundary={'x' * 71}"),
        (GOOD, MULTIPART),
        (GOOD[:-2], MULTIPART),
        (b"nothing of the kind", MULTIPART),
        (b"--XyZ\r\nContent-Disposition: form-data; name=a", MULTIPART),
        (b"--XyZab\r\n\r\n1\r\n--XyZ--", MULTIPART),
        (part("Content-Type: text/plain", b"1") + b"--XyZ--", MULTIPART),
        (part("Content-Disposition: attachment; name=a", b"1") + b"--XyZ--", MULTIPART),
        (part('Content-Disposition: form-data; name="a"', b"\xff") + b"--XyZ--", MULTIPART),
        (part(f'Content-Disposition: form-data; name="{"a" * 9000}"', b"1") + b"--XyZ--", MULTIPART),
        (GOOD * 1001 + b"--XyZ--", MULTIPART),
    ],
)
def test_a_multipart_form_that_cannot_be_read_has_its_named_error(body, kind):
    with pytest.raises(BodyUnreadableError):
        body_of(body, kind)


@pytest.mark.parametrize("kind", ["text/plain", "text/csv", "application/xml", "image/svg+xml", "application/x-ndjson"])
def test_text_is_text(kind):
    assert body_of("grüß".encode(), kind) == "grüß"


def test_text_may_name_its_charset():
    assert body_of(b"gr\xfc\xdf", "text/plain; charset=ISO-8859-1") == "grüß"


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; charset=us-ascii", "text/plain; charset=rot13", "text/plain; charset=utf-16"]
)
def test_text_that_does_not_fit_its_charset_has_its_named_error(kind):
    with pytest.raises(BodyUnreadableError, match=r"charset|not UTF|not US"):
        body_of(b"gr\xfc\xdf!", kind)


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "application/pdf"])
def test_anything_else_is_a_file(kind):
    content = b"\x89PNG\x00\xff"
    document, blobs = handed(content, kind)
    file = document["body"]
    assert (file["name"], file["type"], file["size"]) == ("body", kind, 6)
    assert asyncio.run(blobs.get(file["file"])) == content


def test_a_body_that_says_nothing_of_itself_is_text_if_it_can_be():
    assert body_of(b'{"a":1}') == '{"a":1}'
    assert body_of(b"\xff\x00")["type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_body_is_unpacked(encoding, pack):
    assert body_of(pack(b"[1]"), "application/json", content_encoding=encoding) == [1]


def test_the_limit_holds_for_what_was_packed_too():
    assert len(body_of(gzip.compress(b"a" * 10_000, mtime=0), "text/plain", content_encoding="gzip")) == 10_000
    with pytest.raises(BodyTooLargeError):
        body_of(gzip.compress(b"a" * 10_001, mtime=0), "text/plain", content_encoding="gzip")


@pytest.mark.parametrize(
    ("encoding", "body"), [("gzip", b"[1]"), ("gzip", gzip.compress(b"[1]", mtime=0)[:-9]), ("br", b"x")]
)
def test_a_body_that_is_not_packed_as_it_says_has_its_named_error(encoding, body):
    with pytest.raises(BodyUnreadableError):
        body_of(body, "application/json", content_encoding=encoding)


def test_half_a_character_in_the_query_has_its_named_error():
    with pytest.raises(UsageError, match="half a character"):
        handed(b"", query=(("a", "\ud83d"),))


@pytest.mark.parametrize(
    ("body", "kind"), [(b"\xff", "text/plain"), (b"a=%ff", FORM), (b"{", "application/json"), (GOOD, MULTIPART)]
)
def test_every_unreadable_body_leaves_the_server_up(body, kind):
    house = House()
    target = opened_hook(house)
    refused(house.send("POST", target, body, headers={"content-type": kind}), 400, "body_unreadable")
    assert house.is_up()
    assert house.send("POST", target, b"1", headers={"content-type": "application/json"}).status == 202
