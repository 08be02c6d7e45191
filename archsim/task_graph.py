"""The task graph: arrays that ``schedule`` fills and ``sim`` runs, one entry a task.

A graph describes one inference. It is periodic: every edge carries a distance in inferences, so that
the same arrays describe a stream of any length. Task ``t`` of inference ``i`` has the number
``i * tasks + t``; an edge of distance ``d`` leads from inference ``i`` to inference ``i + d`` and does
not exist for the first ``d`` inferences. All times are integer cycles of the system clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.graph_blocks import (
    COLUMNS,
    ActionBlock,
    ActionCount,
    Block,
    Copy,
    EdgeBlock,
    EdgeRows,
    Edges,
    Mark,
    Repeat,
    Stretch,
    columns,
    edge_rows,
    ends,
    joined,
    lead,
    shifted,
    sorted_edges,
)

IntArray = NDArray[np.integer[Any]]
Wire = NDArray[np.int32]
"""Task numbers of any shape, -1 where there is nothing to wait for."""

JOIN = -1
"""The resource of a task without resource and duration."""

UNKNOWN = -2
"""No number of a resource."""

Detail = Literal["module", "array"]
"""What a task stands for: all that a part does for one token, or one read, conversion or row operation."""


class Place(NamedTuple):
    """Where a resource stands; ``pu`` counts over all chips and is -1 for what a chip's PUs share."""

    chip: int = 0
    pu: int = -1

    @property
    def name(self) -> str:
        """How the names of its resources begin."""
        return f"chip{self.chip}.pu{self.pu}" if self.pu >= 0 else f"chip{self.chip}"

    def further(self, pus: int) -> Place:
        """The place of a PU so many further on; what the PUs of a chip share stays where it is."""
        return Place(self.chip, self.pu + pus) if self.pu >= 0 else self


class Resource(NamedTuple):
    """A server that tasks hold for their occupancy, one task a server at a time, first come first served.

    Args: name: unique, such as ``chip0.pu3.analog.l3.q``; part: the class that utilisation is reported
        for, such as ``analog``; servers: tasks that it serves at once from one queue; copies: queues
        of their own, to which tasks are dealt in turn.
    """

    name: str
    part: str
    place: Place
    servers: int = 1
    copies: int = 1

    @property
    def name_there(self) -> str:
        """Its name without that of its place."""
        return self.name.removeprefix(self.place.name)


@dataclass(frozen=True, slots=True)
class Alike:
    """Stretches of tasks that follow on each other and are equal but for names and PUs.

    Args: first: task; tasks: of each; copies: how many there are.
    """

    first: int
    tasks: int
    copies: int

    def begin(self, number: int) -> int:
        """The first task of one of them, or the one behind the last."""
        return self.first + number * self.tasks


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class TaskGraph:
    """One inference as arrays, ready to run.

    Args: resource: (tasks,) index into ``resources``, JOIN for a task without one; turn: (tasks,) which
        copy of the resource is this task's, modulo ``copies``, in inference 0; occupancy: (tasks,)
        cycles for which the resource is held; latency: (tasks,) cycles from start to finish;
        on_finish, on_start: edges to tasks that wait for a finish, or for a start;
        operation: (tasks,) index into ``operations`` and ``layers``; token: (tasks,) index of the token
        in program order, -1 for none; pu: (tasks,) the PU, -1 for none; turns: (resources,) tasks that
        one inference deals to the copies of each resource; layers: -1 for none; alike: equal layers.
    Task 0 is the inference's entry, on which all others depend, and the last task its exit.
    """

    resource: NDArray[np.int32]
    turn: NDArray[np.int32]
    occupancy: NDArray[np.int32]
    latency: NDArray[np.int32]
    operation: NDArray[np.int32]
    token: NDArray[np.int32]
    pu: NDArray[np.int32]
    on_finish: Edges
    on_start: Edges
    resources: tuple[Resource, ...]
    turns: NDArray[np.int32]
    operations: tuple[str, ...]
    layers: tuple[int, ...]
    actions: tuple[ActionCount, ...]
    alike: tuple[Alike, ...] = ()

    def __len__(self) -> int:
        return len(self.resource)

    @property
    def entry(self) -> int:
        """The task on which all others of an inference depend."""
        return 0

    @property
    def exit(self) -> int:
        """The task that depends on all others of an inference."""
        return len(self) - 1

    def chosen(self, tasks: NDArray[np.integer[Any]], on_finish: Edges, on_start: Edges) -> TaskGraph:
        """A graph of some of the tasks, without their actions.

        Args: tasks: in their new order, the exit last; on_finish, on_start: their edges.
        """
        some = {name: getattr(self, name)[tasks] for name in COLUMNS}
        return replace(self, **some, on_finish=on_finish, on_start=on_start, actions=(), alike=())

    def busy_cycles(self) -> NDArray[np.int64]:
        """(resources,) cycles for which one inference holds each resource, all its copies together."""
        held = self.resource >= 0
        weights = self.occupancy[held].astype(np.float64)
        return np.bincount(self.resource[held], weights, len(self.resources)).astype(np.int64)

    def describe_task(self, task: int) -> str:
        """A task as a person names it: operation, token, resource."""
        operation = self.operations[self.operation[task]]
        token = f" of token {self.token[task]}" if self.token[task] >= 0 else ""
        resource = self.resource[task]
        where = f" on {self.resources[resource].name}" if resource >= 0 else " (a join)"
        return f"{operation}{token}{where}"


class GraphBuilder:
    """Collects blocks of tasks; ``place`` and ``operation`` are the tags of the next block.

    While ``buffers_bounded`` is false, rings are left out: a decode stream has one token in flight, and
    to count its tokens on through the inferences would let one stream wait for the end of another.
    ``detail`` tells the parts what a task is to stand for.
    Every method is vectorised over tokens: a block is one call, however many tasks it has.
    """

    def __init__(self, detail: Detail = "module") -> None:
        self.detail: Detail = detail
        self.place = Place()
        self.operation = 0
        self.buffers_bounded = True
        self._size = 0
        self._blocks: list[Block] = []
        self._edges: list[EdgeBlock] = []
        self._repeats: list[Repeat] = []
        self._resources: dict[str, int] = {}
        self._resource_list: list[Resource] = []
        self._turns: list[int] = []
        self._operation_index: dict[str, int] = {}
        self._layers: list[int] = []
        self._actions: list[ActionBlock] = []
        self._begin: Wire = np.zeros(0, dtype=np.int32)
        self.begin_operation("entry", None)
        self._append(1, JOIN, 0, 0, np.array([-1]), 0)

    @property
    def size(self) -> int:
        """Tasks so far."""
        return self._size

    @property
    def operation_name(self) -> str:
        """The operation of the next block."""
        return list(self._operation_index)[self.operation]

    def begin_operation(self, name: str, layer: int | None) -> None:
        """Tag the next blocks with an operation of the trace; an operation may be begun again."""
        self.operation = self._operation(name, -1 if layer is None else layer)

    def _operation(self, name: str, layer: int) -> int:
        """The number of an operation, which may be known already."""
        number = self._operation_index.setdefault(name, len(self._layers))
        if number == len(self._layers):
            self._layers.append(layer)
        return number

    def resource(self, name: str, part: str, *, servers: int = 1, copies: int = 1) -> int:
        """The resource ``name`` of the current place, made when it is first asked for."""
        full = f"{self.place.name}.{name}"
        known = self._resources.get(full)
        if known is not None:
            return known
        return self._new_resource(Resource(full, part, self.place, servers, copies))

    def _new_resource(self, resource: Resource) -> int:
        """The number of a resource, which may be known already."""
        number = self._resources.setdefault(resource.name, len(self._turns))
        if number == len(self._turns):
            self._resource_list.append(resource)
            self._turns.append(0)
        return number

    def add(
        self,
        resource: int,
        occupancy: IntArray | int,
        latency: IntArray | int,
        token: IntArray,
        after: Iterable[Wire] = (),
        actions: Mapping[str, NDArray[Any] | float] | None = None,
        together: IntArray | int = 1,
    ) -> Wire:
        """One task for each entry of ``token``.

        Args: occupancy, latency: cycles, one for all or (tasks,); token: (tasks,) indices in program
            order; after: wires of shape (tasks,) or (tasks, k) that each task waits for; actions: how
            often each task does an action, one number for all or (tasks,); together: so many in a row are
            dealt to the same copy of the resource, one number or one for each such row of tasks.
        Returns: (tasks,) the new task numbers.
        """
        count = len(token)
        turn: IntArray | int = 0
        if resource >= 0 and self._resource_list[resource].copies > 1:
            if isinstance(together, int):
                rows, row = count // together, np.arange(count) // together
            else:
                rows, row = len(together), np.repeat(np.arange(len(together)), together)
            turn = self._turns[resource] + row
            self._turns[resource] += rows
        first = self._append(count, resource, occupancy, latency, token, turn)
        tasks = np.arange(first, first + count, dtype=np.int32)
        for wire in after:
            if wire.shape == tasks.shape:
                self._edges.append(EdgeBlock(wire, tasks, from_start=False, distance=0))
            else:
                self.edge(wire, tasks)
        if actions:
            self._actions.append(ActionBlock(first, count, actions))
        return tasks

    def join(self, after: Iterable[Wire], token: IntArray) -> Wire:
        """Tasks without resource and duration that finish when all of ``after`` has."""
        return self.add(JOIN, 0, 0, token, after)

    def span(self, begin: Wire, end: Wire) -> Wire:
        """Note that ``end`` finishes what ``begin`` begins: many tasks of a token that are one to others.

        Who bounds when ``end`` takes a slot of a buffer lets ``begin`` wait, and with it all in between.
        Args: begin, end: (tokens,).
        Returns: ``end``.
        """
        if self._size > len(self._begin):
            self._begin = np.append(self._begin, np.arange(len(self._begin), 2 * self._size, dtype=np.int32))
        self._begin[end] = begin
        return end

    def begin_of(self, wire: Wire) -> Wire:
        """The tasks that begin what those of ``wire`` finish: the tasks themselves, but for spans."""
        if not len(self._begin):
            return wire
        known = (wire >= 0) & (wire < len(self._begin))
        return np.where(known, self._begin[np.where(known, wire, 0)], wire)

    def edge(self, source: Wire, target: Wire, *, from_start: bool = False, distance: int = 0) -> None:
        """Let ``target`` wait for ``source``: same shape, or ``source`` with one axis more."""
        if source.shape != target.shape:
            if source.shape[:-1] == target.shape:
                target = np.repeat(target, source.shape[-1])
            else:
                source, target = np.broadcast_arrays(source, target)
        if source.ndim != 1:
            source, target = source.ravel(), target.ravel()
        self._edges.append(EdgeBlock(source, target, from_start, distance))

    def ring(self, release: Wire, acquire: Wire, depth: int, *, from_start: bool = False) -> None:
        """A bounded buffer: ``acquire`` of a token waits for ``release`` of the token ``depth`` before it.

        Tokens are counted on through the inferences of a stream, in program order. Where ``acquire`` is
        the end of a span, its begin waits.
        Args: release, acquire: (tokens,); depth: slots of the buffer.
        """
        tokens = len(acquire)
        if not tokens or not self.buffers_bounded:
            return
        acquire = self.begin_of(acquire)
        whole, rest = divmod(depth, tokens)
        # token t of inference i waits for token t - rest of inference i - whole,
        # which for t < rest is token t - rest + tokens of inference i - whole - 1
        if rest < tokens:
            self.edge(release[: tokens - rest], acquire[rest:], from_start=from_start, distance=whole)
        if rest:
            self.edge(release[tokens - rest :], acquire[:rest], from_start=from_start, distance=whole + 1)

    def mark(self) -> Mark:
        """The present place, between what was added and what will be."""
        counts = (self._size, len(self._blocks), len(self._edges), len(self._actions))
        return Mark(*counts, tuple(self._turns), len(self._operation_index))

    def is_copy(self, earlier: Mark, begin: Mark, copy: Copy) -> bool:
        """Whether ``copy`` of what was added since ``begin`` is what was added from ``earlier`` to there.

        Tasks, edges and counts of actions are compared one by one, resources and operations by their names.
        """
        end, tasks = self.mark(), begin.tasks - earlier.tasks
        old, new = self._between(earlier, begin), self._between(begin, end)
        if end.tasks - begin.tasks != tasks or old.lengths != new.lengths:
            return False
        operations = list(self._operation_index)
        copied = {JOIN: JOIN}
        for resource in {block.resource for block in new.blocks if block.resource != JOIN}:
            one = self._resource_list[resource]
            name = one.place.further(copy.pus).name + copy.name(one.name_there)
            copied[resource] = self._resources.get(name, UNKNOWN)
        return (
            all(
                one.resource == copied[other.resource]
                and operations[one.operation] == copy.name(operations[other.operation])
                and self._layers[one.operation] == self._layers[other.operation] + copy.layers
                and one.pu == (other.pu + copy.pus if other.pu >= 0 else other.pu)
                and one.alike(other)
                for one, other in zip(old.blocks, new.blocks, strict=True)
            )
            and lead(old.edges, new.edges, tasks)
            and all(one.leads(other, tasks) for one, other in zip(old.actions, new.actions, strict=True))
        )

    def repeat(self, begin: Mark, copies: Sequence[Copy]) -> None:
        """Add copies of all that was added since ``begin``, each as many tasks further on as it has."""
        end = self.mark()
        stretch = self._between(begin, end)
        used = {block.operation for block in stretch.blocks}.union(range(begin.operations, end.operations))
        held = {block.resource for block in stretch.blocks}.union(range(len(begin.turns), len(end.turns)))
        begun, queues = sorted(used), sorted(held - {JOIN})
        operations = np.full((len(copies), end.operations), -1, dtype=np.int32)
        operations[:, begun] = self._operations_of(begun, copies)
        resources = np.full((len(copies), len(end.turns) + 1), -1, dtype=np.int32)
        resources[:, queues] = self._resources_of(queues, copies)
        before = (*begin.turns, *[0] * (len(end.turns) - len(begin.turns)))
        for number in queues:
            if (dealt := end.turns[number] - before[number]) == 0:
                continue
            for found in resources[:, number].tolist():
                if found != number:
                    self._turns[found] += dealt
        pus = np.array([copy.pus for copy in copies], dtype=np.int32)
        self._repeats.append(again := Repeat(begin, end, resources, operations, pus))
        self._actions[begin.actions :] = [action.repeated(again) for action in stretch.actions]
        if len(self._begin) > begin.tasks:
            rest = np.arange(len(self._begin), end.tasks, dtype=np.int32)
            begins = np.append(self._begin, rest)[: end.tasks]
            ahead = shifted(begins[None, begin.tasks :], again.shifts[:, None])
            self._begin = np.append(begins, ahead.ravel())
        self._grow(again.tasks * len(copies))

    def _operations_of(self, some: Sequence[int], copies: Sequence[Copy]) -> list[list[int]]:
        """What operations are in each copy, which may be new ones."""
        names = list(self._operation_index)
        originals = [(names[number], self._layers[number]) for number in some]
        return [
            [self._operation(copy.name(name), layer + copy.layers) for name, layer in originals]
            for copy in copies
        ]

    def _resources_of(self, some: Sequence[int], copies: Sequence[Copy]) -> list[list[int]]:
        """What resources are in each copy, which may be new ones."""
        originals = [self._resource_list[number] for number in some]
        names = [resource.name_there for resource in originals]
        places = {resource.place for resource in originals}
        found = []
        for copy in copies:
            there = {place: place.further(copy.pus) for place in places}
            prefixes = {place: further.name for place, further in there.items()}
            found.append(
                [
                    self._new_resource(
                        Resource(prefixes[place] + copy.name(name), part, there[place], servers, queues)
                    )
                    for name, (_, part, place, servers, queues) in zip(names, originals, strict=True)
                ]
            )
        return found

    def _between(self, begin: Mark, end: Mark) -> Stretch:
        """What was added between two places."""
        return Stretch(
            self._blocks[begin.blocks : end.blocks],
            self._edges[begin.edges : end.edges],
            self._actions[begin.actions : end.actions],
        )

    def build(self) -> TaskGraph:
        """The finished graph, with its entry before the first tasks and its exit after the last ones."""
        self.begin_operation("exit", None)
        leaving = self._append(1, JOIN, 0, 0, np.array([-1]), 0)
        on_finish, finish_copied = edge_rows(self._edges, self._repeats, from_start=False)
        on_start, start_copied = edge_rows(self._edges, self._repeats, from_start=True)
        roots, sinks = ends(on_finish, on_start, leaving, finish_copied, start_copied)
        entering = EdgeRows.of(np.zeros_like(roots), roots)
        on_finish = joined(on_finish, entering, EdgeRows.of(sinks, np.full_like(sinks, leaving)))
        return TaskGraph(
            **columns(self._blocks, self._repeats, self._size),
            on_finish=sorted_edges(on_finish, self._size, finish_copied),
            on_start=sorted_edges(on_start, self._size, start_copied),
            resources=tuple(self._resource_list),
            turns=np.array(self._turns, dtype=np.int32),
            operations=tuple(self._operation_index),
            layers=tuple(self._layers),
            actions=tuple([count for block in self._actions for count in block.counts()]),
            # what was copied is a copy itself, of what is before it
            alike=tuple(
                Alike(each.begin.tasks - each.tasks, each.tasks, each.copies + 2) for each in self._repeats
            ),
        )

    def _append(
        self,
        count: int,
        resource: int,
        occupancy: IntArray | int,
        latency: IntArray | int,
        token: IntArray,
        turn: IntArray | int,
    ) -> int:
        """Append one block; returns its first task number."""
        first = self._size
        self._grow(count)
        self._blocks.append(
            Block(first, count, resource, turn, occupancy, latency, self.operation, token, self.place.pu)
        )
        return first

    def _grow(self, count: int) -> None:
        """Count new tasks.

        Raises: SimulationError: when their numbers would not fit into 32 bits.
        """
        self._size += count
        if self._size >= 2**31 - 1:
            raise SimulationError(
                "the task graph of one inference has more than 2147483647 tasks; use fewer tokens"
            )
