"""Accesses of arrays that drive few wordlines at a time: a bit-plane takes as many as its ones ask for.

Source: FLARE (arXiv 2411.14733) keeps the ADC small by it; the ones of an input's bit-plane are counted and
dealt to accesses of so many wordlines. That a plane without ones takes no access, and no cycle, is an
assumption: ones are counted as the input register is filled, and the shift-and-add shifts by any distance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archsim.parts.activity import Activity

Float64 = NDArray[np.float64]

NEGLIGIBLE = 1e-18
"""Chances below it change no sum of float64, and are left out of convolutions."""


@dataclass(frozen=True, slots=True, eq=False)
class Accesses:
    """The accesses that an input takes of the arrays of one matrix.

    Args: total: how likely an input keeps the arrays busy for ``fewest`` accesses, one more, ...;
        of_block: those of one array, by the rows of it that are in use, on average.
    """

    total: Float64
    fewest: int
    of_block: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Accesses for which an input keeps the arrays busy, on average."""
        return self.fewest + float(self.total @ np.arange(len(self.total)))

    def expected(self, tokens: int) -> NDArray[np.int64]:
        """(tokens,) the mean, rounded so that the errors of many tokens do not add up."""
        ends = np.floor(np.arange(tokens + 1) * self.mean + 0.5).astype(np.int64)
        return np.asarray(np.diff(ends))

    def sampled(self, tokens: int, seed: Sequence[int]) -> NDArray[np.int64]:
        """(tokens,) a systematic sample of the distribution in random order.

        Each number comes up as often as ``tokens`` times its chance, rounded up or down. So the sum differs
        from that of the means by less than the largest number minus the smallest, however many tokens.
        """
        draws = np.random.default_rng(list(seed))
        ends = np.floor(tokens * np.cumsum(self.total) + draws.random()).astype(np.int64)
        ends[-1] = tokens
        times = np.diff(np.minimum(ends, tokens), prepend=0)
        return draws.permutation(np.repeat(self.fewest + np.arange(len(times)), times))


def accesses(
    activity: Activity,
    name: str,
    reads: int,
    blocks: Mapping[int, int],
    limit: int,
    lockstep: Literal["plane", "vector"],
) -> Accesses:
    """The accesses of an input to the matrix ``name``.

    The ones of its row blocks are independent of each other (assumption). An input without any ones takes
    one access.
    Args: reads: planes of an input; blocks: row blocks by the rows that are in use; limit: wordlines an
        access; lockstep: what all of the arrays begin together.
    """
    by_height = {rows: [_of_ones(pmf, limit) for pmf in activity.pmf(name, reads, rows)] for rows in blocks}
    of_block = {
        rows: float(sum(pmf @ np.arange(len(pmf)) for pmf in planes)) for rows, planes in by_height.items()
    }
    if lockstep == "plane":
        slowest = [
            _largest((by_height[rows][plane], count) for rows, count in blocks.items())
            for plane in range(reads)
        ]
        total = _sum(slowest)
    else:
        total = _largest((_sum(by_height[rows]), count) for rows, count in blocks.items())
    if len(total) == 1:
        return Accesses(np.ones(1), 1, of_block)
    at_least_one = np.concatenate([[total[0] + total[1]], total[2:]])
    fewest = int(np.argmax(at_least_one > NEGLIGIBLE))
    return Accesses(at_least_one[fewest:] / at_least_one[fewest:].sum(), 1 + fewest, of_block)


def _of_ones(ones: Float64, limit: int) -> Float64:
    """How likely a plane takes 0, 1, ... accesses, given how likely it has 0, 1, ... ones."""
    number = -(-np.arange(len(ones)) // limit)
    return np.bincount(number, weights=ones).astype(np.float64)


def _largest(of: Iterable[tuple[Float64, int]]) -> Float64:
    """How likely the largest of independent numbers is 0, 1, ...

    Args: of: distributions, each with how many numbers have it.
    """
    given = list(of)
    longest = max(len(pmf) for pmf, _ in given)
    below = np.ones(longest)
    for pmf, count in given:
        below *= np.minimum(np.cumsum(np.pad(pmf, (0, longest - len(pmf)))), 1.0) ** count
    return np.diff(below, prepend=0.0)


def _sum(pmfs: Sequence[Float64]) -> Float64:
    """How likely the sum of independent numbers is 0, 1, ..."""
    total, first = np.ones(1), 0
    for pmf in pmfs:
        some = np.flatnonzero(pmf > NEGLIGIBLE)
        first += int(some[0])
        total = np.convolve(total, pmf[some[0] : some[-1] + 1])
    return np.concatenate([np.zeros(first), total])
