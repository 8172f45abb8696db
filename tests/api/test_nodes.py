"""The catalogue over HTTP."""

from chalicelib.catalogue import entries
from tests.api.house import House, conforms, loaded, refused


def get(path):
    return House().send("GET", f"/api/v1/nodes{path}", role="viewer")


def test_every_node_is_listed_in_short():
    items = conforms(get(""), "Nodes")["items"]
    assert [item["type"] for item in items] == list(entries())


def test_the_list_can_be_narrowed():
    triggers = conforms(get("?kind=trigger"), "Nodes")["items"]
    assert {item["type"] for item in triggers} == {"webhook", "schedule", "manual", "error"}
    assert loaded(get("?kind=trigger&service=Slack")) == {"items": []}
    refused(get("?kind=thing"), 400, "usage")
    refused(get("?name=thing"), 400, "usage")


def test_a_node_is_shown_whole():
    assert conforms(get("/slack.post_message"), "Node") == entries()["slack.post_message"]


def test_a_node_that_there_is_not_is_refused_with_what_may_have_been_meant():
    assert "slack.post_message" in refused(get("/slack.post_mesage"), 404, "node_unknown")["detail"]
    refused(get("/%00"), 404, "node_unknown")
