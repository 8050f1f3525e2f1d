"""What training on a CPU asks of its process: freed memory is kept, and fp32 is multiplied by the library that does it fastest.

Neither changes what is computed but in the last bits, and both are decided by the machine alone, so that a run and its continuation
agree to the bit. Knows no model and no loop.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from swift.utils.log import logger

__all__ = ["fast_fp32", "kept_memory", "prepared"]

# glibc, malloc.h
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_MMAP_MAX_DEFAULT, _TRIM_DEFAULT = 65536, 128 << 10
_MALLOC_SETTINGS = ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


@contextlib.contextmanager
def prepared(device: torch.device) -> Iterator[None]:
    """All of this for the time of a run, where the run is on the CPU."""
    if device.type != "cpu":
        yield
        return
    with kept_memory(), fast_fp32():
        yield


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Let the process keep what it frees; afterwards, give it back.

    A step asks for the same hundreds of megabytes as the one before. glibc returns blocks of 32 MiB and more, and the end of its heap, to
    the system, which hands them out again as empty pages, one fault every 4 KiB: a fifth to a third of a step. Where there is no glibc,
    or the user has settings of malloc of their own, nothing is done.
    """
    libc = _glibc()
    if libc is None or any(name in os.environ for name in _MALLOC_SETTINGS):
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _MMAP_MAX_DEFAULT)
        libc.mallopt(_TRIM_THRESHOLD, _TRIM_DEFAULT)
        libc.malloc_trim(0)


@contextlib.contextmanager
def fast_fp32() -> Iterator[None]:
    """Multiply fp32 by oneDNN instead of MKL, which keeps AMD processors to half of their width (two times as fast, and as exact).

    torch has no switch of that name. Its leave to use bf16 (``fp32_precision``) chooses oneDNN, and oneDNN uses bf16 only with AMX; so this
    is done on AMD processors without AMX, and only while a product comes out as exact as fp32 does.
    """
    if not _mkl_is_slow():
        yield
        return
    settings: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        if not _is_exact():  # a later oneDNN may round
            settings.fp32_precision = before
            logger.info("fp32 products stay with MKL: oneDNN rounds them on this machine")
        yield
    finally:
        settings.fp32_precision = before


def _mkl_is_slow() -> bool:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    flags = set(next((line for line in told.splitlines() if line.startswith("flags")), "").split())
    return (
        "AuthenticAMD" in told
        and {"avx512f", "avx512_bf16"} <= flags
        and not {"amx_tile", "amx_bf16"} & flags
        and torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    )


def _is_exact() -> bool:
    """Whether products of the shapes of a layer and its gradients have the error of fp32: bf16 errs a thousand times as much."""
    generator = torch.Generator().manual_seed(0)
    x, w = torch.rand(96, 256, generator=generator), torch.rand(128, 256, generator=generator)
    g = torch.rand(96, 128, generator=generator)
    for a, b in ((x, w.t()), (g, w), (g.t(), x)):
        exact = a.double() @ b.double()
        if float(((a @ b).double() - exact).abs().max() / exact.abs().max()) > 1e-5:
            return False
    return True


def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except OSError:
        return None
    return libc if all(hasattr(libc, name) for name in ("mallopt", "malloc_trim", "gnu_get_libc_version")) else None
