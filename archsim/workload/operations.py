"""The operations that a trace is made of, and what each kind needs to be complete."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Operation:
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


@dataclass(frozen=True, slots=True)
class Trace:
    """A workload: phases of tokens that flow through one list of operations.

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
    by_id: dict[str, Operation] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {op.id: op for op in self.operations})

    @property
    def layers(self) -> int:
        """Number of layers."""
        return 1 + max((op.layer for op in self.operations if op.layer is not None), default=-1)
