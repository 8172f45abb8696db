"""The audit log: every change before it is made, every denial within bounds, nothing ever changed or removed."""

import ast
import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.adapters.memory.documents import MemoryDocuments
from chalicelib.api.audit_log import BURST, KIND, MOST_PEERS, WRITE_MS, AuditLog, Deed
from chalicelib.api.routes import TABLE
from chalicelib.api.watch import Watch
from chalicelib.engine.records import Status
from chalicelib.errors import StoreError, TimedOutError
from tests.api.house import KEYS, OPEN, STEPS, House, Ids, conforms, details, loaded, refused
from tests.api.test_auth import address
from tests.api.test_sessions import Browser

ROOT = Path(__file__).parents[2]
CHANGES = [(method, route) for route in TABLE if route.role is not None for method in route.methods if method != "GET"]
LOOKS = [route for route in TABLE if route.role is not None and "GET" in route.methods]
ID = "01h" + "0" * 23


def kept(house, tenant="main"):
    return [{"key": each.key, **each.value} for each in asyncio.run(house.documents.page(tenant, KIND, most=1_000))]


def told(house, query="", role="admin"):
    return conforms(house.send("GET", f"/api/v1/audit{query}", role=role), "Audit")["items"]


class Failing(MemoryDocuments):
    """Writes nothing into the audit log, and says so."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    async def put(self, tenant, kind, key, value, *, seen, expires=0):
        if kind == KIND and self.error is not None:
            raise self.error
        return await super().put(tenant, kind, key, value, seen=seen, expires=expires)


@pytest.mark.parametrize(("method", "route"), CHANGES, ids=lambda each: getattr(each, "handler", each))
def test_every_change_is_written_down_with_who_what_when_and_from_where(method, route):
    house = House()
    target = address(route)
    house.send(method, f"{target}?secret=in-the-query", b'{"secret": "in-the-body"}', role="admin", peer="192.0.2.7")
    first, *_ = kept(house)
    assert first == {
        "key": first["key"],
        "at": int(house.clock.moment.timestamp() * 1000),
        "who": "key_admin",
        "role": "admin",
        "via": "key",
        "action": route.handler.replace(":", "_"),
        "target": target,
        "peer": "192.0.2.7",
        "outcome": "allowed",
    }
    for secret in ("in-the-query", "in-the-body", KEYS["admin"]):
        assert secret not in json.dumps(kept(house))


@pytest.mark.parametrize(("method", "route"), CHANGES, ids=lambda each: getattr(each, "handler", each))
@pytest.mark.parametrize("error", [StoreError("full"), TimedOutError("nobody knows")], ids=["certain", "unknown"])
def test_a_change_that_cannot_be_written_down_is_not_made(method, route, error):
    house = House()
    house.audit.store = Failing(error)
    answer = house.send(method, address(route), b"", role="admin")
    refused(answer, 503, "audit_unwritten")
    assert house.door.cancelled == house.door.knocks == house.door.told == house.door.signals == house.told == []
    assert asyncio.run(house.documents.page("main", "session")) == []


def test_a_flow_is_neither_published_nor_switched_where_that_cannot_be_written_down():
    house = House()
    house.publish(OPEN + STEPS)
    before = loaded(house.send("GET", "/api/v1/flows/shop", role="viewer"))
    house.audit.store = Failing(StoreError("full"))
    other = (OPEN + STEPS + "description: another\n").encode()
    headers = {"content-type": "application/yaml"}
    refused(house.send("PUT", "/api/v1/flows/shop", other, headers=headers, role="editor"), 503, "audit_unwritten")
    refused(house.send("POST", "/api/v1/flows/shop/disable", role="operator"), 503, "audit_unwritten")
    assert loaded(house.send("GET", "/api/v1/flows/shop", role="viewer")) == before
    assert len(house.told) == 1


@pytest.mark.parametrize("route", LOOKS, ids=lambda route: route.handler)
def test_looking_is_not_written_down(route):
    house = House()
    house.send("GET", address(route), role="admin")
    assert kept(house) == []


def test_what_was_let_through_and_then_failed_is_told_with_its_reason():
    house = House()
    house.send("POST", "/api/v1/flows/shop/enable", role="operator")
    failed, allowed = told(house)
    assert (allowed["outcome"], failed["outcome"], failed["code"]) == ("allowed", "failed", "not_found")
    assert failed["of"] == allowed["id"]
    house.door.details_of[ID] = details(ID, Status.RUNNING)
    assert house.send("POST", f"/api/v1/executions/{ID}/cancel", {}, role="operator").status == 200
    assert [each["outcome"] for each in told(house)] == ["allowed", "failed", "allowed"]


def test_a_session_is_told_from_a_key():
    house = House()
    Browser(house).change("POST", "/api/v1/flows/shop/enable")
    assert [each["via"] for each in told(house, "?action=publishing_enable&outcome=allowed")] == ["session"]


def test_the_denied_are_written_down_with_who_and_why():
    house = House()
    house.send("POST", "/api/v1/flows/shop/enable", role="viewer", peer="192.0.2.1")
    house.send("PUT", "/api/v1/flows/shop", b"x", peer="192.0.2.2")
    Browser(house, "viewer").send("DELETE", "/api/v1/session")
    shown = {each["action"]: each for each in told(house, "?outcome=denied")}
    assert {(name, each["who"], each["code"]) for name, each in shown.items()} == {
        ("publishing_enable", "key_viewer", "forbidden"),
        ("publishing_publish", None, "unauthenticated"),
        ("sessions_close", "key_viewer", "cross_site"),
    }
    assert shown["publishing_publish"]["peers"] == ["192.0.2.2"]


def test_strangers_cannot_fill_the_store():
    """However many come from however many addresses: what is written is bounded by time, and every one is counted."""
    house = House()
    for number in range(2_000):
        house.send("GET", f"/api/v1/flows/{number}", peer=f"198.51.{number // 250}.{number % 250}")
        house.clock.moment += timedelta(milliseconds=10)
    assert len(kept(house)) <= BURST + 20_000 // WRITE_MS + 1
    house.clock.moment += timedelta(milliseconds=WRITE_MS)
    shown = told(house)
    assert sum(each["count"] for each in shown) == 2_000
    assert all(len(each["peers"]) <= MOST_PEERS for each in shown)
    assert all(each["target"] is None for each in shown)


def test_strangers_cannot_fill_the_memory_either():
    house = House()
    house.audit.store = Failing(StoreError("full"))
    for number in range(600):
        deed = Deed("main", f"key_{number}", "viewer", "key", "flows_show", "", "")
        asyncio.run(house.audit.denied(deed, "forbidden"))
    assert len(house.audit._pending) <= 500


def test_denials_that_could_not_be_written_are_written_later():
    house = House()
    house.audit.store = store = Failing(StoreError("throttled"))
    for _ in range(3):
        refused(house.send("GET", "/api/v1/flows", peer="192.0.2.1"), 401, "unauthenticated")
    store.error = None
    refused(house.send("GET", "/api/v1/flows", peer="192.0.2.9"), 401, "unauthenticated")
    (entry,) = told(house)
    assert (entry["count"], entry["peers"]) == (4, ["192.0.2.1", "192.0.2.9"])


def test_what_strangers_send_is_nothing_that_a_terminal_would_obey():
    house = House()
    house.send("POST", "/api/v1/flows/\x1b[2Jshop\xff/enable", role="operator", peer="\x1b]0;x\x07")
    assert "\x1b" not in json.dumps(kept(house)) + repr(told(house))
    assert kept(house)[0]["target"] == "/api/v1/flows/?[2Jshop?/enable"


def many(house, count=120):
    """So many entries, a minute apart, of two keys in turn."""
    for number in range(count):
        who = ("key_a", "key_b")[number % 2]
        deed = Deed("main", who, "operator", "key", "publishing_enable", f"/api/v1/flows/f{number}/enable", "")
        asyncio.run(house.audit.allowed(deed))
        house.clock.moment += timedelta(minutes=1)


def walk(house, query=""):
    found, cursor = [], None
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        page = loaded(house.send("GET", f"/api/v1/audit?limit=7{query}{more}", role="admin"))
        found += page["items"]
        cursor = page["cursor"]
        if cursor is None:
            return found


def test_entries_are_paged_newest_first_and_each_stands_once():
    house = House()
    many(house)
    targets = [each["target"] for each in walk(house)]
    assert targets == [f"/api/v1/flows/f{number}/enable" for number in range(119, -1, -1)]


def test_entries_are_found_by_time_and_who_and_action():
    house = House()
    many(house)
    assert len(walk(house, "&who=key_a")) == 60
    assert walk(house, "&who=nobody") == walk(house, "&action=publishing_disable") == []
    assert len(walk(house, "&since=2026-11-20T07:30:00Z&until=2026-11-20T07:39:00Z")) == 10
    assert len(walk(house, "&since=2026-11-20T07:30:00Z&who=key_b")) == 45
    assert len(walk(house, "&until=2026-11-20T07:00:00Z")) == 1
    assert walk(house, "&since=2027-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query", ["?since=yesterday", "?cursor=../x", "?cursor=x", "?outcome=perhaps", "?limit=0", "?limit=101", "?other=1"]
)
def test_a_query_that_makes_no_sense_is_refused(query):
    refused(House().send("GET", f"/api/v1/audit{query}", role="admin"), 400, "usage")


@pytest.mark.parametrize("role", ["viewer", "operator", "editor"])
def test_only_admins_read_it(role):
    refused(House().send("GET", "/api/v1/audit", role=role), 403, "forbidden")


def test_an_entry_is_kept_for_as_long_as_the_setting_says():
    house = House(watch=Watch(audit_days=30))
    house.send("POST", "/api/v1/flows/shop/enable", role="operator")
    (entry, *_) = asyncio.run(house.documents.page("main", KIND))
    assert entry.expires == int((house.clock.moment + timedelta(days=30)).timestamp())
    house.clock.moment += timedelta(days=30, seconds=1)
    assert told(house) == []


def test_another_tenants_entries_are_not_shown():
    house = House()
    deed = Deed("other", "key_x", "admin", "key", "publishing_enable", "/x", "")
    asyncio.run(house.audit.allowed(deed))
    assert told(house) == []
    assert len(kept(house, "other")) == 1


def test_nothing_in_the_house_changes_or_removes_an_entry():
    """Only `audit_log` writes under its kind, and it only ever adds: what it is handed can do no more."""
    knowing = []
    for path in sorted((ROOT / "chalicelib").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        names = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
        imports = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "chalicelib.api.audit_log"
            for alias in node.names
        }
        words = {each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)}
        if "KIND" in imports or path.name == "audit_log.py":
            knowing.append(path.name)
            assert names & {"delete", "forget"} == set(), path
            puts = [
                each
                for each in ast.walk(tree)
                if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "put"
            ]
            for each in puts:
                (seen,) = [word.value for word in each.keywords if word.arg == "seen"]
                assert isinstance(seen, ast.Constant), path
                assert seen.value is None, path
        elif "audit" in words:
            assert path.name in {"main.py", "auditing.py"}, path  # the command's name
    assert knowing == ["audit.py", "audit_log.py"]


def test_a_name_that_is_taken_is_not_written_over():
    class Same(Ids):
        def execution(self, now):
            return f"{super().execution(now)[:-1]}{'aab'[min(self.count - 1, 2)]}"

    house = House()
    log = AuditLog(house.documents, house.clock, Same(), days=1)
    deed = Deed("main", "key_a", "admin", "key", "flows_show", "/x", "")
    first = asyncio.run(log.allowed(deed))
    second = asyncio.run(log.allowed(deed._replace(who="key_b")))
    assert first != second
    assert {each["who"] for each in kept(house)} == {"key_a", "key_b"}
