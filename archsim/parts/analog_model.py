"""What describes a module of analog arrays in a hardware YAML, whatever it holds."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.cost.entry import Cost, Count, Section
from archsim.parts.activity import ActivityModel
from archsim.parts.adc import AdcModel
from archsim.parts.analog_array import AnalogArray, AnalogReference, CellModel
from archsim.parts.arithmetic import ArithmeticModel, NoiseModel

Cycles = Annotated[int, Field(ge=0, le=10**9)]


class AnalogModel(Section):
    """What all modules of analog arrays have: arrays, cells, converters, codings, costs."""

    kind: str
    """Which kind of part this is."""
    count: Count
    """Modules in a PU."""
    inside: str | None = None
    """The part that it stands in, if it is not on the PU's bus itself."""
    arrays: Count
    """Arrays of a module."""
    array: AnalogArray
    """The arrays."""
    cell: CellModel
    """Their cells."""
    adc: AdcModel
    """Their converters."""
    arithmetic: ArithmeticModel = ArithmeticModel()
    """Coding of weights and inputs."""
    noise: NoiseModel = NoiseModel()
    """What the cells do to the numbers in them; arithmetic only."""
    activity: ActivityModel = ActivityModel()
    """Ones in the inputs."""
    reduction: Literal["module", "bus"]
    """Where the partial sums of a matrix's row blocks are added."""
    shift_add_cycles: Cycles
    """From the last conversion to the sum over bit slices and input bits."""
    register_write_cycles: Cycles
    """From that sum to the output register."""
    input_buffer_tokens: Annotated[int, Field(ge=1, le=10**6)]
    """Inputs that may wait ahead of a matrix's arrays while they work."""
    output_buffer_tokens: Annotated[int, Field(ge=1, le=10**6)]
    """Results that may wait behind a matrix's arrays for the bus."""
    reference: AnalogReference
    """The module that the cost rows describe."""
    input_register: Cost
    """Registers ahead of the wordlines; an action is one wordline's bit of one read."""
    output_register: Cost
    """Registers behind the converters; an action is the result of one conversion."""
    wordline_driver: Cost
    """One-bit drivers of the wordlines; an action is one wordline of one read."""
    sample_hold: Cost
    """Sample-and-hold circuits; an action is one bitline of one read."""
    shift_add: Cost
    """Shift-and-add units, one a converter; an action adds the result of one conversion."""

    @model_validator(mode="after")
    def _converters_are_whole(self) -> Self:
        if self.arrays % self.adc.arrays_per_adc:
            raise ValueError(
                f"arrays ({self.arrays}) must be a multiple of adc.arrays_per_adc ({self.adc.arrays_per_adc})"
            )
        return self

    @model_validator(mode="after")
    def _cells_can_carry_the_sign(self) -> Self:
        if self.arithmetic.weights == "twos_complement" and self.cell.bits > 1:
            bits, top = self.cell.bits, 2 ** (self.cell.bits - 1)
            raise ValueError(
                f"arithmetic.weights: twos_complement needs cells of one bit, not cell.bits = {bits}: "
                f"the level of the top cell cannot count its upper bit as -{top} and the others as positive; "
                "use offset or differential"
            )
        return self

    @model_validator(mode="after")
    def _noise_has_its_device(self) -> Self:
        if self.noise.needs_device and self.cell.device is None:
            raise ValueError(
                f"{self.noise.needs_device} depends on the conductances of the cells: give cell.device, with "
                "on_ohm and on_off_ratio"
            )
        return self

    def cells_per_weight(self, mode: str, weight_bits: int) -> int:
        """Neighbouring cells of a row that one weight takes in a mode."""
        return self.arithmetic.cells_per_weight(weight_bits, self.cell.mode_bits(mode))
