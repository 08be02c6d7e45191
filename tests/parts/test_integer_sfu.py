"""The integer special function unit of the FLARE preset: 256 lanes, 16 cycles deep."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.errors import HardwareError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.integer_sfu import IntegerSfuModel
from archsim.workload.operations import KINDS, Operation, Precision

Load = Callable[..., Machine]
Execute = Callable[..., Any]

SFU = "pu.parts.sfu"


@pytest.fixture(scope="module")
def flare(root: Path) -> Load:
    return cache(lambda *overrides: load_hardware(root / "hwconfigs/flare.yaml", overrides))


def test_gelu_by_hand(flare: Load, execute: Execute) -> None:
    # 1024 elements enter in 4 cycles, three times: 12; 3 x (4 + 16) = 60
    run = execute(flare().parts["sfu"], Operation("l0.gelu", "gelu", 0, width=1024), [1024])
    assert run.times == [(12, 60)]
    assert run.actions == {"sfu.addition": 8 * 1024, "sfu.multiplication": 5 * 1024, "sfu.shift": 4 * 1024}
    assert run.energy_pj == pytest.approx(1024 * (8 * 0.382 + 5 * 2.96 + 4 * 0.382))


def test_softmax_grows_with_the_keys(flare: Load, execute: Execute) -> None:
    run = execute(
        flare().parts["sfu"], Operation("l0.s", "softmax", 0, heads=16), [np.array([16, 272])], keys=[1, 17]
    )
    # 1 and 2 cycles a pass, three passes
    assert run.times == [(3, 51), (6, 54)]
    assert run.actions["sfu.addition"] == 7 * (16 + 272)


def test_each_lane_has_its_units(flare: Load) -> None:
    components = {each.name: each for each in flare().parts["sfu"].costs.components}
    assert components.keys() == {"sfu.adder", "sfu.multiplier", "sfu.shifter"}
    adders = components["sfu.adder"]
    assert adders.area_mm2 == pytest.approx(256 * 3 * 4.1e-4)
    assert adders.leakage_mw == pytest.approx(256 * 3 * 0.0038)
    # an addition a cycle of 1 ns
    assert adders.peak_power_mw == pytest.approx(256 * 3 * 0.382)
    assert components["sfu.multiplier"].area_mm2 == pytest.approx(256 * 2 * 2.6e-3)
    narrow = {each.name: each for each in flare(f"{SFU}.inputs_per_cycle=128").parts["sfu"].costs.components}
    assert narrow["sfu.shifter"].area_mm2 == pytest.approx(components["sfu.shifter"].area_mm2 / 2)


def test_executes_every_non_linear_operation_and_no_other(flare: Load) -> None:
    sfu = flare().parts["sfu"]
    for kind, what in KINDS.items():
        assert (sfu.refuses(Operation("x", kind, 0), Precision()) == "") == (what.family == "nonlinear")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "passes.softmx=1",
            "passes names 'softmx', which is no non-linear operation (did you mean 'softmax'?)",
        ),
        ("passes.gelu=1", "work.gelu.additions is 8, and a lane does 3 a cycle: at most 3 in 1 passes"),
        ("lane.adders=2", "work.softmax.additions is 7, and a lane does 2 a cycle: at most 6 in 3 passes"),
        ("lane.adders=0", "must be at least 1, not 0"),
        ("work.gelu.additions=-1", "must be at least 0, not -1"),
    ],
)
def test_broken_yaml(flare: Load, override: str, message: str) -> None:
    with pytest.raises(HardwareError) as caught:
        flare(f"{SFU}.{override}")
    (finding,) = caught.value.findings
    assert finding.message == message


@pytest.mark.parametrize(("lacking", "has"), [("work", "passes"), ("passes", "work")])
def test_passes_and_work_go_together(flare: Load, lacking: str, has: str) -> None:
    fields = flare().model.pu.parts["sfu"].model_dump()
    fields[lacking] = {kind: value for kind, value in fields[lacking].items() if kind != "gelu"}
    with pytest.raises(ValueError, match=f"{has} has 'gelu', of which {lacking} says nothing"):
        IntegerSfuModel.model_validate(fields)
