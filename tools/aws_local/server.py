"""The server: moto with all patches, on loopback."""

import signal
import sys
import threading
from dataclasses import dataclass
from typing import Any

from tools.aws_local import esm, functions, gateway, locks, rules, units


@dataclass(slots=True)
class LocalAws:
    """A local AWS that is ready to serve; `url` is its address."""

    server: Any
    url: str

    def serve(self) -> None:
        """Answer calls until the process is asked to end."""
        self.server.serve_forever()


def make_server(port: int, *, region: str, delivers: bool) -> LocalAws:
    """Patch moto and bind to a loopback port.

    Args:
        port: 0 takes a free one.
        region: where queues and functions are polled when `delivers` is set.
        delivers: hand queue messages to functions in the background, and fire rules; else who tests calls
            `esm.deliver` and `rules.fire`.
    """
    gateway.patch()
    units.patch()
    locks.patch()
    esm.disarm()
    runtime = functions.patch()
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server as make_wsgi_server

    application: Any = DomainDispatcherApplication(create_backend_app)
    server = make_wsgi_server("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler)
    url = f"http://127.0.0.1:{server.server_port}"
    runtime.endpoint = url
    if delivers:
        threading.Thread(target=_deliver, args=(url, region), name="deliveries", daemon=True).start()
        threading.Thread(target=_fire, args=(url, region), name="rules", daemon=True).start()
    return LocalAws(server, url)


def end_on_signals() -> None:
    """Leave in order on SIGTERM and SIGINT, so that the functions' processes end with us."""

    def leave(*_: object) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


def _deliver(url: str, region: str) -> None:
    esm.serve(_client(url, region, "sqs"), _client(url, region, "lambda"))


def _fire(url: str, region: str) -> None:
    rules.serve(_client(url, region, "events"), _client(url, region, "lambda"))


def _client(url: str, region: str, service: str) -> Any:
    import boto3

    session: Any = boto3.session.Session(
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106  moto takes any
        region_name=region,
    )
    return session.client(service, endpoint_url=url)
