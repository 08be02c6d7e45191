"""The mapping of a trace on a machine, from its operations to the finished plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from archsim.errors import MappingError
from archsim.mapping.demand import Sizing, holder_choices
from archsim.mapping.infeasible import infeasible, refusals
from archsim.mapping.placement import Placement, placements
from archsim.mapping.plan import Group, PartUse, Plan, Step, each_once
from archsim.mapping.replication import Cluster, replicate
from archsim.mapping.usage import chip_slots, part_uses, slots, whole_instead
from archsim.workload.operations import Trace

if TYPE_CHECKING:
    from archsim.hardware.machine import Machine


def map_trace(machine: Machine, trace: Trace) -> Plan:
    """Decide which part of which PU executes, holds and caches what.

    Raises: MappingError: when a part refuses an operation, or the machine is too small.
    """
    sizing, ways = _first_that_fits(machine, trace)
    replicated = [(placement, replicate(sizing, placement)) for placement in ways]
    placement, clusters = min(replicated, key=lambda way: max(cluster.slowest for cluster in way[1]))
    groups = _groups(sizing, clusters)
    busy = {pu for pus in placement.pus for pu in pus}
    chips = 1 + max(busy) // machine.pus
    parts = part_uses(sizing, clusters, chips)
    return Plan(
        groups=groups,
        holders=sizing.holders,
        parts=parts,
        replicas=_replicas(sizing, clusters),
        pus_per_layer=placement.pus_per_layer,
        chips_used=chips,
        idle_pus=machine.total_pus - len(busy),
        whole_instead=whole_instead(sizing, clusters) if sizing.exact else None,
        warnings=tuple(_warnings(sizing, groups, clusters, parts, machine.total_pus - len(busy))),
    )


def _first_that_fits(machine: Machine, trace: Trace) -> tuple[Sizing, tuple[Placement, ...]]:
    """The first choice of holders with room for everything, and the placements that it allows."""
    for holders in holder_choices(machine):
        sizing = Sizing(machine, trace, holders)
        if findings := refusals(sizing):
            raise MappingError(findings)
        if ways := placements(sizing, machine.chips):
            return sizing, ways
    raise infeasible(sizing)


def _groups(sizing: Sizing, clusters: Sequence[Cluster]) -> tuple[Group, ...]:
    """The groups in program order, with the copies of their weights."""
    groups: dict[int, Group] = {}
    shared = chip_slots(sizing, clusters)
    for number, cluster in enumerate(clusters):
        fit = min(shared, slots(sizing, cluster))
        copied = _copied(cluster)
        for pus, sections in cluster.places:
            for order, (index, steps) in enumerate(zip(sections, copied, strict=True)):
                section, model = sizing.sections[index], sizing.model(index)
                groups[index] = Group(
                    name=section.name,
                    layer=section.layer,
                    pus=pus,
                    operations=section.operations,
                    model=steps,
                    slots=fit,
                    bytes_per_inference=max(demand.nbytes for demand in sizing.demand(model, len(pus))),
                    sort=(number, order),
                )
    return tuple(groups[index] for index in range(len(groups)))


def _copied(cluster: Cluster) -> list[tuple[Step, ...]]:
    """The steps of each section of ``cluster`` with the copies of their weights."""
    copies = iter(cluster.copies)
    return [tuple([_copied_step(step, copies, cluster.speed) for step in steps]) for steps in cluster.steps]


def _copied_step(step: Step, copies: Iterator[int], speed: Fraction) -> Step:
    if not step.held:
        return step
    count = next(copies)
    return step._replace(held=each_once(lambda held: held._replace(copies=count, speed=speed), step.held))


def _replicas(sizing: Sizing, clusters: Sequence[Cluster]) -> dict[str, Fraction]:
    """Copies of the slowest stage of each group with weights, or its speed-up under ``ideal``."""
    found: dict[int, Fraction] = {}
    for cluster in clusters:
        stages = iter(zip(cluster.stages, cluster.copies, strict=True))
        for order, steps in enumerate(cluster.steps):
            own = [next(stages) for step in steps if step.held]
            if own:
                _, copies = max(own, key=lambda pair: pair[0].load / pair[1])
                found |= {sections[order]: copies * cluster.speed for _, sections in cluster.places}
    return {sizing.sections[index].name: found[index] for index in sorted(found)}


def _warnings(
    sizing: Sizing, groups: Sequence[Group], clusters: Sequence[Cluster], parts: dict[str, PartUse], idle: int
) -> Iterator[str]:
    """What an architect would want to be told about a mapping that works."""
    machine = sizing.machine
    if idle:
        yield f"{idle} of {machine.total_pus} PUs idle"
    wanted = machine.mapping.in_flight
    tightest = min(groups, key=lambda group: (group.slots, not group.bytes_per_inference))
    if wanted != "auto" and tightest.slots < wanted:
        yield (
            f"the PUs of {tightest.name} store the keys, values and intermediates of {tightest.slots} "
            f"inferences at once, mapping.in_flight asks for {wanted}"
        )
    if sizing.exact:
        whole = sum(
            len(cluster.places) * demand.weights.units for cluster in clusters for demand in cluster.demands
        )
        part = sizing.linear
        counted = parts[part.name].used if part.name in parts else 0
        if whole > counted:
            yield (
                f"replication 'ideal' counts cells: whole {part.unit} of {part.name!r} would take {whole}, "
                f"not {counted}"
            )
