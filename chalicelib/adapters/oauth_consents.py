"""A person's consent, begun and ended: state that works once, PKCE, the code exchanged, the tokens stored.

The state is known to the person's browser alone: stored is its hash, with whom and what it was made for, and half of
what the PKCE verifier is made of (the other half is the state).
"""

import hashlib
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from chalicelib.adapters.oauth_tokens import Shelf, ask_for_tokens
from chalicelib.adapters.vault import Opened
from chalicelib.errors import (
    CredentialMissingError,
    CredentialUnfitError,
    PenstockError,
    SettingError,
)
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Document, Documents, Http
from chalicelib.ports.oauth import Begun, CallbackAnswer, Connected, ConsentStanding, ConsentStatus
from chalicelib.vault.errors import CredentialNotSharedError
from chalicelib.vault.oauth2 import (
    authorization_url,
    authorize_url_of,
    challenge_of,
    code_request,
    is_expected_issuer,
    oauth_of,
    said,
    token_url_of,
    verifier_of,
    with_tokens,
)
from chalicelib.vault.oauth_errors import (
    ConsentDeniedError,
    ConsentExpiredError,
    ConsentUnknownError,
    ConsentUsedError,
    TokenRefusedError,
    TokenTroubleError,
)
from chalicelib.vault.types import CredentialType, find_type, secret_fields

KIND: Final = "oauth_state"
CALLBACK: Final = "/oauth/callback"
LASTS_SECONDS: Final = 600
KEPT_SECONDS: Final = 3600
"""So long it can be asked how a consent ended."""
_LONGEST_STATE: Final = 400
_LONGEST_CODE: Final = 8_000
_STORE_TRIES: Final = 3


class StoredConsents:
    """Fulfils `ports.oauth.Consents`."""

    def __init__(
        self,
        shelf: Shelf,
        documents: Documents,
        http: Http,
        clock: Clock,
        *,
        base_url: str,
        random: Callable[[int], bytes],
    ) -> None:
        """`base_url` is where the outside finds us; `random` gives so many bytes that nobody guesses (`os.urandom`)."""
        self._shelf = shelf
        self._documents = documents
        self._http = http
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._random = random

    async def begin(self, tenant: str, name: str, who: str, *, is_admin: bool) -> Begun:
        """Send somebody to the service."""
        opened = await self._shelf.read(tenant, name)
        if opened is None:
            raise CredentialMissingError(
                f"No credential `{name}` in the vault. Store its client first: `penstock credentials set {name}`."
            )
        if opened.record.share.role == "admin" and not is_admin:
            raise CredentialNotSharedError(f"The credential `{name}` is for admins alone. Ask one, or use another.")
        kind = find_type(opened.record.type)
        if oauth_of(kind).grant != "authorization_code":
            raise CredentialUnfitError(
                f"The credential `{name}` needs no person: its token is asked for when a step needs it."
            )
        if not self._base_url:
            raise SettingError("Nobody knows the address to come back to. Set PENSTOCK_URL to the deployment's own.")
        state, seed = f"{_text(self._random(32))}.{_text(tenant.encode())}", self._random(32)
        until = self._clock.now() + timedelta(seconds=LASTS_SECONDS)
        value: dict[str, Json] = {
            "v": 1,
            "name": name,
            "who": who,
            "status": "pending",
            "until": int(until.timestamp() * 1000),
            "seed": b64encode(seed).decode(),
            "of": _fingerprint(kind, opened.fields),
            "redirect_uri": f"{self._base_url}{CALLBACK}",
        }
        attempt = _name_of(state)
        if await self._put(tenant, attempt, value, None) is None:
            raise ConsentUsedError  # 256 random bits came twice
        challenge = challenge_of(verifier_of(seed, state))
        redirect = str(value["redirect_uri"])
        url = authorization_url(kind, opened.fields, redirect_uri=redirect, state=state, challenge=challenge)
        return Begun(url, attempt, int(until.timestamp() * 1000))

    async def standing(self, tenant: str, name: str, who: str, attempt: str) -> ConsentStanding:
        """How it stands."""
        found = await self._documents.get(tenant, KIND, attempt)
        if found is None or (found.value.get("name"), found.value.get("who")) != (name, who):
            raise ConsentUnknownError
        status, until = str(found.value["status"]), _whole(found.value["until"])
        if status in {"connected", "denied"}:
            known: ConsentStatus = "connected" if status == "connected" else "denied"
            return ConsentStanding(known, until, str(found.value.get("said", "")))
        return ConsentStanding("expired" if self._is_over(found) else "pending", until)

    async def finish(self, answer: CallbackAnswer) -> Connected:
        """Turn the answer into tokens, and store them; of several answers to one state the first wins."""
        tenant, found = await self._found(answer.state)
        taken = {**found.value, "status": "taken"}
        rev = await self._put(tenant, found.key, taken, found.rev)
        if rev is None:
            raise ConsentUsedError
        name, who = str(found.value["name"]), str(found.value["who"])
        try:
            await self._connect(tenant, name, found, answer)
        except PenstockError as error:
            await self._put(tenant, found.key, {**taken, "status": "denied", "said": error.detail}, rev)
            raise
        await self._put(tenant, found.key, {**taken, "status": "connected", "seed": ""}, rev)
        return Connected(tenant, name, who)

    async def _found(self, state: str) -> tuple[str, Document]:
        """What the state was made for; raises ConsentUnknownError, ConsentUsedError, ConsentExpiredError."""
        if not 0 < len(state) <= _LONGEST_STATE or not state.isascii():
            raise ConsentUnknownError
        try:
            tenant = urlsafe_b64decode(_padded(state.partition(".")[2])).decode("ascii")
        except ValueError:
            raise ConsentUnknownError from None
        found = await self._documents.get(tenant, KIND, _name_of(state)) if tenant else None
        if found is None:
            raise ConsentUnknownError
        if found.value["status"] != "pending":
            raise ConsentUsedError
        if self._is_over(found):
            raise ConsentExpiredError
        return tenant, found

    async def _connect(self, tenant: str, name: str, found: Document, answer: CallbackAnswer) -> None:
        opened = await self._shelf.read(tenant, name)
        kind = find_type(opened.record.type) if opened is not None else None
        if opened is None or kind is None or _fingerprint(kind, opened.fields) != found.value["of"]:
            raise ConsentDeniedError(
                f"The credential `{name}` was changed while somebody was asked. Begin again: "
                f"`penstock credentials connect {name}`."
            )
        if not is_expected_issuer(kind, opened.fields, answer.issuer):
            raise ConsentDeniedError(
                "The answer is from another service than the one that was asked (RFC 9207). Nothing was stored."
            )
        if answer.error is not None or not answer.code or len(answer.code) > _LONGEST_CODE:
            told = {"error": answer.error or "no code", "error_description": answer.description}
            heard = said(told, secret_fields(opened.fields))
            raise ConsentDeniedError(f"The service gave no consent: {heard}")
        seed = b64decode(str(found.value["seed"]))
        now = self._clock.now()
        request = code_request(
            kind,
            opened.fields,
            code=answer.code,
            redirect_uri=str(found.value["redirect_uri"]),
            verifier=verifier_of(seed, answer.state),
        )
        try:
            tokens = await ask_for_tokens(self._http, request, {**opened.fields, "code": answer.code})
        except (TokenRefusedError, TokenTroubleError) as error:
            raise ConsentDeniedError(f"{error.detail} Begin again: `penstock credentials connect {name}`.") from error
        await self._store(tenant, name, opened, with_tokens(kind, opened.fields, tokens, now=now, is_first=True))

    async def _store(self, tenant: str, name: str, opened: Opened, fields: Mapping[str, str]) -> None:
        for _ in range(_STORE_TRIES):
            if await self._shelf.replace(tenant, name, opened, fields) is not None:
                return
            there = await self._shelf.read(tenant, name)
            if there is None or _clients(there.fields) != _clients(opened.fields):
                break
            opened = there
        raise ConsentDeniedError(
            f"The credential `{name}` was changed while its tokens were asked for. Begin again: "
            f"`penstock credentials connect {name}`."
        )

    def _is_over(self, found: Document) -> bool:
        return _whole(found.value["until"]) <= int(self._clock.now().timestamp() * 1000)

    async def _put(self, tenant: str, attempt: str, value: Mapping[str, Json], seen: str | None) -> str | None:
        expires = int(self._clock.now().timestamp()) + KEPT_SECONDS
        return await self._documents.put(tenant, KIND, attempt, value, seen=seen, expires=expires)


def _name_of(state: str) -> str:
    """What a state is kept under: whoever reads the store cannot answer in a browser's place."""
    return hashlib.sha256(state.encode()).hexdigest()


def _fingerprint(kind: CredentialType, fields: Mapping[str, str]) -> str:
    """Which client asks which service: a consent counts for that alone."""
    parts = (kind.name, fields["client_id"], authorize_url_of(kind, fields), token_url_of(kind, fields))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _clients(fields: Mapping[str, str]) -> Mapping[str, str]:
    """The fields without what connecting and renewing set."""
    return {name: value for name, value in fields.items() if name not in {"token", "refresh_token", "expires_at"}}


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


def _whole(value: Json) -> int:
    return value if isinstance(value, int) else 0
