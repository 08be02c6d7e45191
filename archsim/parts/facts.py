"""What a part may know of the machine around it when it is built."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The facts every part shares: the clock its cycles are of, and the node its costs are quoted at."""

    clock_ghz: float
    technology_nm: float
