"""`penstock credentials import`: from the environment, Secrets Manager and SSM; no value is printed, none overwritten."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.house import KEYS, House, loaded
from tests.aws_server import REGION, boto, fresh_name
from tests.cli.api_server import serving
from tests.cli.calling import Said, penstock

TOKEN = "ghp_0123456789abcdefghij"
OTHER = "xoxb-9876543210-zyxwvu"
GOOGLE = json.dumps({"type": "service_account", "client_email": "r@p.iam", "private_key": f"-----{TOKEN}-----"})


@pytest.fixture
def house() -> House:
    return House()


Ask = Callable[..., Said]


@pytest.fixture
def ask(house: House, request: pytest.FixtureRequest) -> Iterator[Ask]:
    with serving(house) as url:

        def call(*arguments: str, role: str = "editor", **variables: str) -> Said:
            aws: dict[str, str] = {}
            if any(each.startswith(("secretsmanager", "ssm")) for each in arguments):
                where = request.getfixturevalue("aws_url")
                keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}
                aws = {"AWS_ENDPOINT_URL": where, **keys}
            told = {"PENSTOCK_URL": url, "PENSTOCK_KEY": KEYS[role], **aws}
            said = penstock("credentials", "import", *arguments, **{**told, **variables})
            for secret in (TOKEN, OTHER):
                assert secret not in said.out
                assert secret not in said.err
            return said

        yield call


def opened(house: House, name: str) -> dict[str, str]:
    import asyncio

    return dict(asyncio.run(house.vault_credentials.open("main", name, flow="shop")))


def listed(house: House) -> dict[str, dict[str, Any]]:
    answer = house.send("GET", "/api/v1/credentials", role="viewer")
    return {each["name"]: each for each in loaded(answer)["items"]}


def test_credentials_of_the_environment_are_taken_by_name_and_by_what_they_look_like(house: House, ask: Ask) -> None:
    variables = {
        "PENSTOCK_CREDENTIAL_REPO": json.dumps({"token": TOKEN, "hosts": "api.github.com"}),
        "PENSTOCK_CREDENTIAL_HOOK": json.dumps({"secret": OTHER}),
        "PENSTOCK_CREDENTIAL_KEYED": json.dumps({"kind": "basic", "username": TOKEN}),
    }
    said = ask("env", **variables)
    assert said.code == 0, said.err
    assert [line.split("\t")[:3] for line in said.out.splitlines()] == [
        ["hook", "secret", "secret"],
        ["keyed", "basic", "username"],
        ["repo", "bearer", "hosts, token"],
    ]
    assert opened(house, "repo") == {"token": TOKEN, "hosts": "api.github.com", "kind": "bearer"}
    assert opened(house, "hook")["secret"] == OTHER
    assert {name: each["type"] for name, each in listed(house).items()} == {
        "hook": "secret",
        "keyed": "basic",
        "repo": "bearer",
    }


def test_a_variable_of_any_name_is_taken_as_the_secret_of_the_type(house: House, ask: Ask) -> None:
    said = ask("env", "gh=GITHUB_TOKEN", "--type", "github", "--json", GITHUB_TOKEN=TOKEN)
    assert said.json == [
        {"name": "gh", "type": "github", "fields": ["token"], "from": "env GITHUB_TOKEN", "done": "stored"}
    ]
    assert opened(house, "gh")["token"] == TOKEN
    assert opened(house, "gh")["hosts"] == "api.github.com, uploads.github.com"


def test_only_those_that_are_named_are_taken(house: House, ask: Ask) -> None:
    variables = {f"PENSTOCK_CREDENTIAL_{name}": json.dumps({"token": TOKEN}) for name in ("A", "B", "C")}
    assert ask("env", "b", "mine=PENSTOCK_CREDENTIAL_C", **variables).code == 0
    assert set(listed(house)) == {"b", "mine"}
    said = ask("env", "nowhere", **variables)
    assert said.code == 2
    assert "Nothing here is called nowhere" in said.err
    assert ask("env", GITHUB_TOKEN=TOKEN).code == 2


def test_nothing_is_overwritten_unless_it_is_asked_for(house: House, ask: Ask) -> None:
    assert ask("env", "gh=A", A=TOKEN).code == 0
    said = ask("env", "gh=A", "--json", A=OTHER)
    assert said.json[0]["done"] == "kept"
    assert "--replace" in ask("env", "gh=A", A=OTHER).err
    assert opened(house, "gh")["token"] == TOKEN
    assert ask("env", "gh=A", "--replace", "--dry-run", "--json", A=OTHER).json[0]["done"] == "would be replaced"
    assert opened(house, "gh")["token"] == TOKEN
    assert ask("env", "gh=A", "--replace", "--json", A=OTHER).json[0]["done"] == "replaced"
    assert opened(house, "gh")["token"] == OTHER


def test_a_dry_run_stores_nothing_and_says_what_would_be(house: House, ask: Ask) -> None:
    said = ask("env", "gh=A", "--dry-run", A=TOKEN)
    assert said.out.split("\t") == ["gh", "bearer", "token", "env A", "would be stored\n"]
    assert listed(house) == {}


def test_where_one_is_wrong_none_is_stored_and_each_says_why(house: House, ask: Ask) -> None:
    variables = {
        "PENSTOCK_CREDENTIAL_GOOD": json.dumps({"token": TOKEN}),
        "PENSTOCK_CREDENTIAL_DEEP": json.dumps({"token": {TOKEN: OTHER}}),
        "PENSTOCK_CREDENTIAL_BAD-NAME": json.dumps({"token": TOKEN}),
    }
    said = ask("env", **variables)
    assert said.code == 2
    assert "env PENSTOCK_CREDENTIAL_DEEP: The field token is no text." in said.err
    assert "BAD-NAME: Its name cannot be one of ours" in said.err
    assert "Nothing was stored." in said.err
    assert listed(house) == {}
    missing = ask("env", "gh=A", "--type", "aws", A=json.dumps({"access_key_id": "AKIA"}))
    assert "needs secret_access_key" in missing.err
    assert ask("env", "gh=A", "--type", "nothing", A=TOKEN).code == 2
    assert ask("env", "gh=A", "--type", "aws", A=TOKEN).code == 2


def test_two_that_would_get_one_name_are_refused(house: House, ask: Ask) -> None:
    said = ask("env", "gh=A", "gh=B", A=TOKEN, B=OTHER)
    assert said.code == 2
    assert "the same name" in said.err
    assert listed(house) == {}


def test_a_secret_is_no_argument(house: House, ask: Ask) -> None:
    said = ask("env", "gh=A", "--type", "bearer", "--field", "token=hunter22", A=TOKEN)
    assert said.code == 2
    assert "secrets are no arguments" in said.err
    assert ask("env", "gh=A", "--field", "hosts=a.example", A=TOKEN).code == 2, "without a type nobody knows"
    assert ask("env", "gh=A", "--type", "bearer", "--field", "hosts=a.example", A=TOKEN).code == 0
    assert opened(house, "gh")["hosts"] == "a.example"


def test_a_key_file_of_google_is_known_when_it_is_seen(house: House, ask: Ask) -> None:
    said = ask("env", "drive=A", A=GOOGLE)
    assert said.code == 2
    assert "needs scope" in said.err
    given = ("--type", "google_service_account", "--field", "scope=https://www.googleapis.com/auth/drive")
    assert ask("env", "drive=A", *given, A=GOOGLE).code == 0
    assert listed(house)["drive"]["fields"] == ["key", "scope"]


def test_who_may_not_store_credentials_imports_none(house: House, ask: Ask) -> None:
    assert ask("env", "gh=A", role="operator", A=TOKEN).code == 3
    assert listed(house) == {}


def test_a_source_that_there_is_none_of_is_usage(ask: Ask) -> None:
    for source in ("vault", "env:x", "secretsmanager", "ssm:", ""):
        said = ask(source)
        assert said.code == 2
        assert "secretsmanager:NAME" in said.err


def test_a_secret_of_secrets_manager_becomes_a_credential(house: House, ask: Ask, aws_url: str) -> None:
    secrets, name = boto(aws_url, "secretsmanager"), fresh_name("prod/Crm-Key")
    database = {"username": "ann", "password": TOKEN, "port": 5432, "ssl": True, "note": None}
    secrets.create_secret(Name=name, SecretString=json.dumps(database))
    said = ask(f"secretsmanager:{name}", "crm", "--type", "custom", "--json")
    assert said.code == 0, said.err
    assert said.json[0]["from"] == f"secretsmanager {name}"
    assert opened(house, "crm") == {"username": "ann", "password": TOKEN, "port": "5432", "ssl": "true"}
    assert ask(f"secretsmanager:{name}", "--type", "custom").code == 0
    assert name.rpartition("/")[2].lower().replace("-", "_") in listed(house)


def test_a_text_and_bytes_of_secrets_manager_are_taken_too(house: House, ask: Ask, aws_url: str) -> None:
    secrets = boto(aws_url, "secretsmanager")
    text, content, garbage = fresh_name("text"), fresh_name("bytes"), fresh_name("garbage")
    secrets.create_secret(Name=text, SecretString=TOKEN + "\n")
    secrets.create_secret(Name=content, SecretBinary=OTHER.encode())
    secrets.create_secret(Name=garbage, SecretBinary=b"\xff\xfe")
    assert ask(f"secretsmanager:{text}", "one").code == 0
    assert ask(f"secretsmanager:{content}", "two").code == 0
    assert (opened(house, "one")["token"], opened(house, "two")["token"]) == (TOKEN, OTHER)
    assert ask(f"secretsmanager:{garbage}", "three").code == 2


def test_a_secret_with_several_credentials_is_taken_apart(house: House, ask: Ask, aws_url: str) -> None:
    secrets, name = boto(aws_url, "secretsmanager"), fresh_name("all")
    entries = {"github": TOKEN, "hook": {"secret": OTHER}, "other": {"token": OTHER}}
    secrets.create_secret(Name=name, SecretString=json.dumps(entries))
    assert ask(f"secretsmanager:{name}", "github", "shop_hook=hook", "--each").code == 0
    assert {key: each["type"] for key, each in listed(house).items()} == {"github": "bearer", "shop_hook": "secret"}
    assert ask(f"secretsmanager:{name}", "--each", "--replace").code == 0
    assert set(listed(house)) == {"github", "hook", "other", "shop_hook"}


def test_parameters_of_ssm_are_taken_one_by_one_and_by_their_path(house: House, ask: Ask, aws_url: str) -> None:
    ssm, path = boto(aws_url, "ssm"), f"/{fresh_name('penstock')}"
    for number in range(12):  # more than a page
        ssm.put_parameter(Name=f"{path}/deep/key{number:02}", Value=f"{TOKEN}{number:02}", Type="SecureString")
    ssm.put_parameter(Name=f"{path}/Hook-Secret", Value=json.dumps({"secret": OTHER}), Type="SecureString")
    assert ask(f"ssm:{path}/Hook-Secret").code == 0
    assert set(listed(house)) == {"hook_secret"}
    assert opened(house, "hook_secret")["secret"] == OTHER
    said = ask(f"ssm:{path}/", "--json")
    assert said.code == 0
    assert len(said.json) == 13
    assert opened(house, "key11")["token"] == f"{TOKEN}11"
    assert ask(f"ssm:{path}", "mine=key03").code == 0
    assert opened(house, "mine")["token"] == f"{TOKEN}03"


def test_what_aws_does_not_have_or_refuses_is_told_in_its_words(ask: Ask) -> None:
    said = ask("secretsmanager:nowhere")
    assert said.code == 2
    assert "AWS does not have it" in said.err
    assert "no parameter /nowhere" in ask("ssm:/nowhere").err
    unreachable = ask("ssm:/x", AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert unreachable.code == 3
    assert "AWS cannot be asked" in unreachable.err
