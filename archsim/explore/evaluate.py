"""Simulates points one after the other, and does once what several of them share."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

from archsim.errors import ArchsimError, SimulationError
from archsim.explore.store import Outcome, Status
from archsim.explore.structure import Timing, structure
from archsim.explore.subject import Subject
from archsim.explore.version import RESULT_VERSION
from archsim.explore.workload import trace_digest
from archsim.hardware.machine import Machine
from archsim.pipeline import Settled, prepare, priced, run_prepared, settle
from archsim.results.metrics import METRICS, metrics_of
from archsim.schedule.storage import in_flight_limit
from archsim.workload.operations import Trace

GRAPHS = 2
"""Graphs that are kept for points that differ in costs only."""

ENGINE = "fast"
"""Loading it takes half a second, once for all the points of a process."""

TIMINGS = 4
"""Runs that are kept for points whose graphs differ in counts of actions only."""

Kept = TypeVar("Kept")


class Evaluator:
    """Simulates points of one subject.

    Three things are kept from point to point: the last traces; the last graphs with their runs, which serve
    machines that differ in costs only; and the last runs, which serve graphs that differ in counts only.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._traces: _Latest[tuple[Trace, str]] = _Latest(TIMINGS)
        self._graphs: _Latest[Settled] = _Latest(GRAPHS)
        self._timings: _Latest[Settled] = _Latest(TIMINGS)

    def evaluate(self, settings: Mapping[str, Any], known: Callable[[bytes], bool]) -> Outcome | bytes:
        """The outcome of a point, or its key where it is known.

        Args: known: whether the store has the point with a key.
        """
        names = (self.subject.file, self.subject.trace.model)
        key = self.subject.request(settings)
        try:
            machine = self.subject.machine(settings)
            trace, digest = self._trace(settings)
            names = (machine.name, trace.model)
            key = _key(machine, digest, self.subject.options)
            if known(key):
                return key
            result = priced(self._settled(machine, trace, digest))
        except SimulationError as error:
            return _without_result(key, names, "failed", error)
        except ArchsimError as error:
            return _without_result(key, names, "infeasible", error)
        content = zlib.compress(result.to_compact_json().encode())
        return Outcome(key, *names, "ok", "", metrics_of(result.to_dict()), content)

    def _trace(self, settings: Mapping[str, Any]) -> tuple[Trace, str]:
        """The trace of a point, and its digest."""
        trace = self.subject.workload(settings)
        shape = (trace.phases, trace.batch)
        return self._traces.get(shape, lambda: (trace, trace_digest(trace)))

    def _settled(self, machine: Machine, trace: Trace, digest: str) -> Settled:
        """The run of a point, perhaps one that a machine with other costs had."""
        settled = self._graphs.get((structure(machine.model), digest), lambda: self._run(machine, trace))
        return replace(settled, inference=replace(settled.inference, machine=machine))

    def _run(self, machine: Machine, trace: Trace) -> Settled:
        """The run of a graph, perhaps one that a graph with other counts of actions had."""
        options = self.subject.options
        plan, graph = prepare(machine, trace, **options)
        alike = (Timing(graph), machine.mapping.in_flight, in_flight_limit(plan))
        settled = self._timings.get(
            alike, lambda: settle(run_prepared(machine, trace, plan, graph, engine=ENGINE, **options))
        )
        inference = replace(settled.inference, machine=machine, trace=trace, plan=plan, graph=graph)
        return replace(settled, inference=inference)


class _Latest(Generic[Kept]):
    """The things that were asked for last, by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Hashable, tuple[Hashable, Kept]] = {}

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """The thing of this key, made where it is not kept."""
        found = self._kept.pop(key, None)  # the one time that keys are compared, which can take long
        if found is None:
            if len(self._kept) == self._most:
                del self._kept[next(iter(self._kept))]
            found = key, make()
        self._kept[found[0]] = found
        return found[1]


def failed(subject: Subject, settings: Mapping[str, Any], reason: str) -> Outcome:
    """The outcome of a point whose simulation went wrong; it is tried again in the next sweep."""
    names = (subject.file, subject.trace.model)
    return _without_result(subject.request(settings), names, "failed", SimulationError(reason))


def _key(machine: Machine, trace: str, options: Mapping[str, Any]) -> bytes:
    """The digest of all that a result depends on."""
    content = [RESULT_VERSION, machine.content.decode(), trace, dict(options)]
    return hashlib.sha256(json.dumps(content).encode()).digest()


def _without_result(key: bytes, names: tuple[str, str], status: Status, error: ArchsimError) -> Outcome:
    """The outcome of a point that cannot be simulated."""
    reason = "; ".join(str(finding) for finding in error.findings)
    return Outcome(key, *names, status, reason, dict.fromkeys(METRICS), b"")
