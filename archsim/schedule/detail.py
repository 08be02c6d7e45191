"""The levels of detail that a trace is lowered at."""

from __future__ import annotations

from archsim.errors import Finding, MappingError, SimulationError, did_you_mean
from archsim.hardware.machine import Machine
from archsim.task_graph import Detail

DETAILS: dict[str, Detail] = {"module": "module", "array": "array"}
"""``module``: one task for what a part does for a token; ``array``: one a read, conversion, row operation.

Every operation starts and ends in the same cycles at both.
"""


def choose_detail(name: str, machine: Machine) -> Detail:
    """The level of detail called ``name``.

    Raises: SimulationError: when there is none of that name; MappingError: ``array`` where the mapping
        counts cells, which make up no whole arrays.
    """
    if name not in DETAILS:
        raise SimulationError(
            f"there is no detail {name!r}; details are {', '.join(DETAILS)}{did_you_mean(name, DETAILS)}"
        )
    if name == "array" and machine.mapping.replication == "ideal":
        raise MappingError(
            Finding(
                "'ideal' counts cells, and detail 'array' needs the arrays that they stand in; "
                "use mapping.replication=whole, or detail 'module'",
                path="mapping.replication",
            )
        )
    return DETAILS[name]
