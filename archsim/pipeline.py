"""The pipeline from a machine and a trace to a result: map, lower, run, collect."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.cost.entry import Charge
from archsim.cost.rollup import Installed, charges
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.mapping.plan import Group, Plan, Step
from archsim.parts.activity import ACTIVITY
from archsim.parts.part import Held, Part, Programming
from archsim.results.bottleneck import bottleneck, bounding_classes, times
from archsim.results.collect import Setting, collect
from archsim.results.record import Result
from archsim.schedule.detail import choose_detail
from archsim.schedule.host import OUTPUT
from archsim.schedule.lower import lower
from archsim.schedule.memory import check_memory
from archsim.schedule.storage import in_flight_limit
from archsim.schedule.tokens import Attendance, phase_tokens
from archsim.sim.chain import start_alone
from archsim.sim.engine import Engine
from archsim.sim.engines import choose_engine
from archsim.sim.stream import Stream, measure_stream
from archsim.sim.what_if import twice_as_fast
from archsim.task_graph import TaskGraph
from archsim.workload.operations import Operation, Trace

STREAM_INFERENCES = 1000
"""As many inferences as a stream may take to settle, for the choice of the engine."""


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """One inference that ran in an empty machine: what ran, and when.

    Args: options: what the result says about how it was asked for; engine: that runs it; start: (tasks,)
        cycles at which its tasks started.
    """

    machine: Machine
    trace: Trace
    plan: Plan
    options: dict[str, Any]
    engine: type[Engine]
    graph: TaskGraph
    start: NDArray[np.int64]

    @property
    def prices(self) -> dict[str, tuple[Charge, ...]]:
        """What each of its actions charges, by the action's name."""
        return charges(_installed(self.machine, self.plan.chips_used))


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """An inference with the stream that it settles in, before anything is priced.

    Args: stream: None where none was wanted; bounds: what bounds both, see ``results.bottleneck``.
    """

    inference: Inference
    stream: Stream | None
    bounds: dict[str, Any]


def simulate(
    machine: Machine,
    trace: Trace,
    *,
    engine: str = "auto",
    detail: str = "module",
    stream: bool = True,
    what_if: bool = False,
) -> Result:
    """Run one inference of ``trace`` in an empty machine, then a stream of them until it settles.

    Args: engine: ``auto``, ``event`` or ``fast``; the result does not depend on it; detail: ``module`` or
        ``array``: what is a task, which changes no cycle in which an operation starts or ends; stream:
        whether the throughput is measured, or taken from one inference at a time; what_if: whether both
        are run again with what bounds them twice as fast.
    Raises: MappingError: when the machine cannot hold the trace, or has no whole arrays for ``array``;
        SimulationError: when memory is short.
    """
    inference = run_once(machine, trace, engine=engine, detail=detail, stream=stream)
    return measure(inference, what_if=what_if)


def run_once(
    machine: Machine,
    trace: Trace,
    *,
    engine: str = "auto",
    detail: str = "module",
    stream: bool = False,
    announce: Callable[[int], None] | None = None,
) -> Inference:
    """Run one inference of ``trace`` in an empty machine, the first half of ``simulate``.

    Args: as of ``simulate``; stream: whether ``measure`` is to run one; announce: told the number of
        tasks before they run.
    Raises: as ``simulate``.
    """
    plan, graph = prepare(machine, trace, detail=detail, stream=stream)
    if announce is not None:
        announce(len(graph))
    return run_prepared(machine, trace, plan, graph, engine=engine, detail=detail, stream=stream)


def prepare(
    machine: Machine, trace: Trace, *, detail: str = "module", stream: bool = False
) -> tuple[Plan, TaskGraph]:
    """Where everything lies, and the tasks of one inference: what comes before anything runs.

    Neither depends on what things cost.
    Args, Raises: as of ``simulate``.
    """
    level = choose_detail(detail, machine)
    plan = map_trace(machine, trace)
    check_memory(machine, trace, plan, level, stream=stream)
    return plan, lower(machine, trace, plan, level)


def run_prepared(
    machine: Machine,
    trace: Trace,
    plan: Plan,
    graph: TaskGraph,
    *,
    engine: str = "auto",
    detail: str = "module",
    stream: bool = False,
) -> Inference:
    """Run one inference of what ``prepare`` gave, in an empty machine.

    Args, Raises: as of ``run_once``.
    """
    options = {"detail": detail, "stream": stream, "in_flight": machine.mapping.in_flight}
    runs = choose_engine(engine, len(graph) * (STREAM_INFERENCES if stream else 1))
    return Inference(machine, trace, plan, options, runs, graph, start_alone(graph, runs))


def measure(inference: Inference, *, what_if: bool = False) -> Result:
    """Run the stream, if there is to be one, and collect the result: the second half of ``simulate``."""
    return priced(settle(inference, what_if=what_if))


def settle(inference: Inference, *, what_if: bool = False) -> Settled:
    """Run the stream, if there is to be one, and find what bounds it: all that takes time, and no costs."""
    graph, start, runs, options = inference.graph, inference.start, inference.engine, inference.options
    limit = in_flight_limit(inference.plan)
    stream = _stream(graph, start, runs, options, limit)
    bounds = bottleneck(graph, start, stream, _media(inference.machine), limit)
    if what_if:
        for part in bounding_classes(bounds):
            faster = twice_as_fast(graph, part)
            alone = start_alone(faster, runs)
            bounds["what_if"][part] = times(faster, alone, _stream(faster, alone, runs, options, limit))
    return Settled(inference, stream, bounds)


def priced(settled: Settled) -> Result:
    """The result: counts of actions times what they cost, over the times that were measured."""
    inference = settled.inference
    setting = _setting(inference.machine, inference.trace, inference.plan, inference.options)
    return collect(setting, inference.graph, inference.start, settled.stream, settled.bounds)


def _stream(
    graph: TaskGraph,
    alone: NDArray[np.int64],
    engine: type[Engine],
    options: dict[str, Any],
    limit: int | None,
) -> Stream | None:
    """The settled stream, if one is wanted.

    Args: alone: (tasks,) the starts of one inference in an empty machine.
    """
    if not options["stream"]:
        return None
    return measure_stream(graph, engine, options["in_flight"], limit, alone)


def _media(machine: Machine) -> set[str]:
    """The classes of resources that move bytes."""
    media = (machine.bus, machine.interconnect, machine.global_bus, machine.chip_link)
    return {medium.name for medium in media}


def _setting(machine: Machine, trace: Trace, plan: Plan, options: dict[str, Any]) -> Setting:
    """What the result says about its inputs."""
    precision = trace.precision
    activity = _activity(machine, trace)
    # where parts reckon with the data of each operation, groups that are equal else may differ
    held = _held_by_part(plan.groups if activity else _first_alike(plan).values())
    macs = _Macs(trace)
    counts = [(phase, len(tokens)) for phase, tokens in macs.phases]
    per_pu = sum(part.peak_macs_per_cycle(precision) for part in machine.parts.values())
    notes = [
        text
        for part in (*machine.parts.values(), *machine.chip_parts.values())
        for text in part.warnings(held.get(part.name, ()), precision)
    ]
    return Setting(
        hardware=_hardware(machine),
        workload=_workload(trace),
        options=options | activity,
        mapping=_mapping(plan),
        installed=tuple(_installed(machine, plan.chips_used)),
        chips=plan.chips_used,
        clock_ghz=machine.clock_ghz,
        prompt_tokens=sum(count for phase, count in counts if phase.name == "prefill"),
        tokens=sum(count for _, count in counts),
        output=OUTPUT,
        macs=macs.total(plan, _stated_weights),
        executed_macs=macs.total(plan, _executed_weights),
        peak_macs_per_cycle=per_pu * machine.pus * plan.chips_used,
        programming=_programming(machine, plan),
        warnings=(*plan.warnings, *notes),
        assumptions=[{"path": each.path, "text": each.text} for each in machine.assumptions()],
    )


def _activity(machine: Machine, trace: Trace) -> dict[str, Any]:
    """Which data the times and energies of parts rest on, where that is measured or stated."""
    found = {
        name: fact.value
        for name, part in machine.parts.items()
        for fact in part.facts(trace.precision)
        if fact.label == ACTIVITY
    }
    return {"activity": found} if found else {}


def _hardware(machine: Machine) -> dict[str, Any]:
    return {
        "name": machine.name,
        "clock_ghz": machine.clock_ghz,
        "content": hashlib.sha256(machine.content).hexdigest()[:16],
    }


def _workload(trace: Trace) -> dict[str, Any]:
    prefill = sum(phase.tokens for phase in trace.phases)
    steps = sum(phase.steps for phase in trace.phases)
    return {
        "model": trace.model,
        "layers": trace.layers,
        "attention": trace.attention,
        "batch": trace.batch,
        "prefill_tokens": prefill,
        "decode_steps": steps,
        "context": next((phase.context for phase in trace.phases if phase.name == "decode"), 0),
    }


def _mapping(plan: Plan) -> dict[str, Any]:
    whole = plan.whole_instead
    return {
        "parts": {
            name: {"used": use.used, "total": use.total, "wasted": use.wasted, "unit": use.unit}
            for name, use in plan.parts.items()
        },
        "replicas": {name: float(copies) for name, copies in plan.replicas.items()},
        "pus_per_layer": float(plan.pus_per_layer),
        "chips_used": plan.chips_used,
        "idle_pus": plan.idle_pus,
        "whole_instead": whole
        and {
            "feasible": whole.feasible,
            "short": whole.short,
            "copies": whole.copies,
            "interval_cycles": whole.interval_cycles,
        },
    }


def _installed(machine: Machine, chips: int) -> Iterator[Installed]:
    """Every part and medium of the chips in use."""
    pus = chips * machine.pus
    for name, part in machine.parts.items():
        yield Installed(name, part.costs, machine.instances(name) * pus)
    for name, part in machine.chip_parts.items():
        yield Installed(name, part.costs, machine.instances(name) * chips)
    yield Installed(machine.bus.name, machine.bus.costs, pus)
    yield Installed(machine.interconnect.name, machine.interconnect.costs, chips)
    yield Installed(machine.global_bus.name, machine.global_bus.costs, chips)
    yield Installed(machine.chip_link.name, machine.chip_link.costs, chips - 1)


def _held_by_part(groups: Iterable[Group]) -> dict[str, list[Held]]:
    """Everything that is held for some groups, by the part that holds it."""
    by_part: dict[str, list[Held]] = {}
    for group in groups:
        for step in group.steps:
            for held in step.held:
                if held is not None:
                    by_part.setdefault(held.part, []).append(held)
    return by_part


def _first_alike(plan: Plan) -> dict[tuple[int, int], Group]:
    """Of the groups whose steps are the same but for names and PUs the first, by how they are sorted."""
    first: dict[tuple[int, int], Group] = {}
    for group in plan.groups:
        first.setdefault(group.sort, group)
    return first


def _stated_weights(step: Step) -> int:
    """Weights that a token meets in a step, as the trace states them: in the first of two SVD factors."""
    return 0 if step.factor else step.op.weights


def _executed_weights(step: Step) -> int:
    """Weights that a token meets in a step on all its PUs."""
    return sum(share.weights for share in step.shares if share)


class _Macs:
    """Counts the MACs of one inference of a trace."""

    def __init__(self, trace: Trace) -> None:
        self.phases = list(phase_tokens(trace))
        self._routed = trace.experts is not None
        self._attendance = Attendance(trace)
        self._counts: dict[str, int] = {}
        self._keys = sum(int(tokens.keys.sum()) for _, tokens in self.phases)

    def total(self, plan: Plan, weights: Callable[[Step], int]) -> int:
        """Of all operations: the weights of each step for each token, and what tokens attend to."""
        found: dict[Hashable, int] = {}
        total = 0
        for group in plan.groups:
            # groups of the same sort have as many, unless each layer routes tokens in its own way
            name = group.name if self._routed else group.sort
            if name not in found:
                found[name] = sum(self._of(step.op, weights(step)) for step in group.steps)
            total += found[name]
        return total

    def _of(self, op: Operation, weights: int) -> int:
        """Of an operation: ``weights`` a token, or what the tokens attend to."""
        return self._tokens(op) * weights + (op.macs(1) * self._keys if op.family == "attention" else 0)

    def _tokens(self, op: Operation) -> int:
        """Tokens that take part in an operation."""
        key = self._attendance.key(op)
        if key not in self._counts:
            taking = [(self._attendance.which(op, phase, tokens), tokens) for phase, tokens in self.phases]
            self._counts[key] = sum(len(tokens if which is None else which) for which, tokens in taking)
        return self._counts[key]


def _programming(machine: Machine, plan: Plan) -> dict[str, float]:
    """Writing all weights once: PUs side by side, no faster than each chip's global bus brings them."""
    nbytes: dict[int, int] = {}
    by_chip: dict[int, list[Held]] = {}
    time_ns = energy_pj = 0.0
    for weights, pus in _alike_pus(plan):
        own = _programmed(machine.parts, weights)
        time_ns, energy_pj = max(time_ns, own.time_ns), energy_pj + own.energy_pj * len(pus)
        of_pu = sum(
            held.stored.rows * held.stored.columns * held.stored.bits // 8 * held.copies for held in weights
        )
        for chip in (pu // machine.pus for pu in pus):
            nbytes[chip] = nbytes.get(chip, 0) + of_pu
            by_chip.setdefault(chip, []).extend(weights)
    for weights in by_chip.values():
        own = _programmed(machine.chip_parts, weights)
        time_ns, energy_pj = max(time_ns, own.time_ns), energy_pj + own.energy_pj
    arrival = int(machine.global_bus.cycles(max(nbytes.values(), default=0))) / machine.clock_ghz
    return {"time_ns": max(time_ns, arrival), "energy_pj": energy_pj}


def _alike_pus(plan: Plan) -> Iterator[tuple[list[Held], list[int]]]:
    """What PUs hold that hold the same but for names, as the first of them does, and which PUs these are."""
    held = {
        (sort, place): [
            each for step in group.steps for each in step.held[place : place + 1] if each is not None
        ]
        for sort, group in _first_alike(plan).items()
        for place in range(len(group.pus))
    }
    places: dict[int, list[tuple[tuple[int, int], int]]] = {}
    for group in plan.groups:
        for place, pu in enumerate(group.pus):
            if held[group.sort, place]:
                places.setdefault(pu, []).append((group.sort, place))
    alike: dict[tuple[tuple[tuple[int, int], int], ...], list[int]] = {}
    for pu, own_places in places.items():
        alike.setdefault(tuple(own_places), []).append(pu)
    for same_places, pus in alike.items():
        yield [each for place in same_places for each in held[place]], pus


def _programmed(parts: Mapping[str, Part], weights: Sequence[Held]) -> Programming:
    """Writing these weights into parts that are written side by side."""
    each = [part.program([held for held in weights if held.part == name]) for name, part in parts.items()]
    time_ns = max((own.time_ns for own in each), default=0.0)
    return Programming(time_ns, sum(own.energy_pj for own in each))
