"""Comma-separated values: RFC 4180, and what spreadsheets make of it. `import csv` is still the standard library's."""
