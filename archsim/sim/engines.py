"""The engines by name."""

from __future__ import annotations

from archsim.errors import SimulationError, did_you_mean
from archsim.sim.engine import Engine

ENGINES = ("auto", "event", "fast")
"""``event``: SimPy components; ``fast``: compiled; ``auto``: by size. All give every task the same start."""

WORTH_COMPILED = 20_000
"""Tasks to run from which the fast engine, loading it included (0.06 s), takes less than the event engine."""


def choose_engine(name: str, tasks: int) -> type[Engine]:
    """The engine called ``name``; it is imported here, and SimPy with ``event``.

    Args: tasks: about how many are to be run, for ``auto``.
    Raises: SimulationError: when there is none of that name.
    """
    if name not in ENGINES:
        raise SimulationError(
            f"there is no engine {name!r}; engines are {', '.join(ENGINES)}{did_you_mean(name, ENGINES)}"
        )
    if name == "fast" or (name == "auto" and tasks >= WORTH_COMPILED):
        from archsim.sim.fast_engine import FastEngine

        return FastEngine
    from archsim.sim.event_engine import EventEngine

    return EventEngine
