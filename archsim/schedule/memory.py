"""Says before a run starts when its task graph would not fit in memory."""

from __future__ import annotations

import os
from dataclasses import replace

from archsim.errors import SimulationError
from archsim.hardware.machine import Machine
from archsim.mapping.plan import Plan
from archsim.schedule.lower import lower
from archsim.schedule.tokens import phase_tokens
from archsim.workload.operations import Trace

BYTES_PER_TASK = 400
"""Peak memory of building and running, as benchmarks/memory.py measures it (event engine)."""

SURELY_SMALL = 2_000_000
"""Graphs of fewer tasks are not worth the estimate."""


def estimated_tasks(machine: Machine, trace: Trace, plan: Plan) -> int:
    """Tasks of one inference: those of one token a phase, as often as there are tokens."""
    phases = tuple(
        replace(phase, tokens=min(phase.tokens, 1), steps=min(phase.steps, 1)) for phase in trace.phases
    )
    small = replace(trace, phases=phases, batch=1)
    counts = [len(tokens) for _, tokens in phase_tokens(trace)]
    return len(lower(machine, small, plan)) // len(phases) * sum(counts)


def check_memory(machine: Machine, trace: Trace, plan: Plan) -> None:
    """Refuse a run that needs more memory than there is.

    Raises: SimulationError: with the tasks, the memory that they need and what there is.
    """
    steps = sum(len(group.steps) * len(group.pus) for group in plan.groups)
    tokens = sum(len(tokens) for _, tokens in phase_tokens(trace))
    if steps * tokens * 4 < SURELY_SMALL:
        return
    tasks = estimated_tasks(machine, trace, plan)
    need, have = tasks * BYTES_PER_TASK, available_bytes()
    if need > have:
        raise SimulationError(
            f"one inference of {trace.model} is about {tasks:.3g} tasks, which need {need / 1e9:.1f} GB; "
            f"{have / 1e9:.1f} GB are free: {(need - have) / 1e9:.1f} GB short; "
            "use fewer tokens or decode steps"
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
