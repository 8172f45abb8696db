"""`python -m tools.aws_local --port 4566`: serves until it is ended; prints its address as the first line."""

import argparse
import logging
import os
import signal
import sys
import threading

from tools.aws_local.server import end_on_signals, make_server


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m tools.aws_local", description="A local AWS on loopback.")
    parser.add_argument("--port", type=int, default=4566, help="0 takes a free one")
    parser.add_argument("--region", default="eu-central-1", help="where queues are delivered to functions")
    parser.add_argument("--deliver", action="store_true", help="hand queue messages to functions, and fire rules")
    parser.add_argument("--verify", action="store_true", help="refuse wrong signatures; keys must be of an IAM user")
    parser.add_argument("--quiet", action="store_true", help="log no requests")
    parser.add_argument("--leashed", action="store_true", help="end when standard input does, as a parent's child")
    options = parser.parse_args()
    if options.quiet:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if options.verify:
        from moto import settings

        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    # moto reads expressions by recursion, and a write of a hundred facts has long ones.
    sys.setrecursionlimit(10_000)
    end_on_signals()
    if options.leashed:
        threading.Thread(target=_end_with_input, name="leash", daemon=True).start()
    aws = make_server(options.port, region=options.region, delivers=options.deliver)
    print(aws.url, flush=True)
    aws.serve()


if __name__ == "__main__":
    main()
