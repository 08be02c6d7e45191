"""Equal layers are copied: to the same graph as if each were lowered, and only where they are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings, target
from hypothesis import strategies as st

from archsim.graph_blocks import Copy, Mark
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.mapping.plan import Group, Plan
from archsim.schedule.layers import copies_of, equal_runs
from archsim.schedule.lower import lower
from archsim.task_graph import Detail, GraphBuilder, TaskGraph
from archsim.workload.layers import OperationList, add_head, add_input, add_layer
from archsim.workload.models import Architecture, ModelShape
from archsim.workload.operations import Experts, Operation, Phase, Precision, Trace
from archsim.workload.trace import read_trace

ROOT = Path(__file__).parents[2]
MACHINES = Path(__file__).parents[1] / "machines"
ROOM = ("pu.parts.analog.arrays=4096", "pu.parts.digital.array.rows=65536")

CHOICES: dict[str, dict[str, list[object]]] = {
    "small.yaml": {
        "pu.bus.latency_ns": [0, 1],
        "pu.parts.analog.array.rows": [4, 64],
        "pu.parts.analog.input_buffer_tokens": [1, 3],
        "pu.parts.analog.output_buffer_tokens": [1, 2],
        "pu.parts.analog.reduction": ["module", "bus"],
        "pu.parts.digital.count": [1, 3],
        "pu.parts.sfu.count": [1, 2],
        "mapping.slc_rate": [0, 0.5, 1],
        "mapping.replication": ["none", "whole", "ideal"],
        "mapping.score_slots": [1, 2],
    },
    "near_bank.yaml": {
        "pu.parts.banks.bank_bytes": [10**7],
        "pu.parts.banks.group_tokens": [1, 3],
        "mapping.score_slots": [3, 4],
    },
}
SHARED: dict[str, list[object]] = {
    "chip.pus": [4, 6, 8, 12],
    "system.chips": [1, 1, 2, 3],
    "mapping.svd": ["none", "hard_threshold"],
    "mapping.tensor_split": ["rows", "columns"],
}

PREFILL = (Phase("prefill", tokens=3),)
BOTH = (Phase("prefill", tokens=3), Phase("decode", steps=2, context=3))


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """A small machine with more PUs than most models have layers."""
    file = draw(st.sampled_from(["small.yaml", "small.yaml", "small.yaml", "near_bank.yaml"]))
    chosen = {path: draw(st.sampled_from(values)) for path, values in (SHARED | CHOICES[file]).items()}
    room = ROOM if file == "small.yaml" else ()
    return load_hardware(MACHINES / file, [*room, *(f"{path}={value}" for path, value in chosen.items())])


def model(
    architecture: Architecture,
    layers: int,
    phases: Sequence[Phase],
    *,
    width: int = 8,
    heads: int = 1,
    batch: int = 1,
    experts: int = 1,
    head: bool = False,
) -> Trace:
    """A small model of a known architecture."""
    shape = ModelShape(
        name="small",
        architecture=architecture,
        layers=layers,
        hidden=width,
        heads=heads,
        kv_heads=1 if architecture == "llama" else heads,
        head_size=4,
        ffn=width + 3,
        tokens=1,
        source="test",
        vocabulary=11,
        experts=experts,
        active=min(2, experts),
    )
    ops = OperationList()
    vector = add_input(shape, ops)
    for layer in range(layers):
        vector = add_layer(shape, layer, vector, ops)
    if head:
        add_head(shape, vector, ops)
    routed = Experts(experts, shape.active, seed=1) if experts > 1 else None
    return Trace(
        model="small",
        attention="causal" if shape.decoder else "full",
        batch=batch,
        precision=Precision(),
        phases=tuple(phases),
        operations=tuple(ops.operations),
        experts=routed,
    )


@st.composite
def models(draw: st.DrawFn) -> Trace:
    """A model of 3 to 7 layers: a prefill, a decode after it, or a decode alone."""
    architecture: Architecture = draw(st.sampled_from(["bert", "gpt2", "llama"]))
    tokens = draw(st.integers(1, 3))
    prefill = Phase("prefill", tokens=tokens)
    decode = Phase("decode", steps=draw(st.integers(1, 2)), context=tokens)
    ways = [(prefill,)] if architecture == "bert" else [(prefill,), (prefill, decode), (decode,)]
    return model(
        architecture,
        draw(st.integers(3, 7)),
        draw(st.sampled_from(ways)),
        width=draw(st.integers(2, 9)),
        heads=draw(st.integers(1, 2)),
        batch=draw(st.integers(1, 2)),
        experts=draw(st.sampled_from([1, 1, 1, 3])) if architecture == "llama" else 1,
        head=draw(st.booleans()),
    )


def small(*overrides: str, file: str = "small.yaml") -> Machine:
    return load_hardware(MACHINES / file, [*(ROOM if file == "small.yaml" else ()), *overrides])


def with_slots(plan: Plan, slots: int) -> Plan:
    """The same where the groups store few inferences, so that these wait for each other."""
    return replace(plan, groups=tuple(replace(group, slots=slots) for group in plan.groups))


def anew(machine: Machine, trace: Trace, plan: Plan, detail: Detail = "module") -> TaskGraph:
    """The graph with every layer lowered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "archsim.schedule.lower.equal_runs", lambda groups, machine, trace: ((group,) for group in groups)
        )
        return lower(machine, trace, plan, detail)


def copied(
    machine: Machine, trace: Trace, plan: Plan, detail: Detail = "module"
) -> tuple[TaskGraph, list[int]]:
    """The graph as it is made, and how many copies there are each time that there are any."""
    repeat, copies = GraphBuilder.repeat, []

    def counting(graph: GraphBuilder, begin: Mark, each: Sequence[Copy]) -> None:
        copies.append(len(each))
        repeat(graph, begin, each)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GraphBuilder, "repeat", counting)
        return lower(machine, trace, plan, detail), copies


def counts_of(graph: TaskGraph) -> list[tuple[int, str, list[float]]]:
    """How often each block of tasks does each action."""
    apart = (each for block in graph.actions for each in block.apart())
    rows = ((each.first, each.action, np.broadcast_to(each.count, each.tasks).tolist()) for each in apart)
    return sorted(rows, key=lambda row: row[:2])


def assert_same(one: TaskGraph, other: TaskGraph) -> None:
    for name in ("resource", "turn", "occupancy", "latency", "operation", "token", "pu", "turns"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for name in ("on_finish", "on_start"):
        for column in ("first", "target", "distance"):
            some, others = (getattr(getattr(graph, name), column) for graph in (one, other))
            np.testing.assert_array_equal(some, others, f"{name}.{column}")
    assert one.resources == other.resources
    assert one.operations == other.operations
    assert one.layers == other.layers
    assert counts_of(one) == counts_of(other)


def copies_made(machine: Machine, trace: Trace, slots: int = 2, detail: Detail = "module") -> list[int]:
    """How many copies there are each time, in a graph that is the one without."""
    plan = with_slots(map_trace(machine, trace), slots)
    graph, copies = copied(machine, trace, plan, detail)
    assert_same(graph, anew(machine, trace, plan, detail))
    return copies


def runs(machine: Machine, trace: Trace) -> list[str]:
    """The names of the groups that are equal, run by run."""
    groups = map_trace(machine, trace).groups
    return [" ".join(group.name for group in run) for run in equal_runs(groups, machine, trace)]


def linear(name: str, layer: int | None, *after: str) -> Operation:
    return Operation(name, "linear", layer, after, rows=8, columns=8)


def add(name: str, layer: int | None, *after: str) -> Operation:
    return Operation(name, "add", layer, after, width=8)


def by_hand(operations: Sequence[Operation], phases: Sequence[Phase] = PREFILL) -> Trace:
    return Trace("by hand", "causal", 1, Precision(), tuple(phases), tuple(operations))


def chain(names: Sequence[str], *more: Operation) -> Trace:
    """Linear operations, each a layer that takes the result of the one before."""
    operations = [linear(name, layer, *names[:layer][-1:]) for layer, name in enumerate(names)]
    return by_hand([*operations, *more])


SIX = [f"l{layer}.w" for layer in range(6)]


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(machines(), models(), st.sampled_from([1, 2, 3, 5, 100]), st.booleans())
def test_copies_give_the_graph_that_lowering_every_layer_gives(
    machine: Machine, trace: Trace, slots: int, each_read: bool
) -> None:
    whole = machine.mapping.replication != "ideal"
    copies = copies_made(machine, trace, slots, "array" if each_read and whole else "module")
    event("with copies" if copies else "without copies")
    target(float(sum(copies)))


@pytest.mark.parametrize("detail", ["module", "array"])
def test_of_six_layers_the_last_three_are_copies(detail: Detail) -> None:
    """The first one shares its PU with the norm of the embeddings; the next two are lowered and compared."""
    machine, trace = small("chip.pus=7", "mapping.tensor_parallel=1"), model("bert", 6, PREFILL)
    assert runs(machine, trace) == ["embedding", "l0", "l1 l2 l3 l4 l5"]
    assert copies_made(machine, trace, detail=detail) == [3]


def test_layers_on_two_pus_are_copied() -> None:
    machine, trace = small("chip.pus=12", "mapping.svd=hard_threshold"), model("llama", 6, PREFILL)
    plan = map_trace(machine, trace)
    assert plan.pus_per_layer == 2
    assert copies_made(machine, trace) == [3]


@pytest.mark.parametrize(
    ("phases", "copies"), [(PREFILL, [2]), (BOTH, [2, 2]), (BOTH[1:], [2])], ids=["prefill", "both", "decode"]
)
def test_every_phase_has_copies(phases: tuple[Phase, ...], copies: list[int]) -> None:
    """The head shares the last layer's PU, as the embedding the first one's: neither is like the others."""
    machine, trace = small("chip.pus=6"), model("gpt2", 6, phases, head=True)
    assert runs(machine, trace) == ["embedding", "l0", "l1 l2 l3 l4", "l5", "lm_head"]
    assert copies_made(machine, trace) == copies


def test_a_run_ends_at_the_border_of_a_chip() -> None:
    """Of each run the third and later layers are copies; l4 takes its operand from the other chip."""
    machine = small("chip.pus=4", "system.chips=2", "mapping.tensor_parallel=1")
    trace = model("bert", 8, PREFILL)
    assert runs(machine, trace) == ["embedding", "l0", "l1 l2 l3", "l4 l5 l6 l7"]
    # l4 and l5 differ, so that l6 is lowered too
    assert copies_made(machine, trace) == [1, 1]


def test_layers_that_share_a_pu_are_lowered() -> None:
    machine = small("chip.pus=3")
    assert runs(machine, chain(SIX)) == ["l0", "l1", "l2", "l3", "l4", "l5"]
    assert copies_made(machine, chain(SIX)) == []


def test_a_run_ends_where_groups_store_another_number_of_inferences() -> None:
    machine, trace = small("chip.pus=6"), chain(SIX)
    groups = map_trace(machine, trace).groups
    fewer = [*groups[:4], *(replace(group, slots=group.slots - 1) for group in groups[4:])]
    runs = [[group.name for group in run] for run in equal_runs(fewer, machine, trace)]
    assert runs == [["l0"], ["l1", "l2", "l3"], ["l4", "l5"]]


def test_layers_with_experts_are_lowered() -> None:
    """Each layer sends other tokens to its experts."""
    machine, trace = small("chip.pus=6"), model("llama", 5, PREFILL, experts=3)
    assert runs(machine, trace) == ["embedding", "l0", "l1", "l2", "l3", "l4"]
    assert copies_made(machine, trace) == []


def test_layers_that_take_operands_from_two_layers_before_are_lowered() -> None:
    operations = [linear("l0.w", 0), linear("l1.w", 1, "l0.w")]
    for layer in range(2, 7):
        total = add(f"l{layer}.sum", layer, f"l{layer - 1}.w", f"l{layer - 2}.w")
        operations += [total, linear(f"l{layer}.w", layer, total.id)]
    machine, trace = small("chip.pus=8"), by_hand(operations)
    assert runs(machine, trace) == ["l0", "l1", "l2", "l3", "l4", "l5", "l6"]
    assert copies_made(machine, trace) == []


def with_results_used_twice(swapped: Sequence[int] = ()) -> Trace:
    """Seven layers of two results; the first is used in the layer itself and both in the next one."""
    operations = [linear("l0.v", 0), linear("l0.w", 0, "l0.v")]
    for layer in range(1, 7):
        operands = [f"l{layer - 1}.v", f"l{layer - 1}.w"]
        total = add(f"l{layer}.sum", layer, *(reversed(operands) if layer in swapped else operands))
        inner = linear(f"l{layer}.v", layer, total.id)
        operations += [total, inner, linear(f"l{layer}.w", layer, inner.id)]
    return by_hand([*operations, add("out", None, "l6.w", "l6.v")])


def test_layers_that_take_operands_from_other_places_are_lowered() -> None:
    """Layers 3 and 4 swap the operands of their sum."""
    machine, trace = small("chip.pus=7"), with_results_used_twice(swapped=[3, 4])
    assert runs(machine, trace) == ["l0", "l1 l2", "l3 l4", "l5", "l6", "out"]
    assert copies_made(machine, trace) == []


@pytest.mark.parametrize(
    "overrides",
    [
        ("chip.pus=7", "pu.parts.analog.reduction=bus", "pu.parts.analog.array.rows=4"),
        ("chip.pus=14", "mapping.tensor_split=columns"),
    ],
    ids=["sums of partial sums", "shares"],
)
def test_what_follows_copies_finds_what_they_have_moved(overrides: tuple[str, ...]) -> None:
    """Layer 5 is a copy, and layer 6, which shares its PUs with the last sum, is none.

    It takes what layer 5 has moved for itself already: partial sums to be added, shares to leave their PUs.
    """
    machine, trace = small(*overrides), with_results_used_twice()
    assert runs(machine, trace) == ["l0", "l1 l2 l3 l4 l5", "l6", "out"]
    assert sum(copies_made(machine, trace)) > 0


def test_layers_with_results_for_the_host_are_lowered() -> None:
    """What no operation takes leaves the machine, from every layer."""
    sides = [linear(f"l{layer}.side", layer, f"l{layer}.w") for layer in range(6)]
    machine, trace = small("chip.pus=6"), chain(SIX, *sides)
    assert runs(machine, trace) == ["l0", "l1", "l2", "l3", "l4", "l5"]
    assert copies_made(machine, trace) == []


def test_a_run_ends_with_a_layer_whose_result_is_taken_elsewhere() -> None:
    machine = small("chip.pus=7", "mapping.tensor_parallel=1")
    trace = chain([*SIX, "l6.w"], add("out", None, "l6.w", "l3.w"))
    assert runs(machine, trace) == ["l0", "l1 l2 l3", "l4 l5", "l6", "out"]
    assert copies_made(machine, trace) == [1]


def test_layers_whose_weights_are_fetched_are_lowered() -> None:
    """Fetches are granted in program order, over all layers."""
    machine = small("chip.pus=6", file="processor.yaml")
    assert runs(machine, chain(SIX)) == ["l0", "l1 l2 l3 l4 l5"]
    assert copies_made(machine, chain(SIX)) == []


def test_inputs_of_every_layer_wait_for_the_step_before() -> None:
    """Each layer looks positions up; in a decode the host sends them when it has the last output."""
    operations = [Operation("l0.x", "embedding", 0, vocabulary=5, width=8)]
    for layer in range(6):
        positions = Operation(f"l{layer}.position", "embedding", layer, vocabulary=5, width=8)
        total = add(f"l{layer}.sum", layer, operations[-1].id, positions.id)
        operations += [positions, total, linear(f"l{layer}.w", layer, total.id)]
    copies_made(small("chip.pus=6", "mapping.tensor_parallel=1"), by_hand(operations, BOTH))


@pytest.mark.parametrize(
    ("names", "copies"),
    [
        ([*"abcdef"], [3]),
        (["q", *(f"block_{layer}_q" for layer in range(1, 6))], [3]),
        # names of resources and of factors, which cannot be told apart: one more layer is lowered, or all
        (["a", "b", "1", "0", "c", "bus"], [1]),
        (["pu1", "1", "0", "analog", "bus", "chip0"], []),
    ],
    ids=["letters", "words", "some as resources", "all as resources"],
)
def test_names_are_free(names: list[str], copies: list[int]) -> None:
    machine = small("chip.pus=6", "mapping.svd=hard_threshold", "mapping.tensor_parallel=1")
    assert copies_made(machine, chain(names)) == copies


@pytest.mark.parametrize(
    ("hardware", "workload", "copies"),
    # the first layer stands beside the embedding and the head has PUs of its own
    [
        ("hyflexpim", "bert_large", [21]),
        ("hyflexpim", "gpt2_decode", [9, 9]),
        ("clipformer", "gpt2_decode", [9, 9]),
    ],
)
def test_published_machines(hardware: str, workload: str, copies: list[int]) -> None:
    machine = load_hardware(ROOT / "hwconfigs" / f"{hardware}.yaml")
    trace = read_trace(ROOT / "workloads" / f"{workload}.trace")
    plan = map_trace(machine, trace)
    graph, made = copied(machine, trace, plan)
    assert made == copies
    assert_same(graph, anew(machine, trace, plan))


def group(name: str, layer: int, pu: int, *ids: str) -> Group:
    operations = tuple(linear(op, layer) for op in ids)
    return Group(name, layer, (pu,), operations, (), slots=1, bytes_per_inference=0)


def test_a_copy_stands_as_many_pus_and_layers_further_on() -> None:
    here, there = group("l2", 2, 4, "l2.q"), group("l7", 7, 14, "l7.q")
    back, same = copies_of(there, [here, there])
    (ahead,) = copies_of(here, [there])
    assert (ahead.pus, ahead.layers, ahead.name("l2.q")) == (10, 5, "l7.q")
    assert (back.pus, back.layers, back.name("l7.q")) == (-10, -5, "l2.q")
    assert (same.pus, same.layers, same.name("l7.q")) == (0, 0, "l7.q")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("l2.q", "l7.q"),
        (".analog.l2.q.0", ".analog.l7.q.0"),
        ("l2.q.0 of 4 whole", "l7.q.0 of 4 whole"),
        ("l2.q and l2.k", "l7.q and l7.k"),
        # the longer name is the operation's
        ("l2.q.rotary", "l7.turned"),
        ("l22.q", "l22.q"),
        ("xl2.q", "xl2.q"),
        ("l2.qk", "l2.qk"),
        ("l2xq", "l2xq"),
        (".bus", ".bus"),
    ],
)
def test_a_copy_has_the_names_of_its_layer(old: str, new: str) -> None:
    here = group("l2", 2, 2, "l2.q", "l2.k", "l2.q.rotary")
    (copy,) = copies_of(here, [group("l7", 7, 7, "l7.q", "l7.k", "l7.turned")])
    assert copy.name(old) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("q", "block_1_q"),
        (".analog.q.1", ".analog.block_1_q.1"),
        ("q whole", "block_1_q whole"),
        ("q_rotary", "q_rotary"),
        ("block_1_q", "block_1_q"),
    ],
)
def test_names_of_operations_need_not_tell_their_layers(old: str, new: str) -> None:
    (copy,) = copies_of(group("l0", 0, 0, "q"), [group("l1", 1, 1, "block_1_q")])
    assert copy.name(old) == new
