"""Accesses limited by ones: their distribution, by hand and against draws, and the MVMs that take them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.activity import Activity, ActivityModel
from archsim.parts.analog_accesses import Accesses, accesses
from archsim.parts.part import Held, Stored
from archsim.workload.operations import Operation, Precision

Matrix = Callable[..., Stored]
Multiply = Callable[..., Any]

ANALOG = "pu.parts.analog"
ARRAY = f"{ANALOG}.array"
ONE_BIT = Precision(activation_bits=1)


def of(ones: float | list[float], reads: int, blocks: dict[int, int], limit: int, lockstep: Any) -> Accesses:
    model = ActivityModel.model_validate({"ones": ones})
    return accesses(Activity(model), "l0.q", reads, blocks, limit, lockstep)


def chances(found: Accesses) -> dict[int, float]:
    return {found.fewest + number: float(p) for number, p in enumerate(found.total) if p}


def test_one_plane_of_two_rows_by_hand() -> None:
    # one wordline an access: 0, 1, 2 ones of 2 rows take as many, with the chances 1, 2, 1 of 4. No ones in
    # the whole input: one access all the same
    assert chances(of(0.5, 1, {2: 1}, 1, "plane")) == pytest.approx({1: 3 / 4, 2: 1 / 4})
    # two row blocks: at most 1 in both is 9 of 16, and 2 in either the other 7
    two = of(0.5, 1, {2: 2}, 1, "plane")
    assert chances(two) == pytest.approx({1: 9 / 16, 2: 7 / 16})
    assert two.mean == pytest.approx(23 / 16)
    # each array does those of its own ones: 1 on average
    assert two.of_block == {2: pytest.approx(1)}
    # two wordlines an access: one is enough
    assert chances(of(0.5, 1, {2: 2}, 2, "plane")) == pytest.approx({1: 1})


def test_blocks_wait_for_each_other_plane_by_plane_or_vector_by_vector() -> None:
    # two planes, two blocks of one row, half ones: a plane takes 0 with 1/4 and 1 with 3/4, so that both take
    # 0, 1, 2 with 1, 6, 9 of 16
    assert chances(of(0.5, 2, {1: 2}, 1, "plane")) == pytest.approx({1: 7 / 16, 2: 9 / 16})
    # of one block 0, 1, 2 with 1, 2, 1 of 4; the larger of two: 1, 8, 7 of 16
    assert chances(of(0.5, 2, {1: 2}, 1, "vector")) == pytest.approx({1: 9 / 16, 2: 7 / 16})
    # alone they wait for nobody
    assert of(0.5, 2, {5: 1}, 2, "plane").mean == pytest.approx(of(0.5, 2, {5: 1}, 2, "vector").mean)


def test_planes_without_ones_take_no_access() -> None:
    # 8 ones are ceil(8 / 3) = 3 accesses, in two of eight planes; 5 rows take 2
    found = of([1, 0, 1, 0, 0, 0, 0, 0], 8, {8: 3, 5: 1}, 3, "plane")
    assert (chances(found), found.of_block) == ({6: 1}, {8: 6, 5: 4})
    nothing = of(0, 8, {8: 3}, 3, "plane")
    assert (chances(nothing), nothing.of_block) == ({1: 1}, {8: 0})


@pytest.mark.parametrize("lockstep", ["plane", "vector"])
@pytest.mark.parametrize("limit", [1, 3, 16, 64])
def test_the_distribution_is_that_of_draws(limit: int, lockstep: str) -> None:
    shares, blocks = [0.4, 0.1, 0.02], {32: 5, 7: 1}
    found = of(shares, 3, blocks, limit, lockstep)
    draws = np.random.default_rng(1)
    ones = np.concatenate(
        [
            draws.binomial(rows, np.array(shares)[:, None, None], (3, 20000, count))
            for rows, count in blocks.items()
        ],
        axis=2,
    )
    taken = -(-ones // limit)
    total = np.maximum(
        1, taken.max(axis=2).sum(axis=0) if lockstep == "plane" else taken.sum(axis=0).max(axis=1)
    )
    deviation = total.std() / np.sqrt(20000)
    assert abs(total.mean() - found.mean) < 4 * deviation + 1e-9
    assert taken[:, :, 0].sum(axis=0).mean() == pytest.approx(found.of_block[32], rel=0.02)


@given(st.integers(1, 300), st.integers(0, 2**32), st.floats(0.01, 0.99), st.integers(1, 9))
def test_expected_and_sampled_agree(tokens: int, seed: int, share: float, limit: int) -> None:
    found = of(share, 4, {16: 3}, limit, "plane")
    expected, sampled = found.expected(tokens), found.sampled(tokens, (seed, 7))
    assert abs(expected.sum() - tokens * found.mean) <= 0.5 + 1e-6
    # a systematic sample: each number as often as its chance says, rounded up or down
    spread = found.fewest + len(found.total) - 1 - found.fewest
    assert abs(sampled.sum() - tokens * found.mean) <= spread + 1e-6
    for number, chance in chances(found).items():
        assert abs(np.count_nonzero(sampled == number) - tokens * chance) <= 1 + 1e-6
    assert expected.min() >= 1
    assert sampled.min() >= found.fewest
    assert found.sampled(tokens, (seed, 7)).tolist() == sampled.tolist()


def test_rounding_does_not_add_up() -> None:
    # 23 / 16 = 1.4375 accesses: 23 in 16 tokens, 1 or 2 each
    found = of(0.5, 1, {2: 2}, 1, "plane")
    assert found.expected(16).sum() == found.sampled(16, (0,)).sum() == 23
    assert found.expected(8).tolist() == [1, 2, 1, 2, 1, 2, 1, 2]
    assert sorted(found.sampled(16, (0,)).tolist()) == [1] * 9 + [2] * 7
    assert found.sampled(1600, (0,)).tolist() != found.sampled(1600, (1,)).tolist()


# -- MVMs on tests/machines/small.yaml: arrays of 8 x 16, a read of 10 cycles, 16 conversions in 8


@pytest.fixture
def small(root: Path) -> Callable[..., Machine]:
    return lambda *overrides: load_hardware(root / "tests/machines/small.yaml", overrides)


def test_an_mvm_by_hand(small: Callable[..., Machine], matrix: Matrix, multiply: Multiply) -> None:
    # 8 rows of ones in two of eight planes, three wordlines an access: 2 x 3 accesses, each 10: 60; the last
    # result after 10 + 5 x 10 + 8 + 1 + 1 = 70
    limit = f"{ARRAY}.wordlines_per_access=3"
    analog = small(limit, f"{ANALOG}.activity.ones=[1, 0, 1, 0, 0, 0, 0, 0]").parts["analog"]
    stored = matrix(("slc", 8, 2))
    run = multiply(analog, stored, count=2)
    assert run.times == [(60, 70)] * 2
    assert analog.interval(stored, Precision()) == 60
    # 8 x 16 cells and 8 wordlines in 2 of 8 planes over the half for which energies hold: 2 / (8 / 2) of all;
    # the register gives all 8 bits of each; 16 bitlines are converted 6 times
    assert run.actions == {
        "analog.array.cell_read": 2 * 8 * (8 * 16) * 0.5,
        "analog.input_register.read": 2 * 8 * 8,
        "analog.wordline_driver.drive": 2 * 8 * 8 * 0.5,
        "analog.sample_hold.sample": 2 * 6 * 16,
        "analog.adc.slc": 2 * 6 * 16,
        "analog.shift_add.add": 2 * 6 * 16,
        "analog.output_register.write": 2 * 6 * 16,
    }
    # an input of zeros still takes one access, which converts nothing
    zeros = multiply(small(limit, f"{ANALOG}.activity.ones=0").parts["analog"], stored)
    assert zeros.times == [(10, 20)]
    assert zeros.actions["analog.adc.slc"] == 0


@pytest.mark.parametrize("mode", ["expected", "sampled"])
def test_tokens_take_what_the_distribution_says(
    small: Callable[..., Machine], matrix: Matrix, multiply: Multiply, mode: str
) -> None:
    # 10 x 2 weights: blocks of 8 and 2 rows, in the one plane of a one-bit input
    chosen = (f"{ARRAY}.wordlines_per_access=1", f"{ANALOG}.activity.mode={mode}")
    run = multiply(small(*chosen).parts["analog"], matrix(("slc", 10, 2)), count=64, precision=ONE_BIT)
    found = of(0.5, 1, {8: 1, 2: 1}, 1, "plane")
    reads = [occupancy // 10 for occupancy, _ in run.times]
    assert abs(sum(reads) - 64 * found.mean) <= (0.5 if mode == "expected" else 8)
    assert [latency for _, latency in run.times] == [10 + (r - 1) * 10 + 8 + 2 for r in reads]
    # energy is that of the mean, whichever tokens take how many: (4 + 1) accesses of 16 bitlines
    assert run.actions["analog.adc.slc"] == pytest.approx(64 * 5 * 16)
    again = multiply(small(*chosen).parts["analog"], matrix(("slc", 10, 2)), count=64, precision=ONE_BIT)
    assert again.times == run.times


def test_regions_side_by_side_take_the_same_inputs(
    small: Callable[..., Machine], matrix: Matrix, multiply: Multiply
) -> None:
    analog = small(f"{ARRAY}.wordlines_per_access=1").parts["analog"]

    def reads(stored: Stored) -> int:
        return sum(occupancy for occupancy, _ in multiply(analog, stored, count=1000).times)

    one = of(0.5, 8, {8: 1}, 1, "plane").mean
    two = of(0.5, 8, {8: 2}, 1, "plane").mean
    assert reads(matrix(("slc", 8, 1), ("mlc", 8, 3))) == round(1000 * one) * 10
    assert reads(matrix(("slc", 8, 2), ("mlc", 8, 2))) == round(1000 * two) * 10


def test_ones_change_energy_and_no_time_where_all_rows_are_driven(
    small: Callable[..., Machine], matrix: Matrix, multiply: Multiply
) -> None:
    stored = matrix(("slc", 8, 2))
    half, tenth = (
        multiply(small(*chosen).parts["analog"], stored)
        for chosen in ((), (f"{ANALOG}.activity.ones=0.1", f"{ANALOG}.activity.reference_ones=0.4"))
    )
    assert half.times == tenth.times
    for action, number in half.actions.items():
        changes = action in ("analog.array.cell_read", "analog.wordline_driver.drive")
        assert tenth.actions[action] == pytest.approx(number * (0.25 if changes else 1))


def test_speed_shortens_each_input(small: Callable[..., Machine], matrix: Matrix, multiply: Multiply) -> None:
    from fractions import Fraction

    chosen = (f"{ARRAY}.wordlines_per_access=8", f"{ANALOG}.activity.ones=1")
    run = multiply(small(*chosen).parts["analog"], matrix(("slc", 8, 2)), speed=Fraction(3))
    # 8 accesses of 10 over 3, rounded up
    assert run.times == [(27, 90)]


def test_peak_power_is_that_of_the_wordlines_an_access_drives(small: Callable[..., Machine]) -> None:
    def peaks(*chosen: str) -> dict[str, float]:
        components = small(*chosen).parts["analog"].costs.components
        return {component.name: component.peak_power_mw for component in components}

    dense, limited = peaks(), peaks(f"{ARRAY}.wordlines_per_access=2")
    # two of eight rows over half of them
    for name, power in dense.items():
        share = 0.5 if name in ("analog.array", "analog.wordline_driver") else 1
        assert limited[name] == pytest.approx(power * share)


@pytest.mark.parametrize(
    ("limit", "slc", "mlc", "warnings"),
    [
        # 7 one-bit cells give 0 to 7, for 3 bits; 5 two-bit cells 0 to 15, for 4
        (7, 3, 5, []),
        (5, 3, 4, []),
        (8, 3, 5, [(8, 1, 9, 3, "SLC", 8, 4)]),
        (6, 3, 4, [(6, 2, 19, 4, "MLC", 16, 5)]),
        # more than the 8 rows are never driven
        (20, 3, 4, [(8, 1, 9, 3, "SLC", 8, 4), (8, 2, 25, 4, "MLC", 16, 5)]),
    ],
)
def test_warns_of_too_few_codes(
    small: Callable[..., Machine], matrix: Matrix, limit: int, slc: int, mlc: int, warnings: list[Any]
) -> None:
    chosen = {
        f"{ARRAY}.wordlines_per_access": limit,
        f"{ANALOG}.adc.bits.slc": slc,
        f"{ANALOG}.adc.bits.mlc": mlc,
    }
    analog = small(*(f"{path}={value}" for path, value in chosen.items())).parts["analog"]
    held = [Held(matrix(("slc", 8, 1), ("mlc", 8, 2)), "analog")]
    assert list(analog.warnings(held, Precision())) == [
        f"analog: {driven} wordlines an access of {cell}-bit cells give {levels} levels, an ADC of {bits} b "
        f"in {mode} mode has {codes} codes: results lose precision; {need} b would do"
        for driven, cell, levels, bits, mode, codes, need in warnings
    ]


def test_bipolar_sums_take_a_bit_more(small: Callable[..., Machine], matrix: Matrix) -> None:
    chosen = (f"{ARRAY}.wordlines_per_access=7", f"{ANALOG}.arithmetic.inputs=sign_magnitude")
    held = [Held(matrix(("slc", 8, 1)), "analog")]
    assert small(*chosen).parts["analog"].warnings(held, Precision()) == (
        "analog: 7 wordlines an access of 1-bit cells give 15 levels, an ADC of 3 b in SLC mode has 8 codes: "
        "results lose precision; 4 b would do",
    )


def test_refuses_inputs_of_other_planes(small: Callable[..., Machine]) -> None:
    analog = small(f"{ANALOG}.activity.ones=[0.5, 0.5]").parts["analog"]
    op = Operation("l0.q", "linear", 0, rows=8, columns=2)
    assert analog.refuses(op, Precision()) == "activity.ones lists 2 planes, an input takes 8 reads"
    assert analog.refuses(op, Precision(activation_bits=2)) == ""
    with pytest.raises(MappingError, match="lists 2 planes"):
        analog.activity.shares("l0.q", 8)


def test_facts(small: Callable[..., Machine]) -> None:
    def facts(*chosen: str) -> dict[str, Any]:
        return {fact.label: fact.value for fact in small(*chosen).parts["analog"].facts(Precision())}

    limited = facts(f"{ARRAY}.wordlines_per_access=8", f"{ANALOG}.activity.ones=1")
    assert limited["wordlines an access"] == 8
    assert limited["8 b input to one array"] == 8
    assert limited["activity"] == "stated: 100.0% ones in every bit-plane"
    assert {"activity", "wordlines an access"}.isdisjoint(facts())
    # a list for other precisions says nothing of these
    assert "8 b input to one array" not in facts(
        f"{ARRAY}.wordlines_per_access=8", f"{ANALOG}.activity.ones=[1, 1]"
    )
