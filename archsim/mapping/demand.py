"""What a section needs of each of its PUs: room for weights, and for what an inference leaves behind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from archsim.mapping.factors import exact_rate
from archsim.mapping.parallel import Rules, steps_of
from archsim.mapping.plan import Step
from archsim.mapping.sections import Section, Traffic, sections_of, traffic_of
from archsim.parts.part import NO_SIZE, Part, Region, Size, Stored
from archsim.workload.operations import Operation, Precision, Trace

if TYPE_CHECKING:
    from archsim.hardware.machine import Machine


@dataclass(frozen=True, slots=True)
class Demand:
    """What steps need of one PU; demands add up.

    Args: weights: on the part that holds them; keys_values, others: units that the cached keys and
        values, and all else that an inference leaves behind, take on their parts; nbytes: both in bytes.
    """

    weights: Size = NO_SIZE
    keys_values: int = 0
    others: int = 0
    nbytes: int = 0

    def __add__(self, other: Demand) -> Demand:
        return Demand(
            self.weights + other.weights,
            self.keys_values + other.keys_values,
            self.others + other.others,
            self.nbytes + other.nbytes,
        )


@dataclass(frozen=True, slots=True)
class Shortage:
    """A part of a PU that is asked for more than it has."""

    part: str
    unit: str
    need: int
    have: int

    def __str__(self) -> str:
        short = self.need - self.have
        return f"{self.need} {self.unit} of {self.part!r}, a PU has {self.have}: {short} short"


class Sizing:
    """Measures the sections of a trace on the PUs of a machine; equal ones are measured once."""

    def __init__(self, machine: Machine, trace: Trace) -> None:
        mapping = machine.mapping
        self.machine = machine
        self.trace = trace
        self.sections: tuple[Section, ...] = sections_of(trace)
        self.traffic: Traffic = traffic_of(trace)
        self.linear: Part = machine.parts[mapping.linear]
        self.attention: Part = machine.parts[mapping.attention]
        self.intermediates: Part = machine.parts[mapping.intermediates]
        self.exact: bool = mapping.replication == "ideal"
        self.rules = rules_of(machine, trace)
        self._first: dict[object, Section] = {}
        self._model = [self._first.setdefault(section.content, section) for section in self.sections]
        self._steps: dict[tuple[str, int], tuple[Step, ...]] = {}
        self._demands: dict[tuple[str, int], tuple[Demand, ...]] = {}
        self._sizes: dict[tuple[int, int, tuple[Region, ...]], Size] = {}

    @property
    def models(self) -> list[Section]:
        """The first of each kind of equal sections."""
        return list(self._first.values())

    def model(self, index: int) -> Section:
        """The first section that equals the one at ``index``: sizes and shares are the same."""
        return self._model[index]

    def steps(self, model: Section, pus: int) -> tuple[Step, ...]:
        """The steps of ``model`` on ``pus`` PUs, with one copy of the weights."""
        key = (model.name, pus)
        if key not in self._steps:
            self._steps[key] = steps_of(model.operations, tuple(range(pus)), self.rules)
        return self._steps[key]

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
            keys_values + others,
        )

    def fits(self, model: Section, pus: int) -> bool:
        """Whether ``pus`` PUs hold the weights and one inference's values of ``model``."""
        return not self.shortages(self.demand(model, pus))

    def shortages(self, demands: Iterable[Demand]) -> list[Shortage]:
        """What the fullest of PUs with these ``demands`` lack, part by part."""
        worst: dict[str, Shortage] = {}
        for demand in set(demands):
            for name, need in self._needs(demand).items():
                part = self.machine.parts[name]
                if need > part.capacity and (name not in worst or need > worst[name].need):
                    worst[name] = Shortage(name, part.unit, math.ceil(need), part.capacity)
        return list(worst.values())

    def _needs(self, demand: Demand) -> dict[str, Fraction | int]:
        needs: dict[str, Fraction | int] = dict(self.values(demand))
        weights = demand.weights.exact if self.exact else demand.weights.units
        needs[self.linear.name] = needs.get(self.linear.name, 0) + weights
        return needs

    def values(self, demand: Demand) -> dict[str, int]:
        """Units that one inference's values take of each part that stores some, by its name."""
        units: dict[str, int] = {}
        for part, need in ((self.attention, demand.keys_values), (self.intermediates, demand.others)):
            if need:
                units[part.name] = units.get(part.name, 0) + need
        return units

    def room(self, demand: Demand) -> int:
        """Units of the part that holds the weights which the values of one inference leave to them."""
        return self.linear.capacity - self.values(demand).get(self.linear.name, 0)


def rules_of(machine: Machine, trace: Trace) -> Rules:
    """What a machine's ``mapping`` section and a trace's precision say about the steps."""
    mapping = machine.mapping
    return Rules(
        executors={
            "linear": mapping.linear,
            "attention": mapping.attention,
            "nonlinear": mapping.nonlinear,
            "embedding": mapping.embedding,
        },
        modes=tuple(machine.parts[mapping.linear].modes),
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
