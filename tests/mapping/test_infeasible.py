"""Mappings that fail, each with its exact message."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from archsim.errors import MappingError
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.workload.generate import generate
from archsim.workload.operations import Operation, Trace

MachineOf = Callable[..., Machine]
TraceOf = Callable[..., Trace]


def errors(machine: Machine, trace: Trace) -> list[str]:
    with pytest.raises(MappingError) as caught:
        map_trace(machine, trace)
    return str(caught.value).splitlines()


# 12416 arrays a layer: see test_demand
def test_all_slc_factors_of_bert_large(machine_of: MachineOf) -> None:
    machine = machine_of("mapping.slc_rate=1", "mapping.replication=whole")
    assert errors(machine, generate("bert_large", head=False)) == [
        "hyflexpim.yaml: system.chips: 24 layers at 2 PUs each need 48 PUs, the machine has 24: 24 short "
        "(on 1 PU, l0 needs 12416 arrays of 'analog', a PU has 12288: 128 short); "
        "the smallest system.chips that would do is 2, not 1"
    ]


# 3 layers of 7072 arrays do not fit a PU of 12288, and neither do 2
def test_too_few_pus_for_layers_that_cannot_share(machine_of: MachineOf) -> None:
    machine = machine_of("chip.pus=10", "mapping.replication=whole")
    assert errors(machine, generate("bert_large", head=False)) == [
        "hyflexpim.yaml: system.chips: 24 layers at 1 PU each need 24 PUs, the machine has 10: 14 short "
        "(2 layers on one PU need 14144 arrays of 'analog', a PU has 12288: 1856 short); "
        "the smallest system.chips that would do is 3, not 1"
    ]


# two all-MLC layers of 6144 arrays fill a PU, so that the pooler finds no room on the last of 12
def test_a_head_without_room(machine_of: MachineOf) -> None:
    machine = machine_of("chip.pus=12", "mapping.replication=whole", "mapping.svd=none", "mapping.slc_rate=0")
    assert errors(machine, generate("bert_large")) == [
        "hyflexpim.yaml: system.chips: 24 layers at 2 a PU and pooler on 1 of its own need 13 PUs, "
        "the machine has 12: 1 short "
        "(3 layers on one PU need 18432 arrays of 'analog', a PU has 12288: 6144 short); "
        "the smallest system.chips that would do is 2, not 1"
    ]


# 2048 x 128256 weights as MLC are 32 * 4008 = 128256 arrays: 10.4 PUs; a layer takes 3 (test_placement)
def test_a_large_head_is_counted(machine_of: MachineOf) -> None:
    machine = machine_of(
        "system.chips=2", "mapping.replication=whole", "mapping.svd=none", "mapping.slc_rate=0"
    )
    assert errors(machine, generate("llama3_2_1b", tokens=8)) == [
        "hyflexpim.yaml: system.chips: 16 layers at 3 PUs each and lm_head on 11 of its own need 59 PUs, "
        "the machine has 48: 11 short "
        "(on 2 PUs, l0 needs 14848 arrays of 'analog', a PU has 12288: 2560 short); "
        "the smallest system.chips that would do is 3, not 2"
    ]


# 36 PUs of 40, but 8 of a chip take two layers of 3: 5 chips take 10 layers, 12 need 6
def test_pus_that_are_enough_but_do_not_pack(machine_of: MachineOf) -> None:
    machine = machine_of("chip.pus=8", "system.chips=5", "mapping.tensor_parallel=3")
    assert errors(machine, generate("bert_base", head=False)) == [
        "hyflexpim.yaml: system.chips: 12 layers at 3 PUs each need 36 PUs, "
        "the machine has 40 in chips of 8 that no layer straddles; "
        "the smallest system.chips that would do is 6, not 5"
    ]


# 29696 arrays: 2.42 PUs
def test_a_layer_larger_than_a_chip(machine_of: MachineOf) -> None:
    machine = machine_of("chip.pus=2", "mapping.replication=whole", "mapping.svd=none", "mapping.slc_rate=0")
    assert errors(machine, generate("llama3_2_1b", tokens=8, head=False)) == [
        "hyflexpim.yaml: chip.pus: l0 does not fit the 2 PUs of a chip: "
        "the fullest needs 14848 arrays of 'analog', a PU has 12288: 2560 short; "
        "no number of chips would do, the smallest chip.pus that would is 3"
    ]


def test_layer_and_head_larger_than_a_chip_are_reported_together(machine_of: MachineOf) -> None:
    machine = machine_of("chip.pus=2")
    found = errors(machine, generate("llama3_2_1b", tokens=8))
    assert [line.split(": ")[2] for line in found] == [
        "l0 does not fit the 2 PUs of a chip",
        "lm_head does not fit the 2 PUs of a chip",
    ]


def test_too_few_pus_given_for_a_layer(machine_of: MachineOf) -> None:
    machine = machine_of(
        "system.chips=9",
        "mapping.tensor_parallel=2",
        "mapping.replication=whole",
        "mapping.svd=none",
        "mapping.slc_rate=0",
    )
    assert errors(machine, generate("llama3_2_1b", tokens=8, head=False)) == [
        "hyflexpim.yaml: mapping.tensor_parallel: l0 does not fit 2 PUs: "
        "the fullest needs 14848 arrays of 'analog', a PU has 12288: 2560 short; 3 PUs a layer would do"
    ]


def test_more_pus_given_for_a_layer_than_a_chip_has(machine_of: MachineOf) -> None:
    assert errors(machine_of("mapping.tensor_parallel=25"), generate("bert_base", head=False)) == [
        "hyflexpim.yaml: mapping.tensor_parallel: 25 PUs a layer, but a chip has 24, "
        "and a layer does not straddle chips"
    ]


# one KV head of 64 and 10^7 + 10 keys is more than the 2^28 bytes of a PU: no number of PUs helps
def test_a_cache_that_fits_nowhere(machine_of: MachineOf) -> None:
    trace = generate("llama3_2_1b", tokens=0, decode=10, context=10**7, head=False)
    # K and V 2 * 64 * 10000010; queries 4 * 64, residual 2048, scores of 16 slots 4 * 10000010 * 16 * 1.5
    need = 2 * 64 * 10000010 + 256 + 2048 + 96 * 10000010
    assert errors(machine_of(), trace) == [
        "hyflexpim.yaml: chip.pus: l0 does not fit the 24 PUs of a chip: "
        f"the fullest needs {need} bytes of 'digital', a PU has 268435456: {need - 268435456} short; "
        "no number of PUs would do"
    ]


def test_a_part_that_stores_nothing(machine_of: MachineOf) -> None:
    assert errors(machine_of("mapping.intermediates=sfu"), generate("bert_base", head=False)) == [
        "hyflexpim.yaml: mapping.intermediates: part 'sfu' stores nothing, "
        "but queries, scores and residual vectors must wait in it"
    ]


def test_refused_operations_are_reported_together(machine_of: MachineOf, trace_of: TraceOf) -> None:
    machine = machine_of("mapping.attention=analog", "mapping.nonlinear=digital")
    trace = trace_of(
        Operation("q", "linear", 0, rows=8, columns=8),
        Operation("k", "linear", 0, rows=8, columns=8),
        Operation("scores", "attention_scores", 0, ("q", "k"), heads=1, kv_heads=1, head_size=8),
        Operation("soft", "softmax", 0, ("scores",), heads=1),
        Operation("again", "softmax", 0, ("scores",), heads=1),
    )
    assert errors(machine, trace) == [
        "hyflexpim.yaml: mapping.attention: scores (attention_scores) cannot run on part 'analog': "
        "analog RRAM modules multiply with static weights only, and 'attention_scores' has none",
        "hyflexpim.yaml: mapping.nonlinear: soft (softmax) cannot run on part 'digital': "
        "digital NOR modules execute attention only, not 'softmax'",
    ]
