"""JSON: text to value and back, and values addressed, merged and patched by the standards; one file per node.

Imports are absolute everywhere, so `import json` still means the standard library's.
"""
