"""One way out: no file but those named here opens a socket, starts a program, or knows a library that does."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]

MODULES_OF_PYTHON = """
    _socket _ssl asyncore asynchat ctypes ftplib http.client http.server imaplib logging.handlers multiprocessing
    nntplib poplib pty smtplib socket socketserver ssl subprocess telnetlib urllib.request urllib.robotparser
    webbrowser wsgiref xmlrpc
"""
MODULES_OF_OTHERS = """
    aiobotocore aiodns aiohttp anyio asyncssh boto3 botocore curl_cffi dns google.auth grpc h11 h2 httpcore httplib2
    httptools httpx kubernetes niquests paramiko psycopg pycurl redis requests smbprotocol tornado trio treq urllib3
    uvicorn uvloop wasmtime websocket websockets zmq
"""
MODULES = frozenset((MODULES_OF_PYTHON + MODULES_OF_OTHERS).split())
"""Modules through which something can leave, or come in."""

FUNCTIONS_OF_ASYNCIO = """
    connect_accepted_socket create_connection create_datagram_endpoint create_server create_subprocess_exec
    create_subprocess_shell create_unix_connection create_unix_server getaddrinfo gethostbyaddr gethostbyname
    getnameinfo open_connection open_unix_connection sock_connect sock_sendto start_server start_tls
    start_unix_server subprocess_exec subprocess_shell
"""
CALLS = frozenset(FUNCTIONS_OF_ASYNCIO.split())
"""Functions of asyncio's loops and streams, and of name look-up."""

FUNCTIONS_OF_OS = """
    execl execle execlp execv execve execvp execvpe fork forkpty popen posix_spawn posix_spawnp spawnl spawnv
    spawnve startfile system
"""
OF_OS = frozenset(FUNCTIONS_OF_OS.split())
UNKNOWN = frozenset(("__import__", "compile", "eval", "exec", "import_module"))
"""With anything but a literal, these may bring in what this test does not see."""

ALLOWED = {
    "chalicelib/adapters/helper_process.py": {
        "call create_subprocess_exec": "starts the helpers that evaluate and that run plugins: no environment, pipes alone"
    },
    "chalicelib/adapters/http.py": {
        "import aiohttp": "names the type of a resolver that tests pass in",
        "import ssl": "makes the TLS settings of every call",
    },
    "chalicelib/adapters/http_aiohttp.py": {
        "import aiohttp": "the transport of what flows call; its sockets are made by the policy",
        "import ssl": "names the type of the TLS settings",
    },
    "chalicelib/adapters/http_guard.py": {"import socket": "makes the socket, once the policy has seen its address"},
    "chalicelib/adapters/http_light.py": {
        "import h11": "the transport of the engine's own calls",
        "import socket": "reads what a look-up found",
        "import ssl": "names the type of the TLS settings",
        "call getaddrinfo": "looks the name up whose addresses the policy sees next",
        "call open_connection": "wraps a socket that the policy has made and that is connected",
        "call sock_connect": "connects a socket that the policy has made to the address it has seen",
    },
    "chalicelib/api/app.py": {"call import_module": "handlers, by our own route table"},
    "chalicelib/catalogue.py": {"call import_module": "a node's module, by the catalogue's own list"},
    "chalicelib/cli/client.py": {"import httpx": "the command line asks the server that its user names"},
    "chalicelib/cli/deploying.py": {"import botocore": "tells apart what deploying to AWS reports"},
    "chalicelib/cloud/precompiled.py": {"call exec": "what `dataclasses` writes, compiled when the package was built"},
    "chalicelib/local/plugin_files.py": {
        "import wasmtime": "makes a module of the text that the user wrote; runs nothing"
    },
    "chalicelib/sandbox/engine.py": {
        "import wasmtime": "the engine of plugins, in their process alone; no WASI of its own"
    },
    "chalicelib/sandbox/guest.py": {"import wasmtime": "one call of a plugin, in that process alone"},
    "chalicelib/sandbox/serving.py": {"import wasmtime": "the work of that process"},
    "chalicelib/signing/inbound.py": {"call import_module": "the check of a scheme, by our own table of schemes"},
    "chalicelib/local/loops.py": {"import uvloop": "the loop of `penstock dev`, where it is installed"},
    "chalicelib/local/server.py": {
        "import socket": "makes the socket that `penstock dev` listens on",
        "import uvicorn": "serves the API of `penstock dev`",
    },
}
"""Who may, what, and what for."""

MAKERS = {
    "EgressPolicy": {"chalicelib/adapters/egress.py", "chalicelib/wiring_aws.py"},
    "AiohttpTransport": {"chalicelib/adapters/http.py"},
    "LightTransport": {"chalicelib/adapters/http.py"},
    "HttpClient": {"chalicelib/adapters/http.py"},
    "client_for_flows": {"chalicelib/wiring.py", "chalicelib/wiring_aws.py"},
    "client_for_engine": {"chalicelib/wiring_aws.py"},
}
"""What makes a way out, and the only files that call it."""


def ways_out(source: str) -> set[str]:
    """The ways out that a file knows: `import x`, `call y`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {f"import {known}" for alias in names if (known := known_module(alias.name))}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    if known := known_module(module) or known_module(f"{module}.{alias.name}"):
                        found.add(f"import {known}")
                    elif alias.name in CALLS or (module == "os" and alias.name in OF_OS):
                        found.add(f"call {alias.name}")
            case ast.Call(
                func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(module)), *_]
            ) if name in UNKNOWN:
                if known := known_module(module):
                    found.add(f"import {known}")
            case ast.Call(func=ast.Name(id=name)) if name in UNKNOWN:
                found.add(f"call {name}")
            case ast.Attribute(value=ast.Name(id="importlib" | "builtins"), attr=name) if name in UNKNOWN:
                found.add(f"call {name}")
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in OF_OS:
                found.add(f"call {name}")
            case ast.Attribute(attr=name) if name in CALLS:
                found.add(f"call {name}")
            case _:
                pass
    return found


def known_module(name: str) -> str:
    """The entry of MODULES that a module is or lies below; empty for none."""
    parts = name.split(".")
    return next((head for n in range(1, len(parts) + 1) if (head := ".".join(parts[:n])) in MODULES), "")


def test_nothing_leaves_but_where_it_is_allowed() -> None:
    found = {str(path.relative_to(ROOT)): ways_out(path.read_text(encoding="utf-8")) for path in CODE}
    assert {name: ways for name, ways in found.items() if ways} == {name: set(ways) for name, ways in ALLOWED.items()}


def test_every_permission_says_what_for() -> None:
    assert all(len(reason.split()) >= 4 for ways in ALLOWED.values() for reason in ways.values())


@pytest.mark.parametrize("maker", MAKERS)
def test_a_way_out_is_made_in_the_wiring_alone(maker: str) -> None:
    found: set[str] = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name == maker:
                    found.add(str(path.relative_to(ROOT)))
                case ast.Attribute(value=ast.Name(id=name)) if name == maker:
                    found.add(str(path.relative_to(ROOT)))
                case _:
                    pass
    assert found == MAKERS[maker]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import socket", "import socket"),
        ("import urllib.request as r", "import urllib.request"),
        ("from urllib import request", "import urllib.request"),
        ("from http.client import HTTPConnection", "import http.client"),
        ("def f():\n    import requests.sessions", "import requests"),
        ("from aiohttp.client import ClientSession", "import aiohttp"),
        ("from logging.handlers import HTTPHandler", "import logging.handlers"),
        ("import importlib\nimportlib.import_module('httpx')", "import httpx"),
        ("__import__('ftplib')", "import ftplib"),
        ("import importlib\nimportlib.import_module(name)", "call import_module"),
        ("exec(text)", "call exec"),
        ("import asyncio\nasyncio.open_connection('h', 1)", "call open_connection"),
        ("from asyncio import open_connection", "call open_connection"),
        ("loop.create_connection(f, 'h', 1)", "call create_connection"),
        ("connect = loop.sock_connect", "call sock_connect"),
        ("import os\nos.system('curl x')", "call system"),
        ("from os import popen", "call popen"),
        ("import subprocess", "import subprocess"),
    ],
)
def test_the_walk_sees_every_way_out(source: str, found: str) -> None:
    assert found in ways_out(source)


@pytest.mark.parametrize(
    "source", ["import urllib.parse", "from http import HTTPStatus", "import os\nos.path.join('a')"]
)
def test_the_walk_takes_nothing_harmless_for_one(source: str) -> None:
    assert ways_out(source) == set()
