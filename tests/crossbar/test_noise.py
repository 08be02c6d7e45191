"""What is written into cells: each kind of noise, its moments, and the order of effects."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.crossbar.cells import Cells, store
from archsim.crossbar.coding import slice_weights
from archsim.crossbar.devices import WAN_2022_US, wan2022_sigma_us
from archsim.crossbar.ir_drop import kept_voltage
from archsim.crossbar.noise import written
from archsim.crossbar.program import Crossbar
from archsim.hardware.loader import load_hardware
from archsim.parts.analog_module import AnalogModuleModel
from archsim.parts.arithmetic import ArithmeticModel, NoiseModel

PRESET = Crossbar.of(load_hardware(Path(__file__).parents[2] / "hwconfigs" / "hyflexpim.yaml")).model
CODINGS = [("offset", 1), ("offset", 2), ("offset", 4), ("differential", 2), ("twos_complement", 1)]


def module(off_current: str = "subtracted", **noise: Any) -> AnalogModuleModel:
    """The preset's arrays with noise of another kind."""
    device = PRESET.cell.device.model_copy(update={"off_current": off_current})
    cell = PRESET.cell.model_copy(update={"device": device})
    return PRESET.model_copy(update={"noise": NoiseModel.model_validate(noise), "cell": cell})


def levels_of(levels: Any, cell_bits: int = 2, block_rows: int = 64) -> tuple[Cells, Any]:
    """Cells that hold (slices, rows, columns) levels, and weights that nothing but equation 5 looks at."""
    given = np.asarray(levels, dtype=np.uint8)
    slices, rows, columns = given.shape
    flipped = np.zeros((-(-rows // block_rows), slices, columns), dtype=np.bool_)
    cells = Cells(
        given, 1 << np.arange(0, slices * cell_bits, cell_bits), flipped, cell_bits, block_rows, None
    )
    return cells, np.zeros((rows, columns), dtype=np.int64)


def coded(weights: Any, coding: str, cell_bits: int, flip: bool = False, block_rows: int = 64) -> Cells:
    slices = slice_weights(np.asarray(weights), 8, cell_bits, ArithmeticModel(weights=coding))
    return store(slices, cell_bits, block_rows, None, flip)


def held(cells: Cells, weights: Any, model: AnalogModuleModel, seed: tuple[int, ...] = (0, 0)) -> Any:
    """The levels as they really are."""
    result = written(cells, weights, model, seed)
    return result.levels if result.conductance is None else result.conductance


def weights_read(cells: Cells, levels: Any) -> Any:
    """(rows, columns) what the cells stand for together, columns that are stored complemented turned back."""
    heights = np.diff(np.append(np.arange(0, levels.shape[1], cells.block_rows), levels.shape[1]))
    flipped = np.repeat(cells.flipped, heights, axis=0).transpose(1, 0, 2)
    turned = np.where(flipped, cells.top - np.asarray(levels, np.float64), levels)
    return np.tensordot(cells.weight, turned, axes=1)


def every_level(count: int = 100_000) -> tuple[Cells, Any]:
    """A slice of 2-bit cells with ``count`` of each level, one row a level."""
    return levels_of(np.repeat(np.arange(4), count).reshape(1, 4, count))


# --- what leaves cells exact -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "noise",
    [
        {},
        {"write": {"kind": "none"}},
        {"write": "none", "read": "none"},
        {"write": {"kind": "gaussian_multiplicative", "sigma": 0.0}},
        {"write": {"kind": "gaussian_additive", "sigma": 0.0}},
        {"write": {"kind": "gaussian_weight", "sigma": 0.0}},
        {"write": {"kind": "clipformer_write", "gamma": 3.0, "sigma": 0.0}},
        {"read": {"kind": "gaussian_additive", "sigma": 1.0}},
        {"ir_drop": {"wire_ohm": 0.0, "active_inputs": 1.0}},
    ],
)
def test_without_a_deviation_the_cells_are_exact(noise: dict[str, Any]) -> None:
    """Then they have no conductances, and products may take the exact ways."""
    cells, weights = every_level(10)
    assert written(cells, weights, module(**noise), (0, 0)) is cells


# --- moments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "sigma"),
    [
        ({"kind": "gaussian_multiplicative", "sigma": 0.1}, (0, 0.1, 0.2, 0.3)),
        ({"kind": "gaussian_additive", "sigma": 0.2}, (0.2, 0.2, 0.2, 0.2)),
        # 6 Q(.5/s) / 4 = .0404 at s = .2593
        ({"kind": "gaussian_additive", "cell_error_rate": 0.0404}, (0.2593,) * 4),
        # half a step of a one-bit cell is 1.5 steps of a 2-bit one
        ({"kind": "gaussian_additive", "sigma": 0.5, "cell_bits": 1}, (1.5,) * 4),
        # gamma sigma sqrt(level x 3)
        (
            {"kind": "clipformer_write", "gamma": 4.0, "sigma": 0.05},
            (0, 0.2 * sqrt(3), 0.2 * sqrt(6), 0.6),
        ),
    ],
)
def test_moments_of_each_level(write: dict[str, Any], sigma: tuple[float, ...]) -> None:
    """A mean of n values is good to 5 sigma / sqrt(n); their sigma to 5 sigma / sqrt(2 n)."""
    count = 100_000
    cells, weights = every_level(count)
    rows = np.asarray(held(cells, weights, module(write=write)), np.float64)[0]
    for level, expected in enumerate(sigma):
        assert rows[level].mean() == pytest.approx(level, abs=5 * expected / sqrt(count))
        assert rows[level].std() == pytest.approx(expected, rel=5 / sqrt(2 * count) + 1e-4)
        if expected:
            normal = (rows[level] - level) / expected
            assert np.mean(normal**3) == pytest.approx(0, abs=5 * sqrt(15 / count))
            assert np.mean(normal**4) == pytest.approx(3, abs=5 * sqrt(96 / count))


def test_neighbouring_cells_are_independent() -> None:
    count = 100_000
    cells, weights = every_level(count)
    rows = held(cells, weights, module(write={"kind": "gaussian_additive", "sigma": 0.2}))[0]
    assert np.abs(np.corrcoef(rows) - np.eye(4)).max() < 5 / sqrt(count)
    assert abs(np.corrcoef(rows[0, :-1], rows[0, 1:])[0, 1]) < 5 / sqrt(count)


# --- Wan 2022 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("relative", "seconds", "sigma_us"),
    [
        (0, 1, 0.348),
        (0, 86400, 0.701),
        (0, 172800, 0.782),
        # the sums of the factors
        (1, 1, 1.103),
        (1, 86400, 2.651),
        (1, 172800, 2.677),
        # .348 + 8.015 - 10.96325 + 5.674125 - 1.0509375
        (0.5, 1, 2.0229375),
        # the geometric mean of two times is half way in their logarithms
        (0, sqrt(86400), (0.348 + 0.701) / 2),
        (1, 86400 * sqrt(2), (2.651 + 2.677) / 2),
    ],
)
def test_the_polynomials_of_wan_2022(relative: float, seconds: float, sigma_us: float) -> None:
    assert wan2022_sigma_us(relative, seconds) == pytest.approx(sigma_us, rel=1e-9)


def test_wan_2022_knows_no_other_times_and_no_negative_sigma() -> None:
    with pytest.raises(ValueError, match="measured up to 172800 s, not 172801 s"):
        wan2022_sigma_us(0.5, 172801)
    shares = np.linspace(0, 1, 101)
    assert min(wan2022_sigma_us(share, time) for share in shares for time in WAN_2022_US) > 0


def test_moments_of_wan_2022() -> None:
    """At level g of 3 the cell has (1/150 + g/3 (149/150)) of the highest conductance; a step is 149/450.

    After 1 s the top deviates by 1.103/40 of the highest conductance = .02757 x 450/149 = .0833 steps; the
    middle is checked against the polynomial.
    """
    count = 100_000
    cells, weights = every_level(count)
    rows = held(cells, weights, module(write={"kind": "rram_wan2022", "seconds": 1.0}))[0].astype(float)
    for level in (1, 2, 3):
        share = (1 + 149 * level / 3) / 150
        expected = wan2022_sigma_us(share, 1) / 40 * 450 / 149
        assert rows[level].mean() == pytest.approx(level, abs=5 * expected / sqrt(count))
        assert rows[level].std() == pytest.approx(expected, rel=5 / sqrt(2 * count) + 1e-4)
    assert rows[3].std() == pytest.approx(0.0833, rel=0.02)


def test_no_measured_cell_has_a_negative_conductance() -> None:
    """After 2 days the lowest level, 3/149 of a step above zero, deviates by more: many cells end there."""
    cells, weights = every_level(10_000)
    rows = held(cells, weights, module(write={"kind": "rram_wan2022", "seconds": 172800.0}))[0]
    assert rows.min() == pytest.approx(-3 / 149)
    assert 0.2 < np.mean(rows[0] == rows.min()) < 0.5


# --- equation 5 on whole weights -------------------------------------------------------------------------


@pytest.mark.parametrize(("coding", "cell_bits"), CODINGS)
@pytest.mark.parametrize("flip", [False, True])
def test_whole_weights_deviate_by_the_same_factor_in_every_coding(
    coding: str, cell_bits: int, flip: bool
) -> None:
    """What the cells stand for is w (1 + eta), for all weights there are, with the same eta everywhere."""
    lowest = -127 if coding == "differential" else -128
    weights = np.tile(np.arange(lowest, 128)[:, np.newaxis], (1, 3))
    # columns of negative and of positive weights, so that some are stored complemented and some are not
    weights[:, 1], weights[:, 2] = -np.abs(weights[:, 1]), np.minimum(np.abs(weights[:, 2]), 127)
    cells = coded(weights, coding, cell_bits, flip)
    assert cells.flipped.any() == flip
    levels = held(cells, weights, module(write={"kind": "gaussian_weight", "sigma": 0.1}), (7, 0))
    offset = 128 if coding == "offset" else 0
    read = weights_read(cells, levels) - offset
    eta = np.random.Generator(np.random.Philox(np.random.SeedSequence([7, 0, 0]))).standard_normal(
        weights.shape
    )
    np.testing.assert_allclose(read, weights * (1 + 0.1 * eta), rtol=0, atol=2e-4)


def test_cells_of_a_weight_deviate_in_proportion_to_their_levels() -> None:
    """w = 72 is stored as 200 = 3 2 0 2 (64, 16, 4, 1): x% of the weight are 72/200 x% of each level."""
    weights = np.array([[72]])
    cells = coded(weights, "offset", 2)
    assert cells.levels[:, 0, 0].tolist() == [0, 2, 0, 3]
    levels = held(cells, weights, module(write={"kind": "gaussian_weight", "sigma": 0.5}))[:, 0, 0]
    eta = (weights_read(cells, levels[:, np.newaxis, np.newaxis])[0, 0] - 128) / 72 - 1
    np.testing.assert_allclose(levels, np.array([0, 2, 0, 3]) * (1 + eta * 72 / 200), rtol=1e-6)
    assert levels[0] == levels[2] == 0


def test_the_most_negative_weight_deviates_in_all_its_cells_alike() -> None:
    """w = -128 is stored as 0 in all four cells of 64, 16, 4 and 1: each takes 1/85 of the deviation."""
    weights = np.array([[-128]])
    cells = coded(weights, "offset", 2)
    levels = held(cells, weights, module(write={"kind": "gaussian_weight", "sigma": 0.1}))[:, 0, 0]
    assert np.ptp(levels) == 0
    assert levels[0] != 0
    assert weights_read(cells, levels[:, np.newaxis, np.newaxis])[0, 0] == pytest.approx(85 * levels[0])


# --- stuck cells, off current, order ---------------------------------------------------------------------


def test_shares_of_stuck_cells() -> None:
    count = 100_000
    cells, weights = every_level(count)
    rows = held(cells, weights, module(stuck={"lowest": 0.02, "highest": 0.05}))[0]
    for level in range(4):
        for found, share in ((0, 0.02), (3, 0.05)):
            expected = share if level != found else 1 - (0.07 - share)
            assert np.mean(rows[level] == found) == pytest.approx(expected, abs=5 * sqrt(0.05 / count))
    assert np.isin(rows, [0, 1, 2, 3]).all()


def test_all_cells_may_be_stuck() -> None:
    cells, weights = every_level(100)
    assert (held(cells, weights, module(stuck={"lowest": 1.0})) == 0).all()
    assert (held(cells, weights, module(stuck={"highest": 1.0})) == 3).all()
    half = held(cells, weights, module(stuck={"lowest": 0.5, "highest": 0.5}))
    assert np.isin(half, [0, 3]).all()


def test_stuck_cells_are_stuck_whatever_was_written() -> None:
    """Which cells are stuck does not depend on other noise, and they do not deviate."""
    cells, weights = every_level(1000)
    stuck = {"lowest": 0.1, "highest": 0.1}
    alone = held(cells, weights, module(stuck=stuck))
    both = held(cells, weights, module(stuck=stuck, write={"kind": "gaussian_additive", "sigma": 0.2}))
    wrong = alone != cells.levels
    assert wrong.any()
    np.testing.assert_array_equal(both[wrong], alone[wrong])


def test_a_stuck_cell_of_a_complemented_column_stands_for_the_other_end() -> None:
    weights = np.full((64, 1), 127)
    cells = coded(weights, "offset", 1, flip=True)
    assert cells.flipped.all()
    levels = held(cells, weights, module(stuck={"highest": 1.0}))
    assert (weights_read(cells, levels) == 0).all()


def test_the_current_of_the_lowest_level_is_kept_after_writing() -> None:
    """2-bit cells with an on/off ratio of 150: the lowest level is 3/149 of a step."""
    cells, weights = every_level(10)
    rows = held(cells, weights, module("kept"))
    np.testing.assert_allclose(rows, cells.levels + 3 / 149, rtol=1e-6)
    stuck = held(cells, weights, module("kept", stuck={"highest": 1.0}))
    np.testing.assert_allclose(stuck, 3 + 3 / 149, rtol=1e-6)


def test_cells_of_one_bit_may_deviate_otherwise() -> None:
    noise = {
        "write": {"kind": "gaussian_additive", "sigma": 0.2},
        "slc_write": {"kind": "gaussian_additive", "sigma": 0.02},
    }
    for cell_bits, sigma in ((1, 0.02), (2, 0.2)):
        cells, weights = levels_of(np.ones((1, 1, 10_000)), cell_bits)
        assert held(cells, weights, module(**noise)).std() == pytest.approx(sigma, rel=0.05)
        noise["slc_write"] = {"kind": "same"}
    cells, weights = levels_of(np.ones((1, 1, 10_000)), 1)
    assert held(cells, weights, module(**noise)).std() == pytest.approx(0.2, rel=0.05)


# --- seeds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gaussian_additive", "gaussian_weight"])
def test_a_seed_gives_the_same_cells_again_and_another_one_others(kind: str) -> None:
    weights = np.random.default_rng(0).integers(-128, 127, (70, 9))
    cells = coded(weights, "offset", 2)
    model = module(write={"kind": kind, "sigma": 0.1}, stuck={"lowest": 0.1})
    first = held(cells, weights, model, (1, 0))
    held(cells, weights, model, (1, 1))
    np.testing.assert_array_equal(held(cells, weights, model, (1, 0)), first)
    for other in ((1, 1), (0, 1), (2, 0), (1, 0, 0)):
        assert not np.array_equal(held(cells, weights, model, other), first)


def test_pieces_deviate_alike_in_whatever_order_they_are_programmed() -> None:
    """A piece depends on the seed and its mode, not on what was programmed ahead of it."""
    crossbar = Crossbar(module(write={"kind": "gaussian_multiplicative", "sigma": 0.1}), 0.5)
    matrix = np.random.default_rng(0).integers(-127, 127, (64, 8))
    one, again = crossbar.program(matrix, seed=3), crossbar.program(matrix, seed=3)
    for first, second in zip(one.pieces, again.pieces, strict=True):
        np.testing.assert_array_equal(first.cells.conductance, second.cells.conductance)
    mlc = crossbar.program(matrix[:, 4:], slc=0.0, seed=3).pieces[0]
    np.testing.assert_array_equal(mlc.cells.conductance, one.pieces[1].cells.conductance)


def test_what_is_written_stays_the_same_for_every_read() -> None:
    """Products repeat themselves, one by one or in a batch, until the matrix is programmed anew."""
    crossbar = Crossbar(module(write={"kind": "gaussian_multiplicative", "sigma": 0.1}), 0.5)
    draw = np.random.default_rng(0)
    matrix, inputs = draw.integers(-127, 127, (70, 6)), draw.integers(-128, 127, (3, 70))
    programmed = crossbar.program(matrix, seed=3)
    first = programmed.multiply(inputs, seed=0).values
    assert not np.array_equal(first, inputs @ matrix)
    np.testing.assert_array_equal(programmed.multiply(inputs, seed=1).values, first)
    for vector, row in zip(inputs, first, strict=True):
        np.testing.assert_array_equal(programmed.multiply(vector).values[0], row)
    assert not np.array_equal(crossbar.program(matrix, seed=4).multiply(inputs).values, first)


def test_what_is_written_is_the_complement() -> None:
    """Relative noise leaves cells at the lowest level exact: after complementing, those of weight 127."""
    weights = np.full((64, 1), 127)
    model = module(write={"kind": "gaussian_multiplicative", "sigma": 0.1})
    plain = coded(weights, "offset", 1)
    assert (weights_read(plain, held(plain, weights, model)) != 255).all()
    flipped = coded(weights, "offset", 1, flip=True)
    assert (weights_read(flipped, held(flipped, weights, model)) == 255).all()


# --- voltage lost along the wires -----------------------------------------------------------------------


def test_cells_lose_what_their_place_in_the_array_costs() -> None:
    """Rows of 2 arrays of 2 and 1 rows; 3-cell weights, of which 2 stand side by side in 7 columns."""
    slices, rows, columns = 3, 3, 5
    cells, weights = levels_of(np.random.default_rng(0).integers(0, 4, (slices, rows, columns)), block_rows=2)
    array = PRESET.array.model_copy(update={"rows": 2, "columns": 7})
    model = module("kept", ir_drop={"wire_ohm": 2.0, "active_inputs": 0.25})
    levels = held(cells, weights, model.model_copy(update={"array": array}))
    step = (1 - 1 / 150) / 6000 / 3
    for top, bottom in ((0, 2), (2, 3)):
        for first in (0, 2, 4):
            here = range(first, min(first + 2, columns))
            places = [(number, weight) for weight in here for number in range(slices)]
            block = np.array([[cells.levels[s, row, w] for s, w in places] for row in range(top, bottom)])
            kept = kept_voltage((block + 3 / 149) * step, 2.0, 0.25)
            for at, (number, weight) in enumerate(places):
                np.testing.assert_allclose(
                    levels[number, top:bottom, weight], ((block + 3 / 149) * kept)[:, at], rtol=1e-5
                )
