"""The published values of the webhook senders we know."""

import hashlib
import hmac
import json
from base64 import b64decode
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from chalicelib.errors import SignatureWrongError
from chalicelib.signing.inbound import Delivery, certificate_url, scheme_names, verify
from chalicelib.signing.inbound_keys import is_signed
from chalicelib.signing.inbound_scheme import HeaderTime, Listed, Paired, Signed, Way, Whole
from chalicelib.signing.inbound_table import SCHEMES
from chalicelib.signing.inbound_time import time_from
from chalicelib.signing.message_keys import is_message_signed, message_keys
from tests.signing.own_senders import OWN_SENDERS
from tests.signing.senders import SENDERS

FILE = json.loads((Path(__file__).parent.parent / "vectors" / "webhooks.json").read_text(encoding="utf-8"))
VECTORS = FILE["vectors"]
ALGORITHMS = {"hmac-rfc", "ed25519-rfc8032"}
# Checked in tests of their own: their inputs are no deliveries of this shape.
ELSEWHERE = {"adyen-standard", "aws-sns", "rfc9421", "twilio"}


def _delivery(vector, row: Signed):
    """The delivery that a vector describes, its signature put where the sender puts it."""
    given = vector["input"]
    headers = {name.lower(): value for name, value in given.get("headers", {}).items()}
    signature = given.get("signature", vector["expected"])
    mark = row.ways[0].mark
    match row.place:
        case Whole(headers=names):
            headers[names[0]] = signature if signature.startswith(mark) else mark + signature
        case Listed(header=name):
            headers[name] = signature if signature.startswith(mark) else mark + signature
        case Paired(header=name, time_key=time_key) if name not in headers:
            headers[name] = f"{time_key}={given['timestamp']},{mark}={signature}"
        case _:
            assert signature == "reject" or signature in headers[row.place.header]
    if isinstance(row.time, HeaderTime) and "timestamp" in given:
        headers[row.time.header] = given["timestamp"]
    body = given.get("body", given.get("message", "")).encode()
    return Delivery(given.get("method", "POST"), "/", urlencode(given.get("query", {})), headers, body)


def _time(delivery, row):
    match row.place, row.time:
        case _, HeaderTime(header=header, unit=unit):
            return time_from(delivery.headers[header], unit)
        case Paired(header=header, separator=separator, time_key=key), _:
            pairs = dict(pair.split("=", 1) for pair in delivery.headers[header].split(separator))
            return time_from(pairs[key], "seconds")
        case _:
            return datetime(2026, 1, 1, tzinfo=UTC)


def _check(vector):
    row = SCHEMES[vector["provider"]]
    given = vector["input"]
    delivery = _delivery(vector, row)
    secret = {"secret": given.get("secret") or given.get("secret_hex") or given["public_key"]}
    options = {"url": given["url"]} if "url" in row.options else {}
    now = _time(delivery, row) + timedelta(seconds=1)
    verified = verify(vector["provider"], options, secret, delivery, now=now)
    assert (verified.signed_at is not None) == (row.time is not None)


def test_every_published_value_is_accepted_and_every_counterexample_refused(record_property):
    checked: Counter[str] = Counter()
    for vector in VECTORS:
        if vector["provider"] in ALGORITHMS | ELSEWHERE:
            continue
        if vector.get("negative"):
            with pytest.raises(SignatureWrongError):
                _check(vector)
            checked["refused"] += 1
        else:
            _check(vector)
            checked["accepted"] += 1
        checked[vector["provider"]] += 1
    providers = len(checked) - 2
    assert checked["refused"] == 5
    assert checked["accepted"] == 31
    assert providers == 20
    record_property(
        "covered",
        f"webhooks: {len(scheme_names())} schemes; {checked['accepted'] + checked['refused']} published values of"
        f" {providers} senders checked, {checked['refused']} of them refusals",
    )


def test_the_hash_functions_are_those_of_the_rfcs():
    checked = 0
    for vector in VECTORS:
        if vector["provider"] != "hmac-rfc":
            continue
        given = vector["input"]
        key, message = bytes.fromhex(given["key_hex"]), bytes.fromhex(given["message_hex"])
        name = given["algorithm"].lower().replace("-", "").removeprefix("hmac")
        if f"hmac-{name}" in ("hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"):
            way = Way(algorithm=f"hmac-{name}")
            assert is_signed(way, key, message, [vector["expected"].encode()])
            assert not is_signed(way, key, message + b"\0", [vector["expected"].encode()])
            checked += 1
        else:
            assert hmac.new(key, message, getattr(hashlib, name)).hexdigest() == vector["expected"]
    assert checked >= 20


def test_ed25519_is_that_of_rfc_8032():
    vectors = [vector["input"] for vector in VECTORS if vector["provider"] == "ed25519-rfc8032"]
    assert len(vectors) == 3
    for given in vectors:
        way, key = Way(algorithm="ed25519"), bytes.fromhex(given["public_key_hex"])
        message, signature = bytes.fromhex(given["message_hex"]), given["signature_hex"].encode()
        assert is_signed(way, key, message, [signature])
        assert not is_signed(way, key, message + b"\0", [signature])
        assert not is_signed(way, key, message, [signature.upper()])


def test_twilios_published_values_are_accepted(record_property):
    accepted = 0
    for vector in VECTORS:
        given = vector["input"]
        if vector["provider"] != "twilio" or "url" not in given:
            continue
        body = urlencode(given["form"]).encode() if "form" in given else given["body"].encode()
        url, _, query = given["url"].partition("?")
        delivery = Delivery("POST", "/", query, {"x-twilio-signature": vector["expected"]}, body, url)
        assert verify("twilio", {}, {"secret": given["secret"]}, delivery, now=datetime(2026, 1, 1, tzinfo=UTC))
        changed = replace(delivery, body=body.replace(b"1234", b"1235").replace(b"value", b"valuf"))
        with pytest.raises(SignatureWrongError):
            verify("twilio", {}, {"secret": given["secret"]}, changed, now=datetime(2026, 1, 1, tzinfo=UTC))
        accepted += 1
    digest = next(vector for vector in VECTORS if vector["name"] == "sdk-json-bodySHA256-hash")
    assert hashlib.sha256(digest["input"]["body"].encode()).hexdigest() == digest["expected"]
    assert accepted == 4
    record_property("covered", f"webhooks: {accepted} published values of Twilio checked")


def test_adyens_published_notification_is_accepted_and_another_amount_refused():
    (vector,) = [vector for vector in VECTORS if vector["provider"] == "adyen-standard"]
    secret, body = {"secret": vector["input"]["secret_hex"]}, vector["input"]["body"]
    assert vector["expected"] in body
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert verify("adyen-standard", {}, secret, Delivery("POST", "/", "", {}, body.encode()), now=now)
    forged = body.replace("1130", "1131").encode()
    with pytest.raises(SignatureWrongError):
        verify("adyen-standard", {}, secret, Delivery("POST", "/", "", {}, forged), now=now)


def test_messages_that_sns_signed_are_accepted_with_its_own_certificate_while_that_was_good():
    vectors = [vector for vector in VECTORS if vector["provider"] == "aws-sns"]
    assert len(vectors) == 2
    for vector in vectors:
        given, secret = vector["input"], {"topic": vector["input"]["topic"]}
        delivery = Delivery("POST", "/", "", {}, given["body"].encode())
        assert certificate_url("aws-sns", secret, delivery) == given["certificate_url"]
        sent_at, pem = datetime(2022, 7, 28, 21, 25, tzinfo=UTC), given["certificate"].encode()
        verified = verify("aws-sns", {}, secret, delivery, now=sent_at, certificate=pem)
        assert verified.delivery_id in given["body"]
        forged = replace(delivery, body=delivery.body.replace(b"Hello world", b"Hello World"))
        with pytest.raises(SignatureWrongError, match="does not match"):
            verify("aws-sns", {}, secret, forged, now=sent_at, certificate=pem)
        with pytest.raises(SignatureWrongError, match="out of date"):
            verify("aws-sns", {}, secret, delivery, now=datetime(2022, 8, 18, tzinfo=UTC), certificate=pem)


def test_the_values_of_rfc_9421_are_accepted():
    (vector,) = [vector for vector in VECTORS if vector["provider"] == "rfc9421"]
    given = vector["input"]
    (key,) = message_keys({"algorithm": given["algorithm"], "secret_encoding": "base64"}, [given["key"]])
    base, signature = given["signature_base"].encode(), b64decode(given["signature"])
    assert is_message_signed(given["algorithm"], key, base, signature)
    assert not is_message_signed(given["algorithm"], key, base + b" ", signature)


def proofs():
    """What proves each scheme of the file: `published values`, or `own values` (and why)."""
    carried = {vector["provider"] for vector in VECTORS}
    found = {}
    for name, about in FILE["schemes"].items():
        if name in carried:
            found[name] = "published values"
        else:
            found[name] = (
                "own values: published ones are not carried here" if about["published_vector"] else "own values"
            )
    return found


def test_each_of_the_48_schemes_is_there_and_the_documentation_says_what_proves_it():
    found = proofs()
    assert len(found) == 48
    assert set(found) - ALGORITHMS <= set(scheme_names())
    signed_here = set(SENDERS) | {sender.scheme for sender in OWN_SENDERS.values()} | {"gitlab"}
    assert {name for name, proof in found.items() if proof != "published values"} <= signed_here
    assert Counter(found.values()) == {
        "published values": 26,
        "own values: published ones are not carried here": 2,
        "own values": 20,
    }
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    for name, proof in found.items():
        assert f"| `{name}` | {proof} |" in page, name


def test_no_scheme_is_left_without_a_row_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    assert [name for name in scheme_names() if f"`{name}`" not in page] == []


def test_every_carried_vector_names_its_source_and_a_scheme():
    assert all(vector["source"].get("via") for vector in VECTORS)
    assert not [vector for vector in VECTORS if vector["source"]["via"] == "fetch"]
    assert {vector["provider"] for vector in VECTORS} - ALGORITHMS <= set(scheme_names())
