"""HTTP Message Signatures: the RFC's own examples, what must be covered, the times, and the digest of the body."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.errors import (
    CredentialUnfitError,
    DeliveryStaleError,
    SignatureMissingError,
    SignatureWrongError,
    UsageError,
)
from chalicelib.signing.inbound import Delivery, verify
from chalicelib.signing.message_components import Message, signature_base
from chalicelib.signing.message_keys import is_message_signed, message_keys
from chalicelib.signing.structured_fields import Word, read_dictionary, written

FILE = json.loads((Path(__file__).parent.parent / "vectors" / "rfc9421.json").read_text(encoding="utf-8"))
VECTORS = FILE["vectors"]
RESPONSES = {"B.2.4"}
BODY_UNCOVERED = {"B.2.1", "B.2.5", "B.2.6"}
NOTHING_WANTED = {"components": " "}


def _delivery(vector, **more):
    given = FILE["requests"][vector["request"]]
    headers = {
        **given["headers"],
        "signature-input": f"sig={vector['signature_input']}",
        "signature": f"sig=:{vector['signature']}:",
        **more,
    }
    path = "/" + given["url"].split("/", 3)[3]
    return Delivery(given["method"], path, given["query"], headers, given["body"].encode(), given["url"])


def _created(vector):
    seconds = int(vector["signature_input"].split("created=")[1].split(";")[0])
    return datetime.fromtimestamp(seconds, UTC)


def _verify(vector, delivery, *, late=1, secret=None, **options):
    algorithm = vector["algorithm"]
    options = {"algorithm": algorithm, **NOTHING_WANTED, **options}
    fields = secret or {"secret": FILE["keys"][algorithm]}
    return verify("rfc9421", options, fields, delivery, now=_created(vector) + timedelta(seconds=late))


def _named(section):
    return next(vector for vector in VECTORS if vector["section"] == section)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["section"])
def test_each_published_signature_is_that_of_its_published_base_and_of_no_other(vector):
    algorithm, base = vector["algorithm"], vector["base"].encode()
    signature = base64.b64decode(vector["signature"])
    (key,) = message_keys({"algorithm": algorithm, "secret_encoding": "base64"}, [FILE["keys"][algorithm]])
    assert is_message_signed(algorithm, key, base, signature)
    assert not is_message_signed(algorithm, key, base + b" ", signature)
    assert not is_message_signed(algorithm, key, base, signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not is_message_signed(algorithm, key, base, b"")


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector["section"] not in RESPONSES], ids=lambda vector: vector["section"]
)
def test_each_published_base_is_made_of_its_request(vector):
    covered = read_dictionary(f"sig={vector['signature_input']}")["sig"]
    assert signature_base(covered, Message(_delivery(vector), "")) == vector["base"].encode()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["section"])
def test_a_published_request_is_accepted_where_its_signature_covers_the_body(vector):
    if vector["section"] in RESPONSES:
        return
    delivery = _delivery(vector)
    if vector["section"] in BODY_UNCOVERED:
        with pytest.raises(SignatureWrongError, match="does not cover content-digest"):
            _verify(vector, delivery)
        headers = {name: value for name, value in delivery.headers.items() if name != "content-digest"}
        delivery = replace(delivery, body=b"", headers=headers)
    assert _verify(vector, delivery).signed_at == _created(vector)


def test_all_five_algorithms_are_among_the_published_ones(record_property):
    algorithms = {vector["algorithm"] for vector in VECTORS}
    assert algorithms == {"hmac-sha256", "ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512", "rsa-v1_5-sha256"}
    assert FILE["source"]["via"]
    record_property("covered", f"RFC 9421: {len(VECTORS)} published signatures of {len(algorithms)} algorithms")


def test_what_is_to_be_covered_must_be_covered_unless_it_is_not_there():
    vector = _named("4.3, sig1")
    delivery = _delivery(vector)
    assert _verify(vector, delivery, components="@method @path @authority")
    with pytest.raises(SignatureWrongError, match="does not cover @query"):
        _verify(vector, delivery, components="@method @path @query")
    with pytest.raises(SignatureWrongError, match="does not cover date"):
        _verify(vector, delivery, components="date")
    assert _verify(vector, replace(delivery, query=""), components="@method @path @query")
    query_only = _named("B.2.2")
    with pytest.raises(SignatureWrongError, match="does not cover @query"):  # one parameter is not the query
        _verify(query_only, _delivery(query_only), components="@query")


def test_by_default_method_path_query_and_body_must_be_covered():
    full = _named("B.2.3")
    only = {"algorithm": full["algorithm"]}
    now = _created(full)
    secret = {"secret": FILE["keys"][full["algorithm"]]}
    assert verify("rfc9421", only, secret, _delivery(full), now=now)
    demo = _named("B.4")
    with pytest.raises(SignatureWrongError, match="does not cover @query"):
        verify("rfc9421", {"algorithm": "ed25519"}, {"secret": FILE["keys"]["ed25519"]}, _delivery(demo), now=now)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"content-digest": "sha-512=:AAAA:"}, "match"),
        ({"content-type": "text/plain"}, "match"),
        ({"signature": "sig=:AAAA:"}, "match"),
        ({"signature": "other=:AAAA:"}, "no signature"),
        ({"signature": "sig=AAAA"}, "no signature"),
        ({"signature": "sig=:AAA:"}, "structured"),
        ({"signature-input": "sig=("}, "structured"),
        ({"signature-input": 'sig=("@method" "@method");created=1618884475'}, "cover"),
        ({"signature-input": 'sig=("@method")'}, "when it was created"),
        ({"signature-input": 'sig=("@method");created="1618884475"'}, "when it was created"),
        ({"signature-input": 'sig=("@method");created=1618884475;alg="ed25519"'}, "alg"),
    ],
)
def test_a_signature_that_does_not_stand_is_refused_with_its_reason(change, says):
    vector = _named("4.3, sig1")
    with pytest.raises(SignatureWrongError, match=says):
        _verify(vector, _delivery(vector, **change))


def test_a_body_that_is_not_its_digest_is_refused():
    vector = _named("4.3, sig1")
    for body in (b'{"hello": "World"}', b"", b'{"hello": "world"} '):
        with pytest.raises(SignatureWrongError, match="content-digest"):
            _verify(vector, replace(_delivery(vector), body=body))


def test_the_window_and_the_expiry_hold():
    vector = _named("4.3, proxy_sig")
    delivery = _delivery(vector)
    assert _verify(vector, delivery, late=60)
    with pytest.raises(DeliveryStaleError, match="expired"):
        _verify(vector, delivery, late=61)
    plain = _named("4.3, sig1")
    assert _verify(plain, _delivery(plain), late=300)
    for late in (301, -301, 10**8):
        with pytest.raises(DeliveryStaleError):
            _verify(plain, _delivery(plain), late=late)
    assert _verify(plain, _delivery(plain), late=900, window_seconds=900)


def test_without_its_headers_it_says_what_is_missing():
    vector = _named("4.3, sig1")
    for name in ("signature", "signature-input", "content-digest"):
        delivery = _delivery(vector)
        headers = {key: value for key, value in delivery.headers.items() if key != name}
        expected = SignatureWrongError if name == "content-digest" else SignatureMissingError
        with pytest.raises(expected, match=name):
            _verify(vector, replace(delivery, headers=headers))


def _signed(inputs, lines, *, key=b"k" * 32, headers=None, body=b"", query=""):
    base = "\n".join([*lines, f'"@signature-params": {inputs}']).encode()
    signature = base64.b64encode(hmac.new(key, base, hashlib.sha256).digest()).decode()
    given = {"host": "hooks.example", "signature-input": f"a={inputs}", "signature": f"a=:{signature}:"}
    return Delivery("POST", "/hooks/x/y", query, {**given, **(headers or {})}, body, "https://hooks.example/hooks/x/y")


OURS = {"secret": base64.b64encode(b"k" * 32).decode()}
HMAC = {"algorithm": "hmac-sha256", "components": "@method"}
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STAMP = int(NOW.timestamp())


def test_either_key_of_a_rotation_verifies():
    delivery = _signed(f'("@method");created={STAMP}', ['"@method": POST'])
    other = base64.b64encode(b"o" * 32).decode()
    assert verify("rfc9421", HMAC, OURS, delivery, now=NOW)
    assert verify("rfc9421", HMAC, {"secret": other, "previous": OURS["secret"]}, delivery, now=NOW)
    with pytest.raises(SignatureWrongError):
        verify("rfc9421", HMAC, {"secret": other}, delivery, now=NOW)


def test_a_nonce_is_the_deliverys_id():
    delivery = _signed(f'("@method");created={STAMP};nonce="n-1"', ['"@method": POST'])
    verified = verify("rfc9421", HMAC, OURS, delivery, now=NOW)
    assert (verified.delivery_id, verified.id_is_signed) == ("n-1", True)


def test_without_a_nonce_a_message_is_the_same_as_another_only_where_all_that_was_signed_is():
    first = _signed(f'("@method" "@query");created={STAMP}', ['"@method": POST', '"@query": ?a=1'], query="a=1")
    second = _signed(f'("@method" "@query");created={STAMP}', ['"@method": POST', '"@query": ?a=2'], query="a=2")
    ids = [verify("rfc9421", HMAC, OURS, each, now=NOW).delivery_id for each in (first, first, second)]
    assert ids[0] == ids[1] != ids[2]


def test_a_tag_or_a_keyid_that_the_flow_names_must_be_there():
    delivery = _signed(f'("@method");created={STAMP};tag="t";keyid="k"', ['"@method": POST'])
    assert verify("rfc9421", {**HMAC, "tag": "t", "keyid": "k"}, OURS, delivery, now=NOW)
    for option in ("tag", "keyid"):
        with pytest.raises(SignatureWrongError, match=option):
            verify("rfc9421", {**HMAC, option: "other"}, OURS, delivery, now=NOW)


def test_derived_components_and_members_of_fields():
    inputs = (
        '("@target-uri" "@scheme" "@request-target" "@query-param";name="a%20b" "x-dict";key="two" "@query");'
        f"created={STAMP}"
    )
    delivery = _signed(
        inputs,
        [
            '"@target-uri": https://hooks.example/hooks/x/y?a+b=c%7Ed&e=',
            '"@scheme": https',
            '"@request-target": /hooks/x/y?a+b=c%7Ed&e=',
            '"@query-param";name="a%20b": c%7Ed',
            '"x-dict";key="two": (1 "b");q=0.5',
            '"@query": ?a+b=c%7Ed&e=',
        ],
        headers={"x-dict": 'one=?1, two=(1   "b");q=0.5'},
        query="a+b=c%7Ed&e=",
    )
    assert verify("rfc9421", {**HMAC, "components": "@path @query @authority"}, OURS, delivery, now=NOW)


@pytest.mark.parametrize(
    "component", ['"@status"', '"x-gone"', '"x-a";sf', '"@method";req', '"@query-param";name="z"', '"x-a";key="z"', "7"]
)
def test_a_component_that_is_not_there_or_not_understood_is_no_proof(component):
    inputs = f'("@method" {component});created={STAMP}'
    delivery = _signed(inputs, ['"@method": POST', f"{component}: x"], headers={"x-a": "x"}, query="a=1&a=2")
    with pytest.raises(SignatureWrongError, match="cover"):
        verify("rfc9421", HMAC, OURS, delivery, now=NOW)


def test_one_good_signature_among_several_is_enough_and_many_are_not_tried():
    good = _signed(f'("@method");created={STAMP}', ['"@method": POST'])
    value, inputs = good.headers["signature"], good.headers["signature-input"]
    several = replace(
        good,
        headers={
            **good.headers,
            "signature": f"b=:AAAA:, {value}",
            "signature-input": f'b=("@method");created={STAMP}, {inputs}',
        },
    )
    assert verify("rfc9421", HMAC, OURS, several, now=NOW)
    labels = [f"l{number}" for number in range(9)]
    many = {
        "signature": ", ".join(f"{label}=:AAAA:" for label in labels) + ", " + value,
        "signature-input": ", ".join(f"{label}=()" for label in labels) + ", " + inputs,
    }
    with pytest.raises(SignatureWrongError, match="At most"):
        verify("rfc9421", HMAC, OURS, replace(good, headers=many), now=NOW)


@pytest.mark.parametrize(
    ("algorithm", "secret"),
    [
        ("ed25519", "AAAA"),
        ("ed25519", "not base64"),
        ("ed25519", FILE["keys"]["rsa-pss-sha512"]),
        ("rsa-pss-sha512", FILE["keys"]["ed25519"]),
        ("ecdsa-p256-sha256", FILE["keys"]["ed25519"]),
        ("ed25519", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
        ("hmac-sha256", "not base64"),
    ],
)
def test_a_key_of_another_kind_is_named_and_not_shown(algorithm, secret):
    delivery = _signed(f'("@method");created={STAMP}', ['"@method": POST'])
    with pytest.raises(CredentialUnfitError) as caught:
        verify("rfc9421", {"algorithm": algorithm}, {"secret": secret}, delivery, now=NOW)
    assert secret not in str(caught.value) or secret == "AAAA"


def test_the_algorithm_must_be_said():
    delivery = _signed(f'("@method");created={STAMP}', ['"@method": POST'])
    with pytest.raises(UsageError, match="algorithm"):
        verify("rfc9421", {}, OURS, delivery, now=NOW)
    with pytest.raises(UsageError, match="algorithm"):
        verify("rfc9421", {"algorithm": "rsa-sha1"}, OURS, delivery, now=NOW)


def test_structured_fields_are_read_strictly_and_written_in_their_one_form():
    text = 'a=1, b;x, c=("u" 2;k=?0  :AQID:);y="\\"q\\"", d=tok/en;z=1.5'
    members = read_dictionary(text)
    shown = ", ".join(f"{name}={written(member)}" for name, member in members.items())
    assert shown == 'a=1, b=?1;x, c=("u" 2;k=?0 :AQID:);y="\\"q\\"", d=tok/en;z=1.5'
    assert members["d"].value == Word("tok/en")
    refused = [
        "a=1, a=2", "a=1,, b=2", "a=(1", "a=:AAA:", "a=:AB==:", 'a="\n"', "A=1", "a=1 b=2", "a=;", "a=1;x;x", "a=(1(2))",
        'a=("b""c")', "a=1234567890123456", "a=é", "a=1,", ", a=1", "a=" + "(" * 5000,
    ]  # fmt: skip
    for wrong in refused:
        with pytest.raises(ValueError, match=r"\w"):
            read_dictionary(wrong)
