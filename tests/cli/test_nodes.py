"""`penstock nodes`."""

import json

from chalicelib.catalogue import entries
from chalicelib.cli.nodes import lines_of
from tests.cli.calling import penstock


def test_every_node_is_listed_with_what_it_does():
    said = penstock("nodes", "list")
    assert (said.code, said.err) == (0, "")
    rows = [line.split("\t") for line in said.out.splitlines()]
    assert [row[0] for row in rows] == list(entries())
    assert all(len(row) == 4 and row[3] for row in rows)


def test_the_list_can_be_narrowed():
    found = penstock("nodes", "list", "post", "--json").json
    assert "slack.post_message" in [each["type"] for each in found]
    assert all("post" in json.dumps(each).lower() for each in found)
    triggers = penstock("nodes", "list", "--kind", "trigger", "--json").json
    assert sorted(each["type"] for each in triggers) == ["error", "manual", "schedule", "webhook"]


def test_every_node_can_be_shown():
    for node_type in entries():
        said = penstock("nodes", "show", node_type)
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith(f"{node_type}  ")
    shown = penstock("nodes", "show", "http.request").out
    assert "effect      by its method" in shown
    assert "  url " in shown
    assert "required" in shown
    assert penstock("nodes", "show", "switch", "--json").json == entries()["switch"]


def test_what_a_node_cannot_do_yet_is_said():
    half = {**entries()["call"], "not_built": {"wait": "this cannot be done yet"}}
    assert "not yet: with.wait: this cannot be done yet" in list(lines_of(half))
    whole = {**half, "not_built": {"*": "this cannot be done yet"}}
    assert "not yet: this cannot be done yet" in list(lines_of(whole))


def test_an_unknown_node_is_refused_with_what_may_be_meant():
    said = penstock("nodes", "show", "slack.post_mesage")
    assert (said.code, said.out) == (2, "")
    assert "slack.post_message" in said.err
    as_json = penstock("nodes", "show", "slack.post_mesage", "--json")
    assert json.loads(as_json.err)["code"] == "node_unknown"
