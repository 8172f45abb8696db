"""What the local AWS story stands on: a copy of the project, a local AWS, a stub that flows call, gateway events."""

import base64
import contextlib
import hashlib
import json
import os
import platform
import shutil
import threading
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chalicelib.adapters.aws.names import Names
from tools.aws_local import esm, rules
from tools.aws_local.server import make_server

REGION = "eu-central-1"
ADMIN_KEY = "an-admin-key-for-the-local-story"
HOOK_SECRET = "a-webhook-secret-for-the-local-story"  # noqa: S105  nothing but this story knows it


@dataclass(slots=True)
class Stub:
    """A service that flows call: it counts requests by path, and answers each with its path as JSON."""

    url: str
    requests: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True, slots=True)
class Reply:
    """What the deployed front door answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass(slots=True)
class World:
    """One local AWS, one copy of the project, and what a caller's environment holds."""

    names: Names
    project: Path
    session: Any
    stub: Stub
    environment: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client; the endpoint comes from the environment."""
        return self.session.client(service)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a deployed function and return what it returned; AssertionError where it raised."""
        answer = self.client("lambda").invoke(
            FunctionName=self.names.function(function), LogType="Tail", Payload=json.dumps(event).encode()
        )
        payload = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            logs = base64.b64decode(answer.get("LogResult", "")).decode("utf-8", "replace")
            raise AssertionError(f"{self.names.function(function)} failed: {payload}\n{logs}")
        return json.loads(payload)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """Send the deployed front door a request, as the gateway would."""
        given = self.invoke("api", gateway_event(method, path, body, headers or {}))
        return Reply(given["statusCode"], base64.b64decode(given["body"]))

    def ask_as_admin(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> Reply:
        """The same with the admin's key."""
        return self.ask(method, path, body, {"authorization": f"Bearer {ADMIN_KEY}", "content-type": kind})

    def deliver(self) -> int:
        """Hand every queued message to the function that its mapping names; returns how many there were."""
        return esm.deliver_all(self.client("sqs"), self.client("lambda"))

    def fire(self) -> int:
        """Let the time of every scheduled rule come; returns how many functions that invoked."""
        return rules.fire(self.client("events"), self.client("lambda"))


def gateway_event(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """An event as API Gateway sends it for a REST API with every media type taken as binary."""
    bare, _, query = path.partition("?")
    values: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        values.setdefault(name, []).append(value)
    return {
        "resource": "/{proxy+}",
        "path": bare,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: given[-1] for name, given in values.items()} or None,
        "multiValueQueryStringParameters": values or None,
        "pathParameters": {"proxy": bare.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": f"/live{bare}",
            "stage": "live",
            "identity": {"sourceIp": "203.0.113.7"},
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


@contextlib.contextmanager
def world(stage: str, root: Path, scratch: Path) -> Generator[World]:
    """A local AWS on loopback with nothing in it, and a project to deploy; both are gone afterwards."""
    project = copy_project(root, scratch / "project")
    aws = make_server(0, region=REGION, delivers=False)
    threading.Thread(target=aws.serve, name="aws", daemon=True).start()
    try:
        with _stub() as stub, _as_caller(_environment(aws.url, stub)) as environment:
            import boto3

            session: Any = boto3.session.Session()
            account = session.client("sts").get_caller_identity()["Account"]
            yield World(Names.of(stage, account, REGION), project, session, stub, environment)
    finally:
        aws.server.shutdown()
        aws.server.server_close()


def copy_project(root: Path, into: Path) -> Path:
    """What a deployment reads, apart from the working tree: it writes beside it, and others may be editing there."""
    for name in ("app.py", "requirements.txt"):
        into.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, into / name)
    without = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "venv")
    for name in ("chalicelib", "infra", ".chalice"):
        shutil.copytree(root / name, into / name, ignore=without)
    (into / "vendor").symlink_to(root / "vendor")
    return into


def machine() -> str:
    """What this machine is called on Lambda: the functions are executed here."""
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


def _environment(url: str, stub: Stub) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PENSTOCK_", "PYTEST_"))}
    return kept | {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        # The functions run on this machine.
        "PENSTOCK_ARCHITECTURE": machine(),
        "PENSTOCK_ADMIN_KEY_HASH": hashlib.sha256(ADMIN_KEY.encode()).hexdigest(),
        "PENSTOCK_CREDENTIAL_SHOP_HOOK": json.dumps({"secret": HOOK_SECRET}),
        "PENSTOCK_CREDENTIAL_STUB": json.dumps({"base_url": stub.url}),
        "PENSTOCK_ALLOW_PRIVATE": "127.0.0.1/32",
    }


@contextlib.contextmanager
def _as_caller(environment: dict[str, str]) -> Generator[dict[str, str]]:
    """This process takes the environment on, as if it had been started with it."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield environment
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _stub() -> Generator[Stub]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        """Answers and counts."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer with the path."""
            self.rfile.read(int(self.headers.get("content-length") or 0))
            with lock:
                stub.requests[self.path] += 1
            body = json.dumps({"path": self.path}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815  the standard library's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub = Stub(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, name="stub", daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
