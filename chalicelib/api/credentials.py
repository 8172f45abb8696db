"""Credentials: values come in, and never go out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from chalicelib.api.auth import Role
from chalicelib.api.request import Answer, json_answer
from chalicelib.api.times import to_text_or_none
from chalicelib.api.tools import Call
from chalicelib.errors import ForbiddenError, SettingError, UsageError
from chalicelib.flow.credentials import credentials_of
from chalicelib.flow.model import IDENTIFIER
from chalicelib.flow.plan import Plan
from chalicelib.flow.values import Json
from chalicelib.ports.vault import Held, Vault
from chalicelib.vault.record import Share, ShareRole


async def list_credentials(call: Call) -> Answer:
    """Every credential, by name."""
    return json_answer({"items": [_to_json(each) for each in await _vault(call).listed(call.tenant)]})


async def show(call: Call) -> Answer:
    """One of them."""
    return json_answer(_to_json(await _vault(call).find(call.tenant, _name(call))))


async def keep(call: Call) -> Answer:
    """Store a credential; who may use it is for admins to say, and stays as it was where they do not."""
    share = None
    if {"role", "flows"} & call.body.keys():
        if not call.may(Role.ADMIN):
            raise ForbiddenError("Who may use a credential is for an admin to say. Leave role and flows out.")
        share = _share(call, Share())
    held, is_new = await _vault(call).keep(
        call.tenant,
        _name(call),
        _fields(call),
        type_name=str(call.body.get("type") or ""),
        share=share,
        is_admin=call.may(Role.ADMIN),
    )
    return json_answer(_to_json(held), 201 if is_new else 200)


async def rotate(call: Call) -> Answer:
    """New values as a new version."""
    overlap = call.body.get("overlap_seconds")
    held = await _vault(call).rotate(
        call.tenant,
        _name(call),
        _fields(call),
        overlap_seconds=overlap if isinstance(overlap, int) else 0,
        is_admin=call.may(Role.ADMIN),
    )
    return json_answer(_to_json(held))


async def share(call: Call) -> Answer:
    """Say who may use it: what is left out stays as it is."""
    vault, name = _vault(call), _name(call)
    if not call.body:
        raise UsageError("Say who may use it: role, flows, or both.")
    known = await vault.find(call.tenant, name)
    return json_answer(_to_json(await vault.share(call.tenant, name, _share(call, known.share))))


async def remove(call: Call) -> Answer:
    """Remove it for good."""
    name = _name(call)
    is_hidden = await _vault(call).remove(call.tenant, name, is_admin=call.may(Role.ADMIN))
    return json_answer({"name": name, "environment": is_hidden})


async def test(call: Call) -> Answer:
    """Open it, and ask its service."""
    url = str(call.body.get("url") or "")
    tested = await _vault(call).test(call.tenant, _name(call), url=url, is_admin=call.may(Role.ADMIN))
    return json_answer(
        {
            "name": tested.name,
            "origin": tested.origin,
            "version": tested.version,
            "asked": tested.asked or None,
            "status": tested.status or None,
            "works": tested.works,
            "said": tested.said,
        }
    )


async def rewrap(call: Call) -> Answer:
    """Bring the next credentials under the current master key."""
    done = await _vault(call).rewrap(
        call.tenant, after=str(call.body.get("after") or ""), with_new_key=call.body.get("new_key") is True
    )
    return json_answer(
        {
            "master_key": done.master_key or None,
            "looked_at": done.looked_at,
            "rewrapped": done.rewrapped,
            "failed": [{"name": name, "why": why} for name, why in done.failed],
            "cursor": done.cursor,
        }
    )


async def refuse_unshared(call: Call, plan: Plan) -> None:
    """Raise CredentialNotSharedError where a flow names a credential that it, or whoever publishes it, may not use."""
    if call.tools.vault is not None and (names := sorted(credentials_of(plan))):
        vault = call.tools.vault()
        await vault.refuse_unshared(call.tenant, plan.flow, names, is_admin=call.may(Role.ADMIN))


def _vault(call: Call) -> Vault:
    if call.tools.vault is None:
        raise SettingError("This deployment has no vault.")
    return call.tools.vault()


def _name(call: Call) -> str:
    name = call.names["name"]
    if not IDENTIFIER.fullmatch(name):
        raise UsageError(
            "A credential's name is what flows write: small letters, digits and _, a letter first, at most 40."
        )
    return name


def _fields(call: Call) -> Mapping[str, object]:
    return cast("Mapping[str, object]", call.body["fields"])


def _share(call: Call, known: Share) -> Share:
    """What the body says, over what is known; `flows: null` means every flow."""
    role, flows = call.body.get("role"), call.body.get("flows")
    if role is not None:
        known = replace(known, role=cast("ShareRole", role))
    if "flows" in call.body:
        known = replace(known, flows=tuple(map(str, flows)) if isinstance(flows, list) else None)
    return known


def _to_json(held: Held) -> dict[str, Json]:
    return {
        "name": held.name,
        "origin": held.origin,
        "hides": held.hides,
        "broken": held.is_broken,
        "type": held.type or None,
        "version": held.version,
        "fields": list[Json](held.fields),
        "hosts": list[Json](held.hosts),
        "share": held.share.to_json(),
        "created": to_text_or_none(held.created),
        "changed": to_text_or_none(held.changed),
        "former_until": to_text_or_none(held.former_until),
    }
