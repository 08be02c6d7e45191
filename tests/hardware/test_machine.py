"""The machine that a description gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Assumption, Machine
from archsim.parts.facts import MachineFacts

Load = Callable[..., Machine]


def test_a_machine_has_its_facts(load: Load, toy: str) -> None:
    machine = load(toy)
    assert (machine.name, machine.clock_ghz, machine.file) == ("toy", 2.0, "hw.yaml")
    assert (machine.chips, machine.pus, machine.total_pus) == (2, 3, 6)
    assert machine.mapping.linear == "cells"
    assert (machine.mapping.replication, machine.mapping.tensor_parallel) == ("whole", "auto")


def test_media_are_built_with_their_names_and_the_clock(load: Load, toy: str) -> None:
    machine = load(toy)
    assert machine.chip_link == ("chip_link", 10.0, 2.0)
    assert machine.interconnect == ("interconnect", 1000.0, 2.0)
    assert machine.global_bus == ("global_bus", 1000.0, 2.0)
    assert machine.bus == ("bus", 5.0, 2.0)


def test_parts_are_counted_in_the_parts_that_they_stand_in(load: Load, toy: str) -> None:
    # 4 crossbars a PU, and 2 vector units in each of them
    machine = load(toy)
    assert [machine.instances(name) for name in machine.parts] == [4, 8]
    built = cast(Any, machine.parts["vector"])
    assert (built.name, built.count, built.facts) == ("vector", 8, MachineFacts(2.0, 65.0))


def test_parts_stand_in_parts_that_stand_in_parts(load: Load, toy: str) -> None:
    inner = "    inner: {kind: vector, count: 3, inside: vector, passes: {}}\nmapping:"
    assert load(toy.replace("mapping:", inner)).instances("inner") == 24


def test_assumptions_of_fields_and_of_costs_are_listed_with_their_paths(load: Load, toy: str) -> None:
    assert load(toy).assumptions() == (
        Assumption("pu.bus.gb", "as wide as the cells"),
        Assumption("pu.parts.cells.cost", "a guess"),
    )


def test_the_preset_loads(root: Path) -> None:
    # section 5.4 of the paper: 24 PUs of 24 analog and 8 digital modules, an SFU in each digital one
    machine = load_hardware(root / "hwconfigs" / "hyflexpim.yaml")
    assert (machine.name, machine.total_pus) == ("HyFlexPIM", 24)
    counts = {name: machine.instances(name) for name in machine.parts}
    assert counts == {"analog": 24, "digital": 8, "sfu": 8}
    about = [assumption.path for assumption in machine.assumptions()]
    assert "pu.parts.analog.cell.mlc_write.row_ns" in about
    assert "mapping.embedding" in about
    assert len(about) == len(set(about))
