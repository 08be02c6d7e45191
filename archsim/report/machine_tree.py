"""The tree of a machine's parts with what they cost, rolled up from the components to the system."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from archsim.cost.entry import Component, CostTable
from archsim.hardware.machine import Machine
from archsim.parts.part import Part
from archsim.parts.registry import PartModel


@dataclass(frozen=True, slots=True)
class Node:
    """``count`` instances of something in each instance of what stands around it.

    Args: own: what one instance consists of besides ``inner``.
    """

    name: str
    count: int
    own: tuple[Component, ...] = ()
    inner: tuple[Node, ...] = ()

    @property
    def area_mm2(self) -> float:
        """Area of one instance."""
        return self._sum(lambda component: component.area_mm2, lambda node: node.area_mm2)

    @property
    def peak_power_mw(self) -> float:
        """Power of one instance when all of it is busy."""
        return self._sum(lambda component: component.peak_power_mw, lambda node: node.peak_power_mw)

    @property
    def leakage_mw(self) -> float:
        """Leakage of one instance."""
        return self._sum(lambda component: component.leakage_mw, lambda node: node.leakage_mw)

    @property
    def single(self) -> bool:
        """Whether it is one component, and nothing else."""
        return len(self.own) == 1 and not self.inner

    def _sum(self, of: Callable[[Component], float], rolled: Callable[[Node], float]) -> float:
        own = (of(component) for component in self.own)
        return math.fsum((*own, *(node.count * rolled(node) for node in self.inner)))

    def to_dict(self) -> dict[str, Any]:
        """One instance, and what it consists of, as plain data."""
        return {
            "name": self.name,
            "count": self.count,
            "area_mm2": self.area_mm2,
            "peak_power_mw": self.peak_power_mw,
            "leakage_mw": self.leakage_mw,
            "components": [
                {
                    "name": component.name,
                    "area_mm2": component.area_mm2,
                    "peak_power_mw": component.peak_power_mw,
                    "leakage_mw": component.leakage_mw,
                }
                for component in self.own
            ],
            "inside": [node.to_dict() for node in self.inner],
        }


def machine_tree(machine: Machine) -> Node:
    """The system, its chips, their PUs and the parts in them."""
    bus = _medium(machine.bus.name, machine.bus.costs, 1)
    pu = Node("PU", machine.pus, (), (*_parts_inside(machine, machine.parts, None), bus))
    own = _parts_inside(machine, machine.chip_parts, None)
    shared = tuple(_medium(each.name, each.costs, 1) for each in (machine.interconnect, machine.global_bus))
    chip = Node("chip", machine.chips, (), (pu, *own, *shared))
    link = _medium(machine.chip_link.name, machine.chip_link.costs, machine.chips - 1)
    return Node("system", 1, (), (chip, link))


def _medium(name: str, costs: CostTable, count: int) -> Node:
    return Node(name, count, costs.components)


def _parts_inside(machine: Machine, parts: Mapping[str, Part], around: str | None) -> Iterator[Node]:
    """Those of ``parts`` that stand in each instance of the part ``around``, or in none."""
    owner = machine.model.pu if parts is machine.parts else machine.model.chip
    models = cast(Mapping[str, PartModel], owner.parts)
    for name, part in parts.items():
        if models[name].inside == around:
            inner = tuple(_parts_inside(machine, parts, name))
            yield Node(name, models[name].count, part.costs.components, inner)
