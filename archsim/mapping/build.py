"""The mapping of a trace on a machine, from its operations to the finished plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from archsim.errors import MappingError
from archsim.mapping.demand import Sizing
from archsim.mapping.infeasible import infeasible, refusals
from archsim.mapping.placement import placements
from archsim.mapping.plan import Group, PartUse, Plan, Step
from archsim.mapping.replication import Cluster, replicate
from archsim.mapping.usage import part_uses, slots, whole_instead
from archsim.workload.operations import Trace

if TYPE_CHECKING:
    from archsim.hardware.machine import Machine


def map_trace(machine: Machine, trace: Trace) -> Plan:
    """Decide which part of which PU executes, holds and caches what.

    Raises: MappingError: when a part refuses an operation, or the machine is too small.
    """
    sizing = Sizing(machine, trace)
    if findings := refusals(sizing):
        raise MappingError(findings)
    ways = placements(sizing, machine.chips)
    if not ways:
        raise infeasible(sizing)
    replicated = [(placement, replicate(sizing, placement)) for placement in ways]
    placement, clusters = min(replicated, key=lambda way: max(cluster.slowest for cluster in way[1]))
    groups = _groups(sizing, clusters)
    busy = {pu for cluster in clusters for pu in cluster.pus}
    chips = 1 + max(busy) // machine.pus
    parts = part_uses(sizing, clusters, chips)
    return Plan(
        groups=groups,
        parts=parts,
        replicas=_replicas(sizing, clusters),
        pus_per_layer=placement.pus_per_layer,
        chips_used=chips,
        idle_pus=machine.total_pus - len(busy),
        whole_instead=whole_instead(sizing, clusters) if sizing.exact else None,
        warnings=tuple(_warnings(sizing, groups, clusters, parts, machine.total_pus - len(busy))),
    )


def _groups(sizing: Sizing, clusters: Sequence[Cluster]) -> tuple[Group, ...]:
    """The groups in program order, with the copies of their weights."""
    groups: dict[int, Group] = {}
    for cluster in clusters:
        fit = slots(sizing, cluster)
        copies = iter(cluster.copies)
        for index, steps in zip(cluster.sections, cluster.steps, strict=True):
            section = sizing.sections[index]
            groups[index] = Group(
                name=section.name,
                layer=section.layer,
                pus=cluster.pus,
                steps=tuple(
                    _copied(step, next(copies), cluster.speed) if step.held else step for step in steps
                ),
                slots=fit,
                bytes_per_inference=max(demand.nbytes for demand in sizing.demand(section, len(cluster.pus))),
            )
    return tuple(groups[index] for index in range(len(groups)))


def _copied(step: Step, copies: int, speed: Fraction) -> Step:
    if copies == 1 and speed == 1:
        return step
    held = tuple(one and replace(one, copies=copies, speed=speed) for one in step.held)
    return replace(step, held=held)


def _replicas(sizing: Sizing, clusters: Sequence[Cluster]) -> dict[str, Fraction]:
    """Copies of the slowest stage of each group with weights, or its speed-up under ``ideal``."""
    found: dict[int, Fraction] = {}
    for cluster in clusters:
        stages = iter(zip(cluster.stages, cluster.copies, strict=True))
        for index, steps in zip(cluster.sections, cluster.steps, strict=True):
            own = [next(stages) for step in steps if step.held]
            if own:
                slowest = max(own, key=lambda pair: pair[0].load / pair[1])
                found[index] = slowest[1] * cluster.speed
    return {sizing.sections[index].name: found[index] for index in sorted(found)}


def _warnings(
    sizing: Sizing, groups: Sequence[Group], clusters: Sequence[Cluster], parts: dict[str, PartUse], idle: int
) -> Iterator[str]:
    """What an architect would want to be told about a mapping that works."""
    machine = sizing.machine
    if idle:
        yield f"{idle} of {machine.total_pus} PUs idle"
    wanted = machine.mapping.in_flight
    tightest = min(groups, key=lambda group: group.slots)
    if wanted != "auto" and tightest.slots < wanted:
        yield (
            f"the PUs of {tightest.name} store the keys, values and intermediates of {tightest.slots} "
            f"inferences at once, mapping.in_flight asks for {wanted}"
        )
    if sizing.exact:
        whole = sum(demand.weights.units for cluster in clusters for demand in cluster.demands)
        part = sizing.linear
        counted = parts[part.name].used if part.name in parts else 0
        if whole > counted:
            yield (
                f"replication 'ideal' counts cells: whole {part.unit} of {part.name!r} would take {whole}, "
                f"not {counted}"
            )
