"""Whether a credential works: one request that does nothing, signed with it, and a look at what came back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from chalicelib.errors import PenstockError, UsageError
from chalicelib.flow.values import Json
from chalicelib.ports import Clock, Http, HttpAnswer, HttpRequest
from chalicelib.ports.vault import Tested
from chalicelib.signing.canonical import split_url
from chalicelib.signing.outbound import Outgoing, authorize
from chalicelib.vault.type_words import CredentialType, TestRequest

_SECONDS: Final = 10.0
_MOST_BYTES: Final = 100_000
_SIGNING: Final = frozenset({"bearer", "basic", "header", "query", "aws"})


async def try_out(
    tested: Tested, kind: CredentialType, fields: Mapping[str, str], url: str, http: Http, clock: Clock
) -> Tested:
    """What the service says to this credential; where there is nothing to ask, that it could be opened.

    Nothing of an answer but its status is told: whoever may test a credential need not see what it opens.
    """
    signs = fields.get("kind") or kind.kind
    asks = _request(kind.test, fields, url)
    if asks is None:
        return replace(tested, said=f"It opens. The type {kind.name} says no way to ask its service: give an address.")
    if signs not in _SIGNING:
        if url:
            raise UsageError(f"A credential of the type {kind.name} is not sent with requests. Test it without a url.")
        return replace(tested, said="It opens. It is not sent with requests, so there is nobody to ask.")
    method, address, expected = asks
    outgoing = authorize(signs, fields, Outgoing(method, address, (("Accept", "application/json"),)), now=clock.now())
    host = split_url(address)[0]
    try:
        answer = await http.send(
            HttpRequest(outgoing.method, outgoing.url, outgoing.headers, outgoing.body, _SECONDS, _MOST_BYTES)
        )
    except PenstockError as error:
        return replace(tested, asked=host, said=f"{host} was not reached: {error.code}.")
    works = _is_yes(answer, expected)
    said = f"{host} answered {answer.status}: it {'takes' if works else 'does not take'} the credential."
    return replace(tested, asked=host, status=answer.status, works=works, said=said)


def _request(
    test: TestRequest | None, fields: Mapping[str, str], url: str
) -> tuple[str, str, TestRequest | None] | None:
    if url:
        return "GET", url, None
    if test is None:
        return None
    known = {**dict(test.defaults), **fields}
    base = fields.get("base_url") or test.base_url
    for name, value in known.items():
        base = base.replace(f"{{{name}}}", value)
    return test.method, base.rstrip("/") + test.path, test


def _is_yes(answer: HttpAnswer, test: TestRequest | None) -> bool:
    if test is None:
        return 200 <= answer.status < 300
    if answer.status not in test.statuses:
        return False
    if not test.must_say:
        return True
    try:
        data: Json = json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get(test.must_say) is True
