"""The crossbar of an analog RRAM module and its cells, as they stand in a hardware YAML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archsim.cost.entry import Cost, Count, Positive, Section
from archsim.parts.arithmetic import DeviceModel


class AnalogArray(Section):
    """One crossbar."""

    rows: Annotated[int, Field(ge=1, le=65536)]
    """Wordlines: inputs that one read takes."""
    columns: Annotated[int, Field(ge=1, le=65536)]
    """Bitlines: sums that one read gives."""
    wordlines_per_access: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Wordlines that one access drives at most: a bit-plane with more ones takes several, one without ones
    takes none (FLARE); none: all rows in one access, whatever their bits."""
    lockstep: Literal["plane", "vector"] = "plane"
    """Where accesses are limited, what the arrays of a matrix begin together and so wait for each other with:
    each bit-plane of an input, or each input."""
    read_ns: Positive
    """Time of one read, from the wordlines to the sampled bitlines."""
    cost: Cost
    """The cells of all arrays of the reference module; an action is the read of one cell."""


class CellWrite(Section):
    """Writing the cells of one row of an array in one mode."""

    row_ns: Positive
    """Time of writing a row, verification included."""
    energy_pj: Annotated[float, Field(ge=0, le=1e9)]
    """Energy of writing one cell, verification included."""


class CellModel(Section):
    """A memory cell; every array can work in either mode."""

    bits: Annotated[int, Field(ge=1, le=4)]
    """Bits of a cell in the MLC mode; the SLC mode stores one."""
    slc_write: CellWrite
    """Programming in the SLC mode."""
    mlc_write: CellWrite
    """Programming in the MLC mode (write and verify)."""
    device: DeviceModel | None = None
    """Its conductances, for the kinds of noise that need them."""

    def mode_bits(self, mode: str) -> int:
        """Bits of a cell in the mode ``slc`` or ``mlc``."""
        return 1 if mode == "slc" else self.bits

    def write(self, mode: str) -> CellWrite:
        """What programming takes in a mode."""
        return self.slc_write if mode == "slc" else self.mlc_write


class AnalogReference(Section):
    """The module that the cost rows describe; another geometry scales them by what each row counts."""

    arrays: Count
    """Arrays of the module."""
    rows: Count
    """Wordlines of an array."""
    columns: Count
    """Bitlines of an array."""
    arrays_per_adc: Count
    """Arrays that share a converter."""
    read_ns: Positive
    """Time of one read, in which every part of the module does its work once."""
