"""Which PUs each section gets: tensor parallel inside a layer, a pipeline over PUs and chips.

PUs are numbered through: PU i of chip c is c * PUs a chip + i. Sections take them in program order, and
none straddles two chips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from archsim.mapping.demand import Demand, Sizing
from archsim.mapping.factors import even_shares
from archsim.workload.operations import Section


@dataclass(frozen=True, slots=True)
class Placement:
    """The PUs of each section, in the order of the sections; sections on equal PUs share them.

    Args: pus_per_layer: below 1 where layers share a PU.
    """

    pus: tuple[tuple[int, ...], ...]
    pus_per_layer: int | Fraction

    @property
    def clusters(self) -> dict[tuple[int, ...], tuple[int, ...]]:
        """Indices of the sections on each set of PUs."""
        found: dict[tuple[int, ...], tuple[int, ...]] = {}
        for index, pus in enumerate(self.pus):
            found[pus] = (*found.get(pus, ()), index)
        return found


@dataclass(slots=True)
class Block:
    """Sections that share PUs, and what they need of each of these."""

    sections: list[int]
    demands: list[Demand]

    @property
    def pus(self) -> int:
        """How many PUs the sections share."""
        return len(self.demands)


def placements(sizing: Sizing, chips: int) -> tuple[Placement, ...]:
    """The ways to place a trace on ``chips`` chips with the most PUs a layer.

    Operations outside the layers stand beside the next layer on its PUs where they fit; a second way, if
    there are weights outside the layers and PUs enough, gives them PUs of their own.
    Returns: none, one or two placements.
    """
    return tuple(
        placement
        for apart in (False, True)
        if (not apart or any(section.has_weights for section in _outside(sizing)))
        and (placement := _place(sizing, chips, apart)) is not None
    )


def chips_hold(sizing: Sizing, blocks: Iterable[tuple[int, Block]]) -> bool:
    """Whether the parts that PUs of a chip share hold what ``blocks``, with their first PUs, need of them."""
    if not sizing.machine.chip_parts:
        return True
    by_chip: dict[int, list[Demand]] = {}
    for first, block in blocks:
        by_chip.setdefault(first // sizing.machine.pus, []).extend(block.demands)
    return not any(
        shortage.owner == "chip" for demands in by_chip.values() for shortage in sizing.shortages(demands)
    )


def needed_pus(sizing: Sizing, model: Section, limit: int) -> int | None:
    """The smallest number of PUs, up to ``limit``, that hold ``model``, or None.

    More PUs are taken to need no more of each, so that halving the interval finds it.
    """
    holds = 1
    while not sizing.fits(model, holds):
        if holds >= limit:
            return None
        holds = min(2 * holds, limit)
    fails = holds // 2
    while holds - fails > 1:
        middle = (holds + fails) // 2
        if sizing.fits(model, middle):
            holds = middle
        else:
            fails = middle
    return holds


def layer_indices(sizing: Sizing) -> list[int]:
    """Indices of the sections that are layers."""
    return [index for index, section in enumerate(sizing.sections) if section.layer is not None]


def stack(sizing: Sizing, sections: Sequence[int], pus: int) -> Block:
    """Sections that share ``pus`` PUs."""
    demands = [sizing.demand(sizing.model(index), pus) for index in sections]
    total = [sizing.joint(of_pu) for of_pu in zip(*demands, strict=True)]
    return Block(list(sections), total)


def deal_layers(layers: Sequence[int], pus: int) -> list[list[int]]:
    """Consecutive layers dealt to fewer ``pus``, as evenly as whole layers allow."""
    rest = iter(layers)
    return [[next(rest) for _ in range(count)] for count in even_shares(len(layers), pus)]


def _outside(sizing: Sizing) -> Iterator[Section]:
    return (section for section in sizing.sections if section.layer is None)


def _place(sizing: Sizing, chips: int, apart: bool) -> Placement | None:
    """The first arrangement of the layers with which everything fits."""
    layers = len(layer_indices(sizing))
    for blocks in _arrangements(sizing, chips):
        per_layer = Fraction(sum(block.pus for block in blocks), max(layers, 1))
        if not _settle_outside(sizing, blocks, apart):
            return None
        first_pus = _pack([block.pus for block in blocks], chips, sizing.machine.pus)
        if first_pus is not None and chips_hold(sizing, zip(first_pus, blocks, strict=True)):
            pus = {
                index: tuple(range(first, first + block.pus))
                for block, first in zip(blocks, first_pus, strict=True)
                for index in block.sections
            }
            return Placement(
                tuple(pus[index] for index in range(len(pus))),
                per_layer.numerator if per_layer.denominator == 1 else per_layer,
            )
    return None


def _arrangements(sizing: Sizing, chips: int) -> Iterator[list[Block]]:
    """Ways to lay the layers on PUs that hold them, the most PUs a layer first."""
    layers = layer_indices(sizing)
    if not layers:
        yield []
        return
    total = chips * sizing.machine.pus
    given = sizing.machine.mapping.tensor_parallel
    models = [model for model in sizing.models if model.layer is not None]
    most = min(sizing.machine.pus, total // len(layers))
    for pus in range(most, 0, -1) if given == "auto" else (int(given),):
        if all(sizing.fits(model, pus) for model in models):
            yield [stack(sizing, [layer], pus) for layer in layers]
    if given != "auto":
        return
    for shared in range(min(total, len(layers) - 1), 0, -1):
        blocks = [stack(sizing, some, 1) for some in deal_layers(layers, shared)]
        if any(sizing.shortages(block.demands) for block in blocks):
            return
        yield blocks


def _settle_outside(sizing: Sizing, blocks: list[Block], apart: bool) -> bool:
    """Add the operations outside the layers to ``blocks``, and sort these in program order.

    Args: apart: give those with weights PUs of their own.
    Returns: False where one of them fits nowhere.
    """
    for index, section in enumerate(sizing.sections):
        if section.layer is not None:
            continue
        block = None if apart and section.has_weights else neighbour(sizing, blocks, section)
        if block is not None:
            joint = zip(block.demands, sizing.demand(sizing.model(index), block.pus), strict=True)
            demands = [sizing.joint(both) for both in joint]
            if not sizing.shortages(demands):
                block.sections.append(index)
                block.demands = demands
                continue
        pus = needed_pus(sizing, sizing.model(index), sizing.machine.pus)
        if pus is None:
            return False
        blocks.append(stack(sizing, [index], pus))
    blocks.sort(key=lambda block: _program_order(sizing, block))
    return True


def neighbour(sizing: Sizing, blocks: Sequence[Block], section: Section) -> Block | None:
    """The block with the layer beside which the operations of ``section`` stand, if there is one."""
    if section.neighbour is None:
        return None
    for block in blocks:
        if any(sizing.sections[index].layer == section.neighbour for index in block.sections):
            return block
    return None


def _program_order(sizing: Sizing, block: Block) -> int:
    """The first layer of a block, or its first section, by its place in the trace."""
    layers = [index for index in block.sections if sizing.sections[index].layer is not None]
    return min(layers or block.sections)


def _pack(sizes: Sequence[int], chips: int, pus: int) -> list[int] | None:
    """The first PU of each block, in order and none over two chips; None where the chips do not suffice."""
    first_pus: list[int] = []
    next_pu = 0
    for size in sizes:
        if next_pu % pus + size > pus:
            next_pu = (next_pu // pus + 1) * pus
        first_pus.append(next_pu)
        next_pu += size
    return first_pus if next_pu <= chips * pus and max(sizes, default=0) <= pus else None
