"""Read the published SigV4 cases and sign each the way its suite asks for."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from chalicelib.signing.canonical import PayloadHash, Rules
from chalicelib.signing.forms import AwsKeys, Plain

VECTORS = Path(__file__).parent.parent / "vectors" / "sigv4.json"


@cache
def all_cases() -> tuple[dict, ...]:
    return tuple(json.loads(VECTORS.read_text(encoding="utf-8"))["cases"])


def case_named(name: str) -> dict:
    return next(case for case in all_cases() if case["name"] == name)


def is_refusal(case) -> bool:
    return case["kind"] == "must-refuse"


def disagrees(case) -> bool:
    """What the vector's own notes say: the value is obsolete, or printed wrongly."""
    return case.get("notes", "").startswith(("DISAGREES", "DOCUMENTATION ERROR"))


def keys_of(case) -> AwsKeys:
    return AwsKeys(**case["credentials"])


def time_of(case) -> datetime:
    return datetime.strptime(case["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def body_of(case) -> bytes:
    request = case["request"]
    if "body_repeat" in request:
        return b"".join(part["byte"].encode() * part["count"] for part in request["body_repeat"])
    return request["body"].encode()


def plain_of(case, *, target: str | None = None) -> Plain:
    """The request without the headers that the signer adds itself; each of those must be what the signer would add."""
    request = case["request"]
    host = next(value for name, value in request["headers"] if name.lower() == "host")
    headers = []
    for name, value in request["headers"]:
        match name.lower():
            case "x-amz-date":
                assert value == case["timestamp"]
            case "x-amz-security-token":
                assert value == case["credentials"]["session_token"]
            case "x-amz-content-sha256":
                assert value == case["options"].get("payload_hash", _sha256(body_of(case)))
            case _:
                headers.append((name, value))
    payload = case["options"].get("payload_hash")
    body = PayloadHash(payload) if payload else body_of(case)
    return Plain(request["method"], f"https://{host}{target or request['target']}", headers, body)


def raw_plain_of(case) -> Plain:
    """The request as it stands, for the cases that must be refused."""
    request = case["request"]
    return Plain(
        request["method"],
        f"https://example.amazonaws.com{request['target']}",
        tuple(map(tuple, request["headers"])),
        b"",
    )


def rules_of(case) -> Rules:
    options = case["options"]
    given = {name.lower() for name, _ in case["request"]["headers"]}
    return Rules(
        normalize_path=options["normalize_path"],
        double_encode_path=options["double_encode_path"],
        content_sha256_header=options.get("content_sha256_header", False) or "x-amz-content-sha256" in given,
        sign_session_token=not options.get("omit_session_token", False),
        add_date_header=options.get("add_date_header", True),
        unsigned_headers=frozenset(name.lower() for name in options.get("unsigned_headers", ())),
    )


def _sha256(body: bytes) -> str:
    from hashlib import sha256

    return sha256(body).hexdigest()
