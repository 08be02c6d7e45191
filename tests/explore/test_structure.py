"""What points share: graphs whose machines differ in costs, runs whose graphs differ in counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archsim
from archsim.cost.entry import Cost, Section
from archsim.errors import MappingError
from archsim.explore.structure import Timing, structure
from archsim.hardware.machine import HardwareModel, Machine, build_machine
from archsim.pipeline import prepare
from archsim.task_graph import GraphBuilder, TaskGraph
from archsim.workload.operations import Trace

MACHINES = sorted((Path(archsim.__file__).parents[1] / "hwconfigs").glob("*.yaml"))


class Untouchable:
    """In the place of a cost: whoever asks it anything fails."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} of a cost was asked for")


def without_costs(value: Any) -> Any:
    """A section in which nothing can be read off a cost."""
    if isinstance(value, Cost):
        return Untouchable()
    if isinstance(value, Section):
        fields = {name: without_costs(getattr(value, name)) for name in type(value).model_fields}
        return value.model_copy(update=fields)
    if isinstance(value, dict):
        return {name: without_costs(inner) for name, inner in value.items()}
    return value


@pytest.mark.parametrize("file", MACHINES, ids=lambda file: file.stem)
def test_a_graph_does_not_depend_on_costs(file: Path, small: Trace) -> None:
    machine = archsim.load_hardware(file)
    model = without_costs(machine.model)
    assert isinstance(model, HardwareModel)
    free = build_machine(model, machine.file)
    try:
        plan, graph = prepare(machine, small)
    except MappingError:
        with pytest.raises(MappingError):
            prepare(free, small)
        return
    other, same = prepare(free, small)
    assert Timing(graph) == Timing(same)
    assert plan == other
    assert [str(block) for block in graph.actions] == [str(block) for block in same.actions]


def changed(preset: str, **settings: Any) -> Machine:
    return archsim.load_hardware(preset, {path.replace("__", "."): value for path, value in settings.items()})


@pytest.mark.parametrize(
    "settings",
    [
        {"pu__parts__analog__adc__cost__active_power_mw": 100},
        {"chip__global_bus__cost__energy_pj": 1},
        {"pu__parts__sfu__cost__area_mm2": 1, "pu__bus__cost__leakage_mw": 3},
        {"pu__parts__analog__sources": {}},
    ],
)
def test_costs_and_sources_are_no_structure(preset: str, settings: dict[str, Any]) -> None:
    assert structure(changed(preset).model) == structure(changed(preset, **settings).model)


@pytest.mark.parametrize(
    "settings",
    [
        {"pu__parts__analog__array__rows": 128},
        {"pu__parts__analog__cell__bits": 3},
        {"system__clock_ghz": 2},
        {"mapping__slc_rate": 0.1},
        {"chip__global_bus__latency_ns": 11},
        {"pu__parts__sfu__passes__softmax": 2},
    ],
)
def test_everything_else_is(preset: str, settings: dict[str, Any]) -> None:
    assert structure(changed(preset).model) != structure(changed(preset, **settings).model)


def test_a_timing_is_all_but_the_counts(preset: str, small: Trace) -> None:
    """Whole copies: SLC and MLC take the same cycles and other actions; a slower read takes other cycles."""
    whole = {"mapping__replication": "none"}
    graphs = [
        prepare(changed(preset, **whole, **settings), small)[1]
        for settings in ({}, {"mapping__slc_rate": 1}, {"pu__parts__analog__array__read_ns": 101})
    ]
    first, slc, slower = map(Timing, graphs)
    assert first == slc != slower
    assert {first: "known"}.get(slc) == "known"
    assert slower not in {first: "known"}
    assert [block.total for block in graphs[0].actions] != [block.total for block in graphs[1].actions]


def two_tokens() -> TaskGraph:
    """Two tokens go over a bus to two copies of an array, through a buffer for one."""
    graph = GraphBuilder()
    tokens = np.arange(2)
    graph.begin_operation("l0.q", 0)
    moved = graph.add(graph.resource("bus", "bus"), 1, 2, tokens)
    used = graph.add(graph.resource("array", "analog", copies=2), 3, 4, tokens, [moved], {"analog.read": 1.0})
    graph.ring(used, moved, 1, from_start=True)
    return graph.build()


TIMED = ("resource", "turn", "occupancy", "latency", "operation", "token", "pu", "turns")


@pytest.mark.parametrize("name", TIMED)
def test_every_column_belongs_to_the_timing(name: str) -> None:
    graph = two_tokens()
    column = getattr(graph, name).copy()
    column[-1] += 1
    assert Timing(graph) == Timing(two_tokens())
    assert Timing(graph) != Timing(replace(graph, **{name: column}))


@pytest.mark.parametrize("edges", ["on_finish", "on_start"])
@pytest.mark.parametrize("name", ["first", "target", "distance"])
def test_every_edge_belongs_to_the_timing(edges: str, name: str) -> None:
    graph = two_tokens()
    column = getattr(getattr(graph, edges), name).copy()
    column[0] += 1
    other = replace(graph, **{edges: replace(getattr(graph, edges), **{name: column})})
    assert Timing(graph) != Timing(other)


def test_names_belong_to_the_timing_and_counts_do_not() -> None:
    graph = two_tokens()
    resources = tuple(each._replace(servers=2) for each in graph.resources)
    assert Timing(graph) != Timing(replace(graph, resources=resources))
    assert Timing(graph) != Timing(replace(graph, operations=("", *graph.operations[1:])))
    assert Timing(graph) != Timing(replace(graph, layers=(7, *graph.layers[1:])))
    assert Timing(graph) == Timing(replace(graph, actions=()))
    assert Timing(graph) != graph
