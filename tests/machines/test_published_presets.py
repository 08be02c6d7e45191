"""ASADI, ASADI-INT8 and ISAAC-CE: what they run, what they cannot and why, what makes them what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.errors import HardwareError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.report.describe import describe_text
from archsim.schedule.lower import lower
from archsim.sim.event_engine import run_event
from archsim.sim.fast_engine import run_fast
from archsim.workload.generate import generate
from archsim.workload.operations import Precision
from archsim.workload.trace import read_trace

ROOT = Path(__file__).parents[2]
PRESETS = ("asadi", "asadi_int8", "isaac_ce")
WORKLOADS = sorted(path.stem for path in (ROOT / "workloads").glob("*.trace"))
CANNOT = {
    # a layer of 60.8 M weights takes 6 PUs as SLC, with what fragments; in FP32 28, more than a chip has
    ("asadi_int8", "llama3_2_1b"): "16 layers at 6 PUs each need 96 PUs, the machine has 24",
    ("asadi_int8", "llama3_2_1b_chat"): "16 layers at 6 PUs each and lm_head on 21 of its own need 117 PUs",
    ("asadi", "llama3_2_1b"): "l0 does not fit the 24 PUs of a chip",
    ("asadi", "llama3_2_1b_chat"): "l0 does not fit the 24 PUs of a chip",
}


def preset(name: str, *overrides: str) -> Any:
    return load_hardware(ROOT / f"hwconfigs/{name}.yaml", overrides)


@pytest.mark.parametrize("name", PRESETS)
def test_describe(name: str) -> None:
    machine = preset(name)
    text = describe_text(machine)
    assert text.startswith(machine.name)
    for part in machine.parts:
        assert f"\n{part}: " in text


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("name", ["asadi", "asadi_int8"])
def test_every_workload_is_mapped_or_refused(name: str, workload: str) -> None:
    machine, trace = preset(name), read_trace(ROOT / f"workloads/{workload}.trace")
    if reason := CANNOT.get((name, workload)):
        with pytest.raises(MappingError, match=reason):
            map_trace(machine, trace)
    else:
        for part, use in map_trace(machine, trace).parts.items():
            assert 0 <= use.used <= use.total, part


@pytest.mark.parametrize("workload", WORKLOADS)
def test_isaac_has_nothing_for_attention(workload: str) -> None:
    trace = read_trace(ROOT / f"workloads/{workload}.trace")
    with pytest.raises(MappingError, match=r"l0\.scores \(attention_scores\) cannot run on part 'sigmoid'"):
        map_trace(preset("isaac_ce"), trace)


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("asadi", generate("minilm", tokens=6, head=False)),
        ("asadi_int8", generate("gpt2", tokens=6, decode=2, head=False)),
        ("isaac_ce", read_trace(ROOT / "tests/machines/wide.trace")),
    ],
    ids=PRESETS,
)
def test_both_engines_agree(name: str, trace: Any) -> None:
    machine = preset(name)
    graph = lower(machine, trace, map_trace(machine, trace))
    np.testing.assert_array_equal(run_fast(graph).start, run_event(graph).start)


def test_isaac_runs_linear_operations_by_hand() -> None:
    # 1024 x 1024 weights of 8 b in 2 b cells take 256 arrays of 128 x 128; a tile has 96: three tiles, with
    # 342 columns at most, which are 10.7 column blocks: 3 x 8 row blocks x 11 column blocks = 264 arrays
    machine, trace = preset("isaac_ce"), read_trace(ROOT / "tests/machines/wide.trace")
    plan = map_trace(preset("isaac_ce", "mapping.replication=none"), trace)
    assert plan.parts["ima"].used == 264
    # a read is 100 ns and its 128 conversions another 100 ns: 120 cycles at 1.2 GHz, 8 reads an input
    timing = {fact.label: fact.value for fact in machine.parts["ima"].facts(Precision())}
    assert timing["8 b input, occupancy"] == 8 * 120


def test_isaac_peaks_are_the_published_ones() -> None:
    # 168 tiles x 96 arrays x 128 x 16 weights of 16 b, an input every 1600 ns, two operations a MAC
    machine = preset("isaac_ce")
    precision = Precision(weight_bits=16, activation_bits=16)
    macs = sum(part.peak_macs_per_cycle(precision) for part in machine.parts.values())
    gops = 2 * macs * 168 * 1.2
    assert gops == pytest.approx(2 * 168 * 96 * 128 * 16 / 1600)


def test_asadi_has_hyflexpims_devices_and_capacity() -> None:
    ours, theirs = preset("hyflexpim"), preset("asadi_int8")
    for name, part in ours.parts.items():
        assert theirs.parts[name].costs.components == part.costs.components
        assert theirs.parts[name].capacity == part.capacity


def test_fp32_weights_take_four_times_the_arrays_and_reads() -> None:
    # 32 cells and 32 reads for 8 and 8
    trace = generate("minilm", tokens=8, head=False)
    single, quadruple = (
        simulate(preset(name, "mapping.replication=none", "mapping.tensor_parallel=1"), trace, stream=False)
        for name in ("asadi_int8", "asadi")
    )
    counts = [each.mapping["parts"]["analog"]["used"] for each in (single, quadruple)]
    assert counts[1] == 4 * counts[0]
    adc = [each.energy_pj["by_component"]["analog.adc"] for each in (single, quadruple)]
    assert adc[1] == pytest.approx(16 * adc[0])


def test_attention_in_fp32_on_an_eighth_of_the_keys() -> None:
    # 8 of 64 keys at 576 NORs a product, against 64 keys at 64 (scores) and 96 (contexts); moving and writing
    # the operands is the small rest
    trace = generate("minilm", tokens=64, head=False)
    whole = simulate(preset("hyflexpim", "mapping.slc_rate=1", "mapping.svd=none"), trace, stream=False)
    pruned = simulate(preset("asadi_int8"), trace, stream=False)
    for operation, ratio in (("scores", 8 * 576 / (64 * 64)), ("context", 8 * 576 / (64 * 96))):
        own, other = (each.energy_pj["by_operation"][operation] for each in (pruned, whole))
        assert own / other == pytest.approx(ratio, rel=0.08)


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("asadi", "pu.parts.digital.kept_keys=0", "must be greater than 0, not 0"),
        ("asadi", "pu.parts.digital.floating_point.mantissa_bits=1", "must be at least 2, not 1"),
        ("asadi", "pu.parts.analog.arithmetic.operand_bits=65", "must be at most 64, not 65"),
        (
            "asadi_int8",
            "pu.parts.digital.floating_point.mantisa_bits=24",
            "unknown key 'mantisa_bits' of pu.parts.digital.floating_point (did you mean 'mantissa_bits'?); "
            "allowed: mantissa_bits, widening, sources",
        ),
        ("asadi_int8", "mapping.slc_rate=1.5", "must be at most 1, not 1.5"),
        (
            "isaac_ce",
            "mapping.attention=ADC",
            "must name a part of pu.parts, one of: ima, edram, sigmoid, not 'ADC'",
        ),
        ("isaac_ce", "pu.parts.edram.bank_bytes=0", "must be at least 1, not 0"),
        (
            "isaac_ce",
            "pu.parts.ima.adc.arrays_per_adc=3",
            "pu.parts.ima: arrays (8) must be a multiple of adc.arrays_per_adc (3)",
        ),
        (
            "isaac_ce",
            "pu.parts.ima.adc.range=flop",
            "must be 'clip', 'flip', 'full_scale' or 'calibrated', not 'flop' (did you mean 'flip'?)",
        ),
    ],
)
def test_broken_yaml(name: str, override: str, message: str) -> None:
    with pytest.raises(HardwareError) as caught:
        preset(name, override)
    assert str(caught.value) == f"--set {override}: {message}"
