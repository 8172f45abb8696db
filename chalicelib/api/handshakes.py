"""What senders ask before they send: whether the address is ours. Answered before any execution begins.

Where the sender's way allows it, only who proves to hold the secret is answered: a signed question is verified like any
delivery. What is echoed goes out as plain text that no browser takes for a page.
"""

import json
import re
from collections.abc import Mapping
from hmac import compare_digest, new
from typing import Final, cast

from chalicelib.api.request import JSON, Answer, Request, json_bytes
from chalicelib.api.sender_hosts import SenderHosts, need_hosts
from chalicelib.errors import CredentialUnfitError, SignatureMissingError, SignatureWrongError
from chalicelib.flow.values import Json
from chalicelib.signing.inbound_keys import is_shown, secrets_of

_TEXT: Final = (
    ("content-type", "text/plain; charset=utf-8"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "sandbox; default-src 'none'"),
    ("cache-control", "no-store"),
)
_NOTHING: Final = Answer(200, JSON, b"{}")
_CHALLENGE: Final = re.compile(r"[!-~]{1,1000}", re.ASCII)
# Zoom has us sign what it sends. A text without a colon is never one of its deliveries (`v0:<time>:<body>`).
_PLAIN_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_MOST_BYTES: Final = 4096


def unsigned_question(scheme: str, request: Request) -> bool:
    """Whether this is a question without a signature."""
    query = dict(request.query)
    match scheme:
        case "meta-whatsapp":
            return request.method == "GET" and query.get("hub.mode") == "subscribe"
        case "dropbox":
            return request.method == "GET" and "challenge" in query
        case "notion":
            return request.method == "POST" and "x-notion-signature" not in request.headers and bool(_token(request))
        case _:
            return False


def answer_unsigned(scheme: str, request: Request, secret: Mapping[str, object]) -> Answer:
    """The answer to a question without a signature.

    Raises SignatureWrongError where what it shows instead is not the credential's, CredentialUnfitError where the
    credential has nothing to hold it against.
    """
    query = dict(request.query)
    if scheme == "notion":
        _require_shown(secrets_of(secret, "secret"), _token(request), "The verification token")
        return _NOTHING
    if scheme == "meta-whatsapp":
        known = secret.get("verify_token")
        if not isinstance(known, str) or not known:
            raise CredentialUnfitError("The credential needs the field verify_token, as it was given to Meta.")
        _require_shown([known], query.get("hub.verify_token", ""), "The verify token")
        return _echo(query.get("hub.challenge"))
    return _echo(query.get("challenge"))  # Dropbox shows nothing that could be held against anything


async def answer_signed(
    scheme: str, request: Request, body: Json, secret: Mapping[str, object], hosts: SenderHosts | None
) -> Answer | None:
    """The answer to a verified delivery that is a question; None for any other."""
    if not isinstance(body, dict):
        return None
    match scheme:
        # docs.slack.dev/reference/events/url_verification
        case "slack" if body.get("type") == "url_verification" and isinstance(body.get("challenge"), str):
            return _echo(body["challenge"])
        # developers.zoom.us, Using webhooks: Validate your webhook endpoint
        case "zoom" if body.get("event") == "endpoint.url_validation":
            return _zoom(body.get("payload"), request, secret)
        # developers.notion.com/reference/webhooks
        case "notion" if isinstance(body.get("verification_token"), str) and "type" not in body:
            return _NOTHING
        # discord.com/developers/docs/interactions/receiving-and-responding: PING is type 1, PONG too
        case "discord" if body.get("type") == 1:
            return Answer(200, JSON, b'{"type":1}')
        # dev.twitch.tv/docs/eventsub/handling-webhook-events: Responding to a challenge request
        case "twitch" if request.headers.get("twitch-eventsub-message-type") == "webhook_callback_verification":
            return _echo(body.get("challenge"))
        # docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
        case "aws-sns" if body.get("Type") != "Notification":
            return await _sns(body, hosts)
        case _:
            return None


async def _sns(body: Mapping[str, Json], hosts: SenderHosts | None) -> Answer:
    if body.get("Type") == "SubscriptionConfirmation":
        from chalicelib.signing.inbound_certificates import confirmation_url  # imported late: one sender of many

        await need_hosts(hosts).confirm(confirmation_url(dict(body)))
    return _NOTHING  # that a subscription has ended is no event of the topic


def _zoom(payload: Json, request: Request, secret: Mapping[str, object]) -> Answer:
    plain = payload.get("plainToken") if isinstance(payload, dict) else None
    if not isinstance(plain, str) or not _PLAIN_TOKEN.fullmatch(plain):
        raise SignatureWrongError("Zoom's plainToken is not one of letters, digits, - and _.")
    signed = f"v0:{request.headers.get('x-zm-request-timestamp', '')}:".encode() + request.body
    shown = request.headers.get("x-zm-signature", "").encode("utf-8", "surrogatepass")
    # While the secret is changed, the answer is made with the one that signed the question.
    keys = [each.encode("utf-8", "surrogatepass") for each in secrets_of(secret, "secret")]
    fitting = [key for key in keys if compare_digest(b"v0=" + new(key, signed, "sha256").hexdigest().encode(), shown)]
    encrypted = new((fitting or keys)[0], plain.encode(), "sha256").hexdigest()
    return Answer(200, JSON, json_bytes({"plainToken": plain, "encryptedToken": encrypted}))


def _echo(challenge: Json) -> Answer:
    if not isinstance(challenge, str) or not _CHALLENGE.fullmatch(challenge):
        raise SignatureMissingError("The challenge is not a short text, so nothing is echoed.")
    return Answer(200, _TEXT, challenge.encode())


def _require_shown(known: list[str], shown: str, what: str) -> None:
    texts = [text.encode("utf-8", "surrogatepass") for text in known]
    if not is_shown(texts, [shown.encode("utf-8", "surrogatepass")]):
        raise SignatureWrongError(f"{what} is not the credential's.")


def _token(request: Request) -> str:
    """Notion's token, where the body is nothing but that."""
    if len(request.body) > _MOST_BYTES:
        return ""
    try:
        body: object = json.loads(request.body)
    except (ValueError, RecursionError):
        return ""
    said = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    token = said.get("verification_token")
    return token if isinstance(token, str) and len(said) == 1 else ""
