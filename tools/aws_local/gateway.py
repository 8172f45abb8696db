"""Makes moto accept what `chalice deploy` and our provisioning send."""

import copy
import json
import uuid
from typing import Any


def patch() -> None:
    """Patch moto once, before its server is made."""
    _take_swagger()
    _deploy_websockets()
    _find_layers_by_arn()
    _keep_recursion_settings()


def _normalised(document: dict[str, Any]) -> dict[str, Any]:
    """A Swagger 2.0 document as moto's importer wants it: it takes OpenAPI 3 alone, and trips over absent fields."""
    document = copy.deepcopy(document)
    if document.pop("swagger", None) is not None:
        document["openapi"] = "3.0.1"
    document.setdefault("info", {}).setdefault("description", "")
    paths: dict[str, dict[str, Any]] = document.get("paths", {})
    for methods in paths.values():
        for method in methods.values():
            integration = method.get("x-amazon-apigateway-integration") if hasattr(method, "get") else None
            if integration is not None:  # a CORS preflight has neither
                integration.setdefault("uri", "")
                integration.setdefault("httpMethod", "POST")
    return document


def _take_swagger() -> None:
    from moto.apigateway.models import APIGatewayBackend

    import_api, put_api = APIGatewayBackend.import_rest_api, APIGatewayBackend.put_rest_api

    def import_rest_api(self: Any, api_doc: dict[str, Any], fail_on_warnings: bool) -> Any:  # noqa: FBT001
        return import_api(self, _normalised(api_doc), fail_on_warnings)

    def put_rest_api(
        self: Any,
        function_id: str,
        api_doc: dict[str, Any],
        fail_on_warnings: bool,  # noqa: FBT001
        mode: str = "merge",
    ) -> Any:
        return put_api(self, function_id, _normalised(api_doc), fail_on_warnings, mode)

    _set(APIGatewayBackend, import_rest_api=import_rest_api, put_rest_api=put_rest_api)


def _deploy_websockets() -> None:
    from moto.apigatewayv2 import urls
    from moto.apigatewayv2.responses import ApiGatewayV2Response

    def create_deployment(self: Any) -> Any:
        self.apigatewayv2_backend.get_api(self.path.split("/")[-2])  # answers 404 for an API that does not exist
        deployment = {"deploymentId": uuid.uuid4().hex[:6], "deploymentStatus": "DEPLOYED", "autoDeployed": False}
        return 201, {}, json.dumps(deployment)

    _set(ApiGatewayV2Response, create_deployment=create_deployment)
    paths: dict[str, Any] = urls.url_paths
    paths["{0}/v2/apis/(?P<api_id>[^/]+)/deployments$"] = ApiGatewayV2Response.dispatch


def _find_layers_by_arn() -> None:
    from moto.awslambda.responses import LambdaResponse

    def get_layer_version_by_arn(self: Any) -> str:
        name, version = self.querystring["Arn"][0].split(":")[-2:]
        return json.dumps(self.backend.get_layer_version(name, version).get_layer_version())

    _set(LambdaResponse, get_layer_version_by_arn=get_layer_version_by_arn)


def _keep_recursion_settings() -> None:
    from moto.awslambda import urls
    from moto.awslambda.responses import LambdaResponse

    settings: dict[str, str] = {}

    def function_arn(self: Any) -> str:
        return self.backend.get_function(self.path.rstrip("/").split("/")[-2]).function_arn

    def put_function_recursion_config(self: Any) -> Any:
        settings[function_arn(self)] = json.loads(self.body)["RecursiveLoop"]
        return get_function_recursion_config(self)

    def get_function_recursion_config(self: Any) -> Any:
        return 200, {}, json.dumps({"RecursiveLoop": settings.get(function_arn(self), "Terminate")})

    _set(
        LambdaResponse,
        put_function_recursion_config=put_function_recursion_config,
        get_function_recursion_config=get_function_recursion_config,
    )
    paths: dict[str, Any] = urls.url_paths
    paths[r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/recursion-config/?$"] = (
        LambdaResponse.dispatch
    )


def _set(owner: Any, **methods: Any) -> None:
    for name, method in methods.items():
        setattr(owner, name, method)
