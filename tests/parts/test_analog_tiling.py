"""Matrices on whole arrays: 64 rows; 128 columns hold 16 SLC weights of 8 bits, or 32 in 2-bit MLC cells."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.hardware.machine import Machine
from archsim.parts.analog_module import AnalogModule
from archsim.parts.analog_tiling import partial_sums, tilings
from archsim.parts.part import Region, Stored
from archsim.workload.operations import Precision

Load = Callable[..., Machine]
Matrix = Callable[..., Stored]


@pytest.mark.parametrize(
    ("region", "arrays", "cells"),
    [
        (("slc", 1, 1), 1, 8),
        (("slc", 64, 16), 1, 64 * 128),
        (("slc", 65, 16), 2, 65 * 128),
        (("slc", 64, 17), 2, 64 * 136),
        (("mlc", 64, 32), 1, 64 * 128),
        (("mlc", 64, 33), 2, 64 * 132),
        # 1024 x 1024: 16 row blocks x 64 column blocks, or x 32
        (("slc", 1024, 1024), 1024, 1024 * 1024 * 8),
        (("mlc", 1024, 1024), 512, 1024 * 1024 * 4),
    ],
)
def test_arrays_and_cells(
    load: Load, matrix: Matrix, region: tuple[str, int, int], arrays: int, cells: int
) -> None:
    size = load().parts["analog"].size(matrix(region))
    assert (size.units, size.exact) == (arrays, Fraction(cells, 64 * 128))


def test_a_bert_large_layer(load: Load, matrix: Matrix) -> None:
    analog = load().parts["analog"]

    def arrays(*matrices: Stored) -> int:
        return sum(analog.size(each).units for each in matrices)

    # all SLC without SVD: four of 16 x 64, then 16 x 256 and 64 x 64: 4 x 1024 + 2 x 4096, a whole PU
    whole = [matrix(("slc", 1024, 1024))] * 4 + [matrix(("slc", 1024, 4096)), matrix(("slc", 4096, 1024))]
    assert arrays(*whole) == 12288 == analog.capacity

    # hard-threshold ranks: 1024 x 1024 / 2048 = 512, and 1024 x 4096 / 5120 = 819.2, so 819.
    # All SLC: q, k, v, o have 16 x 32 + 8 x 64 = 1024; ffn1 16 x 52 + 13 x 256 = 4160, ffn2 64 x 52 + 13 x 64
    # = 4160: 4096 + 8320 = 12416, 128 more than a PU has
    factors = [matrix(("slc", 1024, 512)), matrix(("slc", 512, 1024))] * 4
    factors += [matrix(("slc", 1024, 819)), matrix(("slc", 819, 4096))]
    factors += [matrix(("slc", 4096, 819)), matrix(("slc", 819, 1024))]
    assert arrays(*factors) == 12416

    # 5 % SLC: ceil(25.6) = 26 and ceil(40.95) = 41 ranks.
    # 1024 x 26: 16 x 2, 1024 x 486: 16 x 16, 26 x 1024: 1 x 64, 486 x 1024: 8 x 32 = 608, four times
    attention = [matrix(("slc", 1024, 26), ("mlc", 1024, 486)), matrix(("slc", 26, 1024), ("mlc", 486, 1024))]
    assert [arrays(each) for each in attention] == [32 + 256, 64 + 256]
    # ffn1: 16 x 3 + 16 x 25 = 448, 1 x 256 + 13 x 128 = 1920; ffn2: 64 x 3 + 64 x 25 = 1792, 1 x 64 + 13 x 32
    # = 480; in all 4 x 608 + 2368 + 2272 = 7072
    ffn1 = [matrix(("slc", 1024, 41), ("mlc", 1024, 778)), matrix(("slc", 41, 4096), ("mlc", 778, 4096))]
    ffn2 = [matrix(("slc", 4096, 41), ("mlc", 4096, 778)), matrix(("slc", 41, 1024), ("mlc", 778, 1024))]
    assert [arrays(each) for each in (*ffn1, *ffn2)] == [448, 1920, 1792, 480]
    assert arrays(*attention * 4, *ffn1, *ffn2) == 7072


@pytest.mark.parametrize(
    ("bits", "cells", "weights_per_row"),
    # ceil(8 / bits) cells; 128 columns hold as many whole weights
    [(1, 8, 16), (2, 4, 32), (3, 3, 42), (4, 2, 64)],
)
def test_bits_of_a_cell(load: Load, matrix: Matrix, bits: int, cells: int, weights_per_row: int) -> None:
    analog = load(f"pu.parts.analog.cell.bits={bits}").parts["analog"]
    full = analog.size(matrix(("mlc", 64, weights_per_row)))
    assert (full.units, full.exact) == (1, Fraction(weights_per_row * cells, 128))
    assert analog.size(matrix(("mlc", 64, weights_per_row + 1))).units == 2
    assert analog.size(matrix(("slc", 64, 16))).units == 1


def test_matrices_do_not_share_a_converter(load: Load, matrix: Matrix) -> None:
    # 3 arrays where four share an ADC take four; each region has its own
    analog = load("pu.parts.analog.adc.arrays_per_adc=4").parts["analog"]
    assert analog.size(matrix(("slc", 64, 48))).units == 4
    assert analog.size(matrix(("slc", 64, 16), ("mlc", 64, 33))).units == 4 + 4
    assert analog.size(matrix(("slc", 64, 80))).units == 8


def test_partial_sums(load: Load, matrix: Matrix) -> None:
    model = load().parts["analog"].model

    def sums(*regions: tuple[str, int, int]) -> int:
        return partial_sums(matrix(*regions), tilings(matrix(*regions), model))

    assert sums(("slc", 64, 100)) == 1
    assert sums(("slc", 65, 100)) == 2
    # a first factor's ranks stand side by side: 16 blocks in either mode
    assert sums(("slc", 1024, 26), ("mlc", 1024, 486)) == 16
    # a second factor's lie one below the other: 1 + 8
    assert sums(("slc", 26, 1024), ("mlc", 486, 1024)) == 9


MODES = st.sampled_from(["slc", "mlc"])
SIZES = st.integers(1, 3000)
GEOMETRIES = st.fixed_dictionaries(
    {
        "rows": st.integers(1, 300),
        "columns": st.integers(8, 300),
        "bits": st.integers(1, 4),
        "share": st.sampled_from([1, 2, 4, 8]),
    }
)


@pytest.fixture(scope="module")
def machine_with(load: Load) -> Callable[[dict[str, int]], AnalogModule]:
    preset: Any = load().parts["analog"]

    def build(geometry: dict[str, int]) -> AnalogModule:
        model = preset.model
        array = model.array.model_copy(update={"rows": geometry["rows"], "columns": geometry["columns"]})
        cell = model.cell.model_copy(update={"bits": geometry["bits"]})
        adc = model.adc.model_copy(update={"arrays_per_adc": geometry["share"]})
        return AnalogModule(
            "analog", 1, model.model_copy(update={"array": array, "cell": cell, "adc": adc}), 1.0
        )

    return build


def one(mode: str, rows: int, columns: int) -> Stored:
    return Stored("w", rows, columns, 8, (Region(mode, rows, columns),))


@given(geometry=GEOMETRIES, mode=MODES, rows=SIZES, columns=SIZES)
def test_every_weight_has_its_cells(
    machine_with: Callable[..., AnalogModule], geometry: dict[str, int], mode: str, rows: int, columns: int
) -> None:
    analog = machine_with(geometry)
    size, (tiling,) = analog.size(one(mode, rows, columns)), tilings(one(mode, rows, columns), analog.model)
    assert 0 < size.exact <= size.units
    assert size.units % geometry["share"] == 0
    assert size.units - tiling.blocks < geometry["share"]
    per_weight = 8 if mode == "slc" else -(-8 // geometry["bits"])
    assert tiling.cells == rows * columns * per_weight
    assert (tiling.row_blocks - 1) * geometry["rows"] < rows <= tiling.row_blocks * geometry["rows"]


@given(geometry=GEOMETRIES, mode=MODES, rows=SIZES, columns=SIZES, more=st.integers(1, 200))
def test_more_weights_never_take_fewer_arrays_nor_less_time(
    machine_with: Callable[..., AnalogModule],
    geometry: dict[str, int],
    mode: str,
    rows: int,
    columns: int,
    more: int,
) -> None:
    analog = machine_with(geometry)
    small = one(mode, rows, columns)
    for large in (one(mode, rows + more, columns), one(mode, rows, columns + more)):
        assert analog.size(large).units >= analog.size(small).units
        assert analog.interval(large, Precision()) >= analog.interval(small, Precision())


@given(geometry=GEOMETRIES, mode=MODES, rows=SIZES, columns=SIZES, more=st.integers(1, 100))
def test_larger_arrays_and_cells_never_take_more_arrays(
    machine_with: Callable[..., AnalogModule],
    geometry: dict[str, int],
    mode: str,
    rows: int,
    columns: int,
    more: int,
) -> None:
    stored, units = one(mode, rows, columns), machine_with(geometry).size(one(mode, rows, columns)).units
    assert machine_with(geometry | {"rows": geometry["rows"] + more}).size(stored).units <= units
    assert machine_with(geometry | {"columns": geometry["columns"] + more}).size(stored).units <= units
    for bits in range(geometry["bits"], 5):
        assert machine_with(geometry | {"bits": bits}).size(stored).units <= units


@given(geometry=GEOMETRIES, rows=SIZES, columns=SIZES)
def test_mlc_never_takes_more_than_slc(
    machine_with: Callable[..., AnalogModule], geometry: dict[str, int], rows: int, columns: int
) -> None:
    analog = machine_with(geometry)
    slc, mlc = one("slc", rows, columns), one("mlc", rows, columns)
    assert analog.size(mlc).units <= analog.size(slc).units
    assert analog.interval(mlc, Precision()) <= analog.interval(slc, Precision())
