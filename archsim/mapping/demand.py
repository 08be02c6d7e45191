"""What a section needs of each of its PUs: room for weights, and for what an inference leaves behind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from archsim.mapping.factors import exact_rate
from archsim.mapping.parallel import Rules, steps_of
from archsim.mapping.plan import Holders, Step
from archsim.mapping.traffic import Traffic, traffic_of
from archsim.parts.part import NO_SIZE, Part, Region, Size, Stored
from archsim.workload.operations import Operation, Precision, Section, Trace

if TYPE_CHECKING:
    from archsim.hardware.machine import Machine


@dataclass(frozen=True, slots=True)
class Demand:
    """What steps need of one PU; demands add up.

    Args: weights: on the part that holds them; keys_values, others: units that the cached keys and
        values, and all else that an inference leaves behind, take on their parts; pruning: units of the
        pruner that its keys take; nbytes: of keys, values and others.
    """

    weights: Size = NO_SIZE
    keys_values: int = 0
    others: int = 0
    pruning: int = 0
    nbytes: int = 0

    def __add__(self, other: Demand) -> Demand:
        return Demand(
            self.weights + other.weights,
            self.keys_values + other.keys_values,
            self.others + other.others,
            self.pruning + other.pruning,
            self.nbytes + other.nbytes,
        )


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
class Shortage:
    """A part of a PU, or of a chip, that is asked for more than it has."""

    part: str
    unit: str
    need: int
    have: int
    owner: str = "PU"

    def __str__(self) -> str:
        short = self.need - self.have
        return f"{self.need} {self.unit} of {self.part!r}, a {self.owner} has {self.have}: {short} short"


def holder_choices(machine: Machine) -> Iterator[Holders]:
    """The holders that ``mapping`` allows, the preferred ones first.

    Where room in the preferred part is short, intermediate results, which are the least and move the
    most, have the first choice, then keys and values, then weights.
    """
    mapping = machine.mapping
    for others in mapping.holders("intermediates"):
        for keys_values in mapping.holders("attention"):
            for weights in mapping.holders("linear"):
                yield Holders(weights, keys_values, others)


class Sizing:
    """Measures the sections of a trace on the PUs of a machine; equal ones are measured once.

    Args: holders: those of ``holder_choices``, by default the first of them.
    """

    def __init__(self, machine: Machine, trace: Trace, holders: Holders | None = None) -> None:
        mapping = machine.mapping
        holders = holders or next(holder_choices(machine))
        self.machine = machine
        self.trace = trace
        self.sections: tuple[Section, ...] = trace.sections
        self.traffic: Traffic = traffic_of(trace)
        self.linear: Part = machine.part(holders.weights)
        self.attention: Part = machine.part(holders.keys_values)
        self.intermediates: Part = machine.part(holders.others)
        self.multiplier: Part = machine.parts[mapping.executor("linear")]
        self.pruner: Part | None = machine.parts[mapping.pruner] if mapping.pruner else None
        self.holders = holders
        self.streamed: bool = self.multiplier is not self.linear
        self.replication: str = "none" if self.streamed else mapping.replication
        self.exact: bool = self.replication == "ideal"
        self.rules = rules_of(machine, trace, holders)
        self._steps: dict[tuple[str, int], tuple[Step, ...]] = {}
        self._demands: dict[tuple[str, int], tuple[Demand, ...]] = {}
        self._stages: dict[tuple[str, int], tuple[Stage, ...]] = {}
        self._sizes: dict[tuple[int, int, tuple[Region, ...]], Size] = {}

    @property
    def models(self) -> list[Section]:
        """The first of each kind of equal sections."""
        pairs = zip(self.sections, self.trace.models, strict=True)
        return [section for section, model in pairs if section is model]

    def model(self, index: int) -> Section:
        """The first section that equals the one at ``index``: sizes and shares are the same."""
        return self.trace.models[index]

    def steps(self, model: Section, pus: int) -> tuple[Step, ...]:
        """The steps of ``model`` on ``pus`` PUs, with one copy of the weights."""
        key = (model.name, pus)
        if key not in self._steps:
            self._steps[key] = steps_of(model.operations, tuple(range(pus)), self.rules)
        return self._steps[key]

    def stages(self, model: Section, pus: int) -> tuple[Stage, ...]:
        """The stages of ``model`` on ``pus`` PUs."""
        key = (model.name, pus)
        if key not in self._stages:
            self._stages[key] = tuple(self._stage(step) for step in self.steps(model, pus) if step.held)
        return self._stages[key]

    def _stage(self, step: Step) -> Stage:
        stored = [held.stored if held else None for held in step.held]
        precision = self.trace.precision
        interval = max(self.multiplier.interval(matrix, precision) for matrix in set(stored) if matrix)
        sizes = tuple(self.size(matrix) if matrix else NO_SIZE for matrix in stored)
        return Stage(sizes, interval, interval * self.traffic.through(step.op))

    def size(self, stored: Stored) -> Size:
        """What ``stored`` takes of the part that holds the weights."""
        key = (stored.rows, stored.columns, stored.regions)
        if key not in self._sizes:
            self._sizes[key] = self.linear.size(stored)
        return self._sizes[key]

    def demand(self, model: Section, pus: int) -> tuple[Demand, ...]:
        """What ``model`` needs of each of ``pus`` PUs."""
        key = (model.name, pus)
        if key not in self._demands:
            steps = self.steps(model, pus)
            self._demands[key] = tuple(self._demand_of_pu(steps, pu) for pu in range(pus))
        return self._demands[key]

    def _demand_of_pu(self, steps: Sequence[Step], pu: int) -> Demand:
        held = [step.held[pu] for step in steps if pu < len(step.held)]
        precision = self.trace.precision
        keys_values = cached_bytes(steps, pu, self.traffic, precision)
        others = waiting_bytes(steps, pu, self.traffic, precision, self.machine.mapping.score_slots)
        return Demand(
            sum((self.size(one.stored) for one in held if one), start=NO_SIZE),
            self.attention.cache_size(keys_values) if keys_values else 0,
            self.intermediates.cache_size(others) if others else 0,
            self.pruner.cache_size(-(-keys_values // 2)) if self.pruner else 0,
            keys_values + others,
        )

    def joint(self, demands: Sequence[Demand]) -> Demand:
        """What sections that share a PU need of it.

        Where weights are streamed, sections take turns on the PU, and what one leaves behind makes room
        for the next; but a cache that a decode goes on with stays.
        """
        total = sum(demands[1:], start=demands[0])
        if not self.streamed:
            return total
        kept = any(phase.name == "decode" for phase in self.trace.phases)
        fullest = max(demands, key=lambda demand: demand.nbytes)
        keys_values = total.keys_values if kept else max(demand.keys_values for demand in demands)
        return Demand(
            total.weights,
            keys_values,
            max(demand.others for demand in demands),
            total.pruning if kept else max(demand.pruning for demand in demands),
            total.nbytes if kept else fullest.nbytes,
        )

    def fits(self, model: Section, pus: int) -> bool:
        """Whether ``pus`` PUs hold the weights and one inference's values of ``model``."""
        return not self.shortages(self.demand(model, pus))

    def shortages(self, demands: Sequence[Demand]) -> list[Shortage]:
        """What the fullest of a chip's PUs with these ``demands`` lacks, or all together, part by part."""
        shared = self.machine.chip_parts
        found: dict[str, Fraction | int] = {}
        for demand, count in Counter(demands).items():
            for name, need in self.needs(demand).items():
                before = found.get(name, 0)
                found[name] = before + count * need if name in shared else max(before, need)
        return [
            Shortage(name, part.unit, math.ceil(need), part.capacity, "chip" if name in shared else "PU")
            for name, need in found.items()
            if need > (part := self.machine.part(name)).capacity
        ]

    def needs(self, demand: Demand) -> dict[str, Fraction | int]:
        """Units of each part that the weights and one inference's values take, by its name."""
        needs: dict[str, Fraction | int] = dict(self.values(demand))
        weights = demand.weights.exact if self.exact else demand.weights.units
        needs[self.linear.name] = needs.get(self.linear.name, 0) + weights
        return needs

    def values(self, demand: Demand) -> dict[str, int]:
        """Units that one inference's values take of each part that stores some, by its name."""
        units: dict[str, int] = {}
        for part, need in (
            (self.attention, demand.keys_values),
            (self.intermediates, demand.others),
            (self.pruner, demand.pruning),
        ):
            if part and need:
                units[part.name] = units.get(part.name, 0) + need
        return units

    def room(self, demand: Demand) -> int:
        """Units of the part that holds the weights which the values of one inference leave to them."""
        return self.linear.capacity - self.values(demand).get(self.linear.name, 0)


def rules_of(machine: Machine, trace: Trace, holders: Holders) -> Rules:
    """What a machine's ``mapping`` section and a trace's precision say about the steps."""
    mapping = machine.mapping
    return Rules(
        executors={
            "linear": mapping.executor("linear"),
            "attention": mapping.executor("attention"),
            "nonlinear": mapping.nonlinear,
            "embedding": mapping.embedding,
        },
        holder=holders.weights,
        modes=tuple(machine.part(holders.weights).modes),
        svd=mapping.svd,
        tensor_split=mapping.tensor_split,
        slc_rate=exact_rate(mapping.slc_rate),
        bits=trace.precision.weight_bits,
    )


def _share(step: Step, pu: int) -> Operation | None:
    return step.shares[pu] if pu < len(step.shares) else None


def cached_bytes(steps: Sequence[Step], pu: int, traffic: Traffic, precision: Precision) -> int:
    """Bytes of the keys and values of one inference on the ``pu``-th PU of a group.

    Scores cache K, context caches V: KV heads * head size for each key of each sequence.
    """
    elements = 0
    for step in steps:
        share = _share(step, pu) if step.op.family == "attention" else None
        if share is not None:
            elements += share.kv_heads * share.head_size * traffic.keys * traffic.batch
    return -(-elements * precision.activation_bits // 8)


def waiting_bytes(
    steps: Sequence[Step], pu: int, traffic: Traffic, precision: Precision, score_slots: int
) -> int:
    """Bytes of the other values that one inference leaves on the ``pu``-th PU of a group with attention.

    The queries of a whole pass and, on the root, its residual vectors wait until all keys are there; a
    causal prefill needs fewer, but is given the same (assumption: conservative). ``score_slots`` tokens
    have scores in flight.
    """
    bits = 0
    for step in steps:
        share = _share(step, pu) if step.op.kind == "attention_scores" else None
        if share is not None:
            bits += share.heads * share.head_size * traffic.together * precision.activation_bits
            bits += share.heads * traffic.keys * score_slots * precision.score_bits
    if bits and pu == 0:
        residual = max((step.op.width for step in steps if step.op.kind == "add"), default=0)
        bits += residual * traffic.together * precision.activation_bits
    return -(-bits // 8)
