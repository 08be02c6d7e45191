"""Energy: action counts of a task graph times what each action charges; and power over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.task_graph import TaskGraph

STATIC = "static"
"""The row of each breakdown that leakage stands in."""

OUTSIDE = "outside"
"""The row of the breakdown by layer for operations that belong to none."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One inference's energy in pJ, by three keys; each table sums to the whole."""

    by_component: dict[str, float]
    by_operation: dict[str, float]
    by_layer: dict[str, float]

    @property
    def total(self) -> float:
        """The whole energy."""
        return sum(self.by_component.values())

    def with_static(self, energy_pj: float) -> Breakdown:
        """The same with leakage as a row of each table."""
        return Breakdown(
            self.by_component | {STATIC: energy_pj},
            self.by_operation | {STATIC: energy_pj},
            self.by_layer | {STATIC: energy_pj},
        )


def action_counts(graph: TaskGraph) -> dict[str, float]:
    """How often one inference does each action."""
    counts: dict[str, float] = {}
    for block in graph.actions:
        counts[block.action] = counts.get(block.action, 0.0) + block.total
    return counts


def dynamic_energy(graph: TaskGraph, charges: Mapping[str, tuple[Charge, ...]]) -> Breakdown:
    """The energy of all actions of one inference."""
    component: dict[str, float] = {}
    operation: dict[str, float] = {}
    layer: dict[str, float] = {}
    for block in graph.actions:
        total = block.total
        index = int(graph.operation[block.first])
        name, number = operation_name(graph, index), graph.layers[index]
        row = OUTSIDE if number < 0 else f"l{number}"
        for charge in charges[block.action]:
            energy = total * charge.energy_pj
            component[charge.component] = component.get(charge.component, 0.0) + energy
            operation[name] = operation.get(name, 0.0) + energy
            layer[row] = layer.get(row, 0.0) + energy
    return Breakdown(component, operation, layer)


def operation_name(graph: TaskGraph, operation: int) -> str:
    """An operation's name without the layer that it is in: ``q`` for ``l3.q``."""
    return graph.operations[operation].removeprefix(f"l{graph.layers[operation]}.")


def task_energy(graph: TaskGraph, charges: Mapping[str, tuple[Charge, ...]]) -> NDArray[np.float64]:
    """(tasks,) energy of each task in pJ."""
    energy = np.zeros(len(graph))
    for block in graph.actions:
        each = sum(charge.energy_pj for charge in charges[block.action])
        energy[block.first : block.first + block.tasks] += each * block.count
    return energy


def peak_power_mw(
    energy: NDArray[np.float64],
    start: NDArray[np.int64],
    occupancy: NDArray[np.int32],
    period_cycles: float,
    window_cycles: float,
    clock_ghz: float,
) -> float:
    """The largest mean dynamic power in any window of a stream that repeats every ``period_cycles``.

    Args: energy: (tasks,) pJ, spent evenly while a task holds its resource; start: (tasks,) of one
        inference in the settled stream. Its schedule is folded onto one period.
    """
    time, spent = _folded_energy(energy, start, occupancy, period_cycles)
    whole, part = divmod(window_cycles, period_cycles)
    # power is constant in between: the fullest window begins or ends where it changes
    begin = np.concatenate([time, (time - part) % period_cycles])
    time, total = np.concatenate([time, time + period_cycles]), np.concatenate([spent, spent + spent[-1]])
    inside = np.interp(begin + part, time, total) - np.interp(begin, time, total)
    return float((whole * spent[-1] + inside.max()) / (window_cycles / clock_ghz))


def _folded_energy(
    energy: NDArray[np.float64], start: NDArray[np.int64], occupancy: NDArray[np.int32], period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Instants of one period at which the power changes, 0 and the end included, and the energy until then.

    At the phase x, a task from b to e runs in floor(e / period) - floor(b / period) inferences, one more
    from the phase of b on, one less from that of e on.
    """
    spending = energy > 0
    begin = start[spending].astype(np.float64)
    duration = np.maximum(occupancy[spending], 1)
    power = energy[spending] / duration
    (first, begins), (last, ends) = np.divmod(begin, period), np.divmod(begin + duration, period)
    order = np.argsort(np.concatenate([begins, ends]), kind="stable")
    time = np.concatenate([[0.0], np.concatenate([begins, ends])[order], [period]])
    change = np.concatenate([[power @ (last - first)], np.concatenate([power, -power])[order]])
    spent = np.concatenate([[0.0], np.cumsum(np.cumsum(change) * np.diff(time))])
    return time, spent
