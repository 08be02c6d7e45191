"""What the compiled kernels share: bits in words of 64 rows, memory in lines, threads; imports numba."""

# Compiled code: the types are numba's.
# mypy: disable-error-code="call-arg"

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from archsim.crossbar.coding import Planes

WORD_ROWS = 64
"""Rows that a word holds."""

UInt64 = NDArray[np.uint64]


LINE_BYTES = 64
"""A cache line, and the longest vector of a processor: one that straddles two lines takes twice as long."""


OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""Of compiled functions: they allocate nothing, so that no references need to be counted."""


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros that begin with a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE_BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % LINE_BYTES
    memory: NDArray[Any] = raw[start : start + size].view(dtype).reshape(shape)
    return memory


def block_words(rows: int, block_rows: int) -> tuple[int, int]:
    """Blocks of a matrix of ``rows``, and words of each."""
    return -(-rows // block_rows), -(-min(rows, block_rows) // WORD_ROWS)


def words_of_reads(planes: Planes, block_rows: int) -> UInt64:
    """The wordlines that each read drives, the first row of a block in the lowest bit of its first word.

    Returns: (signs, blocks, words, batch * reads): positive wordlines, then, if bipolar, negative ones; a
        block is filled up with rows that are not driven.
    """
    reads, batch, rows = planes.bits.shape
    blocks, words = block_words(rows, block_rows)
    height = min(rows, block_rows)
    whole = np.zeros((reads, batch, blocks * height), dtype=np.bool_)
    padded = np.zeros((reads, batch, blocks, words * WORD_ROWS), dtype=np.bool_)
    packed = []
    for sign in (1, -1) if planes.bipolar else (1,):
        np.equal(planes.bits, sign, out=whole[:, :, :rows])
        padded[:, :, :, :height] = whole.reshape(reads, batch, blocks, height)
        packed.append(np.packbits(padded, axis=3, bitorder="little").view("<u8").transpose(2, 3, 1, 0))
    return np.stack(packed).reshape(len(packed), blocks, words, batch * reads).astype(np.uint64, copy=False)


def spread(work: Callable[[int], int], jobs: int, threads: int) -> int:
    """The sum of ``work`` of every job; jobs must not write to the same place.

    Threads of Python's own, for compiled code that runs without the interpreter's lock: numba's default
    threads end the process when two callers use them at the same time.
    """
    if min(jobs, threads) <= 1:
        return sum(map(work, range(jobs)))
    with ThreadPoolExecutor(min(jobs, threads)) as pool:
        return sum(pool.map(work, range(jobs)))


def threads() -> int:
    """How many threads may be used: what numba is told by NUMBA_NUM_THREADS, or else all processors."""
    return int(getattr(numba.config, "NUMBA_NUM_THREADS"))  # noqa: B009  # which mypy does not know


def compiled(function: Any) -> Any:
    """A function of the kernels: cached on disk, in the user's cache where the package cannot be written."""
    return numba.njit(cache=True, **OPTIONS)(function)


def inlined(function: Any) -> Any:
    """A function that becomes a part of its callers' loops, so that these can be vectors."""
    return numba.njit(forceinline=True, **OPTIONS)(function)


@intrinsic
def popcount(_context: Any, word: Any) -> Any:
    """The ones of an uint64, as int64, in one instruction where the processor has it."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(word), generate


@inlined
def driven_rows(words: UInt64, read: int) -> int:
    """Wordlines of one block, (signs, words, batch * reads), that a read drives."""
    driven = 0
    for sign in range(words.shape[0]):
        for w in range(words.shape[1]):
            driven += popcount(words[sign, w, read])
    return driven
