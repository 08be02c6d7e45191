"""Blocks of tasks and edges in the making of a task graph, and the repeats among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int32]
Numbers = NDArray[np.integer[Any]] | int


class Block(NamedTuple):
    """Tasks that were added together; every column is one number for all of them, or one each."""

    first: int
    tasks: int
    resource: int
    turn: Numbers
    occupancy: Numbers
    latency: Numbers
    operation: int
    token: Numbers
    pu: int

    def alike(self, other: Block) -> bool:
        """Whether as many tasks take as long for the same tokens."""
        return self.tasks == other.tasks and all(
            map(
                _equal,
                (self.turn, self.occupancy, self.latency, self.token),
                (other.turn, other.occupancy, other.latency, other.token),
            )
        )


class EdgeBlock(NamedTuple):
    """Edges that were added together: (edges,) task numbers; where one is -1 there is no edge."""

    source: Column
    target: Column
    from_start: bool
    distance: int

    def leads(self, other: EdgeBlock, tasks: int) -> bool:
        """Whether ``other`` is the same that many tasks further on."""
        return (
            self[2:] == other[2:]
            and np.array_equal(shifted(self.source, tasks), other.source)
            and np.array_equal(shifted(self.target, tasks), other.target)
        )


@dataclass(frozen=True, slots=True)
class ActionCount:
    """How often the tasks ``first .. first + tasks - 1`` do one action: a number each, or one for all.

    So do those of each of the ``copies``, each as many tasks further on as ``stride`` says.
    """

    first: int
    tasks: int
    action: str
    count: NDArray[np.float64] | float
    copies: int = 1
    stride: int = 0

    @property
    def total(self) -> float:
        """The actions of all the tasks together, copies included."""
        if isinstance(self.count, np.ndarray):
            return float(self.count.sum()) * self.copies
        return self.count * self.tasks * self.copies

    @property
    def firsts(self) -> NDArray[np.int64]:
        """(copies,) the first task of each copy."""
        return self.first + self.stride * np.arange(self.copies)

    def apart(self) -> Iterator[ActionCount]:
        """The same without copies: one count for each."""
        for first in self.firsts.tolist():
            yield replace(self, first=first, copies=1, stride=0)

    def leads(self, other: ActionCount, tasks: int) -> bool:
        """Whether ``other`` is the same that many tasks further on."""
        return (
            (self.first + tasks, self.tasks, self.action) == (other.first, other.tasks, other.action)
            and self.copies == other.copies == 1
            and _equal(self.count, other.count)
        )

    def repeated(self, repeat: Repeat) -> ActionCount:
        """The same with its copies."""
        return replace(self, copies=1 + repeat.copies, stride=repeat.tasks)


class Stretch(NamedTuple):
    """What was added between two marks."""

    blocks: list[Block]
    edges: list[EdgeBlock]
    actions: list[ActionCount]

    @property
    def lengths(self) -> tuple[int, ...]:
        """How much of each."""
        return len(self.blocks), len(self.edges), len(self.actions)


class Mark(NamedTuple):
    """How much a builder has: a place between blocks."""

    tasks: int
    blocks: int
    edges: int
    actions: int
    turns: tuple[int, ...]
    operations: int


@dataclass(frozen=True, slots=True)
class Copy:
    """How a copy of a stretch of blocks differs from it.

    Args: pus: how many PUs further on it stands; layers: how many layers; name: what a name in the
        stretch, of an operation or of a resource, is in the copy.
    """

    pus: int
    layers: int
    name: Callable[[str], str]


class Repeat(NamedTuple):
    """Copies of the blocks and edges between two marks, which follow on them.

    Args: resources, operations: (copies, resources or operations of the builder) what each is in each copy,
        of resources -1 last, for joins; pus: (copies,) by how many PUs each is shifted.
    """

    begin: Mark
    end: Mark
    resources: Column
    operations: Column
    pus: Column

    @property
    def copies(self) -> int:
        """How many there are."""
        return len(self.pus)

    @property
    def tasks(self) -> int:
        """Tasks of one copy."""
        return self.end.tasks - self.begin.tasks

    @property
    def shifts(self) -> Column:
        """(copies,) by how many tasks each is shifted."""
        return self.tasks * np.arange(1, self.copies + 1, dtype=np.int32)


def shifted(wire: Column, tasks: Numbers) -> Column:
    """The wire some tasks further on; -1 stays."""
    return np.where(wire < 0, wire, wire + tasks).astype(np.int32)


def _equal(some: Any, other: Any) -> bool:
    """Whether two columns, or numbers, are equal."""
    if isinstance(some, np.ndarray) or isinstance(other, np.ndarray):
        return some is other or np.array_equal(some, other)
    return bool(some == other)


def columns(blocks: Sequence[Block], repeats: Sequence[Repeat]) -> dict[str, Column]:
    """Each column of all tasks in one array."""
    _, counts, *rest = zip(*blocks, strict=True)
    ends = np.cumsum(counts)
    stretches = [_span(ends, repeat.begin.blocks, repeat.end.blocks) for repeat in repeats]
    return {
        name: _repeated(_column(counts, ends, values), stretches, _copier(name, repeats))
        for name, values in zip(Block._fields[2:], rest, strict=True)
    }


def _span(ends: NDArray[np.int64], begin: int, end: int) -> tuple[int, int]:
    """From where to where the rows of some blocks are, given where each block's rows end."""
    return int(ends[begin - 1]) if begin else 0, int(ends[end - 1]) if end else 0


def _column(counts: Sequence[int], ends: NDArray[np.int64], values: Sequence[Numbers]) -> Column:
    """One number or one each of all blocks, in one array."""
    single = np.array([value if isinstance(value, int) else 0 for value in values], dtype=np.int32)
    column = np.repeat(single, counts)
    for value, count, end in zip(values, counts, ends.tolist(), strict=True):
        if not isinstance(value, int):
            column[end - count : end] = value
    return column


def _repeated(
    column: Column, stretches: Sequence[tuple[int, int]], copies: Callable[[int, Column], Column]
) -> Column:
    """The column with the copies of its stretches put in after them.

    Args: copies: (copies, rows) of a stretch, given its number and (rows,) what it has.
    """
    pieces, done = [], 0
    for number, (begin, end) in enumerate(stretches):
        pieces += [column[done:end], copies(number, column[begin:end]).ravel()]
        done = end
    return np.concatenate([*pieces, column[done:]]) if pieces else column


def _copier(name: str, repeats: Sequence[Repeat]) -> Callable[[int, Column], Column]:
    """What the copies have in a column of tasks."""

    def of_copies(number: int, stretch: Column) -> Column:
        repeat = repeats[number]
        if name == "resource":
            return repeat.resources[:, stretch]
        if name == "operation":
            return repeat.operations[:, stretch]
        if name == "pu":
            return shifted(stretch[None, :], repeat.pus[:, None])
        return np.broadcast_to(stretch, (repeat.copies, len(stretch)))

    return of_copies


class EdgeRows(NamedTuple):
    """Edges as three columns of shape (edges,)."""

    source: Column
    target: Column
    distance: Column


def edge_rows(blocks: Sequence[EdgeBlock], repeats: Sequence[Repeat], *, from_start: bool) -> EdgeRows:
    """The edges of all blocks, in the order in which they were added, without those that have no end.

    Args: from_start: whether those from the starts of tasks, or those from their finishes.
    """
    chosen = [block for block in blocks if block.from_start == from_start]
    before = np.cumsum([0, *(block.from_start == from_start for block in blocks)])
    none = np.zeros(0, dtype=np.int32)
    counts = [len(block.source) for block in chosen]
    ends = np.cumsum(counts)
    rows = EdgeRows(
        np.concatenate([none, *(block.source for block in chosen)], dtype=np.int32),
        np.concatenate([none, *(block.target for block in chosen)], dtype=np.int32),
        np.repeat(np.array([block.distance for block in chosen], dtype=np.int32), counts),
    )
    stretches = [_span(ends, before[repeat.begin.edges], before[repeat.end.edges]) for repeat in repeats]

    def further_on(number: int, stretch: Column) -> Column:
        return shifted(stretch[None, :], repeats[number].shifts[:, None])

    def the_same(number: int, stretch: Column) -> Column:
        return np.broadcast_to(stretch, (repeats[number].copies, len(stretch)))

    rows = EdgeRows(
        _repeated(rows.source, stretches, further_on),
        _repeated(rows.target, stretches, further_on),
        _repeated(rows.distance, stretches, the_same),
    )
    real = (rows.source >= 0) & (rows.target >= 0)
    return rows if real.all() else EdgeRows(*(column[real] for column in rows))


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges sorted by the task that they leave.

    Args: first: (tasks + 1,), where each task's edges begin; target: (edges,) task numbers;
        distance: (edges,) inferences between the two ends.
    """

    first: NDArray[np.int64]
    target: NDArray[np.int32]
    distance: NDArray[np.int32]


def ends(on_finish: EdgeRows, on_start: EdgeRows, tasks: int) -> tuple[Column, Column]:
    """Of the first tasks those that wait for nothing in their inference, and whose finish none waits for."""
    waits = np.zeros(tasks, dtype=bool)
    leads = np.zeros(tasks, dtype=bool)
    waits[0] = True
    for edges in (on_finish, on_start):
        waits[edges.target[edges.distance == 0]] = True
    leads[on_finish.source[on_finish.distance == 0]] = True
    return np.flatnonzero(~waits).astype(np.int32), np.flatnonzero(~leads).astype(np.int32)


def sorted_edges(edges: EdgeRows, tasks: int) -> Edges:
    """The same edges sorted by source, those of a task in the order in which they were added."""
    order = np.argsort(edges.source, kind="stable")
    first = np.zeros(tasks + 1, dtype=np.int64)
    np.cumsum(np.bincount(edges.source, minlength=tasks), out=first[1:])
    return Edges(first, edges.target[order], edges.distance[order])
