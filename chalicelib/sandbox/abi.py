"""The ABI of plugins, version 1, as data (docs/plugins.md says it in words)."""

from typing import Final, NamedTuple

VERSION: Final = 1
HOST: Final = "penstock"
WASI: Final = "wasi_snapshot_preview1"

I32: Final = 0x7F
I64: Final = 0x7E


class Signature(NamedTuple):
    """A function's type: the codes of its parameters and results (WebAssembly core specification, section 5.3.1)."""

    takes: tuple[int, ...]
    gives: tuple[int, ...] = ()


EXPORTS: Final = {
    "penstock_abi": Signature((), (I32,)),
    "penstock_alloc": Signature((I32,), (I32,)),
    "penstock_call": Signature((I32, I32), (I64,)),
}
INITIALIZE: Final = "_initialize"
IMPORTS: Final = {
    "http": Signature((I32, I32), (I64,)),
    "kv": Signature((I32, I32), (I64,)),
    "log": Signature((I32, I32, I32)),
}

_LETTERS = {"i": I32, "l": I64}
_WASI_FUNCTIONS = """
args_get:ii args_sizes_get:ii environ_get:ii environ_sizes_get:ii clock_res_get:ii clock_time_get:ili
fd_advise:illi fd_allocate:ill fd_close:i fd_datasync:i fd_fdstat_get:ii fd_fdstat_set_flags:ii
fd_fdstat_set_rights:ill fd_filestat_get:ii fd_filestat_set_size:il fd_filestat_set_times:illi fd_pread:iiili
fd_prestat_get:ii fd_prestat_dir_name:iii fd_pwrite:iiili fd_read:iiii fd_readdir:iiili fd_renumber:ii fd_seek:ilii
fd_sync:i fd_tell:ii fd_write:iiii path_create_directory:iii path_filestat_get:iiiii path_filestat_set_times:iiiilli
path_link:iiiiiii path_open:iiiiillii path_readlink:iiiiii path_remove_directory:iii path_rename:iiiiii
path_symlink:iiiii path_unlink_file:iii poll_oneoff:iiii proc_raise:i sched_yield: random_get:ii sock_accept:iii
sock_recv:iiiiii sock_send:iiiii sock_shutdown:ii
"""
WASI_FUNCTIONS: Final = {
    **{
        name: Signature(tuple(_LETTERS[letter] for letter in letters), (I32,))
        for name, _, letters in (each.partition(":") for each in _WASI_FUNCTIONS.split())
    },
    "proc_exit": Signature((I32,)),
}
"""Every function of WASI preview 1 (its witx files), each of which gives an error number."""
