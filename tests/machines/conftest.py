"""Timetables of small machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim.event_engine import run_event
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parent

Times = dict[tuple[str, str], list[tuple[int, int]]]


@pytest.fixture
def timetable() -> Callable[..., tuple[Times, int]]:
    """(start, finish) of the tasks of each operation on each resource, in program order; and the end."""

    def run(hardware: str, trace: str, *overrides: str) -> tuple[Times, int]:
        machine = load_hardware(MACHINES / hardware, overrides)
        workload = read_trace(MACHINES / trace)
        graph = lower(machine, workload, map_trace(machine, workload))
        played = run_event(graph)
        times: Times = {}
        for task, resource in enumerate(graph.resource):
            if resource >= 0:
                key = graph.operations[graph.operation[task]], graph.resources[resource].name
                times.setdefault(key, []).append((int(played.start[0, task]), int(played.finish[0, task])))
        return times, int(played.start[0, graph.exit])

    return run
