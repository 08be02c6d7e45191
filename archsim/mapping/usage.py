"""How full the parts are, and what whole arrays would give where the mapping counts cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from archsim.mapping.demand import Sizing
from archsim.mapping.plan import PartUse, WholeInstead
from archsim.mapping.replication import Cluster, spare_units, whole_copies

UNLIMITED = 1 << 30
"""Slots of PUs on which nothing is stored: more than any stream has inferences in flight."""


def part_uses(sizing: Sizing, clusters: Sequence[Cluster], chips: int) -> dict[str, PartUse]:
    """The use of each part that holds something, copies and the values of one inference included.

    Under ``ideal`` a PU's weights take their cells, rounded up to whole units, and no copies.
    """
    machine = sizing.machine
    parts = {name: (part, machine.pus) for name, part in machine.parts.items()}
    parts |= {name: (part, 1) for name, part in machine.chip_parts.items()}
    used = dict.fromkeys((name for name, (part, _) in parts.items() if part.unit), 0)
    wasted = Fraction(0)
    for cluster in clusters:
        for size, demand in zip(cluster.held, cluster.demands, strict=True):
            units = math.ceil(size.exact) if sizing.exact else size.units
            wasted += (units - size.exact) * len(cluster.places)
            for name, need in [(sizing.linear.name, units), *sizing.values(demand).items()]:
                if name in used:
                    used[name] += need * len(cluster.places)
    return {
        name: PartUse(
            used=units,
            total=parts[name][0].capacity * parts[name][1] * chips,
            wasted=float(wasted) if name == sizing.linear.name else 0.0,
            unit=parts[name][0].unit,
        )
        for name, units in used.items()
    }


def slots(sizing: Sizing, cluster: Cluster) -> int:
    """Inferences whose keys, values and intermediates fit beside each other on every PU of ``cluster``.

    What PUs of a chip share: see ``chip_slots``.
    """
    found = UNLIMITED
    for weights, demand in zip(cluster.held, cluster.demands, strict=True):
        for name, need in sizing.values(demand).items():
            if name in sizing.machine.chip_parts:
                continue
            free = sizing.machine.parts[name].capacity
            if name == sizing.linear.name:
                # the cells that `ideal` counts are all in use but those of one inference
                free = need if sizing.exact else free - weights.units
            found = min(found, free // need)
    return found


def chip_slots(sizing: Sizing, clusters: Sequence[Cluster]) -> int:
    """Inferences whose values fit beside each other on the parts that the PUs of each chip share."""
    machine = sizing.machine
    if not machine.chip_parts:
        return UNLIMITED
    weights: dict[int, int] = {}
    values: dict[tuple[int, str], int] = {}
    for cluster in clusters:
        for pus, _ in cluster.places:
            chip = pus[0] // machine.pus
            for size, demand in zip(cluster.held, cluster.demands, strict=True):
                weights[chip] = weights.get(chip, 0) + size.units
                for name, need in sizing.values(demand).items():
                    if name in machine.chip_parts:
                        values[chip, name] = values.get((chip, name), 0) + need
    found = UNLIMITED
    for (chip, name), need in values.items():
        held = weights[chip] if name == sizing.linear.name else 0
        found = min(found, (machine.chip_parts[name].capacity - held) // need)
    return found


def whole_instead(sizing: Sizing, clusters: Sequence[Cluster]) -> WholeInstead:
    """What ``whole`` replication would give on the same PUs.

    Returns: 0 copies and cycles where whole arrays do not hold the model there.
    """
    spare = [spare_units(sizing, cluster.demands) for cluster in clusters]
    short = max(-units for of_cluster in spare for units in of_cluster)
    if short > 0:
        return WholeInstead(feasible=False, short=short, copies=0, interval_cycles=0)
    slowest, copies, interval = Fraction(-1), 1, 0
    for cluster, units in zip(clusters, spare, strict=True):
        for stage, count in zip(cluster.stages, whole_copies(cluster.stages, units), strict=True):
            if stage.load / count > slowest:
                slowest, copies, interval = stage.load / count, count, -(-stage.interval // count)
    return WholeInstead(feasible=True, short=0, copies=copies, interval_cycles=interval)
