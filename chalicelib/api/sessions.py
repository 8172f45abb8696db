"""Sessions of the console: a key is shown once, and a cookie stands for it until it is over, or the key is.

The cookie is a random secret, of which only the hash is kept. What changes something needs a second proof that our own
page sent it: a token made from that secret, which no other site can read, and the browser's word for where it came
from. Requests with a key need neither: no browser adds a key by itself.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from chalicelib.api.auth import MAIN_TENANT, Caller, key_hash, shown_key
from chalicelib.api.errors import CrossSiteError
from chalicelib.api.request import Answer, Request, json_answer
from chalicelib.api.times import to_milliseconds, to_text
from chalicelib.api.tools import Call, Settings, Tools
from chalicelib.errors import NotFoundError, PenstockError, UnauthenticatedError, UsageError
from chalicelib.flow.values import Json
from chalicelib.ports import Document

KIND: Final = "session"
IDLE_MS: Final = 30 * 60_000
"""A session is over when nothing was asked with it for this long."""
LONGEST_MS: Final = 12 * 3_600_000
"""And this long after it was opened, whatever is asked."""
NOTED_MS: Final = 60_000
"""How exactly it is known when a session was last used: each use costs no write."""
CSRF_HEADER: Final = "x-penstock-csrf"
_PLAIN_COOKIE: Final = "penstock"
_SECURE_COOKIE: Final = "__Host-penstock"
_SECRET_LENGTH: Final = 52
_OVER: Final = "The session is over. Sign in again."


class _Session(NamedTuple):
    """A session that is open, and the secret that stands for it."""

    secret: str
    document: Document
    caller: Caller

    @property
    def opened(self) -> int:
        return _number(self.document.value, "opened")

    @property
    def seen(self) -> int:
        return _number(self.document.value, "seen")


async def open_session(call: Call) -> Answer:
    """Open a session for the key that this was asked with; what the browser had before is over."""
    key = shown_key(call.request)
    if key is None:
        raise UnauthenticatedError("A session is opened with a key: Authorization: Bearer <key>.")
    tools = call.tools
    hashed = key_hash(key)
    if await tools.keys.holder(call.tenant, call.who, hashed) is None:
        raise UsageError("A session stands for a key of this deployment, which can be revoked. This is another proof.")
    await _end(call)  # what was planted in the browser beforehand leads nowhere
    secret = tools.ids.token() + tools.ids.token()
    now = to_milliseconds(tools.clock.now())
    value: dict[str, Json] = {"tenant": call.tenant, "who": call.who, "hash": hashed, "opened": now, "seen": now}
    rev = await tools.documents.put(
        MAIN_TENANT, KIND, _hashed(secret), value, seen=None, expires=(now + LONGEST_MS) // 1000
    )
    if rev is None or call.caller is None:
        raise TypeError("256 random bits came twice")
    session = _Session(secret, Document(_hashed(secret), rev, value), call.caller)
    answer = json_answer(_to_json(session), 201)
    return answer._replace(headers=(*answer.headers, _cookie(secret, tools.settings, LONGEST_MS // 1000)))


async def show(call: Call) -> Answer:
    """Who is signed in, until when, and the token that changes need."""
    return json_answer(_to_json(await _present(call)))


async def close(call: Call) -> Answer:
    """End the session; the cookie leads nowhere from now on, wherever else it is."""
    await _present(call)
    await _end(call)
    return Answer(204, (("cache-control", "no-store"), _cookie("", call.tools.settings, 0)))


async def enter(request: Request, tools: Tools) -> Caller | None:
    """Whoever the cookie stands for; None without one. Raises UnauthenticatedError where the session is over.

    What changes something is then to pass `refuse_other_sites` too.
    """
    secret = _secret(request, tools.settings)
    if secret is None:
        return None
    session = await _find(tools, secret)
    if session is None:
        raise UnauthenticatedError(_OVER)
    now = to_milliseconds(tools.clock.now())
    if now - session.seen > NOTED_MS:
        await _note(tools, session.document, now)
    return session.caller


def csrf_token(secret: str) -> str:
    """What our page sends along with the cookie; whoever cannot read the cookie's secret cannot make it."""
    return hmac.new(secret.encode(), b"penstock csrf 1", hashlib.sha256).hexdigest()


async def _find(tools: Tools, secret: str) -> _Session | None:
    """The session behind a secret; None where there is none, its time is over, or its key is nobody's any more."""
    document = await tools.documents.get(MAIN_TENANT, KIND, _hashed(secret))
    if document is None:
        return None
    now = to_milliseconds(tools.clock.now())
    value = document.value
    if now - _number(value, "opened") > LONGEST_MS or now - _number(value, "seen") > IDLE_MS:
        return None
    caller = await tools.keys.holder(*(str(value.get(name, "")) for name in ("tenant", "who", "hash")))
    return _Session(secret, document, caller) if caller is not None else None


async def _note(tools: Tools, document: Document, now: int) -> None:
    """Write down that it was used; where somebody was quicker, that is as good."""
    try:
        await tools.documents.put(
            MAIN_TENANT,
            KIND,
            document.key,
            {**document.value, "seen": now},
            seen=document.rev,
            expires=document.expires,
        )
    except PenstockError:
        return  # it ends the earlier for it, at worst


async def _present(call: Call) -> _Session:
    secret = _secret(call.request, call.tools.settings)
    session = await _find(call.tools, secret) if secret is not None and shown_key(call.request) is None else None
    if session is None:
        raise NotFoundError("There is no session here: this was asked with a key, or its cookie leads nowhere.")
    return session


async def _end(call: Call) -> None:
    """Remove what the cookie stands for, whoever else writes to it meanwhile."""
    secret = _secret(call.request, call.tools.settings)
    if secret is None:
        return
    documents = call.tools.documents
    while (document := await documents.get(MAIN_TENANT, KIND, _hashed(secret))) is not None:
        if await documents.delete(MAIN_TENANT, KIND, document.key, seen=document.rev):
            return


def refuse_other_sites(request: Request, settings: Settings) -> None:
    """Raise CrossSiteError unless the browser says that our page sent it, and our page shows its token."""
    secret = _secret(request, settings) or ""
    shown = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), csrf_token(secret).encode()):
        raise CrossSiteError(f"A change with a session needs its token: {CSRF_HEADER}, as GET /api/v1/session says it.")
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is None and site is None:
        raise CrossSiteError("A change with a session needs Origin or Sec-Fetch-Site, which browsers send.")
    if (site is not None and site != "same-origin") or (origin is not None and not _is_ours(origin, request, settings)):
        raise CrossSiteError("A change with a session comes from the console's own pages alone.")


def _is_ours(origin: str, request: Request, settings: Settings) -> bool:
    """Whether an origin is the one this was sent to: as the deployment is known, or as the browser called it."""
    if settings.base_url and origin == origin_of(settings.base_url):
        return True
    host = request.headers.get("host", "")
    # Only where nobody encrypts for us: behind TLS the deployment knows its own name.
    return bool(host) and not settings.base_url.startswith("https://") and origin == f"http://{host}"


def origin_of(url: str) -> str:
    """The origin of a URL, as browsers write it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _secret(request: Request, settings: Settings) -> str | None:
    """The secret in our cookie; None where there is none, or more than one: then somebody added theirs."""
    name = _cookie_name(settings)
    lines = [value for header, value in request.raw_headers if header == "cookie"]
    given = lines or [request.headers.get("cookie", "")]
    found = [
        value.strip()
        for line in given
        for part in line.split(";")
        for each, _, value in (part.partition("="),)
        if each.strip() == name
    ]
    if len(found) != 1 or len(found[0]) != _SECRET_LENGTH or not (found[0].isascii() and found[0].isalnum()):
        return None
    return found[0]


def _cookie_name(settings: Settings) -> str:
    return _SECURE_COOKIE if settings.base_url.startswith("https://") else _PLAIN_COOKIE


def _cookie(secret: str, settings: Settings, seconds: int) -> tuple[str, str]:
    """The header that sets the cookie; with no seconds it removes it (RFC 6265, section 5.3)."""
    secure = "; Secure" if settings.base_url.startswith("https://") else ""
    text = f"{_cookie_name(settings)}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    return ("set-cookie", text)


def _to_json(session: _Session) -> dict[str, Json]:
    caller = session.caller
    return {
        "who": caller.id,
        "role": caller.role.name.lower(),
        "tenant": caller.tenant,
        "opened": to_text(session.opened),
        "expires": to_text(session.opened + LONGEST_MS),
        "idle_seconds": IDLE_MS // 1000,
        "csrf": csrf_token(session.secret),
    }


def _hashed(secret: str) -> str:
    """What is kept of a secret; it is random, so no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _number(value: Mapping[str, Json], name: str) -> int:
    found = value.get(name)
    return found if isinstance(found, int) else 0
