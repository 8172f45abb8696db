"""WASI as it is declared here, held against the engine's own."""

import pytest
from wasmtime import Engine, Linker, Module, Store, WasiConfig, wat2wasm

from chalicelib.sandbox.abi import I64, WASI, WASI_FUNCTIONS


def words(kind, codes):
    return f"({kind} {' '.join('i64' if code == I64 else 'i32' for code in codes)})" if codes else ""


@pytest.mark.parametrize("name", WASI_FUNCTIONS)
def test_each_function_has_the_type_that_the_engine_gives_it(name):
    takes, gives = WASI_FUNCTIONS[name]
    wat = f'(module (import "{WASI}" "{name}" (func {words("param", takes)} {words("result", gives)})))'
    engine = Engine()
    linker, store = Linker(engine), Store(engine)
    linker.define_wasi()
    store.set_wasi(WasiConfig())
    assert linker.instantiate(store, Module(engine, wat2wasm(wat))) is not None  # it would raise
