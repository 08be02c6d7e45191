"""Why a trace does not fit a machine: need, have, how far short, and the smallest machine that would do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from archsim.errors import Finding, MappingError
from archsim.mapping.demand import Sizing
from archsim.mapping.placement import (
    Block,
    deal_layers,
    layer_indices,
    needed_pus,
    neighbour,
    placements,
    stack,
)
from archsim.workload.operations import Section

# A section that this many PUs do not hold is said to fit nowhere.
MOST_PUS = 1 << 10


def refusals(sizing: Sizing) -> list[Finding]:
    """A finding for each kind of operation, or of values, that the part it is mapped to does not take."""
    machine = sizing.machine
    found: dict[str, Finding] = {}
    operations = [op for section in sizing.models for op in section.operations]
    for op in operations:
        part = machine.parts.get(sizing.rules.executors[op.family])
        reason = part.refuses(op, sizing.trace.precision) if part else ""
        if part and reason and reason not in found:
            message = f"{op.id} ({op.kind}) cannot run on part {part.name!r}: {reason}"
            found[reason] = Finding(message, machine.file, path=f"mapping.{op.family}")
    if sizing.pruner:
        scores = (op for op in operations if op.kind == "attention_scores")
        reason = next(
            (text for op in scores if (text := sizing.pruner.refuses(op, sizing.trace.precision))), ""
        )
        if reason:
            message = f"part {sizing.pruner.name!r} cannot prune keys: {reason}"
            found["pruner"] = Finding(message, machine.file, path="mapping.attention.pruner")
    if not sizing.linear.unit and any(op.family == "linear" for op in operations):
        message = (
            f"part {sizing.linear.name!r} holds no weights: name the part that does in mapping.linear.held"
        )
        found["linear"] = Finding(message, machine.file, path="mapping.linear")
    stored = {"attention": "keys and values", "intermediates": "queries, scores and residual vectors"}
    for role, values in stored.items():
        part = sizing.attention if role == "attention" else sizing.intermediates
        if not part.unit and any(op.family == "attention" for op in operations):
            message = f"part {part.name!r} stores nothing, but {values} must wait in it"
            found[role] = Finding(message, machine.file, path=f"mapping.{role}")
    return list(found.values())


def infeasible(sizing: Sizing) -> MappingError:
    """The error for a trace that has no placement on the machine."""
    findings = [finding for section in sizing.models for finding in _too_large(sizing, section)]
    return MappingError(findings or _chips_too_small(sizing) or [_too_few(sizing)])


def _chips_too_small(sizing: Sizing) -> list[Finding]:
    """What the parts that PUs share lack for all sections together, over all chips."""
    machine = sizing.machine
    layers = layer_indices(sizing)
    dealt = deal_layers(layers, min(len(layers), machine.total_pus)) if layers else []
    demands = [demand for some in dealt for demand in stack(sizing, some, 1).demands]
    alone = [index for index, section in enumerate(sizing.sections) if section.layer is None]
    demands += [demand for index in alone for demand in sizing.demand(sizing.model(index), 1)]
    findings = []
    for name, part in machine.chip_parts.items():
        need = math.ceil(sum(sizing.needs(demand).get(name, 0) for demand in demands))
        have = part.capacity * machine.chips
        if need > have:
            have_all = f"the machine has {have}: {need - have} short"
            message = f"{sizing.trace.model} needs {need} {part.unit} of {name!r}, {have_all}"
            advice = f"the smallest system.chips that would do is {_smallest_chips(sizing)}"
            findings.append(Finding(f"{message}; {advice}", machine.file, path="system.chips"))
    return findings


def _too_large(sizing: Sizing, section: Section) -> Iterator[Finding]:
    """What keeps one section from the machine, however many chips there are."""
    chip = sizing.machine.pus
    given = sizing.machine.mapping.tensor_parallel
    if section.layer is not None and given != "auto":
        yield from _wrong_tensor_parallel(sizing, section, given)
    elif needed_pus(sizing, section, chip) is None:
        needed = needed_pus(sizing, section, max(MOST_PUS, chip))
        advice = "no number of PUs would do"
        if needed:
            advice = f"no number of chips would do, the smallest chip.pus that would is {needed}"
        where = f"{section.name} does not fit the {_plural(chip, 'PU')} of a chip"
        message = f"{where}: the fullest needs {_lack(sizing, section, chip)}; {advice}"
        yield Finding(message, sizing.machine.file, path="chip.pus")


def _wrong_tensor_parallel(sizing: Sizing, section: Section, given: int) -> Iterator[Finding]:
    chip = sizing.machine.pus
    message = ""
    if given > chip:
        message = f"{given} PUs a layer, but a chip has {chip}, and a layer does not straddle chips"
    elif lack := _lack(sizing, section, given):
        needed = needed_pus(sizing, section, max(MOST_PUS, chip))
        advice = f"{_plural(needed, 'PU')} a layer would do" if needed else "no number of PUs would do"
        message = f"{section.name} does not fit {_plural(given, 'PU')}: the fullest needs {lack}; {advice}"
    if message:
        yield Finding(message, sizing.machine.file, path="mapping.tensor_parallel")


def _lack(sizing: Sizing, section: Section, pus: int) -> str:
    """What the fullest of ``pus`` PUs lacks for ``section``; '' where it fits."""
    return " and ".join(str(shortage) for shortage in sizing.shortages(sizing.demand(section, pus)))


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _too_few(sizing: Sizing) -> Finding:
    """The finding where every section fits a chip, but the chips are too few for all of them."""
    machine = sizing.machine
    blocks = _fewest_pus(sizing)
    outside = _outside_pus(sizing, blocks)
    layers = len(layer_indices(sizing))
    need = sum(block.pus for block in blocks) + sum(outside.values())
    wants = []
    if blocks:
        shared = len(blocks[0].sections)
        each = f"at {_plural(blocks[0].pus, 'PU')} each" if shared == 1 else f"at {shared} a PU"
        wants.append(f"{_plural(layers, 'layer')} {each}")
    wants += [f"{name} on {pus} of its own" for name, pus in outside.items()]
    short = need - machine.total_pus
    have = f"the machine has {machine.total_pus}"
    have += f": {short} short" if short > 0 else f" in chips of {machine.pus} that no layer straddles"
    message = f"{' and '.join(wants)} need {_plural(need, 'PU')}, {have}{_reason(sizing, blocks)}"
    advice = f"the smallest system.chips that would do is {_smallest_chips(sizing)}, not {machine.chips}"
    return Finding(f"{message}; {advice}", machine.file, path="system.chips")


def _fewest_pus(sizing: Sizing) -> list[Block]:
    """The layers on as few PUs as hold them, several layers on one where these fit beside each other."""
    layers = layer_indices(sizing)
    if not layers:
        return []
    limit = sizing.machine.pus
    given = sizing.machine.mapping.tensor_parallel
    models = [model for model in sizing.models if model.layer is not None]
    if given != "auto":
        return [stack(sizing, [layer], given) for layer in layers]
    per_layer = max(needed_pus(sizing, model, limit) or limit for model in models)
    blocks = [stack(sizing, [layer], per_layer) for layer in layers]
    while per_layer == 1 and len(blocks) > 1:
        fewer = [stack(sizing, some, 1) for some in deal_layers(layers, len(blocks) - 1)]
        if any(sizing.shortages(block.demands) for block in fewer):
            break
        blocks = fewer
    return blocks


def _outside_pus(sizing: Sizing, blocks: Sequence[Block]) -> dict[str, int]:
    """PUs that operations outside the layers need where they do not fit beside a layer, by section."""
    needed = {}
    for index, section in enumerate(sizing.sections):
        if section.layer is None:
            beside = neighbour(sizing, blocks, section)
            if beside is None or sizing.shortages(
                stack(sizing, [*beside.sections, index], beside.pus).demands
            ):
                limit = sizing.machine.pus
                needed[section.name] = needed_pus(sizing, sizing.model(index), limit) or limit
    return needed


def _reason(sizing: Sizing, blocks: Sequence[Block]) -> str:
    """Why layers cannot do with fewer PUs: one does not fit, or several do not fit side by side."""
    layers = layer_indices(sizing)
    if not blocks or sizing.machine.mapping.tensor_parallel != "auto":
        return ""
    if blocks[0].pus > 1:
        fewer = _plural(blocks[0].pus - 1, "PU")
        lacks = {
            model.name: _lack(sizing, model, blocks[0].pus - 1)
            for model in sizing.models
            if model.layer is not None
        }
        return next((f" (on {fewer}, {name} needs {lack})" for name, lack in lacks.items() if lack), "")
    if len(blocks) == 1:
        return ""
    shared = deal_layers(layers, len(blocks) - 1)[0]
    lack = " and ".join(str(one) for one in sizing.shortages(stack(sizing, shared, 1).demands))
    return f" ({len(shared)} layers on one PU need {lack})" if lack else ""


def _smallest_chips(sizing: Sizing) -> int:
    """The smallest number of chips with a placement; a chip for each section is always enough."""
    more = range(sizing.machine.chips + 1, len(sizing.sections) + 1)
    return next(chips for chips in more if placements(sizing, chips))
