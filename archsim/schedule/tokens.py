"""The tokens of a trace's phases, and which of them take part in an operation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from archsim.parts.part import Tokens
from archsim.workload.operations import Operation, Phase, Trace


def phase_tokens(trace: Trace) -> Iterator[tuple[Phase, Tokens]]:
    """Each phase with its tokens in program order: a prefill's by sequence, a decode's by step.

    Returns: tokens whose ``index`` counts on through the phases of the inference.
    """
    first = passes = 0
    for phase in trace.phases:
        if phase.name == "prefill":
            sequence, position = _grid(trace.batch, phase.tokens)
            keys = np.full(len(position), phase.tokens) if trace.attention == "full" else position + 1
            pass_ = np.full(len(position), passes)
            passes += 1
        else:
            step, sequence = _grid(phase.steps, trace.batch)
            position = phase.context + step
            keys = position + 1
            pass_ = passes + step
            passes += phase.steps
        index = first + np.arange(len(position))
        first += len(position)
        yield phase, Tokens(sequence, pass_, position, keys, index)


def _grid(outer: int, inner: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The two indices of ``outer`` times ``inner`` entries, the inner one running fastest."""
    return np.repeat(np.arange(outer), inner), np.tile(np.arange(inner), outer)


class Attendance:
    """Which tokens of a phase take part in an operation: all, the last of a prefill, or an expert's.

    Experts: ``active`` distinct ones for each token, uniformly at random, from a generator that is
    seeded with (seed, layer), so that every inference of a stream is routed alike.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._routes: dict[int, NDArray[np.bool_]] = {}

    @cached_property
    def total(self) -> int:
        """Tokens of an inference."""
        return sum(len(tokens) for _, tokens in phase_tokens(self.trace))

    def key(self, op: Operation) -> str:
        """Equal for operations in which the same tokens take part; '' for all tokens."""
        if op.expert is not None:
            return f"expert {op.expert} of layer {op.layer}"
        return "last" if op.last else ""

    def which(self, op: Operation, phase: Phase, tokens: Tokens) -> NDArray[np.int64] | None:
        """The places of the tokens that take part; None for all."""
        if op.expert is not None:
            layer = -1 if op.layer is None else op.layer
            return np.flatnonzero(self._routes_of(layer)[tokens.index, op.expert])
        if op.last and phase.name == "prefill":
            return np.flatnonzero(tokens.position == phase.tokens - 1)
        return None

    def _routes_of(self, layer: int) -> NDArray[np.bool_]:
        """(tokens of the inference, experts) who goes where."""
        if layer not in self._routes:
            experts = self.trace.experts
            assert experts is not None
            draw = np.random.default_rng([experts.seed, layer + 1]).random((self.total, experts.count))
            chosen = np.argsort(draw, axis=1)[:, : experts.active]
            routes = np.zeros((self.total, experts.count), dtype=bool)
            np.put_along_axis(routes, chosen, True, axis=1)
            self._routes[layer] = routes
        return self._routes[layer]
