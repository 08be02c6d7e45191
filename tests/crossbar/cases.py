"""One choice of all options of the arithmetic, as archsim's arrays and as the oracle's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import oracle

from archsim.crossbar.program import Crossbar, Programmed
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.adc import AdcModel
from archsim.parts.analog_array import AnalogArray
from archsim.parts.arithmetic import ArithmeticModel

PRESET = Path(__file__).parents[2] / "hwconfigs" / "hyflexpim.yaml"


@cache
def machine(*overrides: str) -> Machine:
    """The HyFlexPIM preset with values replaced, such as ``pu.parts.analog.cell.bits=3``."""
    return load_hardware(PRESET, overrides)


@dataclass(frozen=True)
class Case:
    """Options of the arithmetic; the defaults are HyFlexPIM's.

    Args: range_: that of the converter; share: of the lines that are SLC.
    """

    weights: str = "offset"
    inputs: str = "twos_complement"
    scales: str = "per_channel"
    range_: str = "clip"
    step: float | None = None
    rounding: str = "nearest"
    offset: float = 0.0
    gain: float = 0.0
    inl: Sequence[float] = ()
    cell_bits: int = 2
    slc_adc: int = 6
    mlc_adc: int = 7
    rows: int = 64
    access: int | None = None
    weight_bits: int = 8
    input_bits: int = 8
    share: float = 0.5
    split: str = "columns"

    def crossbar(self) -> Crossbar:
        """These options in the preset's analog module, without noise."""
        model = Crossbar.of(machine()).model
        adc = AdcModel.model_validate(
            {
                **model.adc.model_dump(exclude={"bits", "cost"}),
                "cost": model.adc.cost,
                "bits": {"slc": self.slc_adc, "mlc": self.mlc_adc},
                "range": self.range_,
                "step_levels": self.step,
                "rounding": self.rounding,
                "offset_lsb": self.offset,
                "gain_error": self.gain,
                "inl_lsb": list(self.inl),
            }
        )
        array = AnalogArray.model_validate(
            {
                **model.array.model_dump(exclude={"cost"}),
                "cost": model.array.cost,
                "rows": self.rows,
                "wordlines_per_access": self.access,
            }
        )
        changed = {
            "adc": adc,
            "array": array,
            "arithmetic": ArithmeticModel(weights=self.weights, inputs=self.inputs, scales=self.scales),
            "cell": model.cell.model_copy(update={"bits": self.cell_bits}),
            "noise": type(model.noise)(),
        }
        return Crossbar(model.model_copy(update=changed), self.share, self.weight_bits, self.input_bits)

    def setup(self, mode: str, sampled: tuple[float, float] = (0, 0)) -> oracle.Setup:
        """The same for the oracle; ``sampled`` are the sums that a converter is calibrated for."""
        bits = self.slc_adc if mode == "slc" else self.mlc_adc
        nearest = self.rounding == "nearest"
        adc = oracle.Adc(
            bits, self.range_, self.step, nearest, self.offset, self.gain, list(self.inl), sampled
        )
        return oracle.Setup(
            adc,
            1 if mode == "slc" else self.cell_bits,
            self.weights,
            self.inputs,
            self.weight_bits,
            self.input_bits,
            self.rows,
            self.access,
        )

    def expected(
        self, weights: Any, inputs: Any, samples: Any = None, conductances: dict[str, Any] | None = None
    ) -> oracle.Answer:
        """The oracle's product, both modes together."""
        count = weights.shape[0] if self.split == "rows" else weights.shape[1]
        first = -(-round(self.share * count * 10**6) // 10**6)
        total = oracle.Answer(np.zeros((len(inputs), weights.shape[1])))
        for mode, lines in (("slc", slice(0, first)), ("mlc", slice(first, count))):
            rows, columns = (lines, slice(None)) if self.split == "rows" else (slice(None), lines)
            if not weights[rows, columns].size:
                continue
            setup = self.setup(mode, self._sampled(mode, weights[rows, columns], samples, rows))
            held = None if conductances is None else conductances[mode]
            part = oracle.multiply(weights[rows, columns], inputs[:, rows], setup, held)
            total.values[:, columns] += part.values
            total.conversions += part.conversions
            total.saturated += part.saturated
        return total

    def _sampled(self, mode: str, weights: Any, samples: Any, rows: slice) -> tuple[float, float]:
        if samples is None:
            return 0, 0
        sums = oracle.multiply(weights, samples[:, rows], self.setup(mode)).sums
        return min(sums), max(sums)

    def largest_weight(self) -> int:
        """In magnitude, and of either sign."""
        return 2 ** (self.weight_bits - 1) - 1

    def input_range(self) -> tuple[int, int]:
        """The least and the largest input."""
        half = 2 ** (self.input_bits - 1)
        if self.inputs == "unsigned":
            return 0, 2 * half - 1
        if self.inputs == "twos_complement":
            return -half, half - 1
        top = max(half - 1, 1)
        return -top, top

    def random(self, batch: int, rows: int, columns: int, seed: int = 0) -> tuple[Any, Any]:
        """Weights and inputs, evenly distributed over all that the codings carry."""
        draw = np.random.default_rng(seed)
        lowest = -self.largest_weight() - (self.weights != "differential")
        weights = draw.integers(lowest, self.largest_weight(), (rows, columns), endpoint=True)
        return weights, draw.integers(*self.input_range(), (batch, rows), endpoint=True)


def with_conductance(programmed: Programmed, conductances: dict[str, Any]) -> Programmed:
    """The same matrix in cells that hold what is given for each mode."""
    pieces = [
        replace(piece, cells=replace(piece.cells, conductance=conductances[piece.mode]))
        for piece in programmed.pieces
    ]
    return replace(programmed, pieces=tuple(pieces))
