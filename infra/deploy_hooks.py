"""What `chalice deploy` lacks, put into it from its first call on; `app.py` imports it inside Chalice's command alone.

So that plain `chalice deploy --stage dev` is right, also without our command line:

- the queues' mappings have `ReportBatchItemFailures` from its first second; set afterwards, the batches in between lose
  every message that failed (aws/chalice issue 2029);
- `vendor/` is built when it is missing or stale; a package without a wheel ends the deployment (Chalice would go on);
- the package holds our bytecode, and neither `__pycache__` nor the command line (`infra/packaging.py`);
- the functions' policies name this account and this region alone (`infra/policies.py`);
- secrets go from the caller's environment into the functions' that need them, and into no file;
- the gateway's own errors are problem+json as ours are.

Chalice has no public hooks, so this replaces seven of its methods by name; `tests/infra` deploys with them, and
pyproject.toml keeps Chalice below the next major version.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chalicelib.adapters.aws.names import Names
from chalicelib.adapters.egress import policy_for_flows, words
from chalicelib.api.gate import OIDC
from chalicelib.api.tokens import issuer_from
from chalicelib.api.watch import SETTINGS as WATCH
from chalicelib.api.watch import watch_from
from chalicelib.errors import PenstockError, SettingError
from infra import packaging, policies, vendor

_MAPPING_CALLS = frozenset({"create_event_source_mapping", "update_event_source_mapping"})
_FUNCTION_CALLS = frozenset({"create_function", "update_function_configuration"})
_BUILDING_COMMANDS = frozenset({"deploy", "package"})

CREDENTIAL = "PENSTOCK_CREDENTIAL_"
_ONLY_API = frozenset({"PENSTOCK_ADMIN_KEY_HASH", "PENSTOCK_VARS", OIDC, *WATCH})
_EVERYWHERE = frozenset(
    {"PENSTOCK_URL", "PENSTOCK_ALLOW_PRIVATE", "PENSTOCK_ALLOW_OWN", "PENSTOCK_ONLY_HOSTS", "PENSTOCK_LOG"}
)
_MOST_ENVIRONMENT_BYTES = 4096
"""Lambda quotas, "Environment variables": 4 KB, all of them together."""


class DeployError(PenstockError):
    """The deployment cannot go on; the message says what to do."""

    code = "deploy_failed"


def install(folder: str) -> None:
    """Put everything into Chalice's own classes; called once, before Chalice makes its clients."""
    project = Path(folder).resolve()
    from chalice import awsclient, config
    from chalice.deploy import deployer, packager

    sys.dont_write_bytecode = True  # else what is imported now leaves __pycache__ folders while they are packaged
    target = vendor.target_of(os.environ)
    _set(config.Config, lambda_architecture=property(lambda _: target.machine))
    _package_our_way(packager.BaseLambdaDeploymentPackager, project)
    _complete_calls(awsclient.TypedAWSClient, os.environ)
    _explain_gateway_errors(awsclient.TypedAWSClient)
    _make_policies_exact(awsclient.TypedAWSClient)
    if _command() == "package":
        _leave_policies_to_cloudformation(deployer.PolicyGenerator)
    if _command() in _BUILDING_COMMANDS:
        try:
            vendor.build_if_stale(project, target, _say)
        except vendor.VendorError as error:
            _say(f"Nothing was deployed. {error}")
            raise SystemExit(2) from error


def environment_for(
    function: str, stage: str, caller: Mapping[str, str], present: Mapping[str, str], account: str
) -> dict[str, str]:
    """What a function's environment holds besides config.json's: where it lives, settings, and secrets it may know.

    A secret that the caller's environment does not name stays as it was, so that whoever deploys need not know it; an
    empty one removes it.

    Args:
        function: its name on AWS.
        stage: the stage it belongs to.
        caller: the environment of whoever deploys.
        present: the function's environment as it is now; empty for a new one.
        account: the AWS account's number.

    Raises:
        DeployError: a setting of what flows may call, or of whose tokens count, cannot be read.
    """
    names = Names.of(stage, account, "")
    wanted = set(_EVERYWHERE)
    if function == names.function("api"):
        wanted |= _ONLY_API
    # They run steps: dead letters too, those of an execution's `on_failure`.
    has_credentials = function in {names.function(name) for name in ("api", "worker", "dead")}
    found = {
        name: value
        for name, value in {**present, **caller}.items()
        if value and (name in wanted or (has_credentials and name.startswith(CREDENTIAL)))
    }
    check_settings(found)
    check_issuer(found)
    return {"PENSTOCK_ACCOUNT": account, **found}


def check_settings(variables: Mapping[str, str]) -> None:
    """Refuse settings of what flows may call, and of rates and the audit log, that no function could start with.

    Raises:
        DeployError: a setting cannot be read; the message names it.
    """
    try:
        watch_from(variables)
        policy_for_flows(
            variables, (variables.get("PENSTOCK_URL", ""),), allow=words(variables.get("PENSTOCK_ALLOW_PRIVATE", ""))
        )
    except SettingError as error:
        raise DeployError(f"{error.detail} Nothing was changed in the function.") from error


def check_issuer(variables: Mapping[str, str]) -> None:
    """Refuse a description of an issuer that the API could not start with.

    Raises:
        DeployError: it cannot be read; the message names what is wrong.
    """
    if variables.get(OIDC):
        try:
            issuer_from(variables[OIDC])
        except SettingError as error:
            raise DeployError(f"{error.detail} Nothing was changed in the function.") from error


def problem_responses() -> dict[str, Any]:
    """API Gateway's own refusals (403, 413, 429, 504 ...) in the shape of ours, as its Swagger extension says them."""
    template: dict[str, Any] = {
        "type": "urn:penstock:error:gateway",
        "title": "The gateway refused the request",
        "status": 0,
        "detail": "AWS API Gateway answered before Penstock did: $context.error.responseType",
        "code": "gateway",
        "errors": [],
    }

    def response(status: int) -> dict[str, Any]:
        return {
            "responseParameters": {"gatewayresponse.header.content-type": "'application/problem+json'"},
            "responseTemplates": {"application/json": json.dumps({**template, "status": status})},
        }

    named = {
        "ACCESS_DENIED": 403,
        "INTEGRATION_FAILURE": 504,
        "INTEGRATION_TIMEOUT": 504,
        "MISSING_AUTHENTICATION_TOKEN": 403,
        "QUOTA_EXCEEDED": 429,
        "REQUEST_TOO_LARGE": 413,
        "THROTTLED": 429,
        "UNSUPPORTED_MEDIA_TYPE": 415,
        "WAF_FILTERED": 403,
    }
    others = {"DEFAULT_4XX": 400, "DEFAULT_5XX": 500}
    return {name: {"statusCode": str(status), **response(status)} for name, status in named.items()} | {
        name: response(status) for name, status in others.items()
    }


def _package_our_way(packager: Any, project: Path) -> None:
    find: Callable[..., Iterator[tuple[str, str]]] = packager._iter_app_filenames  # noqa: SLF001  no public place

    def iter_app_filenames(self: Any, project_dir: str) -> Iterator[tuple[str, str]]:
        return packaging.packaged(project, find(self, project_dir))

    _set(packager, _iter_app_filenames=iter_app_filenames)


def _complete_calls(client: Any, caller: Mapping[str, str]) -> None:
    ask: Callable[..., Any] = client._call_client_method_with_retries  # noqa: SLF001  no public place

    def call(self: Any, method: Any, kwargs: dict[str, Any], *args: Any, **named: Any) -> Any:
        name = getattr(method, "__name__", "")
        if name in _MAPPING_CALLS:
            kwargs = {**kwargs, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
        elif name in _FUNCTION_CALLS:
            kwargs = {**kwargs, "Environment": {"Variables": _variables(self, name, kwargs, caller)}}
        return ask(self, method, kwargs, *args, **named)

    _set(client, _call_client_method_with_retries=call)


def _variables(client: Any, name: str, kwargs: Mapping[str, Any], caller: Mapping[str, str]) -> dict[str, str]:
    function: str = kwargs["FunctionName"].rpartition(":")[2]
    given: dict[str, dict[str, str]] = kwargs.get("Environment") or {}
    variables = dict(given.get("Variables") or {})
    present: dict[str, str] = {}
    if name == "update_function_configuration":
        found = client._client("lambda").get_function_configuration(FunctionName=function)  # noqa: SLF001
        present = found.get("Environment", {}).get("Variables", {})
    account: str = client._client("sts").get_caller_identity()["Account"]  # noqa: SLF001
    variables |= environment_for(function, variables["PENSTOCK_STAGE"], caller, present, account)
    size = sum(len(key.encode()) + len(value.encode()) for key, value in variables.items())
    if size > _MOST_ENVIRONMENT_BYTES:
        raise DeployError(
            f"The environment of {function} has {size:,} bytes; Lambda takes {_MOST_ENVIRONMENT_BYTES:,}. "
            "Deploy with fewer or shorter PENSTOCK_CREDENTIAL_ variables."
        )
    return variables


def _explain_gateway_errors(client: Any) -> None:
    importing: Callable[..., Any] = client.import_rest_api
    updating: Callable[..., Any] = client.update_api_from_swagger

    def explained(document: Mapping[str, Any]) -> dict[str, Any]:
        return {**document, "x-amazon-apigateway-gateway-responses": problem_responses()}

    def import_rest_api(self: Any, swagger_document: Any, endpoint_type: str) -> Any:
        return importing(self, explained(swagger_document), endpoint_type)

    def update_api_from_swagger(self: Any, rest_api_id: str, swagger_document: Any) -> Any:
        return updating(self, rest_api_id, explained(swagger_document))

    _set(client, import_rest_api=import_rest_api, update_api_from_swagger=update_api_from_swagger)


def _make_policies_exact(client: Any) -> None:
    put: Callable[..., None] = client.put_role_policy

    def put_role_policy(self: Any, role_name: str, policy_name: str, policy_document: Mapping[str, Any]) -> None:
        account: str = self._client("sts").get_caller_identity()["Account"]
        names = Names("", account, self.region_name)
        put(self, role_name, policy_name, policies.exact(policy_document, names))

    _set(client, put_role_policy=put_role_policy)


def _leave_policies_to_cloudformation(generator: Any) -> None:
    read: Callable[..., dict[str, Any]] = generator._read_document_from_file  # noqa: SLF001  no public place

    def read_document(self: Any, filename: str) -> Any:
        return policies.for_cloudformation(read(self, filename))

    _set(generator, _read_document_from_file=read_document)


def _command() -> str:
    import click

    context = click.get_current_context(silent=True)
    return (context.info_name or "") if context is not None else ""


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _set(owner: Any, **members: Any) -> None:
    for name, member in members.items():
        setattr(owner, name, member)
