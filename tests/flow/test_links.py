"""Which links an expression names."""

import pytest

from chalicelib.flow.links import Link, links_in


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("execution.links.ask", [Link("ask", 0)]),
        (" execution . links . ask ", [Link("ask", 1)]),
        ("execution.'links'.`ask`", [Link("ask", 0)]),
        ("rows[url = $execution.links.ask]", [Link("ask", 11)]),
        ("execution.links.a & execution.links.b", [Link("a", 0), Link("b", 20)]),
        ("execution.links", [Link("", 0)]),
        ("execution.links['ask']", [Link("", 0)]),
        ("execution.links.*", [Link("", 0)]),
        ("execution.links.$lookup('a')", [Link("", 0)]),
        ("execution.id", []),
        ("inputs.execution.links.ask", []),
        ("inputs.links.ask", []),
        ("'execution.links.ask'", []),
        ("inputs.a /* execution.links.ask */", []),
        ("execution.url & '.links.ask'", []),
        ("execution", []),
        ("", []),
    ],
)
def test_a_link_is_found_where_it_is_named_and_nowhere_else(expression: str, found: list[Link]):
    assert list(links_in(expression)) == found
