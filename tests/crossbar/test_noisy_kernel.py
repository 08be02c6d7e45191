"""Products of inexact cells and reads against plain NumPy, and the moments of read noise against theory."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from conversions import expected, random_cells, random_planes
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archsim.crossbar import noisy_kernel, random
from archsim.crossbar.adc import Converter
from archsim.crossbar.cells import Cells
from archsim.crossbar.coding import Planes
from archsim.crossbar.fixed_tiles import fixed_steps
from archsim.crossbar.noisy_kernel import noisy_product
from archsim.crossbar.packed_kernel import packed_product
from archsim.parts.arithmetic import AdditiveNoise, MultiplicativeNoise, NoNoise

FINE = Converter(-(2**40), 2**40, step=2.0**-20)
"""A converter that is hardly there."""


def deviating(generator: np.random.Generator, cells: Cells) -> Cells:
    deviations = generator.normal(0, 0.2, cells.levels.shape)
    return replace(cells, conductance=(cells.levels + deviations).astype(np.float32))


def check(planes: Planes, cells: Cells, converter: Converter) -> np.ndarray:
    values, saturated = noisy_product(planes, cells, converter, NoNoise(), (0,))
    wanted, beyond = expected(planes, cells, converter)
    np.testing.assert_allclose(values, wanted, rtol=1e-12, atol=1e-9)
    assert saturated == beyond
    return values


CONVERTERS = (
    Converter(0, 15),
    Converter(-8, 20, rounds=False),
    Converter(0, 15, zero=5.0),
    Converter(-16, 15, step=64 / 63, offset_lsb=0.3),
    Converter(0, 31, step=3.7, zero=-2.0, gain_error=-0.03),
    Converter(0, 31, inl_lsb=(0.0, 0.7, -0.5, 0.2), gain_error=0.01),
    Converter(0, 31, inl_lsb=(0.4,)),
)


@pytest.mark.parametrize("bipolar", [False, True])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("converter", CONVERTERS, ids=repr)
def test_any_converter(converter: Converter, flip: bool, bipolar: bool) -> None:
    generator = np.random.default_rng(1)
    for access_rows, ones in ((None, 0.5), (8, 0.05)):
        cells = random_cells(generator, (2, 150, 37), 2, 64, access_rows, flip)
        check(random_planes(generator, 3, 3, 150, bipolar, ones), deviating(generator, cells), converter)


@settings(max_examples=60)
@given(
    rows=st.integers(1, 200),
    columns=st.integers(1, 40),
    batch=st.integers(1, 4),
    reads=st.integers(1, 3),
    slices=st.integers(1, 3),
    cell_bits=st.integers(1, 4),
    block_rows=st.sampled_from([1, 7, 63, 64, 65, 128, 130, 65536]),
    bipolar=st.booleans(),
    flip=st.booleans(),
    bits=st.integers(1, 8),
    seed=st.integers(0, 99),
)
@example(1, 1, 1, 1, 1, 1, 64, False, False, 1, 0)
def test_shapes(
    rows: int,
    columns: int,
    batch: int,
    reads: int,
    slices: int,
    cell_bits: int,
    block_rows: int,
    bipolar: bool,
    flip: bool,
    bits: int,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    cells = random_cells(generator, (slices, rows, columns), cell_bits, block_rows, None, flip)
    planes = random_planes(generator, reads, batch, rows, bipolar)
    half = 2 ** (bits - 1)
    check(planes, deviating(generator, cells), Converter(-half, half - 1))


def test_sums_next_to_the_edge_between_two_codes() -> None:
    """0.5 is code 1; 2^-25 less is code 0, though float32 adds it and 64 up to 64.5."""
    levels = np.full((1, 65, 2), 1, dtype=np.uint8)
    conductance = np.ones((1, 65, 2), dtype=np.float32)
    conductance[0, 64] = (0.5, np.float32(0.5) - np.float32(2**-25))
    cells = Cells(levels, np.array([1]), np.zeros((1, 1, 2), dtype=np.bool_), 1, 128, None, conductance)
    planes = Planes(np.ones((1, 1, 65), dtype=np.int8), np.array([1]), False)
    assert check(planes, cells, Converter(0, 127)).tolist() == [[65, 64]]


def column(*levels: float) -> Cells:
    """Cells of one column, one slice and one block."""
    held = np.array(levels, dtype=np.float32)[np.newaxis, :, np.newaxis]
    assert held.ravel().tolist() == list(levels), "float32 has them"
    rows = np.zeros(held.shape, dtype=np.uint8)
    return Cells(rows, np.array([1]), np.zeros((1, 1, 1), dtype=np.bool_), 1, 64, None, held)


def all_driven(rows: int) -> Planes:
    return Planes(np.ones((1, 1, rows), dtype=np.int8), np.array([1]), False)


# 2^-24 to 2^-40 are 6e-8 to 9e-13, and the sums are exact in float64
@pytest.mark.parametrize("power", range(24, 41, 4))
@pytest.mark.parametrize(
    ("converter", "edge", "above"),
    [
        (Converter(0, 63), 2.5, 3),
        (Converter(0, 63, rounds=False), 3.0, 3),
        (Converter(0, 63, step=2.0), 3.0, 2),  # (3 / 2) + 1/2 = 2
        (Converter(0, 63, zero=0.25), 2.75, 3),
        (Converter(0, 63, offset_lsb=0.25), 2.25, 3),
        (Converter(0, 63, gain_error=0.25), 2.0, 3),  # 2 x 1.25 = 2.5
        (Converter(-4, 3), 3.5, 4),  # the edge of saturation
        (Converter(3, 63), 2.5, 3),  # and at the other end
    ],
)
def test_sums_that_nearly_are_an_edge(converter: Converter, edge: float, above: int, power: int) -> None:
    for distance, code in ((-(2.0**-power), above - 1), (0.0, above), (2.0**-power, above)):
        cells = column(edge - 1, 1.0, distance)
        kept = min(max(code, converter.lowest), converter.highest)
        value = check(all_driven(3), cells, converter).item()
        assert value == pytest.approx(kept * converter.step + converter.zero)
        assert noisy_product(all_driven(3), cells, converter, NoNoise(), (0,))[1] == (kept != code)


def test_rounding_that_adds_up() -> None:
    """Levels of half a unit each, which 64 roundings to even take, or give: 32 units, or a code, in all.

    64 levels of at most 1 and the half of rounding fit 2^7 codes: a unit is 2^(7 - 30) = 2^-23. 1/2 + 2^-24
    is 2^22 + 1/2 units, down to 2^22; 1/2 + 3 x 2^-24 is 2^22 + 3/2, up to 2^22 + 2. The last cell makes the
    sum 32.5, the edge, or 2^-24 less, of which whole numbers make 32.5 less 32 units, or more by 31.
    """
    assert fixed_steps(Converter(0, 63), 64, 1.0).shift == 23
    for many, last, code in ((1, 1 - 63 * 2**-24, 33), (3, 1 - 190 * 2**-24, 32)):
        cells = column(*[0.5 + many * 2**-24] * 63, last)
        assert check(all_driven(64), cells, Converter(0, 63)).item() == code


@settings(max_examples=60)
@given(
    step=st.sampled_from([1.0, 2.0, 0.5, 1.5, 3.0, 64 / 63, 3.7]),
    zero=st.sampled_from([0.0, 3.0, -2.5, 1 / 3]),
    rounds=st.booleans(),
    offset=st.sampled_from([0.0, 0.25, -0.3]),
    gain=st.sampled_from([0.0, 0.25, -0.03, -0.999]),
    power=st.sampled_from([None, 24, 30, 40]),
    bipolar=st.booleans(),
    block_rows=st.sampled_from([64, 130]),
    seed=st.integers(0, 99),
)
def test_every_option_where_edges_are_near(
    step: float,
    zero: float,
    rounds: bool,
    offset: float,
    gain: float,
    power: int | None,
    bipolar: bool,
    block_rows: int,
    seed: int,
) -> None:
    """Whole levels, or some rows that deviate a little: many sums are next to edges, or on them."""
    generator = np.random.default_rng(seed)
    cells = random_cells(generator, (2, 130, 35), 2, block_rows)
    held = cells.levels.astype(np.float32)
    if power is not None:
        held[:, ::60] = generator.choice([-1, 0, 1], held[:, ::60].shape) * np.float32(2.0**-power)
    planes = random_planes(generator, 2, 12, 130, bipolar)
    converter = Converter(-40, 90, step, zero, rounds, offset, gain)
    check(planes, replace(cells, conductance=held), converter)


def test_tiles_with_too_many_sums_in_doubt_are_left_to_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of exact cells, each third sum is an edge of steps of 3 that round down, and no unit is a third."""
    generator = np.random.default_rng(6)
    cells = random_cells(generator, (1, 64, 40), 2, 64)
    planes = random_planes(generator, 1, 50, 64, False)
    real, tiles = noisy_kernel._real_tile, []
    monkeypatch.setattr(noisy_kernel, "_real_tile", lambda *given: tiles.append(1) or real(*given))
    check(planes, cells, Converter(0, 63, step=3.0, rounds=False))
    assert len(tiles) == 2
    for converter in (Converter(0, 63), Converter(0, 63, rounds=False), Converter(0, 63, step=4.0)):
        check(planes, cells, converter)
        check(planes, deviating(generator, cells), converter)
    assert len(tiles) == 2


def test_units_are_as_fine_as_the_sums_allow() -> None:
    """64 x 1 + 5 + 1/2 < 2^7: shift 30 - 7. The bias is half a code of 2^23 units, less the 5 of zero."""
    fixed = fixed_steps(Converter(0, 63, zero=5.0), 64, 1.0)
    assert fixed is not None
    assert (fixed.shift, fixed.scale, fixed.bias, fixed.exact) == (23, 2.0**23, -9 * 2**22, True)
    assert not fixed_steps(Converter(0, 63, step=64 / 63), 64, 1.0).exact
    # 1024 x 3 < 2^12: 18 bits are left, and 1024 of 2^18 units are 1/2^8 of a code; 2048 rows are too many
    assert fixed_steps(Converter(0, 127), 1024, 3.0).shift == 18
    assert fixed_steps(Converter(0, 127), 2048, 3.0) is None
    for largest in (math.inf, math.nan, 1e30):
        assert fixed_steps(Converter(0, 127), 64, largest) is None


def test_exact_cells_give_what_the_other_kernel_gives() -> None:
    generator = np.random.default_rng(3)
    cells = random_cells(generator, (3, 130, 20), 2, 64)
    planes = random_planes(generator, 4, 40, 130, False)
    values, saturated = noisy_product(planes, cells, Converter(0, 90), NoNoise(), (0,))
    exact, beyond = packed_product(planes, cells, Converter(0, 90))
    np.testing.assert_array_equal(values, exact)
    assert saturated == beyond


# Salmon et al. (SC 2011), file kat_vectors of Random123: philox4x32 with 10 rounds
@pytest.mark.parametrize(
    ("counter", "key", "numbers"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_the_generator_gives_its_published_numbers(counter: str, key: str, numbers: str) -> None:
    words = [np.uint64(int(word, 16)) for word in f"{key} {counter}".split()]
    assert " ".join(f"{int(word):08x}" for word in random.philox(*words)) == numbers


def test_logarithm_and_sine() -> None:
    for number in [0, 1, 2**51 - 1, 2**51, 2**52 - 2, 2**52 - 1, *(3**k for k in range(33))]:
        # relative to the logarithm too, which is tiny next to 1
        wanted = (
            math.log1p((number + 0.5 - 2**52) / 2**52) if number > 2**51 else math.log((number + 0.5) / 2**52)
        )
        assert random.logarithm(np.uint64(number)) == pytest.approx(wanted, rel=1e-13)
    for x in np.linspace(-math.pi / 2, math.pi / 2, 101):
        assert random.sine(x) == pytest.approx(math.sin(x), abs=1e-13)


def read_deviations(noise: MultiplicativeNoise | AdditiveNoise, bipolar: bool, seed: int = 0) -> np.ndarray:
    """Deviations of one read, one slice, of 4000 vectors that are equal and 50 columns that are so too.

    The rows are one of level 3 and two of level 1, of which a bipolar read drives one negatively, and a row
    of level 2 that is not driven.
    """
    levels = np.repeat(np.array([3, 1, 1, 2], dtype=np.uint8)[:, np.newaxis], 50, axis=1)[np.newaxis]
    cells = Cells(levels, np.array([1]), np.zeros((1, 1, 50), dtype=np.bool_), 2, 64, None)
    bits = np.array([1, 1, -1 if bipolar else 1, 0], dtype=np.int8)
    planes = Planes(np.broadcast_to(bits, (1, 4000, 4)), np.array([1]), bipolar)
    values, _ = noisy_product(planes, cells, FINE, noise, (seed,))
    return values - (3 if bipolar else 5)


@pytest.mark.parametrize("bipolar", [False, True])
@pytest.mark.parametrize(
    ("noise", "variance"),
    [
        # 0.1^2 for each of three cells
        (AdditiveNoise(kind="gaussian_additive", sigma=0.1), 0.03),
        # 0.1^2 times 3^2 + 1 + 1
        (MultiplicativeNoise(kind="gaussian_multiplicative", sigma=0.1), 0.11),
    ],
)
def test_moments_of_read_noise(
    noise: MultiplicativeNoise | AdditiveNoise, variance: float, bipolar: bool
) -> None:
    """Of 200000 numbers: mean, variance, skewness, kurtosis within five standard errors, which are
    sqrt(1, 2, 6 and 24 over the count) for a normal distribution; neighbours do not correlate.
    """
    scaled = read_deviations(noise, bipolar) / math.sqrt(variance)
    count = scaled.size
    for power, moment, error in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        # the variance of the k-th power: E x^2k - (E x^k)^2 = 1, 3 - 1, 15, 105 - 9
        assert abs(np.mean(scaled**power) - moment) < 5 * math.sqrt(error / count)
    for left, right in ((scaled[1:], scaled[:-1]), (scaled[:, 1:], scaled[:, :-1])):
        assert abs(np.mean(left * right)) < 5 / math.sqrt(left.size)
    # Kolmogorov and Smirnov: beyond 1.95 / sqrt(count) in one of 1000 cases
    ordered = np.sort(scaled, axis=None)
    share = np.array([math.erfc(-x / math.sqrt(2)) / 2 for x in ordered[:: count // 2000]])
    assert np.abs(share - np.arange(0, count, count // 2000) / count).max() < 1.95 / math.sqrt(count)


def test_every_conversion_has_a_deviation_of_its_own() -> None:
    """Of planes, slices, blocks, columns and vectors; another seed gives others, the same seed the same."""
    noise = AdditiveNoise(kind="gaussian_additive", sigma=0.1)
    drawn = []
    for plane in range(2):
        for slice_ in range(2):
            for block in range(2):
                bits = np.zeros((2, 3, 8), dtype=np.int8)
                bits[plane, :, 4 * block] = 1
                levels = np.zeros((2, 8, 3), dtype=np.uint8)
                weight = np.array([slice_ == 0, slice_ == 1], dtype=np.int64)
                cells = Cells(levels, weight, np.zeros((2, 2, 3), dtype=np.bool_), 1, 4, None)
                planes = Planes(bits, np.ones(2, dtype=np.int64), False)
                drawn.append(noisy_product(planes, cells, FINE, noise, (0,))[0])
    # several conversions without noise count 0 each
    assert len(np.unique(np.round(drawn, 6))) == 8 * 3 * 3
    one, same, other = (read_deviations(noise, False, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.any(one == other)


@pytest.mark.parametrize(
    "noise", [NoNoise(), MultiplicativeNoise(kind="gaussian_multiplicative", sigma=0.3)], ids=repr
)
@pytest.mark.parametrize("bipolar", [False, True])
def test_any_number_of_threads_and_size_of_jobs(
    bipolar: bool, noise: NoNoise | MultiplicativeNoise, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(4)
    cells = deviating(generator, random_cells(generator, (2, 100, 50), 2, 64))
    planes = random_planes(generator, 3, 30, 100, bipolar)
    answers = []
    for threads, reads in ((1, 1024), (2, 1024), (3, 1), (2, 30)):
        monkeypatch.setattr(noisy_kernel, "threads", lambda number=threads: number)
        monkeypatch.setattr(noisy_kernel, "JOB_READS", reads)
        answers.append(noisy_product(planes, cells, Converter(-64, 63), noise, (7, 1)))
    assert all(np.array_equal(answers[0][0], values) for values, _ in answers)
    assert len({saturated for _, saturated in answers}) == 1


def test_no_noise_where_sigma_is_0() -> None:
    generator = np.random.default_rng(5)
    cells = deviating(generator, random_cells(generator, (2, 70, 18), 1, 64))
    planes = random_planes(generator, 2, 3, 70, False)
    quiet = noisy_product(planes, cells, Converter(0, 31), NoNoise(), (0,))
    none = AdditiveNoise(kind="gaussian_additive", sigma=0)
    np.testing.assert_array_equal(noisy_product(planes, cells, Converter(0, 31), none, (0,))[0], quiet[0])
