"""What an architect should know about the converters of an analog module as it is used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archsim.parts.analog_model import AnalogModel


def coarse_adcs(name: str, model: AnalogModel, used: Collection[str]) -> Iterator[str]:
    """Converters with too few bits for the sums of the modes of the cells that are ``used``.

    Where all wordlines are driven, the rule is HyFlexPIM's: log2(rows) + bits of a cell - 1, which takes
    largest sums to be rare. Where accesses are limited, those sums are the rule, and every one needs a code.
    """
    for mode in ("slc", "mlc"):
        if mode in used:
            yield from (
                _limited(name, model, mode) if model.array.wordlines_per_access else _full(name, model, mode)
            )


def _full(name: str, model: AnalogModel, mode: str) -> Iterator[str]:
    rows, bits, cell_bits = model.array.rows, model.adc.mode_bits(mode), model.cell.mode_bits(mode)
    full = (rows - 1).bit_length() + cell_bits - 1
    if bits < full:
        yield (
            f"{name}: an ADC of {bits} b in {mode.upper()} mode is below the {full} b that "
            f"{rows} rows of {cell_bits}-bit cells need: results lose precision"
        )


def _limited(name: str, model: AnalogModel, mode: str) -> Iterator[str]:
    """Levels of N driven cells of c bits: 0 to N (2^c - 1); with bipolar wordlines from as far below 0 on."""
    array, bits, cell_bits = model.array, model.adc.mode_bits(mode), model.cell.mode_bits(mode)
    driven = min(array.wordlines_per_access or array.rows, array.rows)
    largest = driven * (2**cell_bits - 1)
    bipolar = model.arithmetic.inputs == "sign_magnitude"
    need = largest.bit_length() + bipolar
    if bits < need:
        levels = largest * (1 + bipolar) + 1
        yield (
            f"{name}: {driven} wordlines an access of {cell_bits}-bit cells give {levels} levels, an ADC of "
            f"{bits} b in {mode.upper()} mode has {2**bits} codes: results lose precision; {need} b would do"
        )
