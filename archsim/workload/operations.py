"""The operations that a trace is made of, and what each kind needs to be complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

Family = Literal["linear", "attention", "nonlinear", "embedding"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of operation is.

    Args: family: the row of the YAML's ``mapping`` section that names its executor; shape: the fields
        that a trace line must give; operands: the allowed numbers of producers (0 = the trace's input).
    """

    family: Family
    shape: tuple[str, ...]
    operands: tuple[int, int]
    meaning: str


KINDS: dict[str, Kind] = {
    "embedding": Kind("embedding", ("vocabulary", "width"), (0, 0), "rows looked up in a table, one a token"),
    "linear": Kind("linear", ("rows", "columns"), (0, 1), "static weights: rows inputs, columns outputs"),
    "attention_scores": Kind(
        "attention", ("heads", "kv_heads", "head_size"), (2, 2), "Q K^T of the operands Q, K; K is cached"
    ),
    "softmax": Kind("nonlinear", ("heads",), (1, 1), "softmax over the keys of each head"),
    "attention_context": Kind(
        "attention", ("heads", "kv_heads", "head_size"), (2, 2), "S V of the operands S, V; V is cached"
    ),
    "layernorm": Kind("nonlinear", ("width",), (0, 1), "normalisation by mean and variance"),
    "rmsnorm": Kind("nonlinear", ("width",), (0, 1), "normalisation by the root mean square"),
    "gelu": Kind("nonlinear", ("width",), (1, 1), "GELU of each element"),
    "silu": Kind("nonlinear", ("width",), (1, 1), "SiLU of each element"),
    "tanh": Kind("nonlinear", ("width",), (1, 1), "hyperbolic tangent of each element"),
    "add": Kind("nonlinear", ("width",), (1, 2), "sum of two vectors; the last operand is the residual"),
    "multiply": Kind("nonlinear", ("width",), (2, 2), "product of two vectors, element by element"),
    "rotary": Kind("nonlinear", ("heads", "head_size"), (1, 1), "rotary position embedding of each head"),
    "route": Kind("nonlinear", ("width",), (1, 1), "choice of the active experts from the router's outputs"),
    "combine": Kind("nonlinear", ("width",), (2, 4096), "weighted sum of the active experts' outputs"),
    "argmax": Kind("nonlinear", ("width",), (1, 1), "the next token: the largest of the outputs"),
}


class Operation(NamedTuple):
    """One line of a trace: an operation that every token of every phase goes through.

    Args: id: unique name, such as ``l0.q``; kind: a key of KINDS; layer: 0, 1, ... or None outside the
        layers (embeddings, heads); after: ids of the producers, in the order that the kind says;
        rows, columns: of a linear operation's weights (inputs x outputs); width: elements of a vector;
        heads, kv_heads, head_size: of attention; vocabulary: rows of an embedding table;
        expert: the expert whose tokens alone take part, or None; last: only the last token of each
        prefill and every decode token take part (output heads).
    """

    id: str
    kind: str
    layer: int | None
    after: tuple[str, ...] = ()
    rows: int = 0
    columns: int = 0
    width: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_size: int = 0
    vocabulary: int = 0
    expert: int | None = None
    last: bool = False

    @property
    def family(self) -> Family:
        """The mapping row that names this operation's executor."""
        return KINDS[self.kind].family

    @property
    def output_width(self) -> int:
        """Elements of the result for one token; 0 where it grows with the keys (scores, softmax)."""
        if self.kind == "linear":
            return self.columns
        if self.kind in ("attention_context", "rotary"):
            return self.heads * self.head_size
        if self.kind in ("attention_scores", "softmax"):
            return 0
        return 1 if self.kind == "argmax" else self.width

    @property
    def weights(self) -> int:
        """Static weights that the operation multiplies with; embedding tables are not multiplied."""
        return self.rows * self.columns

    def renamed(self, other: Operation) -> Operation:
        """The same shape as an operation of the name, the place and the producers of ``other``."""
        return Operation(
            other.id,
            self.kind,
            other.layer,
            other.after,
            self.rows,
            self.columns,
            self.width,
            self.heads,
            self.kv_heads,
            self.head_size,
            self.vocabulary,
            other.expert,
            self.last,
        )

    def macs(self, keys: int) -> int:
        """Multiply-accumulates of one token that attends to ``keys`` keys, as the trace states them."""
        if self.kind == "linear":
            return self.rows * self.columns
        if self.family == "attention":
            return self.heads * self.head_size * keys
        return 0


@dataclass(frozen=True, slots=True)
class Phase:
    """A prefill (``tokens`` tokens a sequence at once) or a decode (``steps`` tokens a sequence, one by one).

    Args: context: keys in the cache before a decode phase's first step; the tokens of a prefill that
        precedes it in the trace, or an earlier conversation's.
    """

    name: Literal["prefill", "decode"]
    tokens: int = 0
    steps: int = 0
    context: int = 0


@dataclass(frozen=True, slots=True)
class Precision:
    """Bits of each kind of value as it is stored and moved between parts."""

    weight_bits: int = 8
    activation_bits: int = 8
    score_bits: int = 12
    nonlinear_bits: int = 16
    partial_sum_bits: int = 32


@dataclass(frozen=True, slots=True)
class Experts:
    """Mixture of experts: each token goes to ``active`` of ``count``, drawn uniformly from ``seed``."""

    count: int
    active: int
    seed: int = 0


@dataclass(frozen=True)
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

    @cached_property
    def has_weights(self) -> bool:
        """Whether anything in it is to be held."""
        return any(op.kind == "linear" for op in self.operations)

    @cached_property
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


Feeds = list[list[int]]
"""Where each operation of a section takes its operands from: places in the section before, then its own."""


@dataclass(frozen=True)
class Trace:
    """A workload: phases of tokens that flow through one list of operations.

    What it says of its operations is found out once, since many machines run the same trace.

    Args: attention: ``full`` (encoders: every token attends to its whole sequence) or ``causal``;
        batch: sequences that run together in one inference.
    """

    model: str
    attention: Literal["full", "causal"]
    batch: int
    precision: Precision
    phases: tuple[Phase, ...]
    operations: tuple[Operation, ...]
    experts: Experts | None = None

    @cached_property
    def by_id(self) -> dict[str, Operation]:
        """The operations by their ids."""
        return {op.id: op for op in self.operations}

    @cached_property
    def consumers(self) -> dict[str, set[str]]:
        """The ids of the operations that take the result of each operation."""
        consumers: dict[str, set[str]] = {op.id: set() for op in self.operations}
        for op in self.operations:
            for producer in op.after:
                consumers[producer].add(op.id)
        return consumers

    @cached_property
    def outputs(self) -> tuple[Operation, ...]:
        """The operations whose results no other takes, so that they go to the host."""
        return tuple([op for op in self.operations if not self.consumers[op.id] and op.kind != "route"])

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The sections in the order in which they first appear."""
        layers: dict[int, list[Operation]] = {}
        for op in self.operations:
            if op.layer is not None:
                layers.setdefault(op.layer, []).append(op)
        sections: list[Section] = []
        seen: list[int] = []
        first = next(iter(layers), None)
        for layer, run in groupby(self.operations, key=lambda op: op.layer):
            if layer is None:
                operations = tuple(run)
                named = next((op for op in operations if op.kind == "linear"), operations[0])
                sections.append(Section(named.id, None, operations, seen[-1] if seen else first))
            elif layer in layers:
                sections.append(Section(f"l{layer}", layer, tuple(layers.pop(layer))))
                seen.append(layer)
        return tuple(sections)

    @cached_property
    def models(self) -> tuple[Section, ...]:
        """(sections,) the first section that equals each: sizes and shares are the same."""
        first: dict[object, Section] = {}
        return tuple(first.setdefault(section.content, section) for section in self.sections)

    @cached_property
    def feeds(self) -> tuple[Feeds | None, ...]:
        """(sections,) where each takes its operands from.

        None where one comes from elsewhere, where tokens are routed, or where the section before gives a
        result to others or to none.
        """
        pairs = pairwise(self.sections)
        return (None, *(self._feeds(before.operations, section.operations) for before, section in pairs))

    @property
    def layers(self) -> int:
        """Number of layers."""
        return 1 + max((op.layer for op in self.operations if op.layer is not None), default=-1)

    def _feeds(self, before: Sequence[Operation], own: Sequence[Operation]) -> Feeds | None:
        """Where one section takes its operands from, see ``feeds``."""
        places = {op.id: place for place, op in enumerate((*before, *own))}
        if not all(self.consumers[op.id] and self.consumers[op.id] <= places.keys() for op in before):
            return None
        feeds = [[places.get(producer, -1) for producer in op.after] for op in own]
        if not all(feeds) or any(-1 in producers for producers in feeds):
            return None
        return None if any(op.expert is not None or op.kind == "route" for op in own) else feeds
