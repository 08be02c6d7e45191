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
from archsim.workload.operations import Family, Operation, Precision, Trace

if TYPE_CHECKING:
    from archsim.hardware.machine import Machine

FAMILIES: tuple[Family, ...] = ("linear", "attention", "nonlinear")


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
        if not self.unit:
            return f"part {self.part!r} holds nothing"
        return (
            f"needs {self.need} {self.unit} of {self.part!r}, a PU has {self.have}: "
            f"{self.need - self.have} short"
        )


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
        executors: dict[Family, str] = {family: getattr(mapping, family) for family in FAMILIES}
        self.rules = Rules(
            executors={**executors, "embedding": mapping.embedding},
            modes=tuple(self.linear.modes),
            svd=mapping.svd,
            slc_rate=exact_rate(mapping.slc_rate),
            bits=trace.precision.weight_bits,
        )
        self.exact = mapping.replication == "ideal"
        self._content = {section.name: section.content for section in self.sections}
        self._demands: dict[tuple[tuple[object, ...], int], tuple[Demand, ...]] = {}
        self._sizes: dict[tuple[int, int, tuple[Region, ...]], Size] = {}
        self._intervals: dict[tuple[int, int, tuple[Region, ...]], int] = {}

    def size(self, stored: Stored) -> Size:
        """What ``stored`` takes of the part that holds the weights."""
        key = (stored.rows, stored.columns, stored.regions)
        if key not in self._sizes:
            self._sizes[key] = self.linear.size(stored)
        return self._sizes[key]

    def interval(self, stored: Stored) -> int:
        """Cycles between two tokens through one copy of ``stored``."""
        key = (stored.rows, stored.columns, stored.regions)
        if key not in self._intervals:
            self._intervals[key] = self.linear.interval(stored, self.trace.precision)
        return self._intervals[key]

    def demand(self, section: Section, pus: int) -> tuple[Demand, ...]:
        """What ``section`` needs of each of ``pus`` PUs."""
        key = (self._content[section.name], pus)
        if key not in self._demands:
            steps = steps_of(section.operations, tuple(range(pus)), self.rules)
            self._demands[key] = tuple(self._demand_of_pu(steps, pu) for pu in range(pus))
        return self._demands[key]

    def _demand_of_pu(self, steps: Sequence[Step], pu: int) -> Demand:
        weights = NO_SIZE
        for step in steps:
            held = step.held[pu] if pu < len(step.held) else None
            if held is not None:
                weights = weights + self.size(held.stored)
        keys_values = cached_bytes(steps, pu, self.traffic, self.trace.precision)
        others = waiting_bytes(
            steps, pu, self.traffic, self.trace.precision, self.machine.mapping.score_slots
        )
        return Demand(
            weights,
            self.attention.cache_size(keys_values) if keys_values else 0,
            self.intermediates.cache_size(others) if others else 0,
            keys_values + others,
        )

    def shortages(self, demands: Iterable[Demand]) -> list[Shortage]:
        """What the fullest of PUs with these ``demands`` lack, part by part."""
        worst: dict[str, Shortage] = {}
        for demand in demands:
            for part, need in self._needs(demand).items():
                have = self.machine.parts[part].capacity
                if need > have and (part not in worst or need > worst[part].need):
                    worst[part] = Shortage(part, self.machine.parts[part].unit, math.ceil(need), have)
        return list(worst.values())

    def _needs(self, demand: Demand) -> dict[str, Fraction]:
        needs: dict[str, Fraction] = {}
        weights = demand.weights.exact if self.exact else Fraction(demand.weights.units)
        for part, need in (
            (self.linear, weights),
            (self.attention, demand.keys_values),
            (self.intermediates, demand.others),
        ):
            needs[part.name] = needs.get(part.name, Fraction(0)) + need
        return needs

    def reserved(self, demand: Demand) -> int:
        """Units of the part that holds the weights that one inference's values take from it."""
        values = ((self.attention, demand.keys_values), (self.intermediates, demand.others))
        return sum(units for part, units in values if part.name == self.linear.name)


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
