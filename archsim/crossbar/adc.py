"""The converter as arithmetic: which sums become which codes, and what the codes stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.errors import CrossbarError
from archsim.parts.adc import AdcModel

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Converter:
    """code = round((sum - zero) / step * (1 + gain error) + offset + INL), kept within lowest to highest.

    Args: lowest, highest: codes; step: levels from one code to the next; zero: the sum that code 0 stands
        for, in levels; rounds: to the nearest code, halves up, or down to the next; inl_lsb: errors at equal
        distances from the lowest to the highest code.
    """

    lowest: int
    highest: int
    step: float = 1.0
    zero: float = 0.0
    rounds: bool = True
    offset_lsb: float = 0.0
    gain_error: float = 0.0
    inl_lsb: tuple[float, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether every whole sum within the codes is converted without error."""
        flawless = not (self.offset_lsb or self.gain_error or any(self.inl_lsb))
        return flawless and self.step == 1 and float(self.zero).is_integer()

    def convert(self, sums: NDArray[np.floating] | NDArray[np.integer]) -> tuple[Float64, NDArray[np.bool_]]:
        """The sums, in levels, that the codes stand for, and which conversions saturated.

        Args: sums: in levels, any shape.
        """
        code = (np.asarray(sums, dtype=np.float64) - self.zero) / self.step
        ideal = code
        if self.inl_lsb:
            at = np.linspace(self.lowest, self.highest, len(self.inl_lsb))
            code = code + np.interp(ideal, at, self.inl_lsb)
        code = code + ideal * self.gain_error + self.offset_lsb
        code = np.floor(code + 0.5) if self.rounds else np.floor(code)
        kept = np.clip(code, self.lowest, self.highest)
        return kept * self.step + self.zero, kept != code


def make_converter(
    model: AdcModel, bits: int, full_sum: int, bipolar: bool, sampled: tuple[float, float] | None = None
) -> Converter:
    """The converter of one mode of the cells.

    Args: bits: its resolution; full_sum: levels of a column whose cells are all at the top; bipolar: whether
        sums may be negative; sampled: least and largest sum of the samples, for ``calibrated``.
    Raises: CrossbarError: when ``calibrated`` has no samples, or the step does not hold them.
    """
    lowest, highest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if bipolar else (0, 2**bits - 1)
    step, zero = model.step_levels or 1.0, 0.0
    if model.range == "full_scale" and model.step_levels is None:
        step = full_sum / max(highest, 1)
    if model.range == "calibrated":
        if sampled is None:
            raise CrossbarError(
                "adc.range: calibrated needs sample inputs when a matrix is programmed: give samples, or use "
                "clip, flip or full_scale"
            )
        step, zero = _calibrated(model, lowest, highest, sampled)
    return Converter(
        lowest,
        highest,
        step,
        zero,
        model.rounding == "nearest",
        model.offset_lsb,
        model.gain_error,
        tuple(model.inl_lsb),
    )


def _calibrated(
    model: AdcModel, lowest: int, highest: int, sampled: tuple[float, float]
) -> tuple[float, float]:
    """Step and zero for which the sampled sums just fill the codes; unit steps where those suffice.

    The range begins and ends at whole levels, so that a unit step rounds small deviations away.
    """
    least, most = float(np.floor(sampled[0])), float(np.ceil(sampled[1]))
    codes = highest - lowest
    needed = (most - least) / codes
    step = model.step_levels or max(1.0, needed)
    if step < needed:
        raise CrossbarError(
            f"adc.step_levels: {codes + 1} codes of {step:g} levels cannot hold the sums of the samples, "
            f"{least:g} to {most:g}: {needed:g} levels a code would, or more bits"
        )
    return step, least - lowest * step
