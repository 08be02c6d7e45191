"""Both levels of detail: every operation of every token starts and ends in the same cycles.

At module detail an operation of a token is one task on its part. At array detail it is a row of tasks on the
same resource, its reads or row operations, and for an MVM the stages behind the reads, on resources of the
same name with a suffix.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.results.energy import action_counts
from archsim.schedule.lower import lower
from archsim.sim.engine import Engine
from archsim.sim.event_engine import EventEngine
from archsim.sim.fast_engine import FastEngine
from archsim.task_graph import JOIN, Detail, TaskGraph
from archsim.workload.layers import OperationList, add_head, add_input, add_layer
from archsim.workload.models import Architecture, ModelShape
from archsim.workload.operations import Experts, Operation, Phase, Precision, Trace

SMALL = Path(__file__).parent / "machines" / "small.yaml"
ROOM = ("pu.parts.analog.arrays=4096", "pu.parts.digital.array.rows=65536")
ANALOG = "pu.parts.analog"
STAGES = (".adc", ".shift_add", ".output_register")

Work = tuple[str, str, int]
"""What a task belongs to: a resource (of an MVM, that of the arrays), an operation, a token."""


def lowered(machine: Machine, trace: Trace, detail: Detail) -> TaskGraph:
    return lower(machine, trace, map_trace(machine, trace), detail)


def tasks_by_work(graph: TaskGraph) -> dict[Work, list[int]]:
    """The tasks on resources, in the order of their numbers."""
    found: dict[Work, list[int]] = {}
    for task in np.flatnonzero(graph.resource != JOIN).tolist():
        name = graph.resources[graph.resource[task]].name
        for stage in STAGES:
            name = name.removesuffix(stage)
        found.setdefault((name, graph.operations[graph.operation[task]], int(graph.token[task])), []).append(task)
    return found


def held_together(module: TaskGraph, array: TaskGraph) -> Iterator[tuple[int, list[int]]]:
    """Each task at module detail, with those at array detail that hold the same resource for as long."""
    ours, theirs = tasks_by_work(module), tasks_by_work(array)
    assert ours.keys() == theirs.keys()
    names = {resource.name for resource in module.resources}
    for work, tasks in ours.items():
        left = theirs[work]
        stages = [task for task in left if array.resources[array.resource[task]].name not in names]
        left = [task for task in left if task not in stages]
        for task in tasks:
            taken, cycles = [], 0
            while cycles < module.occupancy[task]:
                taken.append(left.pop(0))
                cycles += int(array.occupancy[taken[-1]])
            assert cycles == module.occupancy[task]
            yield task, taken + (stages if ".analog." in work[0] else [])
            if stages:
                assert tasks == [task]
        assert left == []


def assert_same(
    module: TaskGraph, array: TaskGraph, engine: type[Engine], inferences: int, in_flight: int | None
) -> None:
    """Starts, finishes and the cycles of leaving agree, inference by inference."""
    runs = []
    for graph in (module, array):
        run = engine(graph, inferences=inferences, in_flight=in_flight)
        run.advance()
        runs.append(run.result())
    ours, theirs = runs
    assert ours.completed_cycles.tolist() == theirs.completed_cycles.tolist()
    for task, taken in held_together(module, array):
        where = module.describe_task(task)
        assert theirs.start[:, taken].min(axis=1).tolist() == ours.start[:, task].tolist(), where
        assert theirs.finish[:, taken].max(axis=1).tolist() == ours.finish[:, task].tolist(), where


def assert_same_actions(module: TaskGraph, array: TaskGraph) -> None:
    ours, theirs = action_counts(module), action_counts(array)
    assert ours.keys() == theirs.keys()
    for action, number in ours.items():
        assert theirs[action] == pytest.approx(number, rel=1e-12), action


# -- a grid of machines, and a decoder with attention that all of them run

HEADS = {"heads": 2, "kv_heads": 1, "head_size": 4}
OPERATIONS = (
    Operation("q", "linear", 0, rows=12, columns=8),
    Operation("k", "linear", 0, rows=12, columns=4),
    Operation("v", "linear", 0, rows=12, columns=4),
    Operation("scores", "attention_scores", 0, ("q", "k"), **HEADS),
    Operation("softmax", "softmax", 0, ("scores",), heads=2),
    Operation("context", "attention_context", 0, ("softmax", "v"), **HEADS),
    Operation("o", "linear", 0, ("context",), rows=8, columns=12),
)
PHASES = (Phase("prefill", tokens=5), Phase("decode", steps=2, context=5))
GRID = {
    f"{ANALOG}.array.rows": (4, 16),
    f"{ANALOG}.array.columns": (8, 32),
    # 10 cycles a read; 8 or 32 conversions take 4 to 64 cycles, those of four arrays up to 256
    f"{ANALOG}.adc.rate_gs_per_s": (0.5, 2),
    f"{ANALOG}.adc.arrays_per_adc": (1, 4),
    f"{ANALOG}.cell.bits": (1, 3),
    # shorter than an interval, longer, and longer than a whole MVM; or none at all
    f"{ANALOG}.shift_add_cycles": (0, 1, 100),
    f"{ANALOG}.register_write_cycles": (0, 5, 5000),
    "mapping.replication": ("none", "whole"),
}


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("rate", [0, 1])
@pytest.mark.parametrize("share", [1, 4])
def test_a_grid_of_machines(bits: int, rate: float, share: int) -> None:
    choices = GRID | {
        f"{ANALOG}.adc.rate_gs_per_s": (GRID[f"{ANALOG}.adc.rate_gs_per_s"][rate],),
        f"{ANALOG}.adc.arrays_per_adc": (share,),
    }
    trace = Trace("grid", "causal", 1, Precision(activation_bits=bits), PHASES, OPERATIONS)
    for values in product(*choices.values()):
        chosen = [f"{path}={value}" for path, value in zip(choices, values, strict=True)]
        machine = load_hardware(SMALL, ["mapping.slc_rate=0.5", "mapping.svd=hard_threshold", *ROOM, *chosen])
        plan = map_trace(machine, trace)
        module, array = (lower(machine, trace, plan, detail) for detail in ("module", "array"))
        assert_same_actions(module, array)
        assert_same(module, array, FastEngine, inferences=2, in_flight=None)


# -- random models on random machines

CHOICES: dict[str, list[object]] = {
    "chip.pus": [1, 2, 6],
    "chip.interconnect.bandwidth_gb_per_s": [0.5, 100],
    "chip.global_bus.bandwidth_gb_per_s": [0.1, 4, 100],
    "pu.bus.bandwidth_gb_per_s": [0.7, 8, 1000],
    "pu.bus.latency_ns": [0, 1, 7],
    f"{ANALOG}.array.rows": [4, 8, 64],
    f"{ANALOG}.array.columns": [8, 16, 128],
    f"{ANALOG}.array.read_ns": [1, 10],
    f"{ANALOG}.adc.rate_gs_per_s": [0.5, 2, 16],
    f"{ANALOG}.adc.arrays_per_adc": [1, 4],
    f"{ANALOG}.cell.bits": [1, 2, 4],
    f"{ANALOG}.shift_add_cycles": [0, 1, 40],
    f"{ANALOG}.register_write_cycles": [0, 1, 300],
    f"{ANALOG}.input_buffer_tokens": [1, 2, 5],
    f"{ANALOG}.output_buffer_tokens": [1, 2, 5],
    f"{ANALOG}.reduction": ["module", "bus"],
    "pu.parts.digital.array.columns": [32, 512],
    "pu.parts.digital.array.read_cycles": [0, 1],
    "pu.parts.sfu.count": [1, 2],
    "mapping.slc_rate": [0, 0.5, 1],
    "mapping.svd": ["none", "hard_threshold"],
    "mapping.replication": ["none", "whole"],
    "mapping.score_slots": [1, 2, 5],
}


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    chosen = [f"{path}={draw(st.sampled_from(values))}" for path, values in CHOICES.items()]
    return load_hardware(SMALL, [*ROOM, *chosen])


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """A small encoder, decoder or gated decoder with experts; prefill, decode or both."""
    architecture: Architecture = draw(st.sampled_from(["bert", "gpt2", "llama"]))
    kv_heads, group = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    llama = architecture == "llama"
    experts = draw(st.sampled_from([1, 3])) if llama else 1
    shape = ModelShape(
        name="small",
        architecture=architecture,
        layers=draw(st.integers(1, 2)),
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
    tokens, steps = draw(st.integers(1, 5)), draw(st.integers(0, 2)) if shape.decoder else 0
    phases = [Phase("prefill", tokens=tokens)] if not steps or draw(st.booleans()) else []
    if steps:
        phases.append(Phase("decode", steps=steps, context=tokens))
    return Trace(
        model="small",
        attention="causal" if shape.decoder else "full",
        batch=draw(st.integers(1, 2)),
        precision=Precision(activation_bits=draw(st.sampled_from([1, 3, 8]))),
        phases=tuple(phases),
        operations=tuple(ops.operations),
        experts=Experts(experts, shape.active, seed=draw(st.integers(0, 3))) if experts > 1 else None,
    )


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(machines(), traces(), st.sampled_from([None, 1, 2, 3]))
def test_random_models_on_random_machines(machine: Machine, trace: Trace, in_flight: int | None) -> None:
    plan = map_trace(machine, trace)
    module, array = (lower(machine, trace, plan, detail) for detail in ("module", "array"))
    assert_same_actions(module, array)
    for engine in (EventEngine, FastEngine):
        assert_same(module, array, engine, inferences=4, in_flight=in_flight)
