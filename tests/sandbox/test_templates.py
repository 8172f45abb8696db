"""Every language's template of a plugin is built and called, where its tools are at hand."""

import asyncio
import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from chalicelib.adapters.sandbox import ProcessSandbox
from chalicelib.errors import CallerError
from chalicelib.sandbox.languages import TEMPLATES, engine
from chalicelib.sandbox.manifest import read_manifest
from chalicelib.sandbox.module import look_at
from chalicelib.sandbox.scripts import with_script
from tests.sandbox.guests import module_of

LANGUAGES = sorted(each.name for each in TEMPLATES.iterdir() if each.is_dir())
CONTEXT = {"execution": "01j", "step": "s", "now": "2026-11-20T12:00:00.000Z", "timezone": "UTC"}


def run(folder, *command, **environment):
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return done.returncode == 0, f"{done.stdout}{done.stderr}"


def build_c(folder):
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("zig is not installed: pip install penstock[engines]")
    flags = ("-target", "wasm32-freestanding", "-Oz", "-nostdlib", "-Wl,--no-entry", "-Wall", "-Werror")
    unused = "-Wno-unused-function"
    return run(folder, sys.executable, "-m", "ziglang", "cc", *flags, unused, "-o", "plugin.wasm", "plugin.c")


def build_go(folder):
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    if "go1.2" not in (said := run(folder, "go", "version", GOTOOLCHAIN="local")[1]) or "go1.23" in said:
        pytest.skip("go is older than 1.24")
    arguments = ("build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", "plugin.wasm", ".")
    return run(folder, "go", *arguments, GOOS="wasip1", GOARCH="wasm", GOTOOLCHAIN="local")


def build_assemblyscript(folder):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    fetched, said = run(folder, "npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    if not fetched:
        pytest.skip(f"the compiler cannot be fetched: {said[-200:]}")
    return run(folder, "npm", "run", "-s", "build")


def build_rust(folder):
    target = "wasm32-unknown-unknown"
    if shutil.which("rustup") is None or target not in run(folder, "rustup", "target", "list", "--installed")[1]:
        pytest.skip(f"rustup has no target {target}")
    fetched, said = run(folder, "cargo", "fetch", "--quiet")
    if not fetched:
        pytest.skip(f"its crates cannot be fetched: {said[-200:]}")
    done, said = run(folder, "cargo", "build", "--quiet", "--release", "--target", target)
    if done:
        shutil.copy(folder / "target" / target / "release" / "plugin.wasm", folder / "plugin.wasm")
    return done, said


def build_javascript(folder):
    (folder / "plugin.wasm").write_bytes(with_script(engine("javascript"), (folder / "plugin.js").read_text("utf-8")))
    return True, ""


BUILDS = {
    "assemblyscript": build_assemblyscript,
    "c": build_c,
    "go": build_go,
    "javascript": build_javascript,
    "rust": build_rust,
}


class NotGrantedError(CallerError):
    """Refused for the test."""

    code = "not_granted"


class Host:
    def __init__(self):
        self.kept, self.lines, self.status, self.asked = {}, [], 200, []
        self.refuses = False

    async def http(self, asked):
        if self.refuses:
            raise NotGrantedError('The host said "no".')
        self.asked.append(asked)
        return {"status": self.status, "headers": {"a": '{"status":1}'}, "body": "ü"}

    async def kv(self, asked):
        if self.refuses:
            raise NotGrantedError('The host said "no".')
        key = asked["key"]
        if asked["do"] == "get":
            return self.kept.get(key)
        self.kept[key] = asked["value"]
        return True

    def log(self, level, text):
        self.lines.append((level, text))


class Plugin:
    def __init__(self, module, runner, *, wasi):
        self.module, self.runner, self.wasi = module, runner, wasi
        self.sandbox = ProcessSandbox()

    def call(self, node, host=None, **parameters):
        request = {"node": node, "parameters": parameters, "context": CONTEXT}
        work = self.sandbox.call(self.module, request, tenant="main", host=host, wasi=self.wasi)
        return dict(self.runner.run(work))


def test_every_template_can_be_built():
    assert set(BUILDS) == set(LANGUAGES)


@pytest.fixture(scope="module", params=LANGUAGES)
def plugin(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(TEMPLATES / request.param, folder, dirs_exist_ok=True)
    is_built, said = BUILDS[request.param](folder)
    assert is_built, said
    content = (folder / "plugin.wasm").read_bytes()
    manifest = read_manifest((folder / "plugin.yaml").read_bytes(), "plugin.yaml", "0" * 64)
    assert manifest.asks.wasi == look_at(content).wants_wasi
    if request.param == "go" and os.getloadavg()[0] > 3 * (os.cpu_count() or 1):
        pytest.skip("the machine is too busy: Go's run time would not be compiled within the sandbox's patience")
    with asyncio.Runner() as runner:
        made = Plugin(module_of(content, request.param), runner, wasi=manifest.asks.wasi)
        yield made
        runner.run(made.sandbox.close())


@pytest.mark.parametrize("name", ["Ada", 'Grace "G" \\ Hopper', "Zoë 😀\n\t", "x" * 10_000, "\u0001"])
def test_a_template_computes(plugin, name):
    assert plugin.call("greet", name=name) == {"ok": {"greeting": f"Hello, {name}!"}}


def test_a_template_refuses_by_name(plugin):
    answer = plugin.call("greet", name="")
    assert "name: is empty." in answer["error"]["message"]
    assert not answer["error"]["retry"]
    assert "error" in plugin.call("nothing")


def test_a_template_remembers(plugin):
    host = Host()
    assert [plugin.call("count", host, name=name)["ok"] for name in ("Ada", "Ada", "Zoë")] == [1, 2, 1]
    assert host.kept == {"Ada": 2, "Zoë": 1}


def test_a_template_asks_a_server_and_logs(plugin):
    host = Host()
    url = 'https://example.com/a?b=1&c="2"'
    assert plugin.call("look", host, url=url) == {"ok": True}
    assert (host.asked, host.lines) == ([{"url": url}], [(1, url)])
    host.status = 404
    assert plugin.call("look", host, url=url) == {"ok": False}
    host.status = 503
    error = plugin.call("look", host, url=url)["error"]
    assert "the server is ill" in error["message"]
    assert error["retry"]


def test_a_template_hands_on_what_the_host_refuses(plugin):
    host = Host()
    host.refuses = True
    for node, given in (("look", {"url": "https://example.com/"}), ("count", {"name": "Ada"})):
        error = plugin.call(node, host, **given)["error"]
        assert 'The host said "no".' in error["message"]
    assert "error" in plugin.call("look", None, url="https://example.com/")
