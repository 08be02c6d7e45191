"""Near-bank units: the NMP preset's 128 units of 32 products and 32 bytes at 0.3 GHz."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsim.hardware.loader import load_hardware
from archsim.parts.part import Held, Part, Region, Stored
from archsim.workload.operations import Operation, Precision

INT8 = Precision()


@pytest.fixture(scope="module")
def banks(root: Path) -> Callable[..., Part]:
    return lambda *overrides: load_hardware(
        root / "hwconfigs/nmp.yaml", [f"pu.parts.banks.{change}" for change in overrides]
    ).parts["banks"]


def matrix(rows: int, columns: int) -> Stored:
    return Stored("w", rows, columns, 8, (Region("", rows, columns),))


def test_cycles_of_a_matrix(banks: Callable[..., Part], multiply: Callable[..., Any]) -> None:
    # 2^20 weights: 256 accesses of 4096 bytes; at 0.3 GHz 853.3 cycles, and 40 more. Eight tokens share the
    # accesses, and take eight times the steps; a ninth begins anew
    run = multiply(banks(), matrix(1024, 1024), 9)
    assert run.times == [(6827, 6867)] * 8 + [(854, 894)]
    assert banks().interval(matrix(1024, 1024), INT8) == 854
    # rows of 1 KB and bits, twice; products of nine tokens
    assert run.actions == {
        "banks.activate": 2 * 1024,
        "banks.access": 2 * 2**23,
        "banks.mac": 9 * 2**20,
    }
    assert run.energy_pj == pytest.approx(2 * 1024 * 909 + 2 * 2**23 * 1.12 + 9 * 2**20 * 0.066)


def test_many_multipliers_wait_for_accesses(banks: Callable[..., Part], multiply: Callable[..., Any]) -> None:
    # with eight times the multipliers, eight tokens take no longer than their 256 accesses
    assert multiply(banks("multipliers=256"), matrix(1024, 1024), 8).times == [(854, 894)] * 8
    # 4-bit multipliers: four steps
    assert multiply(banks("operand_bits=4"), matrix(1024, 1024), 1).times == [(3414, 3454)]


def test_attention(banks: Callable[..., Part], execute: Callable[..., Any]) -> None:
    # 128 keys of 1024 bytes for eight tokens: 2^20 products in 256 steps, more than 32 accesses
    scores = Operation("s", "attention_scores", 0, heads=16, kv_heads=16, head_size=64)
    run = execute(banks(), scores, [1024, 1024], keys=(128,) * 8)
    assert run.times == [(854, 894)] * 8
    assert run.actions["banks.access"] == 128 * 1024 * 8
    assert run.value.width.tolist() == [16 * 128] * 8


def test_room_and_peak(banks: Callable[..., Part]) -> None:
    part = banks()
    # 8 GiB a stack; 2 operations a product: 2.4576 TOPS at INT8, twice FIMDRAM's 1.2 TFLOPS
    assert part.capacity == 8 * 2**30
    assert part.peak_macs_per_cycle(INT8) * 2 / 1000 == pytest.approx(2.4576)
    # accesses of 32 bytes at 0.3 GHz: 86 mW of movement in each unit, a row for 32 of them
    powers = {component.name: component.peak_power_mw for component in part.costs.components}
    assert powers["banks.access"] == pytest.approx(256 * 1.12 * 0.3)
    assert powers["banks.activate"] == pytest.approx(909 / 32 * 0.3)


def test_values_and_programming(banks: Callable[..., Part], store: Callable[..., Any]) -> None:
    # 1024 bytes: one access of all units
    assert store(banks(), 1024).times == [(4, 44)]
    written = banks().program([Held(matrix(1024, 1024), "banks")])
    assert written.time_ns == 854
    assert written.energy_pj == pytest.approx(1024 * 909 + 2**23 * 1.12)


def test_refuses_what_is_not_multiplied(banks: Callable[..., Part]) -> None:
    assert banks().refuses(Operation("s", "gelu", 0), INT8) == (
        "near-bank units execute linear operations and attention, not 'gelu'"
    )
    assert (banks().unit, banks().readable, banks().warnings([], INT8)) == ("bytes", True, ())
