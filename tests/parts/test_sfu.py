"""The special function unit: 256 inputs a cycle, 16 cycles deep, 8 units in a PU of the preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archsim.errors import HardwareError, MappingError
from archsim.hardware.machine import Machine
from archsim.parts.part import NO_SIZE
from archsim.workload.operations import KINDS, Operation, Precision

Load = Callable[..., Machine]
Execute = Callable[..., Any]

SFU = "pu.parts.sfu"
ADD = Operation("l0.add", "add", 0, width=1024)


@pytest.mark.parametrize(
    ("kind", "operands", "occupancy", "latency"),
    [
        # 1024 elements enter in 4 cycles and leave 16 later
        ("gelu", 1, 4, 4 + 16),
        # three passes, each of which needs what the one before it found: 3 x 4, 3 x (4 + 16)
        ("layernorm", 1, 12, 60),
        ("rmsnorm", 1, 8, 40),
        # two operands are 2048 inputs
        ("add", 2, 8, 8 + 16),
        ("multiply", 2, 8, 24),
        ("argmax", 1, 4, 20),
    ],
)
def test_cycles(load: Load, execute: Execute, kind: str, operands: int, occupancy: int, latency: int) -> None:
    op = Operation("l0.x", kind, 0, width=1024)
    assert execute(load().parts["sfu"], op, [1024] * operands).times == [(occupancy, latency)]


def test_softmax_grows_with_the_keys(load: Load, execute: Execute) -> None:
    # 16 heads: 16, 256, 272 and 2048 scores are 1, 1, 2 and 8 cycles a pass, of which there are three
    op = Operation("l0.s", "softmax", 0, heads=16)
    width = np.array([16, 256, 272, 2048])
    run = execute(load().parts["sfu"], op, [width], keys=[1, 16, 17, 128])
    assert run.times == [(3, 51), (3, 51), (6, 54), (24, 72)]
    assert (run.value.width.tolist(), run.value.bits) == (width.tolist(), 12)
    assert run.actions == {"sfu.input": 3 * (16 + 256 + 272 + 2048)}


def test_rotary_has_heads(load: Load, execute: Execute) -> None:
    # 8 heads of 64: 512 elements, two passes
    op = Operation("l0.rope", "rotary", 0, heads=8, head_size=64)
    run = execute(load().parts["sfu"], op, [512])
    assert run.times == [(4, 2 * (2 + 16))]
    assert (run.value.width, run.value.bits) == (512, 8)


def test_combine_counts_the_operands_that_arrive(load: Load, execute: Execute) -> None:
    # of three experts, tokens see two, one (the choice may fall on fewer here) and all three
    op = Operation("l0.combine", "combine", 0, width=256)
    arriving = [[True, False, True], [True, True, True], [False, False, True]]
    run = execute(load().parts["sfu"], op, [256] * 3, keys=[1, 1, 1], arriving=arriving)
    assert [occupancy for occupancy, _ in run.times] == [2, 1, 3]
    assert run.actions == {"sfu.input": 256 * 6}


def test_eight_units_serve_one_queue(load: Load, execute: Execute) -> None:
    # one SFU in each of the 8 digital modules
    resource = execute(load().parts["sfu"], ADD, [1024, 1024]).resource
    assert (resource.name, resource.servers, resource.copies) == ("chip0.pu0.sfu", 8, 1)
    more = execute(load(f"{SFU}.count=2").parts["sfu"], ADD, [1024, 1024]).resource
    assert more.servers == 16


def test_results(load: Load, execute: Execute) -> None:
    sfu = load().parts["sfu"]
    added = execute(sfu, ADD, [1024, 1024]).value
    assert (added.width, added.bits) == (1024, 8)
    # the number of the next token, as wide as a partial sum
    token = execute(sfu, Operation("next", "argmax", None, width=50257), [50257]).value
    assert (token.width, token.bits) == (1, 32)


def test_costs(load: Load, execute: Execute) -> None:
    # 138.89 mW x 1 ns / 256 inputs
    sfu = load().parts["sfu"]
    (unit,) = sfu.costs.components
    assert (unit.name, unit.area_mm2, unit.leakage_mw) == ("sfu.unit", 4.79, 1.3889)
    assert unit.peak_power_mw == pytest.approx(138.89)
    run = execute(sfu, Operation("l0.x", "gelu", 0, width=1024), [1024])
    assert run.energy_pj == pytest.approx(138.89 * 4)


def test_a_wider_unit_is_larger_and_faster_at_the_same_energy(load: Load, execute: Execute) -> None:
    wide = load(f"{SFU}.inputs_per_cycle=512").parts["sfu"]
    (unit,) = wide.costs.components
    assert (unit.area_mm2, unit.leakage_mw) == (pytest.approx(2 * 4.79), pytest.approx(2 * 1.3889))
    assert unit.peak_power_mw == pytest.approx(2 * 138.89)
    run = execute(wide, ADD, [1024, 1024])
    assert run.times == [(4, 20)]
    assert run.energy_pj == execute(load().parts["sfu"], ADD, [1024, 1024]).energy_pj
    (fast,) = load("system.clock_ghz=2").parts["sfu"].costs.components
    assert fast.peak_power_mw == pytest.approx(2 * 138.89)


def test_executes_every_non_linear_operation_and_no_other(load: Load) -> None:
    sfu = load().parts["sfu"]
    for kind, what in KINDS.items():
        refused = sfu.refuses(Operation("x", kind, 0), Precision())
        assert (refused == "") == (what.family == "nonlinear")
    assert sfu.refuses(Operation("x", "linear", 0), Precision()) == (
        "sfu.passes does not say how often 'linear' streams its inputs (it has: add, argmax, combine, gelu, "
        "layernorm, multiply, rmsnorm, rotary, route, silu, softmax, tanh)"
    )


def test_holds_nothing(load: Load) -> None:
    sfu = load().parts["sfu"]
    assert (sfu.capacity, sfu.unit, sfu.modes) == (0, "", ())
    assert (sfu.size(None), sfu.interval(None, Precision())) == (NO_SIZE, 0)
    assert (sfu.peak_macs_per_cycle(Precision()), sfu.warnings([], Precision())) == (0, ())
    assert (sfu.program([]).time_ns, sfu.program([]).energy_pj) == (0, 0)
    message = "'sfu' stores no run-time values: it has no memory; name another part in mapping.intermediates"
    for attempt in (lambda: sfu.cache_size(1), lambda: sfu.store(None, None, None)):
        with pytest.raises(MappingError) as caught:
            attempt()
        assert str(caught.value) == message


def test_passes_name_operations(load: Load) -> None:
    with pytest.raises(HardwareError) as caught:
        load(f"{SFU}.passes.sofmax=1")
    assert "passes names 'sofmax', which is no non-linear operation (did you mean 'softmax'?)" in str(
        caught.value
    )


def test_facts(load: Load) -> None:
    inputs, pipeline, passes = load().parts["sfu"].facts(Precision())
    assert (inputs.value, pipeline.value, pipeline.unit) == (256, 16, "cycles")
    assert passes.value.startswith("softmax 3, layernorm 3, rmsnorm 2, gelu 1")
