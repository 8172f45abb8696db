"""The description: valid, whole, and what the API really answers."""

import json

import jsonschema
from openapi_spec_validator import validate

from chalicelib.api.openapi import document
from chalicelib.api.routes import TABLE
from tests.api.house import House, loaded


def test_the_document_is_valid_openapi():
    validate(document(base_url="https://penstock.example"))
    validate(document())


def test_it_describes_every_route_of_the_table_and_no_other():
    described = {(method, path) for path, item in document()["paths"].items() for method in item}
    assert described == {(method.lower(), route.path) for route in TABLE for method in route.methods}


def test_every_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for item in document()["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def test_public_routes_say_so_and_all_others_want_a_key():
    described = document()
    assert described["security"] == [{"key": []}]
    for route in TABLE:
        for method in route.methods:
            operation = described["paths"][route.path][method.lower()]
            assert ("security" in operation) == (route.role is None)


def test_a_page_is_described_as_html_and_its_form_as_one():
    described = document()["paths"]["/approvals/{link}"]
    assert set(described["get"]["responses"]["200"]["content"]) == {"application/json", "text/html"}
    form = described["post"]["requestBody"]
    assert (set(form["content"]), form["required"]) == (
        {"application/json", "application/x-www-form-urlencoded"},
        True,
    )
    looked = document()["paths"]["/callbacks/{link}"]["get"]["responses"]
    assert set(looked) == {"405", "default"}
    assert set(looked["405"]["content"]) == {"application/problem+json", "text/html"}


def test_what_strangers_send_to_a_link_is_not_described_as_a_flow_file():
    body = document()["paths"]["/callbacks/{link}"]["post"]["requestBody"]
    assert body == {"required": False, "content": {"*/*": {"schema": {}}}}


def test_routes_are_sorted_under_what_they_are_about():
    tags = {tag for item in document()["paths"].values() for operation in item.values() for tag in operation["tags"]}
    assert tags == {
        "hooks",
        "callbacks",
        "approvals",
        "flows",
        "executions",
        "refusals",
        "nodes",
        "plugins",
        "plugin-parts",
        "health",
        "openapi",
    }


def test_anybody_may_read_it():
    answer = House().send("GET", "/api/v1/openapi.json")
    assert answer.status == 200
    assert loaded(answer) == json.loads(json.dumps(document(base_url="https://penstock.example")))


def test_every_schema_is_a_json_schema_and_every_reference_leads_somewhere():
    described = document()
    schemas = described["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(described)
    for part in text.split('"$ref": "#/components/schemas/')[1:]:
        assert part.split('"')[0] in schemas
