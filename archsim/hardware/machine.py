"""The sections of a hardware YAML, and the machine that they describe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, Field, Tag

from archsim.cost.by_kind import ByKind
from archsim.cost.entry import PLAIN, Count, Positive, Section
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Medium, Part
from archsim.parts.registry import MEDIUM_KINDS, PART_KINDS, MediumModel, PartModel

AnyPart = Annotated[Section, ByKind(PART_KINDS, "part")]
AnyMedium = Annotated[Section, ByKind(MEDIUM_KINDS, "medium")]


def _or_name(tag: str, *types: type) -> Discriminator:
    """Chooses the form in which a value is written, so that errors are about that one form."""
    return Discriminator(lambda value: tag if isinstance(value, types) else "name")


Name = Annotated[str, Tag("name")]
Names = Annotated[Name | Annotated[list[str], Field(min_length=1), Tag("names")], _or_name("names", list)]
"""A part, or several of which the first is taken where everything fits."""

ROLES = ("linear", "attention", "nonlinear", "intermediates")
"""The keys of ``mapping`` that name parts."""

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
    """For partial sums between PUs, for input and output, and for what the chip's own parts hold."""
    parts: dict[str, AnyPart] = Field(default_factory=dict)
    """Parts that all PUs of the chip share, such as off-chip DRAM, by names of your choice."""


class PuModel(Section):
    """One processing unit: a bus and the parts on it."""

    bus: AnyMedium
    """Between the parts of a PU."""
    parts: Annotated[dict[str, AnyPart], Field(min_length=1)]
    """The parts, by names of your choice."""


class LinearModel(Section):
    """Linear operations on a part that does not hold the weights."""

    on: str
    """The part that multiplies."""
    held: Names
    """The part that holds the weights, or several: the first that has room for those of the whole model."""


class AttentionModel(Section):
    """Attention on a part that does not hold keys and values."""

    on: str
    """The part that multiplies."""
    held: Names
    """The part that caches keys and values, or several: the first that has room for those of all layers."""
    pruner: str | None = None
    """The part that finds out which keys a token need not attend to."""


class MappingModel(Section):
    """How a workload uses the machine."""

    linear: Annotated[Name | Annotated[LinearModel, Tag("section")], _or_name("section", dict, Section)]
    """The part that holds static weights and multiplies with them, or one part for each."""
    attention: Annotated[Name | Annotated[AttentionModel, Tag("section")], _or_name("section", dict, Section)]
    """The part that caches keys and values and multiplies with them, or one part for each."""
    nonlinear: str
    """The part that executes softmax, normalisation, activation functions and sums."""
    intermediates: Names
    """The part that holds intermediate results, or several: the first that has room for those of all
    layers."""
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

    def executor(self, role: str) -> str:
        """The part that executes the operations of a role."""
        given: str | LinearModel | AttentionModel = getattr(self, role)
        return given if isinstance(given, str) else given.on

    def holders(self, role: str) -> tuple[str, ...]:
        """The parts that may hold what a role needs, the preferred one first."""
        given = getattr(self, role)
        names: str | list[str] = given.held if isinstance(given, LinearModel | AttentionModel) else given
        return (names,) if isinstance(names, str) else tuple(names)

    def parts_of(self, role: str) -> set[str]:
        """All parts that have to do with a role."""
        pruner = {self.pruner} if role == "attention" and self.pruner else set()
        executor = set() if role == "intermediates" else {self.executor(role)}
        return {*self.holders(role), *executor, *pruner}

    @property
    def pruner(self) -> str | None:
        """The part that prunes keys before attention, if there is one."""
        return self.attention.pruner if isinstance(self.attention, AttentionModel) else None


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


@dataclass(frozen=True, eq=False)
class Machine:
    """A machine that is ready for use.

    Args: chips: that it may use; pus: of one chip; parts: of one PU, by name; chip_parts: of one chip, which
        its PUs share; file: as the user wrote it.
    """

    name: str
    model: HardwareModel
    clock_ghz: float
    chips: int
    pus: int
    parts: dict[str, Part]
    chip_parts: dict[str, Part]
    bus: Medium
    interconnect: Medium
    global_bus: Medium
    chip_link: Medium
    mapping: MappingModel
    file: str

    @cached_property
    def content(self) -> bytes:
        """Its whole description: equal for machines of which every number is equal."""
        return self.model.model_dump_json().encode()

    @property
    def total_pus(self) -> int:
        """PUs of all chips together."""
        return self.chips * self.pus

    def part(self, name: str) -> Part:
        """The part of a PU, or of a chip, with that name."""
        return self.chip_parts[name] if name in self.chip_parts else self.parts[name]

    def instances(self, name: str) -> int:
        """Instances of the part ``name`` in one PU, or in one chip if the chip's PUs share it."""
        return instances(self._models(name), name)

    def home(self, name: str) -> str:
        """The part that ``name`` stands in and that no other stands around: itself, or the outermost."""
        models = self._models(name)
        while name in models and (around := models[name].inside) is not None:
            name = around
        return name

    def _models(self, name: str) -> Mapping[str, PartModel]:
        """The models of the parts that a PU, or a chip, has beside the part ``name``."""
        owner = self.model.chip if name in self.chip_parts else self.model.pu
        return cast(Mapping[str, PartModel], owner.parts)

    def assumptions(self) -> tuple[Assumption, ...]:
        """What the numbers of the machine assume, in the order of the YAML's schema."""
        return tuple(_assumptions(self.model, ""))


def build_machine(model: HardwareModel, file: str) -> Machine:
    """The machine that ``model`` describes; names of parts in it must exist."""
    system, chip, pu = model.system, model.chip, model.pu
    facts = MachineFacts(system.clock_ghz, system.technology_nm)
    return Machine(
        name=system.name,
        model=model,
        clock_ghz=system.clock_ghz,
        chips=system.chips,
        pus=chip.pus,
        parts=_parts(pu.parts, facts),
        chip_parts=_parts(chip.parts, facts),
        bus=_medium(pu.bus, "bus", system),
        interconnect=_medium(chip.interconnect, "interconnect", system),
        global_bus=_medium(chip.global_bus, "global_bus", system),
        chip_link=_medium(system.chip_link, "chip_link", system),
        mapping=model.mapping,
        file=file,
    )


def _parts(models: Mapping[str, Section], facts: MachineFacts) -> dict[str, Part]:
    parts = cast(Mapping[str, PartModel], models)
    return {name: part.build(name, instances(parts, name), facts) for name, part in parts.items()}


def instances(parts: Mapping[str, PartModel], name: str) -> int:
    """Instances of ``name`` in a PU or a chip: its count in each part around it, times those parts' own."""
    part = parts[name]
    return part.count * (1 if part.inside is None else instances(parts, part.inside))


def _medium(model: Section, name: str, system: SystemModel) -> Medium:
    return cast(MediumModel, model).build(name, system.clock_ghz)


def _assumptions(value: Section | dict[str, Any], path: str) -> Iterator[Assumption]:
    """All assumptions in a section, or a mapping, and below, each with the path of what it is about."""
    dot = f"{path}." if path else ""
    inside = value if isinstance(value, dict) else vars(value)
    if isinstance(value, Section):
        own = ((dot + name, text) for name, text in value.sources.items())
        for about, text in ((path, inside.get("source", "")), *own):
            if text.startswith(ASSUMPTION):
                yield Assumption(about, text.removeprefix(ASSUMPTION).strip())
    for name, inner in inside.items():
        if not isinstance(inner, PLAIN) and isinstance(inner, (Section, dict)) and name != "sources":
            yield from _assumptions(inner, dot + name)
