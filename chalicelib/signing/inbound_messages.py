"""HTTP Message Signatures (RFC 9421) on deliveries, and the digest of the body that they cover (RFC 9530)."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512
from hmac import compare_digest
from typing import Final, NamedTuple

from chalicelib.errors import DeliveryStaleError, SignatureWrongError
from chalicelib.signing.inbound_content import Asked, Verified
from chalicelib.signing.inbound_headers import is_plain, present
from chalicelib.signing.inbound_keys import secrets_of
from chalicelib.signing.inbound_time import refuse_stale
from chalicelib.signing.message_components import Message, has_component, name_of, signature_base
from chalicelib.signing.message_keys import is_message_signed, message_keys
from chalicelib.signing.structured_fields import Bare, InnerList, Item, read_dictionary

_MOST_SIGNATURES: Final = 8
_LATEST: Final = 99_999_999_999  # seconds, in the year 5138: beyond lies no time
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGESTS: Final = {"sha-256": sha256, "sha-512": sha512}

# What covers more than its name says (RFC 9421 section 2.2).
_WITHIN: Final = {
    "@target-uri": frozenset({"@scheme", "@authority", "@request-target", "@path", "@query"}),
    "@request-target": frozenset({"@path", "@query"}),
}


class _Signature(NamedTuple):
    """One signature that a delivery carries."""

    covered: InnerList
    value: bytes

    def says(self, name: str) -> Bare | None:
        """A parameter of the signature, such as `created`."""
        return dict(self.covered.parameters).get(name)


def verify_messages(asked: Asked) -> Verified:
    """One signature must be whole: made with a key of ours, over what the flow wants covered, and of now.

    Raises the errors of `inbound.verify`.
    """
    headers = asked.delivery.headers
    signatures = _signatures(present(headers, "signature-input"), present(headers, "signature"))
    message = Message(asked.delivery, str(asked.options["url"] or ""))
    keys = message_keys(asked.options, secrets_of(asked.secret, "secret"))
    algorithm, refusal = str(asked.options["algorithm"]), ""
    good: tuple[_Signature, bytes] | None = None
    for signature in signatures:
        lack = _lack(signature, asked)
        if not lack:
            base = signature_base(signature.covered, message)
            lack = base if isinstance(base, str) else ""
            if isinstance(base, bytes):
                if sum(is_message_signed(algorithm, key, base, signature.value) for key in keys):
                    good = good or (signature, base)
                lack = "The signature does not match. Compare the keys on both sides."
        refusal = refusal or lack
    if good is None:
        raise SignatureWrongError(refusal or "The delivery has no signature that its Signature-Input describes.")
    signature, base = good
    if asked.delivery.body or has_component(signature.covered, "content-digest"):
        _require_digest(present(headers, "content-digest"), asked.delivery.body)
    return _verified(signature, base, asked)


def _signatures(inputs: str, values: str) -> list[_Signature]:
    try:
        described, given = read_dictionary(inputs), read_dictionary(values)
    except ValueError:
        raise SignatureWrongError("The header signature-input or signature is not a structured field.") from None
    found: list[_Signature] = []
    for label, covered in described.items():
        value = given.get(label)
        if isinstance(covered, InnerList) and isinstance(value, Item) and isinstance(value.value, bytes):
            found.append(_Signature(covered, value.value))
    if len(found) > _MOST_SIGNATURES:
        raise SignatureWrongError(f"At most {_MOST_SIGNATURES} signatures are read.")
    return found


def _lack(signature: _Signature, asked: Asked) -> str:
    """What the flow wants of a signature and this one has not; empty where it has everything."""
    options, delivery = asked.options, asked.delivery
    if signature.says("alg") not in {None, options["algorithm"]}:
        return f"The signature's alg is not {options['algorithm']}."
    for name in ("tag", "keyid"):
        if options[name] and signature.says(name) != options[name]:
            return f"The signature's {name} is not the one that the flow names."
    if not isinstance(signature.says("created"), int):
        return "The signature does not say when it was created."
    covered = {name_of(item) for item in signature.covered.items if not item.parameters}
    covered |= {name for outer in covered for name in _WITHIN.get(outer, ())}
    for name in _wanted(str(options["components"]), has_query=bool(delivery.query), has_body=bool(delivery.body)):
        if name not in covered:
            return f"The signature does not cover {name}."
    return ""


def _wanted(components: str, *, has_query: bool, has_body: bool) -> list[str]:
    """A query or a body that is there must be covered; one that is not may be left out."""
    wanted = [name for name in components.lower().split() if name != "@query" or has_query]
    return [*wanted, "content-digest"] if has_body else wanted


def _require_digest(text: str, body: bytes) -> None:
    try:
        digests = read_dictionary(text)
    except ValueError:
        raise SignatureWrongError("The header content-digest is not a structured field.") from None
    known = [(make, digests[name]) for name, make in _DIGESTS.items() if name in digests]
    fits = [isinstance(item.value, bytes) and compare_digest(make(body).digest(), item.value)
            for make, item in known if isinstance(item, Item)]  # fmt: skip
    if not fits or len(fits) < len(known) or not all(fits):
        raise SignatureWrongError("The body is not the one of content-digest, which needs sha-256 or sha-512.")


def _verified(signature: _Signature, base: bytes, asked: Asked) -> Verified:
    created, expires, nonce = (signature.says(name) for name in ("created", "expires", "nonce"))
    signed_at = _moment(created)
    refuse_stale(signed_at, int(asked.options["window_seconds"]), asked.now)
    if expires is not None and _moment(expires) < asked.now:
        raise DeliveryStaleError("The signature has expired. Check the sender's clock; a replay is refused.")
    if isinstance(nonce, str) and nonce and is_plain(nonce):
        return Verified(nonce, signed_at, id_is_signed=True)
    # Two messages that differ in anything that was signed are two, also within one second.
    return Verified(sha256(base).hexdigest(), signed_at, id_is_signed=True)


def _moment(seconds: Bare | None) -> datetime:
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= _LATEST:
        raise SignatureWrongError("The signature's created or expires is not a time.")
    return _EPOCH + timedelta(seconds=seconds)
