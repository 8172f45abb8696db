"""Services and credential types are two halves of one thing: each service has a type, each type its service."""

from pathlib import Path
from typing import Any

import pytest

from chalicelib import catalogue
from chalicelib.kit.service import Service
from chalicelib.signing.outbound import credential_fields
from chalicelib.signing.outbound_hosts import check_hosts, refuse_other_hosts
from chalicelib.vault.types import CredentialType, public_fields, types, types_for

BY_HTTP_ALONE = {"Google"}
"""Services without a node of their own so far: `http.request` calls them."""


def services() -> list[Service]:
    found: dict[str, Service] = {}
    for name, entry in catalogue.entries().items():
        if entry.get("credential"):
            service: Any = getattr(catalogue.find(name), "service", None)
            if isinstance(service, Service):
                found[service.name] = service
    return list(found.values())


SERVICES = services()


def test_every_type_stands_in_the_documentation() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = "".join((docs / page).read_text("utf-8") for page in ("credentials.md", "oauth.md"))
    rows = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert [each.name for each in types() if f"`{each.name}`" not in rows] == []


def test_there_are_services_to_look_at() -> None:
    assert {"GitHub", "Slack", "OpenAI", "Amazon S3", "HTTP", "Keyed hash"} <= {each.name for each in SERVICES}


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
def test_every_service_that_wants_a_credential_has_a_type_for_it(service: Service) -> None:
    fitting = types_for(service.name, service.credential)
    assert fitting or service.credential == "none"
    for each in fitting:
        if each.hosts and service.base_url and (each.service == service.name or each.kind == "aws"):
            host = service.base_url.partition("//")[2].partition("/")[0].replace("{region}", "eu-central-1")
            refuse_other_hosts({"hosts": ", ".join(each.hosts)}, host)


@pytest.mark.parametrize("each", types(), ids=lambda each: each.name)
def test_every_type_fits_what_signs_and_what_is_there(each: CredentialType) -> None:
    named = {service.name: service for service in SERVICES}
    if each.service and each.service not in BY_HTTP_ALONE:
        assert named[each.service].credential == each.kind
    if each.hosts:
        check_hosts(", ".join(each.hosts))
    names = {field.name for field in each.fields}
    if each.kind not in {"none", "secret"}:
        assert set(credential_fields(each.kind)) <= names
        assert {"hosts", "base_url"} <= names
    if each.test is not None:
        for name, _ in each.test.defaults:
            assert name in names & public_fields(), "an address shows no secret"
