"""Blocks of tasks and edges in the making of a task graph, and the repeats among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int32]
Numbers = NDArray[np.integer[Any]] | int

_NONE: Column = np.zeros(0, dtype=np.int32)


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


class ActionBlock(NamedTuple):
    """How often tasks that were added together do each action: numbers as in ``ActionCount``."""

    first: int
    tasks: int
    numbers: Mapping[str, NDArray[Any] | float]
    copies: int = 1
    stride: int = 0

    def leads(self, other: ActionBlock, tasks: int) -> bool:
        """Whether ``other`` is the same that many tasks further on."""
        if (self.first + tasks, self.tasks, 1, 1) != (other.first, other.tasks, self.copies, other.copies):
            return False
        return self.numbers is other.numbers or (
            list(self.numbers) == list(other.numbers)
            and all(map(_equal, self.numbers.values(), other.numbers.values()))
        )

    def repeated(self, repeat: Repeat) -> ActionBlock:
        """The same with its copies."""
        return ActionBlock(self.first, self.tasks, self.numbers, 1 + repeat.copies, repeat.tasks)

    def counts(self) -> Iterator[ActionCount]:
        """Each action by itself."""
        first, tasks, numbers, copies, stride = self
        for action, number in numbers.items():
            count = number.astype(np.float64, copy=False) if isinstance(number, np.ndarray) else float(number)
            yield ActionCount(first, tasks, action, count, copies, stride)


class Stretch(NamedTuple):
    """What was added between two marks."""

    blocks: list[Block]
    edges: list[EdgeBlock]
    actions: list[ActionBlock]

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
    if any(
        one[2:] != other[2:] or len(one.source) != len(other.source)
        for one, other in zip(some, others, strict=True)
    ):
        return False
    ends, later = (
        np.concatenate([_NONE, *(end for block in blocks for end in block[:2])]) for blocks in (some, others)
    )
    return bool((shifted(ends, tasks) == later).all())


def _equal(some: Any, other: Any) -> bool:
    """Whether two columns, or numbers, are equal."""
    if some is other:
        return True
    arrays = isinstance(some, np.ndarray), isinstance(other, np.ndarray)
    if all(arrays):
        return some.shape == other.shape and bool((some == other).all())
    return not any(arrays) and bool(some == other)


class _Run(NamedTuple):
    """Blocks that were added in a row, and their copies if they have any.

    Args: counts: tasks of each block.
    """

    blocks: Sequence[Block]
    counts: NDArray[np.int64]
    repeat: Repeat | None

    @classmethod
    def of(cls, blocks: Sequence[Block], repeat: Repeat | None = None) -> _Run:
        """The run of some blocks."""
        return cls(blocks, np.array([block.tasks for block in blocks], dtype=np.int64), repeat)


def columns(blocks: Sequence[Block], repeats: Sequence[Repeat], tasks: int) -> dict[str, Column]:
    """Each column of all ``tasks`` in one array."""
    runs = [run for run in _runs(blocks, repeats) if run.blocks]
    return {name: _column(name, runs, tasks) for name in COLUMNS}


def _runs(blocks: Sequence[Block], repeats: Sequence[Repeat]) -> Iterator[_Run]:
    """All blocks, in turn without copies and with them."""
    done = 0
    for repeat in repeats:
        yield _Run.of(blocks[done : repeat.begin.blocks])
        yield _Run.of(blocks[repeat.begin.blocks : repeat.end.blocks], repeat)
        done = repeat.end.blocks
    yield _Run.of(blocks[done:])


def _column(name: str, runs: Sequence[_Run], tasks: int) -> Column:
    """One number or one each of all blocks and their copies, in one array."""
    number = Block._fields.index(name)
    column = np.empty(tasks, dtype=np.int32)
    for blocks, counts, repeat in runs:
        first, last = blocks[0].first, blocks[-1]
        own = column[first : last.first + last.tasks]
        values = [block[number] for block in blocks]
        # 0 where the tasks of a block have one each, which follow
        single = np.array([value if isinstance(value, int) else 0 for value in values], dtype=np.int32)
        own[:] = single.repeat(counts)
        for block, value in zip(blocks, values, strict=True):
            if not isinstance(value, int):
                column[block.first : block.first + block.tasks] = value
        if repeat:
            copies = column[first + len(own) :][: repeat.copies * len(own)].reshape(repeat.copies, len(own))
            other = _in_copies(name, single, repeat)
            copies[:] = own if other is None else other.repeat(counts, axis=1)
    return column


def _in_copies(name: str, single: Column, repeat: Repeat) -> Column | None:
    """(copies, blocks) what copies of blocks have in place of one number; None where they have the same."""
    if name == "resource":
        return repeat.resources[:, single]
    if name == "operation":
        return repeat.operations[:, single]
    return shifted(single, repeat.pus[:, None]) if name == "pu" else None


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
    sources, targets, distances, counts, before = [_NONE], [_NONE], [0], [0], [0]
    edges = 0
    for source, target, starts, distance in blocks:
        if starts == from_start:
            sources.append(source)
            targets.append(target)
            distances.append(distance)
            counts.append(len(source))
            edges += len(source)
        before.append(edges)
    rows = EdgeRows(
        np.concatenate(sources, dtype=np.int32),
        np.concatenate(targets, dtype=np.int32),
        np.repeat(np.array(distances, dtype=np.int32), counts),
    )
    real = (rows.source | rows.target) >= 0  # neither is negative
    if not real.all():
        before = np.append(0, np.cumsum(real))[before].tolist()
        rows = rows.part(real)
    copied = [
        Copied(
            *(before[repeat.begin.edges], before[repeat.end.edges]),
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
    pieces = [piece for piece in _pieces(edges, copied) if len(piece.rows.source)]
    if not _in_order(pieces):
        pieces = [_Piece(joined(*(piece.all_times for piece in pieces)).sorted())]
    first = np.zeros(tasks + 1, dtype=np.int64)
    target, distance = np.empty((2, sum(piece.edges for piece in pieces)), dtype=np.int32)
    done = 0
    for piece in pieces:
        rows, shifts, begin, done = piece.rows, piece.shifts, done, done + piece.edges
        np.add(rows.target, shifts[:, None], out=target[begin:done].reshape(piece.times, -1))
        distance[begin:done].reshape(piece.times, -1)[:] = rows.distance
        counts = np.bincount(rows.source - rows.source[0])
        for leaving in (rows.source[0] + 1 + shifts).tolist():
            first[leaving : leaving + len(counts)] += counts
    return Edges(first.cumsum(out=first), target, distance)


class _Piece(NamedTuple):
    """Edges sorted by source that come ``times`` in a row, each time so many ``tasks`` further on."""

    rows: EdgeRows
    times: int = 1
    tasks: int = 0

    @property
    def edges(self) -> int:
        """How many there are, all times together."""
        return self.times * len(self.rows.source)

    @property
    def shifts(self) -> Column:
        """(times,) by how many tasks they are shifted."""
        return self.tasks * np.arange(self.times, dtype=np.int32)

    @property
    def all_times(self) -> EdgeRows:
        """The edges of all times, one after the other."""
        source, target = ((column + self.shifts[:, None]).ravel() for column in self.rows[:2])
        return EdgeRows(source, target, np.tile(self.rows.distance, self.times))


def _in_order(pieces: Sequence[_Piece]) -> bool:
    """Whether none leaves a task before one that an edge ahead of it leaves."""
    ends = [
        (int(rows.source[0]) + time * tasks, int(rows.source[-1]) + time * tasks)
        for rows, times, tasks in pieces
        for time in range(times)
    ]
    return all(last <= first for (_, last), (first, _) in pairwise(ends))


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
