"""What is put into `chalice deploy`: the functions' environment, the mapping, the gateway's errors."""

import json
from inspect import signature

import pytest

from chalicelib.adapters.aws.names import Names
from infra.deploy_hooks import (
    DeployError,
    _complete_calls,
    _explain_gateway_errors,
    _leave_policies_to_cloudformation,
    _make_policies_exact,
    environment_for,
    problem_responses,
)
from infra.policies import PolicyError
from tests.aws_server import REGION, fresh_name
from tests.infra.here import on, session
from tests.infra.permissions import ROOT, deployed

ACCOUNT = "123456789012"
CALLER = {
    "PENSTOCK_CREDENTIAL_SLACK": '{"token": "t"}',
    "PENSTOCK_ADMIN_KEY_HASH": "a" * 64,
    "PENSTOCK_KEY": "the key itself",
    "PENSTOCK_ALLOW_PRIVATE": "10.0.0.0/8",
    "AWS_SECRET_ACCESS_KEY": "the deployer's own",
    "HOME": "/home/ada",
}


def given(function, caller=CALLER, present=None):
    return environment_for(function, "dev", caller, present or {}, ACCOUNT)


def test_the_api_gets_credentials_and_the_admin_keys_hash():
    assert given("penstock-dev") == {
        "PENSTOCK_ACCOUNT": ACCOUNT,
        "PENSTOCK_CREDENTIAL_SLACK": '{"token": "t"}',
        "PENSTOCK_ADMIN_KEY_HASH": "a" * 64,
        "PENSTOCK_ALLOW_PRIVATE": "10.0.0.0/8",
    }


def test_the_worker_gets_credentials_and_no_key():
    assert set(given("penstock-dev-worker")) == {
        "PENSTOCK_ACCOUNT",
        "PENSTOCK_CREDENTIAL_SLACK",
        "PENSTOCK_ALLOW_PRIVATE",
    }


ISSUER = '{"issuer": "https://id.example", "audience": "us", "claim": "role", "roles": {"boss": "admin"}}'


def test_the_api_alone_gets_the_issuer_whose_tokens_count():
    for function in ("penstock-dev-worker", "penstock-dev-dead", "penstock-dev-tick", "penstock-dev-sweep"):
        assert "PENSTOCK_OIDC" not in given(function, {"PENSTOCK_OIDC": ISSUER})
    assert given("penstock-dev", {"PENSTOCK_OIDC": ISSUER})["PENSTOCK_OIDC"] == ISSUER


@pytest.mark.parametrize("wrong", ["x", "{}", ISSUER.replace("https", "http"), ISSUER.replace("admin", "owner")])
def test_an_issuer_that_the_api_could_not_start_with_is_not_deployed(wrong):
    with pytest.raises(DeployError, match="PENSTOCK_OIDC"):
        given("penstock-dev", {"PENSTOCK_OIDC": wrong})


def test_every_function_gets_the_settings_of_what_flows_may_call():
    settings = {"PENSTOCK_ONLY_HOSTS": "api.example.com,*.hooks.example", "PENSTOCK_ALLOW_OWN": "1"}
    for function in ("penstock-dev", "penstock-dev-worker", "penstock-dev-dead"):
        assert given(function, settings) == {"PENSTOCK_ACCOUNT": ACCOUNT, **settings}
        assert "PENSTOCK_ONLY_HOSTS" not in given(function, {"PENSTOCK_ONLY_HOSTS": ""}, settings)


def test_only_who_answers_callers_gets_the_settings_of_rates_and_the_audit_log():
    settings = {
        "PENSTOCK_HOOK_RATE": "100/minute",
        "PENSTOCK_TRUSTED_PROXIES": "10.0.0.0/8",
        "PENSTOCK_AUDIT_DAYS": "90",
    }
    assert given("penstock-dev", settings) == {"PENSTOCK_ACCOUNT": ACCOUNT, **settings}
    assert given("penstock-dev-worker", settings) == {"PENSTOCK_ACCOUNT": ACCOUNT}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PENSTOCK_ONLY_HOSTS", "https://api.example.com"),
        ("PENSTOCK_ONLY_HOSTS", " , "),
        ("PENSTOCK_ALLOW_PRIVATE", "the office"),
        ("PENSTOCK_ALLOW_OWN", "perhaps"),
        ("PENSTOCK_URL", "flows.example"),
    ],
)
def test_a_setting_that_no_function_could_start_with_is_not_deployed(name, value):
    with pytest.raises(DeployError, match="flows.example" if name == "PENSTOCK_URL" else name):
        given("penstock-dev-worker", {name: value})


def test_who_buries_dead_letters_runs_steps_as_the_worker_does():
    assert given("penstock-dev-dead") == given("penstock-dev-worker")


@pytest.mark.parametrize("function", ["tick", "sweep"])
def test_who_runs_no_step_gets_no_secret_at_all(function):
    assert set(given(f"penstock-dev-{function}")) == {"PENSTOCK_ACCOUNT", "PENSTOCK_ALLOW_PRIVATE"}


def test_what_is_not_named_again_stays_as_it_was():
    present = {"PENSTOCK_CREDENTIAL_SLACK": "old", "PENSTOCK_CREDENTIAL_SHOP": "kept", "SOMETHING": "else"}
    found = given("penstock-dev-worker", present=present)
    assert found["PENSTOCK_CREDENTIAL_SHOP"] == "kept"
    assert found["PENSTOCK_CREDENTIAL_SLACK"] == '{"token": "t"}'
    assert "SOMETHING" not in found


def test_an_empty_one_is_removed():
    present = {"PENSTOCK_CREDENTIAL_SLACK": "old"}
    assert "PENSTOCK_CREDENTIAL_SLACK" not in given("penstock-dev-worker", {"PENSTOCK_CREDENTIAL_SLACK": ""}, present)


class Functions:
    """Stands for Lambda's client: what a function's environment is now."""

    def __init__(self, variables):
        self._variables = variables

    def get_function_configuration(self, **_):
        return {"Environment": {"Variables": self._variables}}

    def create_function(self, **kwargs):
        return kwargs

    def update_function_configuration(self, **kwargs):
        return kwargs

    def create_event_source_mapping(self, **kwargs):
        return kwargs

    def update_event_source_mapping(self, **kwargs):
        return kwargs

    def add_permission(self, **kwargs):
        return kwargs


class Identity:
    """Stands for STS's client."""

    def get_caller_identity(self):
        return {"Account": ACCOUNT}


def chalice(caller=CALLER, present=None):
    """A client like Chalice's, completed."""

    class Client:
        def __init__(self):
            self.functions = Functions(present or {})

        def _client(self, service):
            return {"lambda": self.functions, "sts": Identity()}[service]

        def _call_client_method_with_retries(self, method, kwargs, max_attempts, should_retry=None):
            return method(**kwargs)

        def ask(self, name, **kwargs):
            return self._call_client_method_with_retries(getattr(self.functions, name), kwargs, max_attempts=3)

        region_name = "eu-west-3"

        def put_role_policy(self, role_name, policy_name, policy_document):
            self.put = policy_document

        def import_rest_api(self, swagger_document, endpoint_type):
            return swagger_document

        def update_api_from_swagger(self, rest_api_id, swagger_document):
            return swagger_document

    _complete_calls(Client, caller)
    _explain_gateway_errors(Client)
    _make_policies_exact(Client)
    return Client()


def test_a_roles_policy_names_the_account_and_the_region_that_are_deployed_to():
    client = chalice()
    place = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:penstock-dev-jobs"
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": place}],
    }
    client.put_role_policy(role_name="r", policy_name="r", policy_document=document)
    (statement,) = client.put["Statement"]
    assert statement["Resource"] == f"arn:aws:sqs:eu-west-3:{ACCOUNT}:penstock-dev-jobs"
    assert document["Statement"][0]["Resource"] == place, "what Chalice read stays as it was"


def test_chalices_own_client_puts_the_exact_policy_when_it_makes_a_role(aws_url):
    from botocore.session import Session
    from chalice.awsclient import TypedAWSClient

    class Completed(TypedAWSClient):
        """Chalice's own, and not the one that other tests use."""

    _make_policies_exact(Completed)
    document = json.loads((ROOT / ".chalice" / "policy-api-dev.json").read_text("utf-8"))
    name = fresh_name("role")
    with on(aws_url):
        Completed(Session()).create_role(name, {"Version": "2012-10-17", "Statement": []}, document)
        put = session().client("iam").get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"]
    assert "${" not in json.dumps(put)
    assert put["Statement"] == deployed("api", Names.of("dev", ACCOUNT, REGION))


def test_a_policy_with_a_place_that_nobody_knows_is_not_put():
    client = chalice()
    with pytest.raises(PolicyError, match="AWS::StackId"):
        client.put_role_policy("r", "r", {"Statement": [{"Resource": "${AWS::StackId}"}]})
    assert not hasattr(client, "put")


def test_a_policy_of_somebodys_own_stays_word_for_word():
    client = chalice()
    own = {
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/${aws:username}"}]
    }
    client.put_role_policy("r", "r", own)
    assert client.put == own


def test_a_package_leaves_the_places_to_cloudformation():
    class Generator:
        """Reads policies as Chalice's own does."""

        def _read_document_from_file(self, filename):
            return {"Statement": [{"Action": "sqs:SendMessage", "Resource": ["arn:aws:sqs:${AWS::Region}:x", "*"]}]}

    _leave_policies_to_cloudformation(Generator)
    (statement,) = Generator()._read_document_from_file("policy.json")["Statement"]
    assert statement["Resource"] == [{"Fn::Sub": "arn:aws:sqs:${AWS::Region}:x"}, "*"]


def test_what_is_replaced_in_chalice_is_there_under_these_names():
    from chalice import awsclient
    from chalice.deploy import deployer, packager

    client = awsclient.TypedAWSClient
    assert callable(client._call_client_method_with_retries)
    assert callable(packager.BaseLambdaDeploymentPackager._iter_app_filenames)
    assert list(signature(client.put_role_policy).parameters)[1:] == ["role_name", "policy_name", "policy_document"]
    assert list(signature(deployer.PolicyGenerator._read_document_from_file).parameters)[1:] == ["filename"]
    assert isinstance(client.region_name, property)


@pytest.mark.parametrize("name", ["create_event_source_mapping", "update_event_source_mapping"])
def test_a_mapping_reports_batch_item_failures_from_its_first_second(name):
    assert chalice().ask(name, BatchSize=10) == {
        "BatchSize": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }


def test_other_calls_are_left_alone():
    assert chalice().ask("add_permission", FunctionName="f") == {"FunctionName": "f"}


def test_a_new_function_gets_its_environment():
    variables = {"PENSTOCK_STAGE": "dev"}
    made = chalice().ask("create_function", FunctionName="penstock-dev", Environment={"Variables": variables})
    assert made["Environment"]["Variables"] == {**variables, **given("penstock-dev")}
    assert variables == {"PENSTOCK_STAGE": "dev"}, "what Chalice remembers of it, and writes down, holds no secret"


def test_an_updated_function_keeps_the_secrets_it_has():
    client = chalice(caller={}, present={"PENSTOCK_CREDENTIAL_SHOP": "kept"})
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:penstock-dev-worker"
    made = client.ask(
        "update_function_configuration", FunctionName=arn, Environment={"Variables": {"PENSTOCK_STAGE": "dev"}}
    )
    assert made["Environment"]["Variables"]["PENSTOCK_CREDENTIAL_SHOP"] == "kept"


def test_an_environment_over_lambdas_limit_is_refused_without_saying_what_is_in_it():
    client = chalice(caller={"PENSTOCK_CREDENTIAL_LONG": "x" * 5000})
    with pytest.raises(DeployError, match=r"takes 4,096") as caught:
        client.ask("create_function", FunctionName="penstock-dev", Environment={"Variables": {"PENSTOCK_STAGE": "dev"}})
    assert "xxx" not in str(caught.value)


def test_the_gateways_own_errors_are_problems_in_a_new_api_and_in_an_updated_one():
    document = {"swagger": "2.0"}
    client = chalice()
    for given_document in (
        client.import_rest_api(document, "REGIONAL"),
        client.update_api_from_swagger("id", document),
    ):
        assert given_document["x-amazon-apigateway-gateway-responses"] == problem_responses()
    assert document == {"swagger": "2.0"}


@pytest.mark.parametrize(
    ("name", "status"), [("THROTTLED", 429), ("REQUEST_TOO_LARGE", 413), ("INTEGRATION_TIMEOUT", 504)]
)
def test_a_gateway_error_has_every_member_of_ours(name, status):
    response = problem_responses()[name]
    assert response["statusCode"] == str(status)
    assert response["responseParameters"] == {"gatewayresponse.header.content-type": "'application/problem+json'"}
    body = json.loads(response["responseTemplates"]["application/json"])
    assert body["status"] == status
    assert set(body) == {"type", "title", "status", "detail", "code", "errors"}


@pytest.mark.parametrize(("name", "value"), [("PENSTOCK_KEY_RATE", "many"), ("PENSTOCK_AUDIT_DAYS", "0")])
def test_a_rate_that_is_none_is_not_deployed(name, value):
    with pytest.raises(DeployError, match=name):
        given("penstock-dev", {name: value})
