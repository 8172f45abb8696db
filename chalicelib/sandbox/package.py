"""A plugin's package: a zip file with a manifest and a module, and nothing else. Any bytes are that, or an error."""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from chalicelib.sandbox.manifest import MOST_BYTES as MOST_MANIFEST_BYTES
from chalicelib.sandbox.manifest import Manifest, read_manifest, refused
from chalicelib.sandbox.module import MOST_BYTES as MOST_MODULE_BYTES
from chalicelib.sandbox.module import look_at

SUFFIX: Final = ".penstock"
MANIFESTS: Final = ("plugin.yaml", "plugin.json")
MODULE: Final = "plugin.wasm"
MOST_PACKAGE_BYTES: Final = MOST_MODULE_BYTES + MOST_MANIFEST_BYTES + 10_000
_ENTRY: Final = b"PK\x01\x02"
"""What an entry of a zip file's directory begins with; packed data may look like it, though hardly twice."""
_MOST_ENTRIES = 10
_KNOWN_FLAGS = 0x0800 | 0x0006
"""Names in UTF-8, how hard it was compressed; not encrypted, and nothing newer."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package in which nothing is wrong: its module was looked at, though not compiled."""

    manifest: Manifest
    module: bytes
    wants_wasi: bool


def read_package(content: bytes) -> Package:
    """The package in a file; raises PackageRefusedError or ModuleRefusedError, which say what is wrong."""
    if len(content) > MOST_PACKAGE_BYTES:
        raise refused(f"the package has more than {MOST_PACKAGE_BYTES:,} bytes")
    files = _files(content)
    found = [name for name in MANIFESTS if name in files]
    if len(found) != 1 or MODULE not in files or len(files) != 2:
        raise refused(f"a package holds {MANIFESTS[0]} or {MANIFESTS[1]}, and {MODULE}, and nothing else")
    return _checked(read_manifest(files[found[0]], found[0]), files[MODULE])


def write_package(manifest: bytes, name: str, module: bytes) -> bytes:
    """A package of a manifest, in a file of this name, and a module: the same bytes for the same content.

    The manifest may leave the module's hash out here; in the package it stands. Raises as `read_package` does.
    """
    digest = hashlib.sha256(module).hexdigest()
    whole = _checked(read_manifest(manifest, name, digest), module).manifest
    text = json.dumps(whole.to_json(), ensure_ascii=False, indent=1).encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in ((MANIFESTS[1], text), (MODULE, module)):
            archive.writestr(zipfile.ZipInfo(each, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 9)
    return made.getvalue()


def _checked(manifest: Manifest, module: bytes) -> Package:
    digest = hashlib.sha256(module).hexdigest()
    if manifest.sha256 != digest:
        raise refused(f"`sha256` is that of another module: {MODULE} has {digest}")
    wants_wasi = look_at(module).wants_wasi
    if wants_wasi and not manifest.asks.wasi:
        raise refused("its module imports WASI, and the manifest does not ask for it: `asks: {wasi: true}`")
    return Package(manifest, module, wants_wasi)


def _files(content: bytes) -> dict[str, bytes]:
    """The files by name; each is read up to its limit, however much it says or is."""
    files: dict[str, bytes] = {}
    if content.count(_ENTRY) > _MOST_ENTRIES:  # before anything makes an object of each
        raise refused("the package's directory is too long")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                name = info.filename
                if name in files:
                    raise refused(f"the package holds {name[:60]!r} twice")
                if name not in (*MANIFESTS, MODULE) or info.orig_filename != name:
                    raise refused(f"the package holds {name[:60]!r}; {MANIFESTS[0]} and {MODULE} are all there is")
                if (
                    info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                    or info.flag_bits & ~_KNOWN_FLAGS
                ):
                    raise refused(f"{name} is packed in a way that is not read here")
                most = MOST_MODULE_BYTES if name == MODULE else MOST_MANIFEST_BYTES
                with archive.open(info) as opened:
                    files[name] = opened.read(most + 1)
                if len(files[name]) > most:
                    raise refused(f"{name} has more than {most:,} bytes")
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError) as error:
        raise refused("it is no zip file that can be read") from error
    return files
