"""The trace as mapping sees it: layers, the runs of operations outside them, and how much goes through."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from archsim.workload.operations import Operation, Trace


@dataclass(frozen=True, slots=True)
class Section:
    """The operations of a layer, or consecutive operations outside the layers.

    Args: name: ``l3``, or the id of the first linear operation (else of the first one) outside;
        neighbour: the layer beside which operations outside stand (the first layer for what precedes
        it, else the one before), None for a layer and where there are no layers.
    """

    name: str
    layer: int | None
    operations: tuple[Operation, ...]
    neighbour: int | None = None

    @property
    def has_weights(self) -> bool:
        """Whether anything in it is to be held."""
        return any(op.kind == "linear" for op in self.operations)

    @property
    def content(self) -> tuple[object, ...]:
        """What decides sizes and shares: the same for equal layers."""
        place = {op.id: index for index, op in enumerate(self.operations)}
        return tuple(
            (
                *(op.kind, op.rows, op.columns, op.width, op.heads, op.kv_heads, op.head_size),
                *(op.expert is None, op.last),
                *[place.get(producer, -1) for producer in op.after],
            )
            for op in self.operations
        )


def sections_of(trace: Trace) -> tuple[Section, ...]:
    """The trace's sections in the order in which they first appear."""
    layers: dict[int, list[Operation]] = {}
    for op in trace.operations:
        if op.layer is not None:
            layers.setdefault(op.layer, []).append(op)
    sections: list[Section] = []
    seen: list[int] = []
    first = next(iter(layers), None)
    for layer, run in groupby(trace.operations, key=lambda op: op.layer):
        if layer is None:
            operations = tuple(run)
            named = next((op for op in operations if op.kind == "linear"), operations[0])
            sections.append(Section(named.id, None, operations, seen[-1] if seen else first))
        elif layer not in layers:
            continue
        else:
            sections.append(Section(f"l{layer}", layer, tuple(layers.pop(layer))))
            seen.append(layer)
    return tuple(sections)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one inference brings to the machine.

    Args: tokens: of all phases; last_tokens: those that output heads see; together: the most tokens that
        one pass brings; keys: the longest sequence; batch: sequences side by side; expert_share: of the
        tokens that one expert sees, on average.
    """

    tokens: int
    last_tokens: int
    together: int
    keys: int
    batch: int
    expert_share: Fraction

    def through(self, op: Operation) -> Fraction:
        """Tokens of one inference that take part in ``op``."""
        tokens = self.last_tokens if op.last else self.tokens
        return tokens * (self.expert_share if op.expert is not None else Fraction(1))


def traffic_of(trace: Trace) -> Traffic:
    """The traffic of one inference of ``trace``."""
    experts = trace.experts
    return Traffic(
        tokens=trace.batch * sum(phase.tokens + phase.steps for phase in trace.phases),
        last_tokens=trace.batch * sum(1 if phase.tokens else phase.steps for phase in trace.phases),
        together=trace.batch * max(max(phase.tokens, 1) for phase in trace.phases),
        keys=max(phase.tokens + phase.context + phase.steps for phase in trace.phases),
        batch=trace.batch,
        expert_share=Fraction(experts.active, experts.count) if experts else Fraction(1),
    )
