"""From a machine and a trace to a result: what the record says of small runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import archsim.schedule.memory
from archsim import pipeline
from archsim.errors import SimulationError
from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.results.record import Result
from archsim.schedule.tokens import Attendance, phase_tokens
from archsim.workload.generate import generate
from archsim.workload.operations import Experts, Operation, Phase, Precision, Trace
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parent / "machines"
PRESET = Path(__file__).parents[1] / "hwconfigs" / "hyflexpim.yaml"


def result_of(trace: str, *overrides: str, stream: bool = False) -> Result:
    machine = load_hardware(MACHINES / "small.yaml", overrides)
    return simulate(machine, read_trace(MACHINES / trace), stream=stream)


def test_latency_of_a_decode() -> None:
    """test_machines.py derives the end of each step: 279, 601 and 958."""
    latency = result_of("decode.trace").latency_ns
    assert latency == {"first_inference": 958, "first_token": 279, "per_token": 958 / 3, "total": 958}


def test_latency_of_a_prefill_and_a_decode(tmp_path: Path) -> None:
    """The decode steps follow the prompt, whose last result is there after 424."""
    text = (MACHINES / "decode.trace").read_text()
    both = tmp_path / "both.trace"
    both.write_text(text.replace("phase ", "phase prefill tokens=3\nphase ", 1))
    latency = simulate(load_hardware(MACHINES / "small.yaml"), read_trace(both), stream=False).latency_ns
    # each step takes as long as without a prompt
    assert latency == {
        "first_inference": 424 + 958,
        "first_token": 424,
        "per_token": 958 / 3,
        "total": 424 + 958,
    }


def test_latency_counts_nanoseconds() -> None:
    """At 2 GHz a read takes 20 cycles, and 100 transfers' cycles half as long as before."""
    latency = result_of("matrix.trace", "system.clock_ghz=2").latency_ns["first_inference"]
    assert 0.5 * 261 < latency < 261


def test_without_a_stream_one_inference_follows_the_other() -> None:
    result = result_of("matrix.trace")
    assert result.throughput["interval_ns"] == 261
    assert result.throughput["in_flight"] == 1
    assert result.throughput["tokens_per_s"] == pytest.approx(3 / 261e-9)


def test_a_stream_settles_on_the_slowest_stage() -> None:
    """Three tokens hold the arrays for 80 cycles each."""
    result = result_of("matrix.trace", stream=True)
    assert result.throughput["interval_ns"] == 240
    assert result.utilisation["analog"] == 1.0
    # 12 bytes a token on the global bus: 2 and 1 cycles
    assert result.utilisation["global_bus"] == pytest.approx(3 * 3 / 240)
    # leakage is charged for the interval, not for the latency
    assert result.energy_pj["static"] == pytest.approx(14 * 240)
    assert result.power_w["average"] == pytest.approx(result.energy_pj["per_inference"] / 240 / 1000)
    assert result.power_w["average"] <= result.power_w["peak"]


def test_macs_are_those_of_the_trace_and_those_executed() -> None:
    """BERT-Base's layer has 4 x 768^2 + 2 x 768 x 3072 weights; factors of rank 384 and 614 have

    4 * 384 * 1536 + 2 * 614 * 3840 weights. Attention takes 2 * 768 MACs a key.
    """
    result = simulate(load_hardware(PRESET), generate("bert_base", tokens=4, head=False), stream=False)
    attention = 12 * 4 * 4 * 2 * 768
    executed = 12 * 4 * (4 * 384 * 1536 + 2 * 614 * 3840) + attention
    assert result.efficiency["executed_macs_per_inference"] == executed
    stated = 12 * 4 * (4 * 768**2 + 2 * 768 * 3072) + attention
    per_s = result.throughput["inferences_per_s"]
    assert result.throughput["ops_per_s"] == pytest.approx(2 * stated * per_s)
    assert result.efficiency["tops"] == pytest.approx(2 * stated * per_s / 1e12)


def test_macs_of_routed_tokens_are_those_of_each_layer() -> None:
    """Two layers of the same two experts, to which their own draws lead: what a token meets is no average."""
    experts = [
        Operation(f"l{layer}.e{number}", "linear", layer, rows=8, columns=2 * number + 2, expert=number)
        for layer in (0, 1)
        for number in (0, 1)
    ]
    routing = Experts(count=2, active=1, seed=1)
    trace = Trace("routed", "full", 1, Precision(), (Phase("prefill", tokens=9),), tuple(experts), routing)
    plan = map_trace(load_hardware(MACHINES / "small.yaml", ["chip.pus=4"]), trace)
    attendance, ((phase, tokens),) = Attendance(trace), phase_tokens(trace)
    taking = [attendance.which(op, phase, tokens) for op in experts]
    counts = [len(tokens_of_one) for tokens_of_one in taking if tokens_of_one is not None]
    assert counts[0] != counts[2], "layers that route alike would show nothing"
    stated = sum(count * op.weights for count, op in zip(counts, experts, strict=True))
    assert pipeline._Macs(trace).total(plan, pipeline._stated_weights) == stated


def test_wear_counts_cells_written() -> None:
    """q, k, v, 8 bytes each, of 3 tokens; scores of 12 bits and the NORs of 1 + 2 + 3 keys.

    A product of 8 x 8 bits writes 64 cells, one of 12 x 8 bits 96; 8 of each a key. 64 x 512 cells.
    """
    written = 3 * 3 * 64 + 6 * 12 + 6 * 8 * (64 + 96)
    assert result_of("attention.trace").wear["digital"] == pytest.approx(written / (64 * 512))


def test_programming_waits_for_the_weights() -> None:
    """32 weights of 8 single-level cells of 1 pJ; 8 rows of 10 ns; 32 bytes at 4 GB/s."""
    assert result_of("matrix.trace").programming == {"time_ns": 80.0, "energy_pj": 256.0}
    slow = result_of("matrix.trace", "chip.global_bus.bandwidth_gb_per_s=0.1")
    assert slow.programming == {"time_ns": 320.0, "energy_pj": 256.0}


def test_a_run_that_needs_more_memory_than_there_is_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archsim.schedule.memory, "available_bytes", lambda: 10**8)
    trace = generate("bert_large", tokens=100_000, head=False)
    machine = load_hardware(PRESET, ["pu.parts.digital.array.rows=65536"])
    with pytest.raises(SimulationError) as error:
        simulate(machine, trace)
    assert str(error.value).startswith("one inference of bert_large is about ")
    assert str(error.value).endswith(" short; use fewer tokens or decode steps, or run without the stream")


def test_results_do_not_depend_on_the_process(root: Path) -> None:
    """Sets and dictionaries are ordered differently from process to process; results are not."""
    code = (
        "from archsim.pipeline import simulate\n"
        "from archsim.hardware.loader import load_hardware\n"
        "from archsim.workload.generate import generate\n"
        "machine = load_hardware('hwconfigs/hyflexpim.yaml', ['system.chips=2'])\n"
        "trace = generate('gpt2', tokens=2, decode=1)\n"
        "print(simulate(machine, trace, stream=False).to_json())\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])["workload"]["model"] == "gpt2"


def test_equal_layers_are_warned_of_as_the_first_of_them() -> None:
    """Parts are asked about one of all equal layers, unless they reckon with the data of each operation."""
    machine = load_hardware(PRESET, {"pu.parts.analog.output_buffer_tokens": 1})
    trace = generate("minilm", tokens=4, head=False)
    plan = map_trace(machine, trace)
    every = [each for group in plan.groups for step in group.steps for each in step.held if each]
    warnings = machine.parts["analog"].warnings(every, trace.precision)
    assert any("throttles" in text for text in warnings)
    assert set(warnings) <= set(simulate(machine, trace, stream=False).warnings)
