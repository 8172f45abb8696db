"""`make run`: checks our flows, starts the embedded server, posts a signed order to it, shows what became of it.

The server is `penstock dev` in a process of its own, asked over real HTTP. On a terminal it stays up; without one it is
stopped, and the program ends. The order's secret is made for this run alone and lives in the environment.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from chalicelib.cli.printing import console
from chalicelib.cli.steps import table_of
from chalicelib.local.keys import HASHES, kept_key

ROOT = Path(__file__).parents[1]
STORE = Path(".penstock/store.db")
FLOW = "order-desk"
CREDENTIAL = "PENSTOCK_CREDENTIAL_ORDER_DESK_HOOK"
PORT = 8700
UP_WITHIN_SECONDS = 60.0
_HERE = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback only: no proxy of the environment's."""


def main(store: Path = STORE, *, up_within: float = UP_WITHIN_SECONDS) -> int:
    """Do it all; the exit code says whether it worked. `store` is a path, seen from the project's folder.

    `up_within` (seconds) is how long the server may take to answer.
    """
    os.chdir(ROOT)
    penstock = [sys.executable, "-m", "chalicelib.cli.main"]
    if subprocess.run([*penstock, "check", "--flows", "flows"], check=False).returncode != 0:
        return 2
    secret = secrets.token_bytes(32)
    credential = json.dumps({"secret": "whsec_" + base64.b64encode(secret).decode()})
    environment = {**os.environ, CREDENTIAL: credential}
    environment.pop(HASHES, None)  # so that the server keeps a key of its own, which we can read
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    print()
    server = subprocess.Popen(
        [*penstock, "dev", "--flows", "flows", "--store", str(store), "--port", str(port)], env=environment
    )
    try:
        if not is_up(server, url, store, up_within):
            if server.poll() is None:
                print(f"The server did not answer at {url} within {up_within:.0f} s.", file=sys.stderr)
            return server.poll() or 1
        worked = order(url, secret, store)
        if worked and sys.stdin.isatty() and sys.stdout.isatty():
            print("\nThe server stays up. Change a file in flows/ and it is published again. Ctrl-C stops it.")
            return server.wait()
        return 0 if worked else 1
    except KeyboardInterrupt:
        return 0
    finally:
        stop(server)


def free_port() -> int:
    """The usual port, or any other where that is taken."""
    for port in (PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    return PORT


def is_up(server: "subprocess.Popen[bytes]", url: str, store: Path, within: float) -> bool:
    """Wait until the server answers; False where it ended instead, or did not within so many seconds.

    One that takes the key of our store is ours: another may have been quicker with the port.
    """
    limit = time.monotonic() + within
    while server.poll() is None and time.monotonic() < limit:
        key = kept_key(store.parent)
        asked = urllib.request.Request(f"{url}/api/v1/executions?limit=1", headers={"authorization": f"Bearer {key}"})  # noqa: S310  http, on loopback
        try:
            if key:
                with _HERE.open(asked, timeout=5):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False


def order(url: str, secret: bytes, store: Path) -> bool:
    """Post an order as a shop would, show the execution; whether it succeeded."""
    body = Path(f"flows/{FLOW}.input.json").read_bytes()
    delivery, now = f"msg_{secrets.token_hex(12)}", str(int(time.time()))
    signed = hmac.new(secret, f"{delivery}.{now}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery,
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }
    print(f"\nPOST {url}/hooks/{FLOW}/placed   an order, signed as Standard Webhooks sign", flush=True)
    status, answer = ask(f"{url}/hooks/{FLOW}/placed", headers, body)
    if status != 200:
        print(f"{status} {json.dumps(answer)}", file=sys.stderr)
        return False
    key = {"authorization": f"Bearer {kept_key(store.parent)}"}
    _, page = ask(f"{url}/api/v1/executions?flow={FLOW}&limit=1", key)
    _, execution = ask(f"{url}/api/v1/executions/{page['items'][0]['id']}", key)
    print()
    console(sys.stdout).print(table_of(execution))
    print(f"{status} {json.dumps(answer, indent=2, ensure_ascii=False)}")
    print(
        f"""
Next:
  {shown_command("plan", FLOW)}     what starts at once and what follows
  {shown_command("run", FLOW, "--trigger placed --input flows/order-desk.input.json")}
  {shown_command("executions", "list")}    what this server has run
  {shown_command("nodes", "list")}         what steps can use; docs/nodes/ has a page for each""",
        flush=True,
    )
    return execution["status"] == "succeeded"


def shown_command(*words: str) -> str:
    """A command as it can be typed here."""
    return " ".join([".venv/bin/penstock", *words])


def ask(url: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, Any]:
    """An answer's status and JSON, whatever it is."""
    request = urllib.request.Request(url, body, headers)  # noqa: S310  http, on loopback
    try:
        with _HERE.open(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def stop(server: "subprocess.Popen[bytes]") -> None:
    """Let the server end by itself, and wait for it."""
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
