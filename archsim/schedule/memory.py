"""Says before a run starts when its task graph would not fit in memory."""

from __future__ import annotations

import os
from dataclasses import replace

from archsim.errors import SimulationError
from archsim.hardware.machine import Machine
from archsim.mapping.plan import Plan
from archsim.mapping.traffic import traffic_of
from archsim.parts.pieces import grouped
from archsim.schedule.lower import lower
from archsim.schedule.tokens import phase_tokens
from archsim.task_graph import Detail
from archsim.workload.operations import Phase, Trace

BYTES_PER_TASK = 500
"""Peak memory of building a graph and running one inference, as benchmarks/memory.py measures it."""

BYTES_PER_TASK_IN_FLIGHT = 50
"""The same of each further inference of a stream."""

SURELY_SMALL = 2_000_000
"""Graphs of fewer tasks are not worth the estimate."""

FEW_GROUPS = 16
"""Nor are those of so few groups of tokens, for each of which weights come in some ten thousand pieces."""


def estimated_tasks(machine: Machine, trace: Trace, plan: Plan, detail: Detail) -> int:
    """Tasks of one inference: those of a token with as many keys as the mean of its phase, for each group of
    tokens that parts take up together, and what one more token adds for the others.
    """

    def tasks_of(phase: Phase) -> int:
        return len(lower(machine, replace(trace, phases=(phase,), batch=1), plan, detail))

    together, more, tasks = _together(machine), 0, 0
    if together > 1:
        more = tasks_of(Phase("prefill", tokens=2)) - tasks_of(Phase("prefill", tokens=1))
    for _, tokens in phase_tokens(trace):
        alone = tasks_of(Phase("decode", steps=1, context=int(tokens.keys.mean()) - 1))
        groups = len(grouped(tokens, together, by_sequence=False))
        tasks += alone * groups + more * (len(tokens) - groups)
    return tasks


def _together(machine: Machine) -> int:
    """Tokens that the parts which multiply take up together."""
    executors = [machine.mapping.executor(role) for role in ("linear", "attention")]
    return max(machine.parts[name].group_tokens for name in executors)


def _groups(machine: Machine, trace: Trace) -> int:
    """Groups of tokens in one inference."""
    most = _together(machine)
    return sum(len(grouped(tokens, most, by_sequence=False)) for _, tokens in phase_tokens(trace))


def check_memory(
    machine: Machine, trace: Trace, plan: Plan, detail: Detail = "module", *, stream: bool
) -> None:
    """Refuse a run that needs more memory than there is.

    Raises: SimulationError: with the tasks, the memory that they need and what there is.
    """
    steps = sum(len(group.model) * len(group.pus) for group in plan.groups)
    tokens = traffic_of(trace).tokens
    few = _together(machine) == 1 or _groups(machine, trace) <= FEW_GROUPS
    if detail == "module" and few and steps * tokens * 4 < SURELY_SMALL:
        return
    tasks = estimated_tasks(machine, trace, plan, detail)
    in_flight = _likely_in_flight(machine, plan) if stream else 1
    need = tasks * (BYTES_PER_TASK + BYTES_PER_TASK_IN_FLIGHT * (in_flight - 1))
    have = available_bytes()
    if need > have:
        crowd, fix = ",", "use fewer tokens or decode steps"
        if in_flight > 1:
            crowd, fix = f", {in_flight} of them in flight,", f"{fix}, or run without the stream"
        if detail == "array":
            fix += ", or use detail 'module'"
        raise SimulationError(
            f"one inference of {trace.model} is about {tasks:.3g} tasks{crowd} which need "
            f"{need / 1e9:.1f} GB; {have / 1e9:.1f} GB are free: {(need - have) / 1e9:.1f} GB short; {fix}"
        )


def available_bytes() -> int:
    """Memory that is free for use, in bytes; without limit where the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 1 << 62


def _likely_in_flight(machine: Machine, plan: Plan) -> int:
    """Inferences of a stream at once: as given, or one in each stage of the pipeline."""
    given = machine.mapping.in_flight
    return len({group.pus for group in plan.groups}) if given == "auto" else given
