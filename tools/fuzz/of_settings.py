"""Parsers of what a deployment is set up with: credentials, variables, lists of hosts, keys."""

import atexit
import base64
import shutil
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from chalicelib.errors import SettingError
from tools.fuzz import corpus
from tools.fuzz.parser import Parser, Take, text_of


def _credential() -> Take:
    """A credential in the environment; and what of it is struck out of the logs."""
    kind: Any = import_module("chalicelib.adapters.environment").EnvironmentCredentials
    struck: Any = import_module("chalicelib.adapters.struck")._texts  # noqa: SLF001 - asked of each at the start

    def take(content: bytes) -> object:
        struck(text_of(content))
        return kind({"PENSTOCK_CREDENTIAL_A": text_of(content)}).read("a")

    return take


def _stage_vars() -> Take:
    read: Any = import_module("chalicelib.adapters.environment").stage_vars_from
    return lambda content: read({"PENSTOCK_VARS": text_of(content)})


def _egress_settings() -> Take:
    """The lists of networks, hosts and addresses that a deployment is started with."""
    egress: Any = import_module("chalicelib.adapters.egress")

    def take(content: bytes) -> object:
        text = text_of(content)
        for settings in ({"PENSTOCK_ONLY_HOSTS": text}, {"PENSTOCK_ALLOW_OWN": text}):
            try:
                egress.policy_for_flows(settings, (), allow=())
            except SettingError:
                continue
        return egress.policy_for_flows({}, (), allow=egress.words(text))

    return take


def _key_hashes() -> Take:
    auth: Any = import_module("chalicelib.api.auth")
    return lambda content: auth.AdminKeys(auth.hashes_from(text_of(content)))


def _key_files() -> Take:
    """The files in which the embedded server keeps its keys."""
    keys: Any = import_module("chalicelib.local.keys")
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def take(content: bytes) -> object:
        for name in (keys.FILE, keys.LINK_FILE):
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        with suppress(SettingError):
            keys.link_key(folder)
        return keys.admin_key(folder, {})

    return take


def parsers() -> tuple[Parser, ...]:
    """The rows."""
    hosts = corpus.as_bytes(
        "api.example.com,*.example.org",
        "example.com:8443 [2001:db8::1]:8443",
        "10.0.0.0/8",
        "1",
        "::/0",
        "bücher.example",
    )
    return (
        Parser(
            "credential",
            "adapters.environment.EnvironmentCredentials",
            lambda: corpus.as_json({"token": "t"}, {"username": "a", "password": "b"}),
            _credential,
            share=600,
        ),
        Parser(
            "stage_vars",
            "adapters.environment.stage_vars_from",
            lambda: corpus.as_json({"bucket": "b", "n": [1]}),
            _stage_vars,
            (SettingError,),
            600,
        ),
        Parser(
            "egress_settings",
            "adapters.egress.policy_for_flows",
            lambda: hosts,
            _egress_settings,
            (SettingError,),
            300,
            words=(b"*.", b",", b":", b"[", b"/8", b"1", b"true"),
            most_bytes=5_000,
        ),
        Parser(
            "key_hashes",
            "api.auth.hashes_from, AdminKeys",
            lambda: corpus.as_bytes("a" * 64, f"{'0' * 64},{'1' * 64}"),
            _key_hashes,
            (SettingError,),
            1500,
            words=(b",", b"a" * 64),
            most_bytes=5_000,
        ),
        Parser(
            "key_files",
            "local.keys.admin_key, link_key, kept_key",
            lambda: [b"pk_" + b"a" * 43, base64.b64encode(bytes(32))],
            _key_files,
            (SettingError,),
            40,
        ),
    )
