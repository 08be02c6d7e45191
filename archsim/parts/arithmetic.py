"""How numbers stand in an analog array, and what the array does to them, as a hardware YAML says it.

Sources: HyFlexPIM (ISCA 2025, arXiv 2506.00020); ISAAC (ISCA 2016) for ``flip``; the devices' models name
their own. ``archsim.crossbar`` computes with these sections; timing and area read the codings.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from archsim.cost.by_kind import ByKind
from archsim.cost.entry import NonNegative, Positive, Section

Share = Annotated[float, Field(ge=0, le=1)]
Deviation = Annotated[float, Field(ge=0, le=10)]
ErrorRate = Annotated[float, Field(gt=0, lt=0.5)]


class ArithmeticModel(Section):
    """Coding of weights and inputs."""

    weights: Literal["offset", "differential", "twos_complement"] = "offset"
    """``offset`` stores w + 2^(b-1) and subtracts the sum of the inputs digitally; ``differential`` has a
    column for the positive and one for the negative part; ``twos_complement`` works in one-bit cells only."""
    inputs: Literal["twos_complement", "unsigned", "sign_magnitude", "two_pass"] = "twos_complement"
    """Reads of an input: ``twos_complement`` and ``unsigned`` take one a bit; ``sign_magnitude`` one a bit
    of the magnitude, with bipolar wordlines; ``two_pass`` the same for positive, then negative inputs."""
    scales: Literal["per_channel", "per_tensor"] = "per_channel"
    """Whether each output of a quantised matrix has a scale of its own."""
    operand_bits: Annotated[int, Field(ge=2, le=64)] | None = None
    """Bits of a weight and of an input in time and space, in place of the workload's: 32 where floating-point
    numbers are aligned ahead of the arrays. ``archsim.crossbar`` does not compute with them."""

    def cells_per_weight(self, weight_bits: int, cell_bits: int) -> int:
        """Neighbouring cells of a row that one weight takes."""
        weight_bits = self.operand_bits or weight_bits
        if self.weights == "differential":
            return 2 * -(-max(weight_bits - 1, 1) // cell_bits)
        return -(-weight_bits // cell_bits)

    def reads_per_input(self, input_bits: int) -> int:
        """Reads of an array that one input vector takes."""
        input_bits = self.operand_bits or input_bits
        magnitude = max(input_bits - 1, 1)
        return {"sign_magnitude": magnitude, "two_pass": 2 * magnitude}.get(self.inputs, input_bits)


class NoNoise(Section):
    """Cells that keep what is written."""

    kind: Literal["none"] = "none"
    """Which kind of noise this is."""


class SameNoise(Section):
    """The same as ``write``; for ``slc_write`` only."""

    kind: Literal["same"] = "same"
    """Which kind of noise this is."""


class Gaussian(Section):
    """A normal deviation, given directly or by the error rate of a cell that is read back.

    Exactly one of ``sigma``, ``cell_error_rate`` and ``bit_error_rate``, of which
    ``archsim.crossbar.error_rate`` makes the others.
    """

    sigma: Deviation | None = None
    """Standard deviation; see the kind for its unit."""
    cell_error_rate: ErrorRate | None = None
    """Share of cells, all levels equally often, that thresholds half way between levels read back wrongly."""
    bit_error_rate: ErrorRate | None = None
    """The same for the bits of Gray-coded levels."""
    cell_bits: Annotated[int, Field(ge=1, le=4)] | None = None
    """Bits of the cells whose deviation that is; cells of the other mode have the same deviation of their
    conductance. none: each mode has this sigma, or this rate, itself."""

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        names = ("sigma", "cell_error_rate", "bit_error_rate")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(names)}, not {' and '.join(given) or 'none'}")
        return self


class MultiplicativeNoise(Gaussian):
    """Each level g becomes g (1 + sigma n): HyFlexPIM's equation 5, for single cells; the lowest is exact."""

    kind: Literal["gaussian_multiplicative"]
    """Which kind of noise this is."""


class AdditiveNoise(Gaussian):
    """Each level g becomes g + sigma n, with sigma in steps between neighbouring levels (of cells of
    ``cell_bits``, if those are given)."""

    kind: Literal["gaussian_additive"]
    """Which kind of noise this is."""


class WeightNoise(Section):
    """Each whole weight w becomes w (1 + sigma n), in all its cells together: HyFlexPIM, equation 5.

    The cells deviate in proportion to their levels; SLC and MLC weights alike.
    """

    kind: Literal["gaussian_weight"]
    """Which kind of noise this is."""
    sigma: Deviation
    """Standard deviation of eta, relative to the weight."""


class ClipformerNoise(Section):
    """Each conductance G becomes G + gamma sqrt((G - Gmin)(Gmax - Gmin)) sigma n.

    Source: ClipFormer (arXiv 2402.02586), write noise.
    """

    kind: Literal["clipformer_write"]
    """Which kind of noise this is."""
    gamma: NonNegative
    """Strength; 3 to 5 in the paper."""
    sigma: Deviation
    """Standard deviation of n; only gamma times sigma matters."""


class Wan2022Noise(Section):
    """Measured RRAM: sigma is a polynomial of the conductance (Wan et al., Nature 2022, as AIHWKIT 1.1.0
    fits it). It is relative to the highest conductance, 40 uS there; no conductance falls below zero."""

    kind: Literal["rram_wan2022"]
    """Which kind of noise this is."""
    seconds: Annotated[float, Field(ge=1, le=172800)]
    """Time since programming, 1 s to 2 days; between 1 s, 1 day and 2 days sigma is linear in log time."""


WRITE_NOISE_KINDS: dict[str, type[Section]] = {
    "none": NoNoise,
    "gaussian_multiplicative": MultiplicativeNoise,
    "gaussian_additive": AdditiveNoise,
    "gaussian_weight": WeightNoise,
    "clipformer_write": ClipformerNoise,
    "rram_wan2022": Wan2022Noise,
}
"""Models of what is written, by ``kind``: drawn once a write, and the same for every read."""

SLC_WRITE_NOISE_KINDS: dict[str, type[Section]] = {"same": SameNoise, **WRITE_NOISE_KINDS}
"""Those of cells of one bit."""

READ_NOISE_KINDS: dict[str, type[Section]] = {
    "none": NoNoise,
    "gaussian_multiplicative": MultiplicativeNoise,
    "gaussian_additive": AdditiveNoise,
}
"""Models of what each read sees, by ``kind``: drawn anew for every read of every cell."""


class StuckCells(Section):
    """Cells that cannot be written; which ones is drawn for each write of a matrix."""

    lowest: Share = 0.0
    """Share of cells that stay at the lowest level."""
    highest: Share = 0.0
    """Share of cells that stay at the highest level."""

    @model_validator(mode="after")
    def _not_more_than_all(self) -> Self:
        if self.lowest + self.highest > 1:
            raise ValueError(
                f"lowest ({self.lowest:g}) and highest ({self.highest:g}) must not exceed 1 together"
            )
        return self


class IrDrop(Section):
    """Voltage lost along the wires, to first order: currents are those of the cells without any loss.

    Rows are driven, and columns read, at the corner where the first weight stands.
    """

    wire_ohm: NonNegative = 0.0
    """Resistance of a wire from one cell to the next, along rows and columns, and to the first cell."""
    active_inputs: Share = 0.5
    """Share of the wordlines that are driven in a read, for the currents."""


class NoiseModel(Section):
    """What the cells of an analog array do to the numbers in them."""

    write: Annotated[Section, ByKind(WRITE_NOISE_KINDS, "write noise")] = NoNoise()
    """Deviation of what is written, frozen until the next write."""
    slc_write: Annotated[Section, ByKind(SLC_WRITE_NOISE_KINDS, "SLC write noise")] = SameNoise()
    """The same of what is written into cells of one bit."""
    read: Annotated[Section, ByKind(READ_NOISE_KINDS, "read noise")] = NoNoise()
    """Deviation of what a read sees, drawn for every read."""
    stuck: StuckCells = StuckCells()
    """Cells that cannot be written."""
    ir_drop: IrDrop = IrDrop()
    """Voltage lost along the wires."""

    @field_validator("write", "slc_write", "read", mode="before")
    @classmethod
    def _kinds_without_numbers(cls, value: Any) -> Any:
        """``write: none`` for ``write: {kind: none}``: a plain value can be set from the command line."""
        return {"kind": value} if value in ("none", "same") else value

    @property
    def needs_device(self) -> str:
        """What of it needs the conductances of a cell, '' where nothing does."""
        for name, model in (("write", self.write), ("slc_write", self.slc_write)):
            if isinstance(model, Wan2022Noise):
                return f"noise.{name} of the kind {model.kind}"
        return "noise.ir_drop with a wire_ohm" if self.ir_drop.wire_ohm else ""

    def written_to(self, cell_bits: int) -> Section:
        """Deviation of what is written into cells of so many bits."""
        return self.write if cell_bits > 1 or isinstance(self.slc_write, SameNoise) else self.slc_write


class DeviceModel(Section):
    """Conductances of a cell."""

    on_ohm: Positive
    """Resistance at the highest level."""
    on_off_ratio: Annotated[float, Field(gt=1, le=1e9)]
    """Highest over lowest conductance."""
    off_current: Literal["subtracted", "kept"] = "subtracted"
    """Whether a reference column takes the current of the lowest level out of every sum, or every driven cell
    adds it."""
