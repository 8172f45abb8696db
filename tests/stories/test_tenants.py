"""Two tenants with flows and credentials of the same names: nothing of one is seen, started or changed by the other."""

import asyncio
import re
from base64 import b64encode
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chalicelib.adapters.aws import addresses
from chalicelib.adapters.aws.schedules import flow_prefix
from chalicelib.adapters.sqlite import schema
from chalicelib.api.routes import TABLE
from chalicelib.engine.controls import LANE
from chalicelib.engine.records import RecordKey
from tests.stories.place import KINDS, Place, a_place

CANARY = "what only acme may see"
KEYS = {"acme": b"the hook secret of acme.........", "rival": b"the hook secret of rival........"}
SHOP = """\
flow: shop
description: "{canary}"
concurrency: 1
triggers:
  placed: {{uses: webhook, verify: {{scheme: standard-webhooks, credential: hook}}}}
  knock: {{uses: webhook, verify: none}}
  failed: {{uses: error}}
steps:
  note: {{uses: set, with: {{text: "{canary}"}}}}
  ask: {{uses: approval, after: note, with: {{ask: "{canary}"}}}}
"""
PAYROLL = """\
flow: payroll
steps:
  pay: {uses: set, with: {text: "what only acme may see"}}
output: "${ steps.pay.text }"
"""
FAILING = "flow: failing\nsteps:\n  stop: {uses: fail, with: {code: on_purpose, message: it is meant to}}\n"
CALLING = 'flow: calling\nsteps:\n  call: {uses: call, with: {flow: payroll}}\noutput: "${ steps.call }"\n'
FILES = """\
flow: files
triggers:
  give: {uses: webhook, verify: none, respond: step}
steps:
  answer: {uses: respond, with: {file: "${ trigger.body }"}}
"""
FILE = {"name": "body", "type": "text/plain", "size": 1}
KEEPING = """\
flow: keeping
triggers:
  keep: {uses: webhook, verify: none, respond: result, inputs: {kept: "${ trigger.body }"}}
inputs: {kept: {}}
steps:
  a: {uses: set, with: {x: 1}}
output: "${ inputs.kept }"
"""


class Tenants:
    """A place with two tenants, each with its admin's key."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.keys: dict[str, str] = {}

    async def settle_in(self) -> None:
        for tenant, secret in KEYS.items():
            fields = {"secret": "whsec_" + b64encode(secret).decode()}
            await self.place.vault.keep(tenant, "hook", fields, type_name="secret", share=None, is_admin=True)
            wish = {"name": "admin", "role": "admin", "tenant": tenant}
            status, made = await self.place.rest("POST", "keys", wish)
            assert status == 201, made
            self.keys[tenant] = made["key"]

    async def ask(self, tenant: str, method: str, target: str, body: Any = b"", kind: str = "") -> tuple[int, Any]:
        return await self.place.rest(method, target, body, kind, key=self.keys[tenant])

    async def publish(self, tenant: str, text: str) -> dict[str, str]:
        """The addresses of its hooks by trigger."""
        told = await self.place.publish(text, key=self.keys[tenant])
        found = {each["id"]: each.get("url") or "" for each in told["triggers"]}
        return {name: url.removeprefix("https://penstock.example") for name, url in found.items()}

    async def all_of(self, tenant: str) -> dict[str, Any]:
        """Everything that a tenant can see."""
        found: dict[str, Any] = {}
        for target in ("flows", "executions", "refusals", "keys"):
            found[target] = (await self.ask(tenant, "GET", target))[1]["items"]
        for flow in found["flows"]:
            for more in ("", "/versions"):
                target = f"flows/{flow['flow']}{more}"
                found[target] = (await self.ask(tenant, "GET", target))[1]
        for execution in found["executions"]:
            target = f"executions/{execution['id']}"
            found[target] = (await self.ask(tenant, "GET", target))[1]
        for key in found["keys"]:
            key.pop("last_used")
        return found


@asynccontextmanager
async def two(kind, path):
    async with a_place(kind, path) as place:
        tenants = Tenants(place)
        await tenants.settle_in()
        yield tenants


@pytest.mark.parametrize("kind", KINDS)
def test_no_route_shows_or_changes_anything_of_another_tenant(kind, tmp_path):
    async def story():
        async with two(kind, tmp_path) as tenants:
            for tenant, canary in (("acme", CANARY), ("rival", "something else")):
                await tenants.publish(tenant, SHOP.format(canary=canary))
            await tenants.publish("acme", PAYROLL)
            _, started = await tenants.ask("acme", "POST", "flows/shop/run")
            await tenants.place.settle(1)
            before = await tenants.all_of("acme")
            (mine,) = list(before["keys"])
            version = before["flows/shop"]["version"]
            names = {
                "id": [started["execution"], mine["id"]],
                "version": [version],
                "trigger": ["knock"],
                "step": ["ask"],
            }
            bodies = {"rollback": {"version": version}, "answer": {"port": "approved"}}
            asked = set()
            for route in TABLE:
                if route.role is None:
                    continue
                for flow in ("shop", "payroll") if "{flow}" in route.path else ("",):
                    for target in addresses_of(route.path.replace("{flow}", flow), names):
                        for method in route.methods:
                            if flow == "shop" and route.handler in OWN_TOO:
                                continue  # rival has a flow of this name: it changes that one
                            body = bodies.get(target.rpartition("/")[2], b"")
                            status, told = await tenants.ask("rival", method, target.removeprefix("/api/v1/"), body)
                            asked.add(route.handler)
                            assert CANARY not in repr(told), (method, target)
                            assert version not in repr(told), (method, target)
                            # The audit log says what rival itself has asked for, and that is all that may name it.
                            own_words = status == 404 or route.handler == "audit:list_entries"
                            assert own_words or started["execution"] not in repr(told), (method, target)
                            if "{id}" in route.path or flow == "payroll":
                                assert status in {400, 404}, (method, target, status, told)
            assert asked == {route.handler for route in TABLE if route.role is not None}
            assert await tenants.all_of("acme") == before

    asyncio.run(story())


OWN_TOO = {
    *("publishing:publish", "publishing:enable", "publishing:disable", "publishing:pause", "publishing:resume"),
    *("publishing:rotate", "running:start"),
}


def addresses_of(path: str, names: dict[str, list[str]]) -> list[str]:
    """A route's addresses, with each of the values that stand for a name of its path."""
    found = [path]
    for name in re.findall(r"\{(\w+)\}", path):
        values = names.get(name, ["set"])
        found = [each.replace(f"{{{name}}}", value) for each in found for value in values]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_starts_its_own_tenants_flow_and_takes_its_own_secret_and_token(kind, tmp_path):
    async def story():
        async with two(kind, tmp_path) as tenants:
            place = tenants.place
            hooks = {tenant: await tenants.publish(tenant, SHOP.format(canary=tenant)) for tenant in KEYS}
            await tenants.publish("rival", FAILING)
            for tenant in KEYS:
                assert hooks[tenant]["placed"] == f"/t/{tenant}/hooks/shop/placed"
            # A secret of one opens nothing of the other, nor does either open what is main's.
            for tenant, other in (("acme", "rival"), ("rival", "acme")):
                refused = await place.hook(hooks[tenant]["placed"], b"{}", key=KEYS[other])
                assert refused.status == 401
                token = hooks[other]["knock"].rpartition("/")[2]
                for path in (
                    f"/t/{tenant}/hooks/shop/knock/{token}",
                    f"/hooks/shop/knock/{token}",
                    "/hooks/shop/placed",
                ):
                    assert (await place.send("POST", path, b"{}")).status == 404, path
            assert (await place.hook(hooks["acme"]["placed"], b"{}", key=KEYS["acme"])).status == 202
            await place.settle(1)
            seen = {tenant: (await tenants.ask(tenant, "GET", "executions"))[1]["items"] for tenant in KEYS}
            assert [each["flow"] for each in seen["acme"]] == ["shop"]
            assert seen["rival"] == []
            # The flow takes one at a time: acme's, which waits, keeps acme's next one out and not rival's. Rival's is
            # told of rival's failure, and acme's is not.
            await tenants.ask("rival", "POST", "flows/failing/run?wait=10")
            await place.settle(1)
            listed = (await tenants.ask("rival", "GET", "executions?flow=shop"))[1]["items"]
            assert [(each["trigger"], each["status"]) for each in listed] == [("failed", "running")]
            again = (await tenants.ask("acme", "GET", "executions?flow=shop"))[1]["items"]
            assert [each["trigger"] for each in again] == ["placed"]
            # What was refused is counted for whom it was meant.
            reasons = {tenant: (await tenants.ask(tenant, "GET", "refusals"))[1]["items"] for tenant in KEYS}
            assert reasons == {"acme": [], "rival": []}

    asyncio.run(story())


def test_the_same_key_of_a_caller_is_another_execution_for_another_tenant(tmp_path):
    async def story():
        async with two("memory", tmp_path) as tenants:
            started = []
            for tenant in KEYS:
                await tenants.publish(tenant, PAYROLL)
                headers = {"authorization": f"Bearer {tenants.keys[tenant]}", "idempotency-key": "one"}
                answer = await tenants.place.send("POST", "/api/v1/flows/payroll/run?wait=10", b"", headers)
                assert answer.status == 200, answer.body
                started.append(answer.body)
            ids = {re.search(rb'"execution":"(\w{26})"', each)[1] for each in started}
            assert len(ids) == 2

    asyncio.run(story())


def test_a_flow_calls_its_own_tenants_flows_alone(tmp_path):
    async def story():
        async with two("memory", tmp_path) as tenants:
            await tenants.publish("acme", PAYROLL)
            await tenants.publish("rival", CALLING)
            _, told = await tenants.ask("rival", "POST", "flows/calling/run?wait=10")
            await tenants.place.settle(1)
            _, shown = await tenants.ask("rival", "GET", f"executions/{told['execution']}")
            assert shown["status"] == "failed"
            assert CANARY not in repr(shown)
            assert (await tenants.ask("acme", "GET", "executions"))[1]["items"] == []

    asyncio.run(story())


def test_a_link_answers_the_execution_of_its_own_tenant(tmp_path):
    async def story():
        async with two("memory", tmp_path) as tenants:
            links = {}
            for tenant in KEYS:
                await tenants.publish(tenant, SHOP.format(canary=tenant))
                _, started = await tenants.ask(tenant, "POST", "flows/shop/run")
                await tenants.place.settle(1)
                _, shown = await tenants.ask(tenant, "GET", f"executions/{started['execution']}")
                links[tenant] = (started["execution"], shown["steps"][1]["link"])
            execution, _ = links["rival"]
            body = {"port": "approved", "link": links["acme"][1]}
            assert (await tenants.ask("rival", "POST", f"executions/{execution}/steps/ask/answer", body))[0] == 400
            execution, link = links["acme"]
            body = {"port": "approved", "link": link}
            assert (await tenants.ask("rival", "POST", f"executions/{execution}/steps/ask/answer", body))[0] == 400
            body = {"port": "approved"}
            assert (await tenants.ask("rival", "POST", f"executions/{execution}/steps/ask/answer", body))[0] == 404
            assert (await tenants.ask("acme", "POST", f"executions/{execution}/steps/ask/answer", body))[0] == 200

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_file_is_there_for_its_own_tenant_whoever_knows_its_name(kind, tmp_path):
    async def story():
        async with two(kind, tmp_path) as tenants:
            place, given = tenants.place, {}
            for tenant in KEYS:
                given[tenant] = (await tenants.publish(tenant, FILES))["give"]
            keep = (await tenants.publish("acme", KEEPING))["keep"]
            kept = await place.send("POST", keep, CANARY.encode(), {"content-type": "application/x-secret"})
            assert kept.status == 200, kept.body
            name = re.search(rb'"file":"([0-9a-f]{64})"', kept.body)[1].decode()
            internal = await place.store.blobs.put(b'{"trigger": "what the engine keeps"}')
            told = {}
            for tenant in KEYS:
                for which in (name, internal):
                    told[tenant, which] = await place.send("POST", given[tenant], {**FILE, "file": which})
            assert (told["acme", name].status, told["acme", name].body) == (200, CANARY.encode())
            for asked, answer in told.items():
                if asked != ("acme", name):
                    assert answer.status >= 400, asked
                    assert CANARY.encode() not in answer.body
                    assert b"what the engine keeps" not in answer.body

    asyncio.run(story())


def test_the_tenant_is_in_the_key_of_every_record():
    key = "01" + "a" * 24
    for part in ("", "loop", "loop/b3", "loop/s1", "loop/r", LANE):
        record = addresses.record_key(RecordKey("acme", key, part))
        assert record["pk"]["S"].startswith("acme#"), part
        if part != LANE:
            assert addresses.pack_key(RecordKey("acme", key, part), "p1")["pk"]["S"].startswith("acme#")
    for partition in (
        addresses.flow_partition("acme", "shop"),
        addresses.flows_partition("acme"),
        addresses.documents_partition("acme", "api_key"),
        addresses.list_partition("acme", "shop", 20_000),
    ):
        assert partition.startswith("acme#")
    assert flow_prefix("acme", "shop") != flow_prefix("rival", "shop")
    tables = dict(re.findall(r"CREATE TABLE (\w+) \((.*?)\) STRICT", schema._TABLES, re.DOTALL))
    # Facts and packs lie under their record, messages name theirs; blobs are found by a record, or say whose they are.
    others = {"boots", "facts", "packs", "messages", "dead_letters", "blobs"}
    assert {
        name
        for name, columns in tables.items()
        if not re.search(r"^\s*(id INTEGER PRIMARY KEY,\s+)?tenant TEXT", columns)
    } == others
