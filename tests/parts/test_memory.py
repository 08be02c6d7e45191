"""Memories: the SRAM and the DRAM of the non-PIM preset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.errors import HardwareError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.part import Held, Part, Region, Stored
from archsim.task_graph import GraphBuilder, Place
from archsim.workload.operations import Operation, Precision


@pytest.fixture(scope="module")
def non_pim(root: Path) -> Callable[..., Machine]:
    return lambda *overrides: load_hardware(root / "hwconfigs/non_pim.yaml", overrides)


def reads(part: Part, *nbytes: int) -> list[tuple[int, int]]:
    """Occupancy and latency of accesses."""
    builder = GraphBuilder()
    builder.place = Place(0, 0)
    token = np.arange(len(nbytes))
    tasks = part.read(np.array(nbytes), token, np.full(len(nbytes), -1, dtype=np.int32), builder)
    graph = builder.build()
    return [(int(graph.occupancy[task]), int(graph.latency[task])) for task in tasks]


def test_reads_are_spread_over_all_banks(non_pim: Callable[..., Machine]) -> None:
    # four channels of 6.4 bytes a ns: 128 KB in 5120 cycles, one byte in one; 60 ns later
    dram = non_pim().chip_parts["dram"]
    assert reads(dram, 131072, 1) == [(5120, 5180), (1, 61)]
    # four banks of 32 bytes a ns; 2 ns later
    sram = non_pim().parts["sram"]
    assert reads(sram, 1024, 129) == [(8, 10), (2, 4)]
    assert reads(non_pim("pu.parts.sram.count=1").parts["sram"], 1024) == [(32, 34)]
    # at 2 GHz, twice the cycles
    assert reads(non_pim("system.clock_ghz=2").parts["sram"], 1024) == [(16, 20)]


def test_writes_have_their_own_bandwidth(non_pim: Callable[..., Machine], store: Callable[..., Any]) -> None:
    sram = non_pim("pu.parts.sram.write_gb_per_s=8", "pu.parts.sram.write_latency_ns=5").parts["sram"]
    run = store(sram, 1024, count=2)
    assert run.times == [(32, 37), (32, 37)]
    assert run.actions == {"sram.write": 2 * 1024 * 8}
    assert run.energy_pj == pytest.approx(2 * 1024 * 8 * 1.96)


def test_room_and_costs(non_pim: Callable[..., Machine]) -> None:
    dram = non_pim().chip_parts["dram"]
    # the paper's 6.28 GB
    assert (dram.capacity, dram.unit) == (6_280_000_000, "bytes")
    assert dram.size(Stored("w", 3, 5, 4, (Region("", 3, 5),))).units == 8
    assert dram.cache_size(100) == 100
    (cells,) = dram.costs.components
    # a channel: 6.4 bytes a ns at 8 pJ a bit
    assert cells.peak_power_mw == pytest.approx(6.4 * 8 * 8.0)


def test_power_in_place_of_energy(non_pim: Callable[..., Machine]) -> None:
    # 512 mW at 256 bits a ns are 2 pJ a bit
    given = ("pu.parts.sram.cost.energy_pj=null", "pu.parts.sram.cost.active_power_mw=512")
    (charge,) = non_pim(*given).parts["sram"].costs.actions["sram.read"]
    assert charge.energy_pj == 2.0


def test_programming(non_pim: Callable[..., Machine]) -> None:
    held = Held(Stored("w", 1000, 640, 8, (Region("", 1000, 640),)), "dram")
    written = non_pim().chip_parts["dram"].program([held])
    assert written.time_ns == pytest.approx(640_000 / 25.6)
    assert written.energy_pj == pytest.approx(640_000 * 8 * 8.0)


def test_wear_is_told_where_an_endurance_is(root: Path) -> None:
    rram = load_hardware(root / "hwconfigs/sprint.yaml").parts["rram"]
    assert (rram.costs.cells, rram.costs.write_action) == (8 * 1_570_000_000, "rram.write")
    assert rram.costs.endurance_writes == 1e8


def test_executes_nothing(non_pim: Callable[..., Machine]) -> None:
    sram = non_pim().parts["sram"]
    op = Operation("x", "linear", 0)
    assert sram.refuses(op, Precision()) == "a memory executes nothing, and 'linear' is to be executed"
    with pytest.raises(MappingError, match="a memory executes nothing"):
        sram.run(op, None, [], None, Precision(), None)  # type: ignore[arg-type]
    assert (sram.interval(None, Precision()), sram.peak_macs_per_cycle(Precision())) == (0, 0)  # type: ignore[arg-type]
    assert sram.warnings([], Precision()) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("bank_bytes=0", "--set pu.parts.sram.bank_bytes=0: must be at least 1, not 0"),
        ("read_gb_per_s=0", "--set pu.parts.sram.read_gb_per_s=0: must be greater than 0, not 0"),
        ("read_latency_ns=-1", "--set pu.parts.sram.read_latency_ns=-1: must be at least 0, not -1"),
        ("endurance_writes=0", "--set pu.parts.sram.endurance_writes=0: must be greater than 0, not 0"),
        (
            "write_energy_pj=cheap",
            "--set pu.parts.sram.write_energy_pj=cheap: must be a number, not the text 'cheap'",
        ),
    ],
)
def test_broken_values(non_pim: Callable[..., Machine], change: str, message: str) -> None:
    with pytest.raises(HardwareError) as caught:
        non_pim(f"pu.parts.sram.{change}")
    assert str(caught.value) == message
