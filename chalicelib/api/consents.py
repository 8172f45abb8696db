"""Connecting a credential: begun with a key, agreed to by a person at the service, ended where they come back to.

That address is public. What it is told may come from anybody: nothing of it is shown but what the service says went
wrong, shortened and escaped; the code and the tokens are shown nowhere.
"""

from html import escape
from typing import Final

from chalicelib.api.auth import Role
from chalicelib.api.people import told, wants_page
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.times import to_text
from chalicelib.api.tools import Call
from chalicelib.errors import MethodNotAllowedError, SettingError
from chalicelib.ports.oauth import CallbackAnswer, Connected, Consents
from chalicelib.vault.oauth_errors import ConsentUnknownError

_READ: Final = ("state", "code", "error", "error_description", "iss")
_LONGEST_DESCRIPTION: Final = 1_000


async def begin(call: Call) -> Answer:
    """Where a person agrees."""
    name = call.names["name"]
    begun = await _consents(call).begin(call.tenant, name, call.who, is_admin=call.may(Role.ADMIN))
    return json_answer({"name": name, "url": begun.url, "attempt": begun.attempt, "expires": to_text(begun.expires)})


async def show(call: Call) -> Answer:
    """How it stands."""
    name = call.names["name"]
    standing = await _consents(call).standing(call.tenant, name, call.who, call.names["attempt"])
    return json_answer(
        {
            "name": name,
            "status": standing.status,
            "expires": to_text(standing.expires),
            "said": standing.said or None,
        }
    )


async def finish(call: Call) -> Answer:
    """Take the service's answer from the browser."""
    return await told(call, _finish, unless_said=True)


async def _finish(call: Call) -> Answer:
    if call.request.method != "GET":  # whatever looks ahead with HEAD must not use up what works once
        raise MethodNotAllowedError("This address is opened with GET, by the browser that agreed.", allow=["GET"])
    connected = await _consents(call).finish(_answer(call))
    if wants_page(call.request, unless_said=True):
        return _connected_page(connected)
    return json_answer({"name": connected.name, "status": "connected"})


def _answer(call: Call) -> CallbackAnswer:
    """What came back; of a parameter that comes twice nobody knows which one counts (RFC 6749, section 3.1)."""
    given: dict[str, str] = {}
    for name, value in call.request.query:
        if name in _READ:
            if name in given:
                raise ConsentUnknownError("The address says something twice. Begin again: connect the credential anew.")
            given[name] = value
    if not given.get("state"):
        raise ConsentUnknownError
    return CallbackAnswer(
        given["state"],
        given.get("code"),
        given.get("error"),
        given.get("error_description", "")[:_LONGEST_DESCRIPTION],
        given.get("iss"),
    )


def _connected_page(connected: Connected) -> Answer:
    from chalicelib.api.pages import page  # imported late: programs need no pages

    name, who = escape(connected.name), escape(connected.who)
    return page(
        200,
        "Connected",
        (
            "<h1>Connected</h1>",
            f"<p>The credential <strong>{name}</strong> may now be used. The key {who} asked for it.</p>",
            "<p>If you did not mean this, take the access back in your account's settings at the service.</p>",
            "<p>You may close this page.</p>",
        ),
    )


def _consents(call: Call) -> Consents:
    if call.tools.consents is None:
        raise SettingError("This deployment keeps no credentials, so that none can be connected.")
    return call.tools.consents()
