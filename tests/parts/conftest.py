"""The preset and its variations, and a bench on which one part runs one operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.part import Held, Part, Region, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, Place, TaskGraph
from archsim.workload.operations import Operation, Precision


@pytest.fixture(scope="session")
def load(root: Path) -> Callable[..., Machine]:
    """The preset, with values replaced: ``load("pu.parts.analog.arrays=256")``."""
    return cache(lambda *overrides: load_hardware(root / "hwconfigs/hyflexpim.yaml", overrides))


@pytest.fixture(scope="session")
def matrix() -> Callable[..., Stored]:
    return _matrix


def _matrix(*regions: tuple[str, int, int], bits: int = 8, name: str = "l0.q") -> Stored:
    """Regions (mode, rows, columns): one below the other if they are equally wide, else side by side."""
    rows, columns = [rows for _, rows, _ in regions], [columns for _, _, columns in regions]
    below = len(set(columns)) == 1
    size = (sum(rows), columns[0]) if below else (rows[0], sum(columns))
    return Stored(name, *size, bits, tuple(Region(*region) for region in regions))


@dataclass(frozen=True)
class Run:
    """What a part wrote into a graph.

    Args: inputs: the tasks that bring each operand.
    """

    part: Part
    value: Value
    graph: TaskGraph
    inputs: list[Any]

    @property
    def times(self) -> list[tuple[int, int]]:
        """Occupancy and latency of each token's task."""
        return [(int(self.graph.occupancy[task]), int(self.graph.latency[task])) for task in self.value.ready]

    @property
    def actions(self) -> dict[str, float]:
        """How often each action is done."""
        counts: dict[str, float] = {}
        for block in self.graph.actions:
            counts[block.action] = counts.get(block.action, 0.0) + block.total
        return counts

    @property
    def energy_pj(self) -> float:
        """Energy of all actions."""
        table = self.part.costs.actions
        return sum(
            count * charge.energy_pj for action, count in self.actions.items() for charge in table[action]
        )

    @property
    def resource(self) -> Any:
        return self.graph.resources[self.graph.resource[self.value.ready[0]]]

    def start_edges(self) -> set[tuple[int, int, int]]:
        """Start-to-start edges: from a task, to a task, over so many inferences."""
        edges = self.graph.on_start
        source = np.repeat(np.arange(len(self.graph)), np.diff(edges.first))
        return set(zip(source.tolist(), edges.target.tolist(), edges.distance.tolist(), strict=True))


@pytest.fixture(scope="session")
def multiply() -> Callable[..., Run]:
    """Vectors through a matrix that a part holds."""

    def multiply(
        part: Part, stored: Stored, count: int = 1, precision: Precision | None = None, **held: Any
    ) -> Run:
        op = Operation("l0.q", "linear", 0, rows=stored.rows, columns=stored.columns)
        return _run(part, op, count, [stored.rows], Held(stored, part.name, **held), precision)

    return multiply


@pytest.fixture(scope="session")
def execute() -> Callable[..., Run]:
    """An operation without weights; ``widths`` are those of its operands."""

    def execute(
        part: Part, op: Operation, widths: Sequence[Any], keys: Sequence[int] = (1,), **options: Any
    ) -> Run:
        return _run(part, op, len(keys), widths, None, None, keys, **options)

    return execute


@pytest.fixture(scope="session")
def store() -> Callable[..., Run]:
    """Values of ``width`` elements written into a part's memory."""

    def store(part: Part, width: int, bits: int = 8, count: int = 1) -> Run:
        graph = _graph()
        value = Value(np.full(count, -1, dtype=np.int32), width, bits, part.name)
        wire = part.store(value, _tokens([1] * count), graph)
        return Run(part, Value(wire, width, bits, part.name), graph.build(), [])

    return store


def _tokens(keys: Sequence[int]) -> Tokens:
    """The tokens of one sequence's prefill."""
    index = np.arange(len(keys))
    zeros = np.zeros(len(keys), dtype=np.int64)
    return Tokens(zeros, zeros, index, np.asarray(keys, dtype=np.int32), index)


def _graph() -> GraphBuilder:
    graph = GraphBuilder()
    graph.place = Place(0, 0)
    return graph


def _run(
    part: Part,
    op: Operation,
    count: int,
    widths: Sequence[Any],
    held: Held | None,
    precision: Precision | None,
    keys: Sequence[int] | None = None,
    arriving: Sequence[Sequence[bool]] | None = None,
) -> Run:
    """Each operand of each token is brought by a task of its own, unless ``arriving`` says it is not."""
    graph = _graph()
    port = graph.resource("port", "port")
    inputs = []
    for number, width in enumerate(widths):
        ready = graph.add(port, 1, 1, np.arange(count))
        if arriving is not None:
            ready = np.where(arriving[number], ready, -1).astype(np.int32)
        inputs.append(Value(ready, width, 8, "port"))
    value = part.run(op, _tokens(keys or [1] * count), inputs, held, precision or Precision(), graph)
    return Run(part, value, graph.build(), [each.ready for each in inputs])
