"""Parsers of deliveries to a hook: every scheme's proofs, certificates, secrets, what a flow says below `verify`."""

from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from chalicelib.errors import (
    CredentialUnfitError,
    DeliveryStaleError,
    SignatureMissingError,
    SignatureWrongError,
    UsageError,
)
from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, object_of, text_of

_PROOF: Final = (SignatureMissingError, SignatureWrongError, DeliveryStaleError, CredentialUnfitError)
_FIELDS: Final = (
    b"sig1=",
    b"t=",
    b"v1=",
    b"v0=",
    b"sha256=",
    b";created=1795158000",
    b'("@method" "@path")',
    b":AAAA:",
    b"?1",
    b"(",
    b")",
)
_MARK: Final = b"\r\n\r\n"


def _delivery() -> Take:
    """A delivery with any of its parts changed, verified as every scheme that it was made for.

    An input is a specimen's name, its method, path, query and headers on lines, an empty line as HTTP has it, and the
    body; where the name is none, it is some specimen.
    """
    mutations: Any = import_module("tests.signing.mutations")
    inbound: Any = import_module("chalicelib.signing.inbound")
    specimens: dict[str, Any] = mutations.specimens()
    others = tuple(specimens.values())

    def take(content: bytes) -> object:
        head, _, body = content.partition(_MARK)
        lines = [*text_of(head).split("\n"), "", "", ""]
        specimen = specimens.get(lines[0]) or others[len(content) % len(others)]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[4:])}
        changed = replace(specimen.delivery, method=lines[1], path=lines[2], query=lines[3], headers=headers, body=body)
        inbound.certificate_url(specimen.scheme, specimen.secret, changed)
        arguments = (specimen.scheme, specimen.options, specimen.secret, changed)
        return inbound.verify(*arguments, now=mutations.NOW, certificate=specimen.certificate)

    return take


def _deliveries() -> list[bytes]:
    found: list[bytes] = []
    for name, specimen in import_module("tests.signing.mutations").specimens().items():
        sent = specimen.delivery
        lines = [name, sent.method, sent.path, sent.query, *(f"{key}: {value}" for key, value in sent.headers.items())]
        found.append("\n".join(lines).encode("utf-8", "surrogatepass") + _MARK + sent.body)
    return found


def _certificate() -> Take:
    """What lies at a certificate's address, whatever it is: of SNS and of PayPal."""
    mutations: Any = import_module("tests.signing.mutations")
    inbound: Any = import_module("chalicelib.signing.inbound")
    signed = [each for each in mutations.specimens().values() if each.certificate]

    def take(content: bytes) -> object:
        for each in signed:
            with suppress(*_PROOF):
                inbound.verify(
                    each.scheme, each.options, each.secret, each.delivery, now=mutations.NOW, certificate=content
                )
        return None

    return take


def _certificates() -> list[bytes]:
    return [
        each.certificate for each in import_module("tests.signing.mutations").specimens().values() if each.certificate
    ]


def _secret() -> Take:
    """A credential's text as the key of every scheme: what an author pastes there."""
    mutations: Any = import_module("tests.signing.mutations")
    inbound: Any = import_module("chalicelib.signing.inbound")
    specimens: dict[str, Any] = mutations.specimens()
    others = tuple(specimens.values())

    def take(content: bytes) -> object:
        name, _, text = text_of(content).partition("\n")
        each = specimens.get(name) or others[len(content) % len(others)]
        secret = dict.fromkeys(each.secret, text)
        return inbound.verify(
            each.scheme, each.options, secret, each.delivery, now=mutations.NOW, certificate=each.certificate
        )

    return take


def _secrets() -> list[bytes]:
    specimens: dict[str, Any] = import_module("tests.signing.mutations").specimens()
    return corpus.as_bytes(
        *(f"{name}\n{text}" for name, each in specimens.items() for text in corpus.strings(each.secret))
    )


def _verify_options() -> Take:
    """What a flow says below `verify`."""
    row: Any = import_module("chalicelib.signing.inbound").scheme_row

    def take(content: bytes) -> object:
        given = object_of(content)
        return row(str(given.pop("scheme", "hmac")), given)

    return take


def _options() -> list[bytes]:
    inbound: Any = import_module("chalicelib.signing.inbound")
    specimens = import_module("tests.signing.mutations").specimens().values()
    named = [
        {"scheme": name, **{key: one.default for key, one in inbound.scheme_options(name).items()}}
        for name in inbound.scheme_names()
    ]
    return corpus.as_json(*named, *({"scheme": each.scheme, **each.options} for each in specimens))


def _structured() -> Take:
    fields: Any = import_module("chalicelib.signing.structured_fields")

    def take(content: bytes) -> object:
        read = fields.read_dictionary(text_of(content))
        return [fields.written(member) for member in read.values()]

    return take


def _structured_texts() -> list[bytes]:
    found = [text for text in corpus.strings(corpus.vectors("rfc9421")) if "=(" in text or "=:" in text]
    return corpus.as_bytes(
        *found, 'sig1=("@method" "content-digest";req);created=1;keyid="a"', "a=1.5, b=?1, c=:AA==:, d=tok/en;q"
    )


def _confirmation() -> Take:
    url: Any = import_module("chalicelib.signing.inbound_certificates").confirmation_url

    return lambda content: url(object_of(content))


def _confirmations() -> list[bytes]:
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:1:t&Token=2336412f"
    return corpus.as_json(
        {
            "Type": "SubscriptionConfirmation",
            "SubscribeURL": url,
            "TopicArn": "arn:aws:sns:eu-central-1:1:t",
            "Token": "t",
        }
    )


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    return (
        Parser(
            "delivery",
            "signing.inbound.verify, certificate_url: every scheme",
            _deliveries,
            _delivery,
            _PROOF,
            800,
            words=_FIELDS,
        ),
        Parser(
            "certificate",
            "signing.inbound.verify: the certificates of SNS and PayPal",
            _certificates,
            _certificate,
            (),
            100,
            words=(b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n", b"\n", b"MII"),
        ),
        Parser(
            "secret",
            "signing.inbound.verify: a credential's text",
            _secrets,
            _secret,
            _PROOF,
            300,
            words=(b"whsec_", b"==", b"-----BEGIN PUBLIC KEY-----"),
        ),
        Parser("verify_options", "signing.inbound.scheme_row", _options, _verify_options, (UsageError,), 400, "json"),
        Parser(
            "structured_field",
            "signing.structured_fields.read_dictionary, written",
            _structured_texts,
            _structured,
            (ValueError,),
            700,
            words=_FIELDS,
            most_bytes=20_000,
        ),
        Parser(
            "sns_confirmation",
            "signing.inbound_certificates.confirmation_url",
            _confirmations,
            _confirmation,
            (SignatureWrongError,),
            500,
            "json",
            (b"amazonaws.com", b".cn", b"@", b"#"),
        ),
    )
