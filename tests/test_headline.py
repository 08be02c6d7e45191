"""The paper's headline on its own machine: 5 % SLC against all SLC, and what it hangs on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.mapping.plan import Plan
from archsim.schedule.lower import lower
from archsim.task_graph import TaskGraph
from archsim.workload.generate import generate

PRESET = Path(__file__).parents[1] / "hwconfigs" / "hyflexpim.yaml"
TOKENS = 3
ALL_SLC = ("mapping.slc_rate=1", "mapping.svd=none")
LAYER_PU = 5
"""A PU with one of BERT-Large's 24 layers, neither the first nor the last."""


@dataclass(frozen=True)
class Bert:
    plan: Plan
    graph: TaskGraph

    def cycles_a_token(self, part: str) -> list[float]:
        """For which a token holds each resource of a part on LAYER_PU, each copy of it."""
        graph = self.graph
        return [
            busy / TOKENS / resource.copies
            for resource, busy in zip(graph.resources, graph.busy_cycles().tolist(), strict=True)
            if resource.place.pu == LAYER_PU and resource.part == part
        ]

    def bus_bytes_a_token(self) -> float:
        """Bytes that a token brings to the bus of LAYER_PU."""
        graph = self.graph
        blocks = [
            block
            for counted in graph.actions
            for block in counted.apart()
            if block.action == "bus.bit" and graph.pu[block.first] == LAYER_PU
        ]
        return sum(block.total for block in blocks) / 8 / TOKENS


def bert_large(*overrides: str) -> Bert:
    machine = load_hardware(PRESET, overrides)
    trace = generate("bert_large", tokens=TOKENS, head=False)
    plan = map_trace(machine, trace)
    return Bert(plan, lower(machine, trace, plan))


def test_five_percent_slc_is_1_90_times_as_fast_where_only_cells_count() -> None:
    """A layer has 12 x 1024^2 weights, and its SVD factors have as many; a PU has 12288 arrays of 8192 cells.

    Ranks are 512 (q, k, v, o) and 819 (ffn1, ffn2), of which 26 and 41 are SLC of 8 cells a weight:
    4 * 2048 * (26 * 8 + 486 * 4) + 2 * 5120 * (41 * 8 + 778 * 4) = 52 854 784 cells = 6452 arrays,
    so the occupancy of 800 shrinks to ceil(800 * 6452 / 12288) = 421.
    """
    half = bert_large()
    assert set(half.cycles_a_token("analog")) == {421.0}
    assert half.plan.replicas["l5"] == Fraction(12288, 6452)
    whole = bert_large(*ALL_SLC)
    assert set(whole.cycles_a_token("analog")) == {800.0}
    assert whole.plan.parts["analog"].used == whole.plan.parts["analog"].total
    speed_up = 800 / 421
    assert speed_up == pytest.approx(1.90, abs=0.001)
    # no other stage of the layer is slower than its MVMs
    for part in ("bus", "digital"):
        assert max(half.cycles_a_token(part)) < 421


def test_whole_arrays_give_one_copy() -> None:
    """Two copies take 105 % of the cells, and 115 % of the arrays: the headline is gone."""
    whole = bert_large("mapping.replication=whole")
    assert set(whole.cycles_a_token("analog")) == {800.0}
    assert whole.plan.replicas["l5"] == 1
    ideal = bert_large().plan.whole_instead
    assert ideal is not None
    assert (ideal.copies, ideal.interval_cycles) == (1, 800)


def test_all_slc_factors_do_not_fit_whole_arrays() -> None:
    """12416 of a PU's 12288 arrays: 128 short."""
    instead = bert_large("mapping.slc_rate=1").plan.whole_instead
    assert instead is not None
    assert (instead.feasible, instead.short) == (False, 128)


def test_partial_sums_on_the_bus_hide_the_speed_up() -> None:
    """Arrays of 64 rows: q, k, v, o and ffn1 have 16 row blocks, ffn2 has 64.

    (8192 outputs * 16 + 1024 * 64) * 4 bytes = 786 432 bytes of partial sums a token, 786 cycles at
    1000 GB/s. The rest of the traffic is the layer's input to the arrays and to the residual's memory,
    the inputs of o and ffn1, 4096 of ffn2, and the layer's output: 9 * 1024 bytes.
    """
    in_module = bert_large(*ALL_SLC)
    # results of 8 bits instead of partial sums: 8192 + 1024 bytes
    assert in_module.bus_bytes_a_token() == 2 * 9 * 1024
    on_bus = bert_large(*ALL_SLC, "pu.parts.analog.reduction=bus")
    assert on_bus.bus_bytes_a_token() == 786_432 + 9 * 1024
    (bus_cycles,) = on_bus.cycles_a_token("bus")
    assert 795.6 <= bus_cycles < 810
    # all-SLC is still bound by its MVMs, but 5 % SLC by the bus, which is no faster than all-SLC was
    half = bert_large("pu.parts.analog.reduction=bus")
    assert set(half.cycles_a_token("analog")) == {421.0}
    assert half.cycles_a_token("bus")[0] > 800
