"""What one input makes an analog module do: cells read, wordlines driven, bitlines converted."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.parts.analog_accesses import Accesses
from archsim.parts.analog_reads import ReadActions
from archsim.parts.analog_tiling import Tiling, block_rows


def input_actions(
    name: str, tiles: Sequence[Tiling], array_rows: int, reads: int, ones: float, accesses: Accesses | None
) -> ReadActions:
    """The actions of one input to a matrix; unused bitlines are not converted, unused wordlines not driven.

    A cell conducts, and a wordline is driven, where a bit is one; the register gives every bit. Bitlines are
    converted once an access of their array, of which there are as many as ``accesses`` has on average.
    Args: name: of the part; tiles: of the matrix; array_rows: of an array; reads: planes of an input; ones:
        share of ones over that for which the powers hold; accesses: None where an access takes all
        wordlines, and there is one a read.
    """
    cells = wordlines = converted = 0.0
    conversions: dict[str, float] = {}
    for tiling in tiles:
        bitlines = tiling.cell_columns * _accesses(tiling, array_rows, reads, accesses)
        cells += tiling.cells * reads
        wordlines += tiling.rows * tiling.column_blocks * reads
        converted += bitlines
        action = f"{name}.adc.{tiling.mode}"
        conversions[action] = conversions.get(action, 0.0) + bitlines
    return ReadActions(
        read={
            f"{name}.array.cell_read": cells * ones,
            f"{name}.input_register.read": wordlines,
            f"{name}.wordline_driver.drive": wordlines * ones,
        },
        sample={f"{name}.sample_hold.sample": converted},
        convert=conversions,
        add={f"{name}.shift_add.add": converted, f"{name}.output_register.write": converted},
    )


def _accesses(tiling: Tiling, array_rows: int, reads: int, accesses: Accesses | None) -> float:
    """Accesses of an input in all row blocks of a tiling."""
    if accesses is None:
        return float(reads * tiling.row_blocks)
    blocks = block_rows([tiling.rows], array_rows)
    return sum(count * accesses.of_block[rows] for rows, count in blocks.items())
