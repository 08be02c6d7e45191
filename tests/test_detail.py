"""Both levels of detail: every operation of every token starts and ends in the same cycles.

At module detail an operation of a token is one task on its part. At array detail it is a row of tasks on the
same resource, its reads or row operations, and for an MVM the stages behind the reads, on resources of the
same name with a suffix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.cli.main import main
from archsim.errors import MappingError, SimulationError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.pipeline import run_once, simulate
from archsim.results.energy import action_counts
from archsim.schedule.lower import lower
from archsim.schedule.memory import check_memory, estimated_tasks
from archsim.sim.engine import Engine
from archsim.sim.event_engine import EventEngine
from archsim.sim.fast_engine import FastEngine
from archsim.task_graph import JOIN, TaskGraph
from archsim.workload.layers import OperationList, add_head, add_input, add_layer
from archsim.workload.models import Architecture, ModelShape
from archsim.workload.operations import Experts, Operation, Phase, Precision, Trace

SMALL = Path(__file__).parent / "machines" / "small.yaml"
ROOM = ("pu.parts.analog.arrays=4096",)
ANALOG = "pu.parts.analog"
STAGES = (".adc", ".shift_add", ".output_register")

Work = tuple[str, str, int]
"""What a task belongs to: a resource (of an MVM, that of the arrays), an operation, a token."""


def both(machine: Machine, trace: Trace) -> tuple[TaskGraph, TaskGraph]:
    """The task graphs at module and at array detail."""
    plan = map_trace(machine, trace)
    return lower(machine, trace, plan, "module"), lower(machine, trace, plan, "array")


def tasks_by_work(graph: TaskGraph) -> dict[Work, list[int]]:
    """The tasks on resources, in the order of their numbers."""
    found: dict[Work, list[int]] = {}
    for task in np.flatnonzero(graph.resource != JOIN).tolist():
        name = graph.resources[graph.resource[task]].name
        for stage in STAGES:
            name = name.removesuffix(stage)
        found.setdefault((name, graph.operations[graph.operation[task]], int(graph.token[task])), []).append(
            task
        )
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

OPERATIONS = (
    Operation("q", "linear", 0, rows=12, columns=8),
    Operation("k", "linear", 0, rows=12, columns=4),
    Operation("v", "linear", 0, rows=12, columns=4),
    Operation("scores", "attention_scores", 0, ("q", "k"), heads=2, kv_heads=1, head_size=4),
    Operation("softmax", "softmax", 0, ("scores",), heads=2),
    Operation("context", "attention_context", 0, ("softmax", "v"), heads=2, kv_heads=1, head_size=4),
    Operation("o", "linear", 0, ("context",), rows=8, columns=12),
)
PHASES = (Phase("prefill", tokens=5), Phase("decode", steps=2, context=5))
ARRAYS: list[dict[str, object]] = [
    {f"{ANALOG}.array.rows": 4, f"{ANALOG}.array.columns": 32, f"{ANALOG}.cell.bits": 1},
    {f"{ANALOG}.array.rows": 16, f"{ANALOG}.array.columns": 8, f"{ANALOG}.cell.bits": 2},
    {f"{ANALOG}.array.rows": 16, f"{ANALOG}.array.columns": 32, f"{ANALOG}.cell.bits": 4},
]
ADCS: list[dict[str, object]] = [
    # behind a read of 10 cycles: 32 conversions take 16 cycles, 8 take 4; those of four arrays up to 64
    {f"{ANALOG}.adc.rate_gs_per_s": 2, f"{ANALOG}.adc.arrays_per_adc": 1},
    {f"{ANALOG}.adc.rate_gs_per_s": 2, f"{ANALOG}.adc.arrays_per_adc": 4},
    # at most 10 cycles for four arrays
    {f"{ANALOG}.adc.rate_gs_per_s": 12.8, f"{ANALOG}.adc.arrays_per_adc": 4},
]
BEHIND: list[dict[str, object]] = [
    # stages that take no time; that are shorter than a read interval; longer; longer than a whole MVM
    {f"{ANALOG}.shift_add_cycles": 0, f"{ANALOG}.register_write_cycles": 0},
    {f"{ANALOG}.shift_add_cycles": 1, f"{ANALOG}.register_write_cycles": 0},
    {f"{ANALOG}.shift_add_cycles": 0, f"{ANALOG}.register_write_cycles": 1},
    {f"{ANALOG}.shift_add_cycles": 100, f"{ANALOG}.register_write_cycles": 5},
    {f"{ANALOG}.shift_add_cycles": 3, f"{ANALOG}.register_write_cycles": 5000},
]
PLAIN: dict[str, object] = {"mapping.slc_rate": 0.5, "mapping.svd": "hard_threshold"}


@pytest.mark.parametrize("replication", ["none", "whole"])
@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("arrays", ARRAYS)
def test_a_grid_of_machines(arrays: dict[str, object], bits: int, replication: str) -> None:
    trace = Trace("grid", "causal", 1, Precision(activation_bits=bits), PHASES, OPERATIONS)
    for adc, behind in product(ADCS, BEHIND):
        chosen = PLAIN | arrays | adc | behind | {"mapping.replication": replication}
        machine = load_hardware(SMALL, [*ROOM, *(f"{path}={value}" for path, value in chosen.items())])
        module, array = both(machine, trace)
        copies = max(resource.copies for resource in array.resources)
        assert (copies > 1) == (replication == "whole")
        assert_same_actions(module, array)
        assert_same(module, array, FastEngine, inferences=2, in_flight=None)


@pytest.mark.parametrize("slots", [1, 2])
def test_all_rows_of_a_write_wait_for_the_storage_of_an_earlier_inference(slots: int) -> None:
    # K and V of 5 tokens are 40 bytes, and as many rows of 8 columns. A token's K of 32 bits takes 4 of them
    trace = Trace("grid", "causal", 1, Precision(), PHASES[:1], OPERATIONS)
    chosen = ["pu.parts.digital.array.columns=8", "pu.parts.digital.array.rows=128"]
    machine = load_hardware(SMALL, [*ROOM, *chosen])
    plan = map_trace(machine, trace)
    plan = replace(plan, groups=tuple(replace(group, slots=slots) for group in plan.groups))
    module, array = (lower(machine, trace, plan, detail) for detail in ("module", "array"))
    assert_same(module, array, EventEngine, inferences=4, in_flight=None)


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
    f"{ANALOG}.array.wordlines_per_access": ["null", 1, 3],
    f"{ANALOG}.array.lockstep": ["plane", "vector"],
    f"{ANALOG}.activity.mode": ["expected", "sampled"],
    f"{ANALOG}.activity.ones": [0, 0.1, 0.7],
    f"{ANALOG}.adc.rate_gs_per_s": [0.5, 2, 16],
    f"{ANALOG}.adc.arrays_per_adc": [1, 4],
    f"{ANALOG}.cell.bits": [1, 2, 4],
    f"{ANALOG}.shift_add_cycles": [0, 1, 40],
    f"{ANALOG}.register_write_cycles": [0, 1, 300],
    f"{ANALOG}.input_buffer_tokens": [1, 2, 5],
    f"{ANALOG}.output_buffer_tokens": [1, 2, 5],
    f"{ANALOG}.reduction": ["module", "bus"],
    "pu.parts.digital.array.rows": [8, 32, 64, 65536],
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


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(machines(), traces(), st.sampled_from([None, 1, 2, 3]))
def test_random_models_on_random_machines(machine: Machine, trace: Trace, in_flight: int | None) -> None:
    try:
        module, array = both(machine, trace)
    except MappingError:
        # few cells hold no inference; those that hold one make the next one wait for them
        return
    assert_same_actions(module, array)
    for engine in (EventEngine, FastEngine):
        assert_same(module, array, engine, inferences=4, in_flight=in_flight)


# -- by hand

MATRIX = Trace(
    "matrix", "full", 1, Precision(activation_bits=2), (Phase("prefill", tokens=2),), OPERATIONS[:1]
)


def rows(graph: TaskGraph, start: list[int], *parts: str) -> list[tuple[str, int, int, int, int]]:
    """Part, token, start, end of holding it, finish: in the order of the tasks' numbers."""
    found = []
    for task in np.flatnonzero(graph.resource != JOIN).tolist():
        part = graph.resources[graph.resource[task]].part
        if part in parts:
            begin = start[task]
            ends = begin + int(graph.occupancy[task]), begin + int(graph.latency[task])
            found.append((part.removeprefix("analog."), int(graph.token[task]), begin, *ends))
    return found


def test_the_stages_of_an_mvm() -> None:
    # Two bits. A read takes 10 cycles, its 16 conversions at 1 GS/s 16: the interval is 16. Shift-and-add
    # 20, pipelined: it takes up a sum each interval. Input of 12 bytes x 2 bits = 3 bytes: the global bus
    # (4 bytes a cycle, 2 cycles later) brings token 0 at 3, the PU's bus (8 a cycle, 1 later) at 5. At
    # module detail: occupancy 2 x 16 = 32, latency 10 + 16 + 16 + 20 + 1 = 63, so 5 to 68, then 37 to 100.
    chosen = [f"{ANALOG}.adc.rate_gs_per_s=1", f"{ANALOG}.shift_add_cycles=20"]
    machine = load_hardware(SMALL, chosen)
    module, array = both(machine, MATRIX)
    engine = EventEngine(module, inferences=1)
    engine.advance()
    start = engine.last_start().tolist()
    assert rows(module, start, "analog") == [("analog", 0, 5, 37, 68), ("analog", 1, 37, 69, 100)]
    engine = EventEngine(array, inferences=1)
    engine.advance()
    start = engine.last_start().tolist()
    parts = ["analog", "analog.adc", "analog.shift_add", "analog.output_register"]
    assert [row for row in rows(array, start, *parts) if row[1] == 0] == [
        ("analog", 0, 5, 21, 15),
        ("analog", 0, 21, 37, 31),
        ("adc", 0, 15, 31, 31),
        ("adc", 0, 31, 47, 47),
        ("shift_add", 0, 31, 47, 51),
        ("shift_add", 0, 47, 63, 67),
        ("output_register", 0, 67, 68, 68),
    ]
    # token 1 is ready long before, and its reads come behind those of token 0
    assert [row[2] for row in rows(array, start, "analog")] == [5, 21, 37, 53]


def test_actions_stand_where_they_are_done() -> None:
    _, array = both(load_hardware(SMALL), MATRIX)
    done: dict[str, set[str]] = {}
    for block in array.actions:
        if block.action.startswith("analog."):
            resource = array.resource[block.first]
            part = "sample" if resource == JOIN else array.resources[resource].part
            done.setdefault(part, set()).add(block.action.removeprefix("analog."))
    assert done == {
        "analog": {"array.cell_read", "input_register.read", "wordline_driver.drive"},
        "sample": {"sample_hold.sample"},
        "analog.adc": {"adc.slc"},
        "analog.shift_add": {"shift_add.add", "output_register.write"},
    }


def test_row_operations_fill_the_columns_and_the_last_takes_what_is_left() -> None:
    # 2 heads x 4 elements, 8 x 8 bits x 3 columns: 1536 columns a key. 5 keys in 512 columns are 15 rows;
    # in 1000, 7 rows of 1000 and one of 680
    trace = Trace("grid", "full", 1, Precision(), (Phase("prefill", tokens=5),), OPERATIONS)
    for columns, expected in ((512, [512] * 15), (1000, [1000] * 7 + [680])):
        machine = load_hardware(SMALL, [*ROOM, f"pu.parts.digital.array.columns={columns}"])
        _, array = both(machine, trace)
        (counts,) = [
            np.asarray(block.count)
            for block in array.actions
            if block.action == "digital.column_cycle"
            and array.operations[array.operation[block.first]] == "scores"
            and block.tasks == 5 * len(expected)
        ]
        assert (counts / 5).tolist() == expected * 5


# -- the whole run


def test_the_result_is_the_same_but_for_what_is_told_of_the_stages() -> None:
    trace = Trace("grid", "causal", 1, Precision(), PHASES, OPERATIONS)
    machine = load_hardware(SMALL, ROOM)
    module, array = (simulate(machine, trace, detail=detail).to_dict() for detail in ("module", "array"))
    # the path goes through other tasks, and energy is spent when a stage works
    for result in (module, array):
        del result["critical_path"], result["power_w"]["peak"], result["options"]["detail"]
    utilisation, stages = module.pop("utilisation"), array.pop("utilisation")
    assert {f"analog{stage}" for stage in STAGES} == stages.keys() - utilisation.keys()
    assert {part: stages[part] for part in utilisation} == utilisation
    by_layer, stages_by_layer = module.pop("utilisation_by_layer"), array.pop("utilisation_by_layer")
    for layer, row in by_layer.items():
        assert_close(row, {part: stages_by_layer[layer][part] for part in row})
    assert by_layer.keys() == stages_by_layer.keys()
    assert_close(module, array)


def assert_close(ours: object, theirs: object) -> None:
    """Equal, and numbers to 1e-9."""
    if isinstance(ours, dict):
        assert isinstance(theirs, dict)
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            assert_close(value, theirs[key])
    elif isinstance(ours, float):
        assert theirs == pytest.approx(ours, rel=1e-9)
    else:
        assert theirs == ours


def test_the_number_of_tasks_is_announced_before_they_run() -> None:
    told: list[int] = []
    machine = load_hardware(SMALL)
    inference = run_once(machine, MATRIX, detail="array", announce=told.append)
    assert told == [len(inference.graph)]


def test_the_command_line_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(SMALL.parent / "matrix.trace")
    assert main(["simulate", str(SMALL), trace, "--no-stream", "--detail", "array"]) == 0
    # 3 tokens, each with 2 transfers in and 2 out, the input's join, 8 reads, samples, conversions and
    # shift-and-adds, and the register write: 3 x 38; with the entry and the exit 116
    assert capsys.readouterr().err == "archsim: detail array: an inference is 116 tasks\n"
    assert main(["simulate", str(SMALL), trace, "--no-stream"]) == 0
    assert capsys.readouterr().err == ""
    ideal = ["simulate", str(SMALL), trace, "--detail", "array", "--set", "mapping.replication=ideal"]
    assert main(ideal) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("mapping.replication: 'ideal' counts cells")


def test_the_estimate_counts_row_operations_of_the_keys_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    phases = (Phase("prefill", tokens=50), Phase("decode", steps=10, context=50))
    trace = Trace("grid", "causal", 2, Precision(), phases, OPERATIONS)
    machine = load_hardware(SMALL, [*ROOM, "pu.parts.digital.array.rows=65536"])
    plan = map_trace(machine, trace)
    graph = lower(machine, trace, plan, "array")
    assert estimated_tasks(machine, trace, plan, "array") == pytest.approx(len(graph), rel=0.02)
    monkeypatch.setattr("archsim.schedule.memory.available_bytes", lambda: 1_000_000)
    check_memory(machine, trace, plan, "module", stream=False)
    with pytest.raises(SimulationError, match=r"tasks, which need .* short; .*, or use detail 'module'$"):
        check_memory(machine, trace, plan, "array", stream=False)


def test_ideal_has_no_arrays() -> None:
    with pytest.raises(MappingError) as caught:
        simulate(load_hardware(SMALL, ["mapping.replication=ideal"]), MATRIX, detail="array")
    assert str(caught.value) == (
        "mapping.replication: 'ideal' counts cells, and detail 'array' needs the arrays that they stand in; "
        "use mapping.replication=whole, or detail 'module'"
    )


def test_a_detail_that_does_not_exist() -> None:
    with pytest.raises(SimulationError) as caught:
        simulate(load_hardware(SMALL), MATRIX, detail="arrays")
    assert str(caught.value) == (
        "there is no detail 'arrays'; details are module, array (did you mean 'array'?)"
    )
