"""What an attention waits for: the keys, or values, of all the tokens that it attends to."""

from __future__ import annotations

import numpy as np

from archsim.parts.part import Tokens
from archsim.task_graph import GraphBuilder, Wire
from archsim.workload.operations import Phase, Trace


def keys_ready(stored: Wire, tokens: Tokens, trace: Trace, phase: Phase, graph: GraphBuilder) -> Wire:
    """(tokens,) when each token may attend, given the tasks that write each token's key.

    Full attention waits for the whole sequence, causal attention for the tokens before and the token
    itself. In a decode a token's own key is enough: it has waited for the token before it.
    """
    if phase.name == "decode":
        return stored
    if trace.attention == "full":
        by_sequence = stored.reshape(trace.batch, -1)
        joins = graph.join([by_sequence], np.full(trace.batch, -1))
        return np.repeat(joins, by_sequence.shape[1])
    chain = graph.join([stored], tokens.index)
    same = tokens.sequence[1:] == tokens.sequence[:-1]
    graph.edge(np.where(same, chain[:-1], -1).astype(np.int32), chain[1:])
    return chain
