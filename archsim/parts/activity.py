"""How often the bits of inputs are ones: as a hardware YAML states it, or as it was measured on real data.

A *plane* is one bit of all inputs of a vector, what one read of an array drives; a *block* is what one array
takes of it, as many inputs as it has rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from archsim.cost.entry import Section
from archsim.errors import MappingError
from archsim.parts.arithmetic import Share

Float64 = NDArray[np.float64]

ACTIVITY = "activity"
"""The label of the fact that says which data the times and energies of a part rest on."""

OTHERS = "all"
"""The operation whose measurement stands for all that have none of their own."""


class ActivityModel(Section):
    """Ones in the inputs, where time or energy depends on them."""

    ones: Annotated[list[Share], Field(min_length=1, max_length=64)] = Field(default_factory=lambda: [0.5])
    """Share of ones: one number for every bit-plane, or a list by plane in the order of the reads, the least
    significant bit first. Bits are independent of each other. Measured data takes its place."""
    reference_ones: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of ones for which the powers of the cells and of the wordline drivers hold."""
    mode: Literal["expected", "sampled"] = "expected"
    """Where time depends on ones, that of each token: ``expected``, its mean, rounded so that no error adds
    up; or ``sampled``, drawn from the distribution."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of what is sampled."""

    @field_validator("ones", mode="before")
    @classmethod
    def _one_for_all_planes(cls, value: Any) -> Any:
        return value if isinstance(value, list | dict) else [value]


@dataclass(frozen=True, slots=True, eq=False)
class BlockCounts:
    """Blocks of one height, counted by their ones.

    Args: rows: of a block; planes: (planes, rows + 1) how many blocks have so many ones.
    """

    rows: int
    planes: NDArray[np.int64]

    def pmf(self, height: int) -> Float64:
        """(planes, height + 1) how likely a block of ``height`` rows has so many ones.

        Of lower blocks than were measured, the rows are any of the measured ones, all equally likely.
        """
        share = self.planes / self.planes.sum(axis=1, keepdims=True)
        return np.asarray(share if height == self.rows else share @ _choices(self.rows, height))


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredOperation:
    """What was measured of the inputs of one operation.

    Args: blocks: by their rows; vectors: of inputs; conversions: that they took; saturated: of them.
    """

    blocks: Mapping[int, BlockCounts]
    vectors: int
    conversions: int = 0
    saturated: int = 0

    @property
    def planes(self) -> int:
        """Planes of a vector."""
        return len(next(iter(self.blocks.values())).planes)

    @property
    def shares(self) -> Float64:
        """(planes,) the share of ones."""
        ones = np.sum([block.planes @ np.arange(block.rows + 1) for block in self.blocks.values()], axis=0)
        bits = np.sum([block.planes.sum(axis=1) * block.rows for block in self.blocks.values()], axis=0)
        return np.asarray(ones / bits)

    @property
    def empty(self) -> float:
        """The share of the blocks of all planes that have no one."""
        none = sum(int(block.planes[:, 0].sum()) for block in self.blocks.values())
        return none / sum(int(block.planes.sum()) for block in self.blocks.values())

    def pmf(self, height: int) -> Float64 | None:
        """As ``BlockCounts.pmf``, of the lowest measured blocks that are high enough; None without any."""
        rows = min((rows for rows in self.blocks if rows >= height), default=0)
        return self.blocks[rows].pmf(height) if rows else None


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredActivity:
    """A measurement on real inputs.

    Args: operations: by id (``l0.ffn1``), by id without layer (``ffn1``), by kind (``linear``), or ``all``; a
        number behind the id names one of two SVD factors (``l0.ffn1.1``); digest: of the data.
    """

    operations: Mapping[str, MeasuredOperation]
    digest: str

    def of(self, name: str) -> MeasuredOperation | None:
        """The measurement for the matrix ``name``, such as ``l0.ffn1.1``: the nearest there is."""
        keys = [name, *_broader(name), "linear", OTHERS]
        return next((self.operations[key] for key in keys if key in self.operations), None)

    def __str__(self) -> str:
        """One line that says what was measured."""
        of = list(self.operations.values())
        vectors, conversions = sum(each.vectors for each in of), sum(each.conversions for each in of)
        ones = np.mean([each.shares.mean() for each in of])
        empty = np.mean([each.empty for each in of])
        text = f"measured on {vectors} vectors of {len(of)} operation{'s' * (len(of) > 1)} ({self.digest}): "
        text += f"{ones:.1%} ones, {empty:.1%} of the bit-planes of a row block are empty"
        if conversions:
            saturated = sum(each.saturated for each in of) / conversions
            text += f", {saturated:.2%} of the conversions saturate"
        return text


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """The ones that a part reckons with: measured, or else as stated."""

    model: ActivityModel
    measured: MeasuredActivity | None = None

    def lacks(self, name: str, reads: int) -> str:
        """'' where it knows an input of ``reads`` planes to the matrix ``name``, else what is missing."""
        if self.measured is not None:
            found = self.measured.of(name)
            if found is None:
                known = ", ".join(self.measured.operations)
                return f"the measured activity says nothing of {name!r}, nor of {OTHERS!r} (it has: {known})"
            if found.planes != reads:
                has = f"has {found.planes} planes, an input takes {reads} reads"
                return f"the measured activity of {name!r} {has}"
        elif len(self.model.ones) not in (1, reads):
            return f"activity.ones lists {len(self.model.ones)} planes, an input takes {reads} reads"
        return ""

    def shares(self, name: str, reads: int) -> Float64:
        """(reads,) the share of ones in each plane of the inputs to the matrix ``name``.

        Raises: MappingError: where the planes are not known.
        """
        found = self._measurement(name, reads)
        if found is not None:
            return found.shares
        ones = np.array(self.model.ones, dtype=np.float64)
        return ones if len(ones) == reads else np.full(reads, ones[0])

    def pmf(self, name: str, reads: int, height: int) -> Float64:
        """(reads, height + 1) how likely a block of ``height`` rows has so many ones in each plane.

        Raises: MappingError: where the planes are not known, or only lower blocks were measured.
        """
        found = self._measurement(name, reads)
        if found is None:
            return np.array([_binomial(height, float(share)) for share in self.shares(name, reads)])
        known = found.pmf(height)
        if known is None:
            raise MappingError(
                f"the measured activity of {name!r} is of blocks of at most {max(found.blocks)} rows, and "
                f"an array takes {height}: measure on the arrays of this machine"
            )
        return known

    def _measurement(self, name: str, reads: int) -> MeasuredOperation | None:
        """What was measured for the matrix ``name``; None where the statement of the YAML holds."""
        missing = self.lacks(name, reads)
        if missing:
            raise MappingError(missing)
        return None if self.measured is None else self.measured.of(name)

    def __str__(self) -> str:
        """One line that says what the numbers rest on."""
        if self.measured is not None:
            return str(self.measured)
        ones = self.model.ones
        if len(ones) > 1:
            each = f"{min(ones):.1%} to {max(ones):.1%}, by bit-plane"
            return f"stated: {np.mean(ones):.1%} ones ({each})"
        return f"stated: {ones[0]:.1%} ones in every bit-plane"


def _broader(name: str) -> list[str]:
    """What else may stand for a matrix: without its factor, without its layer, without both."""
    layer, _, rest = name.partition(".")
    inner = rest if rest and layer[:1] == "l" and layer[1:].isdigit() else name
    whole = [each.rpartition(".")[0] for each in (name, inner) if each.rpartition(".")[2].isdigit()]
    return [*whole[:1], inner, *whole[1:]]


def _log_factorials(most: int) -> Float64:
    """(most + 1,) the logarithms of 0!, 1!, ..."""
    return np.asarray(np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))]))


def _binomial(height: int, share: float) -> Float64:
    """(height + 1,) how likely so many of ``height`` bits are ones, each with the chance ``share``."""
    ones = np.arange(height + 1)
    if share in (0, 1):
        return np.asarray(ones == share * height, dtype=np.float64)
    factorial = _log_factorials(height)
    choices = factorial[height] - factorial[ones] - factorial[height - ones]
    pmf = np.exp(choices + ones * math.log(share) + (height - ones) * math.log1p(-share))
    return np.asarray(pmf / pmf.sum())


def _choices(rows: int, height: int) -> Float64:
    """(rows + 1, height + 1) how likely ``height`` of ``rows`` bits have k ones where all have n: [n, k]."""
    factorial = _log_factorials(rows)

    def log_binomial(n: NDArray[Any], k: NDArray[Any]) -> Float64:
        valid = (k >= 0) & (k <= n)
        n, k = np.where(valid, n, 0), np.where(valid, k, 0)
        return np.where(valid, factorial[n] - factorial[k] - factorial[n - k], -np.inf)

    all_ones, ones = np.arange(rows + 1)[:, np.newaxis], np.arange(height + 1)[np.newaxis, :]
    total = log_binomial(np.array(rows), np.array(height))
    chance = np.exp(log_binomial(all_ones, ones) + log_binomial(rows - all_ones, height - ones) - total)
    return np.asarray(chance / chance.sum(axis=1, keepdims=True))
