"""The digital NOR module: products in memory, 8 modules of 256 arrays of 1024 x 1024 in a PU of the preset.

A PU has 8 x 256 x 1024 = 2097152 columns; a NOR takes three of them, and a row operation 5 cycles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.hardware.machine import Machine
from archsim.parts.part import Stored
from archsim.workload.operations import Operation, Precision

Load = Callable[..., Machine]
Execute = Callable[..., Any]

DIGITAL = "pu.parts.digital"
FP32 = (f"{DIGITAL}.floating_point.mantissa_bits=24", f"{DIGITAL}.floating_point.widening=4")
SCORES = Operation("l0.qk", "attention_scores", 0, heads=16, kv_heads=16, head_size=64)
CONTEXT = Operation("l0.sv", "attention_context", 0, heads=16, kv_heads=16, head_size=64)


def test_a_module_does_273_products_a_cycle(load: Load) -> None:
    # 256 x 1024 / (64 x 3) / 5 = 273.07, times 8 modules
    peak = load().parts["digital"].peak_macs_per_cycle(Precision())
    assert peak / 8 == pytest.approx(273.07, abs=0.005)


def test_energy_of_a_product(load: Load) -> None:
    # 64 NORs x 3 columns x 5 cycles = 960 column cycles of 6393.15 mW / (256 x 1024 columns) x 1 ns: 23.4 pJ;
    # the paper's 23.9 has the SFU in it, whose 138.89 mW are counted by its own inputs here
    machine = load()
    (charges,) = (machine.parts["digital"].costs.actions["digital.column_cycle"],)
    product = 960 * sum(charge.energy_pj for charge in charges)
    assert product == pytest.approx(23.4, abs=0.05)
    assert product == pytest.approx(6393.150023 / (256 * 1024 / 960), rel=1e-9)
    (sfu,) = machine.parts["sfu"].costs.components
    assert product + sfu.peak_power_mw / (256 * 1024 / 960) == pytest.approx(23.9, abs=0.05)


@pytest.mark.parametrize(
    ("op", "keys", "cycles"),
    [
        # one key: 1024 products x 64 NORs x 3 columns = 196608, less than one row of the PU
        (SCORES, 1, 5),
        # 128 keys: 131072 x 192 = 25165824 columns, exactly 12 rows of 2097152
        (SCORES, 128, 60),
        # 12-bit scores x 8-bit values take 96 NORs: 18 rows
        (CONTEXT, 128, 90),
        # one key more: 12.09 and 18.14 rows
        (SCORES, 129, 65),
        (CONTEXT, 129, 95),
    ],
)
def test_cycles_of_attention(load: Load, execute: Execute, op: Operation, keys: int, cycles: int) -> None:
    run = execute(load().parts["digital"], op, [1024, 1024], keys=[keys])
    assert run.times == [(cycles, cycles)]
    assert run.resource.name == "chip0.pu0.digital"


def test_each_token_takes_as_long_as_its_keys(load: Load, execute: Execute) -> None:
    run = execute(load().parts["digital"], SCORES, [1024, 1024], keys=[1, 11, 128])
    # 11 keys: 11264 x 192 = 2162688 columns, two rows
    assert [occupancy for occupancy, _ in run.times] == [5, 10, 60]
    assert run.value.width.tolist() == [16, 176, 2048]
    assert (run.value.bits, run.value.nbytes.tolist()) == (12, [24, 264, 3072])
    context = execute(load().parts["digital"], CONTEXT, [2048, 1024], keys=[1, 11, 128]).value
    assert (context.width, context.bits) == (1024, 8)


def test_long_contexts_do_not_overflow(load: Load, execute: Execute) -> None:
    # 131072 keys x 64 heads x 128 x 288 columns = 3.1e11, 147456 rows
    wide = Operation("l0.sv", "attention_context", 0, heads=64, kv_heads=8, head_size=128)
    assert execute(load().parts["digital"], wide, [1, 1], keys=[131072]).times[0][0] == 147456 * 5


def test_actions_of_attention(load: Load, execute: Execute) -> None:
    # 139 keys in all: each product is 64 or 96 NORs, which write a cell each and keep 3 columns for 5 cycles
    products = (1 + 10 + 128) * 1024
    digital = load().parts["digital"]
    assert execute(digital, SCORES, [1024, 1024], keys=[1, 10, 128]).actions == {
        "digital.column_cycle": products * 64 * 15,
        "digital.cell_write": products * 64,
    }
    assert execute(digital, CONTEXT, [1024, 1024], keys=[1, 10, 128]).actions == {
        "digital.column_cycle": products * 96 * 15,
        "digital.cell_write": products * 96,
    }


def test_a_busy_module_takes_the_power_of_table_2(load: Load, execute: Execute) -> None:
    # 12 full rows, 60 cycles: energy over time is the power of 8 modules
    run = execute(load().parts["digital"], SCORES, [1024, 1024], keys=[128])
    assert run.energy_pj / 60 == pytest.approx(8 * 6393.150023, rel=1e-12)


def test_writing_keys_and_values(load: Load, store: Callable[..., Any]) -> None:
    # 1024 elements of 8 bits are 8 rows of 1024 cells; 2048 arrays write one each, in 4 cycles
    run = store(load().parts["digital"], 1024, count=3)
    assert run.times == [(4, 4)] * 3
    assert run.actions == {"digital.column_cycle": 3 * 8192 * 4, "digital.cell_write": 3 * 8192}
    # two arrays: 4 rows each
    small = load(f"{DIGITAL}.count=1", f"{DIGITAL}.arrays=2").parts["digital"]
    assert store(small, 1024).times == [(16, 16)]
    # 12-bit scores of 86 elements: 1032 bits, a row and 8 bits
    assert store(small, 86, bits=12).times == [(4, 4)]
    assert store(small, 86 * 2, bits=12).times == [(8, 8)]
    assert store(small, 1024).resource.name == "chip0.pu0.digital"


def test_capacity_is_in_bytes(load: Load) -> None:
    # 8 x 256 x 1024 x 1024 bits = 256 MiB
    digital = load().parts["digital"]
    assert (digital.capacity, digital.unit, digital.modes) == (256 * 2**20, "bytes", ())
    assert digital.cache_size(1234) == 1234
    size = digital.size(Stored("w", 3, 3, 4, ()))
    assert (size.units, float(size.exact)) == (5, 4.5)
    program = digital.program([])
    assert (program.time_ns, program.energy_pj) == (0, 0)
    assert digital.warnings([], Precision()) == ()


def test_the_sums_of_table_2(load: Load) -> None:
    table = load().parts["digital"].costs
    # without the SFU: 2.86 + 0.0031 + 0.0032 + 0.14 + 0.21 + 0.00013, and
    # 3890.02 + 0.76 + 1.65 + 2381.64 + 119.08 + 0.000023
    assert sum(component.area_mm2 for component in table.components) == pytest.approx(3.21643)
    assert sum(component.peak_power_mw for component in table.components) == pytest.approx(6393.150023)
    assert (table.cells, table.write_action) == (256 * 2**20, "digital.cell_write")
    assert table.actions["digital.cell_write"] == ()


def test_other_geometries(load: Load) -> None:
    preset = load().parts["digital"].costs
    half = load(f"{DIGITAL}.arrays=128").parts["digital"].costs
    tall = load(f"{DIGITAL}.array.rows=2048").parts["digital"].costs
    fast = load("system.clock_ghz=2").parts["digital"].costs
    assert half.actions == tall.actions == fast.actions == preset.actions
    for old, halved, taller, faster in zip(
        preset.components, half.components, tall.components, fast.components, strict=True
    ):
        assert halved.area_mm2 == pytest.approx(old.area_mm2 / 2)
        assert halved.peak_power_mw == pytest.approx(old.peak_power_mw / 2)
        of_rows = old.name in ("digital.array", "digital.input_register", "digital.wordline_driver")
        assert taller.area_mm2 == pytest.approx(old.area_mm2 * (2 if of_rows else 1))
        assert taller.peak_power_mw == old.peak_power_mw
        assert (faster.area_mm2, faster.peak_power_mw) == (old.area_mm2, pytest.approx(2 * old.peak_power_mw))


def test_refuses_all_but_attention(load: Load) -> None:
    digital = load().parts["digital"]
    assert digital.refuses(SCORES, Precision()) == digital.refuses(CONTEXT, Precision()) == ""
    assert digital.refuses(Operation("l0.q", "linear", 0, rows=8, columns=8), Precision()) == (
        "digital NOR modules execute attention only, not 'linear'"
    )


def test_facts(load: Load) -> None:
    facts = {fact.label: (fact.value, fact.unit) for fact in load().parts["digital"].facts(Precision())}
    assert facts == {
        "arrays of a module": (256, ""),
        "geometry of an array": ("1024 rows x 1024 columns", ""),
        "row operation": (5, "cycles"),
        "8 b x 8 b product": (64, "NORs"),
        "12 b x 8 b product": (96, "NORs"),
        "8 b x 8 b products": (256 * 1024 / 960, "a cycle and module"),
    }


@given(
    keys=st.integers(1, 10**5),
    more=st.integers(1, 1000),
    heads=st.integers(1, 64),
    modules=st.integers(1, 16),
)
def test_more_keys_are_never_faster_and_more_modules_never_slower(
    load: Load, keys: int, more: int, heads: int, modules: int
) -> None:
    part = load(f"{DIGITAL}.count={modules}").parts["digital"]
    larger = load(f"{DIGITAL}.count={modules + 1}").parts["digital"]
    cycles = part.product_cycles(keys * heads * 64, 64)
    assert part.product_cycles((keys + more) * heads * 64, 64) >= cycles >= 5
    assert larger.product_cycles(keys * heads * 64, 64) <= cycles
    # work is conserved: the rows hold all products, and the last one is needed
    columns = 2**18 * modules
    assert cycles / 5 * columns >= keys * heads * 64 * 192 > (cycles / 5 - 1) * columns


def test_floating_point_takes_the_nors_of_the_mantissas(load: Load, execute: Execute) -> None:
    # 24 x 24 = 576 NORs x 3 columns for each of 128 keys x 1024 products on 2097152 columns:
    # 131072 x 1728 / 2097152 = 108 row operations exactly, 540 cycles for scores and context alike
    part = load(*FP32).parts["digital"]
    for op in (SCORES, CONTEXT):
        assert execute(part, op, [1024, 1024], keys=[128]).times == [(540, 540)]
    assert part.cache_size(1000) == 4000


def test_floating_point_numbers_are_wider_to_write(load: Load, store: Callable[..., Any]) -> None:
    # 131072 values of 8 b fill half the columns; of 32 b, two rows of the PU: 4 cycles against 8
    integers, floats = load(), load(*FP32)
    assert store(integers.parts["digital"], 131072).times == [(4, 4)]
    assert store(floats.parts["digital"], 131072).times == [(8, 8)]


def test_pruned_keys_take_no_row_operations(load: Load, execute: Execute) -> None:
    # ceil(0.125 x 100) = 13 keys: 13 x 1024 x 192 / 2097152 = 1.2, two row operations; all 100 take 9.4, ten
    pruned = execute(load(f"{DIGITAL}.kept_keys=0.125").parts["digital"], SCORES, [1024, 1024], keys=[100])
    assert pruned.times == [(10, 10)]
    assert pruned.value.width.tolist() == [13 * 16]
    assert execute(load().parts["digital"], SCORES, [1024, 1024], keys=[100]).times == [(50, 50)]
