"""`penstock plugins` against a real server: add, list, grant, revoke, remove."""

import pytest

from tests.cli.calling import penstock, write
from tests.dev_server import dev_server

FLOW = "flow: uses-geo\nsteps:\n  x: {uses: plugin_geo.answer, with: {question: what}}\noutput: ${ steps.x }\n"


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    place = tmp_path_factory.mktemp("server")
    with dev_server(write(place / "flows"), place / "penstock" / "store.db") as server:
        yield server
        assert server.stop() == 0
        assert server.errors == ""


def test_a_plugin_is_added_granted_used_and_removed(dev, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def ask(*arguments):
        return penstock(*arguments, PENSTOCK_URL=dev.url, PENSTOCK_KEY=dev.key)

    penstock("plugins", "new", "geo")
    manifest = tmp_path / "geo" / "plugin.yaml"
    manifest.write_text(
        manifest.read_text().replace("http: []", "http: [a.example, '*.b.example']").replace("pure", "read")
    )
    said = ask("plugins", "add", "geo", "--grant", "http=c.example")
    assert (said.code, "does not ask for c.example" in said.err) == (2, True)
    said = ask("plugins", "add", "geo", "--grant", "http=a.example")
    assert said.code == 0, said.err
    assert "node\tplugin_geo.answer\nasks for\thttp=a.example http=*.b.example\ngranted\thttp=a.example\n" in said.out
    assert ask("plugins", "grant", "geo", "http=*.b.example", "--json").json["granted"]["http"] == [
        "a.example",
        "*.b.example",
    ]
    assert ask("plugins", "revoke", "geo", "http=a.example").out.endswith("granted\thttp=*.b.example\n")
    (listed,) = ask("plugins", "list", "--json").json
    assert (listed["name"], listed["version"], listed["granted"]["http"]) == ("geo", "0.1.0", ["*.b.example"])
    assert ask("plugins", "list").out.startswith("geo\t0.1.0\t")

    flow = tmp_path / "uses-geo.yaml"
    flow.write_text(FLOW)
    assert ask("publish", flow).code == 0
    said = ask("plugins", "remove", "geo")
    assert (said.code, "uses-geo" in said.err) == (3, True)
    said = ask("plugins", "remove", "geo", "--force")
    assert (said.code, said.out, "uses-geo" in said.err) == (0, "geo\tremoved\n", True)
    assert ask("plugins", "grant", "geo", "kv").code == 2
    assert ask("plugins", "list", "--json").json == []
