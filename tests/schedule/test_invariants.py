"""What must hold for every machine and every model: properties over random small ones."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.graph_blocks import Edges
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.results.energy import action_counts
from archsim.schedule.lower import lower
from archsim.schedule.tokens import Attendance, phase_tokens
from archsim.sim.engine import Queues
from archsim.sim.event_engine import run_event
from archsim.sim.fast_engine import run_fast
from archsim.sim.run import Run
from archsim.task_graph import TaskGraph
from archsim.workload.layers import OperationList, add_head, add_input, add_layer
from archsim.workload.models import Architecture, ModelShape
from archsim.workload.operations import Experts, Operation, Phase, Precision, Trace

MACHINES = Path(__file__).parents[1] / "machines"
SMALL = MACHINES / "small.yaml"

# enough room that every small model fits
ROOM = ("pu.parts.analog.arrays=4096", "pu.parts.digital.array.rows=65536")

CHOICES: dict[str, list[object]] = {
    "chip.pus": [1, 2, 3, 6],
    "system.chips": [1, 2],
    "chip.interconnect.bandwidth_gb_per_s": [0.5, 3, 100],
    "chip.global_bus.bandwidth_gb_per_s": [0.1, 4, 100],
    "system.chip_link.bandwidth_gb_per_s": [0.3, 5],
    "pu.bus.bandwidth_gb_per_s": [0.7, 8, 1000],
    "pu.bus.latency_ns": [0, 1, 7],
    "pu.parts.analog.array.rows": [4, 8, 64],
    "pu.parts.analog.array.columns": [8, 16, 128],
    "pu.parts.analog.array.read_ns": [1, 10],
    "pu.parts.analog.adc.rate_gs_per_s": [0.5, 2],
    "pu.parts.analog.cell.bits": [1, 2, 3, 4],
    "pu.parts.analog.input_buffer_tokens": [1, 2, 5],
    "pu.parts.analog.output_buffer_tokens": [1, 2, 5],
    "pu.parts.analog.reduction": ["module", "bus"],
    "pu.parts.digital.count": [1, 3],
    "pu.parts.digital.array.columns": [32, 512],
    "pu.parts.sfu.count": [1, 2],
    "pu.parts.sfu.inputs_per_cycle": [1, 4],
    "mapping.slc_rate": [0, 0.05, 0.5, 1],
    "mapping.svd": ["none", "hard_threshold"],
    "mapping.replication": ["none", "whole", "ideal"],
    "mapping.score_slots": [1, 2, 5],
}


SHARED: dict[str, list[object]] = {
    "chip.pus": [1, 2, 3, 6],
    "system.chips": [1, 2],
    "chip.interconnect.bandwidth_gb_per_s": [0.5, 100],
    "chip.global_bus.bandwidth_gb_per_s": [0.1, 4, 100],
    "pu.bus.bandwidth_gb_per_s": [0.7, 1000],
    "mapping.svd": ["none", "hard_threshold"],
    "mapping.tensor_split": ["rows", "columns"],
}
MEMORY_MACHINES: dict[str, dict[str, list[object]]] = {
    "processor.yaml": {
        "chip.parts.dram.bank_bytes": [10**7],
        "chip.parts.dram.count": [1, 3],
        "chip.parts.dram.read_gb_per_s": [0.3, 50],
        "pu.parts.sram.bank_bytes": [4096, 10**6],
        "pu.parts.pruner.bank_bytes": [10**6],
        "pu.parts.processor.count": [1, 2],
        "pu.parts.processor.units": [1, 3, 64],
        "pu.parts.processor.operand_bits": [4, 8],
        "pu.parts.processor.group_tokens": [1, 2, 5],
        "pu.parts.processor.buffer_bytes": [100, 2000],
        "pu.parts.processor.buffer_pieces": [1, 2, 3],
        "mapping.linear.held": ["dram", "sram"],
        "mapping.attention.held": ["sram", "dram"],
        "mapping.attention.pruner": ["pruner", "null"],
        "mapping.intermediates": ["sram", "dram"],
        "mapping.score_slots": [5, 9],
    },
    "near_bank.yaml": {
        "pu.parts.banks.bank_bytes": [10**7],
        "pu.parts.banks.count": [1, 2, 7],
        "pu.parts.banks.access_clock_ghz": [0.3, 2],
        "pu.parts.banks.multipliers": [1, 16],
        "pu.parts.banks.group_tokens": [1, 3],
        "mapping.score_slots": [3, 4],
    },
}


@st.composite
def memory_machines(draw: st.DrawFn) -> Machine:
    """A small machine of memories and processors, or of near-bank units."""
    file, own = draw(st.sampled_from(list(MEMORY_MACHINES.items())))
    chosen = {path: draw(st.sampled_from(values)) for path, values in (SHARED | own).items()}
    if chosen.get("mapping.linear.held") == "sram" or chosen.get("mapping.intermediates") == "sram":
        chosen["pu.parts.sram.bank_bytes"] = 10**6
    if chosen.get("mapping.attention.held") == "sram":
        chosen["pu.parts.sram.bank_bytes"] = 10**6
    return load_hardware(MACHINES / file, [f"{path}={value}" for path, value in chosen.items()])


@st.composite
def machines(draw: st.DrawFn, **fixed: object) -> Machine:
    """A small machine; ``fixed`` are settings by the last word of their path."""
    chosen = {
        path: fixed.get(path.rpartition(".")[2], draw(st.sampled_from(values)))
        for path, values in CHOICES.items()
    }
    return load_hardware(SMALL, [*ROOM, *(f"{path}={value}" for path, value in chosen.items())])


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """A small model: encoder, decoder, grouped-query attention, gated FFN, experts; prefill and decode."""
    architecture: Architecture = draw(st.sampled_from(["bert", "gpt2", "llama"]))
    kv_heads, group = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    llama = architecture == "llama"
    experts = draw(st.sampled_from([1, 3])) if llama else 1
    shape = ModelShape(
        name="small",
        architecture=architecture,
        layers=draw(st.integers(1, 3)),
        hidden=draw(st.integers(2, 12)),
        heads=kv_heads * group if llama else kv_heads,
        kv_heads=kv_heads,
        head_size=draw(st.sampled_from([2, 4])),
        ffn=draw(st.integers(2, 20)),
        tokens=1,
        source="test",
        vocabulary=11,
        experts=experts,
        active=min(2, experts),
    )
    ops = OperationList()
    vector = add_input(shape, ops)
    for layer in range(shape.layers):
        vector = add_layer(shape, layer, vector, ops)
    if draw(st.booleans()):
        add_head(shape, vector, ops)
    tokens, steps = draw(st.integers(1, 4)), draw(st.integers(0, 2)) if shape.decoder else 0
    phases = [Phase("prefill", tokens=tokens)] if not steps or draw(st.booleans()) else []
    if steps:
        phases.append(Phase("decode", steps=steps, context=tokens))
    return Trace(
        model="small",
        attention="causal" if shape.decoder else "full",
        batch=draw(st.integers(1, 2)),
        precision=Precision(),
        phases=tuple(phases),
        operations=tuple(ops.operations),
        experts=Experts(experts, shape.active, seed=draw(st.integers(0, 3))) if experts > 1 else None,
    )


def lowered(machine: Machine, trace: Trace) -> TaskGraph:
    return lower(machine, trace, map_trace(machine, trace))


@dataclass(frozen=True)
class Stream:
    graph: TaskGraph
    run: Run


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Three inferences of a random model on a random machine."""
    graph = lowered(draw(st.one_of(machines(), memory_machines())), draw(traces()))
    return Stream(graph, run_event(graph, inferences=3, in_flight=draw(st.sampled_from([None, 1, 2]))))


def edges_of(edges: Edges) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    source = np.repeat(np.arange(len(edges.first) - 1), np.diff(edges.first))
    return source, edges.target, edges.distance


many = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@many
@given(streams())
def test_every_inference_finishes_and_no_task_starts_before_its_predecessors(stream: Stream) -> None:
    graph, run = stream.graph, stream.run
    assert len(run.completed_cycles) == 3
    assert run.start.shape == (3, len(graph))
    assert (run.start >= 0).all()
    for edges, times in ((graph.on_finish, run.finish), (graph.on_start, run.start)):
        source, target, distance = edges_of(edges)
        for inference in range(3):
            there = inference + distance < 3
            after = run.start[inference + distance[there], target[there]]
            assert (after >= times[inference, source[there]]).all()


@many
@given(streams())
def test_no_server_serves_two_tasks_at_once(stream: Stream) -> None:
    graph, run = stream.graph, stream.run
    queues = Queues.of(graph)
    queue = np.concatenate([queues.dealt(inference) for inference in range(3)])
    held = (queue >= 0) & (np.tile(graph.occupancy, 3) > 0)
    start, number = run.start.ravel()[held], queue[held]
    end = start + np.tile(graph.occupancy, 3)[held]
    change = np.repeat([1, -1], len(start))
    # queue by queue and in the order of time; at equal times, releases come before starts
    order = np.lexsort([change, np.concatenate([start, end]), np.tile(number, 2)])
    # every queue ends with free servers, so that one sum runs through all of them
    serving = np.cumsum(change[order])
    servers = np.array([resource.servers for resource in queues.resources])
    assert (serving <= servers[np.tile(number, 2)[order]]).all()


def tokens_of(trace: Trace) -> int:
    return trace.batch * sum(phase.tokens + phase.steps for phase in trace.phases)


def last_tokens_of(trace: Trace) -> int:
    return trace.batch * sum(1 if phase.tokens else phase.steps for phase in trace.phases)


def keys_of(trace: Trace) -> int:
    """Keys that all tokens of an inference attend to, summed over them."""
    keys = 0
    for phase in trace.phases:
        if trace.attention == "full":
            keys += phase.tokens**2
        else:
            keys += phase.tokens * (phase.tokens + 1) // 2
        keys += sum(phase.context + step + 1 for step in range(phase.steps))
    return keys * trace.batch


def macs_of(op: Operation, svd: str) -> int:
    """MACs of one token: m n, or r (m + n) in two factors of rank r = m n / (m + n)."""
    m, n = op.rows, op.columns
    rank = m * n // (m + n) if svd == "hard_threshold" else 0
    return rank * (m + n) or m * n


@many
@given(machines(bits=1), traces())
def test_linear_macs_are_conserved(machine: Machine, trace: Trace) -> None:
    """A cell of one bit takes part in a MAC of 8-bit weights and inputs 8 times, with 8 neighbours."""
    expected = 0
    for op in trace.operations:
        if op.kind == "linear":
            tokens = last_tokens_of(trace) if op.last else tokens_of(trace)
            if op.expert is not None:
                assert trace.experts is not None
                # each of the equal experts is counted in turn, and `active` of them take a token
                tokens *= trace.experts.active if op.expert == 0 else 0
            expected += tokens * macs_of(op, machine.mapping.svd)
    counts = action_counts(lowered(machine, trace))
    assert counts["analog.array.cell_read"] == 8 * 8 * expected


@many
@given(machines(), traces())
def test_attention_macs_and_writes_are_conserved(machine: Machine, trace: Trace) -> None:
    """A column of the digital module works 5 cycles for each of the 3 columns of a NOR, 4 to be written."""
    expected = 0
    for op in trace.operations:
        if op.kind == "attention_scores":
            products = op.heads * op.head_size * keys_of(trace)
            query_and_key = (op.heads + op.kv_heads) * op.head_size * 8 * tokens_of(trace)
            expected += products * 64 * 3 * 5 + query_and_key * 4
        elif op.kind == "attention_context":
            products = op.heads * op.head_size * keys_of(trace)
            value = op.kv_heads * op.head_size * 8 * tokens_of(trace)
            scores = op.heads * keys_of(trace) * 12
            expected += products * 96 * 3 * 5 + (value + scores) * 4
        elif op.kind == "add":
            expected += op.width * 8 * tokens_of(trace) * 4
    counts = action_counts(lowered(machine, trace))
    assert counts["digital.column_cycle"] == expected


@many
@given(st.integers(3, 6), traces())
def test_bytes_to_and_from_the_host_are_conserved(pus: int, trace: Trace) -> None:
    """Without partial sums, the global bus moves each input once and each result once."""
    machine = load_hardware(SMALL, [*ROOM, "mapping.tensor_parallel=1", f"chip.pus={pus}"])
    (entry,) = [op for op in trace.operations if not op.after]
    leaving = trace.operations[-1]
    bits = 32 if leaving.kind == "argmax" else 8
    outputs = last_tokens_of(trace) if leaving.last else tokens_of(trace)
    moved = tokens_of(trace) * entry.width * 8 + outputs * leaving.output_width * bits
    assert action_counts(lowered(machine, trace))["global_bus.bit"] == moved


@many
@given(memory_machines(), traces())
def test_products_and_fetched_bits_of_memory_machines(machine: Machine, trace: Trace) -> None:
    """Linear weights: every token multiplies with all, and each pass and group of tokens reads them once."""
    counts: dict[tuple[str, str], float] = {}
    graph = lowered(machine, trace)
    for block in itertools.chain.from_iterable(counted.apart() for counted in graph.actions):
        key = graph.operations[int(graph.operation[block.first])], block.action
        counts[key] = counts.get(key, 0.0) + block.total
    executor = machine.mapping.executor("linear")
    width = machine.model.pu.parts[executor].operand_bits  # type: ignore[attr-defined]
    most = machine.parts[executor].group_tokens
    attendance = Attendance(trace)
    held = machine.mapping.holders("linear")[0]
    read = f"{held}.access" if held == executor else f"{held}.read"
    for op in trace.operations:
        if op.kind != "linear" or op.expert is not None:
            continue
        weights = macs_of(op, machine.mapping.svd)
        steps = (8 // width) ** 2
        tokens = groups = 0
        for phase, all_tokens in phase_tokens(trace):
            which = attendance.which(op, phase, all_tokens)
            passes = all_tokens.pass_ if which is None else all_tokens.pass_[which]
            tokens += len(passes)
            groups += sum(-(-int(count) // most) for count in np.unique(passes, return_counts=True)[1])
        assert counts[op.id, f"{executor}.mac"] == pytest.approx(tokens * weights * steps)
        assert counts[op.id, read] >= groups * weights * 8
        if held != machine.mapping.holders("intermediates")[0]:
            assert counts[op.id, read] == pytest.approx(groups * weights * 8)


@many
@given(memory_machines(), traces())
def test_both_engines_agree_on_memory_machines(machine: Machine, trace: Trace) -> None:
    graph = lowered(machine, trace)
    event, fast = run_event(graph, inferences=2), run_fast(graph, inferences=2)
    np.testing.assert_array_equal(fast.start, event.start)


@many
@given(st.one_of(machines(), memory_machines()), traces())
def test_energies_sum_to_the_whole(machine: Machine, trace: Trace) -> None:
    energy = simulate(machine, trace, stream=False).energy_pj
    for table in ("by_component", "by_operation", "by_layer"):
        assert sum(energy[table].values()) == pytest.approx(energy["per_inference"], rel=1e-9)
        assert energy[table]["static"] == energy["static"]


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(machines(), traces())
def test_same_inputs_give_the_same_bytes(machine: Machine, trace: Trace) -> None:
    first = simulate(machine, trace, stream=False).to_json()
    assert simulate(machine, trace, stream=False).to_json() == first
