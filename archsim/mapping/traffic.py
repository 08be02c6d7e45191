"""How much one inference of a trace brings to the machine."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from archsim.workload.operations import Operation, Trace


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
