"""Tenants of the embedded server, across a restart."""

import httpx

from tests.cli.calling import GOOD, write
from tests.dev_server import dev_server

HOURLY = b"flow: hourly\ntriggers:\n  tick: {uses: schedule, with: {cron: '0 * * * *'}}\nsteps:\n  a: {uses: set, with: {x: 1}}\n"


def test_schedules_of_every_tenant_are_planned_again_after_a_restart(tmp_path):
    folder, store = write(tmp_path / "flows", greet=GOOD), tmp_path / "penstock" / "store.db"
    with dev_server(folder, store) as dev:
        assert dev.situation["upcoming"] == []
        made = dev.ask("POST", "/keys", json={"name": "n", "role": "editor", "tenant": "acme"}).json()
        headers = {"authorization": f"Bearer {made['key']}", "content-type": "application/yaml"}
        with httpx.Client(trust_env=False, timeout=30) as client:
            answer = client.put(f"{dev.url}/api/v1/flows/hourly", content=HOURLY, headers=headers)
            assert answer.status_code == 201, answer.text
        assert [each["flow"] for each in dev.ask("GET", "/flows").json()["items"]] == ["greet"]
        assert dev.stop() == 0
    with dev_server(folder, store) as dev:
        assert [each["flow"] for each in dev.situation["upcoming"]] == ["hourly"]
        with httpx.Client(trust_env=False, timeout=30) as client:
            shown = client.get(f"{dev.url}/api/v1/flows", headers={"authorization": f"Bearer {made['key']}"}).json()
        assert [each["flow"] for each in shown["items"]] == ["hourly"]
