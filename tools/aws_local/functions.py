"""Executes Lambda functions: the deployed zip in warm processes, each of which answers one event at a time."""

import atexit
import contextlib
import hashlib
import io
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_BOOT = Path(__file__).with_name("boot.py")
# More idle processes than this per function are ended, as Lambda ends environments.
_MOST_IDLE = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one invocation: the payload as JSON, whether it is an error, and what was logged."""

    payload: str
    is_error: bool
    logs: str


@dataclass(slots=True)
class _Environment:
    """One warm process."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    read_to: int = 0

    def ask(self, event: Any, timeout: float) -> dict[str, Any] | None:
        """Hand over one event and wait for its answer; None when it did not come in time or the process ended."""
        assert self.process.stdin is not None  # noqa: S101  made with pipes
        line = json.dumps({"id": str(uuid.uuid4()), "event": event}).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line)
            self.process.stdin.flush()
        answer = self._read_line(timeout)
        return json.loads(answer) if answer else None

    def new_logs(self) -> str:
        """What was written to standard error since the last time."""
        self.log.seek(self.read_to)
        text = self.log.read()
        self.read_to += len(text)
        return text.decode("utf-8", "replace")

    def end(self) -> None:
        """Kill the process and wait for it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _read_line(self, timeout: float) -> bytes:
        assert self.process.stdout is not None  # noqa: S101  made with pipes
        descriptor = self.process.stdout.fileno()
        end = time.monotonic() + timeout
        parts: list[bytes] = []
        while not (parts and parts[-1].endswith(b"\n")):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(descriptor, 1 << 20) if ready else b""
            if not piece:
                return b""
            parts.append(piece)
        return b"".join(parts)


@dataclass(slots=True)
class Runtime:
    """All functions' processes; several may answer at once, and none is shared by two invocations."""

    endpoint: str = ""
    _folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="penstock-functions-")))
    _idle: dict[str, list[_Environment]] = field(default_factory=dict[str, list[_Environment]])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, function: Any, event: Any) -> Reply:
        """Invoke a function as moto knows it."""
        key, environment = self._take(function)
        answer = environment.ask(event, float(function.timeout))
        logs = environment.new_logs()
        if answer is None:
            ended = environment.process.poll()
            environment.end()
            return Reply(json.dumps(_lost(function, ended)), is_error=True, logs=logs)
        self._give_back(key, environment)
        if "error" in answer:
            return Reply(json.dumps(answer["error"]), is_error=True, logs=logs)
        return Reply(json.dumps(answer["ok"]), is_error=False, logs=logs)

    def end(self) -> None:
        """End every idle process and remove what was unpacked."""
        with self._lock:
            environments = [one for many in self._idle.values() for one in many]
            self._idle.clear()
        for environment in environments:
            environment.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _take(self, function: Any) -> tuple[str, _Environment]:
        variables: dict[str, str] = function.environment_vars or {}
        digest = hashlib.sha256(function.code_bytes)
        digest.update(json.dumps([function.function_arn, function.handler, function.timeout, variables]).encode())
        key = digest.hexdigest()
        with self._lock:
            idle = self._idle.setdefault(key, [])
            while idle:
                environment = idle.pop()
                if environment.process.poll() is None:
                    return key, environment
                environment.end()
            folder = self._unpack(function.code_bytes)
        return key, self._start(function, folder, variables)

    def _give_back(self, key: str, environment: _Environment) -> None:
        with self._lock:
            idle = self._idle.setdefault(key, [])
            if len(idle) < _MOST_IDLE:
                idle.append(environment)
                return
        environment.end()

    def _unpack(self, code: bytes) -> Path:
        folder = self._folder / hashlib.sha256(code).hexdigest()[:32]
        if not folder.is_dir():
            half = folder.with_suffix(".half")
            with zipfile.ZipFile(io.BytesIO(code)) as archive:
                archive.extractall(half)
            half.rename(folder)
        return folder

    def _start(self, function: Any, folder: Path, variables: dict[str, str]) -> _Environment:
        settings = {
            "handler": function.handler,
            "name": function.function_name,
            "arn": function.function_arn,
            "memory": function.memory_size,
            "timeout": int(function.timeout),
        }
        program = f"import sys\nsys.path.insert(0, {str(folder)!r})\n{_BOOT.read_text()}\nserve({settings!r})\n"
        log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed when the process ends
        process = subprocess.Popen(
            # -I and -S: no user site, no site-packages; what the zip does not bring is missing, as on Lambda.
            [sys.executable, "-I", "-S", "-c", program],
            cwd=folder,
            env={
                "PATH": os.environ.get("PATH", ""),
                "LANG": "en_US.UTF-8",
                "TZ": ":UTC",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_DEFAULT_REGION": function.region,
                "AWS_REGION": function.region,
                "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
                "AWS_ENDPOINT_URL": self.endpoint,
                "LAMBDA_TASK_ROOT": str(folder),
                "_HANDLER": str(function.handler),
                **variables,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        return _Environment(process, log)


def _lost(function: Any, ended: int | None) -> dict[str, str]:
    if ended is None:
        return {
            "errorMessage": f"Task timed out after {float(function.timeout):.2f} seconds",
            "errorType": "Sandbox.Timedout",
        }
    return {"errorMessage": f"Runtime exited with status {ended}", "errorType": "Runtime.ExitError"}


def patch() -> Runtime:
    """Make moto execute functions here; the server sets the runtime's `endpoint` once it knows its port."""
    from moto.awslambda.models import LambdaFunction

    runtime = Runtime()
    atexit.register(runtime.end)

    def invoke(self: Any, event: Any = None) -> tuple[str, bool, str]:
        # moto hands over the text of the event, or what it already read.
        reply = runtime.invoke(self, json.loads(event or "{}") if isinstance(event, str | bytes) else event or {})
        return reply.payload, reply.is_error, reply.logs

    patched: Any = LambdaFunction
    patched._invoke_lambda = invoke  # noqa: SLF001  the one place where moto starts a container
    return runtime
