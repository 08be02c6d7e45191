"""Buses and links: 128 GB/s between chips and on the global bus, 1000 GB/s between PUs and inside one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.cost.entry import Cost
from archsim.hardware.machine import Machine
from archsim.parts.links import Link, LinkModel
from archsim.task_graph import GraphBuilder, Place

Load = Callable[..., Machine]


def link(bandwidth: float = 128, clock_ghz: float = 1.0, kind: str = "bus", latency: float = 0) -> Link:
    cost = Cost(active_power_mw=1024, area_mm2=2, leakage_mw=3, source="a test")
    return LinkModel(kind=kind, bandwidth_gb_per_s=bandwidth, latency_ns=latency, cost=cost).build(
        "wire", clock_ghz
    )


def moves(
    medium: Link, nbytes: object, lane: str = ""
) -> tuple[list[tuple[int, int]], dict[str, float], str]:
    """Occupancy and latency of each transfer, actions, and the resource."""
    graph = GraphBuilder()
    graph.place = Place(1)
    count = len(nbytes) if isinstance(nbytes, np.ndarray) else 1
    wire = medium.move(nbytes, np.arange(count), [], graph, lane)
    built = graph.build()
    times = [(int(built.occupancy[task]), int(built.latency[task])) for task in wire]
    actions = {block.action: block.total for block in built.actions}
    return times, actions, built.resources[built.resource[wire[0]]].name


def test_3_kb_of_partial_sums_take_24_cycles(load: Load) -> None:
    # 3072 / 128 = 24, and 10 more until the last byte is there
    times, actions, name = moves(load().global_bus, 3072)
    assert times == [(24, 34)]
    assert (actions, name) == ({"global_bus.bit": 3072 * 8}, "chip1.global_bus")


def test_a_hidden_vector_takes_6_to_16_cycles_between_chips(load: Load) -> None:
    # 768 / 128 and 2048 / 128; 40 cycles through the two controllers
    times, actions, name = moves(load().chip_link, np.array([768, 1024, 2048]), ".to_chip2")
    assert times == [(6, 46), (8, 48), (16, 56)]
    assert (actions, name) == ({"chip_link.bit": 3840 * 8}, "chip1.chip_link.to_chip2")


@pytest.mark.parametrize(
    ("bandwidth", "clock_ghz", "nbytes", "cycles"),
    [
        (128, 1.0, 0, 0),
        (128, 1.0, 1, 1),
        (128, 1.0, 128, 1),
        (128, 1.0, 129, 2),
        # twice the clock, half the bytes a cycle
        (128, 2.0, 128, 2),
        # 0.1 bytes a cycle: no rounding dust in 3 / 0.1
        (0.1, 1.0, 3, 30),
        (1000, 1.0, 1024, 2),
    ],
)
def test_cycles(bandwidth: float, clock_ghz: float, nbytes: int, cycles: int) -> None:
    assert int(link(bandwidth, clock_ghz).cycles(nbytes)) == cycles


def test_latency_is_rounded_up_to_cycles() -> None:
    assert moves(link(latency=1.2, clock_ghz=2.0), 128)[0] == [(2, 5)]


def test_a_power_is_spread_over_the_bits_that_move_meanwhile() -> None:
    # a bus of 128 GB/s moves 1024 bits a ns: 1024 mW are 1 pJ a bit; a link moves as many in each direction
    for kind, energy in (("bus", 1.0), ("link", 0.5)):
        table = link(kind=kind).costs
        ((charge,),) = table.actions.values()
        (component,) = table.components
        assert (charge.component, charge.energy_pj) == ("wire", energy)
        assert (component.area_mm2, component.peak_power_mw, component.leakage_mw) == (2, 1024, 3)


def test_peak_of_the_preset(load: Load) -> None:
    # 8000 bits a ns at 1.7 pJ; 1024 bits a ns at 6 pJ, in both directions
    assert load().bus.costs.components[0].peak_power_mw == pytest.approx(13600)
    assert load().chip_link.costs.components[0].peak_power_mw == pytest.approx(12288)


def test_facts(load: Load) -> None:
    assert [(fact.label, fact.value, fact.unit) for fact in load().chip_link.facts()] == [
        ("bandwidth", 128, "GB/s a direction"),
        ("width", 128, "bytes a cycle"),
        ("latency", 40, "cycles"),
        ("energy", 6, "pJ a bit"),
    ]
    assert load("system.clock_ghz=2").bus.facts()[1].value == 500


@given(
    nbytes=st.integers(0, 10**9),
    more=st.integers(0, 10**6),
    bandwidth=st.floats(0.01, 1e4),
    clock_ghz=st.floats(0.1, 10),
)
def test_more_bytes_are_never_faster(nbytes: int, more: int, bandwidth: float, clock_ghz: float) -> None:
    medium = link(bandwidth, clock_ghz)
    cycles = int(medium.cycles(nbytes))
    assert int(medium.cycles(nbytes + more)) >= cycles
    assert int(link(2 * bandwidth, clock_ghz).cycles(nbytes)) <= cycles
    assert cycles == pytest.approx(nbytes * clock_ghz / bandwidth, abs=1, rel=1e-8)


@given(
    nbytes=st.integers(0, 10**12),
    bandwidth=st.floats(0.01, 1e4),
    clock_ghz=st.floats(0.1, 10),
)
def test_one_number_of_bytes_takes_as_long_as_many_equal_ones(
    nbytes: int, bandwidth: float, clock_ghz: float
) -> None:
    medium = link(bandwidth, clock_ghz)
    assert np.asarray(medium.cycles(np.array([nbytes, nbytes]))).tolist() == [medium.cycles(nbytes)] * 2
