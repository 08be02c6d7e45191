"""The integer special function unit: adders, multipliers and shifters in place of floating-point pipelines.

Softmax, GELU and normalisation are computed with whole numbers: exponentials by a shift and a short
polynomial, roots and reciprocals by a few iterations, scales by a multiplication and a shift (dyadic).
Results leave as whole numbers of the next operation's scale, so that nothing is dequantised in between.

Source: FLARE (arXiv 2411.14733) has the idea; I-BERT (ICML 2021) the kernels that operations are counted of.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, Section
from archsim.parts.facts import MachineFacts
from archsim.parts.sfu import Passes, Sfu, check_operations

Number = Annotated[float, Field(ge=0, le=10**6)]
Units = Annotated[int, Field(ge=1, le=10**4)]


class ElementWork(Section):
    """What one element of an operation takes, all its passes and its requantisation together."""

    additions: Number
    """Additions, subtractions and comparisons."""
    multiplications: Number
    """Products."""
    shifts: Number
    """Shifts by any distance."""


class LaneModel(Section):
    """What stands behind each of the inputs that enter a unit in a cycle."""

    adders: Units
    """Adders of a lane."""
    multipliers: Units
    """Multipliers of a lane."""
    shifters: Units
    """Shifters of a lane."""


class IntegerSfuModel(Section):
    """Special function units with whole numbers: softmax, normalisation, activation functions, sums."""

    kind: Literal["integer_sfu"]
    """Which kind of part this is."""
    count: Count
    """Units in each instance of the part that they stand in, or in the PU."""
    inside: str | None = None
    """The part that it stands in: values move between the two without the PU's bus."""
    inputs_per_cycle: Annotated[int, Field(ge=1, le=10**6)]
    """Elements that enter a unit each cycle: its lanes."""
    pipeline_cycles: Annotated[int, Field(ge=0, le=10**6)]
    """From an element's entry to its result."""
    passes: dict[str, Passes]
    """How often each operation streams its inputs through the unit."""
    work: dict[str, ElementWork]
    """What an element of each operation takes."""
    lane: LaneModel
    """What a lane consists of."""
    adder: Cost
    """One adder; an action is an addition."""
    multiplier: Cost
    """One multiplier; an action is a multiplication."""
    shifter: Cost
    """One shifter; an action is a shift."""

    @model_validator(mode="after")
    def _work_is_known_of_every_operation(self) -> Self:
        check_operations("passes", self.passes)
        check_operations("work", self.work)
        for field, has, other in (("passes", self.passes, self.work), ("work", self.work, self.passes)):
            for kind in has:
                if kind not in other:
                    lacking = "work" if field == "passes" else "passes"
                    raise ValueError(f"{field} has {kind!r}, of which {lacking} says nothing")
        return self

    @model_validator(mode="after")
    def _lanes_keep_the_pace(self) -> Self:
        for kind, work in self.work.items():
            for number, units, what in (
                (work.additions, self.lane.adders, "additions"),
                (work.multiplications, self.lane.multipliers, "multiplications"),
                (work.shifts, self.lane.shifters, "shifts"),
            ):
                if number > units * self.passes[kind]:
                    raise ValueError(
                        f"work.{kind}.{what} is {number:g}, and a lane does {units} a cycle: at most "
                        f"{units * self.passes[kind]} in {self.passes[kind]} passes"
                    )
        return self

    def build(self, name: str, count: int, machine: MachineFacts) -> Sfu:
        """The part that a machine consists of; ``count`` units in a PU."""
        return Sfu(name, count, self, machine.clock_ghz)

    def element_actions(self, kind: str) -> dict[str, float]:
        """Additions, multiplications and shifts."""
        work = self.work[kind]
        return {"addition": work.additions, "multiplication": work.multiplications, "shift": work.shifts}

    def cost_table(self, name: str, clock_ghz: float) -> CostTable:
        """Each kind of arithmetic unit is a component; one that is busy does an operation a cycle."""
        actions: dict[str, tuple[Charge, ...]] = {}
        components = []
        for action, unit, cost, a_lane in (
            ("addition", "adder", self.adder, self.lane.adders),
            ("multiplication", "multiplier", self.multiplier, self.lane.multipliers),
            ("shift", "shifter", self.shifter, self.lane.shifters),
        ):
            component, units = f"{name}.{unit}", a_lane * self.inputs_per_cycle
            energy = cost.action_pj(1 / clock_ghz, 1)
            actions[f"{name}.{action}"] = (Charge(component, energy),)
            components.append(
                Component(
                    component, cost.area_mm2 * units, energy * units * clock_ghz, cost.leakage_mw * units
                )
            )
        return CostTable(actions, tuple(components))
