"""Deliveries with one byte changed, at random, of every scheme: none may be accepted.

What is changed is a byte of the body, of a signed field, or of the decoded signature. Where a scheme signs fields inside
its body instead of the body, those fields are changed; what nobody signed is left alone, and named in
`docs/webhooks.md`.
"""

import base64
import json
import random
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.errors import DeliveryStaleError, SignatureMissingError, SignatureWrongError
from chalicelib.signing.inbound import Delivery, scheme_row, verify
from chalicelib.signing.inbound_scheme import HeaderTime, Listed, Paired, Signed, Way, Whole, content_parts
from tests.signing.own_senders import OWN_SENDERS, RSA
from tests.signing.senders import ED25519, NOW, P256, SENDERS, URL, sent

DECLARED = (SignatureMissingError, SignatureWrongError, DeliveryStaleError)
PEM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
Change = Callable[[random.Random, Delivery], Delivery]


@dataclass(frozen=True)
class Specimen:
    """A good delivery, what fits it, and the ways in which one byte of it can be changed, by kind."""

    scheme: str
    delivery: Delivery
    secret: dict
    changes: dict[str, list[Change]]
    options: dict = field(default_factory=dict)
    certificate: bytes = b""


@dataclass
class Findings:
    """What came of a run."""

    refused: Counter = field(default_factory=Counter)
    """By scheme and kind."""
    accepted: list = field(default_factory=list)
    """What must not be: the specimen, the kind, the number of the mutation."""


def judged(specimen: Specimen, delivery: Delivery) -> bool:
    """Whether the delivery is accepted; whatever else is raised is a bug, and not caught."""
    try:
        verify(
            specimen.scheme,
            specimen.options,
            specimen.secret,
            delivery,
            now=NOW,
            certificate=specimen.certificate,
        )
    except DECLARED:
        return False
    return True


def mutate(
    count: int,
    seed: int = 0,
    judge: Callable[[Specimen, Delivery], bool] = judged,
    among: "dict[str, Specimen] | None" = None,
) -> Findings:
    """So many mutations, evenly over all specimens; raises ValueError where a specimen is not good to begin with."""
    everything, dice, findings = among or specimens(), random.Random(seed), Findings()
    bad = [name for name, specimen in everything.items() if not judged(specimen, specimen.delivery)]
    if bad:
        raise ValueError(f"not accepted unchanged: {', '.join(bad)}")
    names = sorted(everything)
    for number in range(count):
        name = names[number % len(names)]
        specimen = everything[name]
        kind = dice.choice(sorted(specimen.changes))
        changed = dice.choice(specimen.changes[kind])(dice, specimen.delivery)
        if changed == specimen.delivery:
            raise ValueError(f"{name}: the mutation of its {kind} changed nothing")
        if judge(specimen, changed):
            findings.accepted.append((name, kind, number))
        else:
            findings.refused[specimen.scheme, kind] += 1
    return findings


def specimens() -> dict[str, Specimen]:
    """Every scheme's, several where it signs in several ways."""
    found = {scheme: _of_table(scheme) for scheme in SENDERS}
    found |= {name: _of_own(name) for name in OWN_SENDERS}
    found |= {f"rfc9421, {algorithm}": _message(algorithm) for algorithm in _MESSAGE_KEYS}
    found["gitlab"] = _shown("gitlab", "x-gitlab-token", "glpat-0123456789", {"secret": "glpat-0123456789"})
    found["token"] = _shown("token", "authorization", "Bearer t0k3n-0123456789", {"token": "t0k3n-0123456789"}, 7)
    password = base64.b64encode(b"ann:letmein-0123456789").decode()
    basic = {"username": "ann", "password": "letmein-0123456789"}
    found["basic"] = _shown("basic", "authorization", f"Basic {password}", basic, 6)
    return found


def _other_byte(dice: random.Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ dice.randrange(1, 256)]) + raw[at + 1 :]


def _other_character(dice: random.Random, text: str, start: int = 0) -> str:
    at = dice.randrange(start, len(text))
    # Half of them the nearest mistakes: another case, another digit.
    near = text[at].swapcase() if text[at].isalpha() else str((ord(text[at]) + 1) % 10)
    far = chr(dice.choice([code for code in range(33, 127) if code != ord(text[at])]))
    other = near if dice.random() < 0.5 and near != text[at] else far
    return text[:at] + other + text[at + 1 :]


def _body(dice: random.Random, delivery: Delivery) -> Delivery:
    return replace(delivery, body=_other_byte(dice, delivery.body))


def _header(name: str, start: int = 0) -> Change:
    def change(dice: random.Random, delivery: Delivery) -> Delivery:
        value = _other_character(dice, delivery.headers[name], start)
        return replace(delivery, headers={**delivery.headers, name: value})

    return change


def _method(dice: random.Random, delivery: Delivery) -> Delivery:
    return replace(delivery, method=_other_character(dice, delivery.method))


def _query(dice: random.Random, delivery: Delivery) -> Delivery:
    """Another value of a parameter: the same one in another spelling is no change to who reads the query decoded."""
    pairs = parse_qsl(delivery.query)
    at = dice.randrange(len(pairs))
    name, value = pairs[at]
    other = dice.choice([letter for letter in "abcdefghij0123456789" if letter != value[0]])
    pairs[at] = (name, other + value[1:])
    return replace(delivery, query=urlencode(pairs))


def _decoded(text: str, encoding: str) -> bytes:
    return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text)


def _encoded(raw: bytes, encoding: str) -> str:
    return raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()


def _signature(header: str, encoding: str, before: str = "", after: str = "") -> Change:
    """The signature in a header, between two texts, with one byte changed once it is decoded."""

    def change(dice: random.Random, delivery: Delivery) -> Delivery:
        head, _, rest = delivery.headers[header].rpartition(before) if before else ("", "", delivery.headers[header])
        text = rest.removesuffix(after) if after else rest
        other = _encoded(_other_byte(dice, _decoded(text, encoding)), encoding)
        return replace(delivery, headers={**delivery.headers, header: f"{head}{before}{other}{after}"})

    return change


def _in_body(path: tuple, changed: Callable[[random.Random, Any], Any]) -> Change:
    """A field of the JSON body, changed."""

    def change(dice: random.Random, delivery: Delivery) -> Delivery:
        body = deepcopy(json.loads(delivery.body))
        at = body
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = changed(dice, at[path[-1]])
        return replace(delivery, body=json.dumps(body, ensure_ascii=False).encode())

    return change


def _other_value(dice: random.Random, value: str | int) -> str | int:
    if isinstance(value, str):
        return _other_character(dice, value)
    digits = str(value)
    at = dice.randrange(len(digits))
    other = dice.choice([digit for digit in "123456789" if digit != digits[at]])
    return int(digits[:at] + other + digits[at + 1 :])


def _of_table(scheme: str) -> Specimen:
    sender, delivery = SENDERS[scheme], sent(scheme)
    row = scheme_row(scheme, sender.options)
    assert isinstance(row, Signed)
    fields: list[Change] = []
    parts = content_parts(row.content)
    if isinstance(row.time, HeaderTime):
        fields.append(_header(row.time.header))
    if row.delivery_id is not None and row.delivery_id.signed:
        fields.append(_header(row.delivery_id.header))
    if "method" in parts:
        fields.append(_method)
    if {"url", "decoded_url", "sorted_query", "query"} & set(parts):
        fields.append(_query)
    if isinstance(row.place, Paired):
        fields.append(_paired_time(row.place))
    changes = {"body": [_body], "signature": [_signature_of(row, delivery)]}
    if fields:
        changes["field"] = fields
    return Specimen(scheme, delivery, {"secret": sender.secret}, changes, dict(sender.options))


def _signature_of(row: Signed, delivery: Delivery) -> Change:
    way: Way = row.ways[0]
    match row.place:
        case Whole(headers=names):
            name = next(each for each in names if each in delivery.headers)
            return _signature(name, way.encoding, way.mark)
        case Listed(header=name):
            return _signature(name, way.encoding, way.mark)
        case Paired(header=name):
            return _signature(name, way.encoding, f"{way.mark}=")


def _paired_time(place: Paired) -> Change:
    def change(dice: random.Random, delivery: Delivery) -> Delivery:
        value = delivery.headers[place.header]
        start = value.index(f"{place.time_key}=") + len(place.time_key) + 1
        end = value.index(place.separator, start)
        other = value[:start] + _other_character(dice, value[start:end]) + value[end:]
        return replace(delivery, headers={**delivery.headers, place.header: other})

    return change


def _of_own(name: str) -> Specimen:
    sender = OWN_SENDERS[name]
    delivery = sender.deliver(NOW)
    fields = [_header(each) for each in sender.signed]
    fields += [_in_body(path, _other_value) for path in sender.signed_fields]
    if delivery.query and sender.body_signed:
        fields.append(_query)
    if sender.header:
        marks = ("sig1=:", ":") if sender.scheme == "rfc9421" else ("", "")
        signature = _signature(sender.header, sender.encoding, *marks)
    else:
        signature = _in_body(
            sender.body_field,
            lambda dice, text: _encoded(_other_byte(dice, _decoded(text, sender.encoding)), sender.encoding),
        )
    changes: dict[str, list[Change]] = {"signature": [signature]}
    if sender.body_signed:
        changes["body"] = [_body]
    if fields:
        changes["field"] = fields
    return Specimen(sender.scheme, delivery, sender.secret, changes, sender.options, sender.certificate)


def _shown(scheme: str, header: str, value: str, secret: dict, start: int = 0) -> Specimen:
    delivery = Delivery("POST", "/h", "", {header: value}, b"{}")
    return Specimen(scheme, delivery, secret, {"signature": [_header(header, start)]})


def _ecdsa(base: bytes) -> bytes:
    r, s = decode_dss_signature(P256.sign(base, ECDSA(SHA256(), deterministic_signing=True)))
    return r.to_bytes(32) + s.to_bytes(32)


_MESSAGE_KEYS = {
    "ed25519": (ED25519.sign, ED25519),
    "ecdsa-p256-sha256": (_ecdsa, P256),
    "rsa-pss-sha512": (lambda base: RSA.sign(base, PSS(MGF1(SHA512()), 64), SHA512()), RSA),
    "rsa-v1_5-sha256": (lambda base: RSA.sign(base, PKCS1v15(), SHA256()), RSA),
}


def _message(algorithm: str) -> Specimen:
    """The delivery of `own_senders`, with a query, signed with this algorithm instead."""
    sign, key = _MESSAGE_KEYS[algorithm]
    given = OWN_SENDERS["rfc9421"].deliver(NOW)
    inputs = f'("@method" "@target-uri" "content-digest");created={int(NOW.timestamp())}'
    lines = [
        '"@method": POST',
        f'"@target-uri": {URL}?a=1',
        f'"content-digest": {given.headers["content-digest"]}',
        f'"@signature-params": {inputs}',
    ]
    signature = base64.b64encode(sign("\n".join(lines).encode())).decode()
    headers = {**given.headers, "signature-input": f"sig1={inputs}", "signature": f"sig1=:{signature}:"}
    delivery = replace(given, query="a=1", headers=headers)
    secret = {"secret": key.public_key().public_bytes(*PEM).decode()}
    changes: dict[str, list[Change]] = {
        "body": [_body],
        "field": [_header("signature-input"), _header("content-digest"), _method, _query],
        "signature": [_signature("signature", "base64", "sig1=:", ":")],
    }
    return Specimen("rfc9421", delivery, secret, changes, {"algorithm": algorithm})
