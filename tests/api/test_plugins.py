"""Plugins over the API: who may, where none run, and what is wrong with a request."""

import pytest

from tests.api.house import House, refused

FLOW = b"flow: shop\nsteps:\n  far: {uses: plugin_geo.work}\n"
ROUTES = (
    ("GET", "/api/v1/plugins"),
    ("POST", "/api/v1/plugins"),
    ("POST", "/api/v1/plugin-parts"),
    ("POST", "/api/v1/plugins/geo/grant"),
    ("POST", "/api/v1/plugins/geo/revoke"),
    ("DELETE", "/api/v1/plugins/geo"),
)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("role", ["viewer", "operator", "editor"])
def test_plugins_are_an_admins_alone(method, path, role):
    house = House()
    refused(house.send(method, path), 401, "unauthenticated")
    refused(house.send(method, path, role=role), 403, "forbidden")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_where_no_plugins_run_each_request_says_so(method, path):
    body = {"parts": ["0" * 64]} if path.endswith("plugins") and method == "POST" else b""
    refused(House().send(method, path, body, role="admin"), 422, "plugins_not_here")


def test_where_no_plugins_run_a_flow_that_uses_one_is_refused_by_name_when_it_is_published():
    headers = {"content-type": "application/yaml"}
    problem = refused(
        House().send("PUT", "/api/v1/flows/shop", FLOW, headers=headers, role="editor"), 422, "plugins_not_here"
    )
    assert "plugin_geo" in problem["detail"]
