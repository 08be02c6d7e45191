"""Near-bank units, to the cycle: tests/machines/near_bank.yaml, in cycles of 1 ns.

Two units of four multipliers and accesses of 4 bytes, every second cycle; results 5 cycles later.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsim.hardware.loader import load_hardware
from archsim.pipeline import simulate
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parent


def test_one_matrix_and_three_tokens(timetable: Callable[..., Any]) -> None:
    times, end = timetable("near_bank.yaml", "matrix.trace")
    assert times == {
        ("w", "chip0.global_bus"): [(0, 4), (2, 6), (4, 8)],
        ("w", "chip0.pu0.bus"): [(4, 6), (6, 8), (8, 10)],
        # 64 products of two tokens: 8 steps of 8, more than the 4 accesses to 32 bytes; then 4 steps of
        # token 2: 16 and 8 cycles
        ("w", "chip0.pu0.banks"): [(8, 29), (24, 37)],
        ("output", "chip0.pu0.bus"): [(29, 31), (30, 32), (37, 39)],
        ("output", "chip0.global_bus"): [(31, 34), (32, 35), (39, 42)],
    }
    assert end == 42


def test_energy_of_one_matrix() -> None:
    machine = load_hardware(MACHINES / "near_bank.yaml")
    result = simulate(machine, read_trace(MACHINES / "matrix.trace"), stream=False)
    found = {name: energy for name, energy in result.energy_pj["by_component"].items() if energy}
    assert found == pytest.approx(
        {
            # two rows of 16 bytes, for tokens 0 and 1, and again for token 2, at 10 pJ
            "banks.activate": 2 * 2 * 10,
            # 32 bytes, twice, at 2 pJ a bit
            "banks.access": 2 * 32 * 8 * 2,
            "banks.mac": 3 * 32,
            "bus": 3 * 12 * 8,
            "global_bus": 3 * 12 * 8,
            # three rows of two units and the SFU, 1 mW each, for 42 ns
            "static": 7 * 42,
        }
    )


def test_accesses_bound_where_multipliers_are_many(timetable: Callable[..., Any]) -> None:
    """With 64 multipliers a unit the 4 accesses take 8 cycles, for one token as for two."""
    times, _ = timetable("near_bank.yaml", "matrix.trace", "pu.parts.banks.multipliers=64")
    assert times["w", "chip0.pu0.banks"] == [(8, 21), (16, 29)]


def test_causal_attention(timetable: Callable[..., Any]) -> None:
    times, end = timetable("near_bank.yaml", "attention.trace")
    # q, k, v of 64 weights: 128 products in 16 steps, then 8; writes of 8 bytes: one access of both units
    assert times["q", "chip0.pu0.banks"] == [(8, 45), (104, 125)]
    # scores of 1 + 2 and of 3 keys: 24 products in 3 steps of 2 cycles each, behind writes of q and k
    assert times["scores", "chip0.pu0.banks"][-2:] == [(170, 181), (221, 232)]
    # contexts: two steps a product
    assert times["context", "chip0.pu0.banks"][-2:] == [(204, 221), (252, 269)]
    assert end == 275
