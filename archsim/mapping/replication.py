"""Copies of the weights in what a PU has left: whole ones, or the paper's count of cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from archsim.mapping.demand import Demand, Sizing, Stage
from archsim.mapping.placement import Placement, stack
from archsim.mapping.plan import Step
from archsim.parts.part import Size


@dataclass(frozen=True, slots=True)
class Cluster:
    """Sections that share PUs, with their copies; equal clusters on other PUs are the same.

    Args: places: the PUs and the indices of the sections there, one for each of the equal clusters;
        steps: of each section, on PUs 0, 1, ...; stages: of all the steps with weights, in order;
        demands: of each PU, with one copy; copies: of each stage; speed: under ``ideal``, else 1;
        held: what all copies of the weights take on each PU.
    """

    places: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    steps: tuple[tuple[Step, ...], ...]
    stages: tuple[Stage, ...]
    demands: tuple[Demand, ...]
    copies: tuple[int, ...]
    speed: Fraction
    held: tuple[Size, ...]

    @property
    def slowest(self) -> Fraction:
        """Cycles that one inference takes through its slowest stage."""
        loads = (stage.load / copies for stage, copies in zip(self.stages, self.copies, strict=True))
        return max(loads, default=Fraction(0)) / self.speed


def replicate(sizing: Sizing, placement: Placement) -> tuple[Cluster, ...]:
    """The clusters of ``placement`` with the copies that ``mapping.replication`` asks for."""
    places: dict[object, list[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
    for pus, sections in placement.clusters.items():
        equal = (len(pus), *(sizing.model(index).name for index in sections))
        places.setdefault(equal, []).append((pus, sections))
    return tuple(_cluster(sizing, tuple(equal)) for equal in places.values())


def _cluster(sizing: Sizing, places: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]) -> Cluster:
    """The clusters at ``places``, of which the first stands for all."""
    pus, sections = places[0]
    steps = tuple(sizing.steps(sizing.model(index), len(pus)) for index in sections)
    stages = tuple(stage for index in sections for stage in sizing.stages(sizing.model(index), len(pus)))
    demands = tuple(stack(sizing, sections, len(pus)).demands)
    copies, speed = (1,) * len(stages), Fraction(1)
    if sizing.replication == "ideal":
        speed = ideal_speed(sizing, demands)
    elif sizing.replication == "whole":
        copies = whole_copies(stages, spare_units(sizing, demands))
    held = tuple(_held(stages, copies, pu, demand) for pu, demand in enumerate(demands))
    return Cluster(places, steps, stages, demands, copies, speed, held)


def _held(stages: Sequence[Stage], copies: Sequence[int], pu: int, demand: Demand) -> Size:
    """What all copies of the weights take on one PU, which has this demand with one copy."""
    more = [(stage.sizes[pu], count - 1) for stage, count in zip(stages, copies, strict=True) if count > 1]
    return sum((Size(size.units * count, size.exact * count) for size, count in more), start=demand.weights)


def spare_units(sizing: Sizing, demands: Sequence[Demand]) -> list[int]:
    """What each PU has left for copies beside one copy of the weights and the values of one inference."""
    return [sizing.room(demand) - demand.weights.units for demand in demands]


def ideal_speed(sizing: Sizing, demands: Sequence[Demand]) -> Fraction:
    """By how much the cells left over shorten every occupancy; the fullest PU decides."""
    return min(
        (sizing.room(demand) / demand.weights.exact for demand in demands if demand.weights.exact),
        default=Fraction(1),
    )


def whole_copies(stages: Sequence[Stage], spare: Sequence[int]) -> tuple[int, ...]:
    """Copies of each stage: the slowest, all that tie together or none, get one more until one does not fit.

    Args: spare: units left on each PU beside one copy of everything.
    """
    if not any(stage.load for stage in stages):
        return (1,) * len(stages)
    loads = _whole_loads(stages)
    copies = _certain_copies(stages, loads, spare)
    left = [
        have - sum((count - 1) * stage.sizes[pu].units for stage, count in zip(stages, copies, strict=True))
        for pu, have in enumerate(spare)
    ]
    while True:
        tied = _slowest(loads, copies)
        left = [have - sum(stages[index].sizes[pu].units for index in tied) for pu, have in enumerate(left)]
        if min(left) < 0:
            return tuple(copies)
        for index in tied:
            copies[index] += 1


def _whole_loads(stages: Sequence[Stage]) -> list[int]:
    """Whole numbers in proportion to the loads."""
    scale = math.lcm(*(stage.load.denominator for stage in stages))
    return [stage.load.numerator * (scale // stage.load.denominator) for stage in stages]


def _slowest(loads: Sequence[int], copies: Sequence[int]) -> list[int]:
    """The stages with the largest load for each of their copies."""
    found = [0]
    for index, (load, count) in enumerate(zip(loads[1:], copies[1:], strict=True), 1):
        own, largest = load * copies[found[0]], loads[found[0]] * count
        if own > largest:
            found = []
        if own >= largest:
            found.append(index)
    return found


def _certain_copies(stages: Sequence[Stage], loads: Sequence[int], spare: Sequence[int]) -> list[int]:
    """Copies that the one-by-one rule is sure to reach, so that it starts close to its end.

    With ceil(load / T) copies no stage is slower than T, and all together take less than
    sum(units * load) / T more than one copy each: T is chosen so that this is what the PU has left.
    Args: loads: of the stages, as whole numbers.
    """
    if min(spare) <= 0:
        return [1] * len(stages)
    slowest = max(
        Fraction(sum(stage.sizes[pu].units * load for stage, load in zip(stages, loads, strict=True)), have)
        for pu, have in enumerate(spare)
    )
    return [max(1, -(-load * slowest.denominator // slowest.numerator)) for load in loads]
