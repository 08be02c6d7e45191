"""Energy tables and power over time, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archsim.results.energy as energy_module
from archsim.cost.entry import Charge
from archsim.graph_blocks import ActionCount
from archsim.results.energy import (
    action_counts,
    dynamic_energy,
    layer_names,
    operation_name,
    operation_names,
    peak_power_mw,
    task_energy,
)
from archsim.task_graph import Alike, GraphBuilder, TaskGraph

CHARGES = {
    "alu.add": (Charge("alu.adder", 2.0), Charge("alu.register", 0.5)),
    "bus.bit": (Charge("bus", 0.1),),
    "alu.wear": (),
}


def graph_of_three_operations() -> TaskGraph:
    """Two tokens: l0.add (3 and 5 additions), l1.add (4 each), out (10 bits each)."""
    graph = GraphBuilder()
    tokens = np.arange(2)
    graph.begin_operation("l0.add", 0)
    alu = graph.resource("alu", "alu")
    first = graph.add(alu, 1, 1, tokens, (), {"alu.add": np.array([3, 5]), "alu.wear": 7.0})
    graph.begin_operation("l1.add", 1)
    second = graph.add(alu, 1, 1, tokens, [first], {"alu.add": 4.0})
    graph.begin_operation("out", None)
    graph.add(graph.resource("bus", "bus"), 1, 1, tokens, [second], {"bus.bit": 10.0})
    return graph.build()


def test_counts_are_summed_over_tasks() -> None:
    assert action_counts(graph_of_three_operations()) == {"alu.add": 16.0, "alu.wear": 14.0, "bus.bit": 20.0}


def test_each_table_sums_to_the_whole() -> None:
    graph = graph_of_three_operations()
    energy = dynamic_energy(graph, action_counts(graph), CHARGES)
    # 16 additions of 2 + 0.5 pJ, 20 bits of 0.1 pJ
    assert energy.by_component == pytest.approx({"alu.adder": 32.0, "alu.register": 8.0, "bus": 2.0})
    # `add` of both layers together
    assert energy.by_operation == pytest.approx({"add": 40.0, "out": 2.0})
    assert energy.by_layer == pytest.approx({"l0": 20.0, "l1": 20.0, "outside": 2.0})
    assert energy.total == pytest.approx(42.0)
    with_static = energy.with_static(8.0)
    assert with_static.total == pytest.approx(50.0)
    for table in (with_static.by_component, with_static.by_operation, with_static.by_layer):
        assert table["static"] == 8.0
        assert sum(table.values()) == pytest.approx(50.0)
    # entry, four additions, two transfers, exit
    assert task_energy(graph, CHARGES) == pytest.approx([0, 7.5, 12.5, 10, 10, 1, 1, 0])


def test_operations_are_named_without_their_layer() -> None:
    graph = graph_of_three_operations()
    names = [operation_name(graph, number) for number in range(len(graph.operations))]
    assert names == ["entry", "add", "add", "out", "exit"]
    assert operation_names(graph) == tuple(names)
    assert layer_names(graph) == ("outside", "l0", "l1", "outside", "outside")


def peak(tasks: list[tuple[int, int, float]], period: float, window: float, clock_ghz: float = 1.0) -> float:
    """Of (start, occupancy, energy) tasks."""
    start, occupancy, energy = (np.array(column) for column in zip(*tasks, strict=True))
    return peak_power_mw(energy.astype(float), start, occupancy.astype(np.int32), period, window, clock_ghz)


@pytest.mark.parametrize(
    ("tasks", "period", "window", "expected"),
    [
        # 8 pJ in 4 ns
        ([(0, 4, 8.0)], 100, 4, 2.0),
        ([(0, 4, 8.0)], 100, 8, 1.0),
        # the fullest 4 cycles are 3 to 7: 1 of 2 pJ, then 3 of 2 + 3 pJ ... of the second alone
        ([(0, 4, 8.0), (4, 2, 6.0)], 100, 2, 3.0),
        # the window of 3 takes both cycles of 3 pJ and one of 2 pJ
        ([(0, 4, 8.0), (4, 2, 6.0)], 100, 3, (3 + 3 + 2) / 3),
        # inferences overlap: at a period of 4, cycles 0 and 1 are also cycles 4 and 5 of the one before
        ([(0, 4, 8.0), (4, 2, 6.0)], 4, 2, 5.0),
        # a window longer than the period: 14 pJ every 4 cycles, and the two fullest cycles of 10
        ([(0, 4, 8.0), (4, 2, 6.0)], 4, 10, (2 * 14 + 10) / 10),
        # a task longer than the period runs beside itself: 2 pJ a cycle, two or three at a time
        ([(0, 10, 20.0)], 4, 2, 6.0),
        # and one that wraps around the period
        ([(3, 2, 4.0)], 4, 2, 2.0),
        # it does not matter when the inference began
        ([(1003, 2, 4.0)], 4, 2, 2.0),
        ([(0, 4, 0.0)], 100, 4, 0.0),
    ],
)
def test_peak_power(
    tasks: list[tuple[int, int, float]], period: float, window: float, expected: float
) -> None:
    assert peak(tasks, period, window) == pytest.approx(expected)


def test_peak_power_counts_nanoseconds() -> None:
    # 8 pJ in 4 cycles of 0.5 ns
    assert peak([(0, 4, 8.0)], 100, 4, clock_ghz=2.0) == pytest.approx(4.0)


task = st.tuples(st.integers(0, 50), st.integers(0, 30), st.integers(0, 9))


@given(st.lists(task, min_size=1, max_size=8), st.integers(1, 40), st.integers(1, 60))
def test_peak_power_is_that_of_the_fullest_window(
    tasks: list[tuple[int, int, float]], period: int, window: int
) -> None:
    """Cycle by cycle: energies of tasks fold onto the period."""
    power = np.zeros(period)
    for start, occupancy, energy in tasks:
        for cycle in range(start, start + max(occupancy, 1)):
            power[cycle % period] += energy / max(occupancy, 1)
    windows = [sum(power[(begin + cycle) % period] for cycle in range(window)) for begin in range(period)]
    assert peak(tasks, period, window) == pytest.approx(max(windows) / window, abs=1e-9)


many = st.lists(
    st.tuples(st.integers(-300, 300), st.integers(0, 90), st.floats(0, 1e6)), min_size=10, max_size=40
)


@given(many, st.integers(1, 40), st.integers(1, 200))
def test_cycle_by_cycle_and_from_change_to_change_are_the_same(
    tasks: list[tuple[int, int, float]], period: int, window: int
) -> None:
    """The way for whole cycles and the general one, with starts before cycle 0, too, as streams have."""
    start, occupancy, energy = (np.array(column) for column in zip(*tasks, strict=True))
    part = window % period
    changes = energy_module._changes_by_cycle(energy, start, occupancy.astype(np.int32), period)
    time, spent = energy_module._folded_energy(energy, start, occupancy.astype(np.int32), float(period))
    whole = energy.sum()
    assert spent[-1] == pytest.approx(whole, rel=1e-12)
    assert np.cumsum(np.cumsum(changes)) == pytest.approx(
        np.interp(np.arange(1, period + 1), time, spent), rel=1e-12, abs=1e-12 * whole
    )
    fullest = energy_module._fullest_cycles(changes, part)
    general = energy_module._fullest_window(time, spent, slice(None), float(part))
    assert fullest == pytest.approx(general, rel=1e-12, abs=1e-12 * whole)


@given(many, st.integers(1, 40))
def test_compiled_and_plain_folding_are_the_same_to_the_last_digit(
    tasks: list[tuple[int, int, float]], period: int
) -> None:
    start, occupancy, energy = (np.array(column) for column in zip(*tasks, strict=True))
    length = np.maximum(occupancy, 1)
    power, end = energy / length, start + length
    change = np.bincount(start % period, power, period) - np.bincount(end % period, power, period)
    change[0] += ((end // period - start // period) * power).sum()
    changes = energy_module._changes_by_cycle(energy, start, occupancy.astype(np.int32), period)
    assert changes.tolist() == change.tolist()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.data())
def test_compiled_and_plain_windows_are_the_same_to_the_last_digit(
    power: list[float], data: st.DataObject
) -> None:
    """In rows of as many cycles, a window is the rest of a row and the begin of the next one."""
    part = data.draw(st.integers(1, len(power)))
    changes = np.diff(power, prepend=0.0)
    rows = 1 + -(-len(power) // part)
    until = np.cumsum(np.resize(np.cumsum(changes), (rows, part)), axis=1)
    windows = until[:-1, -1:] - until[:-1] + until[1:]
    assert energy_module._fullest_cycles(changes, part) == max(windows.max(), 0.0)


@given(many, st.integers(1, 200))
def test_marks_put_the_tasks_of_one_period_in_the_order_that_sorting_gives(
    tasks: list[tuple[int, int, float]], window: int
) -> None:
    start, occupancy, energy = (np.array(column) for column in zip(*tasks, strict=True))
    begin, length = start - start.min(), np.maximum(occupancy, 1)
    end, power = begin + length, energy / length
    period = float(end.max() + 1)
    marked, power_from = energy_module._marked(begin, end, power)
    time, folded = energy_module._folded(begin, end, power, period)
    # an instant at which several tasks begin or end is there once, with the power after all of them
    last = np.flatnonzero(np.diff(time, append=period))
    assert marked.tolist() == time[last].tolist()
    assert power_from == pytest.approx(folded[last], rel=1e-12, abs=1e-12 * power.sum())


def test_the_marks_of_a_sparse_inference_would_take_longer_than_sorting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two tasks of 1 pJ a cycle, side by side in cycles 1000 and 1001: 2 pJ in each of these."""
    monkeypatch.delattr(energy_module, "_marked")
    assert peak([(0, 2, 0.0), (1000, 2, 2.0), (1000, 3, 3.0)], 2000, 2) == pytest.approx(2.0)


@pytest.mark.parametrize(("period", "window"), [(12.5, 4.0), (12.0, 3.5), (1000.0, 4.0)])
def test_fractions_of_cycles_and_long_periods_are_looked_at_from_change_to_change(
    period: float, window: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks of 2 and 3 pJ a cycle run side by side in cycles 2 to 5: 5 pJ in each cycle of the window."""
    monkeypatch.delattr(energy_module, "_changes_by_cycle")
    tasks = [(0, 6, 12.0), (2, 4, 12.0), (0, 1, 0.0)]
    assert peak(tasks, period, window) == pytest.approx(5.0)


def test_prices_of_several_actions_of_a_task_add_up_in_the_order_in_which_they_were_counted() -> None:
    graph = GraphBuilder()
    resource = graph.resource("alu", "alu")
    counts = {"alu.add": np.array([1, 2]), "bus.bit": 3.0}
    graph.add(resource, 1, 1, np.arange(2), (), counts)
    graph.add(resource, 1, 1, np.arange(2), (), {"bus.bit": 1.0})
    # entry; 2.5 + 3 * 0.1 and 5 + 3 * 0.1; twice 0.1; exit
    each = task_energy(graph.build(), CHARGES)
    assert each.tolist() == [0, 2.5 + 3 * 0.1, 5 + 3 * 0.1, 0.1, 0.1, 0]


@given(
    st.lists(st.floats(0, 1e12) | st.integers(0, 3).map(float), max_size=50),
)
def test_digit_by_digit_is_the_order_that_comparing_gives(values: list[float]) -> None:
    numbers = np.array(values, dtype=np.float64) + 0.0  # no -0.0, whose bits are larger than all
    assert energy_module._stable_order(numbers).tolist() == np.argsort(numbers, kind="stable").tolist()


def test_the_copies_of_a_count_are_priced_like_the_count() -> None:
    """Three copies of two tasks, as of three equal layers that follow on tasks which are alike."""
    graph = graph_of_three_operations()
    # tasks 1 and 2 are l0.add's, 3 and 4 l1.add's, 5 and 6 out's; 7 is the exit
    counts = (ActionCount(1, 2, "alu.add", np.array([1.0, 2.0]), copies=3, stride=2),)
    copied = replace(graph, actions=counts, alike=(Alike(-1, 2, 4),))
    # 2.5 pJ an addition
    assert task_energy(copied, CHARGES).tolist() == [0, 2.5, 5, 2.5, 5, 2.5, 5, 0]
    energy = dynamic_energy(copied, action_counts(copied), CHARGES)
    assert energy.by_component == {"alu.adder": 18.0, "alu.register": 4.5}
    # a copy's energy is that of the operation of its first task: add twice, and out
    assert energy.by_operation == {"add": 15.0, "out": 7.5}
