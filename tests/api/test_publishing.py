"""Publishing, rolling back, switching: checked first, then stored, then pointed to."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.api.auth import key_hash
from tests.api.house import OPEN, SIGNED, STEPS, House, conforms, loaded, refused

YAML = {"content-type": "application/yaml"}
CIRCLE = """\
flow: shop
steps:
  a: {uses: set, with: {x: "${ steps.b }"}}
  b: {uses: set, with: {x: "${ steps.a }"}}
"""
OTHER = STEPS + "  more: {uses: set, with: {value: 1}}\n"


def put(house, text, *, name="shop", query="", headers=YAML, role="editor"):
    body = text if isinstance(text, bytes) else text.encode()
    return house.send("PUT", f"/api/v1/flows/{name}{query}", body, headers=headers, role=role)


def live(house):
    return asyncio.run(house.versions.live("main", "shop"))


def places(answer, code, status=422):
    return {(one["line"], one["column"]): one["what"] for one in refused(answer, status, code)["errors"]}


def test_a_flow_is_published_with_the_addresses_of_its_hooks():
    house = House()
    answer = put(house, SIGNED + STEPS)
    assert answer.status == 201
    published = conforms(answer, "Published")
    assert published["changed"] is True
    assert published["enabled"] is True
    assert published["triggers"][0]["url"] == "https://penstock.example/hooks/shop/placed"
    pointer = live(house)
    assert (pointer.version, pointer.rev) == (published["version"], 1)
    assert house.told == [(pointer, pointer.version)]


def test_the_same_file_again_changes_nothing_and_tells_who_depends_on_it():
    house = House()
    first = loaded(put(house, SIGNED + STEPS))
    house.clock.moment = house.clock.moment.replace(hour=9)
    answer = put(house, "# a comment\n" + SIGNED + STEPS)
    assert answer.status == 200
    assert loaded(answer) == {**first, "changed": False}
    assert live(house).rev == 1
    assert len(house.told) == 2


def test_json_and_yaml_are_the_same_flow():
    house = House()
    put(house, SIGNED + STEPS)
    document = loaded(house.send("GET", "/api/v1/flows/shop", role="viewer"))["document"]
    answer = house.send("PUT", "/api/v1/flows/shop", document, role="editor")
    assert loaded(answer)["changed"] is False


def test_a_dry_run_checks_and_stores_nothing():
    house = House()
    answer = put(house, SIGNED + STEPS, query="?dry_run=true")
    assert answer.status == 200
    said = conforms(answer, "Published")
    assert said["changed"] is True
    assert live(house) is None
    assert house.told == []
    put(house, SIGNED + STEPS)
    assert loaded(put(house, SIGNED + STEPS, query="?dry_run=true"))["changed"] is False
    assert loaded(put(house, SIGNED + OTHER, query="?dry_run=true"))["changed"] is True
    refused(put(house, "flow: shop\nsteps: {a: {uses: none}}\n", query="?dry_run=true"), 422, "flow_check")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("flow: shop\n steps: {", "flow_text"),
        ("flow: shop\nflow: shop\n", "flow_text"),
        ("", "body_unreadable"),
        (b"flow: \xff\n", "flow_text"),
        ("[" * 5000, "flow_text"),
        ("flow: shop\nsteps:\n  a: {uses: set, wiht: {}}\n", "flow_check"),
        ("flow: shop\nextra: 1\nsteps:\n  a: {uses: set}\n", "flow_check"),
        ("flow: shop\nsteps:\n  a: {uses: http.reqest}\n", "flow_check"),
        ('flow: shop\nsteps:\n  a: {uses: set, with: {x: "${ 1 + }"}}\n', "flow_check"),
        (CIRCLE, "flow_check"),
    ],
    ids=["shape", "double key", "empty", "bytes", "deep", "key", "flow key", "node", "expression", "circle"],
)
def test_a_bad_flow_has_its_named_error_and_nothing_is_stored(text, code):
    house = House()
    answer = put(house, text)
    problem = refused(answer, 400 if code == "body_unreadable" else 422, code)
    assert code == "body_unreadable" or all(one["line"] and one["column"] for one in problem["errors"])
    assert code == "body_unreadable" or problem["errors"]
    assert live(house) is None
    assert house.is_up()
    assert put(house, SIGNED + STEPS).status == 201


def test_every_mistake_is_told_at_once_with_its_place():
    text = "flow: shop\nsteps:\n  a: {uses: none_such}\n  b: {uses: set, wiht: 1}\n  c: {uses: set, after: nobody}\n"
    found = places(put(House(), text), "flow_check")
    assert {line for line, _ in found} == {3, 4, 5}


@pytest.mark.parametrize(
    "body", [b'{"flow": "shop",', b'{"flow": "\\ud83d"}', b'{"a": NaN}', b"[" * 200 + b"]" * 200, b"\xff{}", b"[1]"]
)
def test_json_that_cannot_be_read_has_its_named_error(body):
    house = House()
    answer = put(house, body, headers={"content-type": "application/json"})
    assert refused(answer, 422, "flow_text")["errors"]
    assert house.is_up()


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_file_of_an_unknown_kind_is_refused(kind):
    problem = refused(put(House(), SIGNED + STEPS, headers={"content-type": kind}), 400, "body_unreadable")
    assert "application/yaml" in problem["detail"]


def test_the_address_and_the_file_must_name_the_same_flow():
    found = places(put(House(), SIGNED + STEPS, name="other"), "flow_check")
    assert list(found) == [(1, 7)]


def test_a_name_that_no_flow_can_have_is_not_found():
    for name in ("Shop", "9shop", "a" * 65, "%2e%2e", "a%20b"):
        refused(put(House(), SIGNED + STEPS, name=name), 404, "not_found")


@pytest.mark.parametrize(
    ("verify", "says"),
    [
        ("{scheme: githup, credential: hook}", "githup"),
        ("{scheme: github, credential: hook, colour: red}", "no option 'colour'"),
        ("{scheme: rfc9421, credential: hook}", "algorithm"),
        ("{scheme: hubspot-v3, credential: hook, path: /x}", "no option 'path'"),
        ('{scheme: hmac, credential: hook, template: "{timestamp}"}', "timestamp_header"),
    ],
)
def test_a_verification_that_cannot_work_is_refused_when_it_is_published(verify, says):
    text = SIGNED.replace("{scheme: standard-webhooks, credential: hook}", verify) + STEPS
    found = places(put(House(), text), "flow_check")
    assert any(says in what for what in found.values()), found


def token_of(answer):
    return loaded(answer)["triggers"][0]["url"].rpartition("/")[2]


def test_a_token_is_kept_by_publishing_and_changed_by_rotating():
    house = House()
    first = token_of(put(house, OPEN + STEPS))
    assert len(first) == 26
    assert token_of(put(house, OPEN + OTHER)) == first
    rotated = house.send("POST", "/api/v1/flows/shop/triggers/placed/rotate", role="editor")
    second = conforms(rotated, "Trigger")["url"].rpartition("/")[2]
    assert second != first
    assert token_of(put(house, OPEN + STEPS)) == second
    assert house.send("POST", f"/hooks/shop/placed/{second}").status == 202
    refused(house.send("POST", f"/hooks/shop/placed/{first}"), 404, "not_found")


def test_a_token_survives_a_version_that_does_without_it():
    house = House()
    first = token_of(put(house, OPEN + STEPS))
    put(house, SIGNED + STEPS)
    assert token_of(put(house, OPEN + OTHER)) == first


def test_only_a_trigger_that_verifies_nothing_has_a_token_to_rotate():
    house = House()
    put(house, SIGNED + "  by_hand: {uses: manual}\n" + STEPS.replace("trigger.body", "1"))
    for trigger in ("placed", "by_hand", "none"):
        answer = house.send("POST", f"/api/v1/flows/shop/triggers/{trigger}/rotate", role="editor")
        refused(answer, 404, "not_found")


def test_rolling_back_points_to_an_earlier_version_and_keeps_the_switch():
    house = House()
    first = loaded(put(house, SIGNED + STEPS))["version"]
    second = loaded(put(house, SIGNED + OTHER))["version"]
    house.send("POST", "/api/v1/flows/shop/disable", role="operator")
    answer = house.send("POST", "/api/v1/flows/shop/rollback", {"version": first[:7]}, role="editor")
    assert answer.status == 200
    assert conforms(answer, "Published")["version"] == first
    assert (live(house).version, live(house).enabled) == (first, False)
    assert second != first
    assert house.told[-1][1] == first


@pytest.mark.parametrize("version", ["f" * 64, "0000000", "%", ""])
def test_rolling_back_to_what_there_is_not_is_refused(version):
    house = House()
    put(house, SIGNED + STEPS)
    answer = house.send("POST", "/api/v1/flows/shop/rollback", {"version": version}, role="editor")
    assert answer.status in {400, 404}
    assert live(house).rev == 1


def test_the_switch_is_written_once_and_told():
    house = House()
    put(house, SIGNED + STEPS)
    for word, enabled in (("disable", False), ("disable", False), ("enable", True)):
        answer = house.send("POST", f"/api/v1/flows/shop/{word}", role="operator")
        assert conforms(answer, "Switched")["enabled"] is enabled
        assert house.told[-1][0].enabled is enabled
    assert live(house).rev == 3


def test_a_flow_begins_anew_when_it_is_enabled_and_with_each_version():
    house = House()
    put(house, SIGNED + STEPS)
    assert (live(house).since, live(house).begun) == (0, live(house).published)
    began = []
    for word in ("enable", "disable", "pause", "enable", "resume", "enable"):
        house.clock.moment += timedelta(minutes=1)
        house.send("POST", f"/api/v1/flows/shop/{word}", role="operator")
        began.append((live(house).begun - live(house).published) // 60_000)
    assert began == [0, 0, 0, 4, 4, 4], "neither a switch that was set already, nor a pause"
    house.clock.moment += timedelta(minutes=1)
    put(house, SIGNED + OTHER)
    assert live(house).begun == live(house).published > live(house).since > 0


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (
            'timezone: Europe/Berlin\ntriggers: {t: {uses: schedule, with: {cron: "0 0 30 2 *"}}}\n',
            3,
            "never fires: the",
        ),
        (
            'timezone: Europe/Berlin\ntriggers: {t: {uses: schedule, with: {cron: "30 2 25-31 3 */7"}}}\n',
            3,
            "`cron` never fires in Europe/Berlin",
        ),
        (
            'triggers:\n  t: {uses: schedule, with: {cron: "30 2 25-31 3 */7", timezone: Europe/Berlin}}\n',
            3,
            "`cron` never fires in Europe/Berlin",
        ),
    ],
    ids=["a day that never comes", "the flow's clocks", "the trigger's clocks"],
)
def test_a_schedule_that_never_fires_is_refused_at_its_place(lines, line, says):
    house = House()
    (((found, _), what),) = places(
        put(house, f"flow: shop\n{lines}steps: {{a: {{uses: set}}}}\n"), "flow_check"
    ).items()
    assert found == line
    assert says in what
    assert live(house) is None


def test_publishing_keeps_a_flow_switched_off():
    house = House()
    put(house, SIGNED + STEPS)
    house.send("POST", "/api/v1/flows/shop/disable", role="operator")
    assert loaded(put(house, SIGNED + OTHER))["enabled"] is False


def test_pausing_a_flow_is_written_once_and_resuming_wakes_what_was_queued():
    house = House()
    put(house, SIGNED + STEPS)
    for _ in range(2):
        answer = house.send("POST", "/api/v1/flows/shop/pause", role="operator")
        assert conforms(answer, "Switched")["paused"] is True
    assert (live(house).paused, live(house).enabled, live(house).rev) == (True, True, 2)
    assert house.door.told == []
    house.door.woken = 3
    resumed = conforms(house.send("POST", "/api/v1/flows/shop/resume", role="operator"), "Resumed")
    assert (resumed["paused"], resumed["woken"]) == (False, 3)
    assert (live(house).paused, live(house).rev) == (False, 3)
    assert house.door.told == [("resume_flow", "main", "shop")]


def test_resuming_what_is_not_paused_wakes_what_an_earlier_try_left_behind():
    house = House()
    put(house, SIGNED + STEPS)
    assert house.send("POST", "/api/v1/flows/shop/resume", role="operator").status == 200
    assert house.door.told == [("resume_flow", "main", "shop")]
    assert live(house).rev == 1


def test_a_flow_is_resumed_before_what_it_queued_is_woken():
    house = House()
    put(house, SIGNED + STEPS)
    house.send("POST", "/api/v1/flows/shop/pause", role="operator")
    seen = []

    async def look(tenant, flow):
        seen.append(await house.versions.live(tenant, flow))
        return 0

    house.door.resume_flow = look
    house.send("POST", "/api/v1/flows/shop/resume", role="operator")
    assert [pointer.paused for pointer in seen] == [False]


def test_publishing_and_rolling_back_keep_a_flow_paused():
    house = House()
    first = loaded(put(house, SIGNED + STEPS))
    assert first["paused"] is False
    house.send("POST", "/api/v1/flows/shop/pause", role="operator")
    assert conforms(put(house, SIGNED + OTHER), "Published")["paused"] is True
    assert conforms(put(house, SIGNED + STEPS, query="?dry_run=true"), "Published")["paused"] is True
    answer = house.send("POST", "/api/v1/flows/shop/rollback", {"version": first["version"]}, role="editor")
    assert loaded(answer)["paused"] is True
    assert live(house).paused is True


def test_a_flow_that_there_is_not_is_neither_paused_nor_resumed():
    house = House()
    for verb in ("pause", "resume"):
        refused(house.send("POST", f"/api/v1/flows/none/{verb}", role="operator"), 404, "not_found")
    assert house.door.told == []


ERRORS = "flow: shop\ntriggers:\n  broken: {uses: error, with: {flows: [bill, ship]}}\n"
TOLD = 'steps:\n  note: {uses: set, with: {value: "${ trigger.message }"}}\n'


def test_publishing_says_what_the_flow_listens_to():
    house = House()
    put(house, SIGNED + STEPS)
    assert live(house).listens == ()
    assert put(house, ERRORS + TOLD).status == 200
    assert live(house).listens == ("error:bill", "error:ship")
    put(house, ERRORS.replace(", with: {flows: [bill, ship]}", "") + TOLD)
    assert live(house).listens == ("error",)
    put(house, SIGNED + STEPS)
    assert live(house).listens == ()


def test_a_pointer_that_says_less_than_its_version_does_is_mended_by_publishing_again():
    house = House()
    put(house, ERRORS + TOLD)
    pointer = live(house)
    asyncio.run(house.versions.set_live(replace(pointer, listens=(), rev=pointer.rev + 1)))
    assert loaded(put(house, ERRORS + TOLD))["changed"] is False
    assert live(house).listens == ("error:bill", "error:ship")


class Rivals:
    """Versions whose pointer somebody else writes just before we do, so many times."""

    def __init__(self, versions, times):
        self.versions, self.times = versions, times

    def __getattr__(self, name):
        return getattr(self.versions, name)

    async def set_live(self, pointer):
        if self.times:
            self.times -= 1
            known = await self.versions.live(pointer.tenant, pointer.flow)
            assert known is not None
            await self.versions.set_live(replace(known, rev=known.rev + 1, tokens={**known.tokens, "rival": "t"}))
        return await self.versions.set_live(pointer)


@pytest.mark.parametrize(("rivals", "status"), [(1, 200), (2, 409)])
def test_somebody_quicker_is_overtaken_once_and_then_it_is_a_conflict(rivals, status):
    house = House()
    first = loaded(put(house, SIGNED + STEPS))["version"]
    contested = House()
    contested.versions = house.versions
    contested.tools = replace(contested.tools, versions=Rivals(house.versions, rivals), plans=house.plans)
    contested.api = type(contested.api)(contested.tools)
    answer = put(contested, SIGNED + OTHER)
    assert answer.status == status
    assert live(house).tokens == {"rival": "t"}
    if status == 409:
        refused(answer, 409, "conflict")
        assert live(house).version == first
    else:
        assert live(house).version == loaded(answer)["version"] != first


def test_the_stages_vars_are_part_of_the_version():
    text = SIGNED + "vars: {bucket: dev}\n" + STEPS
    plain, staged = House(), House(stage_vars={"bucket": "prod", "other": 1})
    assert loaded(put(plain, text))["version"] != loaded(put(staged, text))["version"]
    shown = loaded(staged.send("GET", "/api/v1/flows/shop", role="viewer"))
    assert shown["document"]["vars"] == {"bucket": "prod"}


def test_the_stages_vars_are_the_main_tenants():
    house = House(stage_vars={"bucket": "prod"})
    made = loaded(house.send("POST", "/api/v1/keys", {"name": "n", "role": "editor"}, role="admin"))
    (document,) = asyncio.run(house.documents.page("main", "api_key"))
    key = made["key"].replace("_main.", "_other.")
    value = {**document.value, "hash": key_hash(key)}
    asyncio.run(house.documents.put("other", "api_key", document.key, value, seen=None))
    headers = {"authorization": f"Bearer {key}", "content-type": "application/yaml"}
    text = SIGNED + "vars: {bucket: dev}\n" + STEPS
    assert house.send("PUT", "/api/v1/flows/shop", text.encode(), headers=headers).status == 201
    shown = loaded(house.send("GET", "/api/v1/flows/shop", headers=headers))
    assert shown["document"]["vars"] == {"bucket": "dev"}
