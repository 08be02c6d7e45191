"""Weight matrices as they are stored: SVD factors, and which of their ranks take the robust cells.

Source: HyFlexPIM (ISCA 2025, arXiv 2506.00020): hard-threshold rank, SLC/MLC split by rank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Literal

from archsim.parts.part import Region


@dataclass(frozen=True, slots=True)
class Factor:
    """A matrix to be stored: a whole weight matrix, one of its two SVD factors, or a PU's share of either.

    Args: rows, columns: inputs and outputs; robust: how many of its lines take the first mode of the
        cells; lines: which lines those are. A first factor has its ranks as columns, a second one as
        rows; a matrix without factors has no ranks, and its columns take their place (assumption: the
        paper splits factored matrices only).
    """

    rows: int
    columns: int
    robust: int
    lines: Literal["rows", "columns"]

    @property
    def total_lines(self) -> int:
        """Ranks, or what takes their place."""
        return self.columns if self.lines == "columns" else self.rows


def hard_threshold_rank(rows: int, columns: int) -> int:
    """The largest rank whose two factors have no more weights than the matrix: m n / (m + n)."""
    return rows * columns // (rows + columns)


def exact_rate(rate: float) -> Fraction:
    """A rate as it was written: 0.05 is 1/20, not the nearest binary number."""
    return Fraction(str(rate))


def factorise(rows: int, columns: int, svd: str, slc_rate: Fraction) -> tuple[Factor, ...]:
    """The matrices that are stored for a weight matrix.

    Args: svd: ``hard_threshold`` or ``none``; slc_rate: share of the ranks that takes the robust mode.
    Returns: one matrix, or two factors; a matrix whose rank would be below 1 stays whole.
    """
    rank = hard_threshold_rank(rows, columns) if svd == "hard_threshold" else 0
    if rank < 1:
        return (Factor(rows, columns, math.ceil(slc_rate * columns), "columns"),)
    robust = math.ceil(slc_rate * rank)
    return (Factor(rows, rank, robust, "columns"), Factor(rank, columns, robust, "rows"))


def even_shares(total: int, pus: int) -> tuple[int, ...]:
    """``total`` dealt to ``pus`` as evenly as whole numbers allow, the larger shares first."""
    share, rest = divmod(total, pus)
    return tuple(share + (pu < rest) for pu in range(pus))


def split_columns(factor: Factor, widths: Sequence[int]) -> tuple[Factor, ...]:
    """The columns of ``factor`` dealt to PUs; robust columns are spread over them in proportion."""
    if factor.lines == "rows":
        return tuple(Factor(factor.rows, width, factor.robust, "rows") for width in widths)
    ends = accumulate(widths, initial=0)
    robust = (b - a for a, b in pairwise(-(-factor.robust * end // factor.columns) for end in ends))
    return tuple(
        Factor(factor.rows, width, share, "columns") for width, share in zip(widths, robust, strict=True)
    )


def split_rows(factor: Factor, heights: Sequence[int]) -> tuple[Factor, ...]:
    """The rows of a ``factor`` that has its ranks as columns, dealt to PUs."""
    return tuple(Factor(height, factor.columns, factor.robust, "columns") for height in heights)


def regions(factor: Factor, modes: Sequence[str]) -> tuple[Region, ...]:
    """The rectangles of ``factor`` in each mode of a part's cells, empty ones left out.

    Args: modes: the part's, the most robust first; the first two are used. Without a choice of modes
        there is one region.
    """
    if len(modes) < 2:
        return (Region(modes[0] if modes else "", factor.rows, factor.columns),)
    counts = zip(modes, (factor.robust, factor.total_lines - factor.robust), strict=False)
    if factor.lines == "columns":
        return tuple(Region(mode, factor.rows, lines) for mode, lines in counts if lines)
    return tuple(Region(mode, lines, factor.columns) for mode, lines in counts if lines)
