"""Types of credentials: what they take, what they hand over, what of them may be shown."""

import pytest

from chalicelib.errors import CredentialUnfitError
from chalicelib.vault.types import (
    CredentialType,
    check_fields,
    find_type,
    guessed_type,
    opened_fields,
    public_fields,
    types,
    types_for,
)


def test_a_type_that_is_not_there_is_refused_by_the_names_of_those_that_are() -> None:
    with pytest.raises(CredentialUnfitError, match="bearer"):
        find_type("bearr")


@pytest.mark.parametrize("each", types(), ids=lambda each: each.name)
def test_a_type_is_whole(each: CredentialType) -> None:
    assert find_type(each.name) is each
    names = [field.name for field in each.fields]
    assert len(names) == len(set(names))
    assert all(field.help.endswith((".", ")")) for field in each.fields)
    assert each.docs.startswith("https://") or each.takes_any
    if each.oauth2 is not None:
        assert each.kind == "bearer"
        for name in ("token_url", *(["authorize_url"] if each.oauth2.grant == "authorization_code" else [])):
            assert bool(getattr(each.oauth2, name)) != (name in names), "an address is the type's or the credential's"


def test_what_is_missing_unknown_or_no_text_is_refused_and_never_shown() -> None:
    bearer = find_type("bearer")
    for fields, said in (
        ({}, "needs token"),
        ({"token": ""}, "needs token"),
        ({"token": "hunter22", "tokn": "hunter22"}, "no field tokn"),
        ({"token": 22}, "is a text"),
        ({"token": "hunter22", "hosts": "https://x"}, "hosts"),
        ({"token": "hunter22", "base_url": "ftp://x"}, "base_url"),
        ({"token": "hunter22", "base_url": "https://me:hunter22@x"}, "base_url"),
        ({"token": "t", "hunter22 ": "x"}, "no name"),
    ):
        with pytest.raises(CredentialUnfitError, match=said) as caught:
            check_fields(bearer, fields)
        assert "hunter22" not in caught.value.detail


def test_a_token_is_asked_for_over_tls_or_from_this_machine() -> None:
    kind = find_type("oauth2_client_credentials")
    fields = {"client_id": "c", "client_secret": "s"}
    with pytest.raises(CredentialUnfitError, match="https"):
        check_fields(kind, {**fields, "token_url": "http://example.com/token"})
    for url in ("https://example.com/token", "http://127.0.0.1:1/token"):
        assert check_fields(kind, {**fields, "token_url": url, "scope": ""}) == {**fields, "token_url": url}


def test_a_credential_goes_where_it_says_else_where_its_server_is_else_where_its_type_says() -> None:
    github = find_type("github")
    assert opened_fields(github, {"token": "t"})["hosts"] == "api.github.com, uploads.github.com"
    own = {"token": "t", "base_url": "https://GHE.example:8443/api/v3"}
    assert opened_fields(github, own)["hosts"] == "ghe.example:8443"
    assert opened_fields(github, {**own, "hosts": "*.example"})["hosts"] == "*.example"
    assert "hosts" not in opened_fields(find_type("bearer"), {"token": "t"})
    assert opened_fields(find_type("secret"), {"secret": "s"}) == {"secret": "s"}


def test_a_step_is_handed_no_more_of_a_token_than_the_token() -> None:
    fields = {
        "client_id": "c",
        "client_secret": "s",
        "token": "t",
        "refresh_token": "r",
        "expires_at": "1",
        "authorize_url": "https://a",
        "token_url": "https://t",
        "scope": "x",
        "hosts": "h.example",
    }
    opened = opened_fields(find_type("oauth2_authorization_code"), fields)
    assert opened == {"kind": "bearer", "token": "t", "hosts": "h.example"}
    for each in types():
        if each.oauth2 is not None:
            given = {field.name: "x" for field in each.fields if field.name != "base_url"}
            assert set(opened_fields(each, given)) == {"kind", "token", "hosts"}, each.name


def test_what_is_secret_in_one_type_is_public_in_none() -> None:
    assert {"username", "region", "hosts", "base_url", "kind", "name", "access_key_id"} <= public_fields()
    secret = {"token", "password", "value", "secret", "secret_access_key", "session_token", "previous", "key"}
    assert not public_fields() & (secret | {"client_secret", "refresh_token", "private_key", "webhook_id"})


def test_the_types_that_fit_a_service_are_its_own_and_the_general_ones_of_its_kind() -> None:
    assert [each.name for each in types_for("Slack", "bearer")][:3] == ["slack", "slack_oauth", "bearer"]
    assert {each.service for each in types_for("Slack", "bearer")} == {"Slack", ""}
    assert [each.name for each in types_for("Amazon S3", "aws")] == ["aws"]
    assert {"basic", "header", "query", "aws"} <= {each.name for each in types_for("HTTP", "any")}
    assert types_for("HTTP", "none") == ()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"token": "t"}, "bearer"),
        ({"username": "u", "password": "p"}, "basic"),
        ({"name": "n", "value": "v", "hosts": "h"}, "header"),
        ({"access_key_id": "a", "secret_access_key": "s"}, "aws"),
        ({"secret": "s", "verify_token": "v"}, "secret"),
        ({"token": "t", "colour": "red"}, "custom"),
        ({}, "custom"),
    ],
)
def test_fields_without_a_type_are_given_the_one_they_fit(fields: dict[str, str], name: str) -> None:
    assert guessed_type(fields) == name
