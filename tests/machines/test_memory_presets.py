"""The presets with memories: non-PIM, NMP and SPRINT run every workload; one layer of each by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.report.describe import describe_text
from archsim.schedule.lower import lower
from archsim.sim.event_engine import run_event
from archsim.sim.fast_engine import run_fast
from archsim.workload.generate import generate
from archsim.workload.trace import read_trace

ROOT = Path(__file__).parents[2]
PRESETS = ("non_pim", "nmp", "sprint")
WORKLOADS = sorted(path.stem for path in (ROOT / "workloads").glob("*.trace"))
MODELS = ("bert_base", "gpt2", "llama3_2_1b", "minilm")


def preset(name: str, *overrides: str) -> Any:
    return load_hardware(ROOT / f"hwconfigs/{name}.yaml", overrides)


@pytest.mark.parametrize("name", PRESETS)
def test_describe(name: str) -> None:
    text = describe_text(preset(name))
    assert text.startswith(preset(name).name)
    for part in (*preset(name).parts, *preset(name).chip_parts):
        assert f"\n{part}: " in text


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("name", PRESETS)
def test_every_workload_has_room(name: str, workload: str) -> None:
    machine = preset(name)
    plan = map_trace(machine, read_trace(ROOT / f"workloads/{workload}.trace"))
    for part, use in plan.parts.items():
        assert 0 <= use.used <= use.total, part


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", PRESETS)
def test_both_engines_agree(name: str, model: str) -> None:
    decode = 2 if model in ("gpt2", "llama3_2_1b") else 0
    trace = generate(model, tokens=6, decode=decode, head=bool(decode))
    machine = preset(name)
    graph = lower(machine, trace, map_trace(machine, trace))
    event, fast = run_event(graph), run_fast(graph)
    np.testing.assert_array_equal(fast.start, event.start)


@pytest.mark.slow
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("name", PRESETS)
def test_both_engines_agree_on_the_workloads(name: str, workload: str) -> None:
    machine, trace = preset(name), read_trace(ROOT / f"workloads/{workload}.trace")
    graph = lower(machine, trace, map_trace(machine, trace))
    np.testing.assert_array_equal(run_fast(graph).start, run_event(graph).start)


def wide(name: str, *overrides: str) -> Any:
    """128 tokens through one matrix of 1024 x 1024 weights of a byte."""
    return simulate(preset(name, *overrides), read_trace(ROOT / "tests/machines/wide.trace"), stream=False)


def energies(result: Any) -> dict[str, float]:
    return {name: pj for name, pj in result.energy_pj["by_component"].items() if pj and name != "static"}


IN_DRAM = "mapping.linear.held=dram"
"""One matrix would have room in the SRAM."""

WEIGHTS, INPUTS, OUTPUTS, PRODUCTS = 2**20, 2**17, 2**17, 2**27


def test_a_matrix_on_the_non_pim_machine(timetable: Callable[..., Any]) -> None:
    """Eight pieces of 128 KB, in each 2^24 products.

    A piece holds the DRAM for 131072 / 25.6 = 5120 cycles and comes 60 later; the global bus for 1024 and 2
    later, the PU's bus for 512 and 2 later; the processor for 2^24 / 4096 = 4096 and 8 later.
    """
    times, end = timetable(ROOT / "hwconfigs/non_pim.yaml", "wide.trace", IN_DRAM)
    dram = [start for start, _ in times["w", "chip0.dram"]]
    work = [start for start, _ in times["w", "chip0.pu0.processor"]]
    # from the DRAM to the processor: 5180 + 1026 + 514 = 6720; and until its place is free: 4104
    assert [start + 6720 for start in dram] == work
    # pieces 0 and 1 find places; piece n waits for n - 2, and the DRAM is free when it has
    assert dram[:4] == [0, 5120, 10824, 15944]
    assert [later - earlier for earlier, later in zip(dram, dram[2:], strict=False)] == [6720 + 4104] * 6
    done = work[-1] + 4104
    assert done == 15944 + 2 * 10824 + 10824
    # 128 results of 1024 bytes: 4 cycles each on the PU's bus and 2 later, 8 on the global bus and 2 later
    assert end == done + 6 + 128 * 8 + 2


def test_energy_of_a_matrix_on_the_non_pim_machine() -> None:
    moved = 8 * (INPUTS + WEIGHTS + OUTPUTS)
    assert energies(wide("non_pim", IN_DRAM)) == pytest.approx(
        {
            "dram.cells": 8 * WEIGHTS * 8.0,
            "processor.mac": PRODUCTS * 0.44,
            # weights in and out, a vector of inputs for 64 units at a time, results out
            "processor.buffer": (2 * WEIGHTS + PRODUCTS / 64 + OUTPUTS) * 5.32,
            "bus": moved * 1.4,
            "global_bus": moved * 1.4,
        }
    )


def test_a_matrix_on_the_nmp_machine(timetable: Callable[..., Any]) -> None:
    """16 groups of eight tokens, of 2^23 products: 2048 steps of 4096 at 0.3 GHz, 6827 cycles."""
    times, end = timetable(ROOT / "hwconfigs/nmp.yaml", "wide.trace")
    work = times["w", "chip0.pu0.banks"]
    # token 7's 1024 bytes hold two buses for 4 cycles each, 10 later, behind seven others: 28 + 14 + 14
    assert work[0] == (56, 56 + 6827 + 40)
    assert [start for start, _ in work] == [56 + 6827 * group for group in range(16)]
    # the last eight results
    assert end == work[-1][1] + 14 + 7 * 4 + 14


def test_energy_of_a_matrix_on_the_nmp_machine() -> None:
    assert energies(wide("nmp")) == pytest.approx(
        {
            # 1024 rows of 1 KB for each of 16 groups
            "banks.activate": 16 * 1024 * 909,
            "banks.access": 16 * 8 * WEIGHTS * 1.12,
            "banks.mac": PRODUCTS * 0.066,
            "bus": 8 * (INPUTS + OUTPUTS) * 1.12,
            "global_bus": 8 * (INPUTS + OUTPUTS) * 0.30,
        }
    )


def test_a_matrix_on_the_sprint_machine(timetable: Callable[..., Any]) -> None:
    """256 multipliers: a piece of 128 KB takes 65536 cycles, longer than the 5120 of reading it."""
    times, end = timetable(ROOT / "hwconfigs/sprint.yaml", "wide.trace")
    # 5120 and 10 later, 1024 on the bus and 1 later
    first = 5130 + 1025
    assert [start for start, _ in times["w", "chip0.pu0.processor"]] == [
        first + 65536 * piece for piece in range(8)
    ]
    # 128 results, 8 cycles each on both buses, 1 later
    assert end == first + 8 * 65536 + 8 + 9 + 127 * 8 + 9


def test_energy_of_a_matrix_on_the_sprint_machine() -> None:
    assert energies(wide("sprint")) == pytest.approx(
        {
            "rram.cells": 8 * WEIGHTS * 3.1,
            "processor.mac": PRODUCTS * 0.44,
            # four units share a vector of inputs
            "processor.buffer": (2 * WEIGHTS + PRODUCTS / 4 + OUTPUTS) * 2.26,
            "bus": 8 * (INPUTS + WEIGHTS + OUTPUTS) * 0.4,
            "global_bus": 8 * (INPUTS + OUTPUTS) * 0.4,
        }
    )


def test_pruning_on_the_sprint_machine() -> None:
    """MiniLM at 128 tokens: 33 of 128 keys are left, in six layers of 384 elements."""
    result = simulate(preset("sprint"), generate("minilm", tokens=128, head=False), stream=False)
    energy = result.energy_pj["by_component"]
    # every product of the upper bits at 0.1 pJ, and half of each key's bytes written
    assert energy["pruner.cells"] == pytest.approx(6 * (128 * 128 * 384 * 0.10 + 128 * 192 * 8 * 24.4))
    linear = 6 * 12 * 384**2 * 128
    # scores take one step a product, contexts two, since scores have 12 bits
    assert energy["processor.mac"] == pytest.approx((linear + 6 * 128 * 33 * 384 * 3) * 0.44)


@cache
def measures(name: str, *overrides: str) -> dict[str, float]:
    result = simulate(preset(name, *overrides), generate("minilm", tokens=32, head=False), stream=False)
    return {
        "latency": result.latency_ns["first_inference"],
        "energy": result.energy_pj["per_inference"] - result.energy_pj["static"],
        "area": result.area_mm2["total"],
        "peak": result.efficiency["peak_tops"],
    }


DRAM, SRAM, PROCESSOR, BANKS = "chip.parts.dram", "pu.parts.sram", "pu.parts.processor", "pu.parts.banks"
RRAM, PRUNER = "pu.parts.rram", "pu.parts.pruner"
KNOBS = [
    ("non_pim", f"{DRAM}.read_gb_per_s=3.2", "latency> energy= area="),
    ("non_pim", f"{DRAM}.read_gb_per_s=64", "latency< energy= area="),
    ("non_pim", f"{DRAM}.read_latency_ns=600", "latency> energy="),
    ("non_pim", f"{DRAM}.cost.energy_pj=70", "latency= energy>"),
    # all 10.6 MB of weights find room
    ("non_pim", f"{SRAM}.count=8", "latency< energy< area>"),
    # 64 KB do not hold what waits: it goes to the DRAM
    ("non_pim", (f"{SRAM}.bank_bytes=65536", f"{SRAM}.count=1"), "latency> energy>"),
    ("non_pim", f"{SRAM}.read_gb_per_s=2", "latency> energy="),
    ("non_pim", f"{PROCESSOR}.units=8", "latency> peak<"),
    ("non_pim", f"{PROCESSOR}.units=1024", "latency< peak>"),
    ("non_pim", f"{PROCESSOR}.operand_bits=4", "latency> energy> peak<"),
    # four groups of eight tokens read the weights four times
    ("non_pim", f"{PROCESSOR}.group_tokens=8", "latency> energy>"),
    ("non_pim", f"{PROCESSOR}.buffer_pieces=1", "latency> energy="),
    ("non_pim", f"{PROCESSOR}.buffer_bytes=32768", "latency< energy="),
    ("non_pim", f"{PROCESSOR}.mac.energy_pj=0.8", "latency= energy>"),
    ("non_pim", "chip.global_bus.bandwidth_gb_per_s=10", "latency> energy="),
    ("nmp", f"{BANKS}.count=64", "latency> energy= peak<"),
    ("nmp", f"{BANKS}.access_clock_ghz=0.6", "latency< energy= peak>"),
    ("nmp", f"{BANKS}.multipliers=256", "latency< energy= peak>"),
    ("nmp", f"{BANKS}.group_tokens=1", "energy>"),
    ("nmp", f"{BANKS}.row_bytes=2048", "latency= energy<"),
    ("nmp", f"{BANKS}.activate.energy_pj=2000", "latency= energy>"),
    ("nmp", "system.chips=2", "latency> area<"),
    ("nmp", "system.chip_link.bandwidth_gb_per_s=1", "latency>"),
    ("sprint", f"{PRUNER}.sparsity=0", "latency> energy>"),
    ("sprint", f"{PRUNER}.sparsity=0.9", "latency< energy<"),
    ("sprint", f"{PRUNER}.query_cycles=1000", "latency> energy="),
    ("sprint", "mapping.attention.pruner=null", "latency>"),
    ("sprint", f"{RRAM}.read_gb_per_s=0.5", "latency> energy="),
    ("sprint", f"{RRAM}.write_gb_per_s=0.05", "latency> energy="),
    ("sprint", f"{RRAM}.write_energy_pj=50", "latency= energy>"),
    # 256 KB hold what waits
    ("sprint", f"{SRAM}.count=16", "latency< energy< area>"),
    ("sprint", f"{PROCESSOR}.count=4", "latency< area> peak>"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "expected"), KNOBS)
def test_each_knob_changes_what_it_should(name: str, change: str | tuple[str, ...], expected: str) -> None:
    before = measures(name)
    after = measures(name, *([change] if isinstance(change, str) else change))
    found = []
    for each in expected.split():
        old, new = before[each[:-1]], after[each[:-1]]
        sign = "=" if new == pytest.approx(old, rel=1e-12) else ">" if new > old else "<"
        found.append(each[:-1] + sign)
    assert found == expected.split()


def test_pus_contend_for_the_dram_of_their_chip() -> None:
    """Four processors pass layers on, and fetch through one DRAM: it is busy as long as with one."""
    trace = generate("bert_base", tokens=32, head=False)
    one, four = (
        simulate(preset("non_pim", f"chip.pus={pus}", "mapping.in_flight=auto"), trace) for pus in (1, 4)
    )
    # 85 MB of weights at 25.6 GB/s, 3.32 ms an inference, whoever multiplies
    bound = 12 * 12 * 768**2 / 25.6
    for result in (one, four):
        assert result.throughput["interval_ns"] >= bound
        assert result.utilisation["dram"] == pytest.approx(bound / result.throughput["interval_ns"], rel=1e-3)
    assert four.throughput["interval_ns"] < one.throughput["interval_ns"]
