"""Valid examples, and wrong ones, as the repository has them: flows, tests, vectors, docs."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def as_bytes(*texts: str) -> list[bytes]:
    """Texts as seeds; halves of characters stay what they are."""
    return [text.encode("utf-8", "surrogatepass") for text in texts]


def as_json(*values: Any) -> list[bytes]:
    """Values as seeds, each a JSON document."""
    return [json.dumps(value).encode() for value in values]


@cache
def flow_texts() -> tuple[bytes, ...]:
    """Every flow file, and the mistakes that tests try."""
    places = ("flows", "tests/flow/files", "tests/patterns/flows")
    found = [
        path.read_bytes() for place in places for path in sorted((ROOT / place).glob("*.yaml")) if not _is_test(path)
    ]
    return (*found, *(block.encode() for block in blocks("yaml") if "steps:" in block or "triggers:" in block))


@cache
def suite_texts() -> tuple[bytes, ...]:
    """Every test file of a flow."""
    places = ("flows", "tests/flow/files")
    return tuple(path.read_bytes() for place in places for path in sorted((ROOT / place).glob("*.test.yaml")))


@cache
def blocks(language: str) -> tuple[str, ...]:
    """The blocks of a language in the docs."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    return tuple(
        found[2] for page in pages for found in _BLOCK.finditer(page.read_text("utf-8")) if found[1] == language
    )


@cache
def vectors(name: str) -> Any:
    """A file of `tests/vectors`."""
    return json.loads((ROOT / "tests" / "vectors" / f"{name}.json").read_text("utf-8"))


@cache
def expressions() -> tuple[str, ...]:
    """What stands between `${` and `}` in flows and docs, and every published escape string."""
    inside = re.compile(r"\$\{(.*?)\}", re.DOTALL)
    texts = [text.decode() for text in flow_texts()] + list(blocks("yaml"))
    own = {found.strip() for text in texts for found in inside.findall(text)}
    table = re.findall(r"`([^`\n]*\$[^`\n]*)`", (ROOT / "docs" / "expressions.md").read_text("utf-8"))
    escapes = [each for group in vectors("escapes")["groups"] for each in group["strings"]]
    return (*sorted(own), *table, *escapes)


def addresses(*kinds: str) -> list[str]:
    """Values of the egress corpus."""
    return [row["value"] for row in vectors("egress")["rows"] if row["kind"] in kinds]


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings(list(cast("dict[str, Any]", value).values()))
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from strings(each)


def _is_test(path: Path) -> bool:
    return path.stem.endswith(".test")
