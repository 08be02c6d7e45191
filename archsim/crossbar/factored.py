"""A matrix as two SVD factors on the arrays of a machine, one after the other.

Source: HyFlexPIM (ISCA 2025, arXiv 2506.00020): the singular values are folded into the factor that is used
first; a rank is stored as SLC, or as MLC, in both factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archsim.crossbar.coding import Int64, Quantised, real_matrix
from archsim.crossbar.program import Crossbar, Programmed, Seed, seed_numbers
from archsim.errors import CrossbarError

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RealProduct:
    """A product in real numbers, and what the arrays did for it.

    Args: values: (batch, columns); conversions: that were made; saturated: of them, whose sum went beyond
        the codes; clipped: numbers between the factors that went beyond the scale they are given.
    """

    values: Float64
    conversions: int
    saturated: int
    clipped: int


@dataclass(frozen=True, slots=True, eq=False)
class Factored:
    """Two factors in their cells; what the first one gives is made whole numbers for the second one.

    Args: first: (rows, ranks); second: (ranks, columns); between_scale: of those numbers, or None where
        each batch has the scale of its largest one.
    """

    first: Programmed
    second: Programmed
    between_scale: float | None

    @property
    def rank(self) -> int:
        """Columns of the first factor, rows of the second one."""
        return self.second.rows

    def multiply(self, inputs: NDArray[Any], *, seed: Seed = 0) -> RealProduct:
        """Real inputs times the matrix, as the arrays compute it.

        Args: inputs: (batch, rows) or (rows,); seed: of the deviations of reads.
        Raises: CrossbarError: when shape, type or range do not fit.
        """
        numbers = seed_numbers(seed)
        given = self.first.crossbar.quantise_inputs(inputs)
        before = self.first.multiply(given.values, seed=(*numbers, 0))
        between, clipped = self._between(before.values * (given.scale * self.first.scale))
        after = self.second.multiply(between.values, seed=(*numbers, 1))
        return RealProduct(
            after.values * (between.scale * self.second.scale),
            before.conversions + after.conversions,
            before.saturated + after.saturated,
            clipped,
        )

    def multiply_real(self, inputs: NDArray[Any], *, seed: Seed = 0) -> Float64:
        """The values of ``multiply``, (batch, columns)."""
        return self.multiply(inputs, seed=seed).values

    def exact(self, inputs: NDArray[Any]) -> Float64:
        """The same product with all its whole numbers, but without the errors of cells and converters."""
        given = self.first.crossbar.quantise_inputs(inputs)
        before = self.first.exact(given.values)
        between, _ = self._between(before * (given.scale * self.first.scale))
        return self.second.exact(between.values) * (between.scale * self.second.scale)

    def _between(self, values: Float64) -> tuple[Quantised, int]:
        return _requantise(values, self.second.crossbar, self.between_scale)


def hard_threshold_rank(rows: int, columns: int) -> int:
    """The largest rank whose two factors have no more weights than the matrix: m n / (m + n)."""
    return rows * columns // (rows + columns)


def svd_factors(matrix: NDArray[Any], rank: int | None = None) -> tuple[Float64, Float64]:
    """The two factors of a matrix, (rows, ranks) and (ranks, columns), by falling singular values.

    Args: matrix: (rows, columns); rank: how many are kept, the hard-threshold rank by default.
    Raises: CrossbarError: when it is no matrix, or there is no such rank.
    """
    given = real_matrix(matrix, "a matrix of weights").astype(np.float64)
    rows, columns = given.shape
    kept = hard_threshold_rank(rows, columns) if rank is None else rank
    if rank is None and kept < 1:
        raise CrossbarError(
            f"a matrix of {rows} x {columns} has no hard-threshold rank: {rows} x {columns} / "
            f"({rows} + {columns}) is below 1; program it whole, or give a rank"
        )
    if not 1 <= kept <= min(rows, columns):
        raise CrossbarError(
            f"rank is {rank}; the factors of a matrix of {rows} x {columns} have 1 to {min(rows, columns)}"
        )
    left, singular, right = np.linalg.svd(given, full_matrices=False)
    return left[:, :kept] * singular[:kept], right[:kept]


def program_factored(
    crossbar: Crossbar,
    matrix: NDArray[Any],
    *,
    rank: int | None = None,
    slc: ArrayLike | None = None,
    samples: NDArray[Any] | None = None,
    seed: Seed = 0,
) -> Factored:
    """Write the SVD factors of a matrix into cells, the ranks in the order of their singular values.

    Args: matrix, rank: as of ``svd_factors``; slc: which ranks are SLC, (ranks,) bool, or the share of them,
        those of the largest singular values: the machine's by default; samples, seed: as of
        ``program_factors``.
    Raises: CrossbarError: as ``svd_factors`` and ``program_factors``.
    """
    return program_factors(crossbar, *svd_factors(matrix, rank), slc=slc, samples=samples, seed=seed)


def program_factors(
    crossbar: Crossbar,
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    slc: ArrayLike | None = None,
    samples: NDArray[Any] | None = None,
    seed: Seed = 0,
) -> Factored:
    """Write two factors into cells: a rank is a column of the first and a row of the second one.

    Args: first: (rows, ranks); second: (ranks, columns); slc: which ranks are SLC, (ranks,) bool, or the
        share of them, the first ones; samples: (batch, rows) real inputs, from which the scale between the
        factors and calibrated converters are taken; seed: of the deviations.
    Raises: CrossbarError: when they are no factors, or as ``Crossbar.program``.
    """
    numbers = seed_numbers(seed)
    left, right = real_matrix(first, "the first factor"), real_matrix(second, "the second factor")
    if left.shape[1] != right.shape[0]:
        raise CrossbarError(
            f"the first factor has {left.shape[1]} columns and the second one {right.shape[0]} rows; "
            "both are the ranks"
        )
    if crossbar.model.arithmetic.inputs == "unsigned":
        raise CrossbarError(
            "arithmetic.inputs: unsigned cannot carry what a first factor gives, which has both signs: use "
            "twos_complement, sign_magnitude or two_pass"
        )
    given = None if samples is None else crossbar.quantise_inputs(samples)
    before = crossbar.program(
        left, slc=slc, samples=None if given is None else given.values, seed=(*numbers, 0)
    )
    between = None
    if given is not None:
        real = before.exact(given.values) * (given.scale * before.scale)
        between, _ = _requantise(real, crossbar, None)
    after = crossbar.program(
        right,
        split="rows",
        slc=slc,
        samples=None if between is None else between.values,
        seed=(*numbers, 1),
    )
    return Factored(before, after, None if between is None else float(between.scale[0]))


def _requantise(values: Float64, crossbar: Crossbar, scale: float | None) -> tuple[Quantised, int]:
    """Whole numbers of the inputs' width, in steps of ``scale`` or of the batch's, and how many clipped."""
    if scale is None or not values.size:
        return crossbar.quantise_inputs(values), 0
    top = max(2 ** (crossbar.input_bits - 1) - 1, 1)
    whole: Int64 = np.rint(values / scale).astype(np.int64)
    kept = np.clip(whole, -top, top)
    return Quantised(kept, np.array([scale])), int(np.count_nonzero(kept != whole))
