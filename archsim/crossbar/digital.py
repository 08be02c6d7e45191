"""The logic behind the converters: from sums of codes to products, in whole numbers as far as they go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.crossbar.adc import Converter
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Int64, Planes
from archsim.crossbar.reads import driven_wordlines

EXACT_BELOW = 2**53
"""Whole numbers up to this are exact in float64, whose matrix products are the fastest."""


def integer_product(inputs: Int64, weights: Int64) -> Int64:
    """The exact product (batch, columns), in float64 where all sums are exact there."""
    largest = int(np.abs(inputs).max(initial=0)) * int(np.abs(weights).max(initial=0)) * len(weights)
    if largest < EXACT_BELOW:
        return (inputs.astype(np.float64) @ weights.astype(np.float64)).astype(np.int64)
    return inputs @ weights


def values_of_codes(codes: NDArray[Any], planes: Planes, cells: Cells, converter: Converter) -> NDArray[Any]:
    """The products that sums of codes stand for.

    Each conversion gives code * step + zero; where a column is stored complemented, what stands for it is
    the top level times the sum of the wordlines, less that.

    Args: codes: (batch, columns), codes times the weights of plane and slice, negative where complemented,
        added up over all conversions.
    Returns: (batch, columns) int64 where ``codes`` are and the converter is exact and code 0 is the sum 0,
        float64 otherwise.
    """
    values = codes
    if not (converter.exact and converter.zero == 0):
        values = values * converter.step
    if converter.zero:
        values = values + converter.zero * integer_product(_conversions(planes, cells), _signs(cells))
    if cells.flipped.any():
        complemented = np.einsum("s,bsc->bc", cells.weight, cells.flipped)
        values = values + cells.top * integer_product(_wordline_sums(planes, cells), complemented)
    return values


def _conversions(planes: Planes, cells: Cells) -> Int64:
    """(batch, blocks) the weights of the planes that are converted, added up."""
    if cells.access_rows is None:
        return np.full((planes.bits.shape[1], cells.blocks), planes.weight.sum(), dtype=np.int64)
    driven = driven_wordlines(planes, cells.block_rows) > 0
    total: Int64 = np.einsum("p,pnb->nb", planes.weight, driven)
    return total


def _signs(cells: Cells) -> Int64:
    """(blocks, columns) the weights of the slices, negative where complemented, added up."""
    total: Int64 = np.einsum("s,bsc->bc", cells.weight, 1 - 2 * cells.flipped.astype(np.int64))
    return total


def _wordline_sums(planes: Planes, cells: Cells) -> Int64:
    """(batch, blocks) the driven wordlines of every plane, times its weight, added up with their signs."""
    inputs = np.einsum("p,pnr->nr", planes.weight, planes.bits)
    return np.add.reduceat(inputs, np.arange(0, inputs.shape[1], cells.block_rows), axis=1)
