"""The description of a machine: its parts, what they hold, cost and take, and what all that assumes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from archsim.hardware.machine import ROLES, Assumption, Machine
from archsim.parts.part import Fact, Medium, Part
from archsim.report.machine_tree import Node, machine_tree
from archsim.workload.operations import Precision

WIDTH = 100
LABEL = 24

PRECISION = Precision()
"""The precision that capacities and timings are stated for: that of a trace which says nothing else."""


def describe_text(machine: Machine) -> str:
    """The description as a page of text, ending without a newline."""
    blocks = [_title(machine), "\n".join(_costs(machine_tree(machine)))]
    blocks += ["\n".join(_part(machine, part)) for part in _all_parts(machine)]
    blocks += ["\n".join(_media(machine)), "\n".join(_assumptions(machine.assumptions()))]
    return "\n\n".join(blocks)


def describe_json(machine: Machine) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "name": machine.name,
        "clock_ghz": machine.clock_ghz,
        "technology_nm": machine.model.system.technology_nm,
        "peak_tops": _peak_tops(machine),
        "tree": machine_tree(machine).to_dict(),
        "parts": {part.name: _part_json(machine, part) for part in _all_parts(machine)},
        "media": {medium.name: _facts_json(medium.facts()) for medium in _all_media(machine)},
        "assumptions": [{"path": each.path, "text": each.text} for each in machine.assumptions()],
    }


def _all_parts(machine: Machine) -> tuple[Part, ...]:
    """The parts of a PU, and those that the PUs of a chip share."""
    return (*machine.parts.values(), *machine.chip_parts.values())


def _title(machine: Machine) -> str:
    tree = machine_tree(machine)
    chips = f"{machine.chips} chip{'s' * (machine.chips > 1)} of {machine.pus} PU{'s' * (machine.pus > 1)}"
    facts = (
        f"{chips}, {machine.clock_ghz:g} GHz, {machine.model.system.technology_nm:g} nm",
        f"{tree.area_mm2:,.0f} mm2, {tree.peak_power_mw / 1000:,.0f} W with everything busy at once, "
        f"{_peak_tops(machine):,.4g} TOPS at {PRECISION.weight_bits} b",
    )
    return "\n".join((f"{machine.name} ({machine.file})", *facts))


def _peak_tops(machine: Machine) -> float:
    """Two operations a MAC, with all parts of all PUs busy."""
    macs = sum(part.peak_macs_per_cycle(PRECISION) for part in machine.parts.values())
    return 2 * macs * machine.total_pus * machine.clock_ghz / 1000


def _costs(tree: Node) -> Iterator[str]:
    """The tree as a table: one instance, and all in one of what stands around it."""
    yield f"{'':44}one of them{'':20}all of them"
    columns = f"{'area mm2':>12}{'peak mW':>14}"
    yield f"{'':24}{'count':>8}{columns}{'leakage mW':>12}{columns}"
    yield from _rows(tree, 0)


def _rows(node: Node, depth: int) -> Iterator[str]:
    one = f"{_area(node.area_mm2)}{_power(node.peak_power_mw):>14}{_power(node.leakage_mw):>12}"
    every = ""
    if node.count != 1:
        every = f"{_area(node.count * node.area_mm2)}{_power(node.count * node.peak_power_mw):>14}"
    yield f"{_indent(node.name, depth)}{node.count:>8,}{one}{every}"
    if not node.single:
        for component in node.own:
            name = component.name.removeprefix(f"{node.name}.")
            values = f"{_power(component.peak_power_mw):>14}{_power(component.leakage_mw):>12}"
            yield f"{_indent(name, depth + 1)}{'':8}{_area(component.area_mm2)}{values}"
    for inner in node.inner:
        yield from _rows(inner, depth + 1)


def _indent(name: str, depth: int) -> str:
    return f"{'  ' * depth + name:23} "


def _area(area_mm2: float) -> str:
    """12 characters, the point where it is in every other area: three decimals, five if it is small."""
    decimals = 3 if area_mm2 >= 0.01 or area_mm2 == 0 else 5
    return f"{_at_least(area_mm2, decimals) + ' ' * (5 - decimals):>12}"


def _power(power_mw: float) -> str:
    return _at_least(power_mw, 2)


def _at_least(value: float, decimals: int) -> str:
    """A number that does not show as zero unless it is."""
    least = 10.0**-decimals
    return f"<{least:.{decimals}f}" if 0 < value < least / 2 else f"{value:,.{decimals}f}"


def _part(machine: Machine, part: Part) -> Iterator[str]:
    """What a part is used for, holds and does."""
    kind, around = _kind_and_place(machine, part)
    roles = [role for role in ROLES if part.name in machine.mapping.parts_of(role)]
    yield f"{part.name}: {kind}, {around}"
    if roles:
        yield from _row("used for", ", ".join(roles))
    if part.capacity:
        yield from _row("capacity", _capacity(machine, part))
    for fact in part.facts(PRECISION):
        yield from _row(fact.label, _worded(fact))
    if peak := part.peak_macs_per_cycle(PRECISION):
        yield from _row("peak", f"{peak:,.1f} MACs a cycle a PU")


def _kind_and_place(machine: Machine, part: Part) -> tuple[str, str]:
    shared = part.name in machine.chip_parts
    model = (machine.model.chip if shared else machine.model.pu).parts[part.name]
    inside = getattr(model, "inside", None)
    where = f"inside {inside}" if inside else f"on the {'global bus' if shared else 'bus'}"
    owner = "chip" if shared else "PU"
    return getattr(model, "kind", ""), f"{machine.instances(part.name)} a {owner}, {where}"


def _capacity(machine: Machine, part: Part) -> str:
    """The factors of a capacity, from one instance to the system."""
    instances = machine.instances(part.name)
    owners = machine.chips if part.name in machine.chip_parts else machine.total_pus
    factors = [str(instances)]
    if part.name not in machine.chip_parts:
        factors.append(f"{machine.pus} PU{'s' * (machine.pus > 1)}")
    if machine.chips > 1:
        factors.append(f"{machine.chips} chips")
    one = _quantity(part.capacity / instances, part.unit)
    every = _quantity(part.capacity * owners, part.unit)
    return f"{one} x {' x '.join(factors)} = {every}"


def _row(label: str, text: str) -> list[str]:
    """A label and a text, which goes on below itself where it is long."""
    head = f"  {label:{LABEL}}  "
    return _wrapped(text, head, " " * len(head))


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)


def _worded(fact: Fact) -> str:
    if isinstance(fact.value, str):
        return f"{fact.value} {fact.unit}".rstrip()
    return _quantity(fact.value, fact.unit)


def _quantity(value: float, unit: str) -> str:
    """A number with its unit; bytes in binary multiples, where the number stays short."""
    if unit == "bytes":
        for size, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if value >= size:
                return f"{value / size:.5g} {name}"
    number = f"{int(value):,}" if value == int(value) else f"{value:,.5g}"
    return f"{number} {unit}".rstrip()


def _media(machine: Machine) -> Iterator[str]:
    yield "media"
    for medium in _all_media(machine):
        yield from _row(medium.name, ", ".join(f"{fact.label} {_worded(fact)}" for fact in medium.facts()))


def _all_media(machine: Machine) -> tuple[Medium, ...]:
    return (machine.bus, machine.interconnect, machine.global_bus, machine.chip_link)


def _assumptions(assumptions: Iterable[Assumption]) -> Iterator[str]:
    """Each assumption once, with the paths of the numbers that rest on it."""
    paths: dict[str, list[str]] = {}
    for each in assumptions:
        paths.setdefault(each.text, []).append(each.path)
    yield f"assumptions ({sum(map(len, paths.values()))} numbers)"
    for text, about in paths.items():
        times = f" ({len(about)} numbers)" if len(about) > 1 else ""
        yield from _wrapped(text + times, "  - ", "    ")
        yield from _wrapped(", ".join(about), "      ", "      ")


def _part_json(machine: Machine, part: Part) -> dict[str, Any]:
    kind, _ = _kind_and_place(machine, part)
    return {
        "kind": kind,
        "per_pu": machine.instances(part.name),
        "capacity_per_pu": part.capacity,
        "unit": part.unit,
        "peak_macs_per_cycle_and_pu": part.peak_macs_per_cycle(PRECISION),
        "facts": _facts_json(part.facts(PRECISION)),
    }


def _facts_json(facts: Iterable[Fact]) -> dict[str, Any]:
    return {fact.label: {"value": fact.value, "unit": fact.unit} for fact in facts}
