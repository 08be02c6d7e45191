"""Area, leakage and energies of a whole machine, rolled up from the parts that it consists of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from archsim.cost.entry import Charge, CostTable


@dataclass(frozen=True, slots=True)
class Installed:
    """A part or medium as the machine has it.

    Args: instances: how many of them, over all chips.
    """

    name: str
    table: CostTable
    instances: int


def area_mm2(parts: Iterable[Installed]) -> dict[str, float]:
    """Area of each component, all its instances together, in mm2."""
    return {
        component.name: component.area_mm2 * part.instances
        for part in parts
        for component in part.table.components
    }


def leakage_mw(parts: Iterable[Installed]) -> float:
    """Leakage of all components together, in mW."""
    return math.fsum(
        component.leakage_mw * part.instances for part in parts for component in part.table.components
    )


def charges(parts: Iterable[Installed]) -> dict[str, tuple[Charge, ...]]:
    """What each action charges, by the action's full name."""
    return {action: charge for part in parts for action, charge in part.table.actions.items()}


def writes_per_cell(parts: Iterable[Installed], counts: dict[str, float]) -> dict[str, float]:
    """How often each part's cells are written, on average over all of them, for given action counts."""
    return {
        part.name: counts.get(part.table.write_action, 0.0) / (part.table.cells * part.instances)
        for part in parts
        if part.table.cells
    }
