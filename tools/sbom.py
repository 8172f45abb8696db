"""Write what the functions' packages are, as a CycloneDX document, or with `--check` say whether it is up to date.

`python -m tools.sbom` makes infra/sbom.cdx.json out of the lock alone, so that the same lock is the same file: no time,
no random number, no look at what happens to be installed. A hash is that of one wheel; which one is installed depends
on the runtime.
"""

import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from cyclonedx import model
from cyclonedx.model import HashAlgorithm, bom, component
from cyclonedx.model import license as licences
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from infra.lock import LOCK, LockError, Pin, read_lock

ROOT = Path(__file__).parents[1]
SBOM = "infra/sbom.cdx.json"
_US = "penstock"

# The library's classes pass through a decorator that hides their parameters from type checkers.
_Bom: Any = bom.Bom
_MetaData: Any = bom.BomMetaData
_Component: Any = component.Component
_Reference: Any = model.ExternalReference
_Hash: Any = model.HashType
_Property: Any = model.Property
_Expression: Any = licences.LicenseExpression
_Address: Any = model.XsUri


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write, or check; 1 where it is not up to date or the lock is broken, 2 where the arguments are wrong."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m tools.sbom [--check]", file=sys.stderr)
        return 2
    try:
        made = sbom(root)
    except LockError as error:
        print(error.detail, file=sys.stderr)
        return 1
    place = root / SBOM
    # Compared as data: another version of the library may sort or indent otherwise.
    is_current = place.is_file() and json.loads(place.read_text("utf-8")) == json.loads(made)
    if arguments and not is_current:
        print(f"{SBOM} is not up to date: run `make sbom`", file=sys.stderr)
        return 1
    if not arguments and not is_current:
        place.write_text(made, "utf-8")
    print(f"{SBOM}: {'up to date' if is_current else 'written'}")
    return 0


def sbom(root: Path) -> str:
    """The document, as JSON of CycloneDX 1.6; raises LockError."""
    lock = (root / LOCK).read_text("utf-8")
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    pins = read_lock(lock)
    us = _Component(
        name=_US,
        version=project["version"],
        type=component.ComponentType.APPLICATION,
        bom_ref=_US,
        purl=PackageURL("pypi", name=_US, version=project["version"]),
        description=project["description"],
        licenses=[_Expression(project["license"])],
    )
    components = {pin: _component_of(pin) for pin in pins}
    document = _Bom(
        # From what it says, so that another lock is another document and the same lock the same.
        serial_number=uuid5(NAMESPACE_URL, f"{us.purl}\n{lock}"),
        metadata=_MetaData(component=us),
        components=components.values(),
    )
    # The library takes the present moment where it is given none.
    document.metadata.timestamp = None
    document.register_dependency(us, [components[pin] for pin in pins if _US in pin.wanted_by])
    for pin, its_component in components.items():
        document.register_dependency(its_component, [components[each] for each in pins if pin.name in each.wanted_by])
    return JsonV1Dot6(document).output_as_string(indent=1) + "\n"


def _component_of(pin: Pin) -> Any:
    purl = PackageURL("pypi", name=pin.name, version=pin.version)
    page = _Address(f"https://pypi.org/project/{quote(pin.name)}/{quote(pin.version)}/#files")
    return _Component(
        name=pin.name,
        version=pin.version,
        type=component.ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        properties=[_Property(name="penstock:pythons", value=" ".join(pin.pythons))] if pin.pythons else [],
        external_references=[
            _Reference(
                type=model.ExternalReferenceType.DISTRIBUTION,
                url=page,
                comment="a wheel of it",
                hashes=[_Hash(alg=HashAlgorithm.SHA_256, content=each)],
            )
            for each in pin.hashes
        ],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
