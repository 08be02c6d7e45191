"""The analog RRAM module: timing, energy, buffers, programming and what it refuses.

A module of the preset has 512 arrays of 64 x 128 cells. One read takes 100 ns at 1 GHz, and the 128
conversions of an array's ADC at 1.28 GS/s as much.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from archsim.errors import HardwareError, MappingError
from archsim.hardware.machine import Machine
from archsim.parts.part import Held, Stored
from archsim.workload.operations import Operation, Precision

Load = Callable[..., Machine]
Matrix = Callable[..., Stored]
Multiply = Callable[..., Any]

ADC = "pu.parts.analog.adc"
ARRAY = "pu.parts.analog.array"
INT8 = Precision()

# all 512 arrays of a module: 32 x 16 of 64 rows and 128 / 8 = 16 SLC weights, or 128 / 4 = 32 MLC weights
FULL = {"slc": ("slc", 2048, 256), "mlc": ("mlc", 2048, 512)}


def linear(rows: int, columns: int) -> Operation:
    return Operation("l0.q", "linear", 0, rows=rows, columns=columns)


@pytest.mark.parametrize("mode", ["slc", "mlc"])
def test_an_int8_input_takes_eight_reads(load: Load, matrix: Matrix, multiply: Multiply, mode: str) -> None:
    # occupancy: 8 bits x max(100, 100) = 800; latency: the first read 100, seven intervals of 100, the
    # last conversions 100, shift-and-add 1, register 1 = 902. Whatever the size and the mode.
    analog = load().parts["analog"]
    for size in [(1, 1), (1024, 1024), (4096, 50000)]:
        assert multiply(analog, matrix((mode, *size)), count=3).times == [(800, 902)] * 3
        assert analog.interval(matrix((mode, *size)), INT8) == 800


def test_the_slower_of_read_and_conversion_is_the_interval(
    load: Load, matrix: Matrix, multiply: Multiply
) -> None:
    # 128 conversions at 0.64 GS/s take 200 ns: 8 x 200 = 1600; 100 + 7 x 200 + 200 + 1 + 1 = 1702
    slow_adc = load(f"{ADC}.rate_gs_per_s=0.64").parts["analog"]
    # the read takes 300 ns: 8 x 300 = 2400; 300 + 7 x 300 + 100 + 1 + 1 = 2502
    slow_read = load(f"{ARRAY}.read_ns=300").parts["analog"]
    # at 2 GHz all cycles but the last two are twice as many: 1600; 200 + 7 x 200 + 200 + 1 + 1 = 1802
    fast_clock = load("system.clock_ghz=2").parts["analog"]
    # 100.2 ns are 101 cycles of 1 ns, and as many for the interval: 808; 101 + 7 x 101 + 100 + 2 = 910
    odd_read = load(f"{ARRAY}.read_ns=100.2").parts["analog"]
    for analog, expected in (
        (slow_adc, (1600, 1702)),
        (slow_read, (2400, 2502)),
        (fast_clock, (1600, 1802)),
        (odd_read, (808, 910)),
    ):
        for mode in ("slc", "mlc"):
            assert multiply(analog, matrix((mode, 1024, 1024))).times == [expected]


def test_slc_and_mlc_differ_where_a_small_matrix_leaves_its_converter_fewer_arrays(
    load: Load, matrix: Matrix, multiply: Multiply
) -> None:
    # 64 x 64 weights of 8 bits: 4 arrays as SLC (16 weights a row), 2 as MLC (32). Four arrays share an
    # ADC: 512 conversions take 400 ns, 256 take 200; 8 reads 3200 and 1600
    analog = load(f"{ADC}.arrays_per_adc=4").parts["analog"]
    assert multiply(analog, matrix(("slc", 64, 64))).times == [(3200, 100 + 7 * 400 + 400 + 2)]
    assert multiply(analog, matrix(("mlc", 64, 64))).times == [(1600, 100 + 7 * 200 + 200 + 2)]
    # a part of a matrix in either mode waits for the slower one, and large ones are equally slow
    assert multiply(analog, matrix(("slc", 64, 64), ("mlc", 64, 63))).times[0][0] == 3200
    assert multiply(analog, matrix(("slc", 1024, 1024))).times[0][0] == 3200
    assert multiply(analog, matrix(("mlc", 1024, 1024))).times[0][0] == 3200


def test_ideal_speed_shortens_the_occupancy_alone(load: Load, matrix: Matrix, multiply: Multiply) -> None:
    # 800 / 1.9 = 421.05..., rounded up
    run = multiply(load().parts["analog"], matrix(("slc", 64, 64)), speed=Fraction(19, 10))
    assert run.times == [(422, 902)]


def test_input_bits_count(load: Load, matrix: Matrix, multiply: Multiply) -> None:
    # 4 bits: 400; 100 + 3 x 100 + 100 + 2 = 502
    run = multiply(load().parts["analog"], matrix(("slc", 64, 64)), precision=Precision(activation_bits=4))
    assert run.times == [(400, 502)]


def test_each_matrix_is_a_resource_with_its_copies(load: Load, matrix: Matrix, multiply: Multiply) -> None:
    resource = multiply(load().parts["analog"], matrix(("slc", 64, 64), name="l3.q.1"), copies=3).resource
    assert (resource.name, resource.part, resource.copies) == ("chip0.pu0.analog.l3.q.1", "analog", 3)


@pytest.mark.parametrize(
    ("overrides", "mode", "milliwatts"),
    [
        # Table 2's column as it stands, its ADCs at 7 bits: 930.69
        ((), "mlc", 930.690012),
        # at 6 bits the ADCs take half of their 512 mW: 930.69 - 256
        ((), "slc", 674.690012),
        # the other reading of the table: 512 mW at 6 bits, twice as much at 7
        ((f"{ADC}.reference_bits=6",), "slc", 930.690012),
        ((f"{ADC}.reference_bits=6",), "mlc", 1442.690012),
    ],
)
def test_a_module_that_is_busy_for_a_second(
    load: Load,
    matrix: Matrix,
    multiply: Multiply,
    overrides: tuple[str, ...],
    mode: str,
    milliwatts: float,
) -> None:
    run = multiply(load(*overrides).parts["analog"], matrix(FULL[mode]))
    vectors_per_second = 1e9 / 800
    assert run.energy_pj * vectors_per_second * 1e-9 == pytest.approx(milliwatts, rel=1e-12)


@pytest.mark.parametrize(
    ("reference_bits", "mode", "picojoules"),
    [
        # a module's power x 800 ns over its 2048 x 256 (SLC) or 2048 x 512 (MLC) multiply-accumulates
        (7, "slc", 1.03),
        (7, "mlc", 0.71),
        (6, "slc", 1.42),
        (6, "mlc", 1.10),
    ],
)
def test_energy_of_a_linear_mac(
    load: Load, matrix: Matrix, multiply: Multiply, reference_bits: int, mode: str, picojoules: float
) -> None:
    _, rows, columns = FULL[mode]
    run = multiply(load(f"{ADC}.reference_bits={reference_bits}").parts["analog"], matrix(FULL[mode]))
    assert run.energy_pj / (rows * columns) == pytest.approx(picojoules, abs=0.005)


def test_only_used_bitlines_and_wordlines_count(load: Load, matrix: Matrix, multiply: Multiply) -> None:
    # 65 x 17 SLC weights: 2 row blocks x 2 column blocks, 17 x 8 = 136 bitlines. For each of 8 bits:
    # cells 65 x 136; wordlines 65 in each of 2 column blocks; bitlines 136 in each of 2 row blocks
    run = multiply(load().parts["analog"], matrix(("slc", 65, 17)), count=3)
    assert run.actions == {
        "analog.array.cell_read": 3 * 8 * 65 * 136,
        "analog.input_register.read": 3 * 8 * 130,
        "analog.wordline_driver.drive": 3 * 8 * 130,
        "analog.sample_hold.sample": 3 * 8 * 272,
        "analog.adc.slc": 3 * 8 * 272,
        "analog.shift_add.add": 3 * 8 * 272,
        "analog.output_register.write": 3 * 8 * 272,
    }


def test_both_modes_of_a_matrix_count_together(load: Load, matrix: Matrix, multiply: Multiply) -> None:
    counts = multiply(load().parts["analog"], matrix(("slc", 64, 16), ("mlc", 64, 16))).actions
    assert counts["analog.adc.slc"] == 8 * 16 * 8
    assert counts["analog.adc.mlc"] == 8 * 16 * 4
    assert counts["analog.shift_add.add"] == 8 * 16 * 12


def test_partial_sums_are_added_in_the_module_or_left_to_the_bus(
    load: Load, matrix: Matrix, multiply: Multiply
) -> None:
    # 1024 rows are 16 blocks
    stored = matrix(("slc", 1024, 96))
    inside = multiply(load().parts["analog"], stored).value
    assert (inside.width, inside.bits, inside.partial_sums, int(inside.nbytes)) == (96, 8, 1, 96)
    on_bus = load("pu.parts.analog.reduction=bus").parts["analog"]
    moved = multiply(on_bus, stored).value
    assert (moved.width, moved.bits, moved.partial_sums, int(moved.nbytes)) == (96, 32, 16, 96 * 16 * 4)
    # one block has nothing to add
    assert int(multiply(on_bus, matrix(("slc", 64, 96))).value.nbytes) == 96


def test_partial_sums_of_an_all_slc_token_of_bert_large(
    load: Load, matrix: Matrix, multiply: Multiply
) -> None:
    analog = load("pu.parts.analog.reduction=bus").parts["analog"]

    def moved(*sizes: tuple[int, int]) -> int:
        return sum(int(multiply(analog, matrix(("slc", *size))).value.nbytes) for size in sizes)

    # without SVD, 4 bytes each: q, k, v, o and ffn1 have 1024 / 64 = 16 row blocks, ffn2 has 64:
    # 4 x (4 x 16 x 1024 + 16 x 4096 + 64 x 1024)
    assert moved(*[(1024, 1024)] * 4, (1024, 4096), (4096, 1024)) == 786432
    # with SVD at the ranks 512 and 819 (8 and 13 blocks): q, k, v, o 4 x (16 x 512 + 8 x 1024) each, ffn1
    # 4 x (16 x 819 + 13 x 4096) and ffn2 4 x (64 x 819 + 13 x 1024)
    factors = [(1024, 512), (512, 1024)] * 4 + [(1024, 819), (819, 4096), (4096, 819), (819, 1024)]
    assert moved(*factors) == 4 * 65536 + 265408 + 262912


def test_buffers_hold_as_much_as_the_yaml_says_for_each_copy(
    load: Load, matrix: Matrix, multiply: Multiply
) -> None:
    # an input may arrive when the vector two before it starts; five tokens an inference, so that the first
    # input of an inference waits for the fourth vector (token 3) of the one before it
    run = multiply(load().parts["analog"], matrix(("slc", 64, 64)), count=5)
    tasks, (inputs,) = run.value.ready.tolist(), [wire.tolist() for wire in run.inputs]
    expected = {(tasks[token], inputs[token + 2], 0) for token in range(3)}
    expected |= {(tasks[3], inputs[0], 1), (tasks[4], inputs[1], 1)}
    assert run.start_edges() == expected
    assert run.value.slots == 4
    # three copies: six inputs may wait, one more than there are tokens
    run = multiply(load().parts["analog"], matrix(("slc", 64, 64)), count=5, copies=3)
    tasks, (inputs,) = run.value.ready.tolist(), [wire.tolist() for wire in run.inputs]
    assert run.start_edges() == {(tasks[t], inputs[t + 1], 1) for t in range(4)} | {(tasks[4], inputs[0], 2)}
    assert run.value.slots == 12
    # 1.9 copies of cells bring two sets of registers
    ideal = multiply(load().parts["analog"], matrix(("slc", 64, 64)), speed=Fraction(19, 10))
    assert ideal.value.slots == 8


def test_peak_is_every_cell_of_every_array(load: Load) -> None:
    # MLC: 12288 arrays x 64 rows x 32 weights over 800 cycles; with an ADC for four arrays over 3200
    peak = 12288 * 64 * 32 / 800
    assert load().parts["analog"].peak_macs_per_cycle(INT8) == peak
    assert load(f"{ADC}.arrays_per_adc=4").parts["analog"].peak_macs_per_cycle(INT8) == peak / 4
    # 3-bit cells: 3 a weight, 42 weights a row
    three = load("pu.parts.analog.cell.bits=3").parts["analog"]
    assert three.peak_macs_per_cycle(INT8) == 12288 * 64 * 42 / 800


def test_programming_writes_rows_one_by_one_and_arrays_side_by_side(load: Load, matrix: Matrix) -> None:
    analog = load().parts["analog"]
    # 100 x 10 weights: two row blocks, of which the fuller has 64 rows.
    # SLC: 8 cells a weight at 13.2 pJ, rows of 20 ns; MLC: 4 cells at 105.6 pJ, rows of 960 ns
    slc = analog.program([Held(matrix(("slc", 100, 10)), "analog")])
    assert (slc.time_ns, slc.energy_pj) == (64 * 20, pytest.approx(100 * 10 * 8 * 13.2))
    mlc = analog.program([Held(matrix(("mlc", 10, 10)), "analog")])
    assert (mlc.time_ns, mlc.energy_pj) == (10 * 960, pytest.approx(10 * 10 * 4 * 105.6))
    # copies are written too, whole ones and those that ``ideal`` counts, all at the same time
    both = analog.program(
        [
            Held(matrix(("slc", 100, 10)), "analog", copies=3),
            Held(matrix(("mlc", 10, 10)), "analog", speed=Fraction(3, 2)),
        ]
    )
    assert both.time_ns == 10 * 960
    assert both.energy_pj == pytest.approx(3 * slc.energy_pj + 1.5 * mlc.energy_pj)
    nothing = analog.program([])
    assert (nothing.time_ns, nothing.energy_pj) == (0, 0)


def test_the_range_of_the_adc_changes_nothing(load: Load, matrix: Matrix, multiply: Multiply) -> None:
    stored = matrix(("slc", 100, 100), ("mlc", 100, 50))
    clip = load().parts["analog"]
    for convention in ("flip", "full_scale"):
        other = load(f"{ADC}.range={convention}").parts["analog"]
        assert other.costs == clip.costs
        assert other.size(stored) == clip.size(stored)
        assert multiply(other, stored).times == multiply(clip, stored).times


def test_warns_of_adcs_that_are_too_coarse(load: Load, matrix: Matrix) -> None:
    # the paper's rule: log2(64) + bits of a cell - 1 = 6 and 7; the preset has as many
    held = [Held(matrix(("slc", 64, 8), ("mlc", 64, 9)), "analog")]
    assert load().parts["analog"].warnings(held, INT8) == ()
    coarse = load(f"{ADC}.bits.slc=5", "pu.parts.analog.cell.bits=3").parts["analog"]
    assert coarse.warnings(held, INT8) == (
        "analog: an ADC of 5 b in SLC mode is below the 6 b that 64 rows of 1-bit cells need: results lose "
        "precision",
        "analog: an ADC of 7 b in MLC mode is below the 8 b that 64 rows of 3-bit cells need: results lose "
        "precision",
    )
    # only modes that are in use matter
    assert len(coarse.warnings([Held(matrix(("mlc", 64, 9)), "analog")], INT8)) == 1
    assert coarse.warnings([], INT8) == ()


def test_warns_of_an_output_buffer_that_throttles(load: Load, matrix: Matrix) -> None:
    # 902 cycles of latency over 800 between two vectors, and one more: 2.1 results, so three places
    analog = load("pu.parts.analog.output_buffer_tokens=2").parts["analog"]
    assert analog.warnings([Held(matrix(("mlc", 64, 8)), "analog")], INT8) == (
        "analog: output_buffer_tokens is 2 and throttles l0.q, whose results under way take 3",
    )
    assert (
        load("pu.parts.analog.output_buffer_tokens=3")
        .parts["analog"]
        .warnings([Held(matrix(("mlc", 64, 8)), "analog")], INT8)
        == ()
    )
    # 4.5 times as fast: 178 cycles apart, 902 / 178 + 1 = 6.07 results in five sets of registers, two each
    fast = Held(matrix(("mlc", 64, 8)), "analog", speed=Fraction(9, 2))
    assert analog.warnings([fast], INT8) == ()


def test_refuses_what_has_no_static_weights(load: Load) -> None:
    analog = load().parts["analog"]
    assert analog.refuses(linear(8, 8), INT8) == ""
    assert analog.refuses(Operation("l0.s", "softmax", 0, heads=2), INT8) == (
        "analog RRAM modules multiply with static weights only, and 'softmax' has none"
    )
    assert load(f"{ARRAY}.columns=8").parts["analog"].refuses(linear(8, 8), INT8) == ""
    assert load(f"{ARRAY}.columns=7").parts["analog"].refuses(linear(8, 8), INT8) == (
        "weights of 8 bits take 8 SLC cells of a row each, and a row has 7"
    )


def test_stores_no_run_time_values(load: Load) -> None:
    message = (
        "'analog' stores no run-time values: its cells are programmed before inference only; name another "
        "part in mapping.intermediates"
    )
    analog = load().parts["analog"]
    for attempt in (lambda: analog.cache_size(1), lambda: analog.store(None, None, None)):
        with pytest.raises(MappingError) as caught:
            attempt()
        assert str(caught.value) == message


def test_converters_must_be_whole(load: Load) -> None:
    with pytest.raises(HardwareError) as caught:
        load(f"{ADC}.arrays_per_adc=3")
    assert "arrays (512) must be a multiple of adc.arrays_per_adc (3)" in str(caught.value)


def test_facts(load: Load) -> None:
    facts = {fact.label: (fact.value, fact.unit) for fact in load().parts["analog"].facts(INT8)}
    assert facts == {
        "geometry of an array": ("64 rows x 128 columns", ""),
        "arrays an ADC": (1, ""),
        # 12288 arrays of 8192 cells: 12 MiB of single bits, 24 MiB of two; a weight takes 8 or 4 cells
        "room of a PU, SLC": (12 * 2**20, "bytes"),
        "weights of a PU, SLC": (12 * 2**20, "of 8 b"),
        "room of a PU, MLC": (24 * 2**20, "bytes"),
        "weights of a PU, MLC": (24 * 2**20, "of 8 b"),
        "read": (100, "cycles"),
        "conversions of a read": (100, "cycles"),
        "8 b input, occupancy": (800, "cycles"),
        "8 b input, latency": (902, "cycles"),
    }
    # 3-bit cells: 36 MiB, but 42 whole weights a row of 128 cells: 12288 x 64 x 42
    facts = {
        fact.label: fact.value for fact in load("pu.parts.analog.cell.bits=3").parts["analog"].facts(INT8)
    }
    assert facts["room of a PU, MLC"] == 36 * 2**20
    assert facts["weights of a PU, MLC"] == 12288 * 64 * 42
