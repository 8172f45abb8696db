"""What a cold start imports for a hook, against `import boto3` with a DynamoDB client. `make bench`.

One process takes one verified, accepted delivery with `inputs` through the real `app.py`, out of what is packaged, and
says what is in `sys.modules` afterwards. Then fresh processes import just that, and others boto3 with a client; both
from folders with bytecode, with nothing else on the path (`-I -S`), in turns; the least CPU time of each counts.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from chalicelib.cloud.precompiled import FILE
from infra import packaging, vendor
from tools.aws_local_world import gateway_event, machine

ROOT = Path(__file__).parent.parent
ROUNDS = 11
# An expression that needs the engine of expressions, and one that is a plain path.
FLOW = b"""
flow: intake
inputs: {total: {type: number}, who: {type: string}}
triggers:
  placed:
    uses: webhook
    verify: {scheme: github, credential: shop_hook}
    inputs: {total: "${ $number(trigger.body.total) }", who: "${ trigger.body.who }"}
steps:
  greeting: {uses: set, with: {text: "Hello ${ inputs.who }, ${ inputs.total }"}}
"""
SECRET = "a-secret-for-the-measurement"  # noqa: S105  nothing but this program knows it
_BOTO = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")

_TAKE_ONE = """
import json, sys
before = set(sys.modules)
import app
answer = app.app(json.loads(sys.stdin.read()), None)
print(json.dumps({"status": answer["statusCode"], "modules": [m for m in sys.modules if m not in before]}))
"""
_IMPORT_ALL = """
import sys, time
names = sys.argv[1].split(",")
start = time.process_time()
import app
for name in names:
    if name not in sys.modules:
        __import__(name)
print(time.process_time() - start)
"""
_BOTO_CLIENT = """
import time
start = time.process_time()
import boto3
boto3.client("dynamodb")
print(time.process_time() - start)
"""


def measure() -> tuple[float, float]:
    """Seconds of CPU time: what the hook route imports, and boto3 with a client."""
    vendor.build_if_stale(ROOT, vendor.target_of({"PENSTOCK_ARCHITECTURE": machine()}), _say)
    with tempfile.TemporaryDirectory(prefix="penstock-imports-") as scratch:
        code, boto = unpack(Path(scratch) / "code"), _unpack_boto(Path(scratch) / "boto")
        names = hook_modules(code)
        ours, floor = list[float](), list[float]()
        # On Lambda the two lie in one folder.
        shutil.copyfile(ROOT / vendor.FOLDER / FILE, code / FILE)
        for _ in range(ROUNDS):
            ours.append(float(_python([code, ROOT / "vendor"], _IMPORT_ALL, ",".join(names))))
            floor.append(float(_python([boto], _BOTO_CLIENT)))
    return min(ours), min(floor)


def unpack(folder: Path) -> Path:
    """Our own part of the package, as it lies on Lambda; the other part is `vendor/`."""
    from chalice import app

    found = [("app.py", "app.py")]
    found += [(str(path.relative_to(ROOT)), str(path.relative_to(ROOT))) for path in (ROOT / "chalicelib").rglob("*")]
    chalice = Path(app.__file__).parent
    found += [(str(chalice / name), f"chalice/{name}") for name in ("__init__.py", "app.py")]
    files = ((str(ROOT / source), place) for source, place in found if (ROOT / source).is_file())
    for source, place in packaging.packaged(ROOT, files):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / place)
    return folder


def hook_modules(code: Path) -> list[str]:
    """Every module that one accepted delivery leaves in `sys.modules`, in the order of their import."""
    with _cloud() as url:
        variables = _variables(url)
        asyncio.run(_publish(variables))
        body = json.dumps({"total": "12.5", "who": "Ada"}).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-github-delivery": "d-1", "x-hub-signature-256": signature}
        event = gateway_event("POST", "/hooks/intake/placed", body, headers)
        said = _python([code, ROOT / "vendor"], _TAKE_ONE, given=json.dumps(event), variables=variables)
    found = json.loads(said)
    if found["status"] != 202:
        raise RuntimeError(f"the delivery was answered {found['status']}, not accepted")
    # The stub speaks http, AWS does not; finding the list of authorities takes one module more (`adapters/http.py`).
    return [*found["modules"], "importlib.util"]


async def _publish(variables: dict[str, str]) -> None:
    from chalicelib.api.request import Request
    from chalicelib.wiring_aws import on_aws

    house = await on_aws(variables)
    headers = {"authorization": "Bearer a-key-for-the-measurement", "content-type": "application/yaml"}
    answer = await house.api(Request("PUT", "/api/v1/flows/intake", (), headers, FLOW, 0, raw_headers=()))
    await house.forget_connections()
    if answer.status != 201:
        raise RuntimeError(f"the flow was not published: {answer.body.decode()}")


def _variables(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_LAMBDA_FUNCTION_NAME": "penstock-bench",
        "PENSTOCK_STAGE": "bench",
        "PENSTOCK_ACCOUNT": "123456789012",
        "PENSTOCK_ADMIN_KEY_HASH": hashlib.sha256(b"a-key-for-the-measurement").hexdigest(),
        "PENSTOCK_CREDENTIAL_SHOP_HOOK": json.dumps({"secret": SECRET}),
    }


def _unpack_boto(folder: Path) -> Path:
    """boto3 and what it needs, compiled as `vendor/` is; its descriptions of services stay where they are."""
    for name in _BOTO:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"{name} is not installed")
        source = Path(spec.origin)
        if source.name != "__init__.py":
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / source.name)
            continue
        shutil.copytree(source.parent, folder / name, ignore=shutil.ignore_patterns("data", "__pycache__"))
        if (source.parent / "data").is_dir():
            (folder / name / "data").symlink_to(source.parent / "data")
    vendor.compile_tree(folder, "/var/runtime")
    return folder


def _python(
    path: list[Path], program: str, *arguments: str, given: str = "", variables: dict[str, str] | None = None
) -> str:
    start = f"import sys\nsys.path[:0] = {[str(each) for each in path]!r}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + program, *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "eu-central-1", **(variables or {})},
    )
    if done.returncode != 0:
        raise RuntimeError(f"the measured program failed:\n{done.stderr[-3000:]}")
    return done.stdout.strip().splitlines()[-1]


@contextmanager
def _cloud() -> Generator[str]:
    """A table that keeps what is put, a queue that takes everything, on loopback; just enough of either."""
    items: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        """Answers DynamoDB's and SQS's JSON protocols."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer one call."""
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer: dict[str, Any] = {}
            match self.headers["x-amz-target"].rpartition(".")[2]:
                case "PutItem":
                    items[_place(asked["Item"])] = asked["Item"]
                case "GetItem" if _place(asked["Key"]) in items:
                    answer = {"Item": items[_place(asked["Key"])]}
                case "SendMessage":
                    answer = {"MessageId": "1"}
                case _:
                    pass
            body = json.dumps(answer).encode() if self.path == "/" else b'{"Schedules": []}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            """There are no schedules."""
            body = b'{"Schedules": []}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="cloud", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _place(item: dict[str, Any]) -> str:
    return f"{item['pk']['S']} {item['sk']['S']}"


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def main() -> int:
    """Print the ratio; with `--modules`, what is imported instead."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--modules", action="store_true", help="list what the hook route imports, in order")
    if parser.parse_args().modules:
        with tempfile.TemporaryDirectory(prefix="penstock-imports-") as scratch:
            print("\n".join(hook_modules(unpack(Path(scratch)))))
        return 0
    ours, floor = measure()
    print(
        f"hook route {ours * 1000:.0f} ms, boto3 with a client {floor * 1000:.0f} ms: {ours / floor:.2f} (at most 0.75)"
    )
    return 0 if ours <= 0.75 * floor else 1


if __name__ == "__main__":
    sys.exit(main())
