"""Which PUs layers and heads get."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.hardware.machine import Machine
from archsim.mapping.demand import Sizing
from archsim.mapping.placement import Placement, placements
from archsim.workload.generate import generate
from archsim.workload.operations import Trace

MachineOf = Callable[..., Machine]

# a layer of MiniLM or BERT takes this many arrays of a PU without SVD, all as MLC: see test_demand
MLC = ("mapping.svd=none", "mapping.slc_rate=0", "mapping.replication=whole")


def ways(machine: Machine, trace: Trace) -> tuple[Placement, ...]:
    return placements(Sizing(machine, trace), machine.chips)


def only(machine: Machine, trace: Trace) -> Placement:
    (placement,) = ways(machine, trace)
    return placement


def layer_pus(placement: Placement) -> list[tuple[int, ...]]:
    """PUs of the layers where only an embedding stands before them."""
    return list(placement.pus[1:])


# 24 PUs / 12 layers
def test_idle_pus_are_shared_by_the_layers(machine_of: MachineOf) -> None:
    placement = only(machine_of(), generate("bert_base", tokens=8, head=False))
    assert placement.pus_per_layer == 2
    assert layer_pus(placement) == [(2 * layer, 2 * layer + 1) for layer in range(12)]
    assert placement.pus[0] == (0, 1)


# 12 layers on 17 PUs: one each, the rest idles
def test_a_remainder_idles(machine_of: MachineOf) -> None:
    placement = only(machine_of("chip.pus=17"), generate("bert_base", tokens=8, head=False))
    assert placement.pus_per_layer == 1
    assert layer_pus(placement) == [(layer,) for layer in range(12)]


# 3 PUs a layer, 10 a chip: 3 layers a chip, and PU 9 of each idles
def test_a_layer_does_not_straddle_chips(machine_of: MachineOf) -> None:
    machine = machine_of("chip.pus=10", "system.chips=4", "mapping.tensor_parallel=3")
    placement = only(machine, generate("bert_base", tokens=8, head=False))
    assert layer_pus(placement)[:4] == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (10, 11, 12)]


# 40 PUs for 12 layers would be 3 each, but 10 of a chip take 3 such layers: 4 chips are just enough
def test_auto_takes_what_packs(machine_of: MachineOf) -> None:
    trace = generate("bert_base", tokens=8, head=False)
    assert only(machine_of("chip.pus=10", "system.chips=4"), trace).pus_per_layer == 3
    # 2 chips of 19 PUs: 38 / 12 = 3, of which a chip takes 6
    assert only(machine_of("chip.pus=19", "system.chips=2"), trace).pus_per_layer == 3
    # 2 chips of 17: 34 / 12 = 2, of which a chip takes 8
    assert only(machine_of("chip.pus=17", "system.chips=2"), trace).pus_per_layer == 2
    # 5 chips of 8: 40 / 12 = 3, of which a chip takes 2, 10 in all; 2 PUs a layer fit
    assert only(machine_of("chip.pus=8", "system.chips=5"), trace).pus_per_layer == 2


# 60.8 M weights of a layer are 2.42 PUs as MLC: 3 PUs, 8 layers a chip, 16 layers on 2 chips
def test_a_layer_that_does_not_fit_one_pu_gets_more(machine_of: MachineOf) -> None:
    placement = only(machine_of("system.chips=2", *MLC), generate("llama3_2_1b", tokens=8, head=False))
    assert placement.pus_per_layer == 3
    assert layer_pus(placement)[7:9] == [(21, 22, 23), (24, 25, 26)]


# a MiniLM layer is 12 * 384^2 weights = 864 arrays of 2048 weights: 6 layers on 4 PUs are 2, 2, 1, 1
def test_fewer_pus_than_layers_share(machine_of: MachineOf) -> None:
    placement = only(machine_of("chip.pus=4", *MLC), generate("minilm", tokens=8, head=False))
    assert placement.pus_per_layer == Fraction(2, 3)
    assert layer_pus(placement) == [(0,), (0,), (1,), (1,), (2,), (3,)]


# BERT-Large as SLC without SVD fills its PUs: the pooler has none
def test_a_head_beside_a_full_layer_gets_a_pu_of_its_own(machine_of: MachineOf) -> None:
    overrides = ("mapping.svd=none", "mapping.slc_rate=1", "mapping.replication=whole")
    trace = generate("bert_large", tokens=8)
    assert ways(machine_of("chip.pus=24", *overrides), trace) == ()
    joined, apart = ways(machine_of("chip.pus=25", *overrides), trace)
    assert joined.pus == apart.pus
    assert joined.pus[-1] == (24,)


def test_a_head_stands_beside_the_last_layer_or_apart(machine_of: MachineOf) -> None:
    joined, apart = ways(machine_of("chip.pus=13"), generate("bert_base", tokens=8))
    assert joined.pus[-1] == joined.pus[-2] == (11,)
    assert apart.pus[-2:] == ((11,), (12,))


# patches come before the layers
def test_a_patch_embedding_apart_takes_the_first_pus(machine_of: MachineOf) -> None:
    trace = generate("vit_base", head=False)
    joined, apart = ways(machine_of("chip.pus=13"), trace)
    assert joined.pus[0] == joined.pus[1] == (0,)
    assert apart.pus[:3] == ((0,), (1,), (2,))


@pytest.mark.parametrize("given", [1, 2, 24])
def test_a_given_number_of_pus_is_taken_exactly(machine_of: MachineOf, given: int) -> None:
    machine = machine_of("system.chips=12", f"mapping.tensor_parallel={given}")
    assert only(machine, generate("bert_base", tokens=8, head=False)).pus_per_layer == given


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    pus=st.integers(1, 30), chips=st.integers(1, 4), model=st.sampled_from(["minilm", "bert_base", "gpt2"])
)
def test_places_do_not_overlap_or_straddle(machine_of: MachineOf, pus: int, chips: int, model: str) -> None:
    machine = machine_of(f"chip.pus={pus}", f"system.chips={chips}")
    sizing = Sizing(machine, generate(model, tokens=8))
    for placement in placements(sizing, chips):
        clusters = list(placement.clusters)
        taken = [pu for cluster in clusters for pu in cluster]
        assert len(set(taken)) == len(taken)
        assert max(taken) < machine.total_pus
        assert all(cluster[0] // pus == cluster[-1] // pus for cluster in clusters)
        assert taken == sorted(taken)
