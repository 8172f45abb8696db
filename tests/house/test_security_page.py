"""docs/security.md: every claim names what shows it, and what it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
HEADER = "| Who tries what | What stops it | Shown by |"
CODE = re.findall(r"`([^`\n]+)`", TEXT)
TESTS = sorted({each for each in CODE if each.startswith("tests/") and "test_" in each})


def claims():
    """The rows of every table of threats: who, what stops it, and what shows it."""
    found, inside = [], False
    for line in TEXT.splitlines():
        inside = line == HEADER or (inside and line.startswith("|"))
        if inside and line != HEADER and not line.startswith("|---"):
            found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


@cache
def functions_in(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


def test_there_are_claims_in_every_chapter_and_each_says_what_is_not_promised():
    chapters = TEXT.split("\n## ")[1:]
    assert len(chapters) >= 6
    for chapter in chapters:
        assert HEADER in chapter, chapter[:40]
        assert "\nNot promised: " in chapter, chapter[:40]


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim[0][:60])
def test_a_claim_names_a_test_that_shows_it(claim):
    who, stops, shown = claim
    assert who
    assert stops
    assert re.search(r"`tests/[\w/]+\.py(::\w+)?`", shown), shown


@pytest.mark.parametrize("named", TESTS)
def test_a_test_that_is_named_is_there(named):
    file, _, name = named.partition("::")
    assert (ROOT / file).is_file()
    assert not name or name in functions_in(ROOT / file)


def test_a_command_that_is_named_is_there():
    commands = {each for each in CODE if each.startswith("make ")}
    assert {"make lock", "make sbom", "make audit"} <= commands
    assert {each.split()[1] for each in commands} <= TARGETS


def test_a_file_that_is_named_is_there():
    files = [each for each in CODE if re.fullmatch(r"(infra|docs|chalicelib|tools|tests|\.chalice)/[\w./-]+", each)]
    assert [each for each in files if not (ROOT / each).exists()] == []
    links = re.findall(r"\]\(([\w./-]+)\)", TEXT)
    assert [each for each in links if not (ROOT / "docs" / each).exists()] == []


def test_the_page_is_found_from_the_others():
    assert "(security.md)" in (ROOT / "docs" / "README.md").read_text("utf-8")
