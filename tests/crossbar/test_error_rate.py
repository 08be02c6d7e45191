"""Sigma and error rates, both ways; noise in words.

Q(x) is the share of a standard normal variable above x. A cell whose level g deviates by s is read as the
next level with Q(0.5/s) - Q(1.5/s), as the second next with Q(1.5/s) - Q(2.5/s); the outermost levels take
all the rest.
"""

from __future__ import annotations

from math import erfc, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.cost.entry import Section
from archsim.crossbar.error_rate import describe, deviations, error_rates, sigma_of
from archsim.errors import CrossbarError
from archsim.parts.arithmetic import (
    AdditiveNoise,
    ClipformerNoise,
    DeviceModel,
    Gaussian,
    MultiplicativeNoise,
    NoNoise,
    Wan2022Noise,
    WeightNoise,
)

DEVICE = DeviceModel(on_ohm=6000, on_off_ratio=150)
KINDS: dict[str, type[Gaussian]] = {"multiplicative": MultiplicativeNoise, "additive": AdditiveNoise}


def gaussian(kind: str, **measure: Any) -> Gaussian:
    return KINDS[kind](kind=f"gaussian_{kind}", **measure)


def q(x: float) -> float:
    return erfc(x / sqrt(2)) / 2


@pytest.mark.parametrize(
    ("kind", "measure", "cell_bits", "sigma"),
    [
        # levels 0 to 3: [2 Q(.5/s) + 2 Q(.5/2s) + Q(.5/3s)] / 4
        # at s = .132: [2 Q(3.788) + 2 Q(1.894) + Q(1.263)] / 4 = [.0002 + .0582 + .1033] / 4 = .0404
        ("multiplicative", "cell_error_rate", 2, 0.132),
        # 6 Q(.5/s) / 4; at s = .259: 1.5 Q(1.931) = 1.5 x .0268 = .0402
        ("additive", "cell_error_rate", 2, 0.259),
        # two bits for a step of two levels; if every error were one wrong bit of two, s would be .1738
        ("multiplicative", "bit_error_rate", 2, 0.1733),
        ("additive", "bit_error_rate", 2, 0.311),
        # one level of two deviates: Q(.5/s) / 2 = .0404, and Q(1.401) = .0807
        ("multiplicative", "cell_error_rate", 1, 0.357),
        # both deviate: Q(.5/s) = .0404, and Q(1.746) = .0404
        ("additive", "cell_error_rate", 1, 0.286),
        ("additive", "bit_error_rate", 1, 0.286),
    ],
)
def test_sigma_of_4_04_percent(kind: str, measure: str, cell_bits: int, sigma: float) -> None:
    found = sigma_of(gaussian(kind, **{measure: 0.0404}), cell_bits)
    assert float(f"{found:.{len(str(sigma)) - 2}f}") == sigma


def test_sigma_of_the_published_notebook_is_no_error_rate_to_speak_of() -> None:
    """At .025 only the highest level matters: Q(.5/.075) = Q(6.67) = 1.3e-11; / 4 cells, and / 2 bits."""
    rates = error_rates(deviations(gaussian("multiplicative", sigma=0.025), 2))
    assert rates.cell == pytest.approx(q(0.5 / 0.075) / 4, rel=1e-6)
    assert rates.bit == pytest.approx(1.6e-12, rel=0.03)


def test_gray_coded_bits_by_hand() -> None:
    """Only level 1 of 0 to 3 deviates, by 1: it is read as 0, 2 and 3.

    Gray codes 00, 01, 11, 10. Read as 0: Q(.5), one bit; as 2: Q(.5) - Q(1.5), one bit; as 3: Q(1.5), two.
    """
    rates = error_rates((0.0, 1.0, 0.0, 0.0))
    assert rates.cell == pytest.approx(2 * q(0.5) / 4)
    assert rates.bit == pytest.approx((2 * q(0.5) + q(1.5)) / 4 / 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell_bits", [1, 2, 3, 4])
@pytest.mark.parametrize("measure", ["cell_error_rate", "bit_error_rate"])
@settings(max_examples=12)
@given(rate=st.floats(1e-12, 0.24))
def test_rates_and_sigma_are_inverse(kind: str, cell_bits: int, measure: str, rate: float) -> None:
    sigma = sigma_of(gaussian(kind, **{measure: rate}), cell_bits)
    unit = range(2**cell_bits) if kind == "multiplicative" else (1,) * 2**cell_bits
    rates = error_rates([sigma * each for each in unit])
    assert (rates.cell if measure == "cell_error_rate" else rates.bit) == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell_bits", [1, 2, 3, 4])
def test_rates_against_cells_that_are_read_back(kind: str, cell_bits: int) -> None:
    top, cells = 2**cell_bits - 1, 200_000
    model = gaussian(kind, cell_error_rate=0.1)
    draw = np.random.default_rng(cell_bits)
    levels = draw.integers(0, top, cells, endpoint=True)
    noisy = levels + draw.standard_normal(cells) * np.array(deviations(model, cell_bits))[levels]
    read = np.clip(np.floor(noisy + 0.5), 0, top).astype(np.int64)
    assert np.mean(read != levels) == pytest.approx(0.1, abs=5 * sqrt(0.1 * 0.9 / cells))
    wrong = np.bitwise_count((read ^ (read >> 1)) ^ (levels ^ (levels >> 1))).mean() / cell_bits
    assert wrong == pytest.approx(error_rates(deviations(model, cell_bits)).bit, rel=0.05)


def test_a_rate_of_other_cells_is_the_same_deviation_of_the_conductance() -> None:
    """Relative to the level it is the same; an SLC step is three steps of a 2-bit cell."""
    for kind, smaller in (("multiplicative", 1), ("additive", 3)):
        model = gaussian(kind, bit_error_rate=0.0404, cell_bits=2)
        own = gaussian(kind, bit_error_rate=0.0404)
        assert sigma_of(model, 2) == sigma_of(own, 2)
        assert sigma_of(model, 1) == pytest.approx(sigma_of(own, 2) / smaller)
        assert sigma_of(model, 1) < sigma_of(own, 1)
    assert sigma_of(gaussian("additive", sigma=0.3, cell_bits=1), 4) == pytest.approx(0.3 * 15)
    assert sigma_of(gaussian("multiplicative", sigma=0.3, cell_bits=1), 4) == 0.3


def test_levels_of_the_other_kinds() -> None:
    # ClipFormer: gamma sigma sqrt(g x 3)
    noise = ClipformerNoise(kind="clipformer_write", gamma=5, sigma=0.02)
    assert deviations(noise, 2) == pytest.approx((0, 0.1 * sqrt(3), 0.1 * sqrt(6), 0.3))
    assert deviations(NoNoise(), 3) == (0.0,) * 8
    # Wan 2022, SLC, 1 s: at the top x = 1: .348 + 16.03 - 43.853 + 45.393 - 16.815 = 1.103 uS of 40 uS, and a
    # step is 149/150 of the highest conductance; at the bottom x = 1/150: .348 + .10687 - .00195 + .00001
    lowest, highest = deviations(Wan2022Noise(kind="rram_wan2022", seconds=1), 1, DEVICE)
    assert highest == pytest.approx(1.103 / 40 * 150 / 149, rel=1e-9)
    assert lowest == pytest.approx(0.45293 / 40 * 150 / 149, rel=1e-4)


def test_wan_2022_after_a_day_misreads_as_many_2_bit_cells_as_were_measured_elsewhere() -> None:
    """4.10 % of cells, beside the 4.04 % of Fan et al.: two independent sources."""
    rates = error_rates(deviations(Wan2022Noise(kind="rram_wan2022", seconds=86400), 2, DEVICE))
    assert rates.cell == pytest.approx(0.0404, rel=0.02)


@pytest.mark.parametrize(
    ("kind", "measure", "cell_bits", "rate", "most"),
    [
        # sigma without end: half of the cells that should be on are read as off
        ("multiplicative", "cell_error_rate", 1, 0.25, "0.25"),
        # Gray: 00 never; 01 and 11 are read as 00 or 10, 3 wrong bits in 4; 10 as 00 in half the cases
        ("multiplicative", "bit_error_rate", 2, 0.44, "0.4375"),
    ],
)
def test_a_rate_that_no_sigma_gives(kind: str, measure: str, cell_bits: int, rate: float, most: str) -> None:
    with pytest.raises(CrossbarError) as error:
        sigma_of(gaussian(kind, **{measure: rate}), cell_bits)
    assert str(error.value) == (
        f"{measure}: {rate:g} is more than gaussian_{kind} can give in {cell_bits}-bit cells, however large "
        f"sigma is: it must be below {most}"
    )


def test_a_kind_that_needs_conductances_says_so() -> None:
    with pytest.raises(CrossbarError) as error:
        deviations(Wan2022Noise(kind="rram_wan2022", seconds=1), 2)
    assert str(error.value) == (
        "rram_wan2022 depends on the conductances of the cells: give cell.device, with on_ohm and "
        "on_off_ratio"
    )


SIDE_BY_SIDE = """
gaussian_multiplicative: sigma 0.025 of the level, misreads 3.27e-10 % of 2-bit cells, 1.64e-10 % of their \
Gray-coded bits
gaussian_additive: sigma 0.311 of a step between levels, misreads 8.08 % of 2-bit cells, 4.04 % of their \
Gray-coded bits
gaussian_multiplicative: sigma 0.173 of the level, misreads 0.0979 % of 1-bit cells
gaussian_weight: sigma 0.132 of whole weights; the same of single cells misreads 4.04 % of 2-bit cells, \
2.02 % of their Gray-coded bits
clipformer_write: sigma 0 to 0.18 of a step between levels, misreads 0.0852 % of 2-bit cells, 0.0426 % of \
their Gray-coded bits
none
gaussian_multiplicative: sigma 0.025 of the level, misreads less than 1e-18 % of 1-bit cells
gaussian_additive: sigma 0 of a step between levels, misreads 0 % of 1-bit cells
"""


def test_sigma_and_error_rates_stand_side_by_side() -> None:
    models: list[tuple[Section, int]] = [
        (gaussian("multiplicative", sigma=0.025), 2),
        (gaussian("additive", bit_error_rate=0.0404, cell_bits=2), 2),
        (gaussian("multiplicative", bit_error_rate=0.0404, cell_bits=2), 1),
        (WeightNoise(kind="gaussian_weight", sigma=0.132), 2),
        (ClipformerNoise(kind="clipformer_write", gamma=3, sigma=0.02), 2),
        (NoNoise(), 2),
        (gaussian("multiplicative", sigma=0.025), 1),
        (gaussian("additive", sigma=0.0), 1),
    ]
    assert [describe(*model, DEVICE) for model in models] == SIDE_BY_SIDE.split("\n")[1:-1]
