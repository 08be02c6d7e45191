"""The fast engine: a compiled event loop over the same graph as the event engine, by the same arbitration."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.native import Apart, Native
from archsim.sim import fast_layout as layout
from archsim.sim.deadlock import deadlock
from archsim.sim.engine import NO_STATE, Glimpse, Links, Queues, Warm, Wiring, wire
from archsim.sim.fast_layout import Loop, Program, Progress
from archsim.sim.run import Run
from archsim.task_graph import Alike, TaskGraph

_MOST_NODES = 2**31 - 2
_LONGEST_WHEEL = 1 << 20
"""Cycles of the timing wheel; endings farther away are looked through one by one."""

_MOST_PASSES = 100
"""Over all tasks, to put them off: one does but for what waits for tasks that come later in the graph."""

_HORIZON = 2**31 - 1
"""The last cycle that a slot of 32 bits can hold."""

_advance = Native("archsim.sim.fast_kernel", "advance")
_waiting = Native("archsim.sim.fast_kernel", "waiting")
_lead = Native("archsim.sim.fast_program", "lead")
_put_off = Native("archsim.sim.fast_warm", "put_off")
_resume = Native("archsim.sim.fast_warm", "resume")

_PROGRAMS: WeakKeyDictionary[TaskGraph, Program] = WeakKeyDictionary()


class FastEngine:
    """An ``Engine`` of compiled code, which is kept on disk: numba is imported only to compile it."""

    def __init__(
        self,
        graph: TaskGraph,
        *,
        in_flight: int | None = None,
        inferences: int | None = None,
        keep: int | None = None,
        warm: Warm | None = None,
        remember: int = 0,
    ) -> None:
        if in_flight is None and inferences is None:
            raise ValueError("give in_flight or inferences: else there is no end of inferences at cycle 0")
        if keep not in (None, 1):
            raise ValueError(f"keep must be 1 or None (all), not {keep}")
        self.left: list[int] = []
        self._graph = graph
        self._inferences = inferences
        self._queues = Queues.of(graph)
        self._program = program_of(graph)
        first = min(count for count in (in_flight, inferences) if count is not None)
        # an instant may touch the inferences that enter in it, and those that their edges lead to
        spare = 2 + max(self._program.reach, in_flight or 0, first)
        contexts = first + 2 * spare if keep else (inferences or 2 * first) + spare
        self._loop = Loop(
            in_flight=-1 if in_flight is None else in_flight,
            inferences=-1 if inferences is None else inferences,
            first=first,
            keep=keep is None,
            spare=spare,
            horizon=_HORIZON - self._longest(),
            remember=remember,
        )
        self._run = _progress(self._program, self._queues, contexts, self._wheel_size(), remember)
        self._apart: tuple[Apart, ...] = ()
        self._warm = warm
        if warm is not None:
            start, age = warm.of(first)
            if int((age.max() - start).max()) >= layout.LONG_AGO:
                self._widen()
            quiet = np.empty((-(-len(graph) // layout.CHUNK), 2), dtype=np.int64)
            if _resume(*self._state(), start, age, quiet, np.empty_like(start)):
                raise ValueError(NO_STATE)

    @property
    def now(self) -> int:
        """The present cycle."""
        return int(self._run.counters[layout.NOW])

    def advance(self, completions: int | None = None) -> None:
        """Run to the end of the instant in which that many inferences have left; None: to the end of all.

        Raises: SimulationError: when tasks wait for each other.
        """
        goal = (
            completions
            if self._inferences is None
            else min(completions or self._inferences, self._inferences)
        )
        if goal is None:
            raise ValueError("a stream without end needs a number of completions")
        while True:
            self._reserve_left(goal)
            before = len(self.left)
            why = _advance(*self._state(), goal)
            self.left += self._run.left[len(self.left) : self._run.counters[layout.LEFT]].tolist()
            if why == layout.STUCK or (before == 0 and self._left_unfinished()):
                raise deadlock(self._graph)
            if why == layout.DONE:
                return
            if why == layout.GROW:
                self._run = _grown(self._program, self._run)
            if why == layout.WIDEN:
                self._widen()

    def last_start(self) -> NDArray[np.int64]:
        """(tasks,) start of each task of the inference that left last."""
        return self._start_in(int(self._run.counters[layout.LAST]))

    def glimpse(self) -> Glimpse:
        """What the future depends on: see ``Engine.glimpse``."""
        run = self._run
        contexts = len(run.context) - int(run.counters[layout.FREE])
        waiting = np.empty(len(run.queue) + (contexts << self._program.shift), dtype=np.int64)
        count = _waiting(*self._state()[:2], waiting)
        left, tasks = len(self.left), len(self._graph)
        starts = run.starts.reshape(tasks, -1)
        return Glimpse.of(self._queues, self.now, left, run.begun, starts, waiting[:count].copy())

    def _state(self) -> tuple[Apart, ...]:
        """The graph, the state and what is asked for, as compiled functions take them."""
        state = (self._program, self._run, self._loop)
        known = {id(apart.argument): apart for apart in self._apart}
        self._apart = tuple(known.get(id(part)) or Apart.of(part) for part in state)
        return self._apart

    def _widen(self) -> None:
        """Let slots hold cycles of 64 bits."""
        run = self._run
        slot, begun, starts = (array.astype(np.int64) for array in (run.slot, run.begun, run.starts))
        self._run = run._replace(slot=slot, begun=begun, starts=starts)
        self._loop = self._loop._replace(horizon=layout.NEVER)

    def _left_unfinished(self) -> bool:
        """Whether the inference that left last has tasks that its exit did not wait for: those on a cycle."""
        last = int(self._run.counters[layout.LAST])
        if last < 0:
            return False
        base, seen = last << self._program.shift, self._seen(last)
        still = self._run.slot[base : base + len(self._graph), layout.STILL]
        return bool((still[seen] > 0).any()) or (self._warm is None and not seen.all())

    def result(self) -> Run:
        """What the run measured; queues are not watched, the event engine does that."""
        if self._loop.keep:
            numbers = np.arange(self._run.counters[layout.OPENED])
            order = numbers[self._run.ring[numbers & (len(self._run.ring) - 1), layout.GONE] == numbers]
            start = np.stack([self._start_of(int(number)) for number in order])
        else:
            last = self._run.counters[layout.LAST]
            order = self._run.context[last : last + 1, layout.INFERENCE]
            start = self.last_start()[None, :]
        ends = start + np.maximum(self._graph.occupancy, self._graph.latency)
        return Run(
            inferences=order,
            start=start,
            finish=start + self._graph.latency,
            completed_cycles=np.array(self.left, dtype=np.int64),
            queues=None,
            end=max(self.now, int(ends.max(initial=0))),
        )

    def _start_of(self, inference: int) -> NDArray[np.int64]:
        return self._start_in(int(self._run.ring[inference & (len(self._run.ring) - 1), layout.CONTEXT]))

    def _start_in(self, context: int) -> NDArray[np.int64]:
        base = context << self._program.shift
        start = self._run.slot[base : base + len(self._program.waits), layout.BEGAN].astype(np.int64)
        number = int(self._run.context[context, layout.INFERENCE])
        if self._warm is not None and number < len(self._warm.age_cycles):
            over = ~self._seen(context)
            start[over] = self._warm.start[over] - self._warm.age_cycles[number]
        return start

    def _seen(self, context: int) -> NDArray[np.bool_]:
        """(tasks,) whether the slots of a context are set: where not, all was over before it was taken."""
        first = context << self._program.shift >> layout.CHUNK_BITS
        chunks = -(-len(self._graph) // layout.CHUNK)
        seen = self._run.seen[first : first + chunks].astype(bool)
        return np.repeat(seen, layout.CHUNK)[: len(self._graph)]

    def _wheel_size(self) -> int:
        """A power of two of cycles that holds the longest duration, if it is not too long."""
        return int(min(max(64, 1 << self._longest().bit_length()), _LONGEST_WHEEL))

    def _longest(self) -> int:
        """Cycles of the longest duration."""
        return max(int(self._graph.occupancy.max()), int(self._graph.latency.max()))

    def _reserve_left(self, goal: int) -> None:
        """Room for the cycles at which inferences leave, those of the last instant included."""
        room = goal + len(self._run.context) + 1
        if len(self._run.left) < room:
            left = np.zeros(2 * room, dtype=np.int64)
            left[: len(self._run.left)] = self._run.left
            self._run = self._run._replace(left=left)


def run_fast(graph: TaskGraph, inferences: int = 1, in_flight: int | None = None) -> Run:
    """Run some inferences to their end.

    Args: in_flight: an inference enters when the one ``in_flight`` before it leaves; None: all at cycle 0.
    Raises: SimulationError: when tasks wait for each other.
    """
    engine = FastEngine(graph, in_flight=in_flight, inferences=inferences)
    engine.advance()
    return engine.result()


def put_off(graph: TaskGraph, start: NDArray[np.int64], interval_cycles: float) -> bool:
    """Put off, in place, what would start before something that it waits for in a stream of an interval.

    Args: start: (tasks,) of an inference.
    Returns: whether that came to an end.
    """
    program = program_of(graph)
    earlier = np.floor(program.later[:, 1] * interval_cycles).astype(np.int64)
    return not _put_off(program, start, earlier, _MOST_PASSES)


def program_of(graph: TaskGraph) -> Program:
    """The graph in the form that the compiled loop reads, made once for all runs of it."""
    program = _PROGRAMS.get(graph)
    if program is None:
        program = _PROGRAMS[graph] = _program(graph, Queues.of(graph), wire(graph, None))
    return program


def _program(graph: TaskGraph, queues: Queues, wiring: Wiring) -> Program:
    parts, row_of = _rows(graph, wiring)
    place = np.empty((len(graph), 2), dtype=np.int32)
    place[:, layout.ROW] = row_of
    # a join, whose resource is JOIN, takes the last entry of these
    first = np.append(np.cumsum(queues.copies) - queues.copies, -1)
    place[:, layout.QUEUE] = first.astype(np.int32).take(graph.resource)
    dealt = np.flatnonzero(np.append(queues.copies > 1, False).take(graph.resource))
    place[dealt, layout.QUEUE] = -2 - np.arange(len(dealt))
    shown = np.concatenate([np.arange(part.start, part.stop) for part in parts])
    row = np.zeros((len(shown) + 1, 4), dtype=np.int32)
    row[:-1, layout.OCCUPANCY] = graph.occupancy[shown]
    row[:-1, layout.LATENCY] = graph.latency[shown]
    owner = graph.resource[dealt]
    copies = [first[owner], queues.copies[owner], graph.turn[dealt], graph.turns[owner]]
    both = wiring.on_finish, wiring.on_start
    edges = sum(int(each.first[part.stop] - each.first[part.start]) for each in both for part in parts)
    program = Program(
        shift=max(layout.CHUNK_BITS, (len(graph) - 1).bit_length()),
        exit=graph.exit,
        reach=wiring.reach,
        place=place,
        row=row,
        dealt=_int32(np.stack(copies, axis=1)),
        waits=_int32(wiring.waits),
        edge=np.empty(edges, dtype=np.int32),
        later=np.empty((len(wiring.far_target), 2), dtype=np.int32),
        far=_int32(np.stack([wiring.far_target, wiring.far_distance], axis=1)),
    )
    far = _lead(*map(Links.of, both), shown, program)
    return program._replace(later=program.later[:far])


def _rows(graph: TaskGraph, wiring: Wiring) -> tuple[list[slice], NDArray[np.int32]]:
    """The stretches of tasks that have rows, and (tasks,) the row of each task.

    The last of equal layers has rows of its own, as its edges lead to what comes behind them.
    """
    parts, begin = [], 0
    row, rows = np.arange(len(graph), dtype=np.int32), 0
    for alike in graph.alike:
        first, last = alike.begin(2), alike.begin(alike.copies - 1)
        if not _equal(graph, wiring, alike):
            continue
        parts.append(slice(begin, first))
        row[begin:first] -= rows
        row[first:last].reshape(-1, alike.tasks)[:] = row[alike.begin(1) : first]
        begin, rows = last, rows + last - first
    row[begin:] -= rows
    return [*parts, slice(begin, len(graph))], row


def _equal(graph: TaskGraph, wiring: Wiring, alike: Alike) -> bool:
    """Whether all layers but the first and the last may have the same rows."""
    layers, begin, end = alike.copies - 2, alike.begin(1), alike.begin(alike.copies - 1)
    if layers < 2:
        return False
    further = alike.tasks * np.arange(layers, dtype=np.int32)[:, None]
    columns: list[NDArray[np.integer[Any]]] = [graph.occupancy[begin:end], graph.latency[begin:end]]
    for each in (wiring.on_finish, wiring.on_start):
        edges = slice(int(each.first[begin]), int(each.first[end]))
        columns += [np.diff(each.first[begin : end + 1]), each.distance[edges]]
        if len(each.target[edges]) % layers:
            return False
        target = each.target[edges].reshape(layers, -1)
        same = target - further == target[0]
        if not same.all():
            leaves = (target == graph.exit) & (each.distance[edges].reshape(layers, -1) == 0)
            if not (same | leaves & leaves[0]).all():
                return False
    rows = [column.reshape(layers, -1) for column in columns]
    return all((row == row[0]).all() for row in rows)


def _int32(array: NDArray[np.generic]) -> NDArray[np.int32]:
    return np.ascontiguousarray(array, dtype=np.int32)


def _progress(program: Program, queues: Queues, contexts: int, wheel: int, remember: int) -> Progress:
    """The state before cycle 0; slots take memory only when an inference first uses them."""
    tasks = len(program.waits)
    slots = _slots(program, contexts)
    servers = queues.servers
    queue = np.zeros((len(servers), 4), dtype=np.int32)
    queue[:, layout.HEAD] = -1
    queue[:, layout.SERVERS] = servers
    counters = np.zeros(11, dtype=np.int64)
    counters[layout.FREE], counters[layout.LAST] = contexts, -1
    return Progress(
        counters=counters,
        slot=np.empty((slots, 2), dtype=np.int32),
        seen=np.zeros(slots >> layout.CHUNK_BITS, dtype=np.uint8),
        context=np.zeros((contexts, 3), dtype=np.int64),
        ring=np.full((_ring(contexts), 3), -1, dtype=np.int64),
        free=np.arange(contexts, dtype=np.int32)[::-1].copy(),
        queue=queue,
        dirty=np.empty(len(servers) + 1, dtype=np.int32),
        wheel=np.full(wheel, -1, dtype=np.int32),
        filled=np.zeros(wheel // 64, dtype=np.uint64),
        later=np.empty((slots, 2), dtype=np.int64),
        ready=np.empty(slots, dtype=np.int32),
        key=np.empty(slots, dtype=np.int64),
        work=np.empty(2 * slots, dtype=np.int64),
        left=np.zeros(2 * contexts + 16, dtype=np.int64),
        begun=np.zeros((tasks if remember else 0, 2), dtype=np.int32),
        starts=np.full(tasks * remember, -layout.LONG_AGO, dtype=np.int32),
    )


def _grown(program: Program, run: Progress) -> Progress:
    """The same state with twice as many contexts; every slot keeps its number."""
    contexts = len(run.context)
    more, slots = 2 * contexts, _slots(program, 2 * contexts)
    counters, free = run.counters.copy(), _longer(run.free, more)
    count = int(counters[layout.FREE])
    free[count : count + contexts] = np.arange(more - 1, contexts - 1, -1)
    counters[layout.FREE] += contexts
    ring = np.full((_ring(more), 3), -1, dtype=np.int64)
    meant = run.ring[:, layout.OPEN]
    numbers = np.union1d(np.arange(counters[layout.OLDEST], counters[layout.OPENED]), meant[meant >= 0])
    ring[numbers & (len(ring) - 1)] = run.ring[numbers & (len(run.ring) - 1)]
    return run._replace(
        counters=counters,
        slot=_longer(run.slot, slots),
        seen=_longer(run.seen, slots >> layout.CHUNK_BITS),
        context=_longer(run.context, more),
        ring=ring,
        free=free,
        later=_longer(run.later, slots),
        ready=np.empty(slots, dtype=np.int32),
        key=np.empty(slots, dtype=np.int64),
        work=_longer(run.work, 2 * slots),
    )


def _ring(contexts: int) -> int:
    """A power of two, larger than the inferences that are open can be apart."""
    return 1 << (4 * contexts).bit_length()


def _longer(array: NDArray[Any], size: int) -> NDArray[Any]:
    longer = np.zeros((size, *array.shape[1:]), dtype=array.dtype)
    longer[: len(array)] = array
    return longer


def _slots(program: Program, contexts: int) -> int:
    slots = contexts << program.shift
    if 2 * slots > _MOST_NODES:
        raise SimulationError(
            f"{contexts} inferences of {len(program.waits)} tasks at once are too many for the fast engine; "
            "use fewer in flight, fewer tokens, or the event engine"
        )
    return slots
