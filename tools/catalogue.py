"""Write what is generated from the nodes, or with `--check` say whether it is up to date.

`python -m tools.catalogue` writes chalicelib/catalogue.json, docs/nodes/ and docs/schemas/flow.schema.json.
"""

import json
import sys
from pathlib import Path

from tools.flow_schema import flow_schema
from tools.node_entries import all_entries
from tools.node_pages import index, page

ROOT = Path(__file__).parents[1]


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file and its text."""
    entries = all_entries()
    pages = root / "docs" / "nodes"
    files = {
        root / "chalicelib" / "catalogue.json": json.dumps(entries, ensure_ascii=False, indent=1) + "\n",
        root / "docs" / "schemas" / "flow.schema.json": json.dumps(flow_schema(entries), ensure_ascii=False, indent=1)
        + "\n",
        pages / "README.md": index(entries),
    }
    return files | {pages / f"{node_type}.md": page(entry) for node_type, entry in entries.items()}


def differences(files: dict[Path, str], root: Path = ROOT) -> tuple[list[Path], list[Path]]:
    """The files whose text differs from what is there, and the pages whose node is gone."""
    changed = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    gone = [path for path in sorted((root / "docs" / "nodes").glob("*.md")) if path not in files]
    return changed, gone


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write, or check; 1 where something is not up to date."""
    files = generated(root)
    changed, gone = differences(files, root)
    if arguments == ["--check"]:
        for path in (*changed, *gone):
            print(f"{path.relative_to(root)} is not up to date: run `make catalogue`", file=sys.stderr)
        return 1 if changed or gone else 0
    if arguments:
        print("usage: python -m tools.catalogue [--check]", file=sys.stderr)
        return 2
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], "utf-8")
    for path in gone:
        path.unlink()
    print(f"{len(files)} files, {len(changed)} written, {len(gone)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
