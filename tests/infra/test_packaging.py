"""What `chalice package` makes of the project: our files with bytecode, the right runtime, no secret."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from chalicelib.cloud.precompiled import FILE
from infra import packaging, vendor
from tools.aws_local_world import copy_project

ROOT = Path(__file__).parent.parent.parent
TAG = sys.implementation.cache_tag


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The SAM template and the zip; `vendor/` is a small stand-in that counts as current."""
    project = copy_project(ROOT, tmp_path_factory.mktemp("package"))
    (project / "vendor").unlink()
    (project / "vendor").mkdir()
    (project / "vendor" / "vendored.py").write_text("")
    target = vendor.target_of({})
    (project / "vendor" / ".built").write_text(vendor.wanted_stamp(project, target))
    (project / "chalicelib" / "__pycache__").mkdir()
    (project / "chalicelib" / "__pycache__" / "left_over.cpython-311.pyc").write_bytes(b"stale")
    environment = {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "eu-central-1"}
    environment["PENSTOCK_CREDENTIAL_SHOP"] = "a-secret-of-the-caller"
    done = subprocess.run(
        [sys.executable, "-c", "from chalice.cli import main; main()", "package", "--stage", "dev", "out"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    with zipfile.ZipFile(project / "out" / "deployment.zip") as archive:
        archive.extractall(project / "unpacked")
        names = archive.namelist()
    yield json.loads((project / "out" / "sam.json").read_text()), names, project / "unpacked"
    shutil.rmtree(project)


def test_every_file_is_there_once(package):
    _, names, _ = package
    assert len(names) == len(set(names))
    assert {"app.py", "chalice/app.py", "chalicelib/catalogue.json", "chalicelib/wiring_aws.py", "vendored.py"} <= set(
        names
    )


def test_every_module_of_ours_has_bytecode_beside_it(package):
    _, names, _ = package
    modules = {
        each for each in names if each.startswith(("chalicelib/", "chalice/", "app.py")) and each.endswith(".py")
    }
    assert modules
    missing = {each for each in modules if packaging.cached_place(each) not in names}
    assert not missing


def test_the_bytecode_is_what_python_loads(package):
    _, _, unpacked = package
    program = "import sys; sys.path.insert(0, sys.argv[1]); import chalicelib.errors as e; print(e.__cached__, e.__spec__.loader)"
    source = unpacked / "chalicelib" / "errors.py"
    text = source.read_text()
    try:
        source.write_text("raise RuntimeError('the source was compiled anew')")
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program, str(unpacked)], capture_output=True, text=True, check=False
        )
    finally:
        source.write_text(text)
    assert done.returncode == 0, done.stderr


def test_what_lay_in_pycache_folders_is_not_packaged(package):
    _, names, _ = package
    assert not [each for each in names if "left_over" in each]
    assert all(TAG in each for each in names if each.endswith(".pyc"))


def test_the_command_line_and_the_embedded_server_stay_at_home(package):
    _, names, _ = package
    assert not [each for each in names if each.startswith(("chalicelib/cli/", "chalicelib/local/", "infra/"))]


def test_what_dataclasses_compile_is_packaged(package):
    _, names, _ = package
    assert FILE in names


def test_the_functions_are_five_with_a_policy_and_a_size_each(package):
    sam, _, _ = package
    functions = {
        name: each["Properties"]
        for name, each in sam["Resources"].items()
        if each["Type"] == "AWS::Serverless::Function"
    }
    names = ("app", "worker", "tick", "dead", "sweep")
    assert {each["Handler"] for each in functions.values()} == {f"app.{name}" for name in names}
    by_handler = {each["Handler"]: each for each in functions.values()}
    assert by_handler["app.worker"]["Timeout"] == 300
    assert by_handler["app.app"]["Timeout"] == 29
    assert by_handler["app.dead"]["Timeout"] == 300
    (rule,) = by_handler["app.sweep"]["Events"].values()
    assert (rule["Type"], rule["Properties"]["Schedule"]) == ("Schedule", "rate(1 minute)")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert {each["Runtime"] for each in functions.values()} == {version}
    machine = vendor.target_of({}).machine
    assert {tuple(each.get("Architectures", ["x86_64"])) for each in functions.values()} == {(machine,)}


def test_cloudformation_is_told_to_make_the_policies_exact(package):
    sam, _, _ = package
    roles = [each["Properties"] for each in sam["Resources"].values() if each["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 5
    places = [
        resource
        for role in roles
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for resource in (statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]])
    ]
    assert all(place == "*" or place["Fn::Sub"].startswith("arn:${AWS::Partition}:") for place in places)
    assert places.count("*") == 1


def test_the_gateway_knows_every_route_and_takes_every_byte(package):
    from chalicelib.api.routes import TABLE

    sam, _, _ = package
    (api,) = [each for each in sam["Resources"].values() if each["Type"] == "AWS::Serverless::Api"]
    document = api["Properties"]["DefinitionBody"]
    assert {route.path for route in TABLE} | {"/", "/{proxy+}"} == set(document["paths"])
    assert "*/*" in document["x-amazon-apigateway-binary-media-types"]


def test_no_secret_stands_in_what_was_written(package):
    sam, _, unpacked = package
    assert "a-secret-of-the-caller" not in json.dumps(sam)
    files = [path for path in unpacked.parent.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000]
    assert not [path for path in files if b"a-secret-of-the-caller" in path.read_bytes()]


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("app.py", True),
        ("chalicelib/errors.py", True),
        ("chalicelib/console/index.html", True),
        ("chalicelib/cli/main.py", False),
        ("chalicelib/local/server.py", False),
        ("chalicelib/__pycache__/errors.cpython-311.pyc", False),
        ("chalicelib/.DS_Store", False),
        ("chalice/local.py", True),
    ],
)
def test_what_is_packaged(place, wanted):
    assert packaging.is_wanted(place) is wanted


def test_bytecode_is_kept_until_the_source_changes(tmp_path):
    source = tmp_path / "module.py"
    source.write_text("A = 1\n")
    first = packaging.compiled(tmp_path, source, "chalicelib/module.py")
    stamp = first.stat().st_mtime_ns
    assert packaging.compiled(tmp_path, source, "chalicelib/module.py") == first
    assert first.stat().st_mtime_ns == stamp
    source.write_text("A = 2\n")
    assert packaging.compiled(tmp_path, source, "chalicelib/module.py") != first
