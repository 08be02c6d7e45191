"""Whole plans of real models on the preset machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.errors import MappingError
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.mapping.factors import hard_threshold_rank
from archsim.mapping.plan import PartUse, Plan, WholeInstead
from archsim.parts.part import Size, Stored
from archsim.workload.generate import generate
from archsim.workload.operations import Operation, Precision, Trace

MachineOf = Callable[..., Machine]
TraceOf = Callable[..., Trace]


def copies(plan: Plan, group: str) -> set[int]:
    (found,) = [one for one in plan.groups if one.name == group]
    return {held.copies for step in found.steps for held in step.held if held}


def speeds(plan: Plan) -> set[Fraction]:
    return {held.speed for group in plan.groups for step in group.steps for held in step.held if held}


# 7072 arrays a layer (test_demand) of 12288. Cells: 26 + 486 / 2 of 512 ranks of four squares, 41 + 778 / 2
# of 819 of two matrices of 819 * 5120 weights, 1024 SLC weights an array
def test_bert_large_ideal(machine_of: MachineOf) -> None:
    plan = map_trace(machine_of(), generate("bert_large", head=False))
    cells = 4 * 1024 * Fraction(26 + 243, 512) + 2 * Fraction(430 * 5120, 1024)
    assert speeds(plan) == {12288 / cells} == set(plan.replicas.values())
    assert float(12288 / cells) == pytest.approx(1.90, abs=0.01)
    assert plan.parts["analog"] == PartUse(
        used=24 * 6452, total=24 * 12288, wasted=24 * float(6452 - cells), unit="arrays"
    )
    assert plan.whole_instead == WholeInstead(feasible=True, short=0, copies=1, interval_cycles=800)
    assert plan.warnings == (
        "replication 'ideal' counts cells: whole arrays of 'analog' would take 169728, not 154848",
    )
    assert (plan.pus_per_layer, plan.chips_used, plan.idle_pus) == (1, 1, 0)
    assert [group.name for group in plan.groups][:2] == ["embedding", "l0"]


def test_bert_large_whole(machine_of: MachineOf) -> None:
    plan = map_trace(machine_of("mapping.replication=whole"), generate("bert_large", head=False))
    assert set(plan.replicas.values()) == {1}
    assert plan.parts["analog"].used == 24 * 7072
    assert plan.whole_instead is None
    assert plan.warnings == ()


# all MLC without SVD takes 6144 arrays: two copies fill the PU
@pytest.mark.parametrize(("replication", "expected"), [("none", 1), ("whole", 2)])
def test_bert_large_all_mlc(machine_of: MachineOf, replication: str, expected: int) -> None:
    machine = machine_of("mapping.svd=none", "mapping.slc_rate=0", f"mapping.replication={replication}")
    plan = map_trace(machine, generate("bert_large", head=False))
    assert copies(plan, "l7") == {expected}
    assert plan.parts["analog"] == PartUse(
        used=24 * 6144 * expected, total=24 * 12288, wasted=0.0, unit="arrays"
    )


def test_bert_large_fills_its_pus_as_slc(machine_of: MachineOf) -> None:
    machine = machine_of("mapping.svd=none", "mapping.slc_rate=1", "mapping.replication=whole")
    use = map_trace(machine, generate("bert_large", head=False)).parts["analog"]
    assert (use.used, use.wasted) == (use.total, 0)


def test_what_whole_arrays_would_not_hold(machine_of: MachineOf) -> None:
    plan = map_trace(machine_of("mapping.slc_rate=1"), generate("bert_large", head=False))
    assert plan.whole_instead == WholeInstead(feasible=False, short=128, copies=0, interval_cycles=0)


# 573440 bytes an inference (test_demand) of 256 * 8 arrays of 2^20 bits
def test_slots(machine_of: MachineOf) -> None:
    plan = map_trace(machine_of("mapping.in_flight=500"), generate("bert_large", head=False))
    layer = plan.groups[1]
    assert layer.bytes_per_inference == 573440
    assert layer.slots == 2**28 // 573440 == 468
    assert plan.parts["digital"].used == 24 * 573440
    assert plan.warnings[0] == (
        "the PUs of l0 store the keys, values and intermediates of 468 inferences at once, "
        "mapping.in_flight asks for 500"
    )


# two layers a PU: the storage serves half as many inferences
def test_layers_that_share_a_pu_share_its_storage(machine_of: MachineOf) -> None:
    overrides = ("mapping.svd=none", "mapping.slc_rate=0", "mapping.replication=whole")
    plan = map_trace(machine_of("chip.pus=12", *overrides), generate("bert_large", head=False))
    assert plan.pus_per_layer == Fraction(1, 2)
    assert {group.slots for group in plan.groups} == {234}
    assert [group.pus for group in plan.groups[1:5]] == [(0,), (0,), (1,), (1,)]
    assert plan.parts["analog"].used == plan.parts["analog"].total


def test_layers_keep_the_names_of_their_own_operations(machine_of: MachineOf) -> None:
    trace = generate("bert_base", tokens=8, head=False)
    plan = map_trace(machine_of(), trace)
    for group in plan.groups:
        for step in group.steps:
            assert step.op == trace.by_id[step.op.id]
            assert step.pus == group.pus
            for share, held in zip(step.shares, step.held or (None,) * len(step.shares), strict=True):
                assert share is None or (share.id, share.after) == (step.op.id, step.op.after)
                assert held is None or held.stored.name.startswith(f"{step.op.id}")
    assert [step.op.id for group in plan.groups for step in group.steps if step.factor == 0] == [
        op.id for op in trace.operations
    ]


# GPT-2's head, 1.5 PUs, beside a layer leaves that no room for copies: it is faster apart
def test_a_head_goes_where_the_slowest_stage_is_faster(machine_of: MachineOf) -> None:
    plan = map_trace(machine_of(), generate("gpt2", tokens=128, decode=100))
    assert (plan.groups[-1].name, plan.groups[-1].pus) == ("lm_head", (12, 13))
    assert plan.pus_per_layer == 1
    assert plan.warnings[0] == "10 of 24 PUs idle"
    beside = map_trace(machine_of(), generate("bert_base"))
    assert beside.groups[-1].pus == beside.groups[-2].pus == (22, 23)
    assert beside.pus_per_layer == 2


def test_a_second_chip_is_used(machine_of: MachineOf) -> None:
    plan = map_trace(machine_of("system.chips=3"), generate("llama3_2_1b", tokens=8, head=False))
    assert (plan.chips_used, plan.pus_per_layer, plan.idle_pus) == (3, 4, 8)
    assert plan.parts["analog"].total == 3 * 24 * 12288
    assert plan.warnings[0] == "8 of 72 PUs idle"


# experts see 2 of 8 tokens: their stages are copied last. One array each, 800 cycles a token, 12 arrays:
# 9 stages are held, 3 arrays are left for copies of the one stage that all tokens pass
def test_experts_are_copied_for_the_tokens_that_they_see(machine_of: MachineOf, trace_of: TraceOf) -> None:
    machine = machine_of(
        "pu.parts.analog.count=1",
        "pu.parts.analog.arrays=12",
        "mapping.svd=none",
        "mapping.slc_rate=0",
        "mapping.replication=whole",
        "chip.pus=1",
    )
    experts = [Operation(f"e{i}", "linear", 0, rows=64, columns=32, expert=i) for i in range(8)]
    trace = trace_of(Operation("all", "linear", 0, rows=64, columns=32), *experts, tokens=16)
    routed = replace(trace, experts=generate("mixtral_8x7b", tokens=8).experts)
    plan = map_trace(machine, routed)
    counts = [held.copies for step in plan.groups[0].steps for held in step.held if held]
    # 16 tokens against 4: the first stage's copies make 16 / 4 = 4, and then all tie
    assert counts == [4] + [1] * 8
    assert plan.replicas == {"l0": 4}


def test_operations_outside_of_layers_alone(machine_of: MachineOf, trace_of: TraceOf) -> None:
    plan = map_trace(machine_of(), trace_of(Operation("w", "linear", None, rows=64, columns=16)))
    assert [(group.name, group.layer, group.pus) for group in plan.groups] == [("w", None, (0,))]
    assert plan.pus_per_layer == 0
    assert plan.idle_pus == 23


class Memory:
    """A part of another kind: weights and values in bytes, no modes, anything executed."""

    name = "memory"
    unit = "bytes"
    modes = ()

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def refuses(self, op: Operation, precision: Precision) -> str:
        return ""

    def size(self, stored: Stored) -> Size:
        nbytes = stored.rows * stored.columns * stored.bits // 8
        return Size(nbytes, Fraction(nbytes))

    def interval(self, stored: Stored, precision: Precision) -> int:
        return stored.rows

    def cache_size(self, nbytes: int) -> int:
        return nbytes


def on_memory(machine: Machine, capacity: int) -> Machine:
    mapping = machine.mapping.model_copy(
        update=dict.fromkeys(("linear", "attention", "nonlinear", "intermediates"), "memory")
    )
    parts = {"memory": Memory(capacity)}
    return replace(machine, mapping=mapping, parts=parts)  # type: ignore[arg-type]


# BERT-Base: 12 * 768^2 weights and, at 8 tokens, 2 * 768 * 8 + 2 * 768 * 8 + 12 * 8 * 16 * 1.5 = 26880 bytes
def test_weights_and_values_on_one_part_share_its_room(machine_of: MachineOf) -> None:
    weights, values = 12 * 768**2, 26880
    trace = generate("bert_base", tokens=8, head=False)
    preset = machine_of("chip.pus=12", "mapping.svd=none", "mapping.replication=none")
    plan = map_trace(on_memory(preset, weights + 3 * values + 1), trace)
    assert plan.groups[1].slots == 3
    assert plan.parts["memory"].used == 12 * (weights + values)
    with pytest.raises(MappingError, match="7104768 bytes of 'memory', a PU has 7104767: 1 short"):
        map_trace(on_memory(preset, weights + values - 1), trace)


def test_copies_leave_room_for_one_inference(machine_of: MachineOf) -> None:
    weights, values = 12 * 768**2, 26880
    trace = generate("bert_base", tokens=8, head=False)
    preset = machine_of("chip.pus=12", "mapping.svd=none", "mapping.replication=ideal")
    plan = map_trace(on_memory(preset, 3 * weights + values), trace)
    assert speeds(plan) == {Fraction(3)}
    assert plan.groups[1].slots == 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    model=st.sampled_from(["minilm", "gpt2", "llama3_2_1b"]),
    pus=st.integers(1, 30),
    chips=st.integers(1, 3),
    svd=st.sampled_from(["none", "hard_threshold"]),
    replication=st.sampled_from(["none", "whole", "ideal"]),
    slc_rate=st.sampled_from([0, 0.05, 0.3, 1]),
)
def test_plans_fit_and_do_all_the_work(
    machine_of: MachineOf, model: str, pus: int, chips: int, svd: str, replication: str, slc_rate: float
) -> None:
    machine = machine_of(
        f"chip.pus={pus}",
        f"system.chips={chips}",
        f"mapping.svd={svd}",
        f"mapping.replication={replication}",
        f"mapping.slc_rate={slc_rate}",
    )
    trace = generate(model, tokens=16)
    try:
        plan = map_trace(machine, trace)
    except MappingError as error:
        assert "short" in str(error) or "straddle" in str(error)
        return
    macs: dict[str, int] = {}
    held: dict[int, Fraction] = {}
    analog = machine.parts["analog"]
    for step in (step for group in plan.groups for step in group.steps):
        if step.op.kind == "linear":
            macs[step.op.id] = macs.get(step.op.id, 0) + sum(s.macs(0) for s in step.shares if s)
        for pu, one in zip(step.pus, step.held, strict=False):
            if one:
                size = analog.size(one.stored)
                taken = size.exact * one.speed if replication == "ideal" else size.units * one.copies
                held[pu] = held.get(pu, Fraction(0)) + taken
    assert max(held.values()) <= analog.capacity
    for op in (op for op in trace.operations if op.kind == "linear"):
        rank = hard_threshold_rank(op.rows, op.columns) if svd != "none" else 0
        assert macs[op.id] == (rank * (op.rows + op.columns) or op.weights)
    assert all(group.slots >= 1 for group in plan.groups)
    busy = {pu for group in plan.groups for pu in group.pus}
    assert plan.idle_pus == machine.total_pus - len(busy)
    if replication != "ideal":
        assert plan.parts["analog"].used == sum(held.values())
