"""Every published SigV4 and SigV4a case, field by field."""

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from chalicelib.errors import SigningError
from chalicelib.signing import chunks, sigv4, sigv4a
from chalicelib.signing.canonical import canonical_query
from tests.signing.sigv4_cases import (
    all_cases,
    body_of,
    case_named,
    disagrees,
    is_refusal,
    keys_of,
    plain_of,
    raw_plain_of,
    rules_of,
    time_of,
)


def _context(case):
    return {"keys": keys_of(case), "region": case["region"], "service": case["service"], "now": time_of(case)}


def _context_v4a(case):
    return {"keys": keys_of(case), "region_set": case["region"], "service": case["service"], "now": time_of(case)}


def _header(case):
    signed = sigv4.header_signature(plain_of(case), rules_of(case), **_context(case))
    return {
        "canonical_request": signed.canonical_request,
        "string_to_sign": signed.string_to_sign,
        "signature": signed.signature,
        "authorization": dict(signed.headers)["Authorization"],
        "signed_headers_list": [list(header) for header in signed.headers],
    }


def _in_order(url):
    address, _, query = url.partition("?")
    return urlsplit(address).netloc, urlsplit(address).path or "/", sorted(query.split("&"))


def _query(case):
    signed = sigv4.presigned_url(plain_of(case), rules_of(case), case["options"]["expires"], **_context(case))
    return {
        "canonical_request": signed.canonical_request,
        "string_to_sign": signed.string_to_sign,
        "signature": signed.signature,
        "signed_url": signed.url,
        "signed_target": signed.url.removeprefix(f"https://{urlsplit(signed.url).netloc}"),
    }


def _verified_v4a(case, signature):
    """A signature of the right text by the right key; ECDSA has many, so one that verifies equals the stated one."""
    key = sigv4a.private_key(**{k: v for k, v in case["credentials"].items() if k != "session_token"}).public_key()
    text = case["expected"]["string_to_sign"].encode()
    try:
        key.verify(bytes.fromhex(signature), text, ECDSA(SHA256()))
    except InvalidSignature:
        return f"not a signature: {signature}"
    with pytest.raises(InvalidSignature):
        key.verify(bytes.fromhex(signature), text + b"0", ECDSA(SHA256()))
    return "verified"


def _public_key(credentials):
    numbers = sigv4a.private_key(credentials["access_key_id"], credentials["secret_access_key"]).public_key()
    point = numbers.public_numbers()
    return {"curve": "P-256", "x": f"{point.x:064x}", "y": f"{point.y:064x}"}


def _without_signature(value):
    if isinstance(value, list):
        return [[name, _without_signature(text)] for name, text in value]
    return re.sub(r"(Signature=)[0-9a-f]+", r"\1", value)


def _either_v4a(case, signed, address):
    """Compare all but the signature by text; ours and the stated ones must verify under the derived key."""
    expected = case["expected"]
    ours = {
        "canonical_request": signed.canonical_request,
        "public_key": _public_key(case["credentials"]),
        "string_to_sign": signed.string_to_sign,
        "signature": expected.get("signature"),
        **address,
    }
    if "string_to_sign" in expected:
        published = [expected["signature"], *re.findall(r"Signature=([0-9a-f]+)", str(expected))]
        assert len(published) >= 2
        assert {_verified_v4a(case, signature) for signature in [signed.signature, *published]} == {"verified"}
    for name in address:
        if name in expected and _without_signature(ours[name]) == _without_signature(expected[name]):
            ours[name] = expected[name]
    return ours


def _header_v4a(case):
    signed = sigv4a.header_signature(plain_of(case), rules_of(case), **_context_v4a(case))
    listed = [list(header) for header in signed.headers]
    address = {"authorization": dict(signed.headers)["Authorization"], "signed_headers_list": listed}
    return _either_v4a(case, signed, address)


def _query_v4a(case):
    signed = sigv4a.presigned_url(plain_of(case), rules_of(case), case["options"]["expires"], **_context_v4a(case))
    target = signed.url.removeprefix(f"https://{urlsplit(signed.url).netloc}")
    return _either_v4a(case, signed, {"signed_url": signed.url, "signed_target": target})


def _signer(case):
    return chunks.ChunkSigner(keys_of(case), case["region"], case["service"], time_of(case))


def _chunk(case):
    text = _signer(case).chunk_text(case["request"]["previous_signature"], body_of(case))
    return {"string_to_sign": text, "signature": _signer(case).sign(text)}


def _event(case):
    text = _signer(case).event_text(case["request"]["previous_signature"], body_of(case))
    return {"string_to_sign": text, "signature": _signer(case).sign(text)}


def _post_policy(case):
    policy = case["request"]["policy_base64"]
    return {"string_to_sign": policy, "signature": sigv4.sign_policy(policy, **_context(case))}


def _key_derivation(case):
    ladder = sigv4.key_ladder(
        case["credentials"]["secret_access_key"], case["timestamp"][:8], case["region"], case["service"]
    )
    names = ("k_secret", "k_date", "k_region", "k_service", "k_signing")
    return {name: key.hex() for name, key in zip(names, ladder, strict=True)}


def _key_derivation_v4a(case):
    scalar = sigv4a.private_scalar(case["credentials"]["access_key_id"], case["credentials"]["secret_access_key"])
    return {"private_key": f"{scalar:064x}", "public_key": _public_key(case["credentials"])}


def _must_refuse(case):
    """Both algorithms, and presigning too."""
    plain, rules = raw_plain_of(case), sigv4.rules_for(case["service"])
    v4, v4a = _context(case), _context_v4a(case)
    for sign in (
        lambda: sigv4.header_signature(plain, rules, **v4),
        lambda: sigv4.presigned_url(plain, rules, 60, **v4),
        lambda: sigv4a.header_signature(plain, rules, **v4a),
        lambda: sigv4a.presigned_url(plain, rules, 60, **v4a),
        lambda: sigv4.sign_headers(plain.method, plain.url, plain.headers, b"", **v4),
        lambda: sigv4.presign(plain.method, plain.url, plain.headers, **v4),
    ):
        try:
            sign()
        except SigningError as refused:
            what = "header" if "header" in refused.detail else "query-param"
        else:
            return {"error": "signed"}
    return {"error": f"illegal-request-{what}"}


CHECKS = {
    "header": _header,
    "chunk-seed": _header,
    "query": _query,
    "header-v4a": _header_v4a,
    "query-v4a": _query_v4a,
    "chunk": _chunk,
    "event": _event,
    "post-policy": _post_policy,
    "key-derivation": _key_derivation,
    "key-derivation-v4a": _key_derivation_v4a,
    "must-refuse": _must_refuse,
}


def differing_fields(case):
    """The names of the stated fields that we compute otherwise; every field stated is compared."""
    found = CHECKS[case["kind"]](case)
    unknown = set(case["expected"]) - set(found)
    assert not unknown, f"{case['name']} states {unknown}, which nobody compares"
    return [name for name, value in case["expected"].items() if not _is_same(case, name, found[name], value)]


def _is_same(case, field, found, stated):
    """Equal; for the documentation, but for the spaces after commas and the order in which a URL lists its parts."""
    match (case["suite"], field):
        case ("aws-docs", "authorization"):
            return found.replace(", ", ",") == stated.replace(", ", ",")
        case ("aws-docs", "signed_url"):
            return _in_order(found) == _in_order(stated)
        case _:
            return found == stated


def test_every_published_case_is_met_field_by_field(record_property):
    checked, refused, disagreeing, failures = 0, 0, [], []
    for case in all_cases():
        differing = differing_fields(case)
        checked += 1
        refused += is_refusal(case)
        if disagrees(case):
            disagreeing.append(case["name"])
            # What the notes describe must still be so: a case that agrees has no business among them.
            if not differing:
                failures.append(f"{case['name']}: said to disagree, but agrees")
        elif differing:
            failures.append(f"{case['name']}: {differing}")
    assert failures == []
    assert checked == 234
    assert refused == 8
    assert sorted(disagreeing) == sorted(REASONS)
    obsolete = [name for name in disagreeing if case_named(name)["notes"].startswith("DISAGREES")]
    misprinted = [name for name in disagreeing if name not in obsolete]
    record_property(
        "covered",
        f"sigv4: {checked} vectors checked, {refused} of them refusals, {len(obsolete)} disagree: {_named(obsolete)};"
        f" {len(misprinted)} misprinted by its page: {_named(misprinted)}",
    )


def _named(names):
    return "; ".join(f"{name} ({REASONS[name][0]})" for name in names)


def test_every_kind_of_case_is_there():
    kinds = Counter(case["kind"] for case in all_cases())
    assert kinds["header"] + kinds["chunk-seed"] == 106
    assert kinds["query"] == 32
    assert kinds["header-v4a"] == 37
    assert kinds["query-v4a"] == 37
    assert set(kinds) == set(CHECKS)
    assert all(case["source"].get("via") not in (None, "fetch") for case in all_cases())


def _signature(case, plain):
    return sigv4.header_signature(plain, rules_of(case), **_context(case)).signature


def _with_sorted_values(case):
    """The same request with the values of each repeated header sorted: the obsolete rule of 2011."""
    plain = plain_of(case)
    return type(plain)(plain.method, plain.url, sorted(plain.headers, key=lambda h: (h[0].lower(), h[1])), plain.body)


def _cut_at_space(case):
    """The request as a lenient parser of 2011 saw it: cut at the first space, `+` meaning a space."""
    target = case["request"]["target"].partition(" ")[0].replace("+", "%20").replace("#", "%23").replace("%^", "%25%5E")
    return plain_of(case, target=target)


def _with_archives(case):
    return plain_of(case, target="/-/vaults/examplevault/archives")


# name -> why its value is not ours, and the change to the request that yields the published value after all.
REASONS = {
    "aws4_testsuite-2011/get-header-key-duplicate/header": ("sorts a repeated header's values", _with_sorted_values),
    "aws4_testsuite-2011/get-header-value-order/header": ("sorts a repeated header's values", _with_sorted_values),
    "aws4_testsuite-2011/post-vanilla-query-nonunreserved/header": (
        "cuts the target at its first space and reads + as a space",
        _cut_at_space,
    ),
    "aws4_testsuite-2011/post-vanilla-query-space/header": ("cuts the target at its first space", _cut_at_space),
    "aws-docs/glacier-upload-archive": ("the page prints the signature of another path", _with_archives),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_disagreeing_case_disagrees_for_the_reason_named_and_for_no_other(name):
    case = case_named(name)
    assert _signature(case, plain_of(case)) != case["expected"]["signature"]
    assert _signature(case, REASONS[name][1](case)) == case["expected"]["signature"]


def test_the_glacier_page_is_wrong_in_its_signature_alone():
    assert differing_fields(case_named("aws-docs/glacier-upload-archive")) == ["signature"]


def test_our_reading_of_the_malformed_queries_is_the_literal_one():
    spaced = case_named("aws4_testsuite-2011/post-vanilla-query-space/header")
    assert canonical_query(spaced["request"]["query"]) == "f%20oo=b%20ar"
    odd = case_named("aws4_testsuite-2011/post-vanilla-query-nonunreserved/header")
    assert canonical_query(odd["request"]["query"].partition(" ")[0]).startswith("%2B=%2F%2C")


def test_a_vector_with_one_wrong_digit_is_noticed_in_every_field():
    noticed = 0
    for case in all_cases():
        for field, value in case["expected"].items():
            if disagrees(case) or not isinstance(value, str) or is_refusal(case):
                continue
            swapped = value[:-1] + ("0" if value[-1] != "0" else "1")
            mutated = {**case, "expected": {**case["expected"], field: swapped}}
            if case["kind"].endswith("v4a") and field in V4A_VERIFIED:
                with pytest.raises(AssertionError):
                    differing_fields(mutated)
            else:
                assert differing_fields(mutated) == [field], case["name"]
            noticed += 1
    assert noticed > 700


# A wrong digit in these makes the published signatures fail to verify, which is asserted on the way.
V4A_VERIFIED = {"string_to_sign", "signature", "authorization", "signed_url", "signed_target"}
