"""The tokens of phases, and which of them take part in an operation."""

from __future__ import annotations

import numpy as np

from archsim.schedule.tokens import Attendance, phase_tokens
from archsim.workload.operations import Experts, Operation, Phase, Precision, Trace


def trace(*phases: Phase, attention: str = "causal", batch: int = 1, experts: int = 0) -> Trace:
    routing = Experts(experts, 2, seed=5) if experts else None
    return Trace("toy", attention, batch, Precision(), phases, (), routing)  # type: ignore[arg-type]


def test_a_prefill_runs_sequence_by_sequence() -> None:
    ((_, tokens),) = phase_tokens(trace(Phase("prefill", tokens=3), batch=2))
    assert tokens.sequence.tolist() == [0, 0, 0, 1, 1, 1]
    assert tokens.position.tolist() == [0, 1, 2, 0, 1, 2]
    assert tokens.keys.tolist() == [1, 2, 3, 1, 2, 3]
    assert tokens.pass_.tolist() == [0] * 6
    assert tokens.index.tolist() == [0, 1, 2, 3, 4, 5]


def test_an_encoder_attends_to_all() -> None:
    ((_, tokens),) = phase_tokens(trace(Phase("prefill", tokens=3), attention="full"))
    assert tokens.keys.tolist() == [3, 3, 3]


def test_a_decode_runs_step_by_step_and_counts_on() -> None:
    phases = (Phase("prefill", tokens=2), Phase("decode", steps=2, context=2))
    (_, first), (_, tokens) = phase_tokens(trace(*phases, batch=2))
    assert first.index.tolist() == [0, 1, 2, 3]
    assert tokens.sequence.tolist() == [0, 1, 0, 1]
    assert tokens.position.tolist() == [2, 2, 3, 3]
    # the third token attends to itself too
    assert tokens.keys.tolist() == [3, 3, 4, 4]
    # each step is a pass of its own, after that of the prefill
    assert tokens.pass_.tolist() == [1, 1, 2, 2]
    assert tokens.index.tolist() == [4, 5, 6, 7]


def test_a_head_sees_the_last_token_of_each_prompt_and_all_decode_tokens() -> None:
    work = trace(Phase("prefill", tokens=3), Phase("decode", steps=2, context=3), batch=2)
    attendance, head = Attendance(work), Operation("head", "linear", None, last=True)
    (prefill, prompt), (decode, generated) = phase_tokens(work)
    which = attendance.which(head, prefill, prompt)
    assert which is not None
    assert which.tolist() == [2, 5]
    assert attendance.which(head, decode, generated) is None
    assert attendance.which(Operation("q", "linear", 0), prefill, prompt) is None


def test_each_token_goes_to_its_active_experts() -> None:
    work = trace(Phase("prefill", tokens=40), Phase("decode", steps=20, context=40), experts=4)
    attendance = Attendance(work)
    seen = np.zeros((2, 60, 4), dtype=int)
    for phase, tokens in phase_tokens(work):
        for layer in range(2):
            for expert in range(4):
                op = Operation("up", "linear", layer, expert=expert)
                which = attendance.which(op, phase, tokens)
                assert which is not None
                seen[layer, tokens.index[which], expert] += 1
    assert (seen.sum(axis=2) == 2).all()
    assert seen.max() == 1
    # every expert is used, and layers are routed apart
    assert (seen.sum(axis=1) > 10).all()
    assert (seen[0] != seen[1]).any()


def test_routing_is_the_same_in_every_inference() -> None:
    work = trace(Phase("prefill", tokens=9), experts=4)
    ((phase, tokens),) = phase_tokens(work)
    op = Operation("up", "linear", 0, expert=1)
    first, again = (Attendance(work).which(op, phase, tokens) for _ in range(2))
    assert np.array_equal(first, again)  # type: ignore[arg-type]
