"""The result record and its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archsim.hardware.loader import load_hardware
from archsim.pipeline import simulate
from archsim.results.read import parse_result
from archsim.results.record import Result
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parents[1] / "machines"

KEYS = [
    *("schema", "hardware", "workload", "options", "latency_ns", "throughput", "energy_pj", "area_mm2"),
    *("efficiency", "power_w", "utilisation", "utilisation_by_layer", "traffic_bytes"),
    *("mapping", "programming", "wear", "critical_path", "warnings", "assumptions"),
]


@pytest.fixture(scope="module")
def result() -> Result:
    machine = load_hardware(MACHINES / "small.yaml")
    return simulate(machine, read_trace(MACHINES / "decode.trace"), stream=False)


def test_keys_are_fixed_and_in_order(result: Result) -> None:
    content = json.loads(result.to_json())
    assert list(content) == KEYS
    assert content["schema"] == "archsim-result 2"
    assert list(content["latency_ns"]) == ["first_inference", "first_token", "per_token", "total"]
    assert list(content["energy_pj"]) == [
        *("per_inference", "static", "by_component", "by_operation", "by_layer")
    ]


def test_json_is_the_whole_record(result: Result) -> None:
    content = json.loads(result.to_json())
    # tuples become lists, and nothing else changes
    assert content == json.loads(json.dumps(result.to_dict()))
    assert result.to_json().endswith("}\n")


def test_compact_json_says_the_same(result: Result) -> None:
    compact = result.to_compact_json()
    assert parse_result(compact).to_json() == result.to_json()
    assert list(json.loads(compact)) == KEYS
    assert len(compact) < 0.7 * len(result.to_json())


def test_neither_paths_nor_the_engine_are_told(result: Result) -> None:
    machine = load_hardware(MACHINES / "small.yaml")
    trace = read_trace(MACHINES / "decode.trace")
    assert simulate(machine, trace, stream=False, engine="event").to_json() == result.to_json()
    assert "small.yaml" not in result.to_json()
