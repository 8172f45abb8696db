"""The vault: what it opens and for whom, what it keeps, and what becomes of it when somebody gets at the store."""

import asyncio
import copy
import json
from base64 import b64decode, b64encode

import pytest

from chalicelib.adapters.vault import MOST_REMEMBERED, REMEMBERED_ABSENCE_SECONDS, REMEMBERED_SECONDS
from chalicelib.errors import (
    ConflictError,
    CredentialMissingError,
    CredentialUnfitError,
    NotFoundError,
    NotSentError,
    UsageError,
)
from chalicelib.ports import HttpAnswer
from chalicelib.vault.errors import CredentialNotSharedError, MasterKeyUnknownError, SealBrokenError
from chalicelib.vault.record import Share
from tests.vault.desk import Desk

TOKEN = "sk-live-0123456789abcdef"
BEARER = {"token": TOKEN, "hosts": "api.example.com"}
BROKEN = (SealBrokenError, MasterKeyUnknownError)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def listed(desk, tenant="main"):
    return list(asyncio.run(desk.admin.listed(tenant)))


def test_what_was_set_is_opened_by_every_process_and_lies_nowhere_in_the_clear(desk):
    held, is_new = desk.set("crm", BEARER)
    assert (held.version, held.type, held.hosts, is_new) == (1, "bearer", ("api.example.com",), True)
    assert desk.open("crm") == desk.beside().open("crm") == {**BEARER, "kind": "bearer"}
    assert TOKEN not in json.dumps(desk.value("crm"))
    assert set(desk.value("crm")) == {
        *("v", "type", "hosts", "fields", "version", "sealed", "created", "changed", "share"),
    }


def test_each_version_has_a_data_key_of_its_own(desk):
    desk.set("crm", BEARER)
    first = desk.value("crm")["sealed"]
    desk.set("crm", BEARER)
    second = desk.value("crm")["sealed"]
    assert all(first[part] != second[part] for part in ("nonce", "commitment", "ciphertext", "wrapped"))
    assert desk.value("crm")["version"] == 2


def test_the_vault_comes_before_the_environment_which_is_asked_for_what_it_does_not_hold(tmp_path):
    desk = Desk(tmp_path, crm={"token": "of the environment"}, other={"token": "env"})
    assert desk.open("crm") == {"token": "of the environment"}
    held, _ = desk.set("crm", BEARER)
    assert held.hides
    assert desk.open("crm")["token"] == TOKEN
    assert [(each.name, each.origin, each.hides) for each in listed(desk)] == [
        ("crm", "vault", True),
        ("other", "environment", False),
    ]
    assert asyncio.run(desk.admin.remove("main", "crm", is_admin=True)) is True
    assert desk.open("crm") == {"token": "of the environment"}
    with pytest.raises(CredentialMissingError, match="penstock credentials set nowhere"):
        desk.open("nowhere")


def test_what_is_listed_holds_no_value(desk):
    desk.set("crm", BEARER)
    desk.set("hook", {"secret": "whsec-012345678"})
    assert "sk-live" not in repr(listed(desk))
    assert "whsec" not in repr(listed(desk))
    assert [(each.name, each.fields) for each in listed(desk)] == [("crm", ("hosts", "token")), ("hook", ("secret",))]
    assert TOKEN not in repr(asyncio.run(desk.credentials.read("main", "crm")))


def test_more_credentials_than_a_page_holds_are_all_listed(desk):
    for number in range(205):
        desk.set(f"c{number:03}", {"token": f"token {number}"})
    assert [each.name for each in listed(desk)] == [f"c{number:03}" for number in range(205)]


def test_tenants_do_not_see_each_others(desk):
    desk.set("crm", BEARER)
    desk.set("crm", {"token": "of another tenant"}, tenant="other")
    assert desk.open("crm", tenant="other")["token"] == "of another tenant"
    assert listed(desk, "third") == []
    with pytest.raises(CredentialMissingError):
        desk.open("crm", tenant="third")


@pytest.mark.parametrize("place", [("other", "crm"), ("main", "shop")])
def test_a_document_moved_to_another_tenant_or_name_is_refused(desk, place):
    desk.set("crm", BEARER)
    desk.put(place[1], desk.value("crm"), tenant=place[0])
    with pytest.raises(SealBrokenError):
        desk.open(place[1], tenant=place[0])


def test_a_former_version_put_into_a_later_one_is_refused(desk):
    desk.set("crm", BEARER)
    former = desk.value("crm")
    desk.set("crm", {"token": "the new one", "hosts": "api.example.com"})
    desk.put("crm", {**desk.value("crm"), "sealed": former["sealed"]})
    with pytest.raises(SealBrokenError):
        desk.open("crm")


def test_every_flipped_bit_of_a_stored_credential_is_refused(desk):
    """In the sealed value, the wrapped key, and whatever stands beside them that decides about its use."""
    desk.set("crm", BEARER, share=Share("editor", ("shop",)))
    value, tried = desk.value("crm"), 0

    async def is_refused(changed):
        seen = await desk.documents.get("main", "credential", "crm")
        await desk.documents.put("main", "credential", "crm", changed, seen=seen.rev)
        desk.credentials.forget("main", "crm")
        try:
            await desk.credentials.open("main", "crm", flow="shop")
        except (*BROKEN, CredentialNotSharedError, CredentialUnfitError):
            return True
        return False

    async def every():
        nonlocal tried
        assert not await is_refused(value)
        for path in (("nonce",), ("commitment",), ("ciphertext",), ("wrapped", "blob")):
            content = b64decode(at(value["sealed"], path))
            for bit in range(len(content) * 8):
                flipped = bytearray(content)
                flipped[bit // 8] ^= 1 << bit % 8
                assert await is_refused(changed(value, ("sealed", *path), b64encode(flipped).decode())), (path, bit)
                tried += 1
        for path in (("sealed", "wrapped", "key"), ("type",), ("hosts", 0), ("share", "role"), ("share", "flows", 0)):
            text = at(value, path).encode()
            for bit in range(len(text) * 8):
                flipped = bytearray(text)
                flipped[bit // 8] ^= 1 << bit % 8
                assert await is_refused(changed(value, path, flipped.decode("latin-1"))), (path, bit)
                tried += 1
        for bit in range(16):
            assert await is_refused(changed(value, ("version",), value["version"] ^ 1 << bit))
        for share in ({"role": "editor", "flows": None}, {"role": "editor", "flows": ["shop", "other"]}):
            assert await is_refused({**value, "share": share})

    asyncio.run(every())
    assert tried > 2_000


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(value, path, to):
    value = copy.deepcopy(value)
    inner = at(value, path[:-1])
    inner[path[-1]] = to
    return value


@pytest.mark.parametrize(
    "value", [{}, {"v": 1}, {"v": 2}, {"v": 1, "type": "bearer", "version": "1"}, {"v": 1, "share": 7, "sealed": []}]
)
def test_a_document_that_is_none_is_refused_and_an_admin_may_replace_or_remove_it(desk, value):
    desk.put("crm", value)
    with pytest.raises(SealBrokenError):
        desk.open("crm")
    for use in (lambda: desk.set("crm", BEARER, is_admin=False), lambda: desk.rotate("crm", BEARER)):
        with pytest.raises((SealBrokenError, CredentialNotSharedError)):
            use()
    with pytest.raises(CredentialNotSharedError):
        asyncio.run(desk.admin.remove("main", "crm", is_admin=False))
    assert [(each.name, each.is_broken) for each in listed(desk)] == [("crm", True)]
    desk.set("crm", BEARER)
    assert desk.open("crm")["token"] == TOKEN


def test_a_lost_key_file_is_said_and_does_not_keep_others_from_being_set(desk):
    desk.set("crm", BEARER)
    desk.keys.path.rename(desk.folder / "away")
    other = desk.beside()
    with pytest.raises(MasterKeyUnknownError, match="Bring it back"):
        other.open("crm")
    other.set("new", BEARER)
    with pytest.raises(MasterKeyUnknownError, match="does not hold"):
        other.open("crm")
    assert other.open("new")["token"] == TOKEN


def test_a_credential_goes_to_its_types_hosts_where_it_names_none(desk):
    held, _ = desk.set("gh", {"token": TOKEN}, type_name="github")
    assert held.hosts == ("api.github.com", "uploads.github.com")
    assert desk.open("gh")["hosts"] == "api.github.com, uploads.github.com"


@pytest.mark.parametrize(
    ("fields", "type_name", "said"),
    [
        ({"token": 7}, "bearer", "is a text"),
        ({"token": TOKEN, "tokn": TOKEN}, "bearer", "no field tokn"),
        ({"hosts": "api.example.com"}, "bearer", "needs token"),
        ({"token": ""}, "bearer", "needs token"),
        ({"token": TOKEN}, "nonsense", "no credential type"),
        ({"token": TOKEN, "hosts": "https://x/"}, "bearer", "no scheme"),
        ({"token": TOKEN * 1000}, "bearer", "characters in all"),
        ({TOKEN: "x" + TOKEN}, "bearer", "no field"),
    ],
)
def test_fields_that_do_not_fit_are_refused_without_their_values_and_change_nothing(desk, fields, type_name, said):
    desk.set("crm", BEARER)
    before = desk.value("crm")
    with pytest.raises(CredentialUnfitError, match=said) as caught:
        desk.set("crm", fields, type_name=type_name)
    assert TOKEN not in str(caught.value)
    assert desk.value("crm") == before


def test_new_values_are_a_new_version_and_what_is_no_secret_stays(desk):
    desk.set("crm", {"username": "ann", "password": "first", "hosts": "a.example"})
    assert desk.rotate("crm", {"password": "second"}).version == 2
    assert desk.open("crm") == {"username": "ann", "password": "second", "hosts": "a.example", "kind": "basic"}


def test_nobody_who_does_not_know_the_secret_sends_it_elsewhere(desk):
    """Whoever may write credentials cannot read them; new hosts beside an old secret would let them."""
    desk.set("crm", BEARER)
    for fields in ({"hosts": "evil.example"}, {"base_url": "https://evil.example"}, {}):
        with pytest.raises(CredentialUnfitError):
            desk.rotate("crm", fields)
        with pytest.raises(CredentialUnfitError):
            desk.set("crm", fields, type_name="bearer")
    desk.set("own", {"password": "p", "other": TOKEN}, type_name="custom")
    desk.rotate("own", {"hosts": "evil.example", "new": "x"})
    assert desk.open("own") == {"hosts": "evil.example", "new": "x"}


def test_what_cannot_be_rotated_is_said(tmp_path):
    desk = Desk(tmp_path, crm={"token": "of the environment"})
    with pytest.raises(NotFoundError, match="comes from the environment"):
        desk.rotate("crm", BEARER)
    with pytest.raises(NotFoundError, match="No credential"):
        desk.rotate("nowhere", BEARER)


@pytest.mark.parametrize(
    ("type_name", "field"),
    [("bearer", "token"), ("basic", "password"), ("topic", "topic"), ("paypal_webhook", "webhook_id")],
)
def test_what_proves_a_delivery_counts_beside_its_successor_in_every_type_that_does(desk, type_name, field):
    user = {"username": "ann"} if type_name == "basic" else {}
    desk.set("hook", {field: "one-one", **user}, type_name=type_name)
    desk.rotate("hook", {field: "two-two"}, overlap=60)
    opened = desk.open("hook")
    assert (opened[field], opened["previous"]) == ("two-two", "one-one")


@pytest.mark.parametrize(("first", "second"), [({"secret": "one-one"}, {"secret": "two-two"})])
def test_a_former_secret_counts_beside_the_new_one_for_as_long_as_it_was_said(desk, first, second):
    desk.set("hook", first)
    held = desk.rotate("hook", second, overlap=600)
    assert held.former_until == int(desk.clock.now().timestamp() * 1000) + 600_000
    assert desk.open("hook") == desk.beside().open("hook") == {"secret": "two-two", "previous": "one-one"}
    desk.clock.skip(599 + 2 * REMEMBERED_SECONDS)
    assert desk.open("hook") == {"secret": "two-two"}


def test_a_former_secret_is_gone_on_the_second_also_where_it_was_just_opened(desk):
    desk.set("hook", {"secret": "one-one"})
    desk.rotate("hook", {"secret": "two-two"}, overlap=10)
    assert "previous" in desk.open("hook")
    desk.clock.skip(10)
    assert desk.open("hook") == {"secret": "two-two"}


def test_the_time_a_former_secret_counts_cannot_be_changed_in_the_store(desk):
    desk.set("hook", {"secret": "one-one"})
    desk.rotate("hook", {"secret": "two-two"}, overlap=600)
    value = desk.value("hook")
    desk.put("hook", changed(value, ("former", "until"), value["former"]["until"] + 10**9))
    with pytest.raises(SealBrokenError):
        desk.open("hook")
    desk.put("hook", {name: part for name, part in value.items() if name != "former"})
    with pytest.raises(SealBrokenError):
        desk.open("hook")


def test_setting_it_anew_ends_what_the_former_one_could(desk):
    desk.set("hook", {"secret": "one-one"})
    desk.rotate("hook", {"secret": "two-two"}, overlap=600)
    desk.set("hook", {"secret": "three"})
    assert desk.open("hook") == {"secret": "three"}


def test_only_flows_it_is_shared_with_open_it(desk):
    desk.set("crm", BEARER)
    asyncio.run(desk.admin.share("main", "crm", Share("editor", ("shop", "orders"))))
    assert desk.open("crm", flow="orders")["token"] == TOKEN
    for flow in ("other", "", "shop2"):
        with pytest.raises(CredentialNotSharedError, match="penstock credentials share crm"):
            desk.open("crm", flow=flow)
    asyncio.run(desk.admin.share("main", "crm", Share("editor", ())))
    with pytest.raises(CredentialNotSharedError):
        desk.open("crm", flow="shop")
    assert desk.value("crm")["version"] == 1


def test_new_values_stay_shared_as_the_former_were(desk):
    desk.set("crm", BEARER, share=Share("admin", ("shop",)))
    desk.rotate("crm", {"token": "new"})
    desk.set("crm", BEARER)
    assert listed(desk)[0].share == Share("admin", ("shop",))


def test_what_is_an_admins_is_left_alone_by_everybody_else(desk):
    desk.set("crm", BEARER, share=Share("admin"))
    admin = desk.admin
    for work in (
        lambda: desk.set("crm", BEARER, is_admin=False),
        lambda: desk.rotate("crm", BEARER, is_admin=False),
        lambda: asyncio.run(admin.remove("main", "crm", is_admin=False)),
        lambda: asyncio.run(admin.test("main", "crm", url="", is_admin=False)),
        lambda: asyncio.run(admin.refuse_unshared("main", "shop", ["crm"], is_admin=False)),
    ):
        with pytest.raises(CredentialNotSharedError, match="admins alone"):
            work()
    asyncio.run(admin.refuse_unshared("main", "shop", ["crm", "not_there"], is_admin=True))
    assert desk.value("crm")["version"] == 1


def test_a_flow_that_a_credential_is_not_shared_with_is_not_published(desk):
    desk.set("crm", BEARER, share=Share("editor", ("shop",)))
    asyncio.run(desk.admin.refuse_unshared("main", "shop", ["crm"], is_admin=False))
    with pytest.raises(CredentialNotSharedError, match="flow `other`"):
        asyncio.run(desk.admin.refuse_unshared("main", "other", ["crm"], is_admin=True))


def test_a_write_is_seen_here_at_once_and_elsewhere_within_half_a_minute(desk):
    desk.set("crm", BEARER)
    other = desk.beside()
    assert other.open("crm")["token"] == TOKEN
    desk.rotate("crm", {"token": "new"})
    assert desk.open("crm")["token"] == "new"
    desk.clock.skip(REMEMBERED_SECONDS)
    assert other.open("crm")["token"] == "new"
    asyncio.run(desk.admin.remove("main", "crm", is_admin=True))
    with pytest.raises(CredentialMissingError):
        desk.open("crm")
    desk.clock.skip(REMEMBERED_SECONDS)
    with pytest.raises(CredentialMissingError):
        other.open("crm")
    assert REMEMBERED_SECONDS <= 60


def test_a_name_that_was_not_there_is_looked_for_again_soon(desk):
    other = desk.beside()
    with pytest.raises(CredentialMissingError):
        other.open("crm")
    desk.set("crm", BEARER)
    desk.clock.skip(REMEMBERED_ABSENCE_SECONDS)
    assert other.open("crm")["token"] == TOKEN


def test_what_is_remembered_has_an_end(desk):
    async def many():
        for number in range(MOST_REMEMBERED + 5):
            with pytest.raises(CredentialMissingError):
                await desk.credentials.open("main", f"c{number}")

    asyncio.run(many())
    assert len(desk.credentials._remembered) <= MOST_REMEMBERED


def test_a_write_while_another_reads_is_not_forgotten(desk):
    """The reader's stale look must not be remembered past the write."""
    desk.set("crm", BEARER)
    desk.credentials.forget("main", "crm")

    class Slow:
        async def get(self, *names):
            found = await desk.documents.get(*names)
            await desk.admin.rotate("main", "crm", {"token": "new"}, overlap_seconds=0, is_admin=True)
            desk.credentials.documents = desk.documents
            return found

    desk.credentials.documents = Slow()
    assert desk.open("crm")["token"] == TOKEN
    assert desk.open("crm")["token"] == "new"


def test_who_keeps_losing_the_race_is_told(desk):
    desk.set("crm", BEARER)

    class Contended:
        def __init__(self, documents):
            self.get, self.page = documents.get, documents.page

        async def put(self, *_, **__):
            return None

        async def delete(self, *_, **__):
            return False

    desk.admin._documents = Contended(desk.documents)
    for work in (
        lambda: desk.set("crm", BEARER),
        lambda: asyncio.run(desk.admin.remove("main", "crm", is_admin=True)),
    ):
        with pytest.raises(ConflictError, match="being changed"):
            work()


def test_a_test_asks_the_service_as_its_type_says_and_tells_nothing_but_the_status(desk):
    desk.set("gh", {"token": TOKEN}, type_name="github")
    desk.service.answer = HttpAnswer(401, (), f'{{"message": "bad {TOKEN}"}}'.encode())
    tested = asyncio.run(desk.admin.test("main", "gh", url="", is_admin=False))
    assert (tested.works, tested.status, tested.asked) == (False, 401, "api.github.com")
    assert TOKEN not in repr(tested)
    sent = desk.service.sent[0]
    assert (sent.method, sent.url.split("/")[2]) == ("GET", "api.github.com")
    assert ("Authorization", f"Bearer {TOKEN}") in sent.headers
    desk.service.answer = HttpAnswer(200, (), b"{}")
    assert asyncio.run(desk.admin.test("main", "gh", url="", is_admin=False)).works


def test_a_test_goes_nowhere_but_to_the_hosts_of_the_credential(desk):
    desk.set("crm", BEARER)
    with pytest.raises(CredentialUnfitError, match="may not go to evil"):
        asyncio.run(desk.admin.test("main", "crm", url="https://evil.example/", is_admin=True))
    assert desk.service.sent == []
    assert asyncio.run(desk.admin.test("main", "crm", url="https://api.example.com/me", is_admin=True)).works
    desk.service.answer = NotSentError("no")
    tested = asyncio.run(desk.admin.test("main", "crm", url="https://api.example.com/me", is_admin=True))
    assert (tested.works, tested.said) == (None, "api.example.com was not reached: not_sent.")


def test_what_is_sent_nowhere_is_tested_by_opening_it(tmp_path):
    desk = Desk(tmp_path, own={"token": TOKEN})
    desk.set("hook", {"secret": "whsec-012345678"})
    assert asyncio.run(desk.admin.test("main", "hook", url="", is_admin=True)).works is None
    with pytest.raises(UsageError, match="without a url"):
        asyncio.run(desk.admin.test("main", "hook", url="https://x.example/", is_admin=True))
    tested = asyncio.run(desk.admin.test("main", "own", url="https://x.example/", is_admin=True))
    assert (tested.origin, tested.works) == ("environment", True)
    desk.put("hook", changed(desk.value("hook"), ("sealed", "nonce"), "A" * 16))
    with pytest.raises(SealBrokenError):
        asyncio.run(desk.admin.test("main", "hook", url="", is_admin=True))


def test_all_is_brought_under_a_new_master_key_in_parts_and_what_cannot_be_is_named(desk):
    for number in range(205):
        desk.set(f"c{number:03}", {"secret": f"secret {number}"})
    desk.rotate("c000", {"secret": "new"}, overlap=60)
    desk.put("c001", changed(desk.value("c001"), ("sealed", "wrapped", "blob"), "AAAA"))
    first = asyncio.run(desk.admin.rewrap("main", after="", with_new_key=True))
    assert (first.looked_at, first.rewrapped, [name for name, _ in first.failed]) == (200, 199, ["c001"])
    second = asyncio.run(desk.admin.rewrap("main", after=first.cursor, with_new_key=False))
    assert (second.looked_at, second.rewrapped, second.cursor, second.master_key) == (5, 5, None, "")
    again = asyncio.run(desk.admin.rewrap("main", after="", with_new_key=False))
    assert (again.rewrapped, again.looked_at) == (0, 200)
    other = desk.beside()
    for number in (0, 2, 204):
        assert desk.value(f"c{number:03}")["sealed"]["wrapped"]["key"] == first.master_key
        assert other.open(f"c{number:03}")["secret"] in {f"secret {number}", "new"}
    assert other.open("c000")["previous"] == "secret 0"
    assert desk.value("c000")["former"]["sealed"]["wrapped"]["key"] == first.master_key


def test_a_master_key_that_its_keeper_renews_is_not_renewed_here(desk):
    desk.admin._renew = None
    with pytest.raises(UsageError, match="KMS"):
        asyncio.run(desk.admin.rewrap("main", after="", with_new_key=True))
