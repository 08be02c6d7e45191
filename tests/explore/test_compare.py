"""Several machines on the same traces: ratios, what makes the differences, what cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest

import archsim
from archsim.results.comparison import BREAKDOWNS, MEASURES, Entry, differences, ratios, to_rows

PRESET = "hwconfigs/hyflexpim.yaml"


@pytest.fixture(scope="module")
def entries(root: Path) -> tuple[Entry, ...]:
    hardware = root / PRESET
    machines = {
        "preset": archsim.load_hardware(hardware),
        "all SLC": archsim.load_hardware(hardware, {"mapping.slc_rate": 1.0, "mapping.svd": "none"}),
        "small": archsim.load_hardware(hardware, {"chip.pus": 1}),
    }
    traces = {"bert": archsim.load_trace(root / "workloads/bert_base.trace")}
    return archsim.compare(machines, traces, stream=False)


def test_each_machine_runs_each_trace_in_order(entries: tuple[Entry, ...]) -> None:
    assert [(entry.machine, entry.workload) for entry in entries] == [
        ("preset", "bert"),
        ("all SLC", "bert"),
        ("small", "bert"),
    ]


def test_the_numbers_are_those_of_simulate(entries: tuple[Entry, ...], root: Path) -> None:
    alone = archsim.simulate(
        archsim.load_hardware(root / PRESET),
        archsim.load_trace(root / "workloads/bert_base.trace"),
        stream=False,
    )
    assert entries[0].result == alone
    assert entries[0].measures()["energy_pj"] == alone.energy_pj["per_inference"]


def test_ratios_are_to_the_first(entries: tuple[Entry, ...]) -> None:
    own, base = entries[1].measures(), entries[0].measures()
    assert set(ratios(entries[0], entries[0]).values()) == {1.0}
    for name, ratio in ratios(entries[1], entries[0]).items():
        assert ratio == own[name] / base[name]  # type: ignore[operator]


def test_differences_add_up_and_come_largest_first(entries: tuple[Entry, ...]) -> None:
    found = differences(entries[1], entries[0], top=10**6)
    assert tuple(found) == BREAKDOWNS
    energy = found["energy_pj"]
    shares = [one.share for one in energy]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    own, base = entries[1].measures()["energy_pj"], entries[0].measures()["energy_pj"]
    assert sum(one.other - one.first for one in energy) == pytest.approx(own - base)  # type: ignore[operator]
    # all SLC needs as many chips as before: no area differs
    assert found["area_mm2"] == ()


def test_what_cannot_run_says_why(entries: tuple[Entry, ...]) -> None:
    assert entries[2].result is None
    assert "12 layers at 3 a PU need 4 PUs, the machine has 1: 3 short" in entries[2].reasons[0]
    assert set(entries[2].measures().values()) == {None}
    assert differences(entries[2], entries[0]) == {}


def test_rows_have_numbers_and_ratios(entries: tuple[Entry, ...]) -> None:
    rows = to_rows(entries)
    assert list(rows[0]) == [
        *("machine", "workload", *MEASURES, *(f"{name}_ratio" for name in MEASURES), "reason")
    ]
    assert rows[0]["tops_ratio"] == 1.0
    assert rows[2]["tops"] is None
