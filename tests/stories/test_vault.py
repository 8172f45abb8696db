"""Credentials of the vault in use: by steps, by hooks, while they change, and where they are not shared."""

import asyncio
import json
from base64 import b64encode

import pytest

from tests.stories.place import HOOK_SECRET, KINDS, a_place

FLOW = """
flow: shop
triggers:
  placed: {uses: webhook, verify: {scheme: standard-webhooks, credential: shop_hook}}
steps:
  ask: {uses: http.request, credential: crm, with: {url: "https://api.example/ask"}}
output: "${ steps.ask.body }"
"""
OTHER_SECRET = "whsec_" + b64encode(b"another one of thirty-two bytes.").decode()


def story(kind, path, tell):
    async def whole():
        async with a_place(kind, path) as place:
            place.http.answers["/ask"] = {"fine": True}
            await put(place, "shop_hook", {"secret": HOOK_SECRET})
            await put(place, "crm", {"token": "sk-live-012345", "hosts": "api.example"})
            await place.publish(FLOW)
            await tell(place)

    asyncio.run(whole())


async def put(place, name, fields):
    status, told = await place.rest("PUT", f"credentials/{name}", {"fields": fields})
    assert status in {200, 201}, told


async def ran(place):
    _, started = await place.rest("POST", "flows/shop/run", {})
    await place.settle()
    return await place.execution(started["execution"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_delivery_signed_with_the_former_secret_counts_while_it_is_said_to_and_no_longer(kind, tmp_path):
    async def tell(place):
        assert (await place.hook("shop/placed", b"{}", "msg_1")).status == 202
        body = {"fields": {"secret": OTHER_SECRET}, "overlap_seconds": 600}
        assert (await place.rest("POST", "credentials/shop_hook/rotate", body))[0] == 200
        assert (await place.hook("shop/placed", b"{}", "msg_2")).status == 202
        await place.clock.sleep(600)
        late = await place.hook("shop/placed", b"{}", "msg_3")
        assert (late.status, json.loads(late.body)["code"]) == (401, "signature_wrong")

    story(kind, tmp_path, tell)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_sends_the_new_value_as_soon_as_there_is_one(kind, tmp_path):
    """Z7: nodes use the vault, so that no key stands in a flow."""

    async def tell(place):
        assert (await ran(place))["status"] == "succeeded"
        assert dict(place.http.sent[-1].headers)["Authorization"] == "Bearer sk-live-012345"
        await put(place, "crm", {"token": "sk-live-543210", "hosts": "api.example"})
        assert (await ran(place))["status"] == "succeeded"
        assert dict(place.http.sent[-1].headers)["Authorization"] == "Bearer sk-live-543210"

    story(kind, tmp_path, tell)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flow_that_it_is_no_longer_shared_with_does_not_get_it(kind, tmp_path):
    async def tell(place):
        for name in ("crm", "shop_hook"):
            assert (await place.rest("POST", f"credentials/{name}/share", {"flows": ["other"]}))[0] == 200
        execution = await ran(place)
        assert (execution["status"], execution["reason"]["code"]) == ("failed", "credential_not_shared")
        assert place.http.sent == []
        refused = await place.hook("shop/placed", b"{}")
        problem = json.loads(refused.body)
        assert (refused.status, problem["code"]) == (500, "setting")
        assert "shop_hook" not in refused.body.decode(), "strangers are not told which"

    story(kind, tmp_path, tell)


@pytest.mark.parametrize("kind", KINDS)
def test_a_credential_that_somebody_altered_in_the_store_fails_the_step_that_needs_it(kind, tmp_path):
    async def tell(place):
        documents = place.store.documents
        seen = await documents.get("main", "credential", "crm")
        other = await documents.get("main", "credential", "shop_hook")
        await documents.put("main", "credential", "crm", {**seen.value, "sealed": other.value["sealed"]}, seen=seen.rev)
        execution = await ran(place)
        assert (execution["status"], execution["reason"]["code"]) == ("failed", "seal_broken")
        assert place.http.sent == []

    story(kind, tmp_path, tell)
