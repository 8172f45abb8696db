"""The engines of code nodes: languages, compiled to WebAssembly. `tools/build_engines.py` builds them."""
