"""The timeline of a run as a Chrome trace event file, which Perfetto and chrome://tracing open.

Chips are processes, the servers of resources threads, tasks complete slices that last as long as the task
holds its resource. Counters show each chip's power and traffic, arrows the critical path. The format is
that of "Trace Event Format" (Google, 2016): JSON, times in microseconds.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.errors import ArchsimError, Finding
from archsim.report.timeline_counters import Counter, counters
from archsim.report.timeline_limits import NO_LAYER, UNLIMITED, Limits, Window, check_known
from archsim.report.timeline_threads import Lanes, deal
from archsim.results.energy import operation_name
from archsim.results.output import fresh_file
from archsim.task_graph import TaskGraph

_CHUNK = 20_000  # events that are text at a time: Ctrl-C waits for no more
_SAMPLE = 1000  # slices whose length is measured to estimate a file's
_COMPRESSION = 4  # of gzip: half the time of the usual 9 for a tenth more bytes
_CRITICAL = '"cat":"critical path","name":"critical path"'


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """What is drawn of a run.

    Args: start: (tasks,) cycles; lanes: the tasks that are drawn; counters: of each chip; path: tasks of
        the critical path in the order of time, of which those that are drawn are joined by arrows.
    """

    graph: TaskGraph
    start: NDArray[np.int64]
    clock_ghz: float
    lanes: Lanes
    counters: tuple[Counter, ...]
    path: NDArray[np.int64]

    @property
    def slices(self) -> int:
        """Tasks that are drawn."""
        return len(self.lanes.tasks)

    def estimated_bytes(self) -> int:
        """About how long the file will be, before compression: measured on slices here and there."""
        rows = np.unique(np.linspace(0, self.slices - 1, _SAMPLE).astype(np.int64))
        return sum(map(len, _slices(self, rows))) * self.slices // len(rows)


def build_timeline(
    graph: TaskGraph,
    start: NDArray[np.int64],
    clock_ghz: float,
    prices: Mapping[str, tuple[Charge, ...]],
    *,
    limits: Limits = UNLIMITED,
    path: Sequence[int] | NDArray[np.int64] = (),
) -> Timeline:
    """Choose what to draw of one inference.

    Args: start: (tasks,) cycles; prices: what each action charges; path: task numbers in the order of
        time. Layers and classes limit slices and arrows, the window also limits the counters.
    Raises: ArchsimError: for a layer or a class that there is not, or when nothing is left to draw.
    """
    check_known(limits, *_layers_and_classes(graph))
    window, holding = limits.window, graph.resource >= 0
    until = start + np.maximum(graph.occupancy, holding)
    first, last = window.start_ns * clock_ghz, window.end_ns * clock_ghz
    chosen = holding & _of_layers(graph, limits) & _of_classes(graph, limits)
    inside = chosen & (start < last) & (until > first)
    if not inside.any():
        raise ArchsimError(_nothing(window, start[chosen], until[chosen], clock_ghz))
    # where the counters begin and end: at whole cycles that cover what the window shows of the run
    span = int(first), math.ceil(min(last, max(until.max(), start[graph.exit])))
    return Timeline(
        graph,
        start,
        clock_ghz,
        deal(graph, start, np.flatnonzero(inside)),
        tuple(counters(graph, start, prices, clock_ghz, span)),
        np.asarray(path, dtype=np.int64),
    )


def write_timeline(path: str | Path, timeline: Timeline) -> None:
    """Write the file chunk by chunk, whole or not at all; compressed where its name ends with ``.gz``.

    Raises: OutputError: when it cannot be written; the place is then as it was before.
    """
    with fresh_file(path) as file, ExitStack() as stack:
        out = file
        if str(path).endswith(".gz"):
            # no name and no time in the header: equal timelines are equal bytes
            packed = gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0)
            out = cast(BinaryIO, stack.enter_context(packed))
        for text in timeline_text(timeline):
            out.write(text.encode())


def timeline_text(timeline: Timeline) -> Iterator[str]:
    """The file's text in pieces of bounded size."""
    separator = '{"displayTimeUnit":"ns","traceEvents":[\n'
    for events in _events(timeline):
        if events:
            yield separator + ",\n".join(events)
            separator = ",\n"
    yield "\n]}\n"


def _events(timeline: Timeline) -> Iterator[list[str]]:
    """All events, as JSON, some at a time."""
    yield list(_names(timeline))
    for first in range(0, timeline.slices, _CHUNK):
        yield _slices(timeline, np.arange(first, min(first + _CHUNK, timeline.slices)))
    for counter in timeline.counters:
        yield list(_counter(timeline, counter))
    yield from _arrows(timeline)


def _names(timeline: Timeline) -> Iterator[str]:
    """Names and order of processes and threads.

    Their numbers are unique in the file and begin at 1: to Perfetto, thread 0 is the idle one, and a thread
    with the number of its process the main one.
    """
    chips = {thread.chip for thread in timeline.lanes.threads} | {each.chip for each in timeline.counters}
    for chip in sorted(chips):
        process = f'"ph":"M","pid":{chip + 1}'
        yield f'{{{process},"name":"process_name","args":{{"name":"chip {chip}"}}}}'
        yield f'{{{process},"name":"process_sort_index","args":{{"sort_index":{chip}}}}}'
    for number, thread in zip(_thread_ids(timeline), timeline.lanes.threads, strict=True):
        row = f'"ph":"M","pid":{thread.chip + 1},"tid":{number}'
        yield f'{{{row},"name":"thread_name","args":{{"name":{json.dumps(thread.name)}}}}}'
        yield f'{{{row},"name":"thread_sort_index","args":{{"sort_index":{number}}}}}'


def _slices(timeline: Timeline, rows: NDArray[np.int64]) -> list[str]:
    """The slices of some rows of the lanes."""
    graph, tasks = timeline.graph, timeline.lanes.tasks[rows]
    begin = timeline.start[tasks]
    ts = _ticks(timeline, begin)
    duration = _ticks(timeline, begin + graph.occupancy[tasks]) - ts
    per_us = _ticks_per_us(timeline)
    where = _wheres(timeline)
    names, tags = _names_and_tags(graph)
    columns = (
        timeline.lanes.thread[rows],
        ts / per_us,
        duration / per_us,
        graph.operation[tasks],
        graph.token[tasks],
        graph.latency[tasks] / timeline.clock_ghz,
    )
    return [
        f'{{"ph":"X",{where[thread]},"ts":{time},"dur":{long},{names[op]} token {token}",{tags[op]}'
        f'"token":{token},"latency_ns":{latency}}}}}'
        if token >= 0
        else f'{{"ph":"X",{where[thread]},"ts":{time},"dur":{long},{names[op]}",{tags[op]}'
        f'"latency_ns":{latency}}}}}'
        for thread, time, long, op, token, latency in zip(*(each.tolist() for each in columns), strict=True)
    ]


def _names_and_tags(graph: TaskGraph) -> tuple[list[str], list[str]]:
    """Of each operation: its name, with the quotation mark open for the token; its category and layer."""
    names, tags = [], []
    for index, (operation, layer) in enumerate(zip(graph.operations, graph.layers, strict=True)):
        names.append(f'"name":{json.dumps(operation)[:-1]}')
        of_layer = "" if layer == NO_LAYER else f'"layer":{layer},'
        tags.append(f'"cat":{json.dumps(operation_name(graph, index))},"args":{{{of_layer}')
    return names, tags


def _counter(timeline: Timeline, counter: Counter) -> Iterator[str]:
    """The means of a counter, each where it differs from the one before, and 0 at the end."""
    head = f'{{"ph":"C","pid":{counter.chip + 1},"name":{json.dumps(counter.name)},"ts":'
    keys = [json.dumps(name) for name in ("total", *counter.series)]
    rows = list(counter.series.values())
    values = np.append(np.array([sum(rows), *rows]), np.zeros((len(keys), 1)), axis=1)
    times = _ticks(timeline, counter.edges) / _ticks_per_us(timeline)
    before = ""
    for time, means in zip(times.tolist(), values.T.tolist(), strict=True):
        args = ",".join(f"{key}:{mean:.6g}" for key, mean in zip(keys, means, strict=True))
        if args != before:
            yield f'{head}{time},"args":{{{args}}}}}'
        before = args


def _arrows(timeline: Timeline) -> Iterator[list[str]]:
    """An arrow from each task of the critical path that is drawn to the next one."""
    row_of = np.full(len(timeline.graph), -1, dtype=np.int64)
    row_of[timeline.lanes.tasks] = np.arange(timeline.slices)
    rows = row_of[timeline.path]
    rows = rows[rows >= 0]
    where = _wheres(timeline)
    for first in range(0, len(rows) - 1, _CHUNK):
        some = rows[first : first + _CHUNK + 1]
        times = _ticks(timeline, timeline.start[timeline.lanes.tasks[some]]) / _ticks_per_us(timeline)
        ends = [
            f'{where[thread]},"ts":{time}}}'
            for thread, time in zip(timeline.lanes.thread[some].tolist(), times.tolist(), strict=True)
        ]
        yield [
            event
            for number in range(len(some) - 1)
            for event in (
                f'{{"ph":"s","id":{first + number + 1},{_CRITICAL},{ends[number]}',
                f'{{"ph":"f","bp":"e","id":{first + number + 1},{_CRITICAL},{ends[number + 1]}',
            )
        ]


def _thread_ids(timeline: Timeline) -> range:
    """The number of each thread: they follow on those of the processes."""
    threads = timeline.lanes.threads
    first = max(thread.chip for thread in threads) + 2
    return range(first, first + len(threads))


def _wheres(timeline: Timeline) -> list[str]:
    """Process and thread of each thread's events."""
    threads = zip(_thread_ids(timeline), timeline.lanes.threads, strict=True)
    return [f'"pid":{thread.chip + 1},"tid":{number}' for number, thread in threads]


def _ticks_per_us(timeline: Timeline) -> int:
    """The resolution of times: nanoseconds where a cycle is whole ones, else picoseconds."""
    return 1000 if (1 / timeline.clock_ghz).is_integer() else 1_000_000


def _ticks(timeline: Timeline, cycles: NDArray[np.int64]) -> NDArray[np.float64]:
    """Times as whole ticks, so that slices which meet in cycles neither overlap nor part."""
    ticks: NDArray[np.float64] = np.rint(cycles * (_ticks_per_us(timeline) / 1000 / timeline.clock_ghz))
    return ticks


def _layers_and_classes(graph: TaskGraph) -> tuple[set[int], set[str]]:
    """Layers and classes of which a run has tasks that hold a resource."""
    operations = np.unique(graph.operation[graph.resource >= 0])
    return {graph.layers[index] for index in operations.tolist()}, {each.part for each in graph.resources}


def _of_layers(graph: TaskGraph, limits: Limits) -> NDArray[np.bool_]:
    """(tasks,) whether a task is in a layer that is asked for."""
    asked = [limits.layers is None or layer in limits.layers for layer in graph.layers]
    return np.array(asked)[graph.operation]


def _of_classes(graph: TaskGraph, limits: Limits) -> NDArray[np.bool_]:
    """(tasks,) whether a task holds a resource of a class that is asked for; of joins, anything."""
    asked = [limits.classes is None or resource.part in limits.classes for resource in graph.resources]
    return np.array([*asked, False])[graph.resource]


def _nothing(window: Window, start: NDArray[np.int64], until: NDArray[np.int64], clock_ghz: float) -> Finding:
    """Why there is nothing to draw."""
    if not len(start):
        return Finding("no task of these layers holds a resource of these classes", path="--timeline")
    first, last = start.min() / clock_ghz, until.max() / clock_ghz
    return Finding(
        f"no task that is asked for runs in {window} ns; the first one starts at {first:.12g} ns, "
        f"the last one ends at {last:.12g} ns",
        path="--timeline-window",
    )
