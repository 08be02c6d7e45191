"""Blocks of tasks and edges in the making of a task graph, and the repeats among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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


COLUMNS = Block._fields[2:]
"""What there is of each task."""


class EdgeBlock(NamedTuple):
    """Edges that were added together: (edges,) task numbers; where one is -1 there is no edge."""

    source: Column
    target: Column
    from_start: bool
    distance: int


class ActionCount(NamedTuple):
    """How often the tasks ``first .. first + tasks - 1`` do one action: a number each, or one for all.

    So do those of each of the ``copies``, each as many tasks further on as ``stride`` says.
    """

    first: int
    tasks: int
    action: str
    count: NDArray[np.float64] | float  # type: ignore[assignment]  # tuples count too
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
            yield self._replace(first=first, copies=1, stride=0)

    def leads(self, other: ActionCount, tasks: int) -> bool:
        """Whether ``other`` is the same that many tasks further on."""
        return (
            self.first + tasks == other.first
            and self.tasks == other.tasks
            and self.action == other.action
            and self.copies == other.copies == 1
            and _equal(self.count, other.count)
        )

    def repeated(self, repeat: Repeat) -> ActionCount:
        """The same with its copies."""
        return ActionCount(self.first, self.tasks, self.action, self.count, 1 + repeat.copies, repeat.tasks)


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
    return np.where(wire < 0, wire, wire + tasks).astype(np.int32, copy=False)


def lead(some: Sequence[EdgeBlock], others: Sequence[EdgeBlock], tasks: int) -> bool:
    """Whether as many ``others`` are the same edges that many tasks further on."""
    alike = all(
        one[2:] == other[2:] and len(one.source) == len(other.source)
        for one, other in zip(some, others, strict=True)
    )
    return alike and all(
        np.array_equal(shifted(np.concatenate(ends), tasks), np.concatenate(later))
        for ends, later in zip([*zip(*some, strict=True)][:2], [*zip(*others, strict=True)][:2], strict=True)
    )


def _equal(some: Any, other: Any) -> bool:
    """Whether two columns, or numbers, are equal."""
    if some is other:
        return True
    if isinstance(some, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(some, other)
    return bool(some == other)


class _Run(NamedTuple):
    """Blocks that were added in a row, and their copies if they have any."""

    blocks: Sequence[Block]
    repeat: Repeat | None = None

    @property
    def times(self) -> int:
        """How often they are there."""
        return 1 + self.repeat.copies if self.repeat else 1


def columns(blocks: Sequence[Block], repeats: Sequence[Repeat]) -> dict[str, Column]:
    """Each column of all tasks in one array."""
    runs = [run for run in _runs(blocks, repeats) if run.blocks]
    counts = np.concatenate([np.tile([block.tasks for block in run.blocks], run.times) for run in runs])
    return {name: _column(name, runs, counts) for name in COLUMNS}


def _runs(blocks: Sequence[Block], repeats: Sequence[Repeat]) -> Iterator[_Run]:
    """All blocks, in turn without copies and with them."""
    done = 0
    for repeat in repeats:
        yield _Run(blocks[done : repeat.begin.blocks])
        yield _Run(blocks[repeat.begin.blocks : repeat.end.blocks], repeat)
        done = repeat.end.blocks
    yield _Run(blocks[done:])


def _column(name: str, runs: Sequence[_Run], counts: NDArray[np.int64]) -> Column:
    """One number or one each of all blocks and their copies, in one array.

    Args: counts: tasks of each block and each copy.
    """
    number = Block._fields.index(name)
    column = np.repeat(np.concatenate([_single(name, number, run).ravel() for run in runs]), counts)
    for run in runs:
        first, last = run.blocks[0].first, run.blocks[-1]
        tasks = last.first + last.tasks - first
        several = [block for block in run.blocks if not isinstance(block[number], int)]
        for block in several:
            column[block.first : block.first + block.tasks] = block[number]
        if several and run.repeat:
            rows = column[first : first + run.times * tasks].reshape(run.times, tasks)
            rows[1:] = rows[0]
    return column


def _single(name: str, number: int, run: _Run) -> Column:
    """(times, blocks) what blocks and their copies have one number of, 0 where they have one each."""
    values = [block[number] if isinstance(block[number], int) else 0 for block in run.blocks]
    single = np.array(values, dtype=np.int32)
    if run.repeat is None:
        return single
    if name == "resource":
        return np.vstack([single, run.repeat.resources[:, single]])
    if name == "operation":
        return np.vstack([single, run.repeat.operations[:, single]])
    if name == "pu":
        return np.vstack([single, shifted(single, run.repeat.pus[:, None])])
    return np.tile(single, (run.times, 1))


class EdgeRows(NamedTuple):
    """Edges as three columns of shape (edges,)."""

    source: Column
    target: Column
    distance: Column

    @classmethod
    def of(cls, source: Column, target: Column) -> EdgeRows:
        """Edges within an inference."""
        return cls(source, target, np.zeros_like(source))

    def part(self, which: slice | NDArray[np.generic]) -> EdgeRows:
        """Some of them."""
        return EdgeRows(self.source[which], self.target[which], self.distance[which])

    def further(self, tasks: int) -> EdgeRows:
        """The same some tasks further on."""
        return EdgeRows(self.source + np.int32(tasks), self.target + np.int32(tasks), self.distance)

    def sorted(self) -> EdgeRows:
        """The same by source, those of a task in their order."""
        return self.part(np.argsort(self.source, kind="stable"))


class Copied(NamedTuple):
    """Rows of edges that have copies, each as many tasks further on.

    Args: first: the first of the tasks that were added with them.
    """

    begin: int
    end: int
    copies: int
    first: int
    tasks: int


def edge_rows(
    blocks: Sequence[EdgeBlock], repeats: Sequence[Repeat], *, from_start: bool
) -> tuple[EdgeRows, list[Copied]]:
    """The edges of all blocks, in the order in which they were added, without those that have no end.

    Args: from_start: whether those from the starts of tasks, or those from their finishes.
    Returns: the edges without their copies, and which of them have some.
    """
    counts = [len(block.source) if block.from_start == from_start else 0 for block in blocks]
    chosen = [block for block in blocks if block.from_start == from_start]
    none = np.zeros(0, dtype=np.int32)
    rows = EdgeRows(
        np.concatenate([none, *(block.source for block in chosen)], dtype=np.int32),
        np.concatenate([none, *(block.target for block in chosen)], dtype=np.int32),
        np.repeat(np.array([block.distance for block in blocks], dtype=np.int32), counts),
    )
    before = np.cumsum([0, *counts])
    real = (rows.source | rows.target) >= 0  # neither is negative
    if not real.all():
        before = np.append(0, np.cumsum(real))[before]
        rows = rows.part(real)
    copied = [
        Copied(
            *(int(before[repeat.begin.edges]), int(before[repeat.end.edges])),
            *(repeat.copies, repeat.begin.tasks, repeat.tasks),
        )
        for repeat in repeats
    ]
    return rows, copied


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges sorted by the task that they leave.

    Args: first: (tasks + 1,), where each task's edges begin; target: (edges,) task numbers;
        distance: (edges,) inferences between the two ends.
    """

    first: NDArray[np.int64]
    target: NDArray[np.int32]
    distance: NDArray[np.int32]

    def between(self, sources: range, targets: range) -> EdgeRows:
        """Those from some tasks to others."""
        some = slice(int(self.first[sources.start]), int(self.first[sources.stop]))
        counts = np.diff(self.first[sources.start : sources.stop + 1])
        source = np.repeat(np.arange(sources.start, sources.stop, dtype=np.int32), counts)
        rows = EdgeRows(source, self.target[some], self.distance[some])
        return rows.part((rows.target >= targets.start) & (rows.target < targets.stop))


def ends(
    on_finish: EdgeRows,
    on_start: EdgeRows,
    tasks: int,
    finish_copied: Sequence[Copied] = (),
    start_copied: Sequence[Copied] = (),
) -> tuple[Column, Column]:
    """Of the first tasks those that wait for nothing in their inference, and whose finish none waits for.

    Args: finish_copied, start_copied: the edges of which there are copies.
    """
    waits = np.zeros(tasks, dtype=bool)
    leads = np.zeros(tasks, dtype=bool)
    waits[0] = True
    _mark(waits, on_finish.target, on_finish.distance, finish_copied)
    _mark(waits, on_start.target, on_start.distance, start_copied)
    _mark(leads, on_finish.source, on_finish.distance, finish_copied)
    return np.flatnonzero(~waits).astype(np.int32), np.flatnonzero(~leads).astype(np.int32)


def _mark(marks: NDArray[np.bool_], at: Column, distance: Column, copied: Sequence[Copied]) -> None:
    """Mark the tasks at one end of the edges within an inference.

    Args: at: (edges,) those tasks, without those of copies.
    """
    marks[at[distance == 0]] = True
    for begin, end, copies, _, tasks in copied:
        own = at[begin:end][distance[begin:end] == 0]
        if not len(own):
            continue
        first = int(own.min())
        stretch = np.zeros(int(own.max()) + 1 - first, dtype=bool)
        stretch[own - first] = True
        for further in range(first + tasks, first + (copies + 1) * tasks, tasks):
            marks[further : further + len(stretch)] |= stretch


def sorted_edges(edges: EdgeRows, tasks: int, copied: Sequence[Copied] = ()) -> Edges:
    """The edges and their copies sorted by source, those of a task in the order in which they were added."""
    pieces = list(_pieces(edges, copied))
    source, target, distance = joined(*(piece.all_times for piece in pieces))
    if (source[1:] < source[:-1]).any():
        order = np.argsort(source, kind="stable")
        target, distance = target.take(order), distance.take(order)
    first = np.zeros(tasks + 1, dtype=np.int64)
    for piece in pieces:
        lowest = int(piece.rows.source.min(initial=tasks))
        counts = np.bincount(piece.rows.source - lowest)
        for leaving in (lowest + 1 + piece.shifts).tolist():
            first[leaving : leaving + len(counts)] += counts
    return Edges(first.cumsum(out=first), target, distance)


class _Piece(NamedTuple):
    """Edges that come ``times`` in a row, each time so many ``tasks`` further on."""

    rows: EdgeRows
    times: int = 1
    tasks: int = 0

    @property
    def shifts(self) -> Column:
        """(times,) by how many tasks they are shifted."""
        return self.tasks * np.arange(self.times, dtype=np.int32)

    @property
    def all_times(self) -> EdgeRows:
        """The edges of all times, one after the other."""
        source, target = ((column + self.shifts[:, None]).ravel() for column in self.rows[:2])
        return EdgeRows(source, target, np.tile(self.rows.distance, self.times))


def _pieces(edges: EdgeRows, copied: Sequence[Copied]) -> Iterator[_Piece]:
    """The edges and their copies in pieces, those that leave a task in the order in which they were added.

    An edge that was copied mostly leaves a task that was added with it, or one of the copy before. All that
    leave the same copy are put together, so that mostly all edges are sorted by source.
    """
    rest, done = [], 0
    periods: list[tuple[int, _Piece]] = []
    for begin, end, copies, first, tasks in copied:
        before, stretch = edges.part(slice(done, begin)), edges.part(slice(begin, end))
        done = end
        if stretch.source.min(initial=first) < first - tasks:
            rest += [before, _Piece(stretch, copies + 1, tasks).all_times]
            continue
        own = stretch.source >= first
        inside, into = stretch.part(own), stretch.part(~own)
        rest += [before, into, inside.further(copies * tasks)]
        periods.append((first, _Piece(joined(inside, into.further(tasks)).sorted(), copies, tasks)))
    others = joined(*rest, edges.part(slice(done, None))).sorted()
    done = 0
    for first, period in periods:
        begin, done = done, int(np.searchsorted(others.source, first))
        yield _Piece(others.part(slice(begin, done)))
        yield period
    yield _Piece(others.part(slice(done, None)))


def joined(*rows: EdgeRows) -> EdgeRows:
    """Edges of several, one after the other."""
    return EdgeRows(*map(np.concatenate, zip(*rows, strict=True)))
