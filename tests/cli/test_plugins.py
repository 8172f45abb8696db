"""`penstock plugins` on this machine: new, test, pack; and how grants are typed."""

import json

import pytest

from chalicelib.cli.plugins import grants_of, words_of
from chalicelib.errors import UsageError
from tests.cli.calling import penstock


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_plugin_works_is_packed_and_known_to_the_check(folder):
    said = penstock("plugins", "new", "geo")
    assert (said.code, said.out.split()) == (0, ["geo/plugin.yaml", "geo/plugin.wat"])
    assert penstock("plugins", "test", "geo").out == "answer\tgood\n"
    (folder / "plugins").mkdir()
    said = penstock("plugins", "pack", "geo", "--out", "plugins/geo.penstock", "--json")
    assert said.json["file"] == "plugins/geo.penstock"
    assert penstock("plugins", "test", "plugins/geo.penstock", "--json").json == [
        {"node": "answer", "about": "", "good": True, "said": ""}
    ]
    assert "plugin_geo.answer" in penstock("nodes", "list", "answer").out
    assert "question" in penstock("nodes", "show", "plugin_geo.answer").out
    flows = folder / "flows"
    flows.mkdir()
    flow = "flow: a\nsteps:\n  x: {uses: plugin_geo.answer, with: {question: what}}\n"
    (flows / "a.yaml").write_text(flow)
    assert penstock("check").code == 0
    (flows / "a.yaml").write_text(flow.replace("question", "qestion"))
    said = penstock("check")
    assert said.code == 2
    assert "has no parameter `qestion`" in said.out


def test_without_its_package_the_check_says_what_to_do(folder):
    (folder / "a.yaml").write_text("flow: a\nsteps:\n  x: {uses: plugin_geo.answer}\n")
    said = penstock("check", "a.yaml")
    assert said.code == 2
    assert "into the folder `plugins`" in said.out


def test_an_example_that_is_wrong_fails(folder):
    penstock("plugins", "new", "geo")
    manifest = folder / "geo" / "plugin.yaml"
    manifest.write_text(manifest.read_text().replace("returns: 42", "returns: 54"))
    said = penstock("plugins", "test", "geo")
    assert said.code == 1
    assert "It gave 42, not 54." in said.out


def test_a_folder_or_a_name_that_is_taken_or_none_is_refused(folder):
    penstock("plugins", "new", "geo")
    assert penstock("plugins", "new", "geo").code == 2
    assert penstock("plugins", "new", "../geo").code == 2
    (folder / "empty").mkdir()
    assert penstock("plugins", "pack", "empty").code == 2
    (folder / "geo" / "plugin.wat").write_text("(module")
    said = penstock("plugins", "pack", "geo", "--json")
    assert (said.code, json.loads(said.err)["code"]) == (2, "usage")
    assert not list(folder.glob("*.penstock"))


def test_grants_are_typed_as_they_are_shown():
    words = ["http=a.example", "http=*.b.example:8443", "kv", "wasi"]
    grants = grants_of(words)
    assert grants == {"http": ["a.example", "*.b.example:8443"], "kv": True, "wasi": True}
    assert words_of({"http": [], "kv": False, "log": False, "wasi": False, **grants}) == " ".join(words)
    for word in ("http", "http=", "files", "KV", "log=true"):
        with pytest.raises(UsageError):
            grants_of([word])
