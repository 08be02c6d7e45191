"""How much a result hangs on each assumption."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import archsim
from archsim.explore.elasticity import Elasticity, elasticities
from archsim.explore.subject import read_subject

PRESET = "hwconfigs/hyflexpim.yaml"
TRACE = "workloads/minilm.trace"


@pytest.fixture(scope="module")
def found(root: Path) -> dict[str, Elasticity]:
    subject = read_subject(root / PRESET, root / TRACE, stream=False)
    return {each.assumption.path: each for each in elasticities(subject, {})}


def test_every_assumption_is_there_the_strongest_first(found: dict[str, Elasticity], root: Path) -> None:
    machine = archsim.load_hardware(root / PRESET)
    assert set(found) == {each.path for each in machine.assumptions()}
    sizes = [each.largest for each in found.values()]
    assert sizes == sorted(sizes, reverse=True)


def test_a_cost_has_the_elasticity_of_its_share(found: dict[str, Elasticity], root: Path) -> None:
    # with a share s of the energy, a cost that is 1.1 times as large makes the whole 1 + 0.1 s times as large
    result = archsim.simulate(
        archsim.load_hardware(root / PRESET), archsim.load_trace(root / TRACE), stream=False
    )
    share = result.energy_pj["by_component"]["bus"] / result.energy_pj["per_inference"]
    values = found["pu.bus.cost"].values
    assert values["energy_pj"] == pytest.approx(math.log(1 + 0.1 * share) / math.log(1.1))
    assert values["latency_ns"] == 0


def test_a_whole_number_moves_by_one_at_least(found: dict[str, Elasticity]) -> None:
    # 7 bits become 8: a conversion of fewer bits costs half of what it did, and nothing takes longer
    values = found["pu.parts.analog.adc.reference_bits"].values
    assert values["energy_pj"] < -0.4
    assert values["latency_ns"] == 0


def test_what_is_no_number_says_so(found: dict[str, Elasticity]) -> None:
    each = found["mapping.embedding"]
    assert (dict(each.values), each.reason) == ({}, "there is no number other than zero")


def test_settings_count(root: Path) -> None:
    # a bus of a tenth of the bandwidth makes the transfers, and so the latency, hang on it
    subject = read_subject(root / PRESET, root / TRACE, stream=False)
    path = "pu.bus.bandwidth_gb_per_s"
    slow = {each.assumption.path: each for each in elasticities(subject, {path: 10.0})}
    assert slow[path].values["latency_ns"] < -0.1
