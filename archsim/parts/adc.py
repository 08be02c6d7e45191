"""The analog-to-digital converter that one or more arrays share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archsim.cost.entry import Cost, Count, Positive, Section

Resolution = Annotated[int, Field(ge=1, le=16)]


class AdcBits(Section):
    """Resolution of a conversion in each mode of the cells."""

    slc: Resolution
    """Bits of a conversion of single-level cells."""
    mlc: Resolution
    """Bits of a conversion of multi-level cells."""


class AdcModel(Section):
    """A converter: one more bit doubles the energy of a conversion, and the area (HyFlexPIM section 5.4)."""

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
    range: Literal["clip", "flip", "full_scale"] = "clip"
    """Convention for sums beyond the codes; arithmetic only, it changes neither time nor energy."""
    cost: Cost
    """All converters of the reference module."""

    def energy_scale(self, bits: int) -> float:
        """Energy of a conversion of ``bits``, relative to one of the reference resolution."""
        return 2.0 ** (bits - self.reference_bits)

    @property
    def area_scale(self) -> float:
        """Area of a converter built for the larger of the two modes, relative to the reference."""
        return 2.0 ** (max(self.bits.slc, self.bits.mlc) - self.reference_area_bits)
