"""The command itself: its help, its exit codes, what it imports, how it prints."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path

import pytest

from chalicelib import errors
from chalicelib.cli.exits import Exit, exit_of
from chalicelib.cli.printing import note_error, say_json, short, shown
from chalicelib.errors import FlowCheckError, PenstockError, Problem
from tests.cli.calling import GOOD, penstock, write
from tests.dev_server import environment

# Typer itself reads parameters with pydantic, so that one is not ours to leave out.
HEAVY = (
    "jsonatapy",
    "boto3",
    "botocore",
    "httpx",
    "aiohttp",
    "uvicorn",
    "ruamel",
    "cryptography",
    "asyncio",
)


GROUPS = {
    "flows": ("list", "show", "enable", "disable", "pause", "resume", "versions", "rollback", "rotate"),
    "executions": ("list", "show", "watch", "cancel", "retry", "pause", "resume", "redrive", "answer"),
    "nodes": ("list", "show"),
}
"""Each group of commands, and what it must have."""


def imported_by(*arguments: str) -> set[str]:
    """The packages that a command has imported by its end."""
    program = (
        "import sys, json, atexit\n"
        "from chalicelib.cli.main import main\n"
        "atexit.register(lambda: print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), "
        "file=sys.stderr))\n"
        f"sys.argv = ['penstock', *{list(arguments)!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("--help",), ("nodes", "list"), ("nodes", "show", "set"), ("run", "--help")])
def test_what_needs_nothing_imports_nothing_heavy(arguments):
    assert imported_by(*arguments) & set(HEAVY) == set()


def test_help_names_every_command_and_the_exit_codes():
    said = penstock("--help")
    assert said.code == 0
    names = [
        "dev",
        "run",
        "check",
        "plan",
        "fmt",
        "publish",
        "flows",
        "executions",
        "nodes",
        "deploy",
        "destroy",
        "doctor",
    ]
    assert [name for name in names if f" {name} " not in said.out] == []
    assert "0 success, 1 the thing failed, 2 usage or a failed check" in said.out
    for name in names:
        assert penstock(name, "--help").code == 0, name


def test_every_command_that_tells_data_tells_it_as_json_too():
    for name in ("dev", "run", "check", "plan", "fmt", "publish", "deploy", "destroy", "doctor"):
        assert "--json" in penstock(name, "--help").out, name
    for group, names in GROUPS.items():
        for name in names:
            assert "--json" in penstock(group, name, "--help").out, (group, name)


def test_the_help_of_a_group_names_every_command_in_it():
    for group, names in GROUPS.items():
        said = penstock(group, "--help").out
        assert [name for name in names if f" {name} " not in said] == [], group


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("check", "--nonsense"), ("run",), ("deploy",), ("executions", "list", "--limit", "0")]
)
def test_what_is_typed_wrongly_ends_with_2(arguments):
    said = penstock(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err


def test_the_version_is_the_packages():
    try:
        expected = version("penstock")
    except PackageNotFoundError:
        pytest.skip("the package is not installed here")
    assert penstock("--version").out == f"{expected}\n"


def every_error() -> list[type[PenstockError]]:
    found = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, PenstockError)]
    assert len(found) > 30
    return found


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_an_exit_code(kind):
    refused = (errors.WorldError, errors.ConflictError, errors.UnauthenticatedError, errors.ForbiddenError)
    code = exit_of(kind())
    if issubclass(kind, refused) or kind is errors.FlowDisabledError:
        assert code is Exit.REFUSED
    elif issubclass(kind, errors.CallerError):
        assert code in {Exit.USAGE, Exit.FAILED, Exit.REFUSED}
    else:
        assert code is Exit.FAILED
    assert code is not Exit.DONE


def test_an_error_is_its_problems_and_its_sentence(capsys):
    error = FlowCheckError("a.yaml has 1 mistake.", problems=[Problem("a.yaml", 3, 4, "What.", "Do.")])
    note_error(error)
    assert capsys.readouterr() == ("", "a.yaml:3:4  What.  ->  Do.\na.yaml has 1 mistake.\n")
    note_error(error, as_json=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["errors"] == [{"where": "a.yaml", "line": 3, "column": 4, "what": "What.", "do": "Do."}]


def test_text_of_strangers_does_not_steer_the_terminal():
    assert shown("a\x1b[2Jb\u202ec\x07") == "a\ufffd[2Jb\ufffdc\ufffd"
    assert short("x" * 200) == '"' + "x" * 78 + "…"


def test_what_no_terminal_can_say_is_escaped(capsys):
    say_json({"half": "\ud83d"})
    assert json.loads(capsys.readouterr().out) == {"half": "\ud83d"}


def test_a_reader_that_leaves_early_ends_it_quietly():
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m chalicelib.cli.main nodes list | head -1"],
        env=environment(),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def without_aws(folder: Path) -> dict[str, str]:
    """An environment that names no account, no region, no file of keys."""
    nowhere = {name: value for name, value in environment().items() if not name.startswith("AWS_")}
    none = str(folder / "none")
    return {
        **nowhere,
        "AWS_CONFIG_FILE": none,
        "AWS_SHARED_CREDENTIALS_FILE": none,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def planned(command: str, variables: dict[str, str], *more: str) -> "subprocess.CompletedProcess[str]":
    """How `penstock deploy --plan` or `destroy --plan` ends as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "chalicelib.cli.main", command, "--stage", "dev", "--plan", *more],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_with_json_a_deployment_that_fails_is_one_json_object(tmp_path, command):
    nowhere = without_aws(tmp_path)
    no_region = planned(command, nowhere, "--json")
    assert (no_region.returncode, no_region.stdout) == (Exit.FAILED, "")
    said = json.loads(no_region.stderr)
    detail = "No AWS region. Set AWS_DEFAULT_REGION, such as eu-central-1."
    assert said == {"code": "deploy_failed", "detail": detail, "errors": []}
    no_keys = planned(command, {**nowhere, "AWS_DEFAULT_REGION": "eu-central-1"}, "--json")
    assert (no_keys.returncode, no_keys.stdout) == (Exit.REFUSED, "")
    said = json.loads(no_keys.stderr)
    assert (said["code"], said["errors"]) == ("not_sent", [])
    assert "locate credentials. Set AWS_PROFILE" in said["detail"]


def test_what_a_deployment_raises_has_a_code_of_its_own_and_ends_with_1():
    from infra.deploy_hooks import DeployError
    from infra.provision import ProvisionError
    from infra.vendor import VendorError

    kinds: tuple[type[PenstockError], ...] = (DeployError, ProvisionError, VendorError)
    assert [kind.code for kind in kinds] == ["deploy_failed", "provision_failed", "vendor_failed"]
    assert {exit_of(kind("It failed.")) for kind in kinds} == {Exit.FAILED}
    assert {str(kind("It failed.")) for kind in kinds} == {"It failed."}


def test_deploy_says_what_it_lacks_and_does_nothing(tmp_path):
    # No region, no account: it must not get as far as AWS.
    for command in ("deploy", "destroy"):
        done = planned(command, without_aws(tmp_path))
        assert done.returncode == Exit.FAILED
        assert "No AWS region" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_table_on_a_terminal_and_steps_that_change(tmp_path):
    """What only a terminal sees: drawn on one of our own."""
    import os
    import pty

    flows = write(tmp_path / "flows", good=GOOD)
    try:
        ours, theirs = pty.openpty()
    except OSError as error:
        pytest.skip(f"no terminal can be made here: {error}")
    with subprocess.Popen(
        [sys.executable, "-m", "chalicelib.cli.main", "run", "greet", "--flows", str(flows)],
        env={**environment(), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        seen = StringIO()
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                break
            if not chunk:
                break
            seen.write(chunk.decode("utf-8", "replace"))
        out = process.stdout.read() if process.stdout else ""
    os.close(ours)
    assert process.returncode == 0
    assert json.loads(out) == "Hello world"
    assert "what came out" in seen.getvalue()
    assert "succeeded" in seen.getvalue()
