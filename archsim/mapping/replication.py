"""Copies of the weights in what a PU has left: whole ones, or the paper's count of cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from archsim.mapping.demand import Demand, Sizing
from archsim.mapping.parallel import steps_of
from archsim.mapping.placement import Placement, stack
from archsim.mapping.plan import Step
from archsim.parts.part import NO_SIZE, Size


@dataclass(frozen=True, slots=True)
class Stage:
    """The weights of one step, through which tokens pass one after the other.

    Args: sizes: of one copy on each PU; interval: cycles between two tokens through one copy, of the
        slowest PU; load: cycles of one inference through one copy.
    """

    sizes: tuple[Size, ...]
    interval: int
    load: Fraction


@dataclass(frozen=True, slots=True)
class Cluster:
    """Sections that share PUs, with their copies.

    Args: sections: indices; steps: of each section; stages: of all the steps with weights, in order;
        demands: of each PU, with one copy; copies: of each stage; speed: under ``ideal``, else 1.
    """

    pus: tuple[int, ...]
    sections: tuple[int, ...]
    steps: tuple[tuple[Step, ...], ...]
    stages: tuple[Stage, ...]
    demands: tuple[Demand, ...]
    copies: tuple[int, ...]
    speed: Fraction

    @property
    def slowest(self) -> Fraction:
        """Cycles that one inference takes through its slowest stage."""
        loads = (stage.load / copies for stage, copies in zip(self.stages, self.copies, strict=True))
        return max(loads, default=Fraction(0)) / self.speed


def replicate(sizing: Sizing, placement: Placement) -> tuple[Cluster, ...]:
    """The clusters of ``placement`` with the copies that ``mapping.replication`` asks for."""
    known: dict[object, tuple[int, ...]] = {}
    clusters = []
    for pus, sections in placement.clusters.items():
        cluster = _single_copies(sizing, pus, sections)
        if sizing.machine.mapping.replication == "ideal":
            cluster = replace(cluster, speed=ideal_speed(sizing, cluster))
        elif sizing.machine.mapping.replication == "whole":
            spare = spare_units(sizing, cluster)
            key = (cluster.stages, tuple(spare))
            if key not in known:
                known[key] = whole_copies(cluster.stages, spare)
            cluster = replace(cluster, copies=known[key])
        clusters.append(cluster)
    return tuple(clusters)


def _single_copies(sizing: Sizing, pus: tuple[int, ...], sections: tuple[int, ...]) -> Cluster:
    steps = tuple(steps_of(sizing.sections[index].operations, pus, sizing.rules) for index in sections)
    stages = tuple(_stage(sizing, step) for some in steps for step in some if step.held)
    demands = tuple(stack(sizing, sections, len(pus)).demands)
    return Cluster(pus, sections, steps, stages, demands, (1,) * len(stages), Fraction(1))


def _stage(sizing: Sizing, step: Step) -> Stage:
    stored = [held.stored if held else None for held in step.held]
    interval = max(sizing.interval(matrix) for matrix in stored if matrix)
    sizes = tuple(sizing.size(matrix) if matrix else NO_SIZE for matrix in stored)
    return Stage(sizes, interval, interval * sizing.traffic.through(step.op))


def spare_units(sizing: Sizing, cluster: Cluster) -> list[int]:
    """What each PU has left for copies beside one copy of the weights and the values of one inference."""
    return [
        sizing.linear.capacity - demand.weights.units - sizing.reserved(demand) for demand in cluster.demands
    ]


def ideal_speed(sizing: Sizing, cluster: Cluster) -> Fraction:
    """By how much the cells left over shorten every occupancy; the fullest PU decides."""
    return min(
        (
            Fraction(sizing.linear.capacity - sizing.reserved(demand)) / demand.weights.exact
            for demand in cluster.demands
            if demand.weights.exact
        ),
        default=Fraction(1),
    )


def whole_copies(stages: Sequence[Stage], spare: Sequence[int]) -> tuple[int, ...]:
    """Copies of each stage: the slowest, all that tie together or none, get one more until one does not fit.

    Args: spare: units left on each PU beside one copy of everything.
    """
    if not any(stage.load for stage in stages):
        return (1,) * len(stages)
    copies = _certain_copies(stages, spare)
    left = [
        have - sum((count - 1) * stage.sizes[pu].units for stage, count in zip(stages, copies, strict=True))
        for pu, have in enumerate(spare)
    ]
    while True:
        loads = [stage.load / count for stage, count in zip(stages, copies, strict=True)]
        slowest = max(loads)
        tied = [index for index, load in enumerate(loads) if load == slowest]
        left = [have - sum(stages[index].sizes[pu].units for index in tied) for pu, have in enumerate(left)]
        if min(left) < 0:
            return tuple(copies)
        for index in tied:
            copies[index] += 1


def _certain_copies(stages: Sequence[Stage], spare: Sequence[int]) -> list[int]:
    """Copies that the one-by-one rule is sure to reach, so that it starts close to its end.

    With ceil(load / T) copies no stage is slower than T, and all together take less than
    sum(units * load) / T more than one copy each: T is chosen so that this is what the PU has left.
    """
    slowest = Fraction(0)
    for pu, have in enumerate(spare):
        if have <= 0:
            return [1] * len(stages)
        work = sum((stage.sizes[pu].units * stage.load for stage in stages), Fraction(0))
        slowest = max(slowest, work / have)
    return [max(1, math.ceil(stage.load / slowest)) for stage in stages]
