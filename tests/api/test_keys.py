"""API keys: shown once, stored hashed, expiring, revoked at once, and never more than who made them."""

import asyncio
import hashlib
import json
from datetime import timedelta

import pytest

from chalicelib.api.auth import AdminKeys, Role, key_hash
from chalicelib.api.gate import Gate
from chalicelib.api.stored_keys import KEPT_MS, KIND, MOST_REMEMBERED, REMEMBERED_MS, StoredKeys, new_key, place_of
from chalicelib.errors import StoreError
from tests.api.house import KEYS, NOW, House, conforms, loaded, refused
from tests.stories.place import ADMIN, a_place


def make(house, **body):
    answer = house.send("POST", "/api/v1/keys", {"name": "for a test", **body}, role="admin")
    assert answer.status == 201, answer.body
    return conforms(answer, "NewKey")


def ask(house, key, target="/api/v1/flows", method="GET", body=b""):
    return house.send(method, target, body, headers={"authorization": f"Bearer {key}"})


def stored(house, tenant="main"):
    return {each.key: each.value for each in asyncio.run(house.documents.page(tenant, KIND))}


def test_a_key_is_shown_once_and_stored_as_its_hash():
    house = House()
    made = make(house, role="operator")
    assert made["key"].startswith(f"penstock_main.{made['id']}.")
    assert len(made["key"].rpartition(".")[2]) == 52  # 260 bits of text for 256 random ones
    kept = stored(house)[made["id"]]
    assert kept["hash"] == hashlib.sha256(made["key"].encode()).hexdigest()
    secret = made["key"].rpartition(".")[2]
    assert secret not in json.dumps(stored(house))
    listed = house.send("GET", "/api/v1/keys", role="admin")
    assert secret not in listed.body.decode()
    assert conforms(listed, "Keys")["items"] == [{name: made[name] for name in made if name != "key"}]
    assert ask(house, made["key"]).status == 200


def test_a_key_has_a_role_an_end_and_a_maker():
    house = House()
    made = make(house, name="CRM sync")
    assert (made["name"], made["role"], made["created_by"]) == ("CRM sync", "viewer", "key_admin")
    assert made["created"] == "2026-11-20T07:00:00.000Z"
    assert made["expires"] == "2027-02-18T07:00:00.000Z"  # 90 days
    assert (made["status"], made["last_used"], made["scopes"]) == ("active", None, None)
    refused(ask(house, made["key"], "/api/v1/flows/shop/run", "POST"), 403, "forbidden")
    assert make(house, days=1)["expires"] == "2026-11-21T07:00:00.000Z"
    assert make(house, never_expires=True)["expires"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": " "},
        {"name": "a\nb"},
        {"name": "n", "role": "owner"},
        {"name": "n", "days": 0},
        {"name": "n", "days": 4_000},
        {"name": "n", "days": 1, "never_expires": True},
        {"name": "n", "scopes": []},
        {"name": "n", "scopes": ["Shop"]},
        {"name": "n", "scopes": "shop"},
        {"name": "n", "scopes": ["a"] * 51},
        {"name": "n", "hash": "a" * 64},
        {"name": "n", "key": "mine"},
    ],
)
def test_a_wish_that_makes_no_sense_makes_no_key(body):
    house = House()
    refused(house.send("POST", "/api/v1/keys", body, role="admin"), 400, "usage")
    assert stored(house) == {}


def test_a_key_that_has_expired_opens_nothing():
    house = House()
    key = make(house, days=1)["key"]
    house.clock.moment = NOW + timedelta(days=1, milliseconds=-1)
    assert ask(house, key).status == 200
    house.clock.moment = NOW + timedelta(days=1)
    problem = refused(ask(house, key), 401, "unauthenticated")
    assert "expired at 2026-11-21T07:00:00.000Z" in problem["detail"]
    assert loaded(house.send("GET", "/api/v1/keys", role="admin"))["items"][0]["status"] == "expired"


def test_a_key_that_was_revoked_opens_nothing_from_then_on():
    house = House()
    made = make(house)
    assert ask(house, made["key"]).status == 200
    for _ in range(2):
        told = conforms(house.send("POST", f"/api/v1/keys/{made['id']}/revoke", role="admin"), "KeyShown")
        assert (told["status"], told["revoked"]) == ("revoked", "2026-11-20T07:00:00.000Z")
        refused(ask(house, made["key"]), 401, "unauthenticated")


def test_another_process_takes_a_revoked_key_for_a_few_seconds_and_no_longer():
    house = House()
    made = make(house)
    other = StoredKeys(house.documents, house.clock)
    assert asyncio.run(other.caller(made["key"]))
    house.send("POST", f"/api/v1/keys/{made['id']}/revoke", role="admin")
    house.clock.moment += timedelta(milliseconds=REMEMBERED_MS - 1)
    assert asyncio.run(other.caller(made["key"]))
    house.clock.moment += timedelta(milliseconds=1)
    with pytest.raises(Exception, match="was revoked"):
        asyncio.run(other.caller(made["key"]))
    assert REMEMBERED_MS <= 10_000


def test_a_key_that_is_read_while_it_is_revoked_is_not_remembered_as_it_was():
    house = House()
    made = make(house)

    class Slow:
        """Gives what it read before the key was revoked."""

        async def get(self, tenant, kind, key):
            document = await house.documents.get(tenant, kind, key)
            keys.forget(tenant, key)
            return document

    keys = StoredKeys(Slow(), house.clock)
    assert asyncio.run(keys.caller(made["key"]))
    assert keys._remembered == {}


def test_what_is_remembered_is_bounded():
    house = House()
    keys = StoredKeys(house.documents, house.clock)
    first = make(house)
    for number in range(MOST_REMEMBERED + 5):
        keys._remembered["main", str(number)] = None
    assert asyncio.run(keys.caller(first["key"]))
    assert len(keys._remembered) == MOST_REMEMBERED


def test_a_key_that_was_rotated_is_another_and_the_former_counts_while_they_overlap():
    house = House()
    made = make(house, role="operator", scopes=["shop"], days=10)
    house.clock.moment = NOW + timedelta(days=1)
    body = {"overlap_seconds": 3600}
    again = conforms(house.send("POST", f"/api/v1/keys/{made['id']}/rotate", body, role="admin"), "NewKey")
    assert again["key"] != made["key"]
    assert {again[name] == made[name] for name in ("id", "name", "role", "scopes", "created")} == {True}
    assert again["expires"] == "2026-12-01T07:00:00.000Z"
    assert [ask(house, key).status for key in (made["key"], again["key"])] == [200, 200]
    house.clock.moment += timedelta(seconds=3600)
    assert [ask(house, key).status for key in (made["key"], again["key"])] == [401, 200]
    third = loaded(house.send("POST", f"/api/v1/keys/{made['id']}/rotate", role="admin"))
    assert [ask(house, key).status for key in (made["key"], again["key"], third["key"])] == [401, 401, 200]


def test_rotating_does_not_bring_back_what_has_ended():
    house = House()
    made = make(house, days=1)
    house.clock.moment = NOW + timedelta(days=2)
    body = {"overlap_seconds": 3600}
    again = loaded(house.send("POST", f"/api/v1/keys/{made['id']}/rotate", body, role="admin"))
    assert [ask(house, key).status for key in (made["key"], again["key"])] == [401, 200]
    house.send("POST", f"/api/v1/keys/{made['id']}/revoke", role="admin")
    refused(house.send("POST", f"/api/v1/keys/{made['id']}/rotate", role="admin"), 409, "conflict")


def test_one_change_of_two_at_the_same_time_is_not_lost():
    house = House()
    made = make(house)
    inner = house.documents.put
    raced = []

    async def put(tenant, kind, key, value, *, seen, expires=0):
        if kind == "api_key" and not raced:  # somebody rotates between our look and our write
            raced.append(await inner(tenant, kind, key, {**value, "revoked": 0, "name": "changed"}, seen=seen))
        return await inner(tenant, kind, key, value, seen=seen, expires=expires)

    house.documents.put = put
    told = loaded(house.send("POST", f"/api/v1/keys/{made['id']}/revoke", role="admin"))
    assert (told["name"], told["status"]) == ("changed", "revoked")


def test_a_key_that_nobody_made_is_not_there():
    house = House()
    for target in ("a" * 12, "nope", "%2e%2e", "a" * 2_000, "%C3%BC"):
        for verb in ("revoke", "rotate"):
            refused(house.send("POST", f"/api/v1/keys/{target}/{verb}", role="admin"), 404, "not_found")


@pytest.mark.parametrize(
    "forged",
    [
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key[:-1] + ("0" if key[-1] != "0" else "1"),
        lambda key: key.replace("penstock_main.", "penstock_other."),
        lambda key: key.replace("penstock_", "PENSTOCK_"),
        lambda key: key.removeprefix("penstock_"),
        lambda key: key.rpartition(".")[0] + ".",
        lambda key: key.rpartition(".")[0],
        lambda key: key + ".x",
        lambda key: "penstock_main.." + key.rpartition(".")[2],
        lambda key: "penstock_main.../../x." + key.rpartition(".")[2],
        lambda key: hashlib.sha256(key.encode()).hexdigest(),
    ],
)
def test_a_key_with_anything_changed_is_nobodys(forged):
    house = House()
    key = make(house)["key"]
    assert ask(house, key).status == 200
    refused(ask(house, forged(key)), 401, "unauthenticated")


def test_a_key_names_where_to_look_and_nothing_else():
    key_id, key = new_key(House().ids, "team_a")
    assert place_of(key) == ("team_a", key_id)
    for text in ("", "penstock_", "penstock_main", "penstock_..", "penstock_Main.aaaaaaaaaaaa.x", "x.y.z"):
        assert place_of(text) is None


def test_the_use_of_a_key_is_noted_once_an_hour():
    house = House()
    made, writes = make(house), []
    inner = house.documents.put

    async def put(*names, **rest):
        writes.append(names)
        return await inner(*names, **rest)

    house.documents.put = put
    for minutes, expected in ((0, 1), (1, 1), (59, 1), (60, 2), (61, 2)):
        house.clock.moment = NOW + timedelta(minutes=minutes)
        assert ask(house, made["key"]).status == 200
        assert len(writes) == expected, minutes
    (item,) = loaded(house.send("GET", "/api/v1/keys", role="admin"))["items"]
    assert item["last_used"] == "2026-11-20T08:00:00.000Z"


def test_a_use_that_cannot_be_noted_keeps_nobody_out():
    house = House()
    made = make(house)

    async def put(*names, **rest):
        raise StoreError("the store is away")

    house.documents.put = put
    assert ask(house, made["key"]).status == 200


def test_noting_a_use_does_not_undo_a_revocation():
    house = House()
    made = make(house)
    other = StoredKeys(house.documents, house.clock)
    caller = asyncio.run(other.caller(made["key"]))
    house.send("POST", f"/api/v1/keys/{made['id']}/revoke", role="admin")
    asyncio.run(other.used(caller))
    assert stored(house)[made["id"]]["revoked"]
    refused(ask(house, made["key"]), 401, "unauthenticated")


def test_a_key_of_the_configuration_is_noted_nowhere():
    house = House()
    gate = Gate(AdminKeys([key_hash("first")]), house.documents, house.clock)
    caller = asyncio.run(gate.caller("first"))
    assert (caller.role, caller.is_owner, gate.used(caller)) == (Role.ADMIN, True, None)


def test_the_store_may_forget_a_key_some_time_after_its_end_and_none_that_has_none():
    house = House()
    for body, expected in (({"days": 1}, 86_400_000 + KEPT_MS), ({"never_expires": True}, None)):
        made = make(house, **body)
        document = asyncio.run(house.documents.get("main", KIND, made["id"]))
        now = int(NOW.timestamp() * 1000)
        assert document.expires == (0 if expected is None else (now + expected) // 1000)


def test_keys_are_listed_in_pages():
    house = House()
    made = {make(house)["id"] for _ in range(5)}
    seen, cursor = [], None
    while True:
        query = "limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = loaded(house.send("GET", f"/api/v1/keys?{query}", role="admin"))
        seen += [each["id"] for each in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == sorted(made)


@pytest.mark.parametrize("role", ["viewer", "operator", "editor"])
def test_whoever_is_no_admin_makes_and_sees_no_key(role):
    house = House()
    made = make(house)
    for method, target in (
        *(("GET", "/api/v1/keys"), ("POST", "/api/v1/keys")),
        *(("POST", f"/api/v1/keys/{made['id']}/{verb}") for verb in ("revoke", "rotate")),
    ):
        refused(house.send(method, target, {"name": "n"} if method == "POST" else b"", role=role), 403, "forbidden")
    assert set(stored(house)) == {made["id"]}


def test_an_admin_of_some_flows_makes_keys_for_those_and_sees_no_other_key():
    house = House()
    broad, narrow = make(house, role="admin"), make(house, role="admin", scopes=["order-*"])

    def create(key, **body):
        return ask(house, key, "/api/v1/keys", "POST", {"name": "n", **body})

    refused(create(narrow["key"], role="viewer"), 403, "forbidden")
    refused(create(narrow["key"], role="viewer", scopes=["*"]), 403, "forbidden")
    refused(create(narrow["key"], role="viewer", scopes=["order-in", "shop"]), 403, "forbidden")
    child = loaded(create(narrow["key"], role="operator", scopes=["order-in"]))
    listed = loaded(ask(house, narrow["key"], "/api/v1/keys"))["items"]
    assert {each["id"] for each in listed} == {narrow["id"], child["id"]}
    for verb in ("revoke", "rotate"):
        refused(ask(house, narrow["key"], f"/api/v1/keys/{broad['id']}/{verb}", "POST"), 404, "not_found")
    assert ask(house, narrow["key"], f"/api/v1/keys/{child['id']}/revoke", "POST").status == 200
    assert ask(house, broad["key"]).status == 200


def test_only_the_deployments_own_keys_look_after_another_tenants():
    async def story():
        async with a_place("memory", None) as place:
            status, of_other = await place.rest("POST", "keys", {"name": "n", "role": "admin", "tenant": "other"})
            assert (status, of_other["tenant"]) == (201, "other")
            _, of_main = await place.rest("POST", "keys", {"name": "n", "role": "admin"})
            for key, own, foreign in ((of_main, "main", "other"), (of_other, "other", "main")):
                for wish in ({"name": "n"}, {"name": "n", "tenant": own}):
                    status, made = await place.rest("POST", "keys", wish, key=key["key"])
                    assert (status, made["tenant"]) == (201, own)
                wish = {"name": "n", "tenant": foreign}
                assert (await place.rest("POST", "keys", wish, key=key["key"]))[0] == 403
                assert (await place.rest("GET", f"keys?tenant={foreign}", key=key["key"]))[0] == 403
                listed = (await place.rest("GET", "keys", key=key["key"]))[1]["items"]
                assert {each["tenant"] for each in listed} == {own}
            for verb in ("revoke", "rotate"):
                target = f"keys/{of_other['id']}/{verb}"
                assert (await place.rest("POST", target, key=of_main["key"]))[0] == 404
                assert (await place.rest("POST", f"{target}?tenant=other", key=of_main["key"]))[0] == 403
            assert (await place.rest("POST", f"keys/{of_other['id']}/revoke?tenant=other"))[0] == 200
            assert (await place.rest("GET", "flows", key=of_other["key"]))[0] == 401
            for tenant in ("Other", "a#b", "a.b", ""):
                assert (await place.rest("POST", "keys", {"name": "n", "tenant": tenant}))[0] == 400

    assert ADMIN not in KEYS.values()
    asyncio.run(story())
