"""The example of docs/testing-flows.md, run: what the page shows is what comes."""

import re
from pathlib import Path

from tests.cli.calling import penstock

PAGE = Path(__file__).parents[2] / "docs" / "testing-flows.md"
TIMES = re.compile(r"\(\d+ ms\)")


def test_the_example_gives_what_the_page_shows(tmp_path):
    blocks = dict(re.findall(r"`([^`\n]+)`:\n\n```(?:yaml)?\n(.*?)```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    for name in ("refund.yaml", "refund.test.yaml"):
        (tmp_path / name).write_text(blocks[name], encoding="utf-8")
    said = penstock("test", tmp_path / "refund.yaml")
    shown = (said.out + said.err).replace(f"{tmp_path}/", "")
    assert TIMES.sub("", shown) == TIMES.sub("", blocks["penstock test refund.yaml"])
    assert said.code == 1
