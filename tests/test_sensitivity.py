"""What each knob of the preset changes, and in which direction: two small layers on two PUs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.schedule.lower import lower
from archsim.sim.engine import Queues
from archsim.sim.event_engine import run_event
from archsim.workload.layers import OperationList, add_input, add_layer
from archsim.workload.models import ModelShape
from archsim.workload.operations import Phase, Precision, Trace

PRESET = Path(__file__).parents[1] / "hwconfigs" / "hyflexpim.yaml"


def encoder(tokens: int = 16) -> Trace:
    """Two BERT layers of 256 x 256 and 256 x 1024 weights, 4 heads."""
    return _trace("bert", "full", Phase("prefill", tokens=tokens))


def decoder(context: int = 64, steps: int = 2) -> Trace:
    """Two GPT-2 layers of the same size, a token at a time."""
    return _trace("gpt2", "causal", Phase("decode", steps=steps, context=context))


def _trace(architecture: str, attention: str, phase: Phase) -> Trace:
    shape = ModelShape(
        name="small",
        architecture=architecture,  # type: ignore[arg-type]
        layers=2,
        hidden=256,
        heads=4,
        kv_heads=4,
        head_size=64,
        ffn=1024,
        tokens=1,
        source="test",
        vocabulary=100,
    )
    ops = OperationList()
    vector = add_input(shape, ops)
    for layer in range(shape.layers):
        vector = add_layer(shape, layer, vector, ops)
    return Trace("small", attention, 1, Precision(), (phase,), tuple(ops.operations))  # type: ignore[arg-type]


ENCODER, LONG_ENCODER, DECODER, LONG_DECODER = encoder(), encoder(32), decoder(), decoder(context=512)

PLAIN = ("chip.pus=2", "mapping.replication=none")
"""A layer on each PU, one copy of each matrix: the MVMs are the slowest stages."""
FULL = ("chip.pus=2", "pu.parts.analog.count=2")
"""Two analog modules a PU: `ideal` has little room, so that room decides."""
TWO_CHIPS = ("chip.pus=1", "system.chips=2", "mapping.replication=none")


@lru_cache(maxsize=256)
def measures(trace: Trace, overrides: Sequence[str]) -> dict[str, float]:
    """Latency of one inference, the least interval of a stream, dynamic energy, arrays in use, area."""
    machine = load_hardware(PRESET, overrides)
    graph = lower(machine, trace, map_trace(machine, trace))
    result = simulate(machine, trace, stream=False)
    energy = result.energy_pj
    return {
        "latency": result.latency_ns["first_inference"],
        "bound": Queues.of(graph).bound_cycles(),
        "energy": energy["per_inference"] - energy["static"],
        "adc energy": energy["by_component"]["analog.adc"],
        "bus energy": energy["by_component"]["bus"],
        "arrays": result.mapping["parts"]["analog"]["used"],
        "area": result.area_mm2["total"],
        "executed": result.efficiency["executed_macs_per_inference"],
        "programming": result.programming["energy_pj"],
        "peak": result.efficiency["peak_tops"],
    }


KNOBS = [
    # cells of more bits: fewer of them are read and converted, and more copies find room
    (FULL, "pu.parts.analog.cell.bits=4", "arrays< bound< energy< area= peak>"),
    (FULL, "pu.parts.analog.cell.bits=1", "arrays> bound> energy> area= peak<"),
    (PLAIN, "pu.parts.analog.cell.bits=4", "arrays< bound= energy< latency="),
    # 128 conversions at 0.64 GS/s take 200 cycles, longer than a read
    (PLAIN, "pu.parts.analog.adc.rate_gs_per_s=0.64", "latency> bound> energy= arrays="),
    # and at 12.8 GS/s 10 instead of 100: the interval stays that of the read
    (PLAIN, "pu.parts.analog.adc.rate_gs_per_s=12.8", "latency< bound= energy= arrays="),
    (PLAIN, "pu.parts.analog.adc.bits.mlc=8", "latency= bound= adc_energy> energy> area>"),
    (PLAIN, "pu.parts.analog.adc.bits.slc=5", "latency= bound= adc_energy< energy< area="),
    (PLAIN, "pu.parts.analog.adc.reference_bits=8", "latency= bound= adc_energy< area="),
    # taller arrays: fewer row blocks, fewer conversions; one wordline's drive stays the same
    (PLAIN, "pu.parts.analog.array.rows=128", "arrays< latency= bound= adc_energy< energy< area>"),
    # wider arrays: fewer of them, and their ADCs take longer than the read
    (PLAIN, "pu.parts.analog.array.columns=256", "arrays< latency> bound> area>"),
    (PLAIN, "pu.parts.analog.array.read_ns=200", "latency> bound> energy> arrays="),
    # the conversions of 100 cycles stay
    (PLAIN, "pu.parts.analog.array.read_ns=50", "latency< bound= energy< arrays="),
    (FULL, "pu.parts.analog.count=4", "bound< latency< energy= area> peak>"),
    (FULL, "pu.parts.analog.arrays=1024", "bound< latency< energy= area> peak>"),
    (PLAIN, "pu.parts.analog.count=48", "bound= latency= energy= area> peak>"),
    # 16 keys of 256 elements: 3 rows of one module's columns, 2 of two modules'
    ((*PLAIN, "pu.parts.digital.count=1"), "pu.parts.digital.count=2", "latency< energy= area> peak>"),
    # one row at most: the sixteenth module has nothing to do
    (PLAIN, "pu.parts.digital.count=16", "latency= energy= area> peak>"),
    (PLAIN, "pu.bus.bandwidth_gb_per_s=10", "latency> bound= energy= area="),
    (PLAIN, "pu.bus.bandwidth_gb_per_s=0.1", "latency> bound> energy="),
    (PLAIN, "pu.bus.latency_ns=20", "latency> bound= energy="),
    (PLAIN, "chip.interconnect.bandwidth_gb_per_s=0.1", "latency> bound> energy="),
    (PLAIN, "chip.global_bus.bandwidth_gb_per_s=0.1", "latency> bound> energy="),
    (TWO_CHIPS, "system.chip_link.bandwidth_gb_per_s=0.1", "latency> bound> energy="),
    (TWO_CHIPS, "system.chip_link.latency_ns=400", "latency> bound= energy="),
    (PLAIN, "pu.parts.sfu.inputs_per_cycle=16", "latency> energy= area<"),
    (PLAIN, "pu.parts.sfu.pipeline_cycles=100", "latency> bound= energy= area="),
    (FULL, "mapping.slc_rate=0.3", "arrays> bound> energy> executed= programming<"),
    (FULL, "mapping.slc_rate=0", "arrays< bound< energy< executed= programming>"),
    # one MVM instead of two; as many cells or a few more
    (PLAIN, "mapping.svd=none", "latency< bound= executed>"),
    # whole arrays instead of cells
    (FULL, "mapping.replication=none", "bound> latency> energy= arrays>"),
    (PLAIN, "mapping.replication=whole", "bound< latency< energy= arrays> programming>"),
    (PLAIN, "pu.parts.analog.input_buffer_tokens=1", "latency> energy= bound="),
    (PLAIN, "pu.parts.analog.input_buffer_tokens=8", "latency= energy= bound="),
    (PLAIN, "pu.parts.analog.output_buffer_tokens=1", "latency> energy= bound="),
    (PLAIN, "pu.parts.analog.reduction=bus", "latency> bus_energy> energy> area="),
    # two chips of a PU instead of one that has both layers
    (("chip.pus=1", "pu.parts.analog.count=4"), "system.chips=2", "bound< area> latency<"),
    # two PUs instead of one for both layers: twice the copies
    (("chip.pus=1", "pu.parts.analog.count=4"), "chip.pus=2", "bound< area> latency<"),
    # heads and columns split: attention takes half, and partial sums are added
    (("chip.pus=4", "mapping.replication=none", "mapping.tensor_parallel=1"), "mapping.tensor_parallel=2",
     "energy> area= bound="),
    (PLAIN, "system.clock_ghz=2", "latency< energy= area="),
]  # fmt: skip


@pytest.mark.parametrize(("base", "change", "expected"), KNOBS)
def test_each_knob_changes_what_it_should(base: tuple[str, ...], change: str, expected: str) -> None:
    before, after = measures(ENCODER, base), measures(ENCODER, (*base, change))
    found = []
    for each in expected.split():
        name = each[:-1].replace("_", " ")
        close = after[name] == pytest.approx(before[name], rel=1e-12)
        found.append(each[:-1] + ("=" if close else ">" if after[name] > before[name] else "<"))
    assert found == expected.split()


def test_longer_sequences_and_contexts_take_longer() -> None:
    short, long = measures(ENCODER, PLAIN), measures(LONG_ENCODER, PLAIN)
    # twice the tokens through the same arrays, and four times the products of attention
    assert long["bound"] == 2 * short["bound"]
    assert short["latency"] < long["latency"]
    assert long["energy"] > 2 * short["energy"]
    # 8 times the keys: the linear part stays, attention grows
    short, long = measures(DECODER, PLAIN), measures(LONG_DECODER, PLAIN)
    assert short["latency"] < long["latency"]
    assert short["energy"] < long["energy"] < 8 * short["energy"]
    assert short["arrays"] == long["arrays"]


def test_one_score_slot_makes_tokens_wait_for_each_other() -> None:
    """A slow softmax (3 passes through 1000 cycles): with one slot it is not overlapped."""
    slow = (*PLAIN, "pu.parts.sfu.pipeline_cycles=1000")
    one, many = (measures(ENCODER, (*slow, f"mapping.score_slots={slots}")) for slots in (1, 16))
    # 15 more tokens wait for the 3000 cycles, in each of the two layers; MVMs overlap some of it
    assert many["latency"] + 15 * 2 * 1500 < one["latency"] < many["latency"] + 15 * 2 * 3200
    assert one["energy"] == pytest.approx(many["energy"])


def test_more_score_slots_can_be_slower() -> None:
    """A scheduling anomaly of bounded buffers: more of a resource, a later end.

    All scores of an encoder's layer become ready together, with the last key. With a slot for each of 16
    tokens, the digital module takes all scores first, since they came first, and the first token's
    context waits behind them. With one slot the module alternates: the first context leaves earlier, and
    with it the output projection starts earlier, which is the slowest stage.
    """

    def first_and_last(slots: int) -> tuple[int, int]:
        machine = load_hardware(PRESET, (*PLAIN, f"mapping.score_slots={slots}"))
        graph = lower(machine, ENCODER, map_trace(machine, ENCODER))
        start = run_event(graph).start[0]
        projection = graph.operation == graph.operations.index("l0.o")
        arrays = [resource.part == "analog" for resource in graph.resources]
        on_arrays = projection & (graph.resource >= 0) & np.array(arrays)[graph.resource]
        return int(start[on_arrays].min()), int(start[graph.exit])

    first_of_one, end_of_one = first_and_last(1)
    first_of_many, end_of_many = first_and_last(16)
    assert first_of_one < first_of_many
    assert end_of_one < end_of_many


def test_what_the_arithmetic_alone_uses_changes_nothing() -> None:
    machine = load_hardware(PRESET, PLAIN)
    other = load_hardware(PRESET, (*PLAIN, "pu.parts.analog.adc.range=flip"))
    before, after = (simulate(each, ENCODER, stream=False).to_dict() for each in (machine, other))
    assert before.pop("hardware") != after.pop("hardware")
    assert before == after
