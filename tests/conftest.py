"""Print, after the last test, what tests have to say about how much they covered.

A test calls `record_property("covered", "sigv4: 234 vectors checked ...")`; the line stands in pytest's closing
summary if the test passed, with or without -s, in one process or under pytest-xdist.
"""

from tests.aws_server import aws_url  # noqa: F401  a fixture; nothing starts before a test takes it

collect_ignore = ["flow/files"]
"""Files to be read by tests: among them tests of flows whose nodes there are not."""


def pytest_terminal_summary(terminalreporter):
    """Write the lines that passed tests recorded, sorted, each once."""
    lines = {
        str(value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == "covered"
    }
    if lines:
        terminalreporter.section("covered")
        for line in sorted(lines):
            terminalreporter.write_line(line)
