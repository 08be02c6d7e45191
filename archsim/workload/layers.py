"""The operations of a transformer: its input, one layer after the other, and its output head."""

from __future__ import annotations

from archsim.workload.models import VIT_CLASSES, VIT_INPUTS, ModelShape
from archsim.workload.operations import Operation


class OperationList:
    """Operations in program order; each method adds one and returns its id.

    The layer and the expert of the next operations are state: they are written into every operation,
    and into its id.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.layer: int | None = None
        self.expert: int | None = None

    def add(self, name: str, kind: str, *after: str, last: bool = False, **shape: int) -> str:
        """Add an operation of ``kind`` that waits for ``after``; ``shape`` are the fields of its kind."""
        prefix = "" if self.layer is None else f"l{self.layer}."
        if self.expert is not None:
            prefix += f"e{self.expert}."
        op = Operation(prefix + name, kind, self.layer, after, **shape, expert=self.expert, last=last)
        self.operations.append(op)
        return op.id

    def linear(self, name: str, after: str, rows: int, columns: int, *, last: bool = False) -> str:
        """Add a linear operation of ``rows`` inputs and ``columns`` outputs."""
        return self.add(name, "linear", after, rows=rows, columns=columns, last=last)


def add_input(shape: ModelShape, ops: OperationList) -> str:
    """What turns the input into the first layer's vectors.

    The host looks embeddings up and adds positions and token types; position embeddings and biases of
    patches are added as the patches are embedded.
    """
    if shape.architecture == "vit":
        return ops.add("patch_embedding", "linear", rows=VIT_INPUTS, columns=shape.hidden)
    vector = ops.add("embedding", "embedding", vocabulary=shape.vocabulary, width=shape.hidden)
    if shape.architecture == "bert":
        vector = _norm(shape, "embedding_norm", vector, ops)
    return vector


def add_layer(shape: ModelShape, layer: int, vector: str, ops: OperationList) -> str:
    """One layer on the vectors of ``vector``: norms before its halves, or after them in BERT."""
    ops.layer = layer
    post_norm = shape.architecture == "bert"
    source = vector if post_norm else _norm(shape, "attention_norm", vector, ops)
    vector = ops.add("attention_add", "add", _attention(shape, source, ops), vector, width=shape.hidden)
    if post_norm:
        vector = _norm(shape, "attention_norm", vector, ops)
    source = vector if post_norm else _norm(shape, "ffn_norm", vector, ops)
    ffn = _experts if shape.experts > 1 else _gated_ffn if shape.architecture == "llama" else _ffn
    vector = ops.add("ffn_add", "add", ffn(shape, source, ops), vector, width=shape.hidden)
    if post_norm:
        vector = _norm(shape, "ffn_norm", vector, ops)
    ops.layer = None
    return vector


def add_head(shape: ModelShape, vector: str, ops: OperationList) -> None:
    """What makes the model's output of the last token of each sequence."""
    hidden = shape.hidden
    if shape.architecture == "bert":
        pooled = ops.linear("pooler", vector, hidden, hidden, last=True)
        ops.add("pooler_tanh", "tanh", pooled, width=hidden, last=True)
        return
    vector = _norm(shape, "final_norm", vector, ops, last=True)
    if shape.architecture == "vit":
        ops.linear("classifier", vector, hidden, VIT_CLASSES, last=True)
        return
    logits = ops.linear("lm_head", vector, hidden, shape.vocabulary, last=True)
    ops.add("argmax", "argmax", logits, width=shape.vocabulary, last=True)


def _norm(shape: ModelShape, name: str, after: str, ops: OperationList, last: bool = False) -> str:
    kind = "rmsnorm" if shape.architecture == "llama" else "layernorm"
    return ops.add(name, kind, after, width=shape.hidden, last=last)


def _attention(shape: ModelShape, source: str, ops: OperationList) -> str:
    """Projections, rotary embedding where there is one, attention, and the output projection."""
    query = ops.linear("q", source, shape.hidden, shape.query_width)
    key = ops.linear("k", source, shape.hidden, shape.key_width)
    value = ops.linear("v", source, shape.hidden, shape.key_width)
    size = shape.head_size
    if shape.architecture == "llama":
        query = ops.add("q_rotary", "rotary", query, heads=shape.heads, head_size=size)
        key = ops.add("k_rotary", "rotary", key, heads=shape.kv_heads, head_size=size)
    heads, kv_heads = shape.heads, shape.kv_heads
    scores = ops.add("scores", "attention_scores", query, key, heads=heads, kv_heads=kv_heads, head_size=size)
    weights = ops.add("softmax", "softmax", scores, heads=heads)
    context = ops.add(
        "context", "attention_context", weights, value, heads=heads, kv_heads=kv_heads, head_size=size
    )
    return ops.linear("o", context, shape.query_width, shape.hidden)


def _ffn(shape: ModelShape, source: str, ops: OperationList) -> str:
    inner = ops.linear("ffn1", source, shape.hidden, shape.ffn)
    inner = ops.add("gelu", "gelu", inner, width=shape.ffn)
    return ops.linear("ffn2", inner, shape.ffn, shape.hidden)


def _gated_ffn(shape: ModelShape, source: str, ops: OperationList) -> str:
    gate = ops.linear("gate", source, shape.hidden, shape.ffn)
    up = ops.linear("up", source, shape.hidden, shape.ffn)
    gate = ops.add("silu", "silu", gate, width=shape.ffn)
    inner = ops.add("multiply", "multiply", gate, up, width=shape.ffn)
    return ops.linear("down", inner, shape.ffn, shape.hidden)


def _experts(shape: ModelShape, source: str, ops: OperationList) -> str:
    """A router that chooses the experts of each token, the experts, and the sum of those chosen."""
    logits = ops.linear("router", source, shape.hidden, shape.experts)
    ops.add("route", "route", logits, width=shape.experts)
    results = []
    for expert in range(shape.experts):
        ops.expert = expert
        results.append(_gated_ffn(shape, source, ops))
    ops.expert = None
    return ops.add("combine", "combine", *results, width=shape.hidden)
