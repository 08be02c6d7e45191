"""The analog-to-digital converter that one or more arrays share."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.cost.entry import Cost, Count, Positive, Section

Error = Annotated[float, Field(ge=-1024, le=1024)]
Resolution = Annotated[int, Field(ge=1, le=16)]
Law = Literal["doubling", "table"]


class AdcBits(Section):
    """Resolution of a conversion in each mode of the cells."""

    slc: Resolution
    """Bits of a conversion of single-level cells."""
    mlc: Resolution
    """Bits of a conversion of multi-level cells."""


class AdcTable(Section):
    """What converters of several resolutions cost, relative to each other."""

    bits: Annotated[list[Resolution], Field(min_length=2)]
    """Resolutions, ascending."""
    values: Annotated[list[Positive], Field(min_length=2)]
    """What each costs, in any unit: only ratios count."""

    @model_validator(mode="after")
    def _a_value_for_each_resolution(self) -> Self:
        if len(self.bits) != len(self.values):
            raise ValueError(
                f"has {len(self.bits)} bits and {len(self.values)} values; each has one of the other"
            )
        if any(low >= high for low, high in pairwise(self.bits)):
            raise ValueError(f"bits must ascend, not be {', '.join(map(str, self.bits))}")
        return self

    def ratio(self, bits: int, reference_bits: int) -> float:
        """The cost at one resolution over that at another."""
        return self.values[self.bits.index(bits)] / self.values[self.bits.index(reference_bits)]


class AdcModel(Section):
    """A converter: by default, one more bit doubles its energy and its area (HyFlexPIM section 5.4)."""

    arrays_per_adc: Count = 1
    """Arrays whose bitlines one converter digitises in turn."""
    rate_gs_per_s: Positive
    """Conversions a nanosecond."""
    bits: AdcBits
    """Resolution in use, by cell mode."""
    reference_bits: Resolution
    """Resolution for which the cost's power is given."""
    reference_area_bits: Resolution
    """Resolution for which the cost's area and leakage are given."""
    range: Literal["clip", "flip", "full_scale", "calibrated"] = "clip"
    """Convention for sums beyond the codes; arithmetic only, it changes neither time nor energy. ``clip``:
    unit steps, larger sums take the top code; ``flip``: columns of more than half the full sum are stored
    complemented (ISAAC); ``full_scale``: codes spread over 0 to the full sum; ``calibrated``: over the sums
    of sample inputs."""
    step_levels: Positive | None = None
    """Levels from one code to the next, in place of what ``range`` says; arithmetic only."""
    rounding: Literal["nearest", "floor"] = "nearest"
    """How a sum becomes a code, halves up; arithmetic only."""
    offset_lsb: Error = 0.0
    """Constant error of a conversion, in codes; arithmetic only."""
    gain_error: Annotated[float, Field(gt=-1, le=1)] = 0.0
    """Relative error of the slope; arithmetic only."""
    inl_lsb: Annotated[list[Error], Field(max_length=65536)] = Field(default_factory=list)
    """Integral non-linearity, in codes: errors at equal distances from the lowest to the highest code, with
    straight lines between; arithmetic only."""
    energy_law: Law = "doubling"
    """How the energy of a conversion grows with its bits: it doubles, or follows ``energy_table``."""
    energy_table: AdcTable | None = None
    """Energies by resolution."""
    area_law: Law = "doubling"
    """How area and leakage grow with the bits: they double, or follow ``area_table``."""
    area_table: AdcTable | None = None
    """Areas by resolution."""
    cost: Cost
    """All converters of the reference module."""

    @model_validator(mode="after")
    def _tables_know_the_resolutions(self) -> Self:
        used = {"bits.slc": self.bits.slc, "bits.mlc": self.bits.mlc}
        for what, law, table, reference, bits in (
            ("energy", self.energy_law, self.energy_table, "reference_bits", self.reference_bits),
            ("area", self.area_law, self.area_table, "reference_area_bits", self.reference_area_bits),
        ):
            if law == "doubling":
                continue
            if table is None:
                raise ValueError(f"{what}_law is table, and there is no {what}_table")
            for name, wanted in (used | {reference: bits}).items():
                if wanted not in table.bits:
                    known = ", ".join(map(str, table.bits))
                    raise ValueError(
                        f"{name} is {wanted}, which {what}_table does not have (it has: {known})"
                    )
        return self

    def mode_bits(self, mode: str) -> int:
        """Bits of a conversion of cells in the mode ``slc`` or ``mlc``."""
        return self.bits.slc if mode == "slc" else self.bits.mlc

    def energy_scale(self, bits: int) -> float:
        """Energy of a conversion of ``bits``, relative to one of the reference resolution."""
        return _scale(self.energy_law, self.energy_table, bits, self.reference_bits)

    @property
    def area_scale(self) -> float:
        """Area of a converter built for the larger of the two modes, relative to the reference."""
        bits = max(self.bits.slc, self.bits.mlc)
        return _scale(self.area_law, self.area_table, bits, self.reference_area_bits)


def _scale(law: str, table: AdcTable | None, bits: int, reference_bits: int) -> float:
    """What a converter of ``bits`` costs, relative to the reference."""
    if law == "doubling":
        return 2.0 ** (bits - reference_bits)
    assert table is not None, "the law table has one"
    return table.ratio(bits, reference_bits)
