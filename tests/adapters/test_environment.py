import asyncio

import pytest

from chalicelib.adapters.environment import EnvironmentCredentials, stage_vars_from
from chalicelib.errors import CredentialMissingError, CredentialUnfitError, SettingError


def opened(environment, name):
    return asyncio.run(EnvironmentCredentials(environment).open("main", name))


def test_a_credential_is_read_by_its_name():
    environment = {"PENSTOCK_CREDENTIAL_SLACK_BOT": '{"token": "xoxb"}', "PATH": "/bin"}
    assert opened(environment, "slack_bot") == {"token": "xoxb"}
    assert EnvironmentCredentials(environment).names() == ["slack_bot"]


def test_the_environment_is_the_main_tenants_and_no_others():
    there = EnvironmentCredentials({"PENSTOCK_CREDENTIAL_SLACK_BOT": '{"token": "xoxb"}'})
    for tenant in ("other", "", "Main", "main2"):
        with pytest.raises(CredentialMissingError) as refusal:
            asyncio.run(there.open(tenant, "slack_bot"))
        assert "xoxb" not in refusal.value.detail


def test_a_credential_that_is_not_there_is_named_with_its_cure():
    with pytest.raises(CredentialMissingError, match="PENSTOCK_CREDENTIAL_SLACK_BOT"):
        opened({}, "slack_bot")


@pytest.mark.parametrize("text", ["s3cret-without-quotes", '["s3cret"]', '{"token": 7531}', '"s3cret"'])
def test_a_credential_that_cannot_be_read_is_never_quoted(text):
    with pytest.raises(CredentialUnfitError) as caught:
        opened({"PENSTOCK_CREDENTIAL_API": text}, "api")
    assert "s3cret" not in str(caught.value)
    assert "7531" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_stage_has_its_own_values_of_vars():
    assert stage_vars_from({"PENSTOCK_VARS": '{"bucket": "b", "n": 1}'}) == {"bucket": "b", "n": 1}
    assert stage_vars_from({}) == {}


@pytest.mark.parametrize("text", ["{", "[1]", "7"])
def test_vars_that_are_no_object_are_refused(text):
    with pytest.raises(SettingError, match="PENSTOCK_VARS"):
        stage_vars_from({"PENSTOCK_VARS": text})
