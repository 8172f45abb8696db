"""The list of the functions' packages: what the lock says, as CycloneDX, the same every time."""

import json
import shutil
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra.lock import LOCK, read_lock
from tools.sbom import SBOM, main, sbom

ROOT = Path(__file__).parents[2]
PINS = read_lock((ROOT / LOCK).read_text("utf-8"))
COMMITTED = json.loads((ROOT / SBOM).read_text("utf-8"))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "infra").mkdir()
    for name in ("pyproject.toml", LOCK, SBOM):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_committed_list_is_made_of_the_committed_lock():
    assert json.loads(sbom(ROOT)) == COMMITTED


def test_every_locked_package_is_listed_and_nothing_else():
    listed = {(each["name"], each["version"], each["purl"]) for each in COMMITTED["components"]}
    assert listed == {(pin.name, pin.version, f"pkg:pypi/{pin.name}@{pin.version}") for pin in PINS}


def test_every_hash_of_the_lock_is_listed_with_its_package():
    listed = {
        each["name"]: {digest["content"] for reference in each["externalReferences"] for digest in reference["hashes"]}
        for each in COMMITTED["components"]
    }
    assert listed == {pin.name: set(pin.hashes) for pin in PINS}


def test_who_needs_what_is_as_the_lock_says_from_us_down():
    needs = {each["ref"]: set(each.get("dependsOn", ())) for each in COMMITTED["dependencies"]}
    versions = {pin.name: pin.version for pin in PINS}
    refs = {name: f"pkg:pypi/{name}@{version}" for name, version in versions.items()} | {"penstock": "penstock"}
    for pin in PINS:
        assert {refs[each] for each in pin.wanted_by} == {
            ref for ref, found in needs.items() if refs[pin.name] in found
        }
    assert COMMITTED["metadata"]["component"]["bom-ref"] == "penstock"


def test_it_is_a_cyclonedx_document():
    assert (COMMITTED["bomFormat"], COMMITTED["specVersion"]) == ("CycloneDX", "1.6")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(COMMITTED)) is None


def test_the_schema_would_refuse_what_is_none():
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str('{"bomFormat": "CycloneDX"}') is not None


def test_the_same_lock_is_the_same_document_to_the_last_byte(project):
    assert sbom(project) == sbom(ROOT)
    assert "timestamp" not in sbom(ROOT)


def test_another_lock_is_another_document(project):
    text = (project / LOCK).read_text("utf-8")
    (project / LOCK).write_text(text.replace(PINS[0].hashes[0], "0" * 64))
    made = json.loads(sbom(project))
    assert made["serialNumber"] != COMMITTED["serialNumber"]
    assert "0" * 64 in json.dumps(made)


def test_the_check_says_what_to_do_and_the_program_does_it(project, capsys):
    assert main(["--check"], project) == 0
    document = json.loads((project / SBOM).read_text("utf-8"))
    document["components"][0]["version"] = "0.0.1"
    (project / SBOM).write_text(json.dumps(document))
    assert main(["--check"], project) == 1
    assert "run `make sbom`" in capsys.readouterr().err
    assert main([], project) == 0
    assert main(["--check"], project) == 0
    assert (project / SBOM).read_text("utf-8") == sbom(ROOT)


def test_a_broken_lock_and_other_arguments_are_refused(project, capsys):
    assert main(["--force"], project) == 2
    (project / LOCK).write_text("aiohttp>=3\n")
    assert main([], project) == 1
    assert "line 1" in capsys.readouterr().err
