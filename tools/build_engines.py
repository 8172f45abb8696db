"""Build the engines of code nodes, and hold the shipped modules against what is built: `--check` writes nothing.

    python -m tools.build_engines [--check]

`quickjs.wasm` is QuickJS-ng, as the crate `rquickjs-sys` carries its sources, with a small program of ours
(`tools/engines/javascript.c`) in front. The crate is fetched by cargo and held against its SHA-256; the compiler is
zig, as PyPI's `ziglang` brings it (`pip install penstock[engines]`). The same crate, compiler and program give the same
bytes on every machine, so whoever doubts the shipped module builds it.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "tools" / "engines"
SHIPPED: Final = ROOT / "chalicelib" / "sandbox" / "engines"

ZIG: Final = "0.17.0"


@dataclass(frozen=True, slots=True)
class Crate:
    """A package of crates.io: what it is, and what it must be."""

    name: str
    version: str
    sha256: str


QUICKJS: Final = Crate("rquickjs-sys", "0.14.0", "cee271d0eeba64f0915b846cb7ae02e16faf3dfdffdca91731101d9d30fe3423")

FLAGS: Final = (
    *("-target", "wasm32-wasi", "-mcpu=generic", "-Oz", "-std=gnu23", "-mexec-model=reactor"),
    *("-D_GNU_SOURCE", "-DNDEBUG", "-funsigned-char", "-fno-sanitize=undefined", "-fvisibility=hidden", "-w"),
    *("-ffile-prefix-map=.=", "-I."),
    # A small stack of its own in front of everything else: what grows beyond it leaves the memory, and traps.
    *("-Wl,--strip-all", "-Wl,-z,stack-size=524288", "-Wl,--export=penstock_script"),
)

UNDER_WASI: Final = {
    b"\n#ifdef __wasi__\n    rt->stack_size = 0;\n#endif\n": b"\n",
    b"\n#if defined(__wasi__)\n    rt->stack_limit = 0; /* no limit */\n#else\n": b"\n#if 1\n",
}
"""What is changed in QuickJS: under WASI it leaves its own stack unlimited, and recursion would end as a trap."""


class BuildError(Exception):
    """The engine cannot be built here."""


def main() -> int:
    """Build, and write or compare; 1 where the shipped module is another, or nothing can be built."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the shipped module differs")
    options = parser.parse_args()
    try:
        module, license_text = build_quickjs()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    made = {SHIPPED / "quickjs.wasm": module, SHIPPED / "quickjs.LICENSE": license_text}
    if options.check:
        stale = [path.name for path, content in made.items() if not path.exists() or path.read_bytes() != content]
        if stale:
            print(f"not what is built: {', '.join(stale)}; run `python -m tools.build_engines`", file=sys.stderr)
        return 1 if stale else 0
    for path, content in made.items():
        path.write_bytes(content)
        print(f"{path.relative_to(ROOT)}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
    return 0


def build_quickjs() -> tuple[bytes, bytes]:
    """The engine's module and its licence; BuildError where something it needs is not here."""
    with tempfile.TemporaryDirectory() as directory:
        room = Path(directory)
        _unpack(_crate(QUICKJS, room / "cargo"), QUICKJS, room)
        sources = room / f"{QUICKJS.name}-{QUICKJS.version}" / "quickjs"
        engine = (sources / "quickjs.c").read_bytes()
        for before, after in UNDER_WASI.items():
            if engine.count(before) != 1:
                raise BuildError(f"quickjs.c is not what it was: {before.decode()!r} does not stand in it once")
            engine = engine.replace(before, after)
        (sources / "quickjs.c").write_bytes(engine)
        for ours in ("javascript.c", "javascript.js"):
            shutil.copy(SOURCES / ours, sources / ours)
        files = ["javascript.c", "quickjs.c", "libregexp.c", "libunicode.c", "dtoa.c"]
        zig(sources, room / "cache", "cc", *FLAGS, "-o", "quickjs.wasm", *files)
        return (sources / "quickjs.wasm").read_bytes(), (sources / "LICENSE").read_bytes()


def zig(where: Path, cache: Path, *arguments: str) -> None:
    """Run zig in a folder; BuildError where it is missing, another version, or fails."""
    try:
        found = metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        raise BuildError(f"zig is missing: pip install ziglang=={ZIG}") from None
    if found != ZIG:
        raise BuildError(f"the engine is built with zig {ZIG}; here is {found}: pip install ziglang=={ZIG}")
    _run([sys.executable, "-m", "ziglang", *arguments], where, {"ZIG_GLOBAL_CACHE_DIR": str(cache)})


def _crate(crate: Crate, home: Path) -> bytes:
    """The crate as cargo fetches it, held against its hash."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise BuildError("cargo is missing: it fetches the sources (https://rustup.rs)")
    package = home / "package"
    (package / "src").mkdir(parents=True)
    (package / "src" / "lib.rs").touch()
    head = '[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n'
    (package / "Cargo.toml").write_text(f'{head}{crate.name} = "={crate.version}"\n')
    _run([cargo, "fetch", "--quiet"], package, {"CARGO_HOME": str(home)})
    content = next(home.glob(f"registry/cache/*/{crate.name}-{crate.version}.crate")).read_bytes()
    if (digest := hashlib.sha256(content).hexdigest()) != crate.sha256:
        raise BuildError(f"{crate.name} {crate.version} has the SHA-256 {digest}, not {crate.sha256}")
    return content


def _unpack(content: bytes, crate: Crate, room: Path) -> None:
    archive = room / f"{crate.name}.crate"
    archive.write_bytes(content)
    with tarfile.open(archive) as opened:
        opened.extractall(room, filter="data")


def _run(command: list[str], where: Path, environment: dict[str, str]) -> None:
    """Run a program quietly; BuildError with what it said where it fails."""
    done = subprocess.run(
        command, cwd=where, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{Path(command[0]).name} failed:\n{done.stderr[-4000:]}")


if __name__ == "__main__":
    sys.exit(main())
