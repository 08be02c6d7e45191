"""The engines by name."""

from __future__ import annotations

from archsim.errors import SimulationError, did_you_mean
from archsim.sim.engine import Engine
from archsim.sim.event_engine import EventEngine

ENGINES: dict[str, type[Engine]] = {"auto": EventEngine, "event": EventEngine}
"""``auto`` is the fastest there is."""


def choose_engine(name: str) -> type[Engine]:
    """The engine called ``name``.

    Raises: SimulationError: when there is none.
    """
    if name not in ENGINES:
        raise SimulationError(
            f"there is no engine {name!r}; engines are {', '.join(ENGINES)}{did_you_mean(name, ENGINES)}"
        )
    return ENGINES[name]
