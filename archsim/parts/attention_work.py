"""How much work attention is for groups of tokens, some of whose keys may have been pruned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archsim.parts.part import Tokens, Value
from archsim.parts.pieces import Groups
from archsim.task_graph import IntArray
from archsim.workload.operations import Operation, Precision


@dataclass(frozen=True, slots=True)
class AttentionWork:
    """The products of one of attention's two operations.

    Args: keys: (tokens,) keys that each token works with; products: (tokens,) of all its heads; left_bits:
        of the operand that is not cached; nbytes: (groups,) keys or values that a group works with.
    """

    keys: IntArray
    products: IntArray
    left_bits: int
    nbytes: IntArray

    def result(self, op: Operation, precision: Precision) -> tuple[IntArray | int, int]:
        """Width and bits of each token's result."""
        if op.kind == "attention_scores":
            return self.keys * op.heads, precision.score_bits
        return op.heads * op.head_size, precision.activation_bits


def attention_work(
    op: Operation, tokens: Tokens, inputs: Sequence[Value], groups: Groups, precision: Precision
) -> AttentionWork:
    """The work of ``op``, which has one key a score, and no scores of keys that were pruned.

    A group works with the keys that any of its tokens has kept, which are taken to be chosen
    independently (assumption: neighbours in fact keep similar keys, and a group then needs fewer).
    """
    scores = op.kind == "attention_scores"
    keys = np.asarray(tokens.keys, dtype=np.int64)
    chosen = inputs[2 if len(inputs) > 2 else 0] if len(inputs) > 2 or not scores else None
    if chosen is not None:
        keys = np.broadcast_to(np.asarray(chosen.width, dtype=np.int64) // op.heads, keys.shape)
    most = groups.largest(np.asarray(tokens.keys, dtype=np.int64))
    with np.errstate(divide="ignore"):
        missed = np.exp(groups.total(np.log1p(-keys / tokens.keys)))
    used = np.ceil(most * (1 - missed) - 1e-9).astype(np.int64)
    row_bits = op.kv_heads * op.head_size * precision.activation_bits
    return AttentionWork(
        keys=keys,
        products=keys * (op.heads * op.head_size),
        left_bits=precision.activation_bits if scores else precision.score_bits,
        nbytes=-(-used * row_bits // 8),
    )
