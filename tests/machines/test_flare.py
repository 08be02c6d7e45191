"""The FLARE preset: what it runs, what its ideas change, and what is wrong with a broken one."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from archsim import generate_trace
from archsim.cli.main import main
from archsim.crossbar.activity import ActivityRecorder
from archsim.crossbar.program import Crossbar
from archsim.errors import HardwareError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.schedule.lower import lower
from archsim.sim.event_engine import EventEngine
from archsim.sim.fast_engine import FastEngine
from archsim.workload.operations import Trace
from archsim.workload.trace import read_trace

Load = Callable[..., Machine]

ANALOG = "pu.parts.analog"
ARRAY = f"{ANALOG}.array"
ADC = f"{ANALOG}.adc"
SMALL_MODELS = ("bert_base", "deit_small", "minilm", "vit_base")


@pytest.fixture(scope="module")
def flare(root: Path) -> Load:
    return cache(lambda *overrides: load_hardware(root / "hwconfigs/flare.yaml", overrides))


@pytest.fixture(scope="module")
def encoder() -> Trace:
    return generate_trace("minilm", tokens=4, head=False)


def test_it_is_described(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(root / "hwconfigs/flare.yaml")]) == 0
    shown = capsys.readouterr().out
    assert "wordlines an access       15" in shown
    assert "stated: 19.0% ones (2.3% to 25.0%, by bit-plane)" in shown


def test_all_of_its_sizes_are_assumptions(flare: Load) -> None:
    about = {each.path for each in flare().assumptions()}
    assert {f"{ARRAY}.wordlines_per_access", f"{ADC}.bits.slc", f"{ANALOG}.activity.ones"} <= about


@pytest.mark.parametrize("name", ["bert_large", "gpt2", "gpt2_decode", *SMALL_MODELS])
def test_it_holds(root: Path, flare: Load, name: str) -> None:
    plan = map_trace(flare(), read_trace(root / f"workloads/{name}.trace"))
    assert plan.chips_used == 1
    # accesses are limited to what the converters hold
    assert not any("lose precision" in text for text in plan.warnings)


def test_what_it_does_not_hold(root: Path, flare: Load) -> None:
    trace = read_trace(root / "workloads/llama3_2_1b.trace")
    with pytest.raises(MappingError) as caught:
        map_trace(flare(), trace)
    assert str(caught.value).partition("flare.yaml: ")[2] == (
        "system.chips: 16 layers at 6 PUs each need 96 PUs, the machine has 24: 72 short (on 5 PUs, l0 needs "
        "12480 arrays of 'analog', a PU has 12288: 192 short); the smallest system.chips that would do is 4, "
        "not 1"
    )
    assert map_trace(flare("system.chips=4"), trace).chips_used == 4


@pytest.mark.parametrize("mode", ["expected", "sampled"])
@pytest.mark.parametrize("detail", ["module", "array"])
def test_both_engines_agree(flare: Load, encoder: Trace, mode: str, detail: str) -> None:
    machine = flare(f"{ANALOG}.activity.mode={mode}")
    graph = lower(machine, encoder, map_trace(machine, encoder), detail)  # type: ignore[arg-type]
    runs = [engine(graph, inferences=3, in_flight=2) for engine in (EventEngine, FastEngine)]
    for run in runs:
        run.advance()
    ours, theirs = (run.result() for run in runs)
    assert np.array_equal(ours.start, theirs.start)
    assert np.array_equal(ours.finish, theirs.finish)


def test_expected_and_sampled_cycles_agree(flare: Load) -> None:
    # 200 tokens, one PU a layer: the slowest stage is that of the most accesses
    trace = generate_trace("minilm", tokens=200, head=False)
    expected, sampled = (
        simulate(flare(f"{ANALOG}.activity.mode={mode}", "mapping.tensor_parallel=1"), trace, stream=True)
        for mode in ("expected", "sampled")
    )
    a, b = (result.throughput["interval_ns"] for result in (expected, sampled))
    assert abs(a - b) / a < 0.02
    adc = [each.energy_pj["by_component"]["analog.adc"] for each in (expected, sampled)]
    assert adc[0] == pytest.approx(adc[1], rel=1e-12)  # equal layers are one product, others a sum


def test_the_stated_ones_are_those_of_normal_activations(flare: Load) -> None:
    # values 0 to 127 of round(n 127 / 4), halves of a normal distribution; bit b of the positive ones
    def below(value: float) -> float:
        return 0.5 * (1 + math.erf((value - 0.5) / (127 / 4) / math.sqrt(2)))

    chance = [below(value + 1 if value < 127 else math.inf) - below(value) for value in range(128)]
    of_bits = [sum(chance[value] for value in range(128) if value >> bit & 1) for bit in range(7)]
    stated = flare().model.pu.parts["analog"].activity.ones  # type: ignore[attr-defined]
    assert stated == pytest.approx(of_bits * 2, abs=0.0006)


def test_the_stated_ones_are_those_of_a_measurement(flare: Load) -> None:
    crossbar = Crossbar.of(flare())
    inputs = np.clip(np.rint(np.random.default_rng(0).normal(0, 127 / 4, (400, 256))), -127, 127).astype(int)
    recorder = ActivityRecorder()
    recorder.record("all", crossbar.program(np.ones((256, 1), dtype=int)), inputs)
    shares = recorder.measured().operations["all"].shares
    stated = flare().model.pu.parts["analog"].activity.ones  # type: ignore[attr-defined]
    assert shares == pytest.approx(np.array(stated), abs=0.005)


def test_sparser_inputs_are_faster_and_take_less(flare: Load, encoder: Trace) -> None:
    dense, sparse = (simulate(flare(f"{ANALOG}.activity.ones={ones}"), encoder) for ones in (0.5, 0.05))
    assert sparse.latency_ns["total"] < 0.7 * dense.latency_ns["total"]
    for component in ("analog.adc", "analog.wordline_driver", "analog.array"):
        assert sparse.energy_pj["by_component"][component] < dense.energy_pj["by_component"][component]


def test_more_wordlines_an_access_are_faster_and_need_a_finer_adc(flare: Load, encoder: Trace) -> None:
    few, many = (simulate(flare(f"{ARRAY}.wordlines_per_access={n}"), encoder) for n in (7, 31))
    assert many.latency_ns["total"] < few.latency_ns["total"]
    assert not any("lose precision" in text for text in few.warnings)
    assert (
        "analog: 31 wordlines an access of 1-bit cells give 32 levels, an ADC of 4 b in SLC mode has 16 "
        "codes: results lose precision; 5 b would do" in many.warnings
    )


def test_the_law_of_the_adc_is_one_override_away(flare: Load) -> None:
    def conversion(*overrides: str) -> float:
        (charge,) = flare(*overrides).parts["analog"].costs.actions["analog.adc.slc"]
        return charge.energy_pj

    # 0.78125 pJ at 7 bits; 0.79 / 1.42 of it by the table, an eighth by doubling
    assert conversion() == pytest.approx(0.78125 * 0.79 / 1.42)
    assert conversion(f"{ADC}.energy_law=doubling") == pytest.approx(0.78125 / 8)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (f"{ARRAY}.wordlines_per_access=0", "must be at least 1, not 0"),
        (f"{ARRAY}.wordlines_per_access=all", "must be a whole number, not the text 'all'"),
        (f"{ARRAY}.lockstep=vektor", "must be 'plane' or 'vector', not 'vektor' (did you mean 'vector'?)"),
        (f"{ANALOG}.activity.ones=1.5", "must be at most 1, not 1.5"),
        (f"{ANALOG}.activity.ones=[0.5, -1]", "must be at least 0, not -1"),
        (f"{ANALOG}.activity.reference_ones=0", "must be greater than 0, not 0"),
        (f"{ANALOG}.activity.mode=mean", "must be 'expected' or 'sampled', not 'mean'"),
        (f"{ANALOG}.activity.one=1", "unknown key 'one' of pu.parts.analog.activity (did you mean 'ones'?); "
         "allowed: ones, reference_ones, mode, seed, sources"),
        (f"{ADC}.bits.slc=3", "bits.slc is 3, which energy_table does not have (it has: 4, 5, 6, 7, 8)"),
        (f"{ADC}.energy_table.bits=[4, 5]", "has 2 bits and 5 values; each has one of the other"),
        (f"{ADC}.area_law=table", "area_law is table, and there is no area_table"),
        (f"{ADC}.energy_law=linear", "must be 'doubling' or 'table', not 'linear'"),
    ],
)  # fmt: skip
def test_broken_yaml(flare: Load, override: str, message: str) -> None:
    with pytest.raises(HardwareError) as caught:
        flare(override)
    assert [finding.message for finding in caught.value.findings] == [message]


def test_a_list_of_other_planes_is_refused(flare: Load, encoder: Trace) -> None:
    with pytest.raises(MappingError, match=r"activity\.ones lists 2 planes, an input takes 14 reads"):
        map_trace(flare(f"{ANALOG}.activity.ones=[0.5, 0.1]"), encoder)
