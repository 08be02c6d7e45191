"""Why a trace does not fit a machine: need, have, how far short, and the smallest machine that would do."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.errors import Finding, MappingError
from archsim.mapping.demand import Sizing
from archsim.mapping.placement import deal_layers, layer_indices, needed_pus, placements, stack
from archsim.mapping.sections import Section

# A section that this many PUs do not hold is said to fit nowhere.
MOST_PUS = 1 << 12


def refusals(sizing: Sizing) -> list[Finding]:
    """A finding for each operation that the part it is mapped to refuses; equal reasons are given once."""
    found: dict[str, Finding] = {}
    for op in sizing.trace.operations:
        if op.family == "embedding":
            continue
        part = sizing.machine.parts[sizing.rules.executors[op.family]]
        reason = part.refuses(op, sizing.trace.precision)
        if reason and reason not in found:
            message = f"{op.id} ({op.kind}) cannot run on part {part.name!r}: {reason}"
            found[reason] = Finding(message, sizing.machine.file, path=f"mapping.{op.family}")
    return list(found.values())


def infeasible(sizing: Sizing) -> MappingError:
    """The error for a trace that has no placement on the machine."""
    findings = [finding for section in _distinct(sizing) for finding in _too_large(sizing, section)]
    return MappingError(findings or [_too_few(sizing)])


def _distinct(sizing: Sizing) -> Iterator[Section]:
    seen = set()
    for section in sizing.sections:
        if section.content not in seen:
            seen.add(section.content)
            yield section


def _too_large(sizing: Sizing, section: Section) -> Iterator[Finding]:
    """What keeps one section from the machine, however many chips there are."""
    chip = sizing.machine.pus
    given = sizing.machine.mapping.tensor_parallel
    if section.layer is not None and given != "auto":
        yield from _wrong_tensor_parallel(sizing, section, given)
    elif needed_pus(sizing, section, chip) is None:
        needed = needed_pus(sizing, section, MOST_PUS)
        advice = "no number of PUs would do"
        if needed:
            advice = f"no number of chips would do, the smallest chip.pus that would is {needed}"
        message = f"{section.name} does not fit the {_pus(chip)} of a chip: {_lack(sizing, section, chip)}"
        yield Finding(f"{message}; {advice}", sizing.machine.file, path="chip.pus")


def _wrong_tensor_parallel(sizing: Sizing, section: Section, given: int) -> Iterator[Finding]:
    chip = sizing.machine.pus
    message = ""
    if given > chip:
        message = f"{given} PUs a layer, but a chip has {chip}, and a layer does not straddle chips"
    elif lack := _lack(sizing, section, given):
        needed = needed_pus(sizing, section, MOST_PUS)
        advice = f"{_pus(needed)} a layer would do" if needed else "no number of PUs would do"
        message = f"{section.name} does not fit {_pus(given)}: {lack}; {advice}"
    if message:
        yield Finding(message, sizing.machine.file, path="mapping.tensor_parallel")


def _lack(sizing: Sizing, section: Section, pus: int) -> str:
    """What the fullest of ``pus`` PUs lacks for ``section``; '' where it fits."""
    return " and ".join(str(shortage) for shortage in sizing.shortages(sizing.demand(section, pus)))


def _pus(number: int) -> str:
    return f"{number} PU" if number == 1 else f"{number} PUs"


def _too_few(sizing: Sizing) -> Finding:
    """The finding where every section fits a chip, but the chips are too few for all of them."""
    machine = sizing.machine
    per_layer, outside = _smallest(sizing)
    layers = len(layer_indices(sizing))
    need = layers * per_layer + sum(outside.values())
    wants = [f"{layers} layers at {_pus(per_layer)} each"] if layers else []
    wants += [f"{name} on {pus} of its own" for name, pus in outside.items()]
    short = need - machine.total_pus
    have = f"the machine has {machine.total_pus}"
    have += (
        f": {short} short"
        if short > 0
        else f" in chips of {machine.pus}, and a layer does not straddle chips"
    )
    message = f"{' and '.join(wants)} need {_pus(need)}, {have}{_reason(sizing, per_layer)}"
    advice = f"the smallest system.chips that would do is {_smallest_chips(sizing)}, not {machine.chips}"
    return Finding(f"{message}; {advice}", machine.file, path="system.chips")


def _smallest(sizing: Sizing) -> tuple[int, dict[str, int]]:
    """PUs that a layer takes at least, and those of the sections that fit beside no layer then."""
    limit = sizing.machine.pus
    layers = [sizing.sections[index] for index in layer_indices(sizing)]
    given = sizing.machine.mapping.tensor_parallel
    per_layer = max((needed_pus(sizing, layer, limit) or limit for layer in layers), default=0)
    if given != "auto":
        per_layer = given
    outside = {}
    for index, section in enumerate(sizing.sections):
        if section.layer is None:
            beside = [i for i in layer_indices(sizing) if sizing.sections[i].layer == section.neighbour]
            if not beside or sizing.shortages(stack(sizing, [*beside, index], per_layer).demands):
                outside[section.name] = needed_pus(sizing, section, limit) or limit
    return per_layer, outside


def _reason(sizing: Sizing, per_layer: int) -> str:
    """Why layers cannot do with fewer PUs: one does not fit, or several do not fit side by side."""
    layers = layer_indices(sizing)
    if not layers or sizing.machine.mapping.tensor_parallel != "auto":
        return ""
    if per_layer > 1:
        fewer = per_layer - 1
        for index in layers:
            lack = _lack(sizing, sizing.sections[index], fewer)
            if lack:
                return f" ({sizing.sections[index].name} on {_pus(fewer)} {lack})"
    shared = deal_layers(layers, min(sizing.machine.total_pus, len(layers) - 1) or 1)[0]
    lacks = [str(shortage) for shortage in sizing.shortages(stack(sizing, shared, 1).demands)]
    return f" ({len(shared)} layers on one PU: {' and '.join(lacks)})" if lacks else ""


def _smallest_chips(sizing: Sizing) -> int:
    """The smallest number of chips with a placement; a chip for each section is always enough."""
    more = range(sizing.machine.chips + 1, len(sizing.sections) + 1)
    return next(chips for chips in more if placements(sizing, chips))
