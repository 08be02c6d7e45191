"""The sections of a hardware YAML, and the machine that they describe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from archsim.cost.entry import Count, Positive, Section
from archsim.hardware.kinds import ByKind
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Medium, Part
from archsim.parts.registry import MEDIUM_KINDS, PART_KINDS, MediumModel, PartModel

AnyPart = Annotated[Section, ByKind(PART_KINDS, "part")]
AnyMedium = Annotated[Section, ByKind(MEDIUM_KINDS, "medium")]

ROLES = ("linear", "attention", "nonlinear", "intermediates")
"""The keys of ``mapping`` that name a part."""

ASSUMPTION = "assumption:"
"""How a source begins that is an assumption."""


class SystemModel(Section):
    """The chips, and what they have in common."""

    name: Annotated[str, Field(min_length=1)]
    """What reports call the machine."""
    clock_ghz: Positive
    """The clock that all cycles are counted in."""
    technology_nm: Positive
    """The node at which the costs hold."""
    chips: Count
    """Chips that the machine may use; a model takes as many of them as it needs."""
    chip_link: AnyMedium
    """Between consecutive chips."""


class ChipModel(Section):
    """One chip: its PUs and what connects them."""

    pus: Count
    """PUs of a chip."""
    interconnect: AnyMedium
    """From PU to PU."""
    global_bus: AnyMedium
    """For partial sums between PUs, and for input and output."""


class PuModel(Section):
    """One processing unit: a bus and the parts on it."""

    bus: AnyMedium
    """Between the parts of a PU."""
    parts: Annotated[dict[str, AnyPart], Field(min_length=1)]
    """The parts, by names of your choice."""


class MappingModel(Section):
    """How a workload uses the machine."""

    linear: str
    """The part that holds static weights and multiplies with them."""
    attention: str
    """The part that multiplies queries with keys, and scores with values."""
    nonlinear: str
    """The part that executes softmax, normalisation, activation functions and sums."""
    intermediates: str
    """The part that holds keys, values and intermediate results."""
    embedding: Literal["host"] = "host"
    """Who looks embeddings up: the host, which sends the vectors over the global bus."""
    slc_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the ranks that is stored as SLC; only where the part of ``linear`` has such modes."""
    svd: Literal["none", "hard_threshold"] = "none"
    """Whether a weight matrix is kept whole, or as two factors at the hard-threshold rank."""
    replication: Literal["none", "whole", "ideal"] = "whole"
    """Copies in spare arrays: none, whole copies in whole arrays, or by cells as if nothing fragmented."""
    tensor_parallel: Literal["auto"] | Count = "auto"
    """PUs that share a layer, or ``auto``: what it needs, and what is left."""
    tensor_split: Literal["rows", "columns"] = "rows"
    """How a tensor-parallel matrix whose input is split goes on: ``rows`` adds partial sums over the global
    bus, ``columns`` gathers the input over the interconnect."""
    in_flight: Literal["auto"] | Count = "auto"
    """Inferences that run at the same time, or ``auto``: as many as raise the throughput."""
    score_slots: Count
    """Tokens whose attention scores a PU stores between the two products of attention."""


class HardwareModel(Section):
    """A whole hardware YAML."""

    system: SystemModel
    """The chips, and what they have in common."""
    chip: ChipModel
    """One chip: its PUs and what connects them."""
    pu: PuModel
    """One processing unit: a bus and the parts on it."""
    mapping: MappingModel
    """How a workload uses the machine."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number that rests on an assumption.

    Args: path: of the field or the cost, such as ``pu.bus.latency_ns``; text: the assumption.
    """

    path: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """A machine that is ready for use.

    Args: chips: that it may use; pus: of one chip; parts: of one PU, by name; file: as the user wrote it.
    """

    name: str
    model: HardwareModel
    clock_ghz: float
    chips: int
    pus: int
    parts: dict[str, Part]
    bus: Medium
    interconnect: Medium
    global_bus: Medium
    chip_link: Medium
    mapping: MappingModel
    file: str

    @property
    def total_pus(self) -> int:
        """PUs of all chips together."""
        return self.chips * self.pus

    def instances(self, name: str) -> int:
        """Instances of the part ``name`` in one PU."""
        return instances(cast(Mapping[str, PartModel], self.model.pu.parts), name)

    def home(self, name: str) -> str:
        """The part on the PU's bus that ``name`` stands in: itself, or the outermost around it."""
        models = cast(Mapping[str, PartModel], self.model.pu.parts)
        while name in models and (around := models[name].inside) is not None:
            name = around
        return name

    def assumptions(self) -> tuple[Assumption, ...]:
        """What the numbers of the machine assume, in the order of the YAML's schema."""
        return tuple(_assumptions(self.model, ""))


def build_machine(model: HardwareModel, file: str) -> Machine:
    """The machine that ``model`` describes; names of parts in it must exist."""
    system, chip, pu = model.system, model.chip, model.pu
    facts = MachineFacts(system.clock_ghz, system.technology_nm)
    models = cast(Mapping[str, PartModel], pu.parts)
    return Machine(
        name=system.name,
        model=model,
        clock_ghz=system.clock_ghz,
        chips=system.chips,
        pus=chip.pus,
        parts={name: part.build(name, instances(models, name), facts) for name, part in models.items()},
        bus=_medium(pu.bus, "bus", system),
        interconnect=_medium(chip.interconnect, "interconnect", system),
        global_bus=_medium(chip.global_bus, "global_bus", system),
        chip_link=_medium(system.chip_link, "chip_link", system),
        mapping=model.mapping,
        file=file,
    )


def instances(parts: Mapping[str, PartModel], name: str) -> int:
    """Instances of ``name`` in one PU: its count in each part that it stands in, times those parts' own."""
    part = parts[name]
    return part.count * (1 if part.inside is None else instances(parts, part.inside))


def _medium(model: Section, name: str, system: SystemModel) -> Medium:
    return cast(MediumModel, model).build(name, system.clock_ghz)


def _assumptions(value: Any, path: str) -> Iterator[Assumption]:
    """All assumptions in a section and below, each with the path of what it is about."""
    dot = f"{path}." if path else ""
    if isinstance(value, Section):
        own = {path: getattr(value, "source", "")}
        own |= {dot + name: text for name, text in value.sources.items()}
        for about, text in own.items():
            if text.startswith(ASSUMPTION):
                yield Assumption(about, text.removeprefix(ASSUMPTION).strip())
        value = {name: getattr(value, name) for name in type(value).model_fields if name != "sources"}
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _assumptions(inner, dot + name)
